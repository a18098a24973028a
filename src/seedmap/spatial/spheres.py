"""Which voxels a sphere holds, by nilearn's rule."""

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.images import Grid

__all__ = ["sphere_voxels"]


def sphere_voxels(grid: Grid, center: Array, radius: float | None) -> NDArray[np.int64]:
    """List the samples of a grid that a sphere holds.

    A sample is in the sphere if its centre lies within ``radius`` of ``center``, the surface
    included. The voxel nearest to the centre is always in, and so is the first voxel whose
    coordinates, cut to whole millimetres, are those of the centre.

    Parameters
    ----------
    grid
        Where to look; only samples of its mask are listed.
    center
        Centre of the sphere [mm], shape (3,).
    radius
        Radius [mm]; None or 0 gives the nearest voxel (and the one of equal whole millimetres).

    Returns
    -------
    ndarray of int, shape (voxels, 3)
        Voxel indices in C order; empty where the sphere lies outside the grid.
    """
    center = np.asarray(center, dtype=np.float64)
    near = _candidates(grid, center, radius or 0.0)
    coordinates = grid.to_mm(near)
    inside = ((coordinates - center) ** 2).sum(axis=1) <= (radius or 0.0) ** 2
    inside |= (near == np.round(grid.to_voxels(center))).all(axis=1)
    same_millimetre = (coordinates.astype(np.int64) == center.astype(np.int64)).all(axis=1)
    inside[np.flatnonzero(same_millimetre)[:1]] = True
    return near[inside]


def _candidates(grid: Grid, center: Array, radius: float) -> NDArray[np.int64]:
    """List the samples in a box around the sphere, in C order, so that few distances are taken."""
    # Two millimetres more than the radius reach every voxel that shares the centre's whole
    # millimetres (a cell is up to two millimetres wide about zero); one voxel more, the nearest.
    inverse = np.linalg.inv(grid.affine)
    middle = inverse[:3, :3] @ center + inverse[:3, 3]
    reach = np.abs(inverse[:3, :3]).sum(axis=1) * (radius + 2.0)
    low = np.clip(np.floor(middle - reach) - 1, 0, grid.shape).astype(int)
    high = np.clip(np.ceil(middle + reach) + 2, 0, grid.shape).astype(int)
    part = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    return np.argwhere(grid.mask[part]) + low
