"""One walk through a run: smooth each volume, gather the mask's voxels, listen at the seeds.

The run is read once. While one thread inflates the next volumes, others take a volume, subtract
the first one, smooth what lies around the mask and put the mask's voxels into one row of a
(frames, samples) array; seeds listen to the same volume before it is smoothed. Nothing else of
the run is kept.

Subtracting the first volume before anything is rounded to float32 keeps the small fluctuations
of a large signal exact. What that takes away is returned as ``reference``, so nothing is lost.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array, Keep
from seedmap.errors import ImageError, OptionError
from seedmap.images import FrameStream, Grid, PartedSpace, RawFrame, Run, Space
from seedmap.spatial.hands import (
    BackgroundWatch,
    Hand,
    SeedWeights,
    Table,
    file_order,
    finite_only,
    flat,
)
from seedmap.spatial.masks import background_mask
from seedmap.spatial.memory import room
from seedmap.spatial.smoothing import BoxSmoother, bounding_box, fwhm_to_sigma
from seedmap.spatial.sparse_smoothing import PartsSmoother, check_can_smooth

__all__ = ["Extracted", "SeedWeights", "extract", "mean_volume", "smoothing_of"]

OnFrame = Callable[[], None]

# Bytes of a volume that one thread handles about as fast as another inflates it.
SMALL_FRAME = 1 << 20


@dataclass(frozen=True, eq=False)
class Extracted:
    """What one walk through a run brings home.

    Attributes
    ----------
    grid : Grid, Mesh or Grayordinates
        Where the samples lie.
    series : ndarray of float32 or float64, shape (kept, samples)
        Smoothed data of the kept frames, the first of them subtracted. Values that are not
        finite count as 0.
    reference : ndarray of float64, shape (samples,)
        What was subtracted, smoothed: ``series + reference`` is the data.
    seed_series : ndarray of float64, shape (kept, seeds)
        Weighted mean of each seed's finite voxels, unsmoothed. NaN where none is finite.
    unusable : ndarray of bool, shape (samples,)
        Samples that are NaN or infinite in some kept frame, before smoothing.
    seed_gaps : ndarray of int, shape (seeds,)
        How many values of each seed, over voxels and frames, are not finite.
    room : ndarray, shape (rows, samples), or None
        What ``series`` are the last rows of, where more rows than frames were asked for.
    """

    grid: Space
    series: Array
    reference: Array
    seed_series: Array
    unusable: NDArray[np.bool_]
    seed_gaps: NDArray[np.int64]
    room: Array | None = None


def extract(  # noqa: PLR0913  one argument a decision
    run: Run,
    keep: Keep,
    *,
    mask: NDArray[np.bool_] | None,
    sigma: Array | float,
    seeds: Sequence[SeedWeights] = (),
    n_jobs: int = 1,
    on_frame: OnFrame | None = None,
    dtype: DTypeLike = np.float32,
    centred: bool = True,
    max_memory: float | None = None,
    rows: int = 0,
) -> Extracted:
    """Walk through a run once and bring home its samples and its seeds' series.

    Parameters
    ----------
    run
        The opened run.
    keep
        Frames that stay, bool, shape (frames,). The others are never looked at.
    mask
        Voxels that are samples, shape (x, y, z). None finds nilearn's background mask of the kept
        frames on the way.
    sigma
        The smoothing, from `smoothing_of`: on a grid its standard deviations [voxels], shape
        (3,), zeros for none; on surfaces and grayordinates its full width [mm], 0 for none.
    seeds
        How each seed listens.
    n_jobs
        Threads that may be busy at once.
    on_frame
        Called after each frame, from any thread.
    dtype
        Type of the samples and of the smoothing, float32 or float64.
    centred
        Subtract the first kept frame. False brings the values home as they are stored, scaled
        by the slope but without the intercept, which is then the ``reference``.
    max_memory
        Most memory [bytes] that the process should take; the series go to a temporary file where
        they would pass it.
    rows
        Make room for at least so many rows, of which the series are the last, so that maps can
        take the place of the series when these are no longer needed.

    Returns
    -------
    Extracted

    Raises
    ------
    ImageError
        If the mask is empty or the file is damaged.
    """
    quiet = on_frame or (lambda: None)
    walk = _Walk(
        run, keep, sigma, tuple(seeds), n_jobs, quiet, np.dtype(dtype), centred, max_memory, rows
    )
    if mask is not None:
        return walk.with_mask(mask)
    if not isinstance(run.space, Grid):
        return walk.with_all() or walk.with_mask(_finite_and_alive(run, keep))
    found, certain = walk.with_background()
    return found if certain else walk.with_mask(background_mask(mean_volume(run, keep)))


def mean_volume(run: Run, keep: Keep) -> Array:
    """Average the kept frames of a run; float64, shape (x, y, z). NaN where a frame has NaN."""
    total: Array = np.zeros(run.space.shape, order="F")
    with run.stream(keep) as stream:
        while (frame := stream.take()) is not None:
            np.add(total, frame.values, out=total)
            stream.give_back(frame)
    return total / int(keep.sum()) * run.slope + run.inter


def smoothing_of(
    space: Space, smoothing_fwhm: float | Sequence[float | None] | None
) -> Array | float:
    """Say how `extract` is to smooth a space by a full width at half maximum [mm].

    Raises
    ------
    OptionError
        If the width is negative, not finite, or differs by axis on a surface; or if it is not
        known where the vertices of a surface lie.
    """
    if isinstance(space, Grid):
        return fwhm_to_sigma(smoothing_fwhm, space.voxel_sizes)
    widths = fwhm_to_sigma(smoothing_fwhm, np.full(3, 1 / np.sqrt(8 * np.log(2))))
    if np.ptp(widths):
        msg = f"smoothing_fwhm={smoothing_fwhm}; a surface has no axes, so give one width in mm"
        raise OptionError(msg)
    if widths.any():
        check_can_smooth(space)
    return float(widths[0])


def _finite_and_alive(run: Run, keep: Keep) -> NDArray[np.bool_]:
    """Leave out the medial wall: what is zero in every kept frame, or not finite in one."""
    alive: NDArray[np.bool_] = np.zeros(run.space.shape, dtype=bool)
    finite: NDArray[np.bool_] = np.ones(run.space.shape, dtype=bool)
    with run.stream(keep) as stream:
        while (frame := stream.take()) is not None:
            alive |= frame.values != 0
            finite &= np.isfinite(frame.values)
            stream.give_back(frame)
    return alive & finite


@dataclass(frozen=True, eq=False)
class _Walk:
    """What stays the same however the mask is found."""

    run: Run
    keep: Keep
    sigma: Array | float
    seeds: tuple[SeedWeights, ...]
    n_jobs: int
    on_frame: OnFrame
    dtype: np.dtype[Any]
    centred: bool
    max_memory: float | None = None
    rows: int = 0

    def with_mask(self, mask: NDArray[np.bool_]) -> Extracted:
        """Gather the voxels of a known mask."""
        with self.run.stream(self.keep) as stream, ThreadPoolExecutor(1) as beside:
            first = self._first_of(stream)
            table = self._table(first, mask)
            smoother = beside.submit(_parts_smoother, table.grid, table.sigma)
            self._gather(stream, first, [Hand(table, self.seeds, None) for _ in self._hands()])
        return _brought_home(table, smoother.result(), self.n_jobs)

    def with_all(self) -> Extracted | None:
        """Gather all samples; None if one may lie in a medial wall, or is not finite."""
        with self.run.stream(self.keep) as stream:
            first = self._first_of(stream).values
            if not (first.all() and np.isfinite(first).all()):
                return None
        found = self.with_mask(np.ones(self.run.space.shape, dtype=bool))
        return None if found.unusable.any() else found

    def with_background(self) -> tuple[Extracted, bool]:
        """Guess the background mask from the first volume; say whether the others confirm it."""
        with self.run.stream(self.keep) as stream:
            first = self._first_of(stream)
            mask = background_mask(first.values)
            table = self._table(first, mask)
            watches = [BackgroundWatch(np.array(first.values), mask) for _ in self._hands()]
            self._gather(stream, first, [Hand(table, self.seeds, watch) for watch in watches])
        return _brought_home(table, None, self.n_jobs), all(watch.holds() for watch in watches)

    def _hands(self) -> range:
        """Count hands. Where volumes are small, passing them on costs more than it saves."""
        frame_bytes = self.run.space.mask.size * self.run.dtype.itemsize
        return range(self.n_jobs if frame_bytes > SMALL_FRAME else max(1, self.n_jobs - 1))

    def _first_of(self, stream: FrameStream) -> RawFrame:
        frame = stream.take()
        if frame is None:
            msg = f"{self.run.source}: the run has no frames"
            raise ImageError(msg)
        return frame

    def _table(self, first: RawFrame, mask: NDArray[np.bool_]) -> Table:
        if not mask.any():
            msg = (
                f"{self.run.source}: the mask is empty: every voxel equals the background. Is the "
                "image all zero? Check it, or give a mask"
            )
            raise ImageError(msg)
        kept, samples, seeds = int(self.keep.sum()), int(mask.sum()), len(self.seeds)
        space = self.run.space.within(mask)
        stored = flat(first.values)
        held = room((max(kept, self.rows), samples), self.dtype, self.max_memory)
        return Table(
            grid=space,
            sigma=self.sigma,
            scale=(self.run.slope, self.run.inter),
            row_of=np.cumsum(self.keep) - 1,
            first=finite_only(stored.copy())[0] if self.centred else np.zeros_like(stored),
            series=held[len(held) - kept :],
            room=held if len(held) > kept else None,
            seed_series=np.empty((kept, seeds)),
            unusable=np.zeros(samples, dtype=bool),
            seed_gaps=np.zeros(seeds, dtype=np.int64),
        )

    def _gather(self, stream: FrameStream, first: RawFrame, hands: Sequence[Hand]) -> None:
        """Let all hands take frames until none is left; raise what any of them raises."""
        with threadpool_limits(1, user_api="blas"):
            hands[0].take(first)
            stream.give_back(first)
            self.on_frame()
            if len(hands) == 1:
                hands[0].take_all(stream, self.on_frame)
                return
            with ThreadPoolExecutor(len(hands)) as pool:
                work = [pool.submit(hand.take_all, stream, self.on_frame) for hand in hands]
                try:
                    for done in work:
                        done.result()
                except BaseException:
                    stream.close()  # lets the other hands stop, too
                    raise


def _parts_smoother(space: Space, width: Array | float) -> PartsSmoother | None:
    """Build what smooths the samples of surfaces and structures; None for a grid or no width."""
    if not isinstance(space, PartedSpace) or np.ndim(width) or not width:
        return None
    return PartsSmoother(space, float(width))


def _brought_home(table: Table, smoother: PartsSmoother | None, n_jobs: int) -> Extracted:
    if smoother is not None:
        smoother.smooth_rows(table.series, n_jobs)
    return Extracted(
        grid=table.grid,
        series=table.series,
        reference=_smooth_first(table, smoother),
        seed_series=table.seed_series,
        unusable=table.unusable,
        seed_gaps=table.seed_gaps,
        room=table.room,
    )


def _smooth_first(table: Table, smoother: PartsSmoother | None) -> Array:
    """Smooth what was subtracted and gather its samples, in the units of the data."""
    slope, inter = table.scale
    shape = table.grid.shape
    values = table.first.reshape(shape[::-1]) * np.float64(slope) + inter
    plain = values.reshape(-1)[file_order(np.flatnonzero(table.grid.mask), shape)]
    if smoother is not None:
        return smoother.smooth(plain[:, None])[:, 0]
    if not isinstance(table.grid, Grid) or not np.any(table.sigma):
        return plain
    box = bounding_box(table.grid.mask)
    sigma = np.asarray(table.sigma)
    gaussian = BoxSmoother(table.grid.shape, box, sigma, table.series.dtype)
    part = values[gaussian.reach[::-1]].astype(table.series.dtype)
    return gaussian.smooth(part).T[table.grid.mask[box]].astype(np.float64)
