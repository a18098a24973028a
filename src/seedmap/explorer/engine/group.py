"""All stored runs of a study, which give the map of any seed over people at once.

A seed is averaged in each run; the samples that are wanted - those of the slices on the screen, or
all - are multiplied with it, made Fisher transforms and tested, some hundreds at a time. The Fisher
transforms of the last seed are kept, so that another contrast, or one person less, costs no pass
over the pack. Effects and t are those of ``seedmap group --from-store``.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from seedmap._arrays import LARGEST_R, NOTHING_LEFT
from seedmap.connectivity import FEWEST_DOF
from seedmap.connectivity.contrasts import (
    PatternedTest,
    Patterns,
    contrast_maps,
    find_patterns,
    patterned_test,
)
from seedmap.connectivity.noise import second_order
from seedmap.connectivity.packed import packed_products
from seedmap.errors import OptionError, SeedError
from seedmap.explorer.engine.corrected import CorrectedLine, corrected_line
from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.engine.model import GroupModel
from seedmap.group.loading import Loaded
from seedmap.seeds import Sphere, near_each, place_seeds
from seedmap.store import Pack, StoredRun

__all__ = ["GroupAnswer", "LiveGroup", "PeopleAt", "SeedDifference", "Wanted"]

Floats = NDArray[np.float32]
Samples = NDArray[np.int64]

# Samples that are worked out at once: their values stay in the cache, and a newer wish is noticed.
AT_ONCE = 1024
# Pieces that every thread has at least, of this many samples or more: none waits long for the last.
PIECES, FEWEST = 4, 256
# Voxels of a seed that are averaged at once.
SEED_VOXELS = 256
# Fisher transforms of one seed are kept if they take no more than this [bytes].
MOST_KEPT = 2 << 30
# Tests that are kept: one for each contrast and choice of people.
TESTS = 32


@dataclass(frozen=True)
class SeedDifference:
    """Two seeds, of which people's maps are subtracted from each other before they are tested."""

    seed: Sphere
    less: Sphere

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.seed.name} less {self.less.name}"


# What a map may be asked of.
Wanted = Sphere | SeedDifference


@dataclass(frozen=True, eq=False)
class GroupAnswer:
    """A contrast of a seed over people, at some samples.

    Attributes
    ----------
    effect, t : ndarray of float32, shape (some,)
        NaN where the contrast is not tested.
    n : ndarray of int, shape (some,)
        People with a value.
    dof : ndarray of float32, shape (some,)
        Residual degrees of freedom.
    used, lacking : tuple of str
        People who are used, and those who lack the seed.
    has_mean : bool
        Whether the contrast has the mean over people in it.
    robust : bool
        Which t it is.
    voxels : int
        Voxels of the seed.
    coverage : float
        Share of the seed that the runs have, on average over those used.
    """

    effect: Floats
    t: Floats
    n: NDArray[np.int64]
    dof: Floats
    used: tuple[str, ...]
    lacking: tuple[str, ...]
    has_mean: bool
    robust: bool
    voxels: int
    coverage: float


@dataclass(frozen=True, eq=False)
class PeopleAt:
    """Each person's Fisher transform at one sample; NaN where somebody has none."""

    labels: tuple[str, ...]
    values: Floats


@dataclass(eq=False)
class _Placed:
    """A seed in all runs, and the Fisher transforms that were worked out for it."""

    key: Any
    units: Floats
    """Of unit norm, shape (runs, coordinates); 0 where a run lacks it."""
    has: NDArray[np.bool_]
    """Shape (runs,)."""
    voxels: int
    coverage: NDArray[np.float64]
    lags: Floats | None
    """What weighs the runs of one person, shape (runs, lags)."""
    known: NDArray[np.bool_]
    """Which samples are worked out, shape (samples,)."""
    z: Floats | None
    """The Fisher transforms of these, shape (samples, people); None where they are not kept."""


