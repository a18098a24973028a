"""Connectivity of lesions in the runs of healthy people: arrays in, arrays out.

A lesion is a set of samples, and its map the correlation of its mean series in somebody's run with
every sample. What tests and pages need of lesions x people x samples are two sums over it: the mean
over people of each lesion's Fisher transforms, and over lesions, by their weights, of each
person's. Both are made a few samples at a time, and nothing of that size exists.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from seedmap._arrays import LARGEST_R

__all__ = ["Connectome", "LesionMaps", "lesion_series", "mean_maps", "shares"]

Array = NDArray[np.float32]

# Samples of one product, always: sums over other blocks would differ in their last bits.
BLOCK = 256
# Samples whose unsmoothed rows are read at once.
READ = 1024


@dataclass(frozen=True, eq=False)
class Connectome:
    """Cleaned runs of people in coordinates in which inner products are those over frames.

    Attributes
    ----------
    smooth : ndarray of int16 or float32, shape (samples, runs, coordinates)
        Smoothed samples; of unit norm when multiplied by their scale.
    smooth_scale : ndarray of float32, shape (samples, runs)
        0 where a run lacks the sample.
    plain, plain_scale : ndarray
        The same not smoothed, of which lesions are the mean.
    person : ndarray of int, shape (runs,)
        Person of each run, ascending from 0: runs of one person stand beside each other.
    weight : ndarray of float64, shape (runs,)
        What a run counts among those of its person.
    """

    smooth: NDArray[Any]
    smooth_scale: Array
    plain: NDArray[Any]
    plain_scale: Array
    person: NDArray[np.intp]
    weight: NDArray[np.float64]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.smooth.shape[0]

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.person[-1]) + 1

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """First run of each person, shape (people,)."""
        return np.flatnonzero(np.diff(self.person, prepend=-1))

    def some(self, people: NDArray[np.bool_]) -> "Connectome":
        """Return the runs of some people; the large arrays are copied unless these are all."""
        if people.all():
            return self
        runs = people[self.person]
        _, person = np.unique(self.person[runs], return_inverse=True)
        return Connectome(
            self.smooth[:, runs],
            self.smooth_scale[:, runs],
            self.plain[:, runs],
            self.plain_scale[:, runs],
            person,
            self.weight[runs],
        )

    def rows(self, part: slice) -> tuple[Array, Array]:
        """Return some smoothed samples (runs, coordinates, some) and their scale (runs, some)."""
        turned = self.smooth[part].transpose(1, 2, 0).astype(np.float32, order="C")
        return turned, np.ascontiguousarray(self.smooth_scale[part].T)

    def shares_of_runs(self, part: slice) -> NDArray[np.float64]:
        """Return what each run counts among its person's that have a sample, shape (runs, some)."""
        weight = self.weight[:, None] * (self.smooth_scale[part].T > 0)
        whole = np.add.reduceat(weight, self.first, axis=0)[self.person]
        return np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)


@dataclass(frozen=True, eq=False)
class LesionMaps:
    """What came of lesions and people.

    Attributes
    ----------
    mean : ndarray of float32, shape (lesions, samples)
        Mean over people of the Fisher transforms; NaN where nobody has the sample.
    t : ndarray of float32, shape (lesions, samples), or None
        One-sample t over the people; NaN where fewer than two have the sample.
    people : ndarray of float32, shape (people, samples), or None
        Sum over the lesions of each person's Fisher transforms times the weights of the lesions;
        NaN where a person lacks the sample.
    """

    mean: Array
    t: Array | None
    people: Array | None


def shares(connectome: Connectome, lesions: Any) -> NDArray[np.float64]:
    """Return the share of each lesion of which each run has samples, shape (runs, lesions).

    Parameters
    ----------
    connectome
        The runs.
    lesions
        Weights of samples, a SciPy sparse array of shape (lesions, samples); each row is of a sum
        above 0.
    """
    has = (connectome.plain_scale > 0).astype(np.float64)
    whole = np.asarray(lesions.sum(axis=1)).ravel()
    found: NDArray[np.float64] = (lesions @ has).T / whole
    return found


