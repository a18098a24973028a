"""Putting masks, labels and weights onto the grid of a run."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Grid

__all__ = ["resample_onto"]


def resample_onto(
    values: NDArray[Any], source: Grid, target: Grid, interpolation: Literal["nearest", "linear"]
) -> NDArray[Any]:
    """Sample a volume at the voxel centres of another grid.

    Parameters
    ----------
    values
        Volume of shape (x, y, z) on ``source``.
    source, target
        Grids in the same millimetre space; their masks do not matter.
    interpolation
        ``"nearest"`` for masks and labels, which must not be mixed; ``"linear"`` for weights.

    Returns
    -------
    ndarray, shape of ``target``
        Zero where the target reaches beyond the source. Midway between two voxels the same one is
        taken however the two are stored.
    """
    if source.same_grid(target):
        return values
    if interpolation == "linear":
        step = np.linalg.inv(source.affine) @ target.affine
        return _sampled(values.astype(np.float64), step, target.shape, 1)
    here, there = source.canonical, target.canonical
    step = np.linalg.inv(here.affine) @ there.affine
    turned = here.turn(values.astype(np.uint8) if values.dtype == bool else values)
    shape = tuple(np.array(target.shape)[np.argsort(there.axes)])
    return there.turn_back(_sampled(turned, step, shape, 0)).astype(values.dtype, copy=False)


def _sampled(values: NDArray[Any], step: Array, shape: tuple[int, ...], order: int) -> NDArray[Any]:
    """Sample a volume at ``step`` times the indices of another, with splines of an order."""
    from scipy import ndimage

    matrix: NDArray[Any] = step[:3, :3]
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        matrix = np.diag(matrix).copy()
    return ndimage.affine_transform(
        values, matrix, step[:3, 3], shape, order=order, mode="constant"
    )
