"""Clusters of maps beyond a threshold, of one sign each: extent, and mass above the threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.shuffle.graph import Graph

__all__ = ["Clusters", "cluster_maxima", "find_clusters"]

Floats = NDArray[np.float64]


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

    map: NDArray[np.intp]
    sample: NDArray[np.intp]
    cluster: NDArray[np.intp]
    extent: Floats
    mass: Floats
    kind: NDArray[np.intp]
    of_map: NDArray[np.intp]


def find_clusters(maps: NDArray[np.floating], threshold: float, graph: Graph) -> Clusters:
    """Find the clusters of some maps.

    Only neighbours of samples beyond the threshold are looked at, all maps together.

    Parameters
    ----------
    maps
        Scores, shape (maps, samples); NaN is never beyond.
    threshold
        Samples of ``|score| > threshold`` count.
    graph
        Neighbours and sizes.
    """
    with np.errstate(invalid="ignore"):
        beyond = np.abs(maps) > threshold
    place = np.flatnonzero(beyond)
    row, sample = np.divmod(place, graph.samples)
    scores = maps.reshape(-1)[place].astype(np.float64)
    cluster = _connected(place, sample, scores > 0, beyond.reshape(-1), graph)
    found = int(cluster.max(initial=-1)) + 1
    size = graph.sizes[sample]
    extent, mass = (
        np.asarray(np.bincount(cluster, weights=weights, minlength=found), dtype=np.float64)
        for weights in (size, size * (np.abs(scores) - threshold))
    )
    kind, of_map = np.zeros(found, dtype=np.intp), np.zeros(found, dtype=np.intp)
    kind[cluster], of_map[cluster] = graph.kinds[sample], row
    return Clusters(row, sample, cluster, extent, mass, kind, of_map)


def cluster_maxima(
    maps: NDArray[np.floating], threshold: float, graph: Graph
) -> tuple[Floats, Floats]:
    """Return the largest extent and the largest mass of each map, both of shape (maps, kinds)."""
    found = find_clusters(maps, threshold, graph)
    extent, mass = np.zeros((2, len(maps), graph.n_kinds))
    np.maximum.at(extent, (found.of_map, found.kind), found.extent)
    np.maximum.at(mass, (found.of_map, found.kind), found.mass)
    return extent, mass


def _connected(
    place: NDArray[np.intp],
    sample: NDArray[np.intp],
    positive: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    graph: Graph,
) -> NDArray[np.intp]:
    """Label the components of the samples beyond; places count through all maps."""
    from scipy import sparse
    from scipy.sparse import csgraph

    first = graph.indptr[sample].astype(np.intp)
    degree = graph.indptr[sample + 1] - first
    here = np.repeat(np.arange(place.size), degree)
    within = np.arange(here.size) - np.repeat(np.cumsum(degree) - degree, degree)
    there = graph.indices[first[here] + within] + (place - sample)[here]
    later = (there > place[here]) & beyond[there]  # each pair once
    here = here[later]
    there = np.searchsorted(place, there[later])
    alike = positive[here] == positive[there]
    pairs = (np.ones(int(alike.sum()), dtype=np.int8), (here[alike], there[alike]))
    together = sparse.coo_array(pairs, shape=(place.size, place.size))
    return csgraph.connected_components(together, directed=False)[1].astype(np.intp)
