"""What a map has at a place, and where it is largest."""

from collections.abc import Sequence

import numpy as np

from seedmap._arrays import Array
from seedmap.images import Grid
from seedmap.spatial import adjacency, local_maxima, spaced

__all__ = ["find_peaks", "sample_at"]


def sample_at(grid: Grid, place: Sequence[float]) -> int | None:
    """Return the sample whose voxel holds a place [mm]; None outside the mask."""
    voxel = np.floor(grid.to_voxels([place])[0] + 0.5).astype(int)  # as the page rounds
    if (voxel < 0).any() or (voxel >= grid.shape).any() or not grid.mask[tuple(voxel)]:
        return None
    flat = int(np.ravel_multi_index(tuple(voxel), grid.shape))
    return int(np.count_nonzero(grid.mask.ravel()[:flat]))


def find_peaks(
    grid: Grid, values: Array, threshold: float, most: int
) -> list[tuple[tuple[float, float, float], float]]:
    """List the places [mm] and values of a map's peaks beyond a threshold, strongest first.

    They are as far apart as those of a table of clusters.

    Parameters
    ----------
    grid
        Where the samples lie.
    values
        Map, shape (samples,).
    threshold
        Smallest size that counts.
    most
        How many at most.
    """
    values = np.nan_to_num(values)
    strength = np.abs(values)
    sign = np.where(strength >= max(threshold, 1e-6), values > 0, -1).astype(np.int64)
    tops = np.flatnonzero(local_maxima(adjacency(grid), strength, sign))
    tops = tops[np.argsort(-strength[tops], kind="stable")]
    places = np.round(grid.places(grid.positions[tops]), 2)
    chosen = spaced(range(tops.size), places, most)
    x, y, z = places[chosen].T.tolist()
    return list(zip(zip(x, y, z, strict=True), values[tops[chosen]].tolist(), strict=True))
