"""The samples around a seed, whose correlation with it is high by construction."""

import numpy as np
from numpy.typing import NDArray

from seedmap.images import Grid

__all__ = ["neighbourhood"]

# Nothing is nearer than this without being the voxel itself; keeps rounding from mattering.
TOUCH = 1e-6


def neighbourhood(grid: Grid, voxels: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    """List the samples within a distance of any voxel of a seed.

    Parameters
    ----------
    grid
        Where the samples lie.
    voxels
        The seed's voxels, as flat positions in the grid's box, C order.
    reach
        Distance between voxel centres [mm]; the seed's own voxels always count.

    Returns
    -------
    ndarray of int
        Indices of samples, ascending.
    """
    from scipy.spatial import cKDTree

    seed = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    margin = np.ceil((reach + TOUCH) / grid.voxel_sizes).astype(int)
    low = np.maximum(seed.min(axis=0) - margin, 0)
    high = np.minimum(seed.max(axis=0) + margin + 1, grid.shape)
    part = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    near = np.argwhere(grid.mask[part]) + low
    if not len(near):
        return np.empty(0, dtype=np.int64)
    distance, _ = cKDTree(grid.to_mm(seed)).query(grid.to_mm(near))
    chosen = near[distance <= reach + TOUCH]
    sample_of = np.cumsum(grid.mask.ravel()) - 1
    return sample_of[np.ravel_multi_index(chosen.T, grid.shape)]
