"""Distances along a cortical surface.

Distances are shortest paths over the mesh's edges and over shortcuts across every pair of
triangles that share an edge, laid flat. Edges alone overestimate by up to 15 percent on a regular
mesh, since a path may only turn by 60 degrees; with the shortcuts it is 4 percent at most.
"""

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Surface

__all__ = ["distances_from", "edges_of", "vertex_areas"]


def edges_of(surface: Surface, kept: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array]:
    """Connect the kept vertices of a mesh by edges and by shortcuts across pairs of triangles.

    Parameters
    ----------
    surface
        The mesh.
    kept
        Vertices that paths may use, bool, shape (vertices,): the medial wall is no bridge.

    Returns
    -------
    ends : ndarray of int, shape (edges, 2)
        The two vertices of each, the lower number first; no pair comes twice.
    lengths : ndarray, shape (edges,)
        [mm]
    """
    triangles = surface.triangles[kept[surface.triangles].all(axis=1)]
    points, size = surface.coordinates, len(surface.coordinates)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    opposite = np.concatenate([triangles[:, 2], triangles[:, 0], triangles[:, 1]])
    edges.sort(axis=1)
    # One number an edge: sorting numbers is many times faster than sorting pairs.
    order = np.argsort(edges[:, 0] * size + edges[:, 1], kind="stable")
    edges, opposite = edges[order], opposite[order]
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    across, shortcut = _shortcuts(points, edges, opposite)
    ends, lengths = np.concatenate([edges, across]), np.concatenate([length, shortcut])
    # An edge belongs to two triangles; of equal pairs one is taken, the shortest.
    key = ends[:, 0] * size + ends[:, 1]
    order = np.lexsort((lengths, key))
    ends, lengths, key = ends[order], lengths[order], key[order]
    first = np.ones(len(ends), dtype=bool)
    first[1:] = key[1:] != key[:-1]
    return ends[first], lengths[first]


def _shortcuts(
    points: Array, edges: NDArray[np.int64], opposite: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """Lay the two triangles at each inner edge flat; return the far corners and their distance.

    ``edges`` are sorted, so that those of two triangles stand beside each other.
    """
    inner = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1))
    a, b = points[edges[inner, 0]], points[edges[inner, 1]]
    one, other = opposite[inner], opposite[inner + 1]
    width = np.maximum(np.linalg.norm(b - a, axis=1), 1e-12)
    along = (b - a) / width[:, None]
    x1, y1 = _flat(points[one] - a, along)
    x2, y2 = _flat(points[other] - a, along)
    # The straight line between the corners has to cross the edge itself.
    crossing = x1 + (x2 - x1) * y1 / np.maximum(y1 + y2, 1e-12)
    valid = (crossing > 0) & (crossing < width) & (one != other)
    ends = np.sort(np.stack([one, other], axis=1)[valid], axis=1)
    return ends, np.hypot(x2 - x1, y1 + y2)[valid]


def _flat(corner: Array, along: Array) -> tuple[Array, Array]:
    """Coordinates of a corner along the edge and away from it."""
    x = (corner * along).sum(axis=1)
    return x, np.sqrt(np.maximum((corner**2).sum(axis=1) - x**2, 0.0))


def distances_from(
    surface: Surface, kept: NDArray[np.bool_], sources: NDArray[np.int64], limit: float
) -> Array:
    """Measure the way from the nearest of some vertices to all vertices within reach.

    Parameters
    ----------
    surface
        The mesh.
    kept
        Vertices that paths may use, bool, shape (vertices,).
    sources
        Vertices to start from.
    limit
        Farthest distance that is wanted [mm].

    Returns
    -------
    ndarray, shape (vertices,)
        Distances [mm]; infinite beyond the limit and where no path leads.
    """
    start = np.zeros(len(kept), dtype=bool)
    start[sources] = True
    distance = np.where(start, 0.0, np.inf)
    if limit <= 0 or not start.any():
        return distance
    # No path is shorter than the straight line: what lies farther off in space does not matter.
    points = surface.coordinates
    low, high = points[start].min(axis=0) - limit, points[start].max(axis=0) + limit
    near = ((points >= low) & (points <= high)).all(axis=1)
    local = surface.triangles[near[surface.triangles].any(axis=1)]
    ends, lengths = edges_of(Surface(points, local), kept | start)
    ends, lengths = np.concatenate([ends, ends[:, ::-1]]), np.concatenate([lengths, lengths])
    moved = start
    while moved.any():
        leaving = moved[ends[:, 0]]
        arrived = distance[ends[leaving, 0]] + lengths[leaving]
        reached, arrived = ends[leaving, 1][arrived <= limit], arrived[arrived <= limit]
        before = distance.copy()
        np.minimum.at(distance, reached, arrived)
        moved = distance < before
    return distance


def vertex_areas(surface: Surface) -> Array:
    """Return the area that belongs to each vertex: a third of its triangles [mm2]."""
    corners = surface.coordinates[surface.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share = np.repeat(np.linalg.norm(normal, axis=1) / 6, 3)
    counted = np.bincount(surface.triangles.ravel(), share, len(surface.coordinates))
    return counted.astype(np.float64)
