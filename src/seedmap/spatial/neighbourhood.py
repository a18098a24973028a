"""The samples around a seed, whose correlation with it is high by construction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Grid, PartedSpace, Space
from seedmap.spatial.geodesic import distances_from

__all__ = ["Neighbourhoods", "neighbourhood"]

# Nothing is nearer than this without being the voxel itself; keeps rounding from mattering.
TOUCH = 1e-6
# Voxels of a seed whose surroundings are marked, or distances measured, at once: bounds the memory.
TOGETHER, FEW = 1024, 256


def neighbourhood(space: Space, voxels: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    """List the samples within a distance of any place of a seed.

    Parameters
    ----------
    space
        Where the samples lie.
    voxels
        The seed's places, as flat positions in the space, C order.
    reach
        Distance between voxel centres, or along the surface [mm]; the seed's own places always
        count, and on a surface whose vertices lie nobody knows where, only they.

    Returns
    -------
    ndarray of int
        Indices of samples, ascending.
    """
    if isinstance(space, PartedSpace):
        return _on_parts(space, voxels, reach)
    return _in_grid(space, voxels, reach)


def _on_parts(space: PartedSpace, positions: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    near = np.zeros(space.mask.size, dtype=bool)
    near[positions] = True
    for part in space.parts:
        span = space.slices[part.name]
        own = positions[(positions >= span.start) & (positions < span.stop)] - span.start
        if not own.size or not reach:
            continue
        if part.kind == "surface" and part.surface is not None:
            usable = np.zeros(part.vertices, dtype=bool)
            usable[part.places[space.mask[span]]] = True
            away = distances_from(part.surface, usable, part.places[own], reach + TOUCH)
            near[span] |= np.isfinite(away[part.places])
        elif part.kind == "voxels":
            places = part.coordinates()
            for first in range(0, own.size, FEW):
                near[span] |= _within(places, places[own[first : first + FEW]], reach + TOUCH)
    return np.flatnonzero(near[space.mask])


def _within(places: Array, seed: Array, reach: float) -> NDArray[np.bool_]:
    """Say which places (n, 3) lie within a distance of any of some others [mm]."""
    low, high = seed.min(axis=0) - reach, seed.max(axis=0) + reach
    near: NDArray[np.bool_] = ((places >= low) & (places <= high)).all(axis=1)
    here, there = places[near] - seed[0], seed - seed[0]
    squared = (here**2).sum(axis=1)[:, None] - 2 * here @ there.T + (there**2).sum(axis=1)
    near[near] = squared.min(axis=1) <= reach**2
    return near


def _in_grid(grid: Grid, voxels: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    seed = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    steps = _steps_within(grid, reach + TOUCH)
    margin = np.abs(steps).max(axis=0)
    corner = seed.min(axis=0) - margin
    box = tuple(np.ptp(seed, axis=0) + 1 + 2 * margin)
    reached = np.zeros(box, dtype=bool)
    places = np.ravel_multi_index(tuple((seed - corner).T), box)
    steps_flat = steps @ np.array([box[1] * box[2], box[2], 1])
    for first in range(0, places.size, TOGETHER):
        reached.reshape(-1)[places[first : first + TOGETHER, None] + steps_flat] = True
    low, high = np.maximum(corner, 0), np.minimum(corner + box, grid.shape)
    in_grid = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    in_box = tuple(slice(a, b) for a, b in zip(low - corner, high - corner, strict=True))
    near = np.argwhere(reached[in_box] & grid.mask[in_grid]) + low
    return np.searchsorted(grid.positions, np.ravel_multi_index(tuple(near.T), grid.shape))


def _steps_within(grid: Grid, distance: float) -> NDArray[np.int64]:
    """List the steps from voxel to voxel that are no longer than a distance [mm], (steps, 3)."""
    turn = grid.affine[:3, :3]
    furthest = np.floor(distance * np.linalg.norm(np.linalg.inv(turn), axis=1)).astype(np.int64)
    furthest = np.minimum(furthest, np.array(grid.shape) - 1)
    steps = np.indices(2 * furthest + 1).reshape(3, -1).T - furthest
    return steps[np.linalg.norm(steps @ turn.T, axis=1) <= distance]


class Neighbourhoods(Sequence[NDArray[np.int64]]):
    """The samples around each of several seeds, ascending; found at the first look and kept.

    Parameters
    ----------
    space
        Where the samples lie.
    voxels
        Each seed's places, as flat positions in the space, C order. Near none is nothing.
    reach
        Distance [mm], as for `seedmap.spatial.neighbourhood`.
    """

    def __init__(self, space: Space, voxels: Sequence[NDArray[np.int64]], reach: float) -> None:
        self._space, self._voxels, self._reach = space, tuple(voxels), reach
        self._found: dict[int, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self._voxels)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(len(self))[at])
        which = range(len(self))[at]
        if which not in self._found:
            self._found[which] = self._find(self._voxels[which])
        return self._found[which]

    def _find(self, voxels: NDArray[np.int64]) -> NDArray[np.int64]:
        if not voxels.size:
            return np.empty(0, dtype=np.int64)
        return neighbourhood(self._space, voxels, self._reach)
