"""From nilearn's options of a cleaning to one matrix a run.

Checks, errors and warnings are nilearn's own functions where it has them; the matrices are made
of our `seedmap.temporal` operators, so that censored frames have no weight in any of them.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nilearn.exceptions import AllVolumesRemovedError
from nilearn.signal import butterworth
from numpy.typing import NDArray
from typing_extensions import override

from seedmap._arrays import Array, Keep
from seedmap.confounds import read_confounds
from seedmap.errors import ConfoundsError, SeedmapWarning
from seedmap.signal.nilearn_private import (
    _check_cosine_by_user,
    _check_filter_parameters,
    _check_signal_parameters,
    _sanitize_inputs,
    check_params,
    create_cosine_drift,
    find_stack_level,
    standardize_signal,
    stringify_path,
)
from seedmap.temporal import (
    Censor,
    Detrend,
    FillCensored,
    Nuisance,
    TimeOperator,
    confound_basis,
    repeated_columns,
)

__all__ = ["CleaningPlan", "RunCleaning", "plan_cleaning"]


@dataclass(frozen=True, eq=False)
class RunCleaning:
    """How one run is cleaned.

    Attributes
    ----------
    frames : ndarray of int, shape (kept,)
        The frames that are read, counted over all runs.
    operator : ndarray of float64, shape (kept, kept), or None
        The linear part; None leaves the frames as they are.
    mean : ndarray of float64, shape (kept,)
        Weights of the mean before the cleaning.
    standardize : str or None
        ``"zscore_sample"``, ``"psc"`` or None.
    """

    frames: NDArray[np.int64]
    operator: Array | None
    mean: Array
    standardize: str | None


@dataclass(frozen=True, eq=False)
class CleaningPlan:
    """A cleaning that is ready to be applied to any series of the right length."""

    runs: tuple[RunCleaning, ...]

    @property
    def frames_out(self) -> int:
        """Number of frames that stay."""
        return sum(run.frames.size for run in self.runs)

    @property
    def only_selects(self) -> bool:
        """Whether frames are at most dropped, so that values stay what they are."""
        return all(run.operator is None and run.standardize is None for run in self.runs)

    def read(self, frames: int) -> Keep:
        """Return which of so many frames are read at all, bool, shape (frames,)."""
        keep = np.zeros(frames, dtype=bool)
        for run in self.runs:
            keep[run.frames] = True
        return keep

    def for_read(self, frames: int) -> "CleaningPlan":
        """Return the plan for series that hold only the frames that are read."""
        place = np.cumsum(self.read(frames)) - 1
        return CleaningPlan(tuple(replace(run, frames=place[run.frames]) for run in self.runs))


def plan_cleaning(  # noqa: PLR0913  nilearn's signature
    frames: int,
    runs: Any = None,
    detrend: bool = True,  # noqa: FBT001, FBT002
    standardize: Any = "zscore_sample",
    sample_mask: Any = None,
    confounds: Any = None,
    standardize_confounds: Any = True,  # noqa: FBT002
    filter: Any = "butterworth",  # noqa: A002
    low_pass: float | None = None,
    high_pass: float | None = None,
    t_r: float | None = 2.5,
    ensure_finite: bool = False,  # noqa: FBT001, FBT002
    extrapolate: bool = False,  # noqa: FBT001, FBT002
    **kwargs: Any,
) -> CleaningPlan:
    """Check the options of `clean` for a series of so many ``frames`` and write them out.

    Parameters, errors and warnings are those of `clean`.
    """
    check_params(locals())
    confounds = stringify_path(confounds)
    if confounds is not None:
        _check_signal_parameters(detrend, standardize_confounds)
    names = _names_of(confounds)
    kind, t_r, low_pass, high_pass = _check_filter_parameters(filter, low_pass, high_pass, t_r)
    codes = None if runs is None else np.unique(np.asarray(runs), return_inverse=True)[1]
    _, codes, confounds, masks, standardize = _sanitize_inputs(
        np.empty((frames, 0)), codes, confounds, sample_mask, ensure_finite, standardize
    )
    if confounds is not None and confounds.ndim == 1:  # a file of one column
        confounds = confounds[:, None]
    options = _Options(
        detrend=detrend,
        standardize=standardize or None,
        centre_confounds=bool(standardize_confounds),
        kind=kind,
        band=(low_pass, high_pass),
        t_r=t_r,
        extrapolate=extrapolate,
        names=names,
        butterworth={
            name.removeprefix("butterworth__"): value
            for name, value in kwargs.items()
            if name.startswith("butterworth__") and name != "butterworth__copy"
        },
    )
    return CleaningPlan(tuple(_each_run(options, frames, codes, confounds, masks)))


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What `clean` was asked for, checked."""

    detrend: bool
    standardize: str | None
    centre_confounds: bool
    kind: Any  # "butterworth", "cosine" or False
    band: tuple[float | None, float | None]  # low-pass and high-pass [Hz]
    t_r: float | None
    extrapolate: bool
    butterworth: dict[str, Any]
    names: tuple[str, ...] = ()  # of the columns of confounds, where they have any


