"""Putting masks, labels and weights onto the grid of a run."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap.images import Grid

__all__ = ["resample_onto"]

ORDERS = {"nearest": 0, "linear": 1}


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
        Zero where the target reaches beyond the source.
    """
    if source.same_grid(target):
        return values
    from scipy import ndimage

    step = np.linalg.inv(source.affine) @ target.affine
    matrix: NDArray[Any] = step[:3, :3]
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        matrix = np.diag(matrix).copy()
    stored = values.astype(np.float64) if interpolation == "linear" else values
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    sampled = ndimage.affine_transform(
        stored, matrix, step[:3, 3], target.shape, order=ORDERS[interpolation], mode="constant"
    )
    return sampled.astype(bool) if values.dtype == bool else sampled
