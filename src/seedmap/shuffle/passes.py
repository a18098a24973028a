"""The shuffles of a test, in blocks that stay in the processor's cache, in threads.

A *piece* is a range of shuffles: one thread goes through all samples with it and gives its
maxima, and how often each sample was reached. Pieces can be done anywhere, in any order: their
results are joined by the number of their first shuffle.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from threading import Lock

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from seedmap.shuffle.clusters import Beyond, Clusters, cluster_maxima, find_clusters
from seedmap.shuffle.draws import Plan
from seedmap.shuffle.graph import Graph
from seedmap.shuffle.nulls import TIES
from seedmap.shuffle.rows import Statistic
from seedmap.shuffle.tfce import check_tfce, tfce_maxima

__all__ = ["Null", "Shuffling", "join", "observed_clusters", "observed_r", "piece_size", "shuffle"]

Array = NDArray[np.float32]

# Rows x samples of one product: 128 x 1536 floats and their data stay in the cache of one core; a
# piece of fewer shuffles has more samples at once.
ROWS, SAMPLES = 128, 1536
# Shuffles of a piece: at most; where clusters are looked for, whose members are held; where TFCE
# is wanted, for which whole maps are held.
PIECE, MEMBERS, WHOLE_MAPS = 512, 128, 16
# A sum of float32 that would be 0 is off by this, whatever its terms add up to.
ROUNDING = np.float32(2e-7)
# Prepared data are kept when they take no more than this [bytes].
KEPT = 100e6


@dataclass(frozen=True, eq=False)
class Null:
    """What some shuffles gave.

    Attributes
    ----------
    start : int
        Number of the first shuffle.
    maxima : dict of str to ndarray, shape (shuffles, kinds)
        Of ``"r"`` (see `Shuffling.height`), ``"tfce"``, ``"extent"``, ``"mass"``.
    reached : ndarray of int32, shape (samples,)
        Shuffles in which |r| of a sample is at or above the observed.
    """

    start: int
    maxima: dict[str, NDArray[np.float64]]
    reached: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Shuffling:
    """A test to be done: a statistic, its shuffles, and what of each map is wanted.

    Attributes
    ----------
    statistic : Statistic
        `Pooled`, `Robust`, `Weighted` or `Skewed`.
    plan : Plan
        Which shuffles.
    graph : Graph or None
        Needed for clusters and TFCE; without it all samples are of one kind.
    tfce : bool
        Whether the maxima of TFCE are wanted.
    cluster_threshold : float or None
        Scores (`Scores.of`) beyond which samples form clusters; None for no clusters.
    """

    statistic: Statistic
    plan: Plan
    graph: Graph | None = None
    tfce: bool = False
    cluster_threshold: float | None = None
    kept: dict[int, tuple[Array, ...]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.statistic.scores.dof.size

    @cached_property
    def height_threshold(self) -> float:
        """The threshold of clusters in the unit of `height`."""
        assert self.cluster_threshold is not None
        scores = self.statistic.scores
        return (
            self.cluster_threshold if scores.common is None else scores.r_of(self.cluster_threshold)
        )

    @property
    def kinds(self) -> int:
        """Number of kinds of samples."""
        return 1 if self.graph is None else self.graph.n_kinds

    def height(self, size: Array, block: slice) -> Array:
        """Return what samples are compared by, of |r|: itself, or z where their dof differ."""
        scores = self.statistic.scores
        return size if scores.common is not None else scores.of(size, scores.dof[block])

    def data(self, block: slice) -> tuple[Array, ...]:
        """Return the prepared data of a block of samples, kept where there is space."""
        if block.start in self.kept:
            return self.kept[block.start]
        made = self.statistic.data(block)
        if self.samples * self.statistic.bytes_a_sample <= KEPT:
            self.kept[block.start] = made
        return made


def shuffle(
    test: Shuffling,
    span: tuple[int, int] | None = None,
    n_jobs: int = 1,
    on_done: Callable[[int], object] | None = None,
) -> Null:
    """Do the shuffles of a test, all or a range of them.

    Parameters
    ----------
    test
        What to do.
    span
        First shuffle, and the one after the last; None for all. Ranges that were done apart are
        joined by `join`.
    n_jobs
        Threads; the results do not depend on them.
    on_done
        Called with the number of shuffles done so far, from the thread that did the last of them.

    Returns
    -------
    Null

    Raises
    ------
    OptionError
        If TFCE is wanted and numba is not installed.
    """
    if test.tfce:
        check_tfce()
    begin, end = span or (0, test.plan.total)
    size = piece_size(test)
    reached, lock, done = np.zeros(test.samples, dtype=np.int32), Lock(), [0]

    def piece(start: int) -> dict[str, NDArray[np.float64]]:
        found = _piece(test, start, min(start + size, end), observed)
        with lock:  # counts are added up at once: there are many pieces
            np.add(reached, found.reached, out=reached)
            done[0] += min(size, end - start)
            if on_done is not None:
                on_done(done[0])
        return found.maxima

    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        observed = np.abs(observed_r(test))
        with ThreadPoolExecutor(n_jobs) as pool:
            maxima = list(pool.map(piece, range(begin, end, size)))
    return Null(
        begin, {name: np.concatenate([one[name] for one in maxima]) for name in maxima[0]}, reached
    )


def piece_size(test: Shuffling) -> int:
    """Return how many shuffles a piece has: ranges of whole pieces give the bits of one call."""
    return WHOLE_MAPS if test.tfce else MEMBERS if test.graph is not None else PIECE


def observed_r(test: Shuffling) -> Array:
    """Return r of the data as they are, shape (samples,), signed (0 or more for an F)."""
    rows = test.statistic.rows(test.plan.moves(0, 1))
    r = np.empty(test.samples, dtype=np.float32)
    for block in _blocks(test):
        out = np.empty((len(rows), 1, block.stop - block.start), dtype=np.float32)
        data = test.kept.get(block.start) or test.statistic.data(block)  # not kept for one row
        r[block] = test.statistic.r(rows, data, out)[0]
    return r


def _piece(test: Shuffling, start: int, stop: int, observed: Array) -> Null:
    """Do the shuffles ``start`` to ``stop - 1``; ``observed`` is |r| of the data as they are."""
    scores, number = test.statistic.scores, stop - start
    rows = test.statistic.rows(test.plan.moves(start, stop))
    maxima = np.zeros((number, test.kinds), dtype=np.float32)
    reached = np.zeros(test.samples, dtype=np.int32)
    maps = np.empty((number, test.samples), np.float32) if test.tfce else None
    members: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []
    batch = max(1, min(number, ROWS // len(rows)))
    space = np.empty((len(rows) + 1) * batch * _blocks(test)[0].stop, dtype=np.float32)
    spans = [slice(first, min(first + batch, number)) for first in range(0, number, batch)]
    batches = [(some, np.ascontiguousarray(rows[:, some])) for some in spans]
    for block in _blocks(test):
        data, wanted = test.data(block), observed[block] * np.float32(TIES) - ROUNDING
        for some, part in batches:
            shape = (len(rows) + 1, part.shape[1], block.stop - block.start)
            free = space[: prod(shape)].reshape(shape)
            r = test.statistic.r(part, data, free[:-1])
            if maps is not None:
                maps[some, block] = scores.of(r, scores.dof[block])
            size = np.abs(r, out=free[-1])
            _count(size, wanted, reached[block])
            height = test.height(size, block)
            _take(test, height, block, maxima[some])
            if test.cluster_threshold is not None:
                members.append(_beyond(test, r, height, (some.start, block)))
    return Null(
        start, {"r": maxima.astype(np.float64), **_of_maps(test, number, members, maps)}, reached
    )


def _count(size: Array, wanted: Array, reached: NDArray[np.int32]) -> None:
    """Count how often |r| reaches what is wanted, in not more than 255 shuffles."""
    above = np.greater_equal(size, wanted)
    reached += np.add.reduce(above.view(np.uint8), axis=0, dtype=np.uint8)


def _take(test: Shuffling, height: Array, block: slice, maxima: Array) -> None:
    """Raise the maxima of some shuffles to those of a block, by kind."""
    if test.kinds == 1:
        np.maximum(maxima[:, 0], height.max(axis=1), out=maxima[:, 0])
        return
    assert test.graph is not None
    kinds = test.graph.kinds[block]
    for kind in np.unique(kinds):
        of_kind = height[:, kinds == kind].max(axis=1)
        np.maximum(maxima[:, kind], of_kind, out=maxima[:, kind])


def _beyond(
    test: Shuffling, r: Array, height: Array, where: tuple[int, slice]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return places (shuffle times samples, plus sample) and scores of what is beyond."""
    scores, (first, block) = test.statistic.scores, where
    found = np.flatnonzero(height > np.float32(test.height_threshold))
    row, column = np.divmod(found, height.shape[1])
    column += block.start
    score = scores.of(r.reshape(-1)[found], scores.dof[column]).astype(np.float64)
    return np.asarray((first + row) * test.samples + column, dtype=np.intp), score


