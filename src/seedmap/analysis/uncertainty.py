"""How sure the maps are: degrees of freedom gathered while the run is cleaned block by block.

Of each correlation the degrees of freedom and the ratio of its standard error to that of no
correlation are kept; standard error, z, p and q follow from them and from r whenever they are
asked for.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap.analysis.options import Uncertainty
from seedmap.connectivity import (
    Inference,
    NoiseTables,
    effective_dof,
    infer,
    infer_by_xdf,
    infer_from_se,
    infer_naively,
    is_uneven,
    noise_autocovariance,
    noise_tables,
    run_variance,
    seed_kernels,
    seed_lags,
    variance_factor,
    warn_where_xdf_misleads,
    worst_frames,
)
from seedmap.errors import SeedmapWarning
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = [
    "FEW_DOF",
    "Certainty",
    "ErrorBars",
    "Unevenness",
    "warn_of_certainty",
]

# Below this, a z rests on a variance that is itself poorly known.
FEW_DOF = 10.0
# Below this, neither the memory of the noise nor its variance in time is well known.
FEW_FRAMES = 40
# Samples whose residuals are held at once: they stay in the processor's cache.
TOGETHER = 512
# Lags of the noise that are reported.
REPORTED_LAGS = 10


@dataclass(frozen=True, eq=False)
class Certainty:
    """What is known of how sure the maps of a run are.

    Attributes
    ----------
    method : str
        ``"operator"``, ``"xdf"`` or ``"naive"``.
    dof : ndarray of float32, shape (seeds, samples)
        Effective degrees of freedom as estimated; see `seedmap.connectivity.infer`.
    rank : int
        Directions that the cleaning leaves.
    white_dof : float
        Effective degrees of freedom if the noise of the run were white.
    noise_autocorrelation : tuple of float
        Median over samples, lags 1, 2, ... frames; empty where it was not estimated.
    tested : ndarray of float32, shape (seeds, samples), or None
        The correlation that is tested where it is not the map's own r: the partial correlation
        stands for the semipartial one.
    se_ratio : ndarray of float16, shape (seeds, samples), or None
        Standard error of `fisherz` over that of no correlation; None is 1.
    variance : ndarray of float64, shape (kept,), or None
        Variance of the noise at each kept frame, 1 on average; None where it was not estimated.
    """

    method: str
    dof: NDArray[np.float32]
    rank: int
    white_dof: float
    noise_autocorrelation: tuple[float, ...]
    tested: NDArray[np.float32] | None = None
    se_ratio: NDArray[np.float16] | None = None
    variance: NDArray[np.float64] | None = None

    def of(self, seeds: slice) -> "Certainty":
        """Return what is known of some of the seeds."""
        tested = None if self.tested is None else self.tested[seeds]
        ratio = None if self.se_ratio is None else self.se_ratio[seeds]
        return replace(self, dof=self.dof[seeds], tested=tested, se_ratio=ratio)

    def infer(self, r: Array, seed: int) -> Inference:
        """Test the correlations (samples,) of one seed against none.

        Where another correlation is tested than the map's own, no standard error of the map's own
        is known: it is NaN.
        """
        r = r if self.tested is None else self.tested[seed]
        if self.method == "operator":
            ratio = 1.0 if self.se_ratio is None else self.se_ratio[seed].astype(np.float64)
            found = infer(r, self.dof[seed], self.rank, ratio)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                se = 1 / np.sqrt(self.dof[seed].astype(np.float64) - 2)
            found = infer_from_se(r, se)
        return found if self.tested is None else replace(found, se=np.full_like(found.se, np.nan))

    def unevenness(self, keep: Keep) -> "Unevenness | None":
        """Say how uneven the noise is in time, in frames of the run; None if that is not known."""
        if self.variance is None:
            return None
        frames, bad = np.flatnonzero(keep), worst_frames(self.variance)
        share = self.variance / self.variance.sum()
        return Unevenness(
            factor=variance_factor(self.variance),
            uneven=is_uneven(self.variance),
            frames=tuple(frames[bad].tolist()),
            share=float(share[bad].sum()),
            largest=int(frames[np.argmax(share)]),
            largest_share=float(share.max()),
        )


@dataclass(frozen=True)
class Unevenness:
    """How uneven the variance of a run's noise is in time.

    Attributes
    ----------
    factor : float
        By how much it divides the independent frames: see `seedmap.connectivity.variance_factor`.
    uneven : bool
        Whether a reader should know.
    frames : tuple of int
        Frames of the run, counted from 0, without which it is even; empty if it is, or if it
        changes over the whole run.
    share : float
        Share of the squares that these hold.
    largest : int
        The frame of the largest variance.
    largest_share : float
        Share of the squares that it holds.
    """

    factor: float
    uneven: bool
    frames: tuple[int, ...]
    share: float
    largest: int
    largest_share: float

    @property
    def words(self) -> str:
        """Which frames, and what they do, in a few words."""
        if not self.uneven:
            return f"even in time (variance factor {self.factor:.2f})"
        if not self.frames:
            return f"its variance changes over the run (variance factor {self.factor:.1f})"
        which = (
            f"frame {self.frames[0]}" if len(self.frames) == 1 else f"frames {ranges(self.frames)}"
        )
        hold = "holds" if len(self.frames) == 1 else "hold"
        return f"{which} {hold} {self.share:.0%} of its squares (variance factor {self.factor:.1f})"


def ranges(numbers: Sequence[int]) -> str:
    """Write ascending whole numbers in short: ``3, 7-9``."""
    groups = np.split(np.array(numbers), np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


class ErrorBars:
    """Degrees of freedom of every seed with every sample: how sure the maps of a run are.

    Works as a measure does: see `seedmap.analysis.measures`. Seeds that are taken together are
    estimated each with the others regressed out. A new kind of error bar is one more class beside
    `ByOperator`, an entry of `KINDS` and a name in `seedmap.analysis.options.Uncertainty`.
    """

    def __init__(
        self,
        kind: Uncertainty,
        operator: CleaningOperator,
        series: NDArray[np.float32],
        *,
        joint: bool,
    ) -> None:
        self._kind, self._operator, self._series, self._joint = kind, operator, series, joint
        self._variance = run_variance(operator, series)

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Take the uncleaned seeds (kept, seeds), and what was subtracted from each sample."""
        seeds = raw_seeds.shape[1]
        self._dof = np.empty((seeds, reference.size), dtype=np.float32)
        by_operator = self._kind == "operator"
        self._ratio = np.empty_like(self._dof, dtype=np.float16) if by_operator else None
        alone = [slice(seed, seed + 1) for seed in range(seeds)]
        self._each: list[Naive] = []
        for group in alone if self._joint else [slice(0, seeds)]:
            others = np.delete(raw_seeds, group, axis=1)
            operator = self._operator.without(others)
            variance = run_variance(operator, self._series) if others.size else self._variance
            tables = noise_tables(operator, variance, intervals=self._ratio is not None)
            one = KINDS[self._kind](operator, tables, self._dof[group], others.shape[1])
            one.ratio = None if self._ratio is None else self._ratio[group]
            one.begin(raw_seeds[:, group], reference)
            self._each.append(one)
        if self._kind == "xdf":
            warn_where_xdf_misleads(len(self._operator.L), self._each[0].tables.rank)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Take the uncleaned series (kept, block) of some samples."""
        for one in self._each:
            one.block(part, raw)

    def end(self, tested: NDArray[np.float32] | None, few: NDArray[np.float32]) -> Certainty:
        """Give what is known.

        Parameters
        ----------
        tested
            See `Certainty`.
        few
            Uncleaned series of a few samples, (kept, few), from which the autocorrelation of the
            noise is reported.
        """
        return Certainty(
            method=self._kind,
            dof=self._dof,
            rank=min(one.tables.rank for one in self._each),
            white_dof=min(one.operator.white_dof for one in self._each),
            noise_autocorrelation=_autocorrelation(self._each[0], few),
            tested=tested,
            se_ratio=self._ratio,
            variance=self._variance,
        )


class Naive:
    """As if frames were independent.

    Parameters
    ----------
    operator
        The cleaning.
    tables
        What follows from it for noise.
    dof
        Where the degrees of freedom are put, shape (seeds, samples).
    removed
        Series that the cleaning removes beside trend and confounds.
    """

    def __init__(
        self,
        operator: CleaningOperator,
        tables: NoiseTables,
        dof: NDArray[np.float32],
        removed: int,
    ) -> None:
        self.operator, self.tables, self.dof, self.removed = operator, tables, dof, removed
        self.ratio: NDArray[np.float16] | None = None

    def begin(self, raw_seeds: Array, reference: Array) -> None:  # noqa: ARG002  for the others
        """Count the frames."""
        self.dof[:] = infer_naively(0.0, len(self.operator.L) - self.removed).dof

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Nothing is needed of the samples."""


