"""Gaussian smoothing of surfaces and of subcortical structures, each within its own borders.

On a surface the Gaussian is that of heat which spreads along it; within a structure it is one of the
distance, balanced. Either way a constant stays a constant, and the total, each vertex weighing its
area, stays the total. Nothing crosses the medial wall, a gap between hemispheres or a structure's
border. Many frames are smoothed together, which is several times faster than one after the other.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.images import Part, PartedSpace
from seedmap.spatial.heat import HeatKernel

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["PartsSmoother", "check_can_smooth"]

FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
# Within a structure the Gaussian is cut off here along each axis [sigma]; 0.05 percent lies beyond.
CUT_OFF = 3.5
# Balancing converges by a factor of ten a turn or faster; stop at float32's rounding.
BALANCED, TURNS = 1e-6, 100
# Frames smoothed together: the fewer, the more often the weights are read; the more, the less of them
# the cache of a processor holds.
FRAMES_TOGETHER = 32
TURNED_TOGETHER = 2048


# A part, and which of its places are samples.
KeptPart = tuple[Part, NDArray[np.bool_]]


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
    `HeatKernel` names those of the surfaces; Sinkhorn and Knopp (1967), Pacific J. Math. 21, 343,
    doi:10.2140/pjm.1967.21.343 (balancing).
    """

    def __init__(self, space: PartedSpace, smoothing_fwhm: float) -> None:
        check_can_smooth(space)
        sigma = smoothing_fwhm / FWHM_PER_SIGMA
        parts = [(part, space.mask[space.slices[part.name]]) for part in space.parts]
        self._kernels = tuple(_kernels_of([one for one in parts if one[1].any()], sigma))

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
            columns = np.empty((rows.shape[1], rows.shape[0]), dtype=rows.dtype)
            _turn(rows, columns)
            _turn(self.smooth(columns), rows)

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


def _turn(source: Array, target: Array) -> None:
    """Write rows as columns, a piece at a time, which the cache of a processor holds."""
    for start in range(0, max(source.shape), TURNED_TOGETHER):
        piece = slice(start, start + TURNED_TOGETHER)
        if source.shape[0] < source.shape[1]:
            target[piece] = source[:, piece].T
        else:
            target[:, piece] = source[piece].T


class _Kernel(Protocol):
    def apply(self, frames: Array) -> Array:
        """Smooth the samples of one part, (samples, frames)."""


def _kernels_of(parts: Sequence[KeptPart], sigma: float) -> Iterator[tuple[slice, _Kernel]]:
    """Build what smooths which samples: a surface each, structures that follow each other together."""
    start = 0
    for voxels, some in itertools.groupby(parts, lambda one: one[0].kind == "voxels"):
        for group in [list(some)] if voxels else ([one] for one in some):
            stop = start + sum(int(kept.sum()) for _, kept in group)
            yield slice(start, stop), _kernel_of(group, sigma)
            start = stop


def _kernel_of(group: Sequence[KeptPart], sigma: float) -> _Kernel:
    part, kept = group[0]
    if part.kind == "voxels":
        return _VoxelKernel.of(group, sigma)
    assert part.surface is not None
    return HeatKernel.of(part.surface, part.places[kept], sigma)


@dataclass(frozen=True, eq=False)
class _VoxelKernel:
    """A Gaussian within structures, one axis after the other in the box around each.

    ``first`` leads from the samples into the boxes, ``last`` back.
    """

    first: "sparse.csr_array"
    second: "sparse.csr_array"
    last: "sparse.csr_array"

    @classmethod
    def of(cls, parts: Sequence[KeptPart], sigma: float) -> "_VoxelKernel":
        """Build it for the samples of structures, whose axes are perpendicular."""
        from scipy import sparse

        boxes = _boxes_of(parts, sigma)
        x, y, z = (_banded(boxes, axis) for axis in range(3))
        first, last = x[:, boxes.inside], z[boxes.inside]
        balance = _balance(lambda one: last @ (y @ (first @ one)), boxes.inside.size)
        scale = sparse.diags_array(balance)
        steps = (first @ scale, y, scale @ last)
        return cls(*(step.tocsr().astype(np.float32) for step in steps))

    def apply(self, frames: Array) -> Array:
        found: Array = self.last @ (self.second @ (self.first @ frames))
        return found


class _Boxes(NamedTuple):
    """All voxels of the boxes around some structures, one box after the other."""

    place: NDArray[np.int64]  # of each voxel in its box, shape (3, voxels)
    size: NDArray[np.int64]  # of its box, likewise
    stride: NDArray[np.int64]  # voxels from it to the next along each axis
    step: Array  # how far that is [standard deviations]
    inside: NDArray[np.int64]  # which are samples, in the samples' order


def _boxes_of(parts: Sequence[KeptPart], sigma: float) -> _Boxes:
    """Put the smallest box around each structure."""
    columns, inside, start = [], [], 0
    for part, kept in parts:
        assert part.affine is not None
        voxels = part.places[kept] - part.places[kept].min(axis=0)
        size = voxels.max(axis=0) + 1
        stride = np.array([size[1] * size[2], size[2], 1])
        step = np.linalg.norm(part.affine[:3, :3], axis=0) / sigma
        place = np.indices(size).reshape(3, -1)
        same = (np.repeat(one[:, None], place.shape[1], axis=1) for one in (size, stride, step))
        columns.append((place, *same))
        inside.append(start + voxels @ stride)
        start += place.shape[1]
    place, size, stride, step = (np.concatenate(one, axis=1) for one in zip(*columns, strict=True))
    return _Boxes(place, size, stride, step, np.concatenate(inside))


def _banded(boxes: _Boxes, axis: int) -> "sparse.csr_array":
    """Return the Gaussian between voxels in a row along an axis."""
    from scipy import sparse

    place, size, step = boxes.place[axis], boxes.size[axis], boxes.step[axis]
    reach = min(int(CUT_OFF / step.min()), int(size.max()) - 1)
    rows, columns, values = [], [], []
    for away in range(-reach, reach + 1):
        there, apart = place + away, abs(away) * step
        row = np.flatnonzero((there >= 0) & (there < size) & (apart <= CUT_OFF))
        rows.append(row)
        columns.append(row + away * boxes.stride[axis, row])
        values.append(np.exp(-0.5 * apart[row] ** 2))
    ends = np.concatenate(rows), np.concatenate(columns)
    return sparse.coo_array((np.concatenate(values), ends), shape=(place.size,) * 2).tocsr()


def _balance(kernel: Callable[[Array], Array], size: int) -> Array:
    """Find D so that the weights ``D K D`` have rows that sum to 1.

    With a symmetric Gaussian K so do the columns, which keeps the total.
    """
    scale: Array = 1 / np.sqrt(np.maximum(kernel(np.ones(size)), 1e-30))
    for _ in range(TURNS):
        rows = scale * kernel(scale)
        if np.abs(rows - 1).max() < BALANCED:
            break
        scale = scale / np.sqrt(rows)
    return scale
