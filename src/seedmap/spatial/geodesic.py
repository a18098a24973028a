"""Distances along a cortical surface, and Gaussian smoothing by them.

Distances are shortest paths over the mesh's edges and over shortcuts across every pair of
triangles that share an edge, laid flat. Edges alone overestimate by up to 15 percent on a regular
mesh, since a path may only turn by 60 degrees; with the shortcuts it is 4 percent at most.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.images import Surface

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["edge_graph", "geodesic_distances", "vertex_areas"]

# Sources whose distances are worked out together: bounds the memory of a batch.
TOGETHER = 256


def edge_graph(surface: Surface, kept: NDArray[np.bool_]) -> "sparse.csr_array":
    """Connect the kept vertices of a mesh by edges and by shortcuts across pairs of triangles.

    Parameters
    ----------
    surface
        The mesh.
    kept
        Vertices that paths may use, bool, shape (vertices,): the medial wall is no bridge.

    Returns
    -------
    scipy.sparse.csr_array, shape (vertices, vertices)
        Symmetric lengths [mm].
    """
    from scipy import sparse

    triangles = surface.triangles[kept[surface.triangles].all(axis=1)]
    points = surface.coordinates
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    opposite = np.concatenate([triangles[:, 2], triangles[:, 0], triangles[:, 1]])
    edges.sort(axis=1)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    across, shortcut = _shortcuts(points, edges, opposite)
    ends = np.concatenate([edges, across])
    lengths = np.concatenate([length, shortcut])
    # An edge belongs to two triangles; of equal pairs one is taken, the shortest.
    order = np.lexsort((lengths, ends[:, 1], ends[:, 0]))
    ends, lengths = ends[order], lengths[order]
    first = np.ones(len(ends), dtype=bool)
    first[1:] = (ends[1:] != ends[:-1]).any(axis=1)
    ends, lengths = ends[first], lengths[first]
    size = len(points)
    graph = sparse.coo_array((lengths, (ends[:, 0], ends[:, 1])), shape=(size, size))
    return (graph + graph.T).tocsr()


def _shortcuts(
    points: Array, edges: NDArray[np.int64], opposite: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """Lay the two triangles at each inner edge flat; return the far corners and their distance."""
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, opposite = edges[order], opposite[order]
    inner = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1))
    a, b = points[edges[inner, 0]], points[edges[inner, 1]]
    one, other = opposite[inner], opposite[inner + 1]
    along = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
    x1, y1 = _flat(points[one] - a, along)
    x2, y2 = _flat(points[other] - a, along)
    # The straight line between the corners has to cross the edge itself.
    crossing = x1 + (x2 - x1) * y1 / np.maximum(y1 + y2, 1e-12)
    valid = (crossing > 0) & (crossing < np.linalg.norm(b - a, axis=1))
    ends = np.sort(np.stack([one, other], axis=1)[valid], axis=1)
    return ends, np.hypot(x2 - x1, y1 + y2)[valid]


def _flat(corner: Array, along: Array) -> tuple[Array, Array]:
    """Coordinates of a corner along the edge and away from it."""
    x = (corner * along).sum(axis=1)
    return x, np.sqrt(np.maximum((corner**2).sum(axis=1) - x**2, 0.0))


def geodesic_distances(
    graph: "sparse.csr_array", sources: NDArray[np.int64], limit: float
) -> "sparse.csr_array":
    """Measure the way from sources to all vertices within reach.

    Parameters
    ----------
    graph
        Lengths between neighbours [mm], from `edge_graph`.
    sources
        Vertices to start from.
    limit
        Farthest distance that is wanted [mm].

    Returns
    -------
    scipy.sparse.csr_array, shape (sources, vertices)
        Distances [mm]; what is stored is within reach, the source itself with 0 included.
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    batches = []
    for start in range(0, len(sources), TOGETHER):
        part = sources[start : start + TOGETHER]
        found = csgraph.dijkstra(graph, directed=False, indices=part, limit=limit)
        row, column = np.nonzero(np.isfinite(found))
        batches.append(
            sparse.coo_array((found[row, column], (row, column)), shape=found.shape).tocsr()
        )
    return sparse.vstack(batches, format="csr")


def vertex_areas(surface: Surface) -> Array:
    """Return the area that belongs to each vertex: a third of its triangles [mm2]."""
    corners = surface.coordinates[surface.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share = np.linalg.norm(normal, axis=1) / 6
    return np.bincount(surface.triangles.ravel(), np.repeat(share, 3), len(surface.coordinates))
