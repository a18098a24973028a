"""Frames as the file has them: flat, the first axis running fastest ("file order").

Samples stand in C order, the last axis running fastest; `file_order` leads from one to the other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FlatFrame", "file_order", "finite_only", "flat", "working_type"]


@dataclass(frozen=True, eq=False)
class FlatFrame:
    """One frame as stored, in file order.

    Attributes
    ----------
    row : int
        Its number among the frames that are kept.
    stored : ndarray, shape (positions,)
        Its values in the file's own type.
    values : ndarray, shape (positions,)
        The same, 0 where they are NaN or infinite.
    missing : ndarray of bool, shape (positions,), or None
        Where they are NaN or infinite; None if nowhere.
    """

    row: int
    stored: NDArray[Any]
    values: NDArray[Any]
    missing: NDArray[np.bool_] | None

    @classmethod
    def of(cls, row: int, values: NDArray[Any]) -> "FlatFrame":
        """Flatten a frame of the space's shape."""
        stored = flat(values)
        return cls(row, stored, *finite_only(stored))


def flat(volume: NDArray[Any]) -> NDArray[Any]:
    """Flatten a volume in file order; a view where it lies that way in memory."""
    return volume.ravel(order="F")


def file_order(positions: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Turn flat positions in C order into those in file order."""
    return np.ravel_multi_index(np.unravel_index(positions, shape)[::-1], shape[::-1])


def finite_only(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Replace NaN and infinity by 0; also say where they were, None if nowhere."""
    # The sum shows in one pass whether anything is amiss; only then is each value looked at.
    with np.errstate(invalid="ignore", over="ignore"):
        if values.dtype.kind != "f" or np.isfinite(values.sum()):
            return values, None
    finite = np.isfinite(values)
    return (values, None) if finite.all() else (np.where(finite, values, 0), ~finite)


def working_type(stored: np.dtype[Any], wanted: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which two stored values are subtracted without loss."""
    if wanted == np.float64:
        return wanted
    small = stored.itemsize <= 2 or (stored.kind == "f" and stored.itemsize == 4)
    return np.dtype(np.float32 if small else np.float64)
