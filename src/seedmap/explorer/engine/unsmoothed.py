"""What seeds are the mean of: voxels as the file has them, cleaned only when a seed asks for them.

Cleaning is linear, and a seed is the mean of few voxels. So the mean is cleaned, which takes
microseconds, and not every voxel that might once be asked for. Until then the voxels stay as the
file has them: whole numbers of two bytes as they are, others in float32 where memory allows, else
in two bytes, too: rounded, block by block of frames, to 65535 steps between the least and the
greatest value of the voxel there. Correlations then change by some 1e-5.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, ROUNDING, Array
from seedmap.images import FlatFrame, file_order, working_type

__all__ = ["Recorder", "SeedVoxels", "Unsmoothed", "bytes_per_voxel"]

LARGEST = 32767  # of int16, either way


class SeedVoxels(Protocol):
    """Voxels that seeds can be the mean of."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which voxels or vertices, shape of the space; they stand in C order."""

    @property
    def finite(self) -> NDArray[np.bool_]:
        """False where a value was NaN or infinite in some kept frame, shape (voxels,)."""

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""

    def mean(self, rows: NDArray[np.integer[Any]]) -> tuple[Array, float]:
        """Average voxels and clean the mean.

        Returns
        -------
        mean : ndarray, shape (coordinates,)
            In the run's own coordinates.
        rounding : float
            A mean whose norm is no larger than this is nothing but rounding.
        """


@dataclass(frozen=True, eq=False)
class Unsmoothed:
    """Voxels that are not cleaned yet; a `SeedVoxels`.

    Attributes
    ----------
    mask : ndarray of bool, shape of the space
        Which voxels or vertices; they stand in C order.
    finite : ndarray of bool, shape (voxels,)
        False where a value was NaN or infinite in some kept frame.
    stored : tuple of ndarray of int or float32, shapes (voxels, frames)
        Their values, a block of frames after the other.
    step, middle : ndarray of uint16, shape (voxels, blocks), or None
        A value is ``stored * step + middle``; see `shortened`. None where nothing was rounded.
    first : ndarray of float64, shape (voxels,)
        What is added to all of them; zeros where the file's own numbers are whole.
    scale : tuple of float
        Slope and intercept of the file.
    into : ndarray, shape (coordinates, kept)
        The cleaning in its own coordinates.
    """

    mask: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    stored: tuple[NDArray[Any], ...]
    step: NDArray[np.uint16] | None
    middle: NDArray[np.uint16] | None
    first: Array
    scale: tuple[float, float]
    into: Array

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        tables = (*self.stored, self.first, self.step, self.middle)
        return sum(table.nbytes for table in tables if table is not None)

    def mean(self, rows: NDArray[np.integer[Any]]) -> tuple[Array, float]:
        """Average voxels and clean the mean; see `SeedVoxels`."""
        slope, inter = self.scale
        raw = self._mean_as_stored(rows) * slope + inter
        moves = NOTHING_LEFT * float(np.linalg.norm(raw - raw[0]))
        rounding = max(moves, ROUNDING * float(np.linalg.norm(raw)))
        return self.into @ raw, rounding + 2 * abs(slope) * self._noise(rows)

    def _mean_as_stored(self, rows: NDArray[np.integer[Any]]) -> Array:
        parts = []
        for number, block in enumerate(self.stored):
            # rows are in range: clip spares a check that takes as long as all else
            values = block.take(rows, axis=0, mode="clip").astype(np.float64)
            if self.step is None or self.middle is None:
                parts.append(np.ones(rows.size) @ values)
            else:
                middle = lengthened(self.middle[rows, number]).sum()
                parts.append(lengthened(self.step[rows, number]) @ values + middle)
        total: Array = np.concatenate(parts) + self.first[rows].sum()
        return total / rows.size

    def _noise(self, rows: NDArray[np.integer[Any]]) -> float:
        """Return the norm that rounding to steps is expected to have in the mean of voxels."""
        if self.step is None:
            return 0.0
        widths = np.array([block.shape[1] for block in self.stored])
        squares = np.square(lengthened(self.step[rows])).sum(axis=0) / 12
        return float(np.sqrt(widths @ squares)) / rows.size


