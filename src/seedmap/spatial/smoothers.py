"""How the samples of a space are picked from frames, and smoothed.

A grid is smoothed frame by frame, while its samples are picked; surfaces and structures a block of
rows at a time, which is several times faster there. `smoother_of` chooses.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.images import Grayordinates, Grid, Mesh, Space, file_order, working_type
from seedmap.spatial.parts_smoothing import PartsSmoother, check_can_smooth
from seedmap.spatial.smoothing import Box, BoxSmoother, bounding_box, fwhm_to_sigma, fwhm_widths

__all__ = ["Sampler", "Smoother", "smoother_of"]


class Sampler(Protocol):
    """Picks the samples from frames. One object a thread: it keeps its buffers."""

    def sample(self, values: NDArray[Any], row: Array) -> None:
        """Write the samples of a frame, flat and in file order, less the first one, into a row."""


class Smoother(Protocol):
    """How a space is smoothed."""

    def prepare(self) -> None:
        """Do what takes long; may run while frames are read."""

    def samplers(self, first: NDArray[Any], dtype: DTypeLike, threads: int) -> list[Sampler]:
        """Return what fills rows of a type; ``first`` is what is subtracted, flat, finite."""

    def smooth_rows(self, rows: Array, n_jobs: int = 1) -> None:
        """Smooth what samplers left unsmoothed, (frames, samples), where it stands."""

    def smooth_frame(self, frame: Array, dtype: DTypeLike) -> Array:
        """Smooth one frame, flat and in file order, as the rows of a type; float64, (samples,)."""


def smoother_of(
    space: Space, smoothing_fwhm: float | Sequence[float | None] | None = None
) -> Smoother:
    """Choose how a space is smoothed.

    Parameters
    ----------
    space
        Where the samples lie. Nothing is smoothed beyond a grid's box, nor across the mask's
        border on surfaces and in structures.
    smoothing_fwhm
        Full width at half maximum [mm]; on a grid also one an axis. None or 0 for none.

    Raises
    ------
    OptionError
        If the width is negative, not finite, or differs by axis on a surface; or if it is not
        known where the vertices of a surface lie.
    """
    widths = fwhm_widths(smoothing_fwhm)
    if not widths.any():
        return _NoSmoother(space)
    if isinstance(space, Grid):
        return _GridSmoother(space, fwhm_to_sigma(smoothing_fwhm, space.voxel_sizes))
    if np.ptp(widths):
        msg = f"smoothing_fwhm={smoothing_fwhm}; a surface has no axes, so give one width in mm"
        raise OptionError(msg)
    check_can_smooth(space)
    return _RowSmoother(space, float(widths[0]))


class _NoSmoother:
    """Leaves the samples as they are."""

    def __init__(self, space: Space) -> None:
        self._shape, self._mask = space.shape, space.mask

    @cached_property
    def _positions(self) -> "NDArray[np.int64] | slice":
        """Where the samples stand in a flat frame."""
        if self._mask.ndim == 1 and self._mask.all():
            return slice(None)  # nothing to pick: a dense CIFTI without its medial wall
        return file_order(np.flatnonzero(self._mask), self._shape)

    def prepare(self) -> None:
        """Nothing takes long."""

    def samplers(self, first: NDArray[Any], dtype: DTypeLike, threads: int) -> list[Sampler]:
        return [_PlainSampler(self._positions, first, np.dtype(dtype))] * threads

    def smooth_rows(self, rows: Array, n_jobs: int = 1) -> None:
        """Leave the rows as they are."""

    def smooth_frame(self, frame: Array, dtype: DTypeLike) -> Array:  # noqa: ARG002  as exact as can be
        return frame[self._positions].astype(np.float64)


class _RowSmoother(_NoSmoother):
    """Smooths surfaces and structures, many rows together."""

    def __init__(self, space: Mesh | Grayordinates, smoothing_fwhm: float) -> None:
        super().__init__(space)
        self._space, self._width = space, smoothing_fwhm

    @cached_property
    def _parts(self) -> PartsSmoother:
        return PartsSmoother(self._space, self._width)

    def prepare(self) -> None:
        _ = self._parts

    def smooth_rows(self, rows: Array, n_jobs: int = 1) -> None:
        self._parts.smooth_rows(rows, n_jobs)

    def smooth_frame(self, frame: Array, dtype: DTypeLike) -> Array:
        return self._parts.smooth(super().smooth_frame(frame, dtype)[:, None])[:, 0]


class _GridSmoother:
    """Smooths a grid while its samples are picked."""

    def __init__(self, grid: Grid, sigma: Array) -> None:
        self._grid, self._sigma = grid, sigma

    def prepare(self) -> None:
        """Nothing takes long."""

    @cached_property
    def _box(self) -> Box:
        return bounding_box(self._grid.mask)

    @cached_property
    def _positions(self) -> NDArray[np.int64]:
        """Where the samples stand in the smoothed box."""
        inside = self._grid.mask[self._box]
        return file_order(np.flatnonzero(inside), inside.shape)

    def samplers(self, first: NDArray[Any], dtype: DTypeLike, threads: int) -> list[Sampler]:
        volume = first.reshape(self._grid.shape[::-1])
        smoothers = [
            BoxSmoother(self._grid.shape, self._box, self._sigma, dtype) for _ in range(threads)
        ]
        part = volume[smoothers[0].reach[::-1]]
        part = np.ascontiguousarray(part, dtype=working_type(part.dtype, np.dtype(dtype)))
        return [_SmoothSampler(one, volume.shape, part, self._positions) for one in smoothers]

    def smooth_rows(self, rows: Array, n_jobs: int = 1) -> None:
        """Leave the rows as they are: they are smooth."""

    def smooth_frame(self, frame: Array, dtype: DTypeLike) -> Array:
        row: Array = np.empty(self._grid.n_samples, dtype=dtype)
        self.samplers(np.zeros_like(frame), dtype, 1)[0].sample(frame, row)
        return row.astype(np.float64)


class _PlainSampler:
    """Picks the samples as they are, less the first frame; has no buffers, so threads share it."""

    def __init__(
        self,
        positions: "NDArray[np.int64] | slice",
        first: NDArray[Any],
        dtype: np.dtype[Any],
    ) -> None:
        self._positions, self._first = positions, first[positions]
        self._precision = working_type(first.dtype, dtype)

    def sample(self, values: NDArray[Any], row: Array) -> None:
        values = values[self._positions]
        np.subtract(values, self._first, out=row, dtype=self._precision, casting="unsafe")


class _SmoothSampler:
    """Picks the samples from the smoothed difference to the first frame, which all threads share."""

    def __init__(
        self,
        smoother: BoxSmoother,
        shape: tuple[int, ...],
        first: NDArray[Any],
        positions: NDArray[np.int64],
    ) -> None:
        self._smoother, self._shape = smoother, shape
        self._reach = smoother.reach[::-1]
        self._first, self._positions = first, positions
        self._difference = np.empty(first.shape, dtype=smoother.dtype)

    def sample(self, values: NDArray[Any], row: Array) -> None:
        part, precision = values.reshape(self._shape)[self._reach], self._first.dtype
        if precision == self._difference.dtype and part.dtype != precision:
            # Converting first and subtracting in place is twice as fast as both at once.
            np.copyto(self._difference, part)
            np.subtract(self._difference, self._first, out=self._difference)
        else:
            np.subtract(part, self._first, out=self._difference, dtype=precision, casting="unsafe")
        smooth = self._smoother.smooth(self._difference)
        # mode="clip" lets NumPy write into the row directly; no position is out of range
        np.take(smooth.reshape(-1), self._positions, out=row, mode="clip")
