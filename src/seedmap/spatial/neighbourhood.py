"""The samples around a seed, whose correlation with it is high by construction."""

import numpy as np
from numpy.typing import NDArray

from seedmap.images import Grid

__all__ = ["neighbourhood"]

# Nothing is nearer than this without being the voxel itself; keeps rounding from mattering.
TOUCH = 1e-6
# Voxels of a seed whose surroundings are marked at once: bounds the memory.
TOGETHER = 1024


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
    seed = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    steps = _steps_within(grid, reach + TOUCH)
    margin = np.abs(steps).max(axis=0)
    corner = seed.min(axis=0) - margin
    box = tuple(np.ptp(seed, axis=0) + 1 + 2 * margin)
    reached = np.zeros(box, dtype=bool)
    places = np.ravel_multi_index(tuple((seed - corner).T), box)
    steps_flat = steps @ np.array([box[1] * box[2], box[2], 1])
    for first in range(0, places.size, TOGETHER):
        reached.reshape(-1)[places[first : first + TOGETHER, None] + steps_flat] = True
    near = np.argwhere(reached) + corner
    near = near[((near >= 0) & (near < grid.shape)).all(axis=1)]
    near = near[grid.mask[tuple(near.T)]]
    return np.searchsorted(grid.positions, np.ravel_multi_index(tuple(near.T), grid.shape))


def _steps_within(grid: Grid, distance: float) -> NDArray[np.int64]:
    """List the steps from voxel to voxel that are no longer than a distance [mm], (steps, 3)."""
    turn = grid.affine[:3, :3]
    furthest = np.floor(distance * np.linalg.norm(np.linalg.inv(turn), axis=1)).astype(np.int64)
    furthest = np.minimum(furthest, np.array(grid.shape) - 1)
    steps = np.indices(2 * furthest + 1).reshape(3, -1).T - furthest
    return steps[np.linalg.norm(steps @ turn.T, axis=1) <= distance]
