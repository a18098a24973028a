"""Sets of lesions drawn at random, and what their mean maps look like.

The mean map of a set of lesions is one product with a factor of the group's mean correlation
matrix, however many lesions and people there are. So 1000 sets cost 1000 maps. A set is compared
with fresh sets, of lesions that no other set has: sets that share a pool of lesions are alike, and
a new set would differ from all of them by chance too often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.lesions.connectome import READ, Connectome
from seedmap.shuffle import corrected_p

__all__ = ["Compared", "Factor", "Places", "compare_sets", "direction", "draw_set", "group_factor"]

Array = NDArray[np.float32]
Index = NDArray[np.intp]

# Directions that the factor is looked for in beyond those it keeps: its last ones are then right.
BEYOND = 10
# Of a lesion that is moved, this much must stay among the samples; tries until the best is taken.
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
    each = lesions @ factor.rows
    size = np.linalg.norm(each, axis=1, keepdims=True)
    mean: Array = np.divide(each, size, out=np.zeros_like(each), where=size > 0).mean(axis=0)
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
    number : ndarray of int, shape of the box
        Number of the sample of each voxel, -1 where there is none.
    voxels : ndarray of int, shape (samples, 3)
        Voxel of each sample.
    prior : ndarray, shape (samples,)
        Probability of each sample to be a lesion's centre; sums to 1.
    """

    number: Index
    voxels: Index
    prior: NDArray[np.float64]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], prior: NDArray[np.floating] | None = None) -> "Places":
        """Make it of a mask and, for its samples, how often lesions are there; None: all alike."""
        number = np.full(mask.shape, -1, dtype=np.intp)
        voxels = np.argwhere(mask)
        number[mask] = np.arange(len(voxels))
        weight = np.ones(len(voxels)) if prior is None else np.asarray(prior, np.float64)
        return cls(number, voxels, weight / weight.sum())

    def moved(self, shape: Index, centre: int) -> Index:
        """Return the samples of a lesion with its centre at a sample; voxels without one are lost."""
        at = self.voxels[centre] + shape
        inside = ((at >= 0) & (at < self.number.shape)).all(axis=1)
        found = self.number[tuple(at[inside].T)]
        return found[found >= 0]


def shape_of(places: Places, samples: Index) -> Index:
    """Return the voxels of a lesion relative to that nearest to their mean, shape (voxels, 3)."""
    at = places.voxels[samples]
    nearest = at[((at - at.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return at - nearest


def draw_set(places: Places, shapes: Sequence[Index], seed: int, number: int) -> Any:
    """Draw set ``number`` of lesions: each shape at a place of its own, by the prior.

    Parameters
    ----------
    places
        Where lesions can be put.
    shapes
        Of the lesions, of `shape_of`.
    seed, number
        Key of the generator: a set is the same whatever sets are drawn beside it.

    Returns
    -------
    sparse array, shape (lesions, samples)
        1 in the lesion.
    """
    import scipy.sparse as sp

    random = np.random.default_rng([seed, number])
    centres = _Draws(random, np.cumsum(places.prior))
    rows = [_placed(places, shape, centres) for shape in shapes]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    flat = np.concatenate(rows)
    ones = np.ones(flat.size, np.float32)
    return sp.csr_array((ones, flat, ends), shape=(len(shapes), len(places.voxels)))


@dataclass
class _Draws:
    """Centres by the prior, one after the other."""

    random: np.random.Generator
    summed: NDArray[np.float64]

    def __call__(self) -> int:
        at = np.searchsorted(self.summed, self.random.random() * self.summed[-1], side="right")
        return int(min(at, self.summed.size - 1))


def _placed(places: Places, shape: Index, centre: Callable[[], int]) -> Index:
    """Put a shape where nearly all of it lies among the samples; else where most of it did."""
    best = places.moved(shape, centre())
    for _ in range(TRIES):
        if len(best) >= INSIDE * len(shape):
            break
        other = places.moved(shape, centre())
        best = other if len(other) > len(best) else best
    return best


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
