"""People's Fisher transforms of a seed at any samples, from the pack of a study.

A seed is averaged in each run, and multiplied with the samples that are wanted. The Fisher transforms
of the last seeds are kept, so that what else is asked of them costs no pass over the pack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import LARGEST_R, NOTHING_LEFT
from seedmap.connectivity import FEWEST_DOF, quick_dof
from seedmap.connectivity.packed import packed_products
from seedmap.errors import SeedError
from seedmap.explorer.regions import Chosen
from seedmap.seeds import VertexPatch
from seedmap.store import Pack, StoredRun

__all__ = ["PeopleMaps", "Placed", "SeedDifference", "Wanted", "seeds_of"]

Floats = NDArray[np.float32]
Samples = NDArray[np.int64]

# Voxels of a seed that are averaged at once.
SEED_VOXELS = 256
# Fisher transforms of one seed are kept if they take no more than this [bytes].
MOST_KEPT = 2 << 30


@dataclass(frozen=True)
class SeedDifference:
    """Two seeds, of which people's maps are subtracted from each other before they are tested."""

    seed: Chosen
    less: Chosen

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.seed.name} less {self.less.name}"


# What a map may be asked of.
Wanted = Chosen | SeedDifference


def seeds_of(wanted: Wanted) -> tuple[Chosen, ...]:
    """Return a seed, or both of a difference."""
    return (wanted.seed, wanted.less) if isinstance(wanted, SeedDifference) else (wanted,)


@dataclass(eq=False)
class Placed:
    """A seed in all runs, and what was worked out for it."""

    key: Any
    units: Floats
    """Of unit norm, shape (runs, coordinates); 0 where a run lacks it."""
    has: NDArray[np.bool_]
    """Shape (runs,)."""
    voxels: int
    coverage: NDArray[np.float64]
    lags: Floats | None
    """What weighs the runs of one person, and makes standard errors, shape (runs, lags)."""
    known: NDArray[np.bool_]
    """Which samples are worked out, shape (samples,)."""
    z: Floats | None
    """The Fisher transforms of these, shape (samples, people); None where they are not kept."""
    variances: Floats | None
    """The squares of their standard errors; None where these are not asked for, or not kept."""


