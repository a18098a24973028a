"""A grid's axes turned to right, anterior and superior, so that ties do not depend on storage.

One box of voxels can be stored in 48 orders of its axes. Where a place lies midway between two
voxels, a rule on stored indices would choose another voxel in each; on turned indices it is one.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._arrays import Array

__all__ = ["Canonical"]

# Decimals [mm] to which the corner of a box is known: headers hold float32.
CORNER_DECIMALS = 4


@dataclass(frozen=True, eq=False)
class Canonical:
    """How the axes of a grid are turned.

    Attributes
    ----------
    affine : ndarray, shape (4, 4)
        From turned voxel indices to millimetres.
    shape : tuple of int
        Voxels along each stored axis.
    axes : ndarray of int, shape (3,)
        The turned axis of each stored one.
    flipped : ndarray of bool, shape (3,)
        Whether a stored axis runs the other way.
    """

    affine: Array
    shape: tuple[int, int, int]
    axes: NDArray[np.int64]
    flipped: NDArray[np.bool_]

    @classmethod
    def of(cls, affine: Array, shape: tuple[int, int, int]) -> "Canonical":
        """Turn a grid to the nearest of right, anterior and superior."""
        from nibabel.orientations import inv_ornt_aff, io_orientation

        orientation = io_orientation(affine)
        turned = affine @ inv_ornt_aff(orientation, shape)
        turned[:3, 3] = np.round(turned[:3, 3], CORNER_DECIMALS)
        axes, signs = orientation.astype(np.int64).T
        return cls(turned, shape, axes, signs < 0)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.array(self.shape) - 1

    def voxels(self, stored: ArrayLike) -> NDArray[np.int64]:
        """Turn stored voxel indices, shape (n, 3)."""
        given = np.asarray(stored)
        turned = np.empty_like(given)
        turned[:, self.axes] = np.where(self.flipped, self._ends - given, given)
        return turned

    def stored(self, voxels: ArrayLike) -> NDArray[np.int64]:
        """Turn voxel indices (n, 3) back to the stored ones."""
        given = np.asarray(voxels)[:, self.axes]
        return np.where(self.flipped, self._ends - given, given)

    def nearest(self, places: ArrayLike) -> NDArray[np.int64]:
        """Return the stored indices (n, 3) of the voxels nearest to places (n, 3) [mm].

        Midway between two, the turned index is rounded half to even, as nilearn does it on a file
        stored in this order. They may lie outside the box.
        """
        given = np.asarray(places, dtype=np.float64)
        rows = np.column_stack([given, np.ones(len(given))])
        turned = np.round(np.dot(np.linalg.inv(self.affine), rows.T)[:3].T)
        return self.stored(turned.astype(np.int64))

    def to_mm(self, voxels: NDArray[np.int64]) -> Array:
        """Turn turned voxel indices (n, 3) into millimetres (n, 3)."""
        return voxels @ self.affine[:3, :3].T + self.affine[:3, 3]

    def turn(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Turn a stored volume (x, y, z); a view."""
        return self._flip(volume).transpose(np.argsort(self.axes))

    def turn_back(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Turn a turned volume back into the order of storage."""
        return np.ascontiguousarray(self._flip(volume.transpose(self.axes)))

    def _flip(self, volume: NDArray[Any]) -> NDArray[Any]:
        flipped = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return volume[flipped]
