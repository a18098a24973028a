"""Peaks: samples that no adjacent one exceeds, at a distance from each other."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.spatial.adjacency import Adjacency

__all__ = ["APART", "local_maxima", "spaced"]

# How far apart two peaks of one cluster are at least [mm], as in nilearn's table of clusters.
APART = 8.0


def local_maxima(graph: Adjacency, strength: Array, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which samples no adjacent sample of their own group exceeds.

    Parameters
    ----------
    graph
        Which samples are adjacent.
    strength
        What is compared, shape (samples,), finite.
    groups
        The number of each sample's group, shape (samples,); -1 for none.

    Returns
    -------
    ndarray of bool, shape (samples,)
        All of a plateau, none of what is in no group.
    """
    tops = groups >= 0
    one, other = graph.pairs[groups[graph.pairs[:, 0]] == groups[graph.pairs[:, 1]]].T
    tops[one[strength[one] < strength[other]]] = False
    tops[other[strength[other] < strength[one]]] = False
    return tops


def spaced(samples: Iterable[int], places: Array, most: int, apart: float = APART) -> list[int]:
    """Choose samples in the given order, each some distance from all that were chosen before.

    Parameters
    ----------
    samples
        Numbers of rows of ``places``, the strongest first.
    places
        Where each sample lies [mm], shape (samples, 3).
    most
        How many are chosen at most.
    apart
        The least distance [mm].
    """
    chosen: list[int] = []
    for sample in samples:
        if len(chosen) == most:
            break
        away = np.linalg.norm(places[chosen] - places[sample], axis=1)
        if (away >= apart).all():
            chosen.append(int(sample))
    return chosen
