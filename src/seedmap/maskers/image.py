"""Where the maskers' frames come from: anything that nilearn calls an image, as a stream.

`open_masker_image` turns a path, an image or a list of images into a `MaskerImage`: a run whose frames are
read one after the other, resampled or crossed with neighbours on the way where that is asked for.
What nilearn checks is checked by nilearn.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import joblib
import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import SpatialImage
from nilearn.image import check_niimg, new_img_like, resample_img
from numpy.typing import NDArray
from typing_extensions import override

from seedmap._arrays import Array, Keep
from seedmap.images import FrameStream, Grid, RawFrame, Run, open_run
from seedmap.signal.nilearn_private import log, smooth_array
from seedmap.spatial import Extracted, Reading, Storage, extract

__all__ = [
    "MaskerImage",
    "Witness",
    "asks_for_float64",
    "check_imgs",
    "frame_image",
    "middle_frame",
    "open_masker_image",
    "run_of",
]

# More threads than this only wait for the one that reads.
MOST_THREADS = 8
# Below this many values, starting threads costs more than they save.
FEW_VALUES = 1_000_000


@dataclass
class Witness:
    """What was seen while the frames passed by.

    Attributes
    ----------
    wanted : int or None
        The frame to remember.
    frame : ndarray or None
        Its values, once it has passed.
    looks_for_gaps : bool
        Whether to look for values that are not finite, which takes time.
    nan, infinite : bool
        Whether any value so far was NaN, or infinite.
    """

    wanted: int | None = None
    frame: NDArray[Any] | None = None
    looks_for_gaps: bool = False
    nan: bool = False
    infinite: bool = False


@dataclass(frozen=True, eq=False)
class MaskerImage:
    """An image as the maskers read it.

    Attributes
    ----------
    image : nibabel image
        The image as nilearn loads it, four-dimensional; its data may not have been read.
    opened : Run
        Its frames as they are stored.
    run : Run
        Its frames, resampled if asked for.
    smoothing_fwhm : float
        Smoothing [mm]; 0 for none.
    single : bool
        Whether the image was three-dimensional.
    scaled : bool
        Whether the values are scaled integers.
    witness : Witness
        What was seen on the way.
    n_jobs : int
        Threads that may be busy at once.
    """

    image: Any
    opened: Run
    run: Run
    smoothing_fwhm: float
    single: bool
    scaled: bool
    witness: Witness = field(default_factory=Witness)
    n_jobs: int = 1

    @property
    def value_type(self) -> np.dtype[Any]:
        """The type that nilearn would give the values; float32 for scaled integers."""
        return np.dtype(np.float32) if self.scaled else np.dtype(self.run.dtype.newbyteorder("="))

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return grid_of(self.run)

    def everywhere(self) -> Any:
        """Return an image of the same grid and one empty frame, for nilearn's checks."""
        empty = np.broadcast_to(np.int8(0), (*self.grid.shape, 1))
        return nib.Nifti1Image(empty, self.grid.affine)

    def gather(
        self,
        mask: NDArray[np.bool_] | None,
        dtype: np.dtype[Any],
        *,
        keep: Keep | None = None,
        centred: bool,
    ) -> Extracted:
        """Extract the voxels of a mask (None: the background mask) from all frames, or some."""
        return extract(
            Reading(
                self.run,
                np.ones(self.run.frames, dtype=bool) if keep is None else keep,
                self.smoothing_fwhm,
                n_jobs=self.n_jobs,
                centred=centred,
            ),
            mask=mask,
            storage=Storage(dtype=dtype),
        )


def check_imgs(imgs: Any) -> tuple[Any, bool]:
    """Return an image of four dimensions, and whether it had three; nilearn checks it."""
    single = not _is_list(imgs) and len(check_niimg(imgs).shape) == 3
    return check_niimg(imgs, atleast_4d=True, ensure_ndim=4), single


def open_masker_image(imgs: Any, parameters: dict[str, Any], verbose: int = 0) -> MaskerImage:
    """Open an image with the resampling and the smoothing that a masker asks for.

    Parameters
    ----------
    imgs
        Path, image or list of three-dimensional images.
    parameters
        The masker's: ``target_affine``, ``target_shape``, ``smoothing_fwhm``, ``dtype``.
    verbose
        As nilearn's.
    """
    image, single = check_imgs(imgs)
    opened = run_of(image)
    scaled = (opened.slope, opened.inter) != (1.0, 0.0)
    witness = Witness()
    run = _watched(opened, witness)
    n_jobs = threads_for(run)
    target = parameters.get("target_affine"), parameters.get("target_shape")
    if any(part is not None for part in target):
        log("Resampling images", verbose=verbose)
        run = _resampled(run, *target, wide=asks_for_float64(parameters))
        n_jobs = 1  # nilearn's resampling is not made for threads
    fwhm = parameters.get("smoothing_fwhm")
    if fwhm is not None:
        log("Smoothing images", verbose=verbose)
        smooth_array(np.zeros((1, 1, 1)), grid_of(run).affine, fwhm=fwhm)  # warns of a width of 0
    width = max(float(fwhm or 0.0), 0.0)
    return MaskerImage(image, opened, run, width, single, scaled, witness, n_jobs)


def run_of(image: Any) -> Run:
    """Open a four-dimensional image that nilearn has loaded; values that it has cached count."""
    data = getattr(image, "_data_cache", None)
    data = image.dataobj if data is None else data
    if not _can_be_streamed(data):
        data = np.asanyarray(data)
    # Without the file's name, the run takes no notice of what lies beside it.
    return open_run(SpatialImage(data, image.affine))


