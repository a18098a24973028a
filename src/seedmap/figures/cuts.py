"""Cuts through a volume as pictures in world coordinates, and where to cut; arrays only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array

__all__ = [
    "Volume",
    "box_of",
    "cut",
    "middle",
    "pixel_edges",
    "projection",
    "straightened",
    "strongest",
]


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Attributes
    ----------
    values : ndarray, shape (i, j, k)
        Finite.
    affine : ndarray, shape (4, 4)
        From indices to world coordinates [mm].
    """

    values: NDArray[Any]
    affine: Array

    def place(self, index: Array) -> Array:
        """Return world coordinates [mm] of indices, shape (..., 3)."""
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]

    def index(self, place: Array) -> NDArray[np.int64]:
        """Return the nearest indices of world coordinates [mm], shape (..., 3)."""
        back = np.linalg.inv(self.affine)
        return np.rint(place @ back[:3, :3].T + back[:3, 3]).astype(np.int64)


def box_of(volume: Volume, drawn: NDArray[np.bool_] | None = None) -> Array:
    """Return the smallest box along the axes of the world that holds the marked voxels whole.

    Parameters
    ----------
    volume
        Whose voxels.
    drawn
        Which are marked, bool, shape (i, j, k); all where None is, or where none is given.

    Returns
    -------
    ndarray, shape (2, 3)
        The lower ends and the upper ends along x, y and z [mm].
    """
    ends = [(0, size - 1) for size in volume.values.shape]
    if drawn is not None and drawn.any():
        held = [np.flatnonzero(drawn.any(axis=rest)) for rest in ((1, 2), (0, 2), (0, 1))]
        ends = [(int(one[0]), int(one[-1])) for one in held]
    edges = [(first - 0.5, last + 0.5) for first, last in ends]
    corners = volume.place(np.stack(np.meshgrid(*edges), axis=-1).reshape(-1, 3))
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def cut(volume: Volume, axis: int, at: float) -> tuple[NDArray[Any], Array]:
    """Cut a volume across an axis of the world.

    Every pixel has the value of the voxel that its middle lies in. Where the voxels stand along
    the axes of the world, in whatever order and direction, a pixel is a voxel.

    Parameters
    ----------
    volume
        What is cut.
    axis
        0, 1 or 2: across x, y or z.
    at
        Where on that axis [mm].

    Returns
    -------
    pixels : ndarray, shape (up, across)
        The picture along the other two axes of the world, the later one up and its lowest row
        first; 0 where there is no voxel.
    box : ndarray, shape (2, 3)
        The ends of the whole volume [mm], and so the picture's edges.
    """
    across, up = (other for other in range(3) if other != axis)
    box = box_of(volume)
    if np.array_equal(volume.affine[:3, :3], np.diag(np.abs(volume.affine.diagonal()[:3]))):
        place = np.where(np.arange(3) == axis, at, box.mean(axis=0))
        where = int(volume.index(place)[axis])
        there = 0 <= where < volume.values.shape[axis]
        plane = np.moveaxis(volume.values, axis, 0)[where if there else 0].T
        return (plane if there else np.zeros_like(plane)), box
    size = np.abs(volume.affine[:3, :3]).max(axis=1)  # of a voxel, where it stands straight
    counts = np.rint((box[1] - box[0]) / size).astype(int)
    lines = [
        low + (np.arange(count) + 0.5) * (high - low) / count
        for low, high, count in zip(*box, counts, strict=True)
    ]
    points = np.empty((counts[up], counts[across], 3))
    points[..., axis] = at
    points[..., up] = lines[up][:, None]
    points[..., across] = lines[across]
    index = volume.index(points)
    inside = ((index >= 0) & (index < volume.values.shape)).all(axis=-1)
    pixels = np.zeros(inside.shape, dtype=volume.values.dtype)
    pixels[inside] = volume.values[tuple(index[inside].T)]
    return pixels, box


def straightened(volume: Volume, order: int = 1) -> Volume:
    """Return a volume whose voxels stand along the axes of the world, each in rising order.

    Parameters
    ----------
    volume
        Any. Where it stands along the axes already, its voxels are reordered and stay what they
        are; where it is askew, it is interpolated on voxels of its own size.
    order
        Of the interpolation: 1 linear, 0 the nearest voxel. 0 lies outside.
    """
    matrix = volume.affine[:3, :3]
    along = np.abs(matrix).argmax(axis=0)
    straight = np.abs(matrix) > 1e-3 * np.abs(matrix).max(axis=0)
    if straight.sum() == 3 and len(set(along.tolist())) == 3:
        values = np.transpose(volume.values, np.argsort(along))
        steps = matrix.sum(axis=0)[np.argsort(along)]
        ends = box_of(volume)
        values = values[tuple(slice(None, None, 1 if step > 0 else -1) for step in steps)]
        affine = np.diag([*np.abs(steps), 1.0])
        affine[:3, 3] = ends[0] + np.abs(steps) / 2
        return Volume(values, affine)
    from scipy import ndimage

    box, size = box_of(volume), np.linalg.norm(matrix, axis=0).min()
    counts = np.ceil((box[1] - box[0]) / size).astype(int)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = box[0] + size / 2
    into = np.linalg.inv(volume.affine) @ affine
    values = ndimage.affine_transform(
        volume.values.astype(np.float32), into[:3, :3], into[:3, 3], tuple(counts), order=order
    )
    return Volume(values, affine)


def projection(volume: Volume, axis: int) -> tuple[NDArray[Any], Array]:
    """Look through a straight volume along an axis of the world: what is farthest from 0 is seen.

    Returns
    -------
    pixels, box
        As `cut` returns them.
    """
    values = np.moveaxis(volume.values, axis, 0)
    low, high = values.min(axis=0), values.max(axis=0)
    return np.where(high >= -low, high, low).T, box_of(volume)


def pixel_edges(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the lines around the marked pixels of a picture, each as long as it runs straight.

    Parameters
    ----------
    inside
        Which pixels are marked, bool, shape (up, across).

    Returns
    -------
    ndarray of int, shape (lines, 2, 2)
        Both ends of each line, (across, up), counted in pixels from the lower left corner.
    """
    wide = np.pad(inside, 1)
    flat = _runs(wide[1:, 1:-1] != wide[:-1, 1:-1])
    upright = _runs((wide[1:-1, 1:] != wide[1:-1, :-1]).T)
    return np.concatenate([flat, upright[:, :, ::-1]])


def _runs(edge: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the ends (along, at) of what is marked without a gap in each row of (at, along)."""
    change = np.diff(np.pad(edge, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    at, first = np.nonzero(change > 0)
    last = np.nonzero(change < 0)[1]
    return np.stack([np.stack([first, at], axis=1), np.stack([last, at], axis=1)], axis=1)


def strongest(volume: Volume, threshold: float) -> Array | None:
    """Return the middle of the largest cluster beyond a threshold [mm]; None without any.

    Voxels of a cluster share a face, and each weighs as much as its value is far from 0.
    """
    from scipy import ndimage

    sizes = np.abs(volume.values.astype(np.float64))
    labels, found = ndimage.label(sizes > threshold)
    if not found:
        return None
    largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    return volume.place(np.array(ndimage.center_of_mass(sizes, labels, largest)))


def middle(volume: Volume) -> Array:
    """Return the middle of the voxels that are not 0 [mm]; of all voxels if there are none."""
    drawn = np.argwhere(volume.values != 0)
    index = drawn.mean(axis=0) if drawn.size else (np.array(volume.values.shape) - 1) / 2
    return volume.place(index)