def _of_maps(
    test: Shuffling,
    number: int,
    members: list[tuple[NDArray[np.intp], NDArray[np.float64]]],
    maps: Array | None,
) -> dict[str, NDArray[np.float64]]:
    """Return the maxima of clusters and of TFCE."""
    found: dict[str, NDArray[np.float64]] = {}
    if test.graph is None:
        return found
    if test.cluster_threshold is not None:
        place, score = (np.concatenate(part) for part in zip(*members, strict=True))
        order = np.argsort(place)
        sets = Beyond(place[order], score[order], test.cluster_threshold)
        found["extent"], found["mass"] = cluster_maxima(sets, number, test.graph)
    if maps is not None:
        found["tfce"] = tfce_maxima(maps, test.graph)
    return found


def observed_clusters(test: Shuffling) -> Clusters | None:
    """Return the clusters of the data as they are; None where none are wanted."""
    if test.graph is None or test.cluster_threshold is None:
        return None
    r, whole = observed_r(test)[None], slice(0, test.samples)
    place, score = _beyond(test, r, test.height(np.abs(r), whole), (0, whole))
    return find_clusters(Beyond(place, score, test.cluster_threshold), test.graph)


def join(pieces: Sequence[Null]) -> Null:
    """Join what ranges of shuffles gave, in the order of the shuffles."""
    ordered = sorted(pieces, key=lambda one: one.start)
    maxima = {
        name: np.concatenate([one.maxima[name] for one in ordered]) for name in ordered[0].maxima
    }
    reached = sum((one.reached for one in ordered[1:]), start=ordered[0].reached)
    return Null(ordered[0].start, maxima, reached)


def _blocks(test: Shuffling) -> list[slice]:
    width = SAMPLES * max(1, ROWS // piece_size(test))
    return [slice(at, min(at + width, test.samples)) for at in range(0, test.samples, width)]