def lesion_series(connectome: Connectome, lesions: Any) -> Array:
    """Extract the mean series of lesions from the unsmoothed runs.

    Parameters
    ----------
    connectome
        The runs.
    lesions
        Weights of samples, a SciPy sparse array of shape (lesions, samples). Samples that a run
        lacks count for nothing.

    Returns
    -------
    ndarray of float32, shape (runs, lesions, coordinates)
        Of unit norm; NaN where a run has no sample of a lesion.
    """
    import scipy.sparse as sp

    columns = sp.csc_array(lesions)
    used = np.flatnonzero(np.diff(columns.indptr))
    _, runs, coordinates = connectome.plain.shape
    found = np.zeros((columns.shape[0], runs * coordinates))
    for at in range(0, used.size, READ):
        some = used[at : at + READ]
        rows = connectome.plain[some] * connectome.plain_scale[some][:, :, None]
        found += columns[:, some] @ rows.reshape(some.size, -1).astype(np.float64)
    series = found.reshape(-1, runs, coordinates).transpose(1, 0, 2)
    size = np.linalg.norm(series, axis=2, keepdims=True)
    size[size == 0] = np.nan
    return np.ascontiguousarray(series / size, dtype=np.float32)


def mean_maps(
    connectome: Connectome,
    series: Array,
    weights: NDArray[np.floating] | None = None,
    *,
    t: bool = False,
    n_jobs: int = 1,
) -> LesionMaps:
    """Correlate lesions with every sample of every run, and sum over people and over lesions.

    Parameters
    ----------
    connectome
        The runs.
    series
        Of the lesions, of unit norm, shape (runs, lesions, coordinates).
    weights
        What each lesion counts at each sample in the sum over lesions, shape (lesions, samples);
        None for no such sum.
    t
        Whether t over people is wanted.
    n_jobs
        Threads; the results do not depend on them, to the bit.

    Returns
    -------
    LesionMaps
    """
    lesions, samples = series.shape[1], connectome.samples
    mean = np.empty((lesions, samples), np.float32)
    over_people = np.empty_like(mean) if t else None
    people = None if weights is None else np.empty((connectome.people, samples), np.float32)

    def block(start: int) -> None:
        part = slice(start, min(start + BLOCK, samples))
        fisherz = _fisherz(connectome, series, part)
        there = np.add.reduceat(connectome.smooth_scale[part].T > 0, connectome.first) > 0
        count = connectome.shares_of_runs(part)
        n = there.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean[:, part] = np.einsum("rb,rlb->lb", count, fisherz) / n
            if over_people is not None:
                spread = _spread(connectome, count, fisherz, mean[:, part])
                over_people[:, part] = mean[:, part] * np.sqrt(n * (n - 1) / spread)
        if people is not None and weights is not None:
            each = np.einsum("lb,rlb->rb", weights[:, part].astype(np.float32), fisherz)
            sums = count * each
            people[:, part] = np.where(there, np.add.reduceat(sums, connectome.first), np.nan)

    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(n_jobs) as pool,
    ):
        list(pool.map(block, range(0, samples, BLOCK)))  # raises what a block raised
    return LesionMaps(mean, over_people, people)


def _fisherz(connectome: Connectome, series: Array, part: slice) -> Array:
    """Return Fisher transforms (runs, lesions, some); 0 where a run lacks the sample."""
    rows, scale = connectome.rows(part)
    r: Array = np.matmul(series, rows)
    r *= scale[:, None, :]
    np.clip(r, -LARGEST_R, LARGEST_R, out=r)
    return np.arctanh(r, out=r)


def _spread(
    connectome: Connectome, count: NDArray[np.float64], fisherz: Array, mean: Array
) -> NDArray[np.float64]:
    """Return the sum over people of squared differences from the mean, shape (lesions, some)."""
    there = (count > 0).astype(np.float64)
    mine = np.add.reduceat(fisherz * count[:, None, :], connectome.first, axis=0)
    there = np.maximum.reduceat(there, connectome.first, axis=0)[:, None, :]
    found: NDArray[np.float64] = (there * (mine - mean) ** 2).sum(axis=0)
    return found
