"""Checks and operations on arrays that the arithmetic shares. Knows NumPy and the errors only."""

import contextlib
import ctypes
import mmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap.errors import OptionError, TooFewFrames

__all__ = [
    "FEWEST_FRAMES",
    "LARGEST_R",
    "NOTHING_LEFT",
    "ROUNDING",
    "Array",
    "Keep",
    "check_same_frames",
    "columns_of",
    "give_back",
    "middle",
    "parse_sample_mask",
    "project_out",
    "readonly",
    "release",
    "zscored",
]

Array = NDArray[np.floating[Any]]
Keep = NDArray[np.bool_]

# The largest |r| whose Fisher transform is finite; float32 has nothing between it and 1.
LARGEST_R = 1 - 1e-7

# A series of which the cleaning leaves less than this share is constant but for rounding of
# float32 (6e-8, times the square root of some hundred frames).
NOTHING_LEFT = 1e-6
# The same for series in float64, measured against their whole size: the mean is part of it. A run's
# own coordinates, from the squares of its cleaning, take away all but some 1e-12 of a mean.
ROUNDING = 1e-10

FEWEST_FRAMES = 3  # two points always lie on a line: r of two frames is always +1 or -1


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of ``array`` that cannot be written to."""
    view = array.view()
    view.setflags(write=False)
    return view


def middle(values: Array) -> float:
    """Return the median of what is finite; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def project_out(basis: Array, series: Array) -> Array:
    """Project orthonormal columns (rows, n) out of series (rows, samples): ``x - Q Q' x``."""
    left: Array = series - basis @ (basis.T @ series)
    return left


def zscored(series: Array) -> Array:
    """Centre columns and divide by their standard deviation (n - 1); 0 for constants."""
    centred = series - series.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    return centred / np.where(spread > 0, spread, 1.0)


def check_same_frames(first: Array, second: Array) -> None:
    """Refuse two arrays whose time axes (axis 0) differ, or that are too short to correlate."""
    if first.shape[0] != second.shape[0]:
        msg = (
            f"{first.shape[0]} frames in one series and {second.shape[0]} in the other; "
            "both must come from the same cleaned frames"
        )
        raise ValueError(msg)
    if first.shape[0] < FEWEST_FRAMES:
        msg = f"{first.shape[0]} frames; a correlation needs at least {FEWEST_FRAMES}"
        raise TooFewFrames(msg)


def parse_sample_mask(sample_mask: ArrayLike | None, frames: int) -> Keep:
    """Return the frames that stay as a new read-only boolean vector.

    Parameters
    ----------
    sample_mask
        None (all stay), a boolean vector of shape (frames,), or the indices of the frames
        that stay, in any order. Never modified.
    frames
        Number of frames in the run.

    Returns
    -------
    ndarray of bool, shape (frames,)
        True where a frame stays.

    Raises
    ------
    OptionError
        If the mask has the wrong length, repeats an index or points outside the run.
    TooFewFrames
        If fewer than three frames stay.
    """
    if sample_mask is None:
        keep = np.ones(frames, dtype=bool)
    else:
        given = np.asarray(sample_mask)
        given = (
            given.reshape(-1)
            if given.ndim != 1 and given.size == max(given.shape, default=0)
            else given
        )
        if given.ndim != 1:
            msg = f"sample_mask has shape {given.shape}; give a vector of {frames} booleans or of indices"
            raise OptionError(msg)
        keep = _from_bools(given, frames) if given.dtype == bool else _from_indices(given, frames)
    if keep.sum() < FEWEST_FRAMES:
        msg = (
            f"sample_mask keeps {int(keep.sum())} of {frames} frames; at least {FEWEST_FRAMES} are "
            "needed. Is the mask the right way round (True or listed = stays)?"
        )
        raise TooFewFrames(msg)
    return readonly(keep)


def _from_bools(given: NDArray[Any], frames: int) -> NDArray[np.bool_]:
    if given.size != frames:
        msg = (
            f"sample_mask has {given.size} booleans and the run {frames} frames; "
            "give one a frame, True where it stays"
        )
        raise OptionError(msg)
    return given.copy()


def _from_indices(given: NDArray[Any], frames: int) -> NDArray[np.bool_]:
    are_numbers = given.dtype.kind in "iuf" and np.isfinite(given).all()
    if not are_numbers or not np.array_equal(given, np.round(given)):
        what = "fractions" if are_numbers else f"values that are no frame numbers ({given.dtype})"
        msg = f"sample_mask holds {what}; give booleans or whole frame numbers counted from 0"
        raise OptionError(msg)
    index = given.astype(np.int64)
    outside = index[(index < 0) | (index >= frames)]
    if outside.size:
        msg = (
            f"sample_mask points to frame {outside[0]}, the run has frames 0 to {frames - 1}; "
            "count frames from 0"
        )
        raise OptionError(msg)
    if index.size > 2 and np.isin(index, (0, 1)).all():
        msg = (
            f"sample_mask has {index.size} values of 0 and 1 for {frames} frames; give one boolean a "
            "frame (True where it stays), or list the frames that stay"
        )
        raise OptionError(msg)
    if np.unique(index).size != index.size:
        msg = f"sample_mask lists {index.size - np.unique(index).size} frames twice; list each once"
        raise OptionError(msg)
    keep = np.zeros(frames, dtype=bool)
    keep[index] = True
    return keep


def release(held: NDArray[Any]) -> None:
    """Give back the memory of an array that lies in a temporary file; the file keeps its values.

    Arrays in memory, and systems that cannot, are left as they are.
    """
    pages = getattr(held, "_mmap", None)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def columns_of(held: Array, columns: Any) -> Array:
    """Return some columns; of an array in a temporary file, without having all in memory.

    Parameters
    ----------
    held
        Shape (rows, columns).
    columns
        What an array of columns is indexed by.
    """
    found = []
    for row in held:
        found.append(np.array(row[columns]))
        release(held)
    return np.stack(found)


def give_back() -> None:
    """Give memory that is free in this process back to the system, where the C library can (glibc).

    It keeps what small arrays took for further ones, some tens of MB after a step that made many.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