class Recorder:
    """Writes voxels down as frames pass, a block of frames at a time; observes a walk.

    Parameters
    ----------
    first
        The first frame as stored, flat, in file order, finite.
    mask
        Which voxels.
    starts
        First frame of each block, and last of all their number.
    rounded
        Whether numbers that are not whole are rounded to two bytes.
    """

    def __init__(
        self,
        first: NDArray[Any],
        mask: NDArray[np.bool_],
        starts: Sequence[int],
        *,
        rounded: bool,
    ) -> None:
        self.mask = mask
        self.positions = file_order(np.flatnonzero(mask), mask.shape)
        self._lock = threading.Lock()
        self._missing = np.zeros(self.positions.size, dtype=bool)
        self._first = first[self.positions]
        voxels, widths = self.positions.size, [stop - start for start, stop in pairwise(starts)]
        self._whole = are_whole(first.dtype)
        self._rounded = rounded and not self._whole
        own = first.dtype.newbyteorder("=") if self._whole else np.dtype(np.float32)
        self._block = np.empty((max(widths), voxels), dtype=own)
        kind = np.dtype(np.int16) if self._rounded else own
        self._stored = tuple(np.empty((voxels, width), dtype=kind) for width in widths)
        tables = len(widths) if self._rounded else 0
        self._step = np.empty((voxels, tables), dtype=np.uint16)
        self._middle = np.empty((voxels, tables), dtype=np.uint16)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.positions.size

    def look(self, frame: FlatFrame) -> None:
        """Note a frame as a row of its block; any thread may."""
        values, row = frame.values[self.positions], self._block[frame.row % len(self._block)]
        if self._whole:
            row[:] = values
        else:
            precision = working_type(values.dtype, row.dtype)
            np.subtract(values, self._first, out=row, dtype=precision, casting="unsafe")
        if frame.missing is not None:
            with self._lock:
                self._missing |= frame.missing[self.positions]

    def write(self, number: int, part: slice) -> None:
        """Write the voxels ``part`` of a whole block down; any thread may."""
        stored = self._stored[number]
        values = self._block[: stored.shape[1], part]
        if not self._rounded:
            stored[part] = values.T
            return
        low, high = values.min(axis=0), values.max(axis=0)
        middle = self._middle[part, number] = shortened(low + (high - low) / 2)
        about = lengthened(middle).astype(np.float32)
        farthest = np.maximum(high - about, about - low)
        step = self._step[part, number] = shortened(farthest / np.float32(LARGEST), up=True)
        whole = (values - about) / np.where(step, lengthened(step), 1).astype(np.float32)
        stored[part] = np.rint(whole, out=whole).T

    def written(self, scale: tuple[float, float], into: Array) -> Unsmoothed:
        """Return what was written; ``scale`` is the file's, ``into`` the cleaning."""
        first = np.zeros(self.voxels) if self._whole else self._first.astype(np.float64)
        return Unsmoothed(
            mask=self.mask,
            finite=~self._missing,
            stored=self._stored,
            step=self._step if self._rounded else None,
            middle=self._middle if self._rounded else None,
            first=first,
            scale=scale,
            into=into,
        )


def shortened(values: NDArray[np.float32], *, up: bool = False) -> NDArray[np.uint16]:
    """Return the upper half of each float32: sign, exponent and 7 bits; towards 0, or upwards.

    Upwards is for numbers of 0 or more. What rounds to a step, about a middle, need not know
    either better than that: it needs to know what both are.
    """
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0xFFFF if up else 0)) >> np.uint32(16)).astype(np.uint16)


def lengthened(short: NDArray[np.uint16]) -> Array:
    """Return the numbers that `shortened` gave, float64."""
    return (short.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)


def are_whole(stored: np.dtype[Any]) -> bool:
    """Whether a file's numbers are whole and small enough to be kept as they are."""
    return stored.kind in "iu" and stored.itemsize <= 2


def bytes_per_voxel(stored: np.dtype[Any], kept: int, blocks: int, *, rounded: bool) -> int:
    """Return how many bytes `Unsmoothed` needs for each voxel of a file's type."""
    if are_whole(stored):
        return 8 + kept * stored.itemsize
    return 8 + (kept * 2 + blocks * 4 if rounded else kept * 4)
