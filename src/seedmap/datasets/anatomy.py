"""The head of the phantom: a grid in MNI space, its brain and tissues.

Everything is computed from the MNI152 template that nilearn carries, so no download is needed.
Volumes are averages of the 1 mm template over each voxel of the grid. Samples stand in C order
of the brain mask. Millimetres throughout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OptionError

__all__ = ["Anatomy", "affine_of", "load_anatomy"]

ORIGIN = (-98.0, -134.0, -80.0)  # the lowest corner of the reference data set's grid, in mm
FIELD_OF_VIEW = (200.0, 236.0, 200.0)  # 50 x 59 x 50 voxels of 4 mm, as the reference data set
BRAIN = 0.2  # share of the brightest template value that is brain; nilearn's own threshold
WHITE = 0.75  # above this share of the brightest value a voxel of the template is white matter
FLUID = 0.42  # and below this one fluid
LEAST_BRAIN = 30  # voxels; with fewer the networks would fall on top of each other

# What an echo-planar image of this brain looks like, in the scanner's arbitrary units
# (fluid is bright, white matter dark: the reverse of the T1-weighted template).
INTENSITY = 12_500.0
T1_TO_EPI = -4_500.0


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A brain on a grid; the vectors have one entry a sample (voxel of the brain)."""

    affine: NDArray[np.float64]
    """From voxel indices to millimetres, shape (4, 4)."""

    brain: NDArray[np.bool_]
    """True inside the brain, shape of the grid."""

    t1: NDArray[np.float32]
    """The template on the grid, 0 to 1, shape of the grid; 0 outside the brain."""

    base: NDArray[np.float32]
    """Mean signal of each sample, arbitrary units, shape (samples,)."""

    fluid: NDArray[np.float32]
    """Share of fluid in each sample, 0 to 1, shape (samples,)."""

    white: NDArray[np.float32]
    """Share of white matter in each sample, 0 to 1, shape (samples,)."""

    edge: NDArray[np.float32]
    """Nearness to the edge of the brain, 1 at the edge and falling inwards, shape (samples,)."""

    coordinates: NDArray[np.float64]
    """Centres of the samples in mm, shape (samples, 3)."""


def affine_of(voxel_size: float) -> NDArray[np.float64]:
    """Return the affine of the phantom's grid for a voxel size in mm."""
    affine = np.diag([voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = ORIGIN
    return affine


def load_anatomy(voxel_size: float) -> Anatomy:
    """Put the MNI152 template on a grid of cubic voxels.

    Parameters
    ----------
    voxel_size
        Edge of a voxel in mm.

    Raises
    ------
    OptionError
        If the voxels are so large that hardly any brain is left.
    """
    from nilearn.datasets import load_mni152_template
    from scipy import ndimage

    template = load_mni152_template(resolution=1)
    fine = np.asarray(template.dataobj, dtype=np.float32)
    inside = fine > BRAIN
    shares = _Averages(template.affine, fine.shape, voxel_size)
    brain = shares.of(inside) >= 0.5
    if brain.sum() < LEAST_BRAIN:
        msg = (
            f"voxel_size={voxel_size:g} mm leaves {int(brain.sum())} voxels of brain; "
            f"at least {LEAST_BRAIN} are needed; choose smaller voxels (4 is usual)"
        )
        raise OptionError(msg)
    t1 = np.where(brain, shares.of(fine), np.float32(0))
    depth = ndimage.distance_transform_edt(brain)[brain] * voxel_size
    affine = affine_of(voxel_size)
    return Anatomy(
        affine=affine,
        brain=brain,
        t1=t1,
        base=(INTENSITY + T1_TO_EPI * t1[brain]).astype(np.float32),
        fluid=shares.of(inside & (fine < FLUID))[brain],
        white=shares.of(fine > WHITE)[brain],
        edge=np.exp(-(depth - voxel_size) / 8.0).astype(np.float32),
        coordinates=np.argwhere(brain) @ affine[:3, :3].T + affine[:3, 3],
    )


class _Averages:
    """Average fine volumes over the voxels of the grid: one small matrix along each axis."""

    def __init__(
        self, fine: NDArray[np.float64], shape: tuple[int, ...], voxel_size: float
    ) -> None:
        sizes = [round(extent / voxel_size) for extent in FIELD_OF_VIEW]
        self._matrices = [
            _box_means(size, voxel_size, start, first, length)
            for size, start, first, length in zip(sizes, ORIGIN, fine[:3, 3], shape, strict=True)
        ]

    def of(self, volume: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
        along_x, along_y, along_z = self._matrices
        thick = volume.astype(np.float32) @ along_z.T
        thick = np.einsum("jy,xyk->xjk", along_y, thick, optimize=True)
        return np.ascontiguousarray(np.tensordot(along_x, thick, axes=(1, 0)))


def _box_means(
    size: int, voxel_size: float, start: float, first: float, length: int
) -> NDArray[np.float32]:
    """Weights that average a 1 mm axis over voxels, shape (size, length)."""
    centres = start + voxel_size * np.arange(size)
    fine = first + np.arange(length)
    overlap = voxel_size / 2 + 0.5 - np.abs(centres[:, None] - fine)
    return (np.clip(overlap, 0, min(1.0, voxel_size)) / voxel_size).astype(np.float32)
