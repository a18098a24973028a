"""Gaussian smoothing of volumes as three small matrix products.

Smoothing along one axis is a banded matrix. Written as blocks of its rows, it runs at the speed
of matrix multiplication, and only the rows that are wanted are computed: the box around the
mask is smoothed and the rest of the volume is only read. The values are those of
``scipy.ndimage.gaussian_filter`` (reflected at the volume's edges, cut off at four standard
deviations), which nilearn uses, to float32 rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError

__all__ = [
    "DEFAULT_FWHM",
    "Box",
    "BoxSmoother",
    "bounding_box",
    "fwhm_to_sigma",
    "fwhm_widths",
    "gaussian_matrix",
]

DEFAULT_FWHM = 6.0  # mm: the reference example's
CUT_OFF = 4.0  # standard deviations, SciPy's default
# Rows of output per matrix product along x, y and z, measured: few, so that little of a block is
# zeros; more along x, where the rows are the short side of the product.
BLOCK_ROWS = (48, 12, 12)

Box = tuple[slice, slice, slice]


def fwhm_to_sigma(
    smoothing_fwhm: float | Sequence[float | None] | None, voxel_sizes: Array
) -> Array:
    """Turn a full width at half maximum [mm] into standard deviations [voxels], shape (3,).

    ``smoothing_fwhm`` is one number, three (None or 0 leaves an axis alone), or None.

    Raises
    ------
    OptionError
        If a width is negative or not finite.
    """
    return fwhm_widths(smoothing_fwhm) / (np.sqrt(8 * np.log(2)) * voxel_sizes)


def fwhm_widths(smoothing_fwhm: float | Sequence[float | None] | None) -> Array:
    """Return the full width at half maximum [mm] of each axis, 0 for none; see `fwhm_to_sigma`."""
    one = smoothing_fwhm is None or isinstance(smoothing_fwhm, int | float | np.number)
    given = [smoothing_fwhm] * 3 if one else list(smoothing_fwhm)  # type: ignore[arg-type]
    widths = np.array([0.0 if width is None else width for width in given], dtype=np.float64)
    if widths.shape != (3,) or not np.isfinite(widths).all() or (widths < 0).any():
        msg = (
            f"smoothing_fwhm={smoothing_fwhm}; give a width in mm of 0 or more, one or one an axis"
        )
        raise OptionError(msg)
    return widths


def gaussian_matrix(size: int, sigma: float) -> Array:
    """Write Gaussian smoothing along an axis out as a matrix of shape (size, size).

    ``sigma`` is in voxels; 0 gives the identity. Beyond its ends the axis is reflected.
    """
    radius = int(CUT_OFF * sigma + 0.5)
    if radius == 0:
        return np.eye(size)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    reached = np.arange(size)[:, None] + offsets
    reflected = reached % (2 * size)
    reflected = np.where(reflected >= size, 2 * size - 1 - reflected, reflected)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], reflected), weights)
    return matrix


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box that holds all of a mask that is not empty."""
    box = []
    for axis in range(3):
        present = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(present[0]), int(present[-1]) + 1))
    return tuple(box)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class _AxisBlock:
    """Rows ``out`` of a banded matrix, of which only the columns ``reach`` are not zero."""

    out: slice
    reach: slice
    weights: Array


class BoxSmoother:
    """Smooths the part of a volume that lies in a box. One object a thread: it keeps its buffers.

    Parameters
    ----------
    shape
        Shape of the whole volumes (x, y, z).
    box
        The part that is wanted.
    sigma
        Standard deviations [voxels], shape (3,); 0 leaves an axis alone.
    dtype
        Type of the volumes, of the arithmetic and of what comes out.

    Attributes
    ----------
    reach : tuple of slice
        The part of a volume that is read: the box, grown by the kernel's reach.
    dtype : numpy.dtype
        Type of the arithmetic.
    """

    def __init__(
        self, shape: tuple[int, int, int], box: Box, sigma: Array, dtype: DTypeLike = np.float32
    ) -> None:
        matrices = [gaussian_matrix(size, width) for size, width in zip(shape, sigma, strict=True)]
        reach = []
        for matrix, part in zip(matrices, box, strict=True):
            columns = np.flatnonzero(matrix[part].any(axis=0))
            reach.append(slice(int(columns[0]), int(columns[-1]) + 1))
        self.box, self.reach, self.dtype = box, tuple(reach), np.dtype(dtype)
        self._blocks = [
            _blocks_of(matrix[part, columns], rows, dtype)
            for matrix, part, columns, rows in zip(matrices, box, reach, BLOCK_ROWS, strict=True)
        ]
        _, y, z = (part.stop - part.start for part in box)
        x_in, y_in, _ = (part.stop - part.start for part in reach)
        self._after_z = np.empty((z, y_in, x_in), dtype=dtype)
        self._after_y = np.empty((z, y, x_in), dtype=dtype)
        self._smooth = np.empty((z, y, box[0].stop - box[0].start), dtype=dtype)

    def smooth(self, volume: Array) -> Array:
        """Smooth ``volume``, which is the part in ``reach`` with its axes as (z, y, x).

        Returns the box, axes as (z, y, x), in a buffer that the next call overwrites.
        """
        along_x, along_y, along_z = self._blocks
        flat_in = volume.reshape(volume.shape[0], -1)
        flat_out = self._after_z.reshape(self._after_z.shape[0], -1)
        for block in along_z:
            np.matmul(block.weights, flat_in[block.reach], out=flat_out[block.out])
        for block in along_y:
            np.matmul(block.weights, self._after_z[:, block.reach], out=self._after_y[:, block.out])
        rows_in = self._after_y.reshape(-1, self._after_y.shape[2])
        rows_out = self._smooth.reshape(-1, self._smooth.shape[2])
        for block in along_x:
            np.matmul(rows_in[:, block.reach], block.weights.T, out=rows_out[:, block.out])
        return self._smooth


def _blocks_of(matrix: Array, block_rows: int, dtype: DTypeLike) -> list[_AxisBlock]:
    """Cut a banded matrix into blocks of rows, without the columns that are zero there."""
    blocks = []
    for start in range(0, matrix.shape[0], block_rows):
        rows = slice(start, min(start + block_rows, matrix.shape[0]))
        columns: NDArray[Any] = np.flatnonzero(matrix[rows].any(axis=0))
        reach = slice(int(columns[0]), int(columns[-1]) + 1)
        weights = np.ascontiguousarray(matrix[rows, reach], dtype=dtype)
        blocks.append(_AxisBlock(rows, reach, weights))
    return blocks