@dataclass(eq=False)
class LiveGroup:
    """The runs of a study and what is asked of the people.

    Parameters
    ----------
    pack
        The runs.
    model
        Who, with what design, and which contrasts.
    stored
        The stored runs; needed where a participant has several, which are weighted by their
        degrees of freedom.
    n_jobs
        Threads that may be busy at once.
    """

    pack: Pack
    model: GroupModel
    stored: Sequence[StoredRun] = ()
    n_jobs: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _blas: ThreadpoolController = field(default_factory=ThreadpoolController)
    _placed: list[_Placed] = field(default_factory=list)
    _tests: dict[Any, PatternedTest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        runs = self.pack.runs
        self.people = tuple(dict.fromkeys(run.person for run in runs))
        self.of = np.array([self.people.index(run.person) for run in runs])
        self.several = len(self.people) < len(runs)
        self._starts = np.flatnonzero(np.diff(self.of, prepend=-1))
        self._pool = ThreadPoolExecutor(max(1, self.n_jobs - 1), thread_name_prefix="seedmap-group")
        self.keeps = 4 * self.pack.space.n_samples * len(self.people) <= MOST_KEPT

    @cached_property
    def patterns(self) -> Patterns:
        """Which runs have a sample."""
        return find_patterns(self.pack.smooth_scale > 0)

    @cached_property
    def sample_of(self) -> NDArray[np.int32]:
        """The sample at each position of the box; -1 where there is none."""
        found = np.full(self.pack.space.mask.size, -1, np.int32)
        found[np.flatnonzero(self.pack.space.mask)] = np.arange(self.pack.space.n_samples)
        return found

    def in_slices(self, place: Sequence[float]) -> Samples:
        """Return the samples that the three slices through a place [mm] are drawn from, ascending.

        Between two layers of voxels a slice is drawn from both.
        """
        grid: Any = self.pack.space
        voxel = np.linalg.solve(grid.affine[:3, :3], np.asarray(place) - grid.affine[:3, 3])
        layers = np.zeros(grid.shape, bool)
        for axis, value in enumerate(np.round(voxel, 3)):
            first, last = int(np.floor(value)), int(np.ceil(value))
            for layer in {first, last}:
                if 0 <= layer < grid.shape[axis]:
                    np.moveaxis(layers, axis, 0)[layer] = True
        return np.flatnonzero(layers[grid.mask])

    # --- the seed ----------------------------------------------------------------------------

    def _place(self, wanted: Wanted) -> tuple[_Placed, ...]:
        """Return a seed in every run, or both of a difference.

        Raises
        ------
        SeedError
            If nobody has a voxel of one of them.
        """
        seeds = _seeds_of(wanted)
        return tuple(self._place_one(seed, len(seeds)) for seed in seeds)

    def _place_one(self, seed: Sphere, most: int) -> _Placed:
        """Average a seed in every run; the last few are kept.

        Raises
        ------
        SeedError
            If nobody has a voxel of it.
        """
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
            msg = f"seed {seed.name!r}: nobody has a voxel of the {seed.definition}; move it"
            raise SeedError(msg)
        units = (mean / np.where(has, size, 1)[:, None]).astype(np.float32)
        lags = self._lags(units, has) if self.several else None
        known, spare = np.zeros(self.pack.space.n_samples, bool), None
        while len(self._placed) >= most:
            spare = self._placed.pop(0).z
        if spare is None and self.keeps:
            spare = np.empty((known.size, len(self.people)), np.float32)
        voxels = int(weights.voxels.size)
        self._placed.append(_Placed(key, units, has, voxels, coverage, lags, known, spare))
        return self._placed[-1]

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
        assert self.pack.noise is not None
        found = np.zeros((len(units), self.pack.noise.shape[2]), np.float32)
        for number, (run, stored) in enumerate(zip(self.pack.runs, self.stored, strict=True)):
            if has[number] and (self.of == self.of[number]).sum() > 1:
                unit = units[number, : run.coordinates, None].astype(np.float64)
                of_seed = stored.lags(unit)[:, 0]
                found[number, : of_seed.size] = of_seed
        return found

    # --- Fisher transforms -------------------------------------------------------------------

    def _fisherz(self, placed: Sequence[_Placed], which: Samples) -> Floats:
        """Return people's Fisher transforms at some samples, (some, people); any where absent."""
        values = self._of_one(placed[0], which)
        for other in placed[1:]:
            values = values - self._of_one(other, which)
        return values

    def _of_one(self, placed: _Placed, which: Samples) -> Floats:
        """Return those of one seed: they are worked out, or were before."""
        if placed.z is None:
            return self._worked_out(placed, which)
        new = which[~placed.known[which]]
        if not new.size:
            return placed.z[which]
        found = self._worked_out(placed, new)
        placed.z[new] = found
        placed.known[new] = True
        return found if new.size == which.size else placed.z[which]

    def _present(self, runs: NDArray[np.bool_], placed: Sequence[_Placed]) -> NDArray[np.bool_]:
        """Say who is present, (..., people), from the runs that are, (..., runs), and their seeds."""
        each = [np.logical_or.reduceat(runs & one.has, self._starts, axis=-1) for one in placed]
        return np.logical_and.reduce(each)

    def _worked_out(self, placed: _Placed, which: Samples) -> Floats:
        r = packed_products(self.pack.smooth, self.pack.smooth_scale, placed.units, which)
        np.clip(r, -LARGEST_R, LARGEST_R, out=r)
        z = np.arctanh(r, out=r)
        return self._of_people(z, placed, which) if self.several else z

    def _of_people(self, z: Floats, placed: _Placed, which: Samples) -> Floats:
        """Average the runs of each person by their degrees of freedom less 2, as studies do."""
        weights = ((self.pack.smooth_scale[which] > 0) & placed.has).astype(np.float32)
        for number in np.flatnonzero(np.bincount(self.of)[self.of] > 1):
            weights[:, number] *= self._worth(int(number), placed, which)
        total = np.add.reduceat(weights, self._starts, axis=1)
        mean = np.add.reduceat(weights * z, self._starts, axis=1)
        return np.divide(mean, total, out=mean, where=total > 0)

    def _worth(self, number: int, placed: _Placed, which: Samples) -> Floats:
        """Return the degrees of freedom less 2 of a run, 0 where there are too few."""
        assert self.pack.noise is not None
        assert placed.lags is not None
        passed = self.stored[number].passed
        noise = self.pack.noise[which, number].astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            nu = second_order((noise[:, : passed.size] @ passed) / (noise @ placed.lags[number]))
            nu = np.minimum(nu, np.float32(self.pack.runs[number].rank))
            return np.where(nu >= FEWEST_DOF, nu - 2, np.float32(0))

    # --- answers -----------------------------------------------------------------------------

    def maps(
        self,
        seed: Wanted,
        contrast: int = 0,
        off: frozenset[str] = frozenset(),
        which: Samples | None = None,
        superseded: Callable[[], bool] = bool,
    ) -> GroupAnswer:
        """Estimate and test a contrast of a seed.

        Parameters
        ----------
        seed
            The seed; or two, whose maps are subtracted within each person.
        contrast
            Its number among the model's.
        off
            People who are left out.
        which
            Samples that are wanted; all if None.

        Raises
        ------
        SeedError
            If nobody has a voxel of the seed.
        OptionError
            If too few people are left.
        Superseded
            As soon as ``superseded()`` is true.
        """
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            placed = self._place(seed)
            lacking = self._lacking(placed)
            used = self._used(off, lacking)
            test = self._test(contrast, used, placed)
            columns = self._columns(used)
            samples = np.arange(self.pack.space.n_samples) if which is None else which
            effect, t = (np.empty(samples.size, np.float32) for _ in range(2))

            def piece(part: slice) -> None:
                some = samples[part]
                values = self._fisherz(placed, some)
                values = values if columns is None else values[:, columns]
                of = self.patterns.of[some]
                effect[part], t[part] = contrast_maps(values, of, self.patterns.most, test)

            self._in_pieces(samples.size, piece, superseded)
        of = self.patterns.of[samples]
        mine = np.isin(self.of, [self.people.index(one) for one in used])
        chosen = self.model.contrast(used, contrast)
        return GroupAnswer(
            *(effect, t, test.n[of], test.dof[of], used, lacking),
            has_mean=chosen.has_mean,
            robust=test.robust,
            voxels=placed[0].voxels,
            coverage=float(placed[0].coverage[mine].mean()),
        )

    def people_at(self, seed: Wanted, sample: int) -> PeopleAt:
        """Return each person's Fisher transform at a sample."""
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            placed = self._place(seed)
            which = np.array([sample])
            values = self._fisherz(placed, which)[0].copy()
            values[~self._present(self.pack.smooth_scale[sample] > 0, placed)] = np.nan
            return PeopleAt(self.people, values)

    def people_maps(
        self, seed: Wanted, off: frozenset[str] = frozenset()
    ) -> tuple[Loaded, tuple[str, ...]]:
        """Return the maps of all who are used, and their labels in the order of the design.

        Raises
        ------
        OptionError
            If they are too large to be held twice.
        """
        samples = self.pack.space.n_samples
        if not self.keeps:
            msg = f"{len(self.people)} maps of {samples:,} samples are too large for this; use seedmap group"
            raise OptionError(msg)
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            placed = self._place(seed)
            used = self._used(off, self._lacking(placed))
            values = self._fisherz(placed, np.arange(samples))
            here = self._present(self.patterns.rows, placed)
            maps = np.where(here[self.patterns.of], values, np.float32(np.nan))
        columns = [self.people.index(label) for label in used]
        return Loaded(self.pack.space, maps.T[columns], None, self.near(seed), (2, 0)), used

    def near(self, seed: Wanted) -> NDArray[np.bool_]:
        """Say which samples are near the seed, where a mean is large by construction."""
        found = np.zeros(self.pack.space.n_samples, bool)
        placed = place_seeds(_seeds_of(seed), self.pack.space)
        for some in near_each(placed, self.pack.space, self.pack.facts["smoothing_fwhm"]):
            found[some] = True
        return found

    def line(
        self, seed: Wanted, contrast: int = 0, off: frozenset[str] = frozenset(), looks: int = 1
    ) -> CorrectedLine:
        """Return which sizes of a map chance alone reaches somewhere; see `corrected_line`."""
        loaded, used = self.people_maps(seed, off)
        chosen, question = self.model.contrast(used, contrast), self.model.question
        return corrected_line(loaded, chosen, question, looks=looks, n_jobs=self.n_jobs)

    def _lacking(self, placed: Sequence[_Placed]) -> tuple[str, ...]:
        has = self._present(np.ones(self.of.size, bool), placed)
        return tuple(one for one, there in zip(self.people, has, strict=True) if not there)

    def _used(self, off: frozenset[str], lacking: tuple[str, ...]) -> tuple[str, ...]:
        """Return who is used, in the order of the design."""
        left = tuple(one for one in self.people if one not in off and one not in lacking)
        return self.model.plan(left).labels

    def _columns(self, used: tuple[str, ...]) -> NDArray[np.int64] | None:
        if used == self.people:
            return None
        return np.array([self.people.index(one) for one in used])

    def _test(
        self, contrast: int, used: tuple[str, ...], placed: Sequence[_Placed]
    ) -> PatternedTest:
        """Prepare a contrast for some people; the last few are kept."""
        key = (contrast, used, *(one.has.tobytes() for one in placed))
        if key not in self._tests:
            chosen = self.model.contrast(used, contrast)
            present = self._present(self.patterns.rows, placed)
            columns = self._columns(used)
            present = present if columns is None else present[:, columns]
            fewest = int(np.ceil(self.model.min_participants * len(used) - 1e-9))
            self._tests[key] = patterned_test(
                chosen.tested, present, fewest=fewest, robust=self.model.robust(chosen)
            )
            while len(self._tests) > TESTS:
                self._tests.pop(next(iter(self._tests)))
        return self._tests[key]

    def _in_pieces(
        self, samples: int, piece: Callable[[slice], None], superseded: Callable[[], bool]
    ) -> None:
        """Work through samples in this thread and others."""
        size = min(AT_ONCE, max(FEWEST, -(-samples // (PIECES * self.n_jobs))))
        parts = iter([slice(at, min(at + size, samples)) for at in range(0, samples, size)])
        turn = threading.Lock()

        def take() -> None:
            while True:
                with turn:
                    part = next(parts, None)
                if part is None:
                    return
                if superseded():
                    raise Superseded
                piece(part)

        alone = samples <= size
        jobs = [] if alone else [self._pool.submit(take) for _ in range(self.n_jobs - 1)]
        try:
            take()
        finally:  # before the lock is given back
            errors = [job.exception() for job in jobs]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _seeds_of(wanted: Wanted) -> tuple[Sphere, ...]:
    return (wanted.seed, wanted.less) if isinstance(wanted, SeedDifference) else (wanted,)
