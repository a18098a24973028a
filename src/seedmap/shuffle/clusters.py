"""Clusters of maps beyond a threshold, of one sign each: extent, and mass above the threshold.

Of a map only the samples beyond the threshold are kept, with their neighbours looked up among them:
they are 0.1 to 1 % of all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.shuffle.graph import Graph

__all__ = ["Beyond", "Clusters", "beyond", "cluster_maxima", "find_clusters"]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Beyond:
    """Samples of some maps beyond a threshold.

    Attributes
    ----------
    place : ndarray of int, shape (members,)
        Map times the number of samples, plus the sample; ascending.
    score : ndarray, shape (members,)
        With its sign.
    threshold : float
        That all ``|score|`` are above.
    """

    place: Index
    score: Floats
    threshold: float


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of some maps.

    Attributes
    ----------
    map, sample : ndarray of int, shape (members,)
        Where the samples beyond the threshold lie.
    cluster : ndarray of int, shape (members,)
        Number of the cluster each belongs to, from 0.
    extent, mass : ndarray, shape (clusters,)
        Size, and sum over samples of (|score| - threshold) times size.
    kind, of_map : ndarray of int, shape (clusters,)
        Kind of the samples, and the map.
    """

    map: Index
    sample: Index
    cluster: Index
    extent: Floats
    mass: Floats
    kind: Index
    of_map: Index


def beyond(maps: NDArray[np.floating], threshold: float) -> Beyond:
    """Return the samples of ``|score| > threshold`` of maps of shape (maps, samples); NaN is none."""
    with np.errstate(invalid="ignore"):
        place = np.flatnonzero(np.abs(maps) > threshold)
    return Beyond(place, maps.reshape(-1)[place].astype(np.float64), threshold)


def find_clusters(members: Beyond, graph: Graph) -> Clusters:
    """Find the clusters of some maps, all maps together.

    Parameters
    ----------
    members
        Samples beyond a threshold.
    graph
        Neighbours and sizes.
    """
    row, sample = np.divmod(members.place, graph.samples)
    cluster = _connected(members.place, sample, members.score > 0, graph)
    found = int(cluster.max(initial=-1)) + 1
    size = graph.sizes[sample]
    extent, mass = (
        np.asarray(np.bincount(cluster, weights=weights, minlength=found), dtype=np.float64)
        for weights in (size, size * (np.abs(members.score) - members.threshold))
    )
    kind, of_map = np.zeros(found, dtype=np.intp), np.zeros(found, dtype=np.intp)
    kind[cluster], of_map[cluster] = graph.kinds[sample], row
    return Clusters(row, sample, cluster, extent, mass, kind, of_map)


def cluster_maxima(members: Beyond, number: int, graph: Graph) -> tuple[Floats, Floats]:
    """Return the largest extent and the largest mass of each map, both of shape (number, kinds)."""
    found = find_clusters(members, graph)
    extent, mass = np.zeros((2, number, graph.n_kinds))
    np.maximum.at(extent, (found.of_map, found.kind), found.extent)
    np.maximum.at(mass, (found.of_map, found.kind), found.mass)
    return extent, mass


def _connected(place: Index, sample: Index, positive: NDArray[np.bool_], graph: Graph) -> Index:
    """Label the components of the samples beyond; places count through all maps."""
    from scipy import sparse
    from scipy.sparse import csgraph

    if not place.size:
        return np.zeros(0, dtype=np.intp)
    first = graph.indptr[sample].astype(np.intp)
    degree = graph.indptr[sample + 1] - first
    here = np.repeat(np.arange(place.size), degree)
    within = np.arange(here.size) - np.repeat(np.cumsum(degree) - degree, degree)
    neighbour = graph.indices[first[here] + within]
    later = neighbour > sample[here]  # each pair once
    here = here[later]
    wanted = neighbour[later] + (place - sample)[here]
    there = np.minimum(np.searchsorted(place, wanted), place.size - 1)
    touch = (place[there] == wanted) & (positive[here] == positive[there])
    pairs = (np.ones(int(touch.sum()), dtype=np.int8), (here[touch], there[touch]))
    together = sparse.coo_array(pairs, shape=(place.size, place.size))
    return csgraph.connected_components(together, directed=False)[1].astype(np.intp)