def _each_run(
    options: _Options, frames: int, codes: Any, confounds: Array | None, masks: Any
) -> list[RunCleaning]:
    if codes is None:
        return [_plan_run(options, np.arange(frames), confounds, masks)]
    masks = [masks] if isinstance(masks, np.ndarray) else masks
    planned = []
    for number in range(codes.max() + 1):
        rows = np.flatnonzero(codes == number)
        table = None if confounds is None else confounds[rows]
        planned.append(_plan_run(options, rows, table, None if masks is None else masks[number]))
    return planned


def _plan_run(
    options: _Options, rows: NDArray[np.int64], confounds: Array | None, index: Any
) -> RunCleaning:
    """Write out the cleaning of the run that stands in ``rows``; ``index`` counts within it."""
    keep = np.ones(rows.size, dtype=bool)
    if index is not None:
        index = np.ravel(index)
        _check_index(index, rows.size)
        if options.kind == "butterworth":
            keep = _as_increasing(index, rows.size)
            index = None
    drift = _cosines(options, rows.size)
    if index is not None:  # nothing needs even spacing, so what is censored is dropped at once
        rows, drift, keep = rows[index], drift[index], np.ones(len(index), dtype=bool)
        confounds = None if confounds is None else confounds[index]
    if options.kind == "cosine":
        confounds = _with_cosines(options, drift, confounds)
    before, mean = _before_projection(options, keep)
    return RunCleaning(
        frames=rows[keep],
        operator=_operator(options, before, confounds, keep),
        mean=mean,
        standardize=_standardize_if_possible(options.standardize, int(keep.sum())),
    )


def _cosines(options: _Options, frames: int) -> Array:
    """Return the slow cosines of a whole run, shape (frames, cosines); none for other filters."""
    if options.kind != "cosine":
        return np.empty((frames, 0))
    high_pass, t_r = options.band[1], float(options.t_r or 0)
    return create_cosine_drift(high_pass, np.arange(frames) * t_r)[:, :-1]


def _with_cosines(options: _Options, drift: Array, confounds: Array | None) -> Array | None:
    """Add slow cosines to the confounds, unless some are among them; nilearn decides and warns."""
    if options.band[0] is not None:
        msg = "low_pass is not implemented for filter='cosine': only high_pass is at work"
        warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant correlates with nothing
        return _check_cosine_by_user(confounds, drift)


def _check_index(index: NDArray[Any], frames: int) -> None:
    """Refuse a mask (of frame numbers) that keeps nothing or points behind the run."""
    if index.size == 0:
        raise AllVolumesRemovedError
    if index.max() >= frames:
        msg = (
            f"sample_mask: index {index.max()} is out of bounds for a run of {frames} frames; "
            "count frames from 0"
        )
        raise IndexError(msg)


def _as_increasing(index: NDArray[Any], frames: int) -> Keep:
    """Return a mask of frame numbers as booleans; a filter needs the frames in their order."""
    if (np.diff(index) <= 0).any():
        msg = (
            "sample_mask must be strictly increasing where a Butterworth filter is at work; sort "
            "the frame numbers and list each once"
        )
        raise ValueError(msg)
    keep = np.zeros(frames, dtype=bool)
    keep[index] = True
    return keep


def _standardize_if_possible(standardize: str | None, kept: int) -> str | None:
    """Return None for a single frame, which has no spread; nilearn's own words warn of it."""
    if standardize is not None and kept == 1:
        standardize_signal(np.ones((1, 1)), standardize=standardize)
        return None
    return standardize


