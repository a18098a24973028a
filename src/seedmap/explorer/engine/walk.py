"""One walk through a run that brings home its cleaned rows, and never the run itself.

Every frame is gathered twice: smoothed, for the brain, and as it is, for the seeds. Of the brain
a few frames at a time are multiplied into the run's own coordinates
(`CleaningOperator.coordinates`) and forgotten; what seeds hear is written down as it is
(`seedmap.explorer.engine.hearing`). So the memory needed is that of the two results.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import NOTHING_LEFT, Array, Keep
from seedmap.errors import ImageError
from seedmap.explorer.engine.hearing import Recorder, Unsmoothed, at_voxels
from seedmap.images import FrameStream, Grid, RawFrame, Run
from seedmap.spatial import background_mask, mean_volume
from seedmap.spatial.hands import BackgroundWatch, Table, finite_only, flat, gatherer
from seedmap.spatial.smoothing import BoxSmoother, bounding_box

__all__ = ["Gathered", "Superseded", "Walk", "block_rows", "block_starts"]

# Frames multiplied at once, as a share of the run: two such blocks are held, for brain and seeds.
BLOCKS = 16
FEWEST_ROWS = 16  # below this a matrix product is no longer one
SAMPLES = 512  # a block of results that stays in the processor's cache
MEAN_OF = 32  # frames that are averaged for a picture of the run
# Offsets smaller than this are rounding: the cleaning removes constants.
NO_OFFSET = 1e-9


class Superseded(Exception):
    """Nobody waits for this result any more."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """Voxels of one mask in the run's own coordinates.

    Attributes
    ----------
    mask : ndarray of bool, shape (x, y, z)
        Which voxels; they stand in C order.
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

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.rows.nbytes + self.size.nbytes

    def mean(self, rows: NDArray[np.integer[Any]]) -> tuple[Array, float]:
        """Average voxels, which are clean already; see `seedmap.explorer.engine.hearing.Hearing`."""
        before = np.sqrt(np.square(self.size[rows], dtype=np.float64).mean())
        return self.rows[rows].mean(axis=0, dtype=np.float64), NOTHING_LEFT * float(before)


@dataclass(frozen=True, eq=False)
class Walk:
    """What a walk needs to know.

    Attributes
    ----------
    run : Run
        The opened run.
    grid : Grid
        Its grid.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    into : ndarray, shape (coordinates, kept)
        The cleaning in its own coordinates.
    sigma : ndarray, shape (3,)
        Standard deviations of the smoothing [voxels].
    around : callable
        From the mask of the brain to that of the voxels which seeds may listen to, and whether
        these have to be rounded.
    n_jobs : int
        Threads that may be busy at once.
    on_frame : callable
        Called after each frame; raises `Superseded` to end the walk.
    """

    run: Run
    grid: Grid
    keep: Keep
    into: Array
    sigma: Array
    around: Callable[[NDArray[np.bool_]], tuple[NDArray[np.bool_], bool]]
    n_jobs: int
    on_frame: Callable[[], None]

    @property
    def kept(self) -> int:
        """Number of frames that stay."""
        return int(self.keep.sum())

    def go(self, mask: NDArray[np.bool_] | None) -> tuple[Gathered, Unsmoothed, Array]:
        """Walk once; return the smoothed brain, the unsmoothed voxels, and a mean volume.

        ``mask`` None finds nilearn's background mask on the way, or by a second walk where the
        first volume does not show it for certain.

        Raises
        ------
        ImageError
            If the mask is empty or the file is damaged.
        """
        with self.run.stream(self.keep) as stream, threadpool_limits(1, user_api="blas"):
            first = stream.take()
            if first is None:
                msg = f"{self.run.source}: the run has no frames"
                raise ImageError(msg)
            guess = background_mask(first.values) if mask is None else mask
            if guess.any():
                watch = mask is None
                crew = _Crew(self, first, guess, watch=watch)
                stream.give_back(first)
                crew.work(stream)
                if crew.confirmed():
                    return crew.brought_home()
                del crew  # its memory is needed again
        if mask is not None or not guess.any():
            msg = f"{self.run.source}: the mask is empty; check the image, or give a mask"
            raise ImageError(msg)
        return self.go(background_mask(mean_volume(self.run, self.keep)))


