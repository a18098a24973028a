"""Volumes: NIfTI files of any kind, nibabel images, and lists of single volumes."""

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError, SeedmapWarning, SpaceMismatch
from seedmap.images.inflate import is_gzip
from seedmap.images.loading import MOST_VOXELS, check_size, load_file, values_of
from seedmap.images.placing import doubt_of_place, grid_of, header_codes
from seedmap.images.run import Run, Timing, choose_timing, positive_t_r
from seedmap.images.space import Grid
from seedmap.images.streams import FileLayout, FrameStream, LoadedFrames, PlainFrames, ReadAhead

__all__ = ["file_of", "load_any_image", "load_image", "load_volume", "open_volume", "open_volumes"]

# NIfTI's codes of the repetition time's unit, in seconds, and the bits of the header they stand in.
# An unknown unit is taken for seconds, as everyone does.
SECONDS, UNIT_BITS = {8: 1.0, 16: 1e-3, 24: 1e-6}, 0b111000


def load_image(image: Any, *, role: str = "image") -> Any:
    """Return a nibabel volume for a path or an image, or say what is wrong with it.

    ``role`` is what the message calls it, such as ``"mask"``.
    """
    loaded = load_any_image(image, role=role)
    if not hasattr(loaded, "affine"):
        source = loaded.get_filename() or "in memory"
        msg = (
            f"{source}: this {role} is a {type(loaded).__name__}; a volume image (NIfTI) is wanted"
        )
        raise ImageError(msg)
    return loaded


def load_any_image(image: Any, *, role: str = "image") -> Any:
    """Return a nibabel image with data, volume or CIFTI, for a path or an image."""
    if hasattr(image, "dataobj"):
        return image
    if not isinstance(image, str | Path):
        msg = f"the {role} is a {type(image).__name__}; give a path or a nibabel image"
        raise ImageError(msg)
    path = Path(image).expanduser()
    loaded = load_file(path, role)
    if not hasattr(loaded, "dataobj"):
        msg = f"{path}: this {role} is a {type(loaded).__name__}; a volume image (NIfTI) is wanted"
        raise ImageError(msg)
    return loaded


def load_volume(image: Any, role: str = "image") -> tuple[NDArray[Any], Grid]:
    """Load a single volume: its values (x, y, z), NaN and infinity as 0, and its grid.

    A fourth axis of one volume is dropped. ``role`` is what messages call it.

    Raises
    ------
    MissingFile
        If the file is not there.
    ImageError
        If it cannot be read, or holds more than one volume.
    """
    loaded = load_image(image, role=role)
    values = values_of(loaded, role)
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    if values.ndim != 3:
        source = loaded.get_filename() or "in memory"
        msg = f"{source}: this {role} has shape {values.shape}; a 3-D image is wanted"
        raise ImageError(msg)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    source = str(loaded.get_filename() or f"the {role}")
    if doubt := doubt_of_place(loaded, source):
        warnings.warn(doubt, SeedmapWarning, stacklevel=3)
    return values, grid_of(loaded, values.shape, source)


def file_of(image: Any) -> str:
    """Return the file that an image comes from; empty where it is in memory."""
    if isinstance(image, str | Path):
        return str(image)
    return str(image.get_filename() or "") if hasattr(image, "get_filename") else ""


def open_volume(image: Any, t_r: float | None) -> Run:
    """Open a 4-D nibabel image."""
    source = str(image.get_filename() or "image in memory")
    shape = image.shape
    if len(shape) == 5 and shape[3] == 1:
        msg = f"{source}: the image has shape {shape}; put the frames on the fourth axis"
        raise ImageError(msg)
    if len(shape) == 5 and shape[4] == 1:
        msg = f"{source}: the image has shape {shape}; drop the last axis, which holds one value"
        raise ImageError(msg)
    if len(shape) != 4:
        msg = (
            f"{source}: the image has {len(shape)} dimensions {shape}; a run has 4 (x, y, z, frames). "
            "Is it a single volume?"
        )
        raise ImageError(msg)
    check_size(image, "run")
    if math.prod(shape[:3]) > MOST_VOXELS:
        msg = f"{source}: the run has shape {shape}; at most {MOST_VOXELS:,} voxels a frame can be used: resample it"
        raise ImageError(msg)
    return _run_of(
        image, source, frames=shape[3], timing=choose_timing(_header_t_r(image), source, t_r)
    )


