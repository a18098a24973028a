"""One walk through the frames of a run, a block of rows at a time.

Threads take the frames. Observers look at each as it is stored; its samples, less those of the
first frame and smoothed, fill a row of a block. A sink gets each block that is full, and may keep
it or work it up and forget it. So all who read a run share one walk.

Subtracting the first frame before anything is rounded to float32 keeps the small fluctuations of a
large signal exact. What that takes away is returned as the reference, so nothing is lost.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array, Keep
from seedmap.errors import ImageError, SeedmapWarning
from seedmap.images import (
    FlatFrame,
    FrameStream,
    PageKeeper,
    RawFrame,
    Run,
    Space,
    file_order,
    finite_only,
    flat,
)
from seedmap.spatial.automask import certain_mask, guess_mask
from seedmap.spatial.smoothers import Sampler, smoother_of

__all__ = ["Observer", "Reading", "Sink", "Start", "walk"]

# Bytes of a frame that one thread handles about as fast as another inflates it.
SMALL_FRAME = 1 << 20
# Samples that are looked at first, and frames that a warning names.
LOOKED_AT, MOST_NAMED = 64, 10

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True, eq=False)
class Reading:
    """What is read, and how.

    Attributes
    ----------
    run : Run
        The opened run.
    keep : ndarray of bool, shape (frames,)
        Frames that stay. The others are never looked at.
    smoothing_fwhm : float, sequence of float, or None
        Full width at half maximum [mm]; see `smoother_of`.
    n_jobs : int
        Threads that may be busy at once.
    on_frame : callable
        Called after each frame, from any thread; what it raises ends the walk.
    centred : bool
        Whether the first kept frame is subtracted.
    """

    run: Run
    keep: Keep
    smoothing_fwhm: float | Sequence[float | None] | None = None
    n_jobs: int = 1
    on_frame: Callable[[], None] = lambda: None
    centred: bool = True

    @property
    def scale(self) -> tuple[float, float]:
        """Slope and intercept of stored values."""
        return self.run.slope, self.run.inter


@dataclass(frozen=True, eq=False)
class Start:
    """What is known when the first frame has been read.

    Attributes
    ----------
    space : Grid, Mesh or Grayordinates
        Where the samples lie.
    guessed : bool
        Whether the mask is that of the first frame, which the others may not confirm.
    frames : int
        How many frames will pass.
    first : ndarray, shape (positions,)
        The first of them as stored, in file order; 0 where it is not finite.
    """

    space: Space
    guessed: bool
    frames: int
    first: NDArray[Any]


class Observer(Protocol):
    """Looks at frames as they are stored."""

    def look(self, frame: FlatFrame) -> None:
        """Look at one frame; any thread may, and frames come in any order within a block."""


class Sink(Protocol[Result]):
    """What becomes of the rows."""

    @property
    def block(self) -> Array:
        """Where rows are put, (rows, samples): so many frames make a block."""

    @property
    def observers(self) -> Sequence[Observer]:
        """What looks at each frame."""

    def take(self, start: int, stop: int, pool: Executor) -> None:
        """Take the rows of the frames ``start`` to ``stop``, which stand in the block."""

    def end(self, reference: Array, unusable: NDArray[np.bool_]) -> Result:
        """Return what was found.

        Parameters
        ----------
        reference
            What was subtracted, smoothed, in the units of the data; float64, shape (samples,).
        unusable
            Samples that are NaN or infinite in some frame, before smoothing.
        """


def walk(reading: Reading, mask: NDArray[np.bool_] | None, begin: Callable[[Start], Sink[T]]) -> T:
    """Read a run once, from the first kept frame to the last.

    Parameters
    ----------
    reading
        What is read, and how.
    mask
        Which places are samples, shape of the space. None finds the mask on the way, or by reading
        the run again where the first frame does not show it for certain.
    begin
        Makes the sink; called a second time where the mask has to be looked for again.

    Returns
    -------
    What the sink returns at the end.

    Raises
    ------
    ImageError
        If the mask is empty, no frame is kept, or the file is damaged.
    """
    found = _walk_once(reading, mask, begin)
    if found is None:
        found = _walk_once(reading, certain_mask(reading.run, reading.keep), begin)
    assert found is not None  # a mask that is given needs no second walk
    return found


def _walk_once(
    reading: Reading, mask: NDArray[np.bool_] | None, begin: Callable[[Start], Sink[T]]
) -> T | None:
    """Walk with a mask, or with the one that the first frame shows; None if that is not certain."""
    run, guess = reading.run, None
    with (
        ThreadPoolExecutor(max(1, reading.n_jobs)) as pool,
        threadpool_limits(1, user_api="blas"),
        run.stream(reading.keep) as stream,  # is closed first, which lets the threads stop
    ):
        first = _first_of(run, stream)
        if mask is None:
            guess = guess_mask(run.space, first.values)
            if guess is None:
                return None
            mask = guess.mask
        values = finite_only(flat(first.values).copy())[0]
        frames = int(np.count_nonzero(reading.keep))
        begun = Start(_within(run, mask), guess is not None, frames, values)
        sink = begin(begun)
        blocks = _Blocks(reading, begun, sink, [guess] if guess else [])
        blocks.take_all(stream, first, pool)
        if guess is not None and not guess.holds():
            return None
        blocks.constant.warn(run.source, np.flatnonzero(reading.keep))
        return sink.end(blocks.reference(), blocks.gaps.unusable)


def _first_of(run: Run, stream: FrameStream) -> RawFrame:
    first = stream.take()
    if first is None:
        msg = f"{run.source}: the run has no frames"
        raise ImageError(msg)
    return first


def _within(run: Run, mask: NDArray[np.bool_]) -> Space:
    if not mask.any():
        msg = (
            f"{run.source}: the mask is empty: every voxel equals the background. Is the "
            "image all zero? Check it, or give a mask"
        )
        raise ImageError(msg)
    return run.space.within(mask)


class _Blocks:
    """The blocks of one walk, and what its threads share."""

    def __init__(
        self, reading: Reading, begun: Start, sink: Sink[Any], watching: Sequence[Observer]
    ) -> None:
        self.reading, self.sink = reading, sink
        self.gaps, self.constant = _Gaps(begun.space), _ConstantFrames(begun.space)
        self.observers: tuple[Observer, ...] = (
            *watching,
            self.gaps,
            self.constant,
            *sink.observers,
        )
        self.subtracted = begun.first if reading.centred else np.zeros_like(begun.first)
        self.smoother = smoother_of(begun.space, reading.smoothing_fwhm)
        self.row_of = np.cumsum(reading.keep) - 1

    def take_all(self, stream: FrameStream, first: RawFrame, pool: Executor) -> None:
        """Take all frames, the first of which has been taken from the stream, block by block."""
        ready = pool.submit(self.smoother.prepare)
        dtype, threads = self.sink.block.dtype, self._threads()
        samplers = self.smoother.samplers(self.subtracted, dtype, threads)
        takers = [_Taker(self, sampler) for sampler in samplers]
        frames, size = int(self.row_of[-1]) + 1, len(self.sink.block)
        takers[0].take(first, 0)
        stream.give_back(first)
        for start in range(0, frames, size):
            stop = min(start + size, frames)
            _share(takers, stream, pool, range(max(start, 1), stop), start)
            ready.result()
            self.smoother.smooth_rows(self.sink.block[: stop - start], self.reading.n_jobs)
            self.sink.take(start, stop, pool)
        stream.take()  # reads the file to its end, which shows damage there
        self.reading.run.check_unchanged()

    def _threads(self) -> int:
        """Return how many threads take frames. Where frames are small, passing them on costs more than it saves."""
        run, n_jobs = self.reading.run, self.reading.n_jobs
        large = run.space.mask.size * run.dtype.itemsize > SMALL_FRAME
        return n_jobs if large else max(1, n_jobs - 1)

    def reference(self) -> Array:
        """Smooth what was subtracted, in the units of the data."""
        slope, inter = self.reading.scale
        values = self.subtracted * np.float64(slope) + inter
        return self.smoother.smooth_frame(values, self.sink.block.dtype)


def _share(
    takers: "Sequence[_Taker]", stream: FrameStream, pool: Executor, rows: range, start: int
) -> None:
    """Let all threads, this one too, take as many frames as there are ``rows``."""
    left = iter(rows)
    others = [pool.submit(taker.take_some, stream, left, start) for taker in takers[1:]]
    takers[0].take_some(stream, left, start)
    for done in others:
        done.result()


class _Taker:
    """One thread's buffers: takes frames and fills rows of the block."""

    def __init__(self, blocks: _Blocks, sampler: Sampler) -> None:
        self._blocks, self._block = blocks, blocks.sink.block
        self._sampler = sampler
        self._keeper = PageKeeper(self._block)

    def take_some(self, stream: FrameStream, left: Iterator[int], start: int) -> None:
        """Take a frame for each number that is ``left``; all threads share these."""
        try:
            for _ in left:
                frame = stream.take()
                if frame is None:  # another thread failed and closed the stream
                    return
                self.take(frame, start)
                stream.give_back(frame)
        except BaseException:
            stream.close()
            raise

    def take(self, frame: RawFrame, start: int) -> None:
        """Show one frame to the observers, and fill its row of the block that begins at ``start``."""
        blocks = self._blocks
        seen = FlatFrame.of(int(blocks.row_of[frame.index]), frame.values)
        for observer in blocks.observers:
            observer.look(seen)
        row = self._block[seen.row - start]
        self._sampler.sample(seen.values, row)
        slope = blocks.reading.run.slope
        if slope != 1.0:
            row *= slope
        self._keeper.used(row.nbytes)
        blocks.reading.on_frame()


