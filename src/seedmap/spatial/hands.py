"""What one thread does with one volume: subtract, smooth, gather, listen, watch.

Volumes come as the file has them, the first axis running fastest; flat arrays here are in that
order too ("file order"). Every thread has a `Hand` of its own with its own buffers; all write to
different rows of one `Table`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import FrameStream, Grid, PageKeeper, RawFrame, Space
from seedmap.spatial.masks import border_values
from seedmap.spatial.smoothing import BoxSmoother, bounding_box

__all__ = ["BackgroundWatch", "Hand", "SeedWeights", "Table", "file_order", "flat"]


@dataclass(frozen=True, eq=False)
class SeedWeights:
    """How one seed listens to a grid.

    Attributes
    ----------
    voxels : ndarray of int, shape (n,)
        Positions in the grid's box, in C order, inside and outside its mask.
    weights : ndarray, shape (n,)
        Weight of each; they sum to 1.
    note : str
        What a reader should know of how the seed was placed.
    """

    voxels: NDArray[np.int64]
    weights: Array
    note: str = ""


def flat(volume: NDArray[Any]) -> NDArray[Any]:
    """Flatten a volume in file order; a view where it lies that way in memory."""
    return volume.ravel(order="F")


def file_order(positions: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Turn flat positions in C order into those in file order."""
    return np.ravel_multi_index(np.unravel_index(positions, shape)[::-1], shape[::-1])


