"""Before the run is read: what a user gives is parsed, the cleaning written out, the cost told.

`prepare` reads headers and tables only. `read` then walks through the run, once.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._arrays import Keep, parse_sample_mask
from seedmap.analysis.certainty import FEW_DOF, Uncertainty, check_uncertainty
from seedmap.analysis.cost import kind_of, peak_memory, run_seconds
from seedmap.analysis.door import (
    AnySeed,
    check_timing,
    find_mask,
    mask_source,
    parse_n_jobs,
    parse_seeds,
    place_surfaces,
    seed_facts,
)
from seedmap.analysis.measures import Measure, check_measure, frames_of_lag
from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.connectivity import FEWEST_DOF
from seedmap.errors import ImageError, TooFewFrames
from seedmap.images import Run, open_run
from seedmap.seeds import Seed, SeriesSeed
from seedmap.spatial import Extracted, SeedWeights, extract, parse_memory, smoothing_of
from seedmap.temporal import (
    Cleaning,
    CleaningOperator,
    cleaning_operator,
)

__all__ = ["Choice", "Preflight", "Prepared", "prepare", "read"]

# Correlations of shorter runs change from scan to scan (Van Dijk et al. 2010,
# doi:10.1152/jn.00783.2009).
FEWEST_MINUTES = 5.0
FRAMES_A_CONFOUND = 3
# Maps that each seed holds at most while a measure other than the correlation is worked out.
OTHER_MEASURE = 8


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
                "strong correlations can be told from none: use a wider band or fewer confounds"
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


@dataclass(frozen=True)
class Choice:
    """What the maps hold: see the options of the same names of `seed_maps`."""

    measure: Measure = "correlation"
    max_lag: float = 8.0
    uncertainty: Uncertainty | None = "operator"

    def __post_init__(self) -> None:
        check_measure(self.measure)
        check_uncertainty(self.uncertainty)

    @property
    def estimates(self) -> Uncertainty | None:
        """How sureness is estimated; None for a peak over lags, to which no p belongs."""
        return None if self.measure == "lagged" else self.uncertainty


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that is known before the run is read."""

    run: Run
    keep: Keep
    seeds: tuple[Seed | SeriesSeed, ...]
    weights: tuple[SeedWeights, ...]
    mask: NDArray[np.bool_] | None
    mask_source: str
    cleaning: Cleaning
    smoothing_fwhm: float | Sequence[float | None] | None
    table: ConfoundTable | None
    operator: CleaningOperator
    choice: Choice
    jobs: int
    max_memory: float | None = None

    def preflight(self) -> Preflight:
        """Say what the analysis will leave and cost."""
        run, kept = self.run, len(self.operator.L)
        samples = run.space.n_samples if self.mask is None else int(np.count_nonzero(self.mask))
        each = 1 if self.choice.measure == "correlation" else OTHER_MEASURE
        each += self.choice.estimates is not None
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
        products *= 1 if self.choice.estimates is None else 2
        return run_seconds(stored, products, self.jobs)


def prepare(  # noqa: PLR0913  the options of `seed_maps`
    bold: Any,
    seeds: AnySeed | Sequence[AnySeed],
    *,
    confounds: Any = None,
    sample_mask: ArrayLike | None = None,
    mask_img: Any = None,
    t_r: float | None = None,
    surfaces: Mapping[str, Any] | None = None,
    cleaning: Cleaning | None = None,
    smoothing_fwhm: float | Sequence[float | None] | None = 6.0,
    choice: Choice | None = None,
    n_jobs: int | None = None,
    max_memory: float | str | None = None,
) -> Prepared:
    """Parse and check everything, and write the cleaning out; only headers are read."""
    choice = choice or Choice()
    run = place_surfaces(open_run(bold, t_r, surfaces))
    chosen = parse_seeds(seeds, run)
    jobs = parse_n_jobs(n_jobs)
    cleaning = cleaning or Cleaning()
    check_timing(run, cleaning)
    if choice.measure == "lagged":
        frames_of_lag(choice.max_lag, run.timing.t_r)
    keep = parse_sample_mask(sample_mask, run.frames)
    given = read_confounds(confounds)
    table = None if given is None else given.for_frames(keep)
    operator = _operator(run, cleaning, keep, table)
    smoothing_of(run.space, smoothing_fwhm)  # refuses widths that make no sense
    weights = [seed.weights(run.space) for seed in chosen if not isinstance(seed, SeriesSeed)]
    mask = find_mask(mask_img, run, keep)
    if mask is not None:
        seed_facts(chosen, weights, run.space.within(mask))  # refuses before anything is read
    return Prepared(
        run,
        keep,
        chosen,
        tuple(weights),
        mask,
        mask_source(mask_img),
        cleaning,
        smoothing_fwhm,
        table,
        operator,
        choice,
        jobs,
        parse_memory(max_memory),
    )


def read(
    prepared: Prepared,
    progress: Callable[[int, int], None] | None = None,
    *,
    for_one_use: bool = False,
) -> Extracted:
    """Read the run once: the smoothed samples and the seeds' series, uncleaned.

    If that is for one use, maps of more seeds than frames take the place of the series: memory
    that is held already need not be had again.
    """
    run, keep, seeds = prepared.run, prepared.keep, len(prepared.seeds)
    extracted = extract(
        run,
        keep,
        mask=prepared.mask,
        sigma=smoothing_of(run.space, prepared.smoothing_fwhm),
        seeds=prepared.weights,
        n_jobs=prepared.jobs,
        on_frame=_counter(progress, int(keep.sum())),
        max_memory=prepared.max_memory,
        rows=seeds if for_one_use and seeds > np.count_nonzero(keep) else 0,
    )
    _check_alive(run, extracted)
    return extracted


def _operator(
    run: Run, cleaning: Cleaning, keep: Keep, table: ConfoundTable | None
) -> CleaningOperator:
    """Write the cleaning out, naming the run where it is too short for it."""
    try:
        return cleaning_operator(cleaning, keep, run.timing.t_r, table.values if table else None)
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


def _counter(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None] | None:
    """Turn "one more frame" into "this many of so many"."""
    if progress is None:
        return None
    numbers = itertools.count(1)
    return lambda: progress(next(numbers), total)