@dataclass(eq=False)
class PeopleMaps:
    """The runs of a study, and each person's Fisher transforms of a few seeds.

    Parameters
    ----------
    pack
        The runs.
    stored
        The stored runs; needed for standard errors, and where a participant has several runs, which
        are weighted by their degrees of freedom.
    certain
        Whether standard errors are wanted.
    """

    pack: Pack
    stored: Sequence[StoredRun] = ()
    certain: bool = False

    def __post_init__(self) -> None:
        runs = self.pack.runs
        self.people = tuple(dict.fromkeys(run.person for run in runs))
        self.of = np.array([self.people.index(run.person) for run in runs])
        self.several = len(self.people) < len(runs)
        self._starts = np.flatnonzero(np.diff(self.of, prepend=-1))
        self._alone = np.bincount(self.of)[self.of] == 1
        self._placed: list[Placed] = []
        self._own: dict[int, tuple[Samples, NDArray[np.int16]]] = {}
        size = self.pack.space.n_samples * len(self.people)
        self.keeps = 4 * size * (2 if self.certain else 1) <= MOST_KEPT

    @cached_property
    def sample_of(self) -> NDArray[np.int32]:
        """The sample at each position of the space; -1 where there is none."""
        found = np.full(self.pack.space.mask.size, -1, np.int32)
        found[np.flatnonzero(self.pack.space.mask)] = np.arange(self.pack.space.n_samples)
        return found

    # --- the seed ----------------------------------------------------------------------------

    def place(self, wanted: Wanted) -> tuple[Placed, ...]:
        """Return a seed in every run, or both of a difference; the last few are kept.

        Raises
        ------
        SeedError
            If nobody has a sample of one of them.
        """
        seeds = seeds_of(wanted)
        return tuple(self._place(seed, len(seeds)) for seed in seeds)

    def _place(self, seed: Chosen, most: int) -> Placed:
        """Average a seed in every run."""
        weights = seed.weights(self.pack.space)
        key = (weights.voxels.tobytes(), weights.weights.tobytes())
        for one in self._placed:
            if one.key == key:
                self._placed.remove(one)
                self._placed.append(one)
                return one
        at = self.sample_of[weights.voxels]
        inside = at >= 0
        mean, coverage = self._mean(at[inside].astype(np.int64), weights.weights[inside])
        size = np.sqrt(np.einsum("rk,rk->r", mean, mean))
        has = size > 0
        if not has.any():
            what = "vertex" if isinstance(seed, VertexPatch) else "voxel"
            msg = f"seed {seed.name!r}: nobody has a {what} of the {seed.definition}; move it"
            raise SeedError(msg)
        units = (mean / np.where(has, size, 1)[:, None]).astype(np.float32)
        lags = self._lags(units, has) if self.several or self.certain else None
        known, spare = np.zeros(self.pack.space.n_samples, bool), self._spare(most)
        self._placed.append(
            Placed(key, units, has, int(weights.voxels.size), coverage, lags, known, *spare)
        )
        return self._placed[-1]

    def _spare(self, most: int) -> tuple[Floats | None, Floats | None]:
        """Return memory for what is kept: that of a seed that makes way, where there is one."""
        z = variances = None
        while len(self._placed) >= most:
            gone = self._placed.pop(0)
            z, variances = gone.z, gone.variances
        if z is None and self.keeps:
            shape = (self.pack.space.n_samples, len(self.people))
            z = np.empty(shape, np.float32)
            variances = np.empty(shape, np.float32) if self.certain else None
        return z, variances

    def _mean(
        self, at: Samples, weights: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted sum of samples in each run (runs, coordinates), and its coverage."""
        pack = self.pack
        total = np.zeros(pack.plain.shape[1:])
        norm = np.zeros(len(total))
        coverage = np.zeros(len(total))
        for start in range(0, at.size, SEED_VOXELS):
            some = at[start : start + SEED_VOXELS]
            weight = weights[start : start + SEED_VOXELS, None]
            scale = (weight * pack.plain_scale[some]).astype(np.float32)
            values = pack.plain[some].astype(np.float32).transpose(1, 0, 2)
            total += np.matmul(scale.T[:, None, :], values)[:, 0]
            norm += np.abs(scale).T @ np.ones(some.size) * np.float64(32767)
            coverage += (weight * pack.has[some]).sum(axis=0)
        total[np.abs(total).max(axis=1) <= NOTHING_LEFT * norm] = 0
        return total, coverage

    def _lags(self, units: Floats, has: NDArray[np.bool_]) -> Floats:
        """Return what the noise of a sample counts at each lag, one row a run."""
        lags = max(run.group.arrays["noise"].shape[1] for run in self.stored)
        found = np.zeros((len(units), lags), np.float32)
        for number, (run, stored) in enumerate(zip(self.pack.runs, self.stored, strict=True)):
            if has[number] and (self.certain or not self._alone[number]):
                unit = units[number, : run.coordinates, None].astype(np.float64)
                of_seed = stored.lags(unit)[:, 0]
                found[number, : of_seed.size] = of_seed
        return found

    # --- Fisher transforms -------------------------------------------------------------------

    def fisherz(self, placed: Sequence[Placed], which: Samples) -> Floats:
        """Return people's Fisher transforms at some samples, (some, people); any where absent."""
        values, _ = self._of_one(placed[0], which)
        for other in placed[1:]:
            values = values - self._of_one(other, which)[0]
        return values

    def certain_fisherz(self, placed: Placed, which: Samples) -> tuple[Floats, Floats]:
        """Return those of one seed, and the squares of their standard errors, NaN where none."""
        values, variances = self._of_one(placed, which)
        assert variances is not None
        return values, variances

    def _of_one(self, placed: Placed, which: Samples) -> tuple[Floats, Floats | None]:
        """Return those of one seed: they are worked out, or were before."""
        if placed.z is None:
            return self._worked_out(placed, which)
        new = which[~placed.known[which]]
        if new.size:
            z, variances = self._worked_out(placed, new)
            placed.z[new], placed.known[new] = z, True
            if placed.variances is not None:
                placed.variances[new] = variances
            if new.size == which.size:
                return z, variances
        return placed.z[which], None if placed.variances is None else placed.variances[which]

    def present(self, runs: NDArray[np.bool_], placed: Sequence[Placed]) -> NDArray[np.bool_]:
        """Say who is present, (..., people), from the runs that are, (..., runs), and their seeds."""
        each = [np.logical_or.reduceat(runs & one.has, self._starts, axis=-1) for one in placed]
        return np.logical_and.reduce(each)

    def _worked_out(self, placed: Placed, which: Samples) -> tuple[Floats, Floats | None]:
        r = packed_products(self.pack.smooth, self.pack.smooth_scale, placed.units, which)
        np.clip(r, -LARGEST_R, LARGEST_R, out=r)
        z = np.arctanh(r, out=r)
        return self._of_people(z, placed, which) if self.several or self.certain else (z, None)

    def _of_people(self, z: Floats, placed: Placed, which: Samples) -> tuple[Floats, Floats | None]:
        """Average the runs of each person by their degrees of freedom less 2, as studies do.

        These are the inverse of a run's variance, so that their sum is the inverse of the mean's.
        """
        weights = ((self.pack.smooth_scale[which] > 0) & placed.has).astype(np.float32)
        worth = weights.copy() if self.certain else weights
        for number in range(self.of.size) if self.certain else np.flatnonzero(~self._alone):
            worth[:, number] *= self._worth(int(number), placed, which)
        if self.certain:
            weights[:, ~self._alone] = worth[:, ~self._alone]
        total = np.add.reduceat(weights, self._starts, axis=1)
        mean = np.add.reduceat(weights * z, self._starts, axis=1)
        np.divide(mean, total, out=mean, where=total > 0)
        return mean, _inverse(
            np.add.reduceat(worth, self._starts, axis=1)
        ) if self.certain else None

    def _worth(self, number: int, placed: Placed, which: Samples) -> Floats:
        """Return the degrees of freedom less 2 of a run, 0 where there are too few."""
        assert placed.lags is not None
        passed = self.stored[number].passed
        lags, noise = placed.lags[number, : passed.size], self._noise(number, which)
        nu = quick_dof(passed, lags[:, None], noise[:, : passed.size])[0]
        nu = np.minimum(nu, np.float32(self.pack.runs[number].rank))
        return np.where(nu >= FEWEST_DOF, nu - 2, np.float32(0))

    def _noise(self, number: int, which: Samples) -> NDArray[np.int16]:
        """Return the noise autocovariance of samples in a run, each on a scale of its own.

        A pack has it where a participant has several runs, the stored runs always.
        """
        if self.pack.noise is not None:
            return self.pack.noise[which, number]
        if number not in self._own:
            run = self.stored[number]
            own = np.cumsum(run.space.mask[self.pack.space.mask]) - 1
            self._own[number] = np.maximum(own, 0), run.group.arrays["noise"].mapped()
        own, noise = self._own[number]
        found: NDArray[np.int16] = noise[own[which]]
        return found


def _inverse(values: Floats) -> Floats:
    """Return 1 / values, NaN for 0."""
    nothing = np.full_like(values, np.nan)
    return np.divide(np.float32(1), values, out=nothing, where=values > 0)