def finite_only(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Replace NaN and infinity by 0; also say where they were, None if nowhere."""
    # The sum tells in one pass whether anything is amiss; only then is a closer look taken.
    with np.errstate(invalid="ignore", over="ignore"):
        if values.dtype.kind != "f" or np.isfinite(values.sum()):
            return values, None
    finite = np.isfinite(values)
    return (values, None) if finite.all() else (np.where(finite, values, 0), ~finite)


@dataclass(frozen=True, eq=False)
class Table:
    """The arrays that all hands write to, one row a kept frame, and what they share."""

    grid: Space
    sigma: Array | float
    scale: tuple[float, float]  # slope and intercept of stored values
    row_of: NDArray[np.int64]  # row of each frame
    first: NDArray[Any]  # what is subtracted from each frame as stored, flat, finite
    series: Array
    seed_series: Array
    unusable: NDArray[np.bool_]
    seed_gaps: NDArray[np.int64]
    room: Array | None = None  # what the series are the last rows of
    lock: threading.Lock = field(default_factory=threading.Lock)


class Listener:
    """Weighted means over the voxels of all seeds at once."""

    def __init__(self, seeds: Sequence[SeedWeights], shape: tuple[int, ...]) -> None:
        sizes = [seed.voxels.size for seed in seeds]
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.empty(0, dtype=np.int64)
        empty = np.empty(0)
        voxels = np.concatenate([empty.astype(np.int64), *[seed.voxels for seed in seeds]])
        self._positions = file_order(voxels, shape)
        self._weights = np.concatenate([empty, *[seed.weights for seed in seeds]])

    def hear(self, stored: NDArray[Any]) -> tuple[Array, NDArray[np.int64] | None]:
        """Return the seeds' means of one volume, and how many voxels of each were not finite."""
        if not self._starts.size:
            return np.empty(0), None
        values = stored[self._positions].astype(np.float64)
        finite, gaps = finite_only(values)
        heard = np.add.reduceat(finite * self._weights, self._starts)
        if gaps is None:
            return heard, None
        weight = np.add.reduceat(np.where(gaps, 0.0, self._weights), self._starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            return heard / weight, np.add.reduceat(gaps.astype(np.int64), self._starts)


class BackgroundWatch:
    """Watches whether a background mask guessed from the first volume holds for the mean.

    The mask of the mean is that of the first volume, for certain, if the voxels outside never
    change, if they are more than half of the border (so that the border's median stays) and if no
    voxel ever lies on both sides of the background (so that no mean can fall on it).
    """

    def __init__(self, first: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        stored, self._outside = flat(first), flat(~mask)
        outside = stored[self._outside]
        self._background = outside[0] if outside.size else np.nan
        self._border_outside = border_values(~mask).mean()
        # Most data lie above their background; the others below. Watching one side is enough.
        self._extreme = np.min if stored.min() >= self._background else np.max
        self._brain = np.zeros(stored.size, dtype=bool)
        self._different = np.empty(stored.size, dtype=bool)
        self._crossed = False

    def look(self, stored: NDArray[Any]) -> None:
        """Look at one more volume, flat and in file order."""
        np.not_equal(stored, self._background, out=self._different)
        np.logical_or(self._brain, self._different, out=self._brain)
        farthest = self._extreme(stored)
        above = self._extreme is np.min
        self._crossed |= not (
            farthest >= self._background if above else farthest <= self._background
        )

    def holds(self) -> bool:
        """Say whether the guess holds, as far as this watch has seen."""
        if np.isnan(self._background) or self._border_outside <= 0.5 or self._crossed:
            return False
        return not np.any(self._brain & self._outside)


class Hand:
    """One thread's tools: takes frames and writes their rows of the table."""

    def __init__(
        self, table: Table, seeds: Sequence[SeedWeights], watch: BackgroundWatch | None
    ) -> None:
        self._table, self.watch = table, watch
        self._keeper = PageKeeper(table.series)
        self._listener = Listener(seeds, table.grid.shape)
        self._gather = gatherer(table)
        self._positions = file_order(np.flatnonzero(table.grid.mask), table.grid.shape)

    def take_all(self, stream: FrameStream, on_frame: Callable[[], None]) -> None:
        """Take frames until none is left."""
        while (frame := stream.take()) is not None:
            self.take(frame)
            stream.give_back(frame)
            on_frame()

    def take(self, frame: RawFrame) -> None:
        """Write one frame's row."""
        table, row = self._table, self._table.row_of[frame.index]
        stored = flat(frame.values)
        if self.watch is not None:
            self.watch.look(stored)
        slope, inter = table.scale
        heard, gaps = self._listener.hear(stored)
        table.seed_series[row] = heard * slope + inter
        stored, missing = finite_only(stored)
        self._gather.into(table.series[row], stored)
        if slope != 1.0:
            table.series[row] *= slope
        self._keeper.used(table.series[row].nbytes)
        if missing is not None or gaps is not None:
            with table.lock:
                table.unusable[:] |= False if missing is None else missing[self._positions]
                table.seed_gaps[:] += 0 if gaps is None else gaps


def gatherer(table: Table) -> "Plain | Smooth":
    """Choose how a row is filled: as it is, or smoothed. Surfaces are smoothed when all is there."""
    if isinstance(table.grid, Grid) and np.any(table.sigma):
        return Smooth(table, table.grid)
    return Plain(table)


class Plain:
    """Gathers the mask's voxels as they are, less the first volume."""

    def __init__(self, table: Table) -> None:
        mask = table.grid.mask
        in_order = mask.ndim == 1 and mask.all()  # nothing to pick: a dense CIFTI without its wall
        self._positions = (
            slice(None) if in_order else file_order(np.flatnonzero(mask), table.grid.shape)
        )
        self._first = table.first[self._positions]
        self._precision = working_type(self._first.dtype, table.series.dtype)

    def into(self, row: Array, stored: NDArray[Any]) -> None:
        np.subtract(
            stored[self._positions], self._first, out=row, dtype=self._precision, casting="unsafe"
        )


class Smooth:
    """Gathers the mask's voxels from the smoothed difference to the first volume."""

    def __init__(self, table: Table, grid: Grid) -> None:
        box = bounding_box(grid.mask)
        self._shape = grid.shape[::-1]
        self._smoother = BoxSmoother(grid.shape, box, np.asarray(table.sigma), table.series.dtype)
        self._reach = self._smoother.reach[::-1]
        first = table.first.reshape(self._shape)[self._reach]
        self._difference = np.empty(first.shape, dtype=table.series.dtype)
        self._precision = working_type(first.dtype, table.series.dtype)
        self._first = np.ascontiguousarray(first, dtype=self._precision)
        inside = table.grid.mask[box]
        self._positions = file_order(np.flatnonzero(inside), inside.shape)

    def into(self, row: Array, stored: NDArray[Any]) -> None:
        """Fill a row from one volume, flat and in file order."""
        part = stored.reshape(self._shape)[self._reach]
        if self._precision == self._difference.dtype and part.dtype != self._precision:
            # Converting first and subtracting in place is twice as fast as both at once.
            np.copyto(self._difference, part)
            np.subtract(self._difference, self._first, out=self._difference)
        else:
            np.subtract(
                part, self._first, out=self._difference, dtype=self._precision, casting="unsafe"
            )
        smooth = self._smoother.smooth(self._difference)
        # mode="clip" lets NumPy write into the row directly; no position is out of range
        np.take(smooth.reshape(-1), self._positions, out=row, mode="clip")


def working_type(stored: np.dtype[Any], wanted: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which two stored values are subtracted without loss."""
    if wanted == np.float64:
        return wanted
    small = stored.itemsize <= 2 or (stored.kind == "f" and stored.itemsize == 4)
    return np.dtype(np.float32 if small else np.float64)
