"""What a map has at a place, and where it is largest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Grid, Space
from seedmap.spatial import adjacency, local_maxima, spaced

__all__ = ["find_peaks", "peak_samples", "sample_at", "sample_of"]


def sample_at(grid: Grid, place: Sequence[float]) -> int | None:
    """Return the sample whose voxel holds a place [mm]; None outside the mask."""
    voxel = np.floor(grid.to_voxels([place])[0] + 0.5).astype(int)  # as the page rounds
    if (voxel < 0).any() or (voxel >= grid.shape).any():
        return None
    return sample_of(grid, int(np.ravel_multi_index(tuple(voxel), grid.shape)))


def sample_of(space: Space, position: int) -> int | None:
    """Return the sample at a position of a space, flat, C order; None outside the mask."""
    sample = int(np.searchsorted(space.positions, position))
    found = sample < space.n_samples and space.positions[sample] == position
    return sample if found else None


def find_peaks(
    grid: Grid, values: Array, threshold: float, most: int
) -> list[tuple[tuple[float, float, float], float]]:
    """List the places [mm] and values of a map's peaks; see `peak_samples`."""
    tops = peak_samples(grid, values, threshold, most)
    x, y, z = np.round(grid.places(grid.positions[tops]), 2).T.tolist()
    return list(zip(zip(x, y, z, strict=True), values[tops].tolist(), strict=True))


def peak_samples(space: Space, values: Array, threshold: float, most: int) -> NDArray[np.int64]:
    """List the samples that are a map's peaks beyond a threshold, strongest first.

    They are as far apart as those of a table of clusters.

    Parameters
    ----------
    space
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
    tops = np.flatnonzero(local_maxima(adjacency(space), strength, sign))
    tops = tops[np.argsort(-strength[tops], kind="stable")]
    return tops[spaced(range(tops.size), space.places(space.positions[tops]), most)]