class _Gaps:
    """Which samples are not finite in some frame."""

    def __init__(self, space: Space) -> None:
        self.unusable: NDArray[np.bool_] = np.zeros(space.n_samples, dtype=bool)
        self._space, self._lock = space, threading.Lock()

    @cached_property
    def _positions(self) -> NDArray[np.int64]:
        return file_order(np.flatnonzero(self._space.mask), self._space.shape)

    def look(self, frame: FlatFrame) -> None:
        if frame.missing is not None:
            with self._lock:
                self.unusable |= frame.missing[self._positions]


class _ConstantFrames:
    """Which frames hold one value in every sample: a scan that was stopped, or that was padded."""

    def __init__(self, space: Space) -> None:
        self.rows: list[int] = []  # appending is safe in threads
        self._space = space

    @cached_property
    def _positions(self) -> NDArray[np.int64]:
        return file_order(np.flatnonzero(self._space.mask), self._space.shape)

    @cached_property
    def _few(self) -> NDArray[np.int64]:
        return self._positions[:: max(1, self._positions.size // LOOKED_AT)]

    def look(self, frame: FlatFrame) -> None:
        values = frame.values
        # A few samples show at once that nearly every frame is none of these.
        if np.ptp(values[self._few]) == 0 and np.ptp(values[self._positions]) == 0:
            self.rows.append(frame.row)

    def warn(self, source: str, kept: NDArray[np.int64]) -> None:
        """Name the frames, unless they are all."""
        if not self.rows or len(self.rows) == kept.size or self._positions.size == 1:
            return
        numbers = [str(kept[row]) for row in sorted(self.rows)]
        more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
        msg = (
            f"{source}: frame {', '.join(numbers[:MOST_NAMED])}{more} (counted from 0) holds 0, or one "
            "value, throughout the mask, which makes all correlations high; censor it (sample_mask, "
            "--sample-mask)"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=6)
