"""Sets of lesions drawn at random, and what their mean maps look like.

The mean map of a set of lesions is one product with a factor of the group's mean correlation
matrix, however many lesions and people there are. So 1000 sets cost 1000 maps. A set is compared
with fresh sets, of lesions that no other set has: sets that share a pool of lesions are alike, and
a new set would differ from all of them by chance too often.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap.lesions.connectome import READ, Connectome
from seedmap.shuffle import corrected_p
from seedmap.shuffle.philox import philox

__all__ = [
    "Compared",
    "Factor",
    "Places",
    "compare_sets",
    "direction",
    "draw",
    "draw_set",
    "group_factor",
    "pooled_directions",
    "random_directions",
    "shape_of",
]

Array = NDArray[np.float32]
Index = NDArray[np.intp]

ALPHA = 0.05
# Directions that the factor is looked for in beyond those it keeps: its last ones are then right.
BEYOND = 10
# Of a lesion that is moved, this much must lie among the samples; after so many tries the best is taken.
INSIDE, TRIES = 0.95, 50


@dataclass(frozen=True, eq=False)
class Factor:
    """The mean correlation matrix R of a group of people in few directions: R = F F'.

    Attributes
    ----------
    rows : ndarray of float32, shape (samples, directions)
        F.
    share : float
        What F has of the variance of all samples.
    """

    rows: Array
    share: float


def group_factor(
    connectome: Connectome, share: float = 0.99, most: int = 320, seed: int = 0
) -> Factor:
    """Find the directions that have a share of the variance of a group's smoothed samples.

    Parameters
    ----------
    connectome
        The runs.
    share
        Of the variance of all samples.
    most
        Directions at most; the share that these have is said in the result.
    seed
        Of the random directions that it begins with.

    References
    ----------
    Halko, Martinsson and Tropp (2011), doi:10.1137/090771806.
    """
    samples, runs, coordinates = connectome.smooth.shape
    width = min(most + BEYOND, samples, runs * coordinates)
    random = np.random.default_rng(seed)
    start = random.standard_normal((runs * coordinates, width)).astype(np.float32)
    basis, _ = np.linalg.qr(_times(connectome, start))
    basis, _ = np.linalg.qr(_times(connectome, _transposed(connectome, basis)))
    left, size, _ = np.linalg.svd(_transposed(connectome, basis).T, full_matrices=False)
    variance = size.astype(np.float64) ** 2
    whole = float(np.concatenate([_variance(connectome, at) for at in _parts(samples)]).sum())
    reached = np.cumsum(variance) / whole
    rank = min(int(np.searchsorted(reached, share)) + 1, most, size.size)
    return Factor(basis @ (left[:, :rank] * size[:rank]), float(min(reached[rank - 1], 1.0)))


def direction(factor: Factor, lesions: Any) -> Array:
    """Return the mean direction of a set of lesions, shape (directions,); its map is ``rows @`` it.

    Parameters
    ----------
    factor
        Of the group.
    lesions
        Weights of samples, a SciPy sparse array of shape (lesions, samples).
    """
    mean: Array = _unit(lesions @ factor.rows).mean(axis=0)
    return mean


@dataclass(frozen=True, eq=False)
class Compared:
    """A set of lesions beside random sets; of shape (samples,).

    Attributes
    ----------
    mean : ndarray of float32
        Mean map of the random sets, r.
    z : ndarray of float32
        Difference of the set's map from it, over the standard deviation of the sets.
    p : ndarray of float64
        Two-sided, corrected for all samples by the largest |z| of each set.
    """

    mean: Array
    z: Array
    p: NDArray[np.float64]

    @property
    def found(self) -> int:
        """Number of samples with a p of at most .05."""
        return int((self.p <= ALPHA).sum())


def compare_sets(factor: Factor, mine: Array, sets: Array) -> Compared:
    """Compare the mean map of a set of lesions with those of random sets.

    Parameters
    ----------
    factor
        Of the group.
    mine
        Direction of the set, shape (directions,).
    sets
        Directions of the random sets, shape (sets, directions).

    Returns
    -------
    Compared
        The set itself is one of those whose mean and standard deviation count, so that all are
        alike under the null and p is exact.
    """
    every = np.vstack([mine, sets]).astype(np.float32)
    samples = len(factor.rows)
    mean, z = np.empty(samples, np.float32), np.empty(samples, np.float32)
    largest = np.zeros(len(every), np.float32)
    for part in _parts(samples):
        maps = every @ factor.rows[part].T
        centre, spread = maps.mean(axis=0), maps.std(axis=0)
        maps -= centre
        maps /= np.where(spread > 0, spread, np.inf)
        np.maximum(largest, np.abs(maps).max(axis=1), out=largest)
        mean[part], z[part] = centre, maps[0]
    return Compared(mean, z, corrected_p(np.abs(z), largest))


@dataclass(frozen=True, eq=False)
class Places:
    """Where lesions can be put.

    Attributes
    ----------
    number : ndarray of int, shape of the box with ``margin`` voxels around it
        Number of the sample of each voxel, -1 where there is none.
    margin : int
        As wide as the box: lesions that are moved over its edge lose what is there.
    voxels : ndarray of int, shape (samples, 3)
        Voxel of each sample in the box.
    summed : ndarray, shape (samples,)
        Probability that the centre of a lesion is at a sample, summed up.
    """

    number: Index
    margin: int
    voxels: Index
    summed: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        prior: NDArray[np.floating] | None = None,
        reach: int | None = None,
    ) -> "Places":
        """Make it of a mask.

        Parameters
        ----------
        mask
            Shape of the box, True for samples.
        prior
            How often lesions have their centre at each sample, shape (samples,); None: all alike.
        reach
            Voxels between the centre of a lesion and its farthest end; None: the whole box.
        """
        margin = max(mask.shape) if reach is None else reach
        voxels = np.argwhere(mask)
        number = np.full(np.array(mask.shape) + 2 * margin, -1, dtype=np.intp)
        number[tuple((voxels + margin).T)] = np.arange(len(voxels))
        weight = np.ones(len(voxels)) if prior is None else np.asarray(prior, np.float64)
        return cls(number, margin, voxels, np.cumsum(weight / weight.sum()))

    def moved(self, shape: Index, centres: Index) -> Index:
        """Return the samples of a lesion at some centres, shape (centres, voxels); -1 for lost ones."""
        steps = np.array(self.number.strides) // self.number.itemsize
        at = (self.voxels[centres] + self.margin) @ steps
        return self.number.ravel()[at[:, None] + shape @ steps]


def shape_of(places: Places, samples: Index) -> Index:
    """Return the voxels of a lesion relative to that nearest to their mean, shape (voxels, 3)."""
    at = places.voxels[samples]
    nearest = at[((at - at.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return at - nearest


def draw(places: Places, shape: Index, item: int, seed: int, sets: ArrayLike) -> Any:
    """Put a lesion somewhere for each of some sets, by the prior, with nearly all of it inside.

    Parameters
    ----------
    places
        Where lesions can be put.
    shape
        Of `shape_of`.
    item
        Number of the lesion in each set.
    seed, sets
        Key of the generator: a lesion is the same whatever else is drawn.

    Returns
    -------
    sparse array, shape (sets, samples)
        1 in the lesion.
    """
    import scipy.sparse as sp

    sets = np.asarray(sets)
    best = np.full((sets.size, len(shape)), -1, dtype=np.intp)
    left = np.arange(sets.size)
    for number in range(TRIES):
        uniform = _uniform(seed, sets[left], item * TRIES + number) * places.summed[-1]
        centres = np.searchsorted(places.summed, uniform, side="right")
        found = places.moved(shape, np.minimum(centres, places.summed.size - 1))
        better = (found >= 0).sum(axis=1) > (best[left] >= 0).sum(axis=1)
        best[left[better]] = found[better]
        left = left[(best[left] >= 0).sum(axis=1) < INSIDE * len(shape)]
        if not left.size:
            break
    inside = best >= 0
    ends = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    ones = np.ones(ends[-1], np.float32)
    return sp.csr_array((ones, best[inside], ends), shape=(sets.size, len(places.voxels)))


def draw_set(places: Places, shapes: Sequence[Index], seed: int, number: int) -> Any:
    """Draw the lesions of set ``number``: a sparse array of shape (lesions, samples); see `draw`."""
    import scipy.sparse as sp

    return sp.vstack(
        [draw(places, shape, item, seed, [number]) for item, shape in enumerate(shapes)],
        format="csr",
    )


def random_directions(
    factor: Factor, places: Places, shapes: Sequence[Index], seed: int, sets: ArrayLike
) -> Array:
    """Return the mean directions of random sets, each of lesions of its own, shape (sets, directions).

    Parameters
    ----------
    factor
        Of the group.
    places, shapes
        Where lesions can be put, and those that are.
    seed, sets
        Seed of the generator, and numbers of the sets.
    """
    found = np.zeros((np.size(sets), factor.rows.shape[1]), np.float32)
    for item, shape in enumerate(shapes):
        found += _unit(draw(places, shape, item, seed, sets) @ factor.rows)
    return found / np.float32(len(shapes))


def pooled_directions(
    factor: Factor, places: Places, shapes: Sequence[Index], seed: int, sets: int, each: int = 30
) -> Array:
    """Return the mean directions of sets that are drawn from one pool of lesions: a control.

    Such sets have lesions in common and are too alike, so that other sets differ from them by
    chance too often.

    Parameters
    ----------
    factor, places, shapes, seed
        As for `random_directions`.
    sets
        How many.
    each
        Lesions of each shape in the pool; a set has as many as there are shapes.

    Returns
    -------
    ndarray, shape (sets, directions)
    """
    drawn = [
        _unit(draw(places, shape, item, seed, np.arange(each)) @ factor.rows)
        for item, shape in enumerate(shapes)
    ]
    pool = np.concatenate(drawn)
    random = np.random.default_rng(seed)
    chosen = [random.choice(len(pool), len(shapes), replace=False) for _ in range(sets)]
    return np.stack([pool[one].mean(axis=0) for one in chosen])


def _uniform(seed: int, sets: Index, item: int) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each set."""
    k = sets.astype(np.uint64)
    zero = np.zeros_like(k)
    high, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    key = (np.uint64(seed) & low, np.uint64(seed) >> high)
    first, second, _, _ = philox((zero + np.uint64(item), zero, k & low, k >> high), key)
    uniform: NDArray[np.float64] = (first << high | second).astype(np.float64) / 2.0**64
    return uniform


