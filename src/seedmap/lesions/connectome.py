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

# Samples of one product, always: sums over other blocks would differ in their last bits. In smaller
# blocks threads wait for each other.
BLOCK = 1024
# People whose sums are in single precision before they go to double.
FEW = 16
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

    columns = sp.csc_array(lesions, dtype=np.float32)
    used = np.flatnonzero(np.diff(columns.indptr))
    _, runs, coordinates = connectome.plain.shape
    found = np.zeros((columns.shape[0], runs * coordinates))
    for at in range(0, used.size, READ):
        some = used[at : at + READ]
        rows = connectome.plain[some] * connectome.plain_scale[some][:, :, None]
        found += sp.csr_array(columns[:, some]) @ rows.reshape(some.size, -1)
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
        walk = _Block(connectome, series, part)
        mine = None if weights is None else weights[:, part].astype(np.float32)
        each = walk.add_all(mine, spread=t)
        mean[:, part] = walk.mean()
        if over_people is not None:
            over_people[:, part] = walk.t()
        if people is not None:
            people[:, part] = each

    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(n_jobs) as pool,
    ):
        list(pool.map(block, range(0, samples, BLOCK)))  # raises what a block raised
    return LesionMaps(mean, over_people, people)


class _Sum:
    """A sum in double precision of arrays in single, at the price of one in single."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._whole, self._recent = np.zeros(size), np.zeros(size, np.float32)
        self._count = 0

    def add(self, values: Array) -> None:
        """Add an array."""
        self._recent += values
        self._count += 1
        if self._count == FEW:
            self.value()

    def value(self) -> NDArray[np.float64]:
        """Return the sum."""
        if self._count:
            self._whole += self._recent
            self._recent[:] = 0
            self._count = 0
        return self._whole


class _Block:
    """Sums over people of the Fisher transforms (lesions, some) of some samples, person by person."""

    def __init__(self, connectome: Connectome, series: Array, part: slice) -> None:
        self._connectome, self._series = connectome, series
        self._smooth = connectome.smooth[part]
        self._scale = np.ascontiguousarray(connectome.smooth_scale[part].T)
        self._count = connectome.shares_of_runs(part).astype(np.float32)
        self._there = np.add.reduceat(self._scale > 0, connectome.first) > 0
        size = series.shape[1], len(self._smooth)
        self._values, self._spare = np.empty(size, np.float32), np.empty(size, np.float32)
        self._first = np.zeros(size, np.float32)
        # Squares of differences from the first person's: those of the values would cancel.
        self._sum, self._squares = _Sum(size), _Sum(size)

    def add_all(self, weights: Array | None, *, spread: bool) -> Array | None:
        """Add everybody; return their sums over lesions by ``weights``, shape (people, some)."""
        found = None if weights is None else np.full(self._there.shape, np.nan, np.float32)
        ends = [*self._connectome.first[1:], len(self._connectome.person)]
        for person, runs in enumerate(zip(self._connectome.first, ends, strict=True)):
            values = self._person(*runs)
            self._sum.add(values)
            if found is not None and weights is not None:
                each = np.einsum("lb,lb->b", weights, values)
                found[person] = np.where(self._there[person], each, np.nan)
            if spread:
                self._add_squares(person, values)
        return found

    def mean(self) -> NDArray[np.float64]:
        """Return the mean over those who have a sample; NaN where nobody has it."""
        with np.errstate(invalid="ignore"):
            return self._sum.value() / self._there.sum(axis=0)

    def t(self) -> NDArray[np.float64]:
        """Return one-sample t; NaN where fewer than two have a sample."""
        n = self._there.sum(axis=0).astype(np.float64)
        mean = self.mean()
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = self._squares.value() - n * (mean - self._first) ** 2
            t: NDArray[np.float64] = mean * np.sqrt(n * (n - 1) / spread)
        return t

    def _person(self, start: int, end: int) -> Array:
        """Return the Fisher transforms of one person; 0 where they lack the sample."""
        if end == start + 1:
            return self._run(start)
        values = np.zeros_like(self._spare)
        for run in range(start, end):
            values += self._run(run) * self._count[run]
        return values

    def _run(self, run: int) -> Array:
        """Return the Fisher transforms of one run; 0 where it lacks the sample."""
        rows = self._smooth[:, run].astype(np.float32)
        r: Array = np.matmul(self._series[run], rows.T, out=self._values)
        r *= self._scale[run]
        return _to_fisherz(r, self._spare)

    def _add_squares(self, person: int, values: Array) -> None:
        if person == 0:
            self._first = values.copy()
        np.subtract(values, self._first, out=self._spare)
        self._spare *= self._there[person]
        self._spare *= self._spare
        self._squares.add(self._spare)


def _to_fisherz(r: Array, spare: Array) -> Array:
    """Overwrite r by atanh(r) = log((1 + r) / (1 - r)) / 2, twice as fast as arctanh on many machines.

    To 2e-7 in single precision: the logarithm is vectorised wherever numpy runs, arctanh is not.
    """
    np.clip(r, -LARGEST_R, LARGEST_R, out=r)
    np.subtract(1, r, out=spare)
    np.add(1, r, out=r)
    np.divide(r, spare, out=r)
    np.log(r, out=r)
    return np.multiply(r, np.float32(0.5), out=r)