def grid_of(run: Run) -> Grid:
    """Return the grid of a run of volumes, which is what nilearn's images are."""
    assert isinstance(run.space, Grid)
    return run.space


def threads_for(run: Run) -> int:
    """Return how many threads are worth it."""
    values = run.frames * int(np.prod(run.space.shape))
    return 1 if values < FEW_VALUES else min(int(joblib.cpu_count()), MOST_THREADS)


def asks_for_float64(parameters: dict[str, Any]) -> bool:
    """Whether a masker's ``dtype`` asks for float64."""
    wanted = parameters.get("dtype")
    return wanted is not None and wanted != "auto" and np.dtype(wanted) == np.float64


def _is_list(imgs: Any) -> bool:
    return hasattr(imgs, "__iter__") and not isinstance(imgs, str)


def _can_be_streamed(data: Any) -> bool:
    """Whether data are an array, or lie in a file as our reader knows it."""
    if not nib.is_proxy(data):
        return True
    plain = type(data) is ArrayProxy and getattr(data, "order", "F") == "F"
    return plain and isinstance(data.file_like, str) and np.ndim(data.slope) == 0


class _Watched(FrameStream):
    """Frames that a witness looks at as they pass."""

    def __init__(self, inner: FrameStream, witness: Witness) -> None:
        self._inner, self._witness = inner, witness

    @override
    def take(self) -> RawFrame | None:
        frame = self._inner.take()
        if frame is None:
            return None
        if frame.index == self._witness.wanted:
            self._witness.frame = np.array(frame.values)
        if self._witness.looks_for_gaps and frame.values.dtype.kind == "f":
            self._look_for_gaps(frame.values)
        return frame

    def _look_for_gaps(self, values: NDArray[Any]) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            if np.isfinite(values.sum()):
                return
        self._witness.nan |= bool(np.isnan(values).any())
        self._witness.infinite |= bool(np.isinf(values).any())

    @override
    def give_back(self, frame: RawFrame) -> None:
        self._inner.give_back(frame)

    @override
    def close(self) -> None:
        self._inner.close()


class _Changed(FrameStream):
    """Frames that are changed one by one, in the thread that takes them."""

    def __init__(self, inner: FrameStream, change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        self._inner, self._change = inner, change

    @override
    def take(self) -> RawFrame | None:
        frame = self._inner.take()
        if frame is None:
            return None
        changed = RawFrame(frame.index, self._change(frame.values))
        self._inner.give_back(frame)
        return changed

    @override
    def close(self) -> None:
        self._inner.close()


def _watched(run: Run, witness: Witness) -> Run:
    return replace(run, _open=lambda wanted: _Watched(run.stream(wanted), witness))


def _changed(run: Run, change: Callable[[NDArray[Any]], NDArray[Any]], like: Any) -> Run:
    """Return a run of changed frames; ``like`` is one of them, as an image."""
    return replace(
        run,
        space=Grid.whole(like.affine, like.shape[:3]),
        dtype=np.asanyarray(like.dataobj).dtype,
        slope=1.0,
        inter=0.0,
        _open=lambda wanted: _Changed(run.stream(wanted), change),
    )


def _resampled(run: Run, affine: Any, shape: Any, *, wide: bool) -> Run:
    """Resample frame by frame, with nilearn's interpolation, within the range of all frames."""
    first, low, high = _range_of(run, wide=wide)

    def resample(values: NDArray[Any]) -> Any:
        frame = nib.spatialimages.SpatialImage(values, grid_of(run).affine)
        return resample_img(
            frame, affine, shape, interpolation="continuous", copy=False, clip=False
        )

    def change(values: NDArray[Any]) -> NDArray[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are said once, below
            resampled = np.asarray(resample(_scaled(values, run, wide=wide)).dataobj)
        return np.clip(resampled, low, high)

    like = resample(first)
    if like.shape == run.space.shape and np.allclose(like.affine, grid_of(run).affine):
        return run
    return _changed(run, change, like)


def _scaled(values: NDArray[Any], run: Run, *, wide: bool = False) -> NDArray[Any]:
    """Return stored values in the units of the data."""
    if (run.slope, run.inter) == (1.0, 0.0):
        return values.astype(np.float64) if wide else values
    numbers: Array = values.astype(np.float64 if wide else np.float32)
    numbers *= run.slope
    numbers += run.inter
    return numbers


def _range_of(run: Run, *, wide: bool) -> tuple[NDArray[Any], float, float]:
    """Return the first frame, and the lowest and highest value of all frames and zero."""
    first, low, high = None, 0.0, 0.0
    with run.stream() as stream:
        while (frame := stream.take()) is not None:
            values = _scaled(frame.values, run, wide=wide)
            first = np.array(values) if first is None else first
            low, high = min(low, np.nanmin(values)), max(high, np.nanmax(values))
            stream.give_back(frame)
    assert first is not None
    return first, low, high


def middle_frame(imgs: Any) -> Any:
    """Read the middle frame of a four-dimensional image, as an image."""
    image, _ = check_imgs(imgs)
    run = run_of(image)
    with run.stream(np.arange(run.frames) == run.frames // 2) as stream:
        frame = stream.take()
        assert frame is not None
        return frame_image(image, run, np.array(frame.values))


def frame_image(image: Any, run: Run, values: NDArray[Any] | None) -> Any:
    """Make an image of a frame as stored; None of none."""
    if values is None:
        return None
    if (run.slope, run.inter) != (1.0, 0.0):
        values = values * run.slope + run.inter
    return new_img_like(image, values)