class ByOperator(Naive):
    """Follows the noise of every sample through the cleaning: see `seedmap.connectivity.noise`."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:  # noqa: ARG002  for the others
        """Prepare the seeds."""
        lags = seed_lags(self.tables, self.operator.rows, raw_seeds)
        residuals = self.operator.residuals(raw_seeds - raw_seeds[:1])
        self._kernels = seed_kernels(self.tables, lags, residuals)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Estimate the degrees of freedom of a block."""
        for start in range(0, raw.shape[1], TOGETHER):
            some = slice(start, min(start + TOGETHER, raw.shape[1]))
            found = effective_dof(self._kernels, self.operator.residuals(raw[:, some]))
            place = slice(part.start + some.start, part.start + some.stop)
            self.dof[:, place] = found.dof
            if self.ratio is not None:
                self.ratio[:, place] = 1 if found.se_ratio is None else found.se_ratio


class ByXdf(Naive):
    """Variance from the auto- and cross-correlations: see `seedmap.connectivity.xdf`."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Clean the seeds."""
        self._cleaner = BlockCleaner(self.operator.on_kept, reference)
        self._seeds = self._cleaner.clean_seeds(raw_seeds)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Estimate the degrees of freedom of a block."""
        cleaned = self._cleaner.clean(part, raw)
        for row, seed in zip(self.dof, self._seeds.T, strict=True):
            row[part] = infer_by_xdf(seed, cleaned).dof


KINDS: dict[Uncertainty, type[Naive]] = {"operator": ByOperator, "xdf": ByXdf, "naive": Naive}


def _autocorrelation(one: Naive, series: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the median noise autocorrelation of a few uncleaned series, from lag 1 on."""
    noise = noise_autocovariance(one.tables, one.operator.residuals(series))
    with np.errstate(invalid="ignore", divide="ignore"):
        lags = np.nanmedian(noise[1 : REPORTED_LAGS + 1] / noise[:1], axis=1)
    return tuple(round(float(lag), 4) for lag in lags)


