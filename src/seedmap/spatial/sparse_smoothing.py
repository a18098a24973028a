"""Gaussian smoothing of surfaces and of subcortical structures, each within its own borders.

Weights are a Gaussian of the distance (along the surface, or in space within a structure), then
balanced so that a constant stays a constant and the total, each vertex weighing its area, stays
the total. Nothing crosses the medial wall, a gap between hemispheres or a structure's border.
Many frames are smoothed together, which is several times faster than one after the other.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.errors import OptionError
from seedmap.images import Part, PartedSpace
from seedmap.spatial.geodesic import geodesic_distances, vertex_areas

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["PartsSmoother", "check_can_smooth"]

FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
# On a surface the Gaussian is cut off here [sigma]; 0.2 percent of it lies beyond.
CUT_OFF = 3.5
# Balancing converges by a factor of ten a turn or faster; stop at float32's rounding.
BALANCED, TURNS = 1e-6, 100
# Frames smoothed together: a line of the processor's cache holds sixteen float32.
FRAMES_TOGETHER = 16


class PartsSmoother:
    """Smooths the samples of surfaces and grayordinates.

    Parameters
    ----------
    space
        Surfaces need their coordinates. Only samples of the mask take part.
    smoothing_fwhm
        Full width at half maximum [mm], along the surface and in the volume alike.

    Raises
    ------
    OptionError
        If a surface has no coordinates, or the space is one of parcels.

    References
    ----------
    Hagler et al. (2006), NeuroImage 33, 1093, doi:10.1016/j.neuroimage.2006.07.036 (smoothing on
    surfaces); Sinkhorn and Knopp (1967), Pacific J. Math. 21, 343 (balancing).
    """

    def __init__(self, space: PartedSpace, smoothing_fwhm: float) -> None:
        check_can_smooth(space)
        sigma = smoothing_fwhm / FWHM_PER_SIGMA
        self._kernels: list[tuple[slice, _Kernel]] = []
        start = 0
        for part in space.parts:
            kept = space.mask[space.slices[part.name]]
            if kept.any():
                make = _VoxelKernel.of if part.kind == "voxels" else _surface_kernel
                stop = start + int(kept.sum())
                self._kernels.append((slice(start, stop), make(part, kept, sigma)))
                start = stop

    def smooth(self, frames: Array) -> Array:
        """Smooth frames as columns, (samples, frames); float32 stays float32."""
        out = np.empty_like(frames)
        for span, kernel in self._kernels:
            out[span] = kernel.apply(frames[span])
        return out

    def smooth_rows(self, series: Array, n_jobs: int = 1) -> None:
        """Smooth a series (frames, samples) where it stands, on so many threads."""

        def smooth(start: int) -> None:
            rows = series[start : start + FRAMES_TOGETHER]
            rows[:] = self.smooth(np.ascontiguousarray(rows.T)).T

        starts = range(0, len(series), FRAMES_TOGETHER)
        if n_jobs == 1 or len(starts) == 1:
            for start in starts:
                smooth(start)
            return
        with ThreadPoolExecutor(n_jobs) as pool:
            list(pool.map(smooth, starts))


def check_can_smooth(space: PartedSpace) -> None:
    """Refuse a space of which it is not known who is near whom.

    Raises
    ------
    OptionError
        If a surface has no coordinates, or the space is one of parcels.
    """
    for part in space.parts:
        if part.kind == "voxels" or part.surface is not None:
            continue
        what = "parcels have no neighbours"
        what = what if part.kind == "parcels" else "where its vertices lie is not known"
        give = "" if part.kind == "parcels" else "surfaces= (--surface-left, --surface-right), or "
        msg = (
            f"{part.name}: smoothing was asked for, but {what}; give {give}smoothing_fwhm=None "
            "(--smoothing-fwhm none)"
        )
        raise OptionError(msg)


class _Kernel(Protocol):
    def apply(self, frames: Array) -> Array:
        """Smooth the samples of one part, (samples, frames)."""


@dataclass(frozen=True, eq=False)
class _SurfaceKernel:
    """Weights between the vertices of a surface, written out."""

    weights: "sparse.csr_array"

    def apply(self, frames: Array) -> Array:
        found: Array = self.weights @ frames
        return found


def _surface_kernel(part: Part, kept: NDArray[np.bool_], sigma: float) -> _SurfaceKernel:
    """Build the weights between the samples of a surface."""
    from scipy import sparse

    assert part.surface is not None
    vertices = part.places[kept]
    usable = np.zeros(part.vertices, dtype=bool)
    usable[vertices] = True
    kernel = geodesic_distances(part.surface, usable, CUT_OFF * sigma)
    if (np.diff(vertices) < 0).any():
        rank = np.argsort(np.argsort(vertices))
        kernel = kernel[rank][:, rank]
    kernel.data = np.exp(-0.5 * (kernel.data / sigma) ** 2)
    areas = vertex_areas(part.surface)[vertices]
    size = np.maximum(areas, 1e-6 * areas.mean())
    scale = _balance(lambda values: kernel @ values, size)
    weights = sparse.diags_array(scale) @ kernel @ sparse.diags_array(scale * size)
    return _SurfaceKernel(weights.tocsr().astype(np.float32))


@dataclass(frozen=True, eq=False)
class _VoxelKernel:
    """A Gaussian within a structure, one axis after the other in the box around it."""

    box: tuple[int, ...]
    inside: NDArray[np.int64]  # flat positions of the samples in the box
    axes: tuple[Array, Array, Array]  # a symmetric matrix an axis
    scale: Array

    @classmethod
    def of(cls, part: Part, kept: NDArray[np.bool_], sigma: float) -> "_VoxelKernel":
        """Build it for the samples of a structure, whose axes are perpendicular."""
        assert part.affine is not None
        voxels = part.places[kept] - part.places[kept].min(axis=0)
        box = tuple((voxels.max(axis=0) + 1).tolist())
        edges = np.linalg.norm(part.affine[:3, :3], axis=0)
        along = [np.arange(size) * edge for size, edge in zip(box, edges, strict=True)]
        x, y, z = (np.exp(-0.5 * ((a[:, None] - a) / sigma) ** 2) for a in along)
        kernel = cls(box, np.ravel_multi_index(tuple(voxels.T), box), (x, y, z), np.ones(1))
        scale = _balance(lambda values: kernel.plain(values[:, None])[:, 0], np.ones(len(voxels)))
        return cls(box, kernel.inside, (x, y, z), scale)

    def plain(self, frames: Array) -> Array:
        """Sum neighbours by the Gaussian alone."""
        x, y, z = (matrix.astype(frames.dtype) for matrix in self.axes)
        count = frames.shape[1]
        box = np.zeros((int(np.prod(self.box)), count), dtype=frames.dtype)
        box[self.inside] = frames
        box = x @ box.reshape(self.box[0], -1)
        box = y @ box.reshape(self.box[0], self.box[1], -1)
        box = z @ box.reshape(-1, self.box[2], count)
        return box.reshape(-1, count)[self.inside]

    def apply(self, frames: Array) -> Array:
        scale = self.scale[:, None].astype(frames.dtype)
        return scale * self.plain(scale * frames)


def _balance(kernel: Callable[[Array], Array], size: Array) -> Array:
    """Find D so that the weights ``D K D A`` have rows that sum to 1.

    With a symmetric Gaussian K and sizes A the columns then keep the total, because K is symmetric.
    """
    scale: Array = 1 / np.sqrt(np.maximum(kernel(size), 1e-30))
    for _ in range(TURNS):
        rows = scale * kernel(scale * size)
        if np.abs(rows - 1).max() < BALANCED:
            break
        scale = scale / np.sqrt(rows)
    return scale
