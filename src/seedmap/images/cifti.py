"""Grayordinate time series: CIFTI-2 ``dtseries`` and ``ptseries``, and their maps."""

import threading
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError
from seedmap.images.parts import PLACEHOLDER, Grayordinates, Part

__all__ = [
    "FRAMES_TOGETHER",
    "cifti_bytes",
    "cifti_frames",
    "cifti_image",
    "grayordinates_of",
    "step_of",
]

# Frames fetched at once: the file holds all frames of a grayordinate side by side, and a line of
# the processor's cache holds sixteen float32.
FRAMES_TOGETHER = 16
# NIfTI-2: the header and four bytes; the code of CIFTI's extension.
START, CIFTI_CODE = 544, 32
SHORT = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
# CIFTI's units of the series axis, in seconds.
SECONDS = {"SECOND": 1.0}


def grayordinates_of(image: Any, source: str) -> Grayordinates:
    """Return the space of a CIFTI time series.

    Raises
    ------
    ImageError
        If the file is another kind of CIFTI.
    """
    import nibabel as nib

    axes = [image.header.get_axis(index) for index in range(image.ndim)]
    if image.ndim != 2 or not isinstance(axes[0], nib.cifti2.SeriesAxis):
        kinds = " x ".join(type(axis).__name__.removesuffix("Axis").lower() for axis in axes)
        msg = f"{source}: a CIFTI file of {kinds}; a time series (dtseries or ptseries) is wanted"
        raise ImageError(msg)
    axis = axes[1]
    if isinstance(axis, nib.cifti2.ParcelsAxis):
        parts: tuple[Part, ...] = (Part("parcels", "parcels", np.arange(len(axis))),)
    elif isinstance(axis, nib.cifti2.BrainModelAxis):
        parts = tuple(_part(name, model, axis) for name, _, model in axis.iter_structures())
    else:
        msg = f"{source}: series of {type(axis).__name__}; brain models or parcels are wanted"
        raise ImageError(msg)
    return Grayordinates.of_axis(parts, axis)


def step_of(image: Any) -> float | None:
    """Return the repetition time that a CIFTI series tells [s], if it does."""
    axis = image.header.get_axis(0)
    seconds = float(axis.step) * SECONDS.get(str(axis.unit), np.nan)
    return seconds if np.isfinite(seconds) and seconds > 0 else None


def cifti_frames(image: Any) -> Callable[[int], NDArray[Any]]:
    """Return a function from a frame's number to its values, shape (grayordinates,).

    Any thread may call it.
    """
    values = np.asanyarray(image.dataobj)  # a memory map where the file is not compressed
    held: dict[int, NDArray[Any]] = {}
    lock = threading.Lock()

    def load(index: int) -> NDArray[Any]:
        first = index - index % FRAMES_TOGETHER
        with lock:
            if first not in held:
                held.clear()
                held[first] = np.ascontiguousarray(values[first : first + FRAMES_TOGETHER])
            return held[first][index - first]

    return load


def cifti_image(values: NDArray[Any], space: Grayordinates, name: str) -> Any:
    """Wrap a map (positions,) as a CIFTI ``dscalar`` or ``pscalar`` image."""
    import nibabel as nib

    scalars = nib.cifti2.ScalarAxis([name])
    header = nib.cifti2.Cifti2Header.from_axes((scalars, space.axis))
    image = nib.Cifti2Image(np.asarray(values, dtype=np.float32)[None], header)
    dense = isinstance(space.axis, nib.cifti2.BrainModelAxis)
    image.nifti_header.set_intent("ConnDenseScalar" if dense else "ConnParcelScalr")
    return image


def cifti_bytes(values: NDArray[Any], space: Grayordinates, name: str) -> bytes:
    """Write a map (positions,) as the bytes of a CIFTI ``dscalar`` or ``pscalar`` file.

    The places are written out once a space, which for 91,282 of them takes most of the time.
    """
    import nibabel as nib

    xml = space.written_out.replace(PLACEHOLDER.encode(), escape(name).encode())
    row = np.asarray(values, dtype="<f4")
    header = nib.Nifti2Header()
    header.set_data_dtype(row.dtype)
    header.set_data_shape((1, 1, 1, 1, 1, row.size))
    header["intent_code"] = 3006 if space.parts[0].kind != "parcels" else 3008
    header["intent_name"] = (
        b"ConnDenseScalar" if header["intent_code"] == 3006 else b"ConnParcelScalr"
    )
    content = xml + b"\0" * (-(len(xml) + 8) % 16)
    extension = np.array([len(content) + 8, CIFTI_CODE], dtype="<i4").tobytes() + content
    header["vox_offset"] = START + len(extension)
    head: bytes = header.binaryblock
    return b"".join([head, b"\1\0\0\0", extension, row.tobytes()])


def _part(name: str, model: Any, axis: Any) -> Part:
    short = name.removeprefix("CIFTI_STRUCTURE_")
    short = SHORT.get(short, short)
    if bool(model.surface_mask.all()):
        return Part(short, "surface", np.asarray(model.vertex), int(axis.nvertices[name]))
    return Part(short, "voxels", np.asarray(model.voxel), affine=np.asarray(axis.affine))