def warn_of_certainty(certainty: Certainty, keep: Keep, seeds: Sequence[str]) -> None:
    """Warn of what makes maps less sure than they look."""
    _warn_of_few_frames(keep)
    _warn_of_uneven_variance(certainty, keep)
    _warn_of_few_dof(certainty, seeds)


def _warn_of_few_dof(certainty: Certainty, seeds: Sequence[str]) -> None:
    """Warn where correlations rest on fewer than ten effective degrees of freedom."""
    for name, dof in zip(seeds, certainty.dof, strict=True):
        few = np.count_nonzero(dof < FEW_DOF)
        if few > dof.size / 100:
            msg = (
                f"seed {name!r}: {few / dof.size:.0%} of its correlations rest on fewer than "
                f"{FEW_DOF:.0f} effective degrees of freedom; their z and p are rough. A longer run, "
                "fewer confounds or a wider band gives more"
            )
            warnings.warn(msg, SeedmapWarning, stacklevel=5)


def _warn_of_few_frames(keep: Keep) -> None:
    """Warn of runs that are too short for their noise to be known."""
    kept = int(np.count_nonzero(keep))
    if kept < FEW_FRAMES:
        msg = (
            f"{kept} frames are kept; below {FEW_FRAMES} the memory of the noise is poorly known, and "
            "z and p are rough. Censor fewer frames, or combine runs"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=5)


def _warn_of_uneven_variance(certainty: Certainty, keep: Keep) -> None:
    """Warn where few frames hold much of the noise, or its variance changes over the run."""
    found = certainty.unevenness(keep)
    if found is None or not found.uneven:
        return
    allowed = "z and p allow for it" if certainty.method == "operator" else "z and p do not know it"
    remedy = (
        f"censoring {'it' if len(found.frames) == 1 else 'them'} (sample_mask, --sample-mask) keeps "
        "more power"
        if found.frames
        else "look for movement, drift or a part without signal"
    )
    msg = f"the noise is uneven in time: {found.words}; {allowed}, but {remedy}"
    warnings.warn(msg, SeedmapWarning, stacklevel=5)
