"""All stored runs of a study, which give the map of any seed over people at once.

People's Fisher transforms (`seedmap.explorer.engine.people`) at the samples that are wanted - those of
the slices on the screen, or all - are tested some hundreds at a time. Effects and t are those of
``seedmap group --from-store``.
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

from seedmap.connectivity.contrasts import Patterns, find_patterns, patterned_test
from seedmap.errors import OptionError
from seedmap.explorer.engine.corrected import CorrectedLine, corrected_line
from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.engine.model import GroupModel
from seedmap.explorer.engine.people import PeopleMaps, Placed, SeedDifference, Wanted, seeds_of
from seedmap.explorer.engine.tested import LeastSquares, Test, Weighted
from seedmap.group.loading import Loaded
from seedmap.seeds import near_each, place_seeds
from seedmap.store import Pack, StoredRun

__all__ = ["GroupAnswer", "LiveGroup", "PeopleAt"]

Floats = NDArray[np.float32]
Samples = NDArray[np.int64]

# Samples that are worked out at once: their values stay in the cache, and a newer wish is noticed.
AT_ONCE = 1024
# Pieces that every thread has at least, of this many samples or more: none waits long for the last.
PIECES, FEWEST = 4, 256
# Tests that are kept: one for each contrast and choice of people.
TESTS = 32


@dataclass(frozen=True, eq=False)
class GroupAnswer:
    """A contrast of a seed over people, at some samples.

    Attributes
    ----------
    effect, t : ndarray of float32, shape (some,)
        NaN where the contrast is not tested. A contrast of several rows has no effect, and F in place
        of t.
    n : ndarray of int, shape (some,)
        People with a value.
    dof : ndarray of float32, shape (some,)
        Residual degrees of freedom.
    used, lacking : tuple of str
        People who are used, and those who lack the seed.
    has_mean : bool
        Whether the contrast has the mean over people in it.
    rows : int
        Directions that are tested together: 1 of t.
    statistic : str
        ``pooled``, ``robust`` or ``weighted``.
    voxels : int
        Voxels or vertices of the seed.
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
    rows: int
    statistic: str
    voxels: int
    coverage: float


@dataclass(frozen=True, eq=False)
class PeopleAt:
    """Each person's Fisher transform at one sample; NaN where somebody has none."""

    labels: tuple[str, ...]
    values: Floats


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
        degrees of freedom, and where people are.
    n_jobs
        Threads that may be busy at once.
    """

    pack: Pack
    model: GroupModel
    stored: Sequence[StoredRun] = ()
    n_jobs: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _blas: ThreadpoolController = field(default_factory=ThreadpoolController)
    _tests: dict[Any, Test] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._maps = PeopleMaps(self.pack, self.stored, certain=self.weighted)
        self.people = self._maps.people
        self._pool = ThreadPoolExecutor(max(1, self.n_jobs - 1), thread_name_prefix="seedmap-group")

    @property
    def weighted(self) -> bool:
        """Whether people count by their own standard errors."""
        return self.model.question.estimator == "weighted"

    @cached_property
    def patterns(self) -> Patterns:
        """Which runs have a sample."""
        return find_patterns(self.pack.smooth_scale > 0)

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
            samples = np.arange(self.pack.space.n_samples) if which is None else which
            effect, t, dof = (np.empty(samples.size, np.float32) for _ in range(3))
            n = np.empty(samples.size, np.int64)

            def piece(part: slice) -> None:
                found = test.at(self._maps, placed, samples[part])
                effect[part], t[part], n[part], dof[part] = found

            self._in_pieces(samples.size, piece, superseded)
        mine = np.isin(self._maps.of, [self.people.index(one) for one in used])
        chosen = self.model.contrast(used, contrast)
        return GroupAnswer(
            *(effect, t, n, dof, used, lacking),
            has_mean=chosen.has_mean,
            rows=chosen.tested.q,
            statistic=test.statistic,
            voxels=placed[0].voxels,
            coverage=float(placed[0].coverage[mine].mean()),
        )

    def _place(self, wanted: Wanted) -> tuple[Placed, ...]:
        """Return a seed in every run, or both of a difference.

        Raises
        ------
        SeedError
            If nobody has a sample of one of them.
        OptionError
            If there are two and people are to be weighted.
        """
        if self.weighted and isinstance(wanted, SeedDifference):
            msg = (
                f"{wanted.name}: a difference of two seeds has no standard error of each person; start "
                "the explorer with --estimator ols"
            )
            raise OptionError(msg)
        return self._maps.place(wanted)

    def people_at(self, seed: Wanted, sample: int) -> PeopleAt:
        """Return each person's Fisher transform at a sample."""
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            placed = self._place(seed)
            which = np.array([sample])
            values = self._maps.fisherz(placed, which)[0].copy()
            values[~self._maps.present(self.pack.smooth_scale[sample] > 0, placed)] = np.nan
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
        if not self._maps.keeps:
            msg = f"{len(self.people)} maps of {samples:,} samples are too large for this; use seedmap group"
            raise OptionError(msg)
        every, variances = np.arange(samples), None
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            placed = self._place(seed)
            used = self._used(off, self._lacking(placed))
            columns = [self.people.index(label) for label in used]
            values = self._maps.fisherz(placed, every)
            here = self._maps.present(self.patterns.rows, placed)
            maps = np.where(here[self.patterns.of], values, np.float32(np.nan)).T[columns]
            if self.weighted:
                variances = self._maps.certain_fisherz(placed[0], every)[1].T[columns]
        return Loaded(self.pack.space, maps, variances, self.near(seed), (2, 0)), used

    def near(self, seed: Wanted) -> NDArray[np.bool_]:
        """Say which samples are near the seed, where a mean is large by construction."""
        found = np.zeros(self.pack.space.n_samples, bool)
        placed = place_seeds(seeds_of(seed), self.pack.space)
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

    def _lacking(self, placed: Sequence[Placed]) -> tuple[str, ...]:
        has = self._maps.present(np.ones(self._maps.of.size, bool), placed)
        return tuple(one for one, there in zip(self.people, has, strict=True) if not there)

    def _used(self, off: frozenset[str], lacking: tuple[str, ...]) -> tuple[str, ...]:
        """Return who is used, in the order of the design."""
        left = tuple(one for one in self.people if one not in off and one not in lacking)
        return self.model.plan(left).labels

    def _test(self, contrast: int, used: tuple[str, ...], placed: Sequence[Placed]) -> Test:
        """Prepare a contrast for some people; the last few are kept."""
        key = (contrast, used, *(one.has.tobytes() for one in placed))
        if key not in self._tests:
            self._tests[key] = self._prepared(contrast, used, placed)
            while len(self._tests) > TESTS:
                self._tests.pop(next(iter(self._tests)))
        return self._tests[key]

    def _prepared(self, contrast: int, used: tuple[str, ...], placed: Sequence[Placed]) -> Test:
        chosen = self.model.contrast(used, contrast)
        fewest = int(np.ceil(self.model.min_participants * len(used) - 1e-9))
        columns = np.array([self.people.index(one) for one in used])
        if self.weighted:
            return Weighted(chosen.tested, self.patterns, columns, fewest)
        present = self._maps.present(self.patterns.rows, placed)[:, columns]
        robust = self.model.robust(chosen)
        test = patterned_test(chosen.tested, present, fewest=fewest, robust=robust)
        return LeastSquares(test, self.patterns, None if used == self.people else columns)

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
