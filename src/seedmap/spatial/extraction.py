"""Extract a run's samples and its seeds' signals, in one walk through its frames."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seedmap._arrays import Array
from seedmap.images import Space
from seedmap.spatial.memory import allocate
from seedmap.spatial.walk import Reading, Start, walk
from seedmap.spatial.weights import SeedMeans, SeedWeights

__all__ = ["Extracted", "Storage", "extract"]


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


@dataclass(frozen=True)
class Storage:
    """How a run's samples are held.

    Attributes
    ----------
    dtype : dtype
        Type of the samples and of the smoothing, float32 or float64.
    max_memory : float or None
        Most memory [bytes] that the process should take; the series go to a temporary file where
        they would pass it.
    rows : int
        Allocate at least so many rows, of which the series are the last, so that maps can take
        the place of the series when these are no longer needed.
    """

    dtype: DTypeLike = np.float32
    max_memory: float | None = None
    rows: int = 0


def extract(
    reading: Reading,
    mask: NDArray[np.bool_] | None = None,
    seeds: Sequence[SeedWeights] = (),
    storage: Storage = Storage(),
) -> Extracted:
    """Read a run once, and return its samples and its seeds' signals.

    Parameters
    ----------
    reading
        The run, its kept frames and its smoothing.
    mask
        Which places are samples, shape of the run's space. None finds nilearn's background mask
        of the kept frames on the way; on a surface, all that is not in a medial wall.
    seeds
        The voxels of each seed, and their weights.
    storage
        How the samples are held.

    Raises
    ------
    ImageError
        If the mask is empty or the file is damaged.
    OptionError
        If the space cannot be smoothed so.
    """

    def begin(start: Start) -> "_OneBlock":
        means = SeedMeans(seeds, reading.run.space.shape, start.frames, reading.scale)
        shape = (max(start.frames, storage.rows), start.space.n_samples)
        held = allocate(shape, np.dtype(storage.dtype), storage.max_memory)
        return _OneBlock(start, means, held)

    return walk(reading, mask, begin)


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
