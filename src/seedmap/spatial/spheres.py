"""Which voxels a sphere holds, by nilearn's rule."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Canonical, Grid

__all__ = ["sphere_voxels", "spheres_of_one_radius"]

# A voxel whose coordinates, cut to whole millimetres, are those of a centre is no farther from it [mm].
SAME_MILLIMETRE = 2 * 3**0.5


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


def spheres_of_one_radius(
    grid: Grid, centers: Array, radius: float | None
) -> list[NDArray[np.int64]]:
    """List the voxels of several spheres that lie close together, by the rule of `sphere_voxels`.

    Parameters
    ----------
    grid
        Where to look; only samples of its mask are listed.
    centers
        Shape (spheres, 3) [mm].
    radius
        Radius of all [mm].

    Returns
    -------
    list of ndarray of int
        Flat positions in the grid, ascending, of each sphere; empty for one outside the grid.
    """
    corners = np.indices((2, 2, 2)).reshape(3, -1).T @ grid.affine[:3, :3].T
    if (radius or 0.0) < max(
        SAME_MILLIMETRE, np.linalg.norm(corners - corners[-1] / 2, axis=1).max()
    ):
        found = [sphere_voxels(grid, center, radius) for center in centers]
    else:  # both voxels that are always in lie within the radius
        assert radius is not None
        middle = grid.to_voxels(centers)
        reach = np.abs(np.linalg.inv(grid.affine[:3, :3])).sum(axis=1) * radius
        low, high = (
            np.floor((middle - reach).min(axis=0)),
            np.ceil((middle + reach).max(axis=0)) + 1,
        )
        near = _candidates(grid, low, high)
        away = grid.to_mm(near)[None] - centers[:, None]
        found = [near[one] for one in np.einsum("snx,snx->sn", away, away) <= radius**2]
    return [np.asarray(np.ravel_multi_index(tuple(one.T), grid.shape)) for one in found]


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