class _Brain:
    """The brain's rows, which grow block after block."""

    def __init__(self, walk: Walk, first: RawFrame, mask: NDArray[np.bool_]) -> None:
        voxels = int(mask.sum())
        self.block = np.empty((block_rows(walk.kept), voxels), dtype=np.float32)
        self.grid, self.sigma = walk.grid.within(mask), walk.sigma
        self.table = _table(walk, first, self.grid, self.block)
        self.rows = np.zeros((voxels, walk.into.shape[0]), dtype=np.float32)
        self.squares = np.zeros(voxels, dtype=np.float32)

    def add(self, into: NDArray[np.float32], part: slice) -> None:
        """Multiply the block's voxels ``part`` into their coordinates."""
        raw = self.block[: into.shape[1], part]
        self.rows[part] += raw.T @ into.T
        self.squares[part] += np.einsum("ij,ij->j", raw, raw)

    def result(self, offset: Array) -> Gathered:
        """Add what the cleaning leaves of the first frame, if it leaves anything."""
        if np.abs(offset).max() >= NO_OFFSET:
            first = _first_frame(self.table, self.grid, self.sigma).astype(np.float32)
            narrow = offset.astype(np.float32)
            for part in parts_of(self.rows.shape[0]):
                self.rows[part] += first[part, None] * narrow
        return Gathered(self.grid.mask, self.rows, np.sqrt(self.squares), ~self.table.unusable)


class _Crew:
    """The threads of one walk and what they share."""

    def __init__(
        self, walk: Walk, first: RawFrame, mask: NDArray[np.bool_], *, watch: bool
    ) -> None:
        self._walk = walk
        around, rounded = walk.around(mask)
        heard = mask if watch else around  # outside a background mask nothing varies
        values = np.array(first.values)
        self._first = RawFrame(first.index, values)
        self._brain = _Brain(walk, self._first, mask)
        self._starts = block_starts(walk.kept)
        self._heard = Recorder(values, heard, self._starts, rounded=rounded)
        self._hands = [
            _Hand(self._brain.table, self._heard) for _ in range(max(1, walk.n_jobs - 1))
        ]
        self._watches = [BackgroundWatch(values, mask) for _ in self._hands] if watch else []
        self._mean = _Mean(walk)

    def work(self, stream: FrameStream) -> None:
        """Take all frames, a block at a time."""
        into = self._walk.into.astype(np.float32)
        brain, heard = self._brain, self._heard
        with ThreadPoolExecutor(max(1, self._walk.n_jobs)) as pool:
            for number, (start, stop) in enumerate(pairwise(self._starts)):
                self._take_block(stream, pool, start, stop)
                part = np.ascontiguousarray(into[:, start:stop])
                jobs = [pool.submit(brain.add, part, p) for p in parts_of(len(brain.rows))]
                jobs += [pool.submit(heard.write, number, p) for p in parts_of(heard.voxels)]
                _all_done(jobs)

    def _take_block(
        self, stream: FrameStream, pool: ThreadPoolExecutor, start: int, stop: int
    ) -> None:
        if start == 0:
            self._take(0, self._first, start)
        share = list(range(start + (start == 0), stop))
        share.reverse()

        def hand(number: int) -> None:
            while True:
                try:
                    share.pop()  # one frame fewer for the others
                except IndexError:
                    return
                frame = stream.take()
                if frame is None:
                    return
                self._take(number, frame, start)
                stream.give_back(frame)

        _all_done([pool.submit(hand, number) for number in range(len(self._hands))])

    def _take(self, number: int, frame: RawFrame, start: int) -> None:
        stored = flat(frame.values)
        if self._watches:
            self._watches[number].look(stored)
        row = int(self._brain.table.row_of[frame.index])
        self._mean.look(row, frame)
        self._hands[number].take(stored, row - start)
        self._walk.on_frame()

    def confirmed(self) -> bool:
        """Whether the mask that was guessed is the right one."""
        return all(watch.holds() for watch in self._watches)

    def brought_home(self) -> tuple[Gathered, Unsmoothed, Array]:
        walk = self._walk
        brain = self._brain.result(walk.into.sum(axis=1))
        heard = self._heard.written((walk.run.slope, walk.run.inter), walk.into)
        return brain, heard, self._mean.volume()


