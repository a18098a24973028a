"""One walk through a run that keeps its cleaned rows, and never the run itself.

Every frame is used twice: smoothed, for the brain, and as it is, for the seeds. Of the brain a few
frames at a time are multiplied into the run's own coordinates
(`CleaningOperator.coordinates`) and forgotten; what seeds are the mean of is written down as it
is (`seedmap.explorer.engine.unsmoothed`). So the memory needed is that of the two results. What the
cleaning takes away, and error bars need, is kept as coordinates, too (`seedmap.explorer.engine.noise`).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.explorer.engine.noise import Superseded
from seedmap.explorer.engine.unsmoothed import Recorder, Unsmoothed
from seedmap.images import FlatFrame
from seedmap.spatial import Reading, Start, walk

__all__ = ["Gathered", "Superseded", "block_rows", "block_starts", "gather"]

Around = Callable[[NDArray[np.bool_]], tuple[NDArray[np.bool_], bool]]

# Frames multiplied at once, as a share of the run: two such blocks are held, for brain and seeds.
BLOCKS = 16
FEWEST_ROWS = 16  # below this a matrix product is no longer one
SAMPLES = 512  # a block of results that stays in the processor's cache
MEAN_OF = 32  # frames that are averaged for a picture of the run
# Offsets smaller than this are rounding: the cleaning removes constants.
NO_OFFSET = 1e-9


@dataclass(frozen=True, eq=False)
class Gathered:
    """Voxels of one mask in the run's own coordinates.

    Attributes
    ----------
    mask : ndarray of bool, shape of the space
        Which voxels or vertices; they stand in C order.
    rows : ndarray of float32, shape (voxels, coordinates)
        Their cleaned series.
    size : ndarray of float32, shape (voxels,)
        Norm of each uncleaned series, its first frame subtracted.
    finite : ndarray of bool, shape (voxels,)
        False where a value was NaN or infinite in some kept frame.
    """

    mask: NDArray[np.bool_]
    rows: NDArray[np.float32]
    size: NDArray[np.float32]
    finite: NDArray[np.bool_]


class Walked(NamedTuple):
    """What a walk kept."""

    brain: Gathered
    """The samples, smoothed."""

    unsmoothed: Unsmoothed
    """What seeds are the mean of."""

    mean: Array
    """A mean frame, shape of the space."""

    rest: NDArray[np.float32]
    """The samples, smoothed, along the directions ``beside``, shape (samples, directions)."""


def gather(
    reading: Reading,
    mask: NDArray[np.bool_] | None,
    into: Array,
    around: Around,
    beside: Array,
) -> Walked:
    """Read a run once; keep the smoothed brain, the unsmoothed voxels, and a mean frame.

    Parameters
    ----------
    reading
        What is read, and how.
    mask
        Which places are the brain; None finds them on the way.
    into
        The cleaning in its own coordinates, shape (coordinates, kept).
    around
        From the mask of the brain to that of the voxels that seeds may be the mean of, and whether
        their values have to be rounded.
    beside
        Further directions that the brain is multiplied with, shape (directions, kept).

    Raises
    ------
    ImageError
        If the mask is empty or the file is damaged.
    """
    return walk(reading, mask, lambda start: _Coordinates(reading, start, into, around, beside))


class _Coordinates:
    """Multiplies the brain's blocks into coordinates and forgets them; what a walk's rows go to."""

    def __init__(
        self, reading: Reading, start: Start, into: Array, around: Around, beside: Array
    ) -> None:
        space = start.space
        self._mask, self._into, self._scale = space.mask, into, reading.scale
        self._narrow = into.astype(np.float32)
        self.block: Array = np.empty((block_rows(start.frames), space.n_samples), dtype=np.float32)
        self._rows = np.zeros((space.n_samples, len(into)), dtype=np.float32)
        self._squares = np.zeros(space.n_samples, dtype=np.float32)
        near, rounded = around(self._mask)
        near = self._mask if start.guessed else near  # outside a background mask nothing varies
        starts = block_starts(start.frames)
        self._recorder = Recorder(start.first, near, starts, rounded=rounded)
        self._beside = beside.astype(np.float32)
        self._rest = np.zeros((space.n_samples, len(beside)), dtype=np.float32)
        self._mean = _Mean(start, reading.scale)
        self.observers = (self._recorder, self._mean)

    def take(self, start: int, stop: int, pool: Executor) -> None:
        """Multiply the block into coordinates, and let the recorder write its own."""
        into = np.ascontiguousarray(self._narrow[:, start:stop])
        beside = np.ascontiguousarray(self._beside[:, start:stop])
        number = start // len(self.block)
        jobs = [pool.submit(self._add, into, beside, part) for part in parts_of(len(self._rows))]
        recorded = parts_of(self._recorder.voxels)
        jobs += [pool.submit(self._recorder.write, number, part) for part in recorded]
        for job in jobs:
            job.result()

    def _add(self, into: NDArray[np.float32], beside: NDArray[np.float32], part: slice) -> None:
        raw = self.block[: into.shape[1], part]
        self._rows[part] += raw.T @ into.T
        self._squares[part] += np.einsum("ij,ij->j", raw, raw)
        if len(beside):
            self._rest[part] += raw.T @ beside.T

    def end(self, reference: Array, unusable: NDArray[np.bool_]) -> Walked:
        """Add what the cleaning leaves of the first frame, if it leaves anything."""
        offset = self._into.sum(axis=1)
        if np.abs(offset).max() >= NO_OFFSET:
            first, narrow = reference.astype(np.float32), offset.astype(np.float32)
            for part in parts_of(len(self._rows)):
                self._rows[part] += first[part, None] * narrow
        brain = Gathered(self._mask, self._rows, np.sqrt(self._squares), ~unusable)
        unsmoothed = self._recorder.written(self._scale, self._into)
        return Walked(brain, unsmoothed, self._mean.frame(), self._rest)


class _Mean:
    """The average of a few frames spread over the run, for a picture of it."""

    def __init__(self, start: Start, scale: tuple[float, float]) -> None:
        self._step = max(1, start.frames // MEAN_OF)
        self._shape, self._scale = start.space.shape, scale
        self._total: Array = np.zeros(start.first.size, dtype=np.float32)
        self._count = 0
        self._lock = threading.Lock()

    def look(self, frame: FlatFrame) -> None:
        """Add one frame in every so many; any thread may."""
        if frame.row % self._step:
            return
        with self._lock:
            np.add(self._total, frame.values, out=self._total)
            self._count += 1

    def frame(self) -> Array:
        slope, inter = self._scale
        mean = self._total / max(1, self._count) * slope + inter
        return mean.reshape(self._shape, order="F")


def block_rows(kept: int) -> int:
    """Return how many frames are multiplied at once."""
    return max(FEWEST_ROWS, kept // BLOCKS)


def block_starts(kept: int) -> list[int]:
    """Return where the blocks of frames begin, and where the last one ends."""
    return [*range(0, kept, block_rows(kept)), kept]


def parts_of(voxels: int) -> list[slice]:
    """Cut voxels into parts whose results stay in the processor's cache."""
    return [slice(start, min(start + SAMPLES, voxels)) for start in range(0, voxels, SAMPLES)]
