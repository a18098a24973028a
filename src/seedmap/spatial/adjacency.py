"""Which samples are adjacent, and how large each is: of grids, surfaces and grayordinates alike.

Voxels are adjacent where they share a face (or an edge, or a corner), vertices where they share an
edge of the mesh. Parts of grayordinates are never adjacent to each other.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.images import Grid, Part, PartedSpace, Space
from seedmap.spatial.geodesic import vertex_areas

__all__ = ["Adjacency", "Neighbours", "adjacency", "can_cluster"]

Neighbours = Literal[6, 18, 26]
# How many coordinates may differ by one between adjacent voxels.
STEPS: dict[Neighbours, int] = {6: 1, 18: 2, 26: 3}


@dataclass(frozen=True, eq=False)
class Adjacency:
    """A graph of samples.

    Attributes
    ----------
    pairs : ndarray of int, shape (pairs, 2)
        Adjacent samples, each pair once.
    sizes : ndarray of float64, shape (samples,)
        1 for a voxel, the area [mm2] for a vertex: a third of the adjoining triangles.
    """

    pairs: NDArray[np.int64]
    sizes: Array

    @cached_property
    def csr(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Neighbours in compressed rows: starts of shape (samples + 1,), then the neighbours."""
        first, second = self.pairs.T
        samples, pairs = self.sizes.size, len(self.pairs)
        both = np.empty(2 * pairs, dtype=np.int64)  # each pair twice, as one number to sort by
        np.add(first * samples, second, out=both[:pairs])
        np.add(second * samples, first, out=both[pairs:])
        both.sort()
        both %= max(1, samples)
        count = np.bincount(first, minlength=samples) + np.bincount(second, minlength=samples)
        starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
        return starts, both.astype(np.int32)

    def components(self, chosen: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """Split chosen samples (samples,) into connected sets, each in ascending order."""
        from scipy import sparse
        from scipy.sparse import csgraph

        members = np.flatnonzero(chosen)
        if not members.size:
            return []
        inside = np.full(chosen.size, -1)
        inside[members] = np.arange(members.size)
        ends = inside[self.pairs]
        ends = ends[(ends >= 0).all(axis=1)]
        shape = (members.size, members.size)
        graph = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=shape)
        _, number = csgraph.connected_components(graph, directed=False)
        order = np.argsort(number, kind="stable")
        return np.split(members[order], np.flatnonzero(np.diff(number[order])) + 1)


def can_cluster(space: Space | PartedSpace) -> bool:
    """Whether it is known which samples are adjacent: not on surfaces without their meshes."""
    return isinstance(space, Grid) or all(
        part.kind == "voxels" or part.surface is not None for part in space.parts
    )


# The graphs of spaces that are in use, since maps of many seeds share one.
_KNOWN: "WeakKeyDictionary[Space | PartedSpace, dict[Neighbours, Adjacency]]" = WeakKeyDictionary()


def adjacency(space: Space | PartedSpace, neighbours: Neighbours = 6) -> Adjacency:
    """Return the graph of a space's samples, which is kept for as long as the space is.

    Parameters
    ----------
    space
        The space. Of surfaces it must be known where the vertices lie.
    neighbours
        Voxels that share a face (6), also those that share an edge (18) or a corner (26).

    Raises
    ------
    OptionError
        If it is not known where the vertices of a surface lie.
    """
    known = _KNOWN.setdefault(space, {})
    if neighbours not in known:
        known[neighbours] = _graph(space, neighbours)
    return known[neighbours]


def _graph(space: Space | PartedSpace, neighbours: Neighbours) -> Adjacency:
    if isinstance(space, Grid):
        places = np.argwhere(space.mask)
        return Adjacency(_voxel_pairs(places, neighbours), np.ones(space.n_samples))
    if not can_cluster(space):
        msg = (
            "clusters need to know where the vertices lie; give the surfaces (surfaces=, "
            "--surface-left, --surface-right)"
        )
        raise OptionError(msg)
    sample = np.full(space.mask.size, -1)
    sample[space.mask] = np.arange(int(space.mask.sum()))
    pairs = [space.slices[part.name].start + _part_pairs(part, neighbours) for part in space.parts]
    found = sample[np.concatenate(pairs)]
    sizes = np.concatenate([_sizes(part) for part in space.parts])
    return Adjacency(found[(found >= 0).all(axis=1)], sizes[space.mask])


def _voxel_pairs(places: NDArray[np.int64], neighbours: Neighbours) -> NDArray[np.int64]:
    """Return the pairs of adjacent voxels of a list (voxels, 3), as numbers in the list."""
    if not len(places):
        return np.empty((0, 2), dtype=np.int64)
    low = places.min(axis=0)
    box = np.full(places.max(axis=0) - low + 3, -1, dtype=np.int64)
    at = tuple((places - low + 1).T)
    box[at] = np.arange(len(places))
    found = []
    for step in itertools.product((0, 1, -1), repeat=3):
        if step > (0, 0, 0) and np.abs(step).sum() <= STEPS[neighbours]:
            other = box[tuple(axis + by for axis, by in zip(at, step, strict=True))]
            here = np.flatnonzero(other >= 0)
            found.append(np.stack([here, other[here]], axis=1))
    return np.concatenate(found)


def _part_pairs(part: Part, neighbours: Neighbours) -> NDArray[np.int64]:
    """Return the pairs of adjacent places of a part, as numbers in the part."""
    if part.kind == "voxels":
        return _voxel_pairs(part.places, neighbours)
    assert part.surface is not None
    of_vertex = np.full(part.vertices, -1)
    of_vertex[part.places] = np.arange(part.size)
    corners = of_vertex[part.surface.triangles]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = np.sort(edges[(edges >= 0).all(axis=1)], axis=1)
    once = np.unique(edges[:, 0] * part.size + edges[:, 1])
    return np.stack(np.divmod(once, part.size), axis=1)


def _sizes(part: Part) -> Array:
    if part.surface is None:
        return np.ones(part.size)
    return vertex_areas(part.surface)[part.places]