def _before_projection(options: _Options, keep: Keep) -> tuple[TimeOperator | None, Array]:
    """Build what comes before the confounds, and the weights of the mean before trend and filter.

    None where nothing does.
    """
    kept = int(keep.sum())
    steps: TimeOperator | None = None
    mean, inner = np.full(kept, 1 / kept), keep
    if not keep.all():
        fill, inner = _fill(keep, extrapolate=options.extrapolate)
        mean = fill.matrix()[:, keep].mean(axis=0)
        steps = fill
    if options.detrend and inner.size == 1:
        standardize_signal(np.ones((1, 1)), detrend=True, standardize=None)  # warns
    elif options.detrend:
        trend = Detrend(np.arange(inner.size, dtype=float))
        steps = trend if steps is None else trend @ steps
    if options.kind == "butterworth":
        band = _Band(inner.size, options)
        steps = Censor(inner) @ (band if steps is None else band @ steps)
    return steps, mean


def _fill(keep: Keep, *, extrapolate: bool) -> tuple[TimeOperator, Keep]:
    """Bridge censored frames by a spline; without ``extrapolate`` cut head and tail off first."""
    if extrapolate:
        return FillCensored(keep, "spline", extrapolate=True), keep
    first, last = np.flatnonzero(keep)[[0, -1]]
    span = np.zeros(keep.size, dtype=bool)
    span[first : last + 1] = True
    return FillCensored(keep[span], "spline") @ Censor(span), keep[span]


def _operator(
    options: _Options, before: TimeOperator | None, confounds: Array | None, keep: Keep
) -> Array | None:
    """Write the linear part out on the kept frames, shape (kept, kept); None for the identity."""
    written = None if before is None else before.matrix()
    operator = None if written is None else written[:, keep]
    if confounds is None or not confounds.shape[1]:
        return operator
    if not np.isfinite(confounds[keep]).all():
        msg = (
            "confounds: the array must not contain infs or NaNs in the frames that stay; fill or "
            "leave out such columns (the first row of derivatives, mostly), or censor the frames"
        )
        raise ConfoundsError(msg)
    steps = _Written(np.eye(keep.size)) if written is None else _Written(written)
    table = np.asarray(confounds, dtype=np.float64)
    _warn_of_repeated(options, table, keep)
    basis = confound_basis(table, steps, keep, centre=options.centre_confounds)
    return Nuisance(basis).apply(np.eye(keep.size) if operator is None else operator)


def _warn_of_repeated(options: _Options, table: Array, keep: Keep) -> None:
    """Warn of confounds that repeat each other: nilearn's numbers differ there."""
    repeated = repeated_columns(table, keep, centre=options.centre_confounds)
    if not repeated.size:
        return
    known = len(options.names) >= table.shape[1] > 0
    names = [options.names[at] if known else f"column {at}" for at in repeated]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    msg = (
        f"confounds: {shown} repeat each other, as sums of one another; each direction is regressed "
        "out once, where nilearn also regresses out the rounding noise between them and gives other "
        "numbers; leave out columns that say nothing new"
    )
    warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())


def _names_of(confounds: Any) -> tuple[str, ...]:
    """Return the names of the columns of confounds, as far as they have any."""
    parts = confounds if isinstance(confounds, list) else [confounds]
    names: list[str] = []
    for part in parts:
        if isinstance(part, str) and Path(part).is_file():
            table = read_confounds(part)
            names += table.names if table else ()
        elif hasattr(part, "columns"):
            names += map(str, part.columns)
        else:
            return ()
    return tuple(names)


@dataclass(frozen=True, eq=False)
class _Written(TimeOperator):
    """An operator that has been written out."""

    values: Array

    @property
    @override
    def frames_in(self) -> int:
        return self.values.shape[1]

    @property
    @override
    def frames_out(self) -> int:
        return self.values.shape[0]

    @override
    def apply(self, series: Array) -> Array:
        return self.values @ series


@dataclass(frozen=True, eq=False)
class _Band(TimeOperator):
    """nilearn's Butterworth filter, with its warnings about the Nyquist frequency."""

    frames: int
    options: _Options

    @property
    @override
    def frames_in(self) -> int:
        return self.frames

    @override
    def apply(self, series: Array) -> Array:
        low_pass, high_pass = self.options.band
        return butterworth(
            np.asarray(series, dtype=np.float64),
            sampling_rate=1.0 / float(self.options.t_r or 0),  # it was checked before
            low_pass=low_pass,
            high_pass=high_pass,
            copy=True,
            **self.options.butterworth,
        )
