"""The shuffles of a test, in blocks that stay in the processor's cache, in threads.

A *piece* is a range of shuffles. Pieces can be done anywhere, in any order, with the same bits: their
results are joined by the number of their first shuffle. Here some pieces make a *turn*: each thread
goes through stripes of samples with all shuffles of the turn, so that data are prepared once for
them, and clusters and TFCE follow from what the stripes leave.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import prod

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from seedmap._arrays import release
from seedmap.shuffle.clusters import Beyond, Clusters, cluster_maxima, find_clusters
from seedmap.shuffle.draws import Plan
from seedmap.shuffle.graph import Graph
from seedmap.shuffle.nulls import TIES
from seedmap.shuffle.rows import Statistic
from seedmap.shuffle.tfce import check_tfce, tfce_maxima

__all__ = ["Null", "Shuffling", "join", "observed_clusters", "observed_r", "piece_size", "shuffle"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
# Places (shuffle times samples, plus sample) and scores of what is beyond a threshold.
Members = tuple[NDArray[np.intp], Floats]

# Rows x samples of one product: 128 x 1536 floats and their data stay in the cache of one core; a
# piece of fewer shuffles has more samples at once.
ROWS, SAMPLES = 128, 1536
# Shuffles of a piece: at most; where clusters are looked for, whose members are held; where TFCE
# is wanted, for which whole maps are held.
PIECE, MEMBERS, WHOLE_MAPS = 512, 128, 8
# Shuffles for which the data are prepared once; with TFCE, one piece a thread.
TURN = 1024
# Shares of the samples a thread has in a turn; maps whose TFCE is one task.
STRIPES, TREES = 4, 4
# A sum of float32 that would be 0 is off by this, whatever its terms add up to.
ROUNDING = np.float32(2e-7)
# Most prepared data that are kept from turn to turn, if the maps lie in memory, too [bytes].
KEPT = 40e6


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

    @property
    def most_kept(self) -> float:
        """Most prepared data that are kept [bytes]: of maps in a file, as much as they take."""
        maps = self.statistic.maps
        return KEPT if getattr(maps, "_mmap", None) is None else 1.1 * maps.nbytes

    def data(self, block: slice, *, keep: bool = True) -> tuple[Array, ...]:
        """Return the prepared data of a block of samples, kept where there is space."""
        if block.start in self.kept:
            return self.kept[block.start]
        made = self.statistic.data(block)
        release(self.statistic.maps)
        size = (block.stop - block.start) * self.statistic.bytes_a_sample
        if keep and (len(self.kept) + 1) * size <= self.most_kept:
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
        Called with the number of shuffles done so far.

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
    step = piece_size(test) * (n_jobs if test.tfce else max(1, TURN // piece_size(test)))
    reached = np.zeros(test.samples, dtype=np.int32)
    found = []
    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(n_jobs) as pool,
    ):
        wanted = np.abs(observed_r(test, keep=True)) * np.float32(TIES) - ROUNDING
        for start in range(begin, end, step):
            stop = min(start + step, end)
            batches = _batches(test, start, stop, pool)
            found.append(_turn(test, batches, (wanted, reached), pool, STRIPES * n_jobs))
            if on_done is not None:
                on_done(stop - begin)
    return Null(
        begin, {name: np.concatenate([one[name] for one in found]) for name in found[0]}, reached
    )


@dataclass(frozen=True, eq=False)
class _Batch:
    """Shuffles that are multiplied at once: of piece ``piece``, which begins at shuffle ``begin`` of a turn."""

    rows: Array
    piece: int
    begin: int
    inside: int

    @property
    def place(self) -> slice:
        """Where the shuffles lie in their turn."""
        first = self.begin + self.inside
        return slice(first, first + self.rows.shape[1])


def piece_size(test: Shuffling) -> int:
    """Return how many shuffles a piece has: ranges of whole pieces give the bits of one call."""
    return WHOLE_MAPS if test.tfce else MEMBERS if test.graph is not None else PIECE


def observed_r(test: Shuffling, *, keep: bool = False) -> Array:
    """Return r of the data as they are, shape (samples,), signed (0 or more for an F).

    Prepared data are kept if shuffles follow.
    """
    rows = test.statistic.rows(test.plan.moves(0, 1))
    r = np.empty(test.samples, dtype=np.float32)
    for block in _blocks(test):
        out = np.empty((len(rows), 1, block.stop - block.start), dtype=np.float32)
        r[block] = test.statistic.r(rows, test.data(block, keep=keep), out)[0]
    return r


def _batches(test: Shuffling, start: int, stop: int, pool: ThreadPoolExecutor) -> list["_Batch"]:
    """Return the rows of some shuffles, in batches that are multiplied at once."""
    size = piece_size(test)

    def piece(first: int) -> list[_Batch]:
        rows = test.statistic.rows(test.plan.moves(first, min(first + size, stop)))
        batch = max(1, min(rows.shape[1], ROWS // len(rows)))
        edges = range(batch, rows.shape[1], batch)
        parts = [np.ascontiguousarray(part) for part in np.split(rows, edges, axis=1)]
        number = (first - start) // size
        return [_Batch(part, number, first - start, at * batch) for at, part in enumerate(parts)]

    return [batch for some in pool.map(piece, range(start, stop, size)) for batch in some]


def _turn(
    test: Shuffling,
    batches: Sequence[_Batch],
    counts: tuple[Array, NDArray[np.int32]],
    pool: ThreadPoolExecutor,
    stripes: int,
) -> dict[str, NDArray[np.float64]]:
    """Do some pieces: products by stripes of samples, then clusters and TFCE by shuffles."""
    last = batches[-1]
    number = last.place.stop
    maps = np.empty((number, test.samples), np.float32) if test.tfce else None
    blocks = _blocks(test)
    share = -(-len(blocks) // stripes)
    parts = [blocks[at : at + share] for at in range(0, len(blocks), share)]
    found = list(pool.map(lambda some: _stripe(test, batches, some, counts, maps), parts))
    maxima = {"r": np.maximum.reduce([r for r, _ in found]).astype(np.float64)}
    if test.graph is None:
        return maxima
    if test.cluster_threshold is not None:
        pieces = [[one for _, stripe in found for one in stripe[k]] for k in range(last.piece + 1)]
        each = list(pool.map(partial(_clusters, test), pieces))
        extent, mass = (np.concatenate(one)[:number] for one in zip(*each, strict=True))
        maxima |= {"extent": extent, "mass": mass}
    if maps is not None:
        some = np.split(maps, range(TREES, number, TREES))
        maxima["tfce"] = np.concatenate(
            list(pool.map(partial(tfce_maxima, graph=test.graph), some))
        )
    return maxima


def _stripe(
    test: Shuffling,
    batches: Sequence[_Batch],
    blocks: Sequence[slice],
    counts: tuple[Array, NDArray[np.int32]],
    maps: Array | None,
) -> tuple[Array, list[list[Members]]]:
    """Do some shuffles at some samples.

    Return the maxima and, by piece, what is beyond the threshold of clusters; fill ``maps``, and add
    to the counts of how often what is wanted was reached.
    """
    scores, last = test.statistic.scores, batches[-1]
    maxima = np.zeros((last.place.stop, test.kinds), dtype=np.float32)
    members: list[list[Members]] = [[] for _ in range(last.piece + 1)]
    rows, most, _ = batches[0].rows.shape
    space = np.empty((rows + 1) * most * (blocks[0].stop - blocks[0].start), dtype=np.float32)
    for block in blocks:
        data, wanted, reached = test.data(block), counts[0][block], counts[1][block]
        for batch in batches:
            shape = (rows + 1, batch.rows.shape[1], block.stop - block.start)
            free = space[: prod(shape)].reshape(shape)
            r = test.statistic.r(batch.rows, data, free[:-1])
            if maps is not None:
                maps[batch.place, block] = scores.of(r, scores.dof[block])
            size = np.abs(r, out=free[-1])
            _count(size, wanted, reached)
            height = test.height(size, block)
            _take(test, height, block, maxima[batch.place])
            if test.cluster_threshold is not None:
                members[batch.piece].append(_beyond(test, r, height, (batch.inside, block)))
    return maxima, members


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


def _beyond(test: Shuffling, r: Array, height: Array, where: tuple[int, slice]) -> Members:
    """Return what is beyond the threshold of clusters, its shuffles counted from ``where`` on."""
    scores, (first, block) = test.statistic.scores, where
    found = np.flatnonzero(height > np.float32(test.height_threshold))
    row, column = np.divmod(found, height.shape[1])
    column += block.start
    score = scores.of(r.reshape(-1)[found], scores.dof[column]).astype(np.float64)
    return np.asarray((first + row) * test.samples + column, dtype=np.intp), score


def _clusters(test: Shuffling, members: Sequence[Members]) -> tuple[Floats, Floats]:
    """Return the largest extent and mass of each shuffle of a piece, as if it were a whole one."""
    assert test.graph is not None
    assert test.cluster_threshold is not None
    place, score = (np.concatenate(part) for part in zip(*members, strict=True))
    order = np.argsort(place)
    sets = Beyond(place[order], score[order], test.cluster_threshold)
    return cluster_maxima(sets, piece_size(test), test.graph)


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
