"""Which voxels a sphere holds, by nilearn's rule."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Canonical, Grid

__all__ = ["sphere_voxels"]


def sphere_voxels(grid: Grid, center: Array, radius: float | None) -> NDArray[np.int64]:
    """List the samples of a grid that a sphere holds.

    A sample is in the sphere if its centre lies within ``radius`` of ``center``, the surface
    included. The voxel nearest to the centre is always in, and so is the first voxel whose
    coordinates, cut to whole millimetres, are those of the centre. What is midway between two
    voxels, and which is first, is decided on axes turned to right, anterior and superior, so that
    it does not depend on how the image is stored.

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
    inverse = np.linalg.inv(grid.affine)
    middle = center @ inverse[:3, :3].T + inverse[:3, 3]
    # Every voxel that shares the centre's whole millimetres is less than two away along each axis
    # (a cell is up to two millimetres wide about zero); one voxel more holds the nearest.
    reach = np.abs(inverse[:3, :3]).sum(axis=1) * max(radius or 0.0, 2.0)
    near = _candidates(grid, np.floor(middle - reach) - 1, np.ceil(middle + reach) + 2)
    coordinates = grid.to_mm(near)
    x, y, z = (coordinates - center).T
    inside = x * x + y * y + z * z <= (radius or 0.0) ** 2
    inside |= _same(near, grid.canonical.nearest([center])[0])
    inside[_first_of_millimetre(grid.canonical, near, center)] = True
    return near[inside]


def _first_of_millimetre(
    canonical: Canonical, near: NDArray[np.int64], center: Array
) -> NDArray[np.int64]:
    """Return which of the voxels (n, 3) is the first of the centre's whole millimetres; or none."""
    turned = canonical.voxels(near)
    whole = canonical.to_mm(turned).astype(np.int64)
    same = np.flatnonzero(_same(whole, center.astype(np.int64)))
    return same[np.lexsort(turned[same].T[::-1])[:1]]


def _same(rows: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which of the rows (n, 3) are the wanted one."""
    (x, y, z), (a, b, c) = rows.T, wanted
    return (x == a) & (y == b) & (z == c)


def _candidates(grid: Grid, low: Array, high: Array) -> NDArray[np.int64]:
    """List the samples in a box, in C order, so that few distances are taken."""
    first = np.clip(low, 0, grid.shape).astype(int)
    last = np.clip(high, 0, grid.shape).astype(int)
    part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    return np.argwhere(grid.mask[part]) + first
