"""Which voxels a seed is the mean of, and that mean in frames that pass."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import FlatFrame, file_order, finite_only

__all__ = ["SeedMeans", "SeedWeights"]


@dataclass(frozen=True, eq=False)
class SeedWeights:
    """The voxels whose weighted mean is a seed's signal.

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


class SeedMeans:
    """Weighted means over the voxels of all seeds, frame by frame; observes a walk.

    Parameters
    ----------
    seeds
        Their weights.
    shape
        Shape of a frame.
    frames
        How many frames will pass.
    scale
        Slope and intercept of stored values.

    Attributes
    ----------
    series : ndarray, shape (frames, seeds)
        The means of the finite voxels. NaN where none is finite.
    gaps : ndarray of int, shape (seeds,)
        How many values of each seed, over voxels and frames, are not finite.
    """

    def __init__(
        self,
        seeds: Sequence[SeedWeights],
        shape: tuple[int, ...],
        frames: int,
        scale: tuple[float, float],
    ) -> None:
        self.series = np.empty((frames, len(seeds)))
        self.gaps = np.zeros(len(seeds), dtype=np.int64)
        sizes = [seed.voxels.size for seed in seeds]
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.empty(0, dtype=np.int64)
        empty = np.empty(0)
        voxels = np.concatenate([empty.astype(np.int64), *[seed.voxels for seed in seeds]])
        self._positions = file_order(voxels, shape)
        self._weights = np.concatenate([empty, *[seed.weights for seed in seeds]])
        self._scale = scale
        self._lock = threading.Lock()

    def look(self, frame: FlatFrame) -> None:
        """Take the means of one frame; any thread may."""
        if not self._starts.size:
            return
        slope, inter = self._scale
        values = frame.stored[self._positions].astype(np.float64)
        finite, missing = finite_only(values)
        means = np.add.reduceat(finite * self._weights, self._starts)
        if missing is not None:
            present = np.add.reduceat(np.where(missing, 0.0, self._weights), self._starts)
            with np.errstate(invalid="ignore", divide="ignore"):
                means = means / present
            with self._lock:
                self.gaps += np.add.reduceat(missing.astype(np.int64), self._starts)
        self.series[frame.row] = means * slope + inter
