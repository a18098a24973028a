"""Extract a run's samples and its seeds' signals, in one walk through its frames."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seedmap._arrays import Array, Keep
from seedmap.images import Run, Space
from seedmap.spatial.memory import allocate
from seedmap.spatial.walk import Reading, Start, walk
from seedmap.spatial.weights import SeedMeans, SeedWeights

__all__ = ["Extracted", "extract"]


@dataclass(frozen=True, eq=False)
class Extracted:
    """A run's samples, smoothed, and its seeds' signals, uncleaned.

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
    buffer : ndarray, shape (rows, samples), or None
        What ``series`` are the last rows of, where more rows than frames were asked for.
    """

    grid: Space
    series: Array
    reference: Array
    seed_series: Array
    unusable: NDArray[np.bool_]
    seed_gaps: NDArray[np.int64]
    buffer: Array | None = None


def extract(  # noqa: PLR0913  one argument a decision
    run: Run,
    keep: Keep,
    *,
    mask: NDArray[np.bool_] | None,
    smoothing_fwhm: float | Sequence[float | None] | None,
    seeds: Sequence[SeedWeights] = (),
    n_jobs: int = 1,
    on_frame: Callable[[], None] | None = None,
    dtype: DTypeLike = np.float32,
    centred: bool = True,
    max_memory: float | None = None,
    rows: int = 0,
) -> Extracted:
    """Read a run once, and return its samples and its seeds' signals.

    Parameters
    ----------
    run
        The opened run.
    keep
        Frames that stay, bool, shape (frames,). The others are never looked at.
    mask
        Which places are samples, shape of the run's space. None finds nilearn's background mask
        of the kept frames on the way; on a surface, all that is not in a medial wall.
    smoothing_fwhm
        Full width at half maximum of the smoothing [mm]; see `smoother_of`. None or 0 for none.
    seeds
        The voxels of each seed, and their weights.
    n_jobs
        Threads that may be busy at once.
    on_frame
        Called after each frame, from any thread.
    dtype
        Type of the samples and of the smoothing, float32 or float64.
    centred
        Subtract the first kept frame. False returns the values as they are stored, scaled by the
        slope but without the intercept, which is then the ``reference``.
    max_memory
        Most memory [bytes] that the process should take; the series go to a temporary file where
        they would pass it.
    rows
        Allocate at least so many rows, of which the series are the last, so that maps can
        take the place of the series when these are no longer needed.

    Raises
    ------
    ImageError
        If the mask is empty or the file is damaged.
    OptionError
        If the space cannot be smoothed so.
    """

    def begin(start: Start) -> "_OneBlock":
        means = SeedMeans(seeds, run.space.shape, start.frames, (run.slope, run.inter))
        shape = (max(start.frames, rows), start.space.n_samples)
        return _OneBlock(start, means, allocate(shape, np.dtype(dtype), max_memory))

    quiet = on_frame or (lambda: None)
    return walk(Reading(run, keep, smoothing_fwhm, n_jobs, quiet, centred), mask, begin)


class _OneBlock:
    """Keeps all rows: one block holds them."""

    def __init__(self, start: Start, means: SeedMeans, held: NDArray[Any]) -> None:
        self._start, self._means, self._held = start, means, held
        self.block: Array = held[len(held) - start.frames :]
        self.observers = (means,)

    def take(self, start: int, stop: int, pool: Executor) -> None:
        """All rows stay where they are."""

    def end(self, reference: Array, unusable: NDArray[np.bool_]) -> Extracted:
        return Extracted(
            grid=self._start.space,
            series=self.block,
            reference=reference,
            seed_series=self._means.series,
            unusable=unusable,
            seed_gaps=self._means.gaps,
            buffer=self._held if len(self._held) > self._start.frames else None,
        )