def _unit(rows: Array) -> Array:
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)


def _parts(samples: int) -> list[slice]:
    return [slice(at, min(at + READ, samples)) for at in range(0, samples, READ)]


def _block(connectome: Connectome, part: slice) -> Array:
    """Return smoothed samples over all runs, each person counting 1, (some, runs x coordinates)."""
    scale = connectome.smooth_scale[part] * np.sqrt(connectome.shares_of_runs(part).T)
    there = np.add.reduceat(connectome.smooth_scale[part] > 0, connectome.first, axis=1) > 0
    scale /= np.sqrt(np.maximum(there.sum(axis=1), 1))[:, None]
    rows = connectome.smooth[part] * scale[:, :, None].astype(np.float32)
    return rows.reshape(len(rows), -1)


def _variance(connectome: Connectome, part: slice) -> NDArray[np.float64]:
    return np.asarray((_block(connectome, part) ** 2).sum(axis=1, dtype=np.float64))


def _times(connectome: Connectome, right: Array) -> Array:
    """Return Y times something of shape (runs x coordinates, columns)."""
    parts = _parts(connectome.samples)
    return np.concatenate([_block(connectome, part) @ right for part in parts])


def _transposed(connectome: Connectome, right: Array) -> Array:
    """Return Y' times something of shape (samples, columns)."""
    found = np.zeros((np.prod(connectome.smooth.shape[1:]), right.shape[1]), np.float32)
    for part in _parts(connectome.samples):
        found += _block(connectome, part).T @ right[part]
    return found
