"""Spaces: where the samples of a run lie.

A `Grid` is a box of voxels with an affine and a mask. Samples stand in C order of the mask, the
last axis running fastest, as nilearn's ``apply_mask`` has them. Coordinates are in millimetres
in the space that the affine maps to.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._arrays import Array, readonly
from seedmap.errors import ImageError, SpaceMismatch
from seedmap.images.canonical import Canonical

__all__ = ["Grid"]

# Affines closer than this are one: headers store them in float32.
SAME_AFFINE = 1e-3
# Smallest singular value over the largest, below which the axes nearly coincide.
FLATTEST = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """A box of voxels, of which those in the mask are samples.

    Attributes
    ----------
    affine : ndarray, shape (4, 4)
        From voxel indices to millimetres.
    mask : ndarray of bool, shape (x, y, z)
        True for samples.
    """

    affine: Array
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            msg = f"the affine has shape {affine.shape} or is not finite; a finite 4 x 4 matrix is wanted"
            raise ImageError(msg)
        edges = np.linalg.svd(affine[:3, :3], compute_uv=False)
        if edges.prod() < 1e-12 or edges[2] < FLATTEST * edges[0]:
            msg = "the affine maps the voxels onto a plane; mend the image's header"
            raise ImageError(msg)
        object.__setattr__(self, "affine", readonly(affine))
        object.__setattr__(self, "mask", readonly(np.array(self.mask, dtype=bool, order="C")))

    def __repr__(self) -> str:
        """Say how large it is, how large its voxels are, and how many are samples."""
        shape, sizes = (
            " x ".join(f"{n:.4g}" for n in one) for one in (self.mask.shape, self.voxel_sizes)
        )
        return f"Grid({shape} voxels of {sizes} mm, {self.n_samples:,} in the mask)"

    @classmethod
    def whole(cls, affine: ArrayLike, shape: tuple[int, ...]) -> "Grid":
        """Return the grid in which every voxel is a sample."""
        return cls(np.asarray(affine, dtype=np.float64), np.ones(shape, dtype=bool))

    @cached_property
    def box(self) -> "Grid":
        """The same box with every voxel a sample."""
        return self if self.n_samples == self.mask.size else Grid.whole(self.affine, self.shape)

    def within(self, mask: NDArray[Any]) -> "Grid":
        """Return this grid with another mask of the same shape."""
        if mask.shape != self.shape:
            msg = f"a mask of shape {mask.shape} does not fit a grid of shape {self.shape}"
            raise SpaceMismatch(msg)
        return Grid(self.affine, np.asarray(mask, dtype=bool))

    @property
    def element(self) -> str:
        """What a sample is called."""
        return "voxel"

    @property
    def elements(self) -> str:
        """What samples are called."""
        return "voxels"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return self.mask.shape

    @cached_property
    def n_samples(self) -> int:
        """Number of voxels in the mask."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """Flat positions of the samples in the box, C order, ascending, shape (samples,)."""
        return readonly(np.flatnonzero(self.mask))

    @cached_property
    def canonical(self) -> Canonical:
        """How its axes are turned to right, anterior and superior."""
        return Canonical.of(self.affine, self.shape)

    @property
    def voxel_sizes(self) -> Array:
        """Edge lengths of a voxel [mm], shape (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel [mm3]."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def coordinates(self) -> Array:
        """Centres of the samples [mm], shape (samples, 3)."""
        return self.to_mm(np.argwhere(self.mask))

    def places(self, positions: NDArray[np.int64]) -> Array:
        """Where flat positions of the box (n,), C order, lie [mm], shape (n, 3)."""
        return self.to_mm(np.stack(np.unravel_index(positions, self.shape), axis=1))

    def to_mm(self, voxels: ArrayLike) -> Array:
        """Turn voxel indices (n, 3) into millimetres (n, 3)."""
        return np.asarray(voxels) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxels(self, coordinates: ArrayLike) -> Array:
        """Turn millimetres (n, 3) into voxel indices (n, 3), fractions included."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(coordinates) @ inverse[:3, :3].T + inverse[:3, 3]

    def same_grid(self, other: "Grid") -> bool:
        """Whether two grids have the same voxels, whatever their masks."""
        return self.shape == other.shape and np.allclose(
            self.affine, other.affine, rtol=0, atol=SAME_AFFINE
        )

    def unmask(self, values: ArrayLike, outside: float = 0.0) -> Array:
        """Put samples (..., samples) back into volumes (x, y, z, ...), ``outside`` elsewhere."""
        values = np.asarray(values)
        volume = np.full(self.shape + values.shape[:-1], outside, dtype=values.dtype)
        volume[self.mask] = np.moveaxis(values, -1, 0)
        return volume
