"""From options to one operator: how a run is cleaned.

`Cleaning` holds the options. `cleaning_operator` turns them, with the frames that stay and the
confounds, into the matrix L of shape (kept, frames), held by a `CleaningOperator`::

    L = Nuisance . Censor . Filter . Detrend . Fill          (applied from right to left)

and into the basis of R, which projects out trend and confounds only. The order of the steps is science and
lives here and nowhere else: confounds go through the same fill, trend and filter as the data
and are projected out on the kept frames, so that no step brings back what an earlier one
removed (Lindquist et al. 2019, doi:10.1002/hbm.24528). Columns of L that belong to censored
frames are exactly zero.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep, project_out, readonly
from seedmap.errors import OptionError, TooFewFrames
from seedmap.temporal.blocks import BlockCleaner, Cleaner, Remover
from seedmap.temporal.operators import (
    Butterworth,
    Censor,
    Detrend,
    Edges,
    Fill,
    FillCensored,
    Nuisance,
    TimeOperator,
    cosine_drift,
)
from seedmap.temporal.subspace import Subspace, find_gains, find_subspace

__all__ = [
    "Cleaning",
    "CleaningOperator",
    "Filter",
    "cleaning_operator",
    "confound_basis",
    "repeated_columns",
]

Filter = Literal["butterworth", "cosine"]

# Singular values of confounds, each column of unit norm, below this share of the largest are
# rounding: duplicates and sums of other columns end near 1e-16, real ones above 1e-6.
RANK_BEFORE_FILTER = 1e-9
# The same after trend and filter, measured against the unfiltered size. A confound that the
# filter removes altogether (a constant, a line) ends near 1e-15.
RANK_AFTER_FILTER = 1e-8
# A column with a smaller weight than this has no part in a sum that vanishes.
IN_A_SUM = 1e-6
# Singular values of series to be projected out, each of unit norm, below this share of the largest:
# one is a sum of the others.
SAME = 1e-8
# Gains below this share of the largest count for nothing in the rank.
COUNTS = 1e-3


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """How a run is cleaned before it is correlated.

    The defaults are those of nilearn's seed-to-voxel example. Without censoring they give
    nilearn's numbers.

    Raises
    ------
    OptionError
        If the pass band is empty or an option has an unknown value.
    """

    detrend: bool = True
    """Remove the mean and a straight line from every series."""

    high_pass: float | None = 0.01
    """Drop fluctuations slower than this [Hz]; none keeps them."""

    low_pass: float | None = 0.1
    """Drop fluctuations faster than this [Hz]; none keeps them."""

    filter: Filter | None = "butterworth"
    """Kind of temporal filter: butterworth, cosine (high-pass only) or none."""

    order: int = 5
    """Order of the Butterworth filter."""

    standardize_confounds: bool = True
    """Centre every confound before it is regressed out."""

    edges: Edges = "odd"
    """How the filter continues a series past its ends: odd (as nilearn) or even (mirrored)."""

    fill: Fill = "linear"
    """How censored frames are bridged for the filter: linear, or spline (as nilearn)."""

    def __post_init__(self) -> None:
        for name, allowed in (("filter", Filter), ("edges", Edges), ("fill", Fill)):
            value = getattr(self, name)
            if value not in get_args(allowed) and not (name == "filter" and value is None):
                msg = f"{name}={value!r} is not known; choose one of {', '.join(get_args(allowed))}"
                raise OptionError(msg)
        for name in ("high_pass", "low_pass"):
            edge = getattr(self, name)
            if edge is not None and not (np.isfinite(edge) and edge > 0):
                msg = f"{name}={edge:g} Hz; give a frequency above 0, or 'none' to switch it off"
                raise OptionError(msg)
        if self.high_pass and self.low_pass and self.high_pass >= self.low_pass:
            msg = (
                f"high_pass={self.high_pass:g} Hz is not below low_pass={self.low_pass:g} Hz, so "
                "the pass band is empty; swap them or switch one off with 'none'"
            )
            raise OptionError(msg)
        if self.order < 1:
            msg = (
                f"order={self.order}; a Butterworth filter has an order of at least 1 (5 is usual)"
            )
            raise OptionError(msg)

    @property
    def high_passed(self) -> bool:
        """Whether the filter takes slow drifts away."""
        return self.filter is not None and self.high_pass is not None

    @property
    def needs_t_r(self) -> bool:
        """Whether the repetition time matters: it does as soon as a filter is at work."""
        if self.filter == "cosine":
            return self.high_pass is not None
        return self.filter is not None and (self.high_pass or self.low_pass) is not None


@dataclass(frozen=True, eq=False)
class CleaningOperator:
    """A run's cleaning, written out as one matrix, with what follows from it.

    Attributes
    ----------
    L : ndarray of float64, shape (kept, frames)
        The whole cleaning. Columns of censored frames are zero.
    keep : ndarray of bool, shape (frames,)
        The frames that stay, those cut at head and tail excluded.
    noise_basis : ndarray of float64, shape (kept, regressors)
        Orthonormal basis of mean, line and confounds on the kept frames: what is projected out,
        and nothing filtered, to see the noise of the run.
    confound_rank : int
        Number of independent directions that the confounds remove from the cleaned frames.
    confounds_given : int
        Number of columns that were given.
    """

    L: Array
    keep: Keep
    noise_basis: Array
    confound_rank: int = 0
    confounds_given: int = 0
    # A few rows with the singular values of L, centred, where they are known without a search.
    _few_rows: Array | None = field(default=None, repr=False)

    @cached_property
    def on_kept(self) -> Array:
        """L on the kept frames alone, shape (kept, kept): all of L that is not zero."""
        return readonly(self.L[:, self.keep])

    @property
    def R(self) -> Array:
        """Projection of trend and confounds alone, shape (kept, frames): residuals R x."""
        projection = np.zeros(self.L.shape)
        projection[:, self.keep] = np.eye(len(self.L)) - self.noise_basis @ self.noise_basis.T
        return projection

    @cached_property
    def _subspace(self) -> Subspace:
        return find_subspace(self.on_kept)

    @property
    def coordinates(self) -> Array:
        """From kept frames to the cleaned run's own coordinates, shape (coordinates, kept).

        Cleaned series in these have the correlations of ``L x`` on fewer rows; the strongest
        direction comes first.
        """
        return self._subspace.coordinates

    @property
    def rows(self) -> Array:
        """From kept frames to rows that have the inner products of the cleaned, centred run.

        The coordinates, or other few rows that are known without a search; shape (n, kept).
        """
        return self.coordinates if self._few_rows is None else self._few_rows

    @cached_property
    def gains(self) -> Array:
        """Singular values of L, each column centred, largest first; negligible ones may be missing."""
        if self._few_rows is None:
            return self._subspace.gains
        return find_gains(self._few_rows)

    @property
    def rank(self) -> int:
        """Directions that the cleaning leaves: gains above a thousandth of the largest.

        A Butterworth filter has no sharp rank, and what it lets through at a thousandth no longer
        moves a correlation.
        """
        return int(np.count_nonzero(self.gains > COUNTS * self.gains[0]))

    @property
    def white_dof(self) -> float:
        """Effective degrees of freedom of a correlation if the noise were white; 0 if nothing is left.

        That is tr(M)^2 / tr(M^2), M = Lc'Lc, Lc being L with each column centred.
        """
        squares = self.gains**2
        total = float(np.sum(squares**2))
        return float(np.sum(squares)) ** 2 / total if total > 0 else 0.0

    def residuals(self, series: Array) -> Array:
        """Project trend and confounds out of uncleaned series (kept, samples), in their precision."""
        return project_out(self.noise_basis.astype(series.dtype), series)

    def cleaner(self, reference: Array) -> Cleaner:
        """Return what cleans blocks of samples for their correlations.

        Parameters
        ----------
        reference
            What was subtracted from each sample, shape (samples,).
        """
        if self._subspace.removed is not None:
            return Remover(self._subspace.removed)
        return BlockCleaner(self.coordinates, reference)

    def without(self, others: Array) -> "CleaningOperator":
        """Let the cleaning also project out other series, after the same steps as the data.

        Parameters
        ----------
        others
            Uncleaned series, shape (kept, series); none returns the operator itself.

        Returns
        -------
        CleaningOperator
            (I - Q Q') L, Q being an orthonormal basis of the cleaned, centred series; their
            residuals join the noise basis. The confounds are counted as before.
        """
        if not others.shape[1]:
            return self
        others = others - others[:1]
        cleaned = self.on_kept @ others
        return replace(
            self,
            L=project_out(_span(cleaned - cleaned.mean(axis=0)), self.L),
            noise_basis=np.hstack([self.noise_basis, _span(self.residuals(others))]),
            _few_rows=project_out(_span(self.coordinates @ others), self.coordinates),
        )


def cleaning_operator(
    cleaning: Cleaning, keep: Keep, t_r: float | None = None, confounds: Array | None = None
) -> CleaningOperator:
    """Write a cleaning out as one matrix.

    Parameters
    ----------
    cleaning
        The options.
    keep
        Frames that stay, bool, shape (frames,).
    t_r
        Repetition time [s]; may be None where no filter is at work.
    confounds
        Nuisance series, shape (frames, confounds), finite on the kept frames. What stands in
        censored frames is never read. None for no confounds.

    Returns
    -------
    CleaningOperator
        L, the noise basis and what was counted on the way.

    Raises
    ------
    OptionError
        If a filter is asked for without a repetition time, or beyond the Nyquist frequency.
    TooFewFrames
        If the filter needs more frames, or the confounds leave nothing.
    """
    frames = keep.size
    if cleaning.needs_t_r and t_r is None:
        msg = "a temporal filter needs the repetition time; give t_r in seconds"
        raise OptionError(msg)
    given = np.empty((frames, 0)) if confounds is None else np.asarray(confounds, dtype=np.float64)
    before = _steps_before_projection(cleaning, keep, t_r)
    if cleaning.filter == "cosine" and cleaning.high_pass and t_r:
        given = np.hstack([given, cosine_drift(frames, t_r, cleaning.high_pass)])
    basis = confound_basis(given, before, keep, centre=cleaning.standardize_confounds)
    uncorrected = before.matrix()
    L = Nuisance(basis).apply(uncorrected)
    _check_something_left(basis.shape[1], uncorrected, L)
    L[:, ~keep] = 0.0  # they are: this turns rounding in a Detrend-free chain into exact zeros
    return CleaningOperator(
        L=readonly(L),
        keep=keep,
        noise_basis=readonly(_noise_basis(given, keep)),
        confound_rank=basis.shape[1],
        confounds_given=0 if confounds is None else int(np.asarray(confounds).shape[1]),
    )


def _steps_before_projection(cleaning: Cleaning, keep: Keep, t_r: float | None) -> TimeOperator:
    """Build everything up to the confounds: (frames) to (kept)."""
    frames = keep.size
    if cleaning.filter != "butterworth" or not cleaning.needs_t_r or t_r is None:
        # No filter that needs even spacing: drop first. The trend runs over true time, except
        # in nilearn's way of censoring, which counts the kept frames.
        kept = np.flatnonzero(keep) if cleaning.fill == "linear" else np.arange(int(keep.sum()))
        censor = Censor(keep)
        return Detrend(kept.astype(float)) @ censor if cleaning.detrend else censor
    first, last = np.flatnonzero(keep)[[0, -1]]
    span = np.zeros(frames, dtype=bool)
    span[first : last + 1] = True
    inner = keep[span]
    steps: TimeOperator = FillCensored(inner, cleaning.fill) @ Censor(span)
    if cleaning.detrend:
        steps = Detrend(np.arange(inner.size, dtype=float)) @ steps
    band = Butterworth(
        inner.size, t_r, cleaning.high_pass, cleaning.low_pass, cleaning.order, cleaning.edges
    )
    return Censor(inner) @ band @ steps


def confound_basis(given: Array, before: TimeOperator, keep: Keep, *, centre: bool) -> Array:
    """Orthonormal basis (kept, confound_rank) of what the confounds span after the same steps as the data.

    Their rank is decided twice by singular values: on the raw confounds, where a duplicate or a
    sum of others is plain to see, and after the filter, where one may have vanished.
    """
    independent = _independent(given, keep, centre=centre)
    cleaned = before.apply(independent)
    if centre:
        cleaned = cleaned - cleaned.mean(axis=0)
    left, size, _ = np.linalg.svd(cleaned, full_matrices=False)
    return left[:, size > RANK_AFTER_FILTER]


def repeated_columns(given: Array, keep: Keep, *, centre: bool) -> NDArray[np.int64]:
    """Return the columns of confounds (frames, c) that are weighted sums of other columns.

    Of columns that repeat each other all are returned. Constant columns repeat nothing.
    """
    kept = given[keep]
    size_before = np.linalg.norm(kept, axis=0)
    kept = kept - (kept.mean(axis=0) if centre else 0.0)
    size = np.linalg.norm(kept, axis=0)
    varies = np.flatnonzero(size > RANK_BEFORE_FILTER * size_before)
    _, singular, right = np.linalg.svd(kept[:, varies] / size[varies], full_matrices=False)
    nothing = singular <= RANK_BEFORE_FILTER * singular.max(initial=0.0)
    return varies[(np.abs(right[nothing]) > IN_A_SUM).any(axis=0)]


def _independent(given: Array, keep: Keep, *, centre: bool) -> Array:
    """Combine confounds (frames, c) into (frames, n), independent and orthonormal on the kept frames."""
    usable = np.where(keep[:, None], given, 0.0)
    kept = usable[keep]
    size_before = np.linalg.norm(kept, axis=0)
    mean = kept.mean(axis=0) if centre else np.zeros(kept.shape[1])
    kept = kept - mean
    size = np.linalg.norm(kept, axis=0)
    varies = size > RANK_BEFORE_FILTER * size_before
    kept, scale = kept[:, varies] / size[varies], size[varies]
    _, singular, right = np.linalg.svd(kept, full_matrices=False)
    real = singular > RANK_BEFORE_FILTER * singular.max(initial=0.0)
    mix = right[real].T / singular[real]
    return np.where(keep[:, None], (usable[:, varies] - mean[varies]) / scale, 0.0) @ mix


def _noise_basis(given: Array, keep: Keep) -> Array:
    """Orthonormal basis (kept, regressors) of mean, straight line and confounds, unfiltered."""
    times = np.flatnonzero(keep).astype(float)
    trend = np.stack([np.ones(times.size), (times - times.mean()) / times.size], axis=1)
    columns = np.hstack([trend, _independent(given, keep, centre=True)[keep]])
    left, size, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    return left[:, size > RANK_AFTER_FILTER * size.max()]


def _span(series: Array) -> Array:
    """Orthonormal basis (kept, n) of what series (kept, series) of any sizes span."""
    size = np.linalg.norm(series, axis=0)
    left, singular, _ = np.linalg.svd(series / np.where(size > 0, size, 1.0), full_matrices=False)
    return left[:, singular > SAME * singular.max(initial=0.0)]


def _check_something_left(confound_rank: int, before: Array, after: Array) -> None:
    """Refuse confounds that leave one direction or none: every r would be 1, -1 or noise."""
    # A cleaning lets what it keeps through at a gain near 1, so its squares sum to how many
    # directions it keeps. The mean, which no correlation sees, does not count.
    had, left = (np.square(step - step.mean(axis=0)).sum() for step in (before, after))
    if confound_rank and left < min(1.5, 0.5 * had):
        msg = (
            f"the confounds span {confound_rank} directions and only {len(after)} frames are kept, so nothing is "
            "left to correlate; use fewer confounds or a longer run"
        )
        raise TooFewFrames(msg)