def open_volumes(images: Sequence[Any], t_r: float | None) -> Run:
    """Take a list of 3-D images as the frames of one run."""
    if not images:
        msg = "the list of images is empty; give one image a frame, or one 4-D image"
        raise ImageError(msg)
    loaded = [load_image(image, role="frame") for image in images]
    first = loaded[0]
    source = str(first.get_filename() or "images in memory")
    grid = grid_of(first, first.shape[:3], source)
    for number, image in enumerate(loaded):
        name = image.get_filename() or f"image {number} of the list"
        if image.shape[3:] not in ((), (1,)):
            msg = (
                f"{name}: shape {image.shape}; every image of a list is one frame and has 3 "
                "dimensions. Runs are analysed one by one"
            )
            raise ImageError(msg)
        if not grid.same_grid(grid_of(image, image.shape[:3], name)):
            msg = f"{name}: its grid differs from that of the first image of the list; resample it"
            raise SpaceMismatch(msg)
    timing = Timing(None, "header") if t_r is None else Timing(positive_t_r(t_r), "argument")

    def load(index: int) -> NDArray[Any]:
        return np.asarray(loaded[index].dataobj).reshape(grid.shape)

    return Run(
        source=source,
        space=grid,
        frames=len(loaded),
        timing=timing,
        dtype=np.result_type(*[image.dataobj[:1, :1, :1].dtype for image in loaded]),
        slope=1.0,
        inter=0.0,
        codes=header_codes(first),
        _open=lambda wanted: LoadedFrames(load, wanted),
        notes=_doubts(first, source),
    )


def _run_of(image: Any, source: str, *, frames: int, timing: Timing) -> Run:
    data = _data_of(image)
    dtype, slope, inter = _storage(data, source)
    return Run(
        source=source,
        space=grid_of(image, image.shape[:3], source),
        frames=frames,
        timing=timing,
        dtype=dtype,
        slope=slope,
        inter=inter,
        codes=header_codes(image),
        _open=_opener(data, dtype),
        notes=_doubts(image, source),
    )


def _doubts(image: Any, source: str) -> tuple[str, ...]:
    doubt = doubt_of_place(image, source)
    return (doubt,) if doubt else ()


def _data_of(image: Any) -> Any:
    """Return an image's array, or a proxy whose frames lie plainly in one file, one after another.

    What is neither, such as a format with a scaling of its own for each slice, is loaded whole.
    """
    import nibabel as nib
    from nibabel.arrayproxy import ArrayProxy

    data = image.dataobj
    plain = type(data) is ArrayProxy and isinstance(data.file_like, str | Path)
    return data if plain or not nib.is_proxy(data) else np.asarray(data)


def _storage(data: Any, source: str) -> tuple[np.dtype[Any], float, float]:
    """How values are stored: type, slope and intercept."""
    dtype = np.dtype(data.dtype)
    if dtype.kind not in "biuf":
        msg = f"{source}: values are stored as {dtype}; real numbers are wanted (int or float)"
        raise ImageError(msg)
    return dtype, float(getattr(data, "slope", 1.0)), float(getattr(data, "inter", 0.0))


def _opener(data: Any, dtype: np.dtype[Any]) -> Callable[[NDArray[np.bool_]], FrameStream]:
    """Choose how frames are read: from memory, from anywhere in a file, or read ahead."""
    import nibabel as nib

    if not nib.is_proxy(data):
        array = np.asarray(data)
        return lambda wanted: LoadedFrames(lambda index: array[..., index], wanted)
    path = Path(str(data.file_like))
    layout = FileLayout(path, int(data.offset), dtype, data.shape[:3], data.shape[3])
    if is_gzip(path) or path.suffix in (".bz2", ".zst"):
        return lambda wanted: ReadAhead(layout, wanted)
    return lambda wanted: PlainFrames(layout, wanted)


def _header_t_r(image: Any) -> float:
    """Repetition time of the header [s]; 0 where it has none."""
    zooms = image.header.get_zooms()
    if len(zooms) < 4:
        return 0.0
    seconds = float(zooms[3]) * _unit_of_time(image.header)
    # Headers hold float32: 0.72 would come out as 0.7200000286.
    return float(f"{seconds:.6g}") if np.isfinite(seconds) and seconds > 0 else 0.0


def _unit_of_time(header: Any) -> float:
    """Return the unit of a header's repetition time [s]."""
    import nibabel as nib

    if isinstance(header, nib.freesurfer.mghformat.MGHHeader):
        return 1e-3
    if isinstance(header, nib.Nifti1Header):
        # nibabel's own reading of the units fails where the unit of length is not known.
        return SECONDS.get(int(header["xyzt_units"]) & UNIT_BITS, 1.0)
    return 1.0