class _Hand:
    """One thread's buffers: smooths a frame into a row of the brain, and notes it for the seeds."""

    def __init__(self, brain: Table, heard: Recorder) -> None:
        self._brain, self._heard = brain, heard
        self._gather = gatherer(brain)

    def take(self, stored: NDArray[np.generic], row: int) -> None:
        brain = self._brain
        values, missing = finite_only(stored)
        self._heard.hear(values, missing, row)
        self._gather.into(brain.series[row], values)
        if brain.scale[0] != 1.0:
            brain.series[row] *= brain.scale[0]
        if missing is not None:
            with brain.lock:
                brain.unusable[:] |= at_voxels(missing, brain.grid.mask)


class _Mean:
    """The average of a few frames spread over the run, for a picture of it."""

    def __init__(self, walk: Walk) -> None:
        self._run = walk.run
        self._step = max(1, walk.kept // MEAN_OF)
        self._total: Array = np.zeros(walk.grid.shape, dtype=np.float32, order="F")
        self._count = 0
        self._lock = threading.Lock()

    def look(self, row: int, frame: RawFrame) -> None:
        if row % self._step:
            return
        values = frame.values
        if values.dtype.kind == "f":
            values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        with self._lock:
            np.add(self._total, values, out=self._total)
            self._count += 1

    def volume(self) -> Array:
        return self._total / max(1, self._count) * self._run.slope + self._run.inter


def block_rows(kept: int) -> int:
    """Return how many frames are multiplied at once."""
    return max(FEWEST_ROWS, kept // BLOCKS)


def block_starts(kept: int) -> list[int]:
    """Return where the blocks of frames begin, and where the last one ends."""
    return [*range(0, kept, block_rows(kept)), kept]


def parts_of(voxels: int) -> list[slice]:
    """Cut voxels into parts whose results stay in the processor's cache."""
    return [slice(start, min(start + SAMPLES, voxels)) for start in range(0, voxels, SAMPLES)]


def _table(walk: Walk, first: RawFrame, grid: Grid, block: NDArray[np.float32]) -> Table:
    return Table(
        grid=grid,
        sigma=walk.sigma,
        scale=(walk.run.slope, walk.run.inter),
        row_of=np.cumsum(walk.keep) - 1,
        first=finite_only(flat(first.values))[0],
        series=block,
        seed_series=np.empty((0, 0)),
        unusable=np.zeros(grid.n_samples, dtype=bool),
        seed_gaps=np.zeros(0, dtype=np.int64),
    )


def _first_frame(table: Table, grid: Grid, sigma: Array) -> Array:
    """Return the first frame's voxels in the units of the data, smoothed where the table is."""
    slope, inter = table.scale
    values = table.first.reshape(grid.shape[::-1]) * np.float64(slope) + inter
    if not sigma.any():
        return values.T[grid.mask]
    box = bounding_box(grid.mask)
    smoother = BoxSmoother(grid.shape, box, sigma)
    smooth = smoother.smooth(values[smoother.reach[::-1]].astype(np.float32))
    return smooth.T[grid.mask[box]].astype(np.float64)


def _all_done(jobs: Sequence[Future[None]]) -> None:
    for job in jobs:
        job.result()
