"""Before the run is read: what a user gives is parsed, the cleaning written out, the cost reported.

`prepare` reads headers and tables only. `read` then walks through the run, once.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seedmap.analysis.cost import kind_of, peak_memory, run_seconds
from seedmap.analysis.inputs import Opened, check_method, check_placed, check_spaces, open_inputs
from seedmap.analysis.options import Inputs, Limits, Method
from seedmap.analysis.uncertainty import FEW_DOF
from seedmap.connectivity import FEWEST_DOF
from seedmap.errors import ImageError, TooFewFrames
from seedmap.images import Run
from seedmap.seeds import AnySeed, PlacedSeed, parse_seeds, place_seeds
from seedmap.spatial import Extracted, Reading, SeedWeights, Storage, extract
from seedmap.temporal import (
    Cleaning,
    CleaningOperator,
    cleaning_operator,
)

__all__ = ["Preflight", "Prepared", "prepare", "prepare_opened", "read"]

# Correlations of shorter runs change from scan to scan (Van Dijk et al. 2010,
# doi:10.1152/jn.00783.2009).
FEWEST_MINUTES = 5.0
FRAMES_A_CONFOUND = 3
# Maps that each seed holds at most while a measure other than the correlation is worked out.
OTHER_MEASURE = 8
# The largest number whose square float32 holds, and how far values reach beyond their median.
LARGEST, MANY_TIMES = float(np.sqrt(np.finfo(np.float32).max)), 20.0
# Products of a null seed with a sample and coordinate: r, degrees of freedom, and scores.
NULL_COST = 20.0


@dataclass(frozen=True)
class Preflight:
    """What is known of an analysis before the run is read.

    Attributes
    ----------
    source : str
        The run.
    frames, kept : int
        Frames of the run, and those that stay.
    t_r : float or None
        Repetition time [s].
    confounds, confound_rank : int
        Columns given, and the independent directions that they remove.
    rank : int
        Directions that the cleaning leaves.
    white_dof : float
        Effective degrees of freedom of a correlation if the noise were white; real noise has
        fewer.
    memory : float
        Rough estimate of the peak memory [bytes]; an upper bound where the mask is not known yet.
    seconds : float
        Rough estimate of the time for reading and for the maps [s] on a machine that is not busy;
        writing and figures come on top.
    """

    source: str
    frames: int
    kept: int
    t_r: float | None
    confounds: int
    confound_rank: int
    rank: int
    white_dof: float
    memory: float
    seconds: float = 0.0

    @property
    def minutes(self) -> float | None:
        """Time that the kept frames take [min]; None without a repetition time."""
        return None if self.t_r is None else self.kept * self.t_r / 60

    def concerns(self) -> tuple[str, ...]:
        """Say what makes the maps less sure than a reader may think; empty if nothing does."""
        said = []
        if self.minutes is not None and self.minutes < FEWEST_MINUTES:
            said.append(
                f"{self.minutes:.1f} minutes are kept; maps of less than {FEWEST_MINUTES:g} minutes "
                "change much from scan to scan"
            )
        if 0 < self.kept <= FRAMES_A_CONFOUND * self.confound_rank:
            said.append(
                f"{self.kept} frames are kept for {self.confound_rank} directions of confounds; more "
                f"than {FRAMES_A_CONFOUND} frames a direction are advised: use fewer confounds"
            )
        if self.white_dof < FEW_DOF:
            said.append(
                f"about {self.white_dof:.0f} effective degrees of freedom are left, so only very "
                "strong correlations can be distinguished from none: use a wider band or fewer confounds"
            )
        return tuple(said)

    def refusal(self) -> str | None:
        """Say why the analysis should not be done; None if it may be."""
        if self.white_dof >= FEWEST_DOF:
            return None
        return (
            f"{self.source}: {self.kept} frames, {self.confound_rank} directions of confounds and "
            f"this band leave {self.white_dof:.1f} effective degrees of freedom, fewer than the "
            f"{FEWEST_DOF:g} that any test needs; use fewer confounds, a wider band or a longer run "
            "(--force goes on without z and p)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared(Opened):
    """All that is known before the run is read: the opened inputs, and what will be done.

    Attributes
    ----------
    seeds : tuple of PlacedSeed
        The seeds, with their voxels.
    operator : CleaningOperator
        The cleaning, written out.
    method : Method
        How the maps are made.
    limits : Limits
        What that may take of the machine.
    """

    seeds: tuple[PlacedSeed, ...]
    operator: CleaningOperator
    method: Method
    limits: Limits

    def preflight(self) -> Preflight:
        """Say what the analysis will leave and cost."""
        run, kept = self.run, len(self.operator.L)
        samples = run.space.n_samples if self.mask is None else int(np.count_nonzero(self.mask))
        each = 1 if self.method.measure == "correlation" else OTHER_MEASURE
        each += self.method.estimates is not None
        return Preflight(
            source=run.source,
            frames=run.frames,
            kept=kept,
            t_r=run.timing.t_r,
            confounds=self.operator.confounds_given,
            confound_rank=self.operator.confound_rank,
            rank=self.operator.rank,
            white_dof=self.operator.white_dof,
            memory=peak_memory(
                kind_of(run.space),
                kept,
                samples,
                volume=float(run.space.n_samples) * max(4, run.dtype.itemsize),
                maps=len(self.seeds) * each,
            ),
            seconds=self._seconds(kept, samples),
        )

    def _seconds(self, kept: int, samples: int) -> float:
        """Estimate the time from the bytes to be inflated and the products to be taken."""
        stored = float(self.run.frames) * self.run.space.mask.size * self.run.dtype.itemsize
        products = 2.0 * samples * len(self.operator.coordinates) * (kept + len(self.seeds))
        products *= 1 if self.method.estimates is None else 2
        nulls = self.method.fwe * len(self.seeds)
        products += NULL_COST * samples * nulls * len(self.operator.coordinates)
        return run_seconds(stored, products, self.limits.threads)


def prepare(
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method = Method(),
    limits: Limits = Limits(),
) -> Prepared:
    """Parse and check everything, and write the cleaning out; only headers and tables are read."""
    opened = open_inputs(inputs, method.cleaning)
    chosen = parse_seeds(seeds, opened.run.frames)
    return prepare_opened(opened, place_seeds(chosen, opened.run.space), method, limits)


def prepare_opened(
    opened: Opened, seeds: tuple[PlacedSeed, ...], method: Method, limits: Limits
) -> Prepared:
    """Check the method and the seeds against an opened run, and write its cleaning out."""
    run = opened.run
    check_method(run, method)
    check_placed(seeds, run)
    check_spaces(seeds, run)
    if opened.mask is not None:
        inside = run.space.within(opened.mask)
        for seed in seeds:
            seed.coverage(inside)  # refuses before anything is read
    return Prepared(
        **vars(opened),
        seeds=seeds,
        operator=_operator(opened, method.cleaning),
        method=method,
        limits=limits,
    )


def read(
    prepared: Prepared,
    progress: Callable[[int, int], None] | None = None,
    *,
    for_one_use: bool = False,
    more: Sequence[SeedWeights] = (),
) -> Extracted:
    """Read the run once: the smoothed samples and the seeds' series, uncleaned.

    If that is for one use, maps of more seeds than frames take the place of the series: memory
    that is held already need not be had again. Of ``more`` places the series come after those of
    the seeds.
    """
    run, keep, seeds = prepared.run, prepared.keep, len(prepared.seeds)
    extracted = extract(
        Reading(
            run,
            keep,
            prepared.method.smoothing_fwhm,
            n_jobs=prepared.limits.threads,
            on_frame=_counter(progress, int(keep.sum())),
        ),
        mask=prepared.mask,
        seeds=[*(seed.weights for seed in prepared.seeds if seed.weights is not None), *more],
        storage=Storage(
            max_memory=prepared.limits.memory,
            rows=seeds if for_one_use and seeds > np.count_nonzero(keep) else 0,
        ),
    )
    _check_size(run, extracted)
    _check_alive(run, extracted)
    return extracted


def _operator(opened: Opened, cleaning: Cleaning) -> CleaningOperator:
    """Write the cleaning out, naming the run where it is too short for it."""
    run, table = opened.run, opened.table
    try:
        return cleaning_operator(
            cleaning, opened.keep, run.timing.t_r, table.values if table else None
        )
    except TooFewFrames as error:
        msg = f"{run.source}: {error}"
        raise TooFewFrames(msg) from error


def _check_alive(run: Run, extracted: Extracted) -> None:
    """Refuse a run in which nothing changes; the first volume is already subtracted."""
    if not extracted.series[-1].any() and not extracted.series.any():
        msg = (
            f"{run.source}: none of the {extracted.grid.n_samples} voxels in the mask changes over "
            "time; a series was wanted. Is the image all zero, or one volume repeated? Check it"
        )
        raise ImageError(msg)


def _check_size(run: Run, extracted: Extracted) -> None:
    """Refuse values whose squares, summed over the frames, float32 cannot hold."""
    frames = len(extracted.series)
    size = float(np.median(np.abs(extracted.series[[frames // 2, -1]])))
    if not size * MANY_TIMES * np.sqrt(frames) < LARGEST:
        found = float(np.median(np.abs(extracted.reference)))
        msg = (
            f"{run.source}: values of about {found:.1g}, too large for float32, in which correlations are "
            "worked out; scale the image"
        )
        raise ImageError(msg)


def _counter(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None]:
    """Turn "one more frame" into "this many of so many"."""
    if progress is None:
        return lambda: None
    numbers = itertools.count(1)
    return lambda: progress(next(numbers), total)
