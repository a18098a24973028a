"""`clean` and `high_variance_confounds` with nilearn's signatures."""

from typing import Any

import numpy as np

from seedmap import temporal
from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.signal.apply import apply_plan
from seedmap.signal.nilearn_private import _sanitize_signals, check_params
from seedmap.signal.plan import plan_cleaning

__all__ = ["clean", "high_variance_confounds"]


def clean(  # noqa: PLR0913  nilearn's signature
    signals: Any,
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
) -> Any:
    """Clean time series: detrend, filter, censor, regress confounds out, standardise.

    Parameters
    ----------
    signals
        Shape (frames, samples). Not modified.
    runs
        Label of each frame's run, shape (frames,); runs are cleaned one by one and stacked in
        the order of their labels. None for a single run.
    detrend
        Remove mean and straight line.
    standardize
        ``"zscore_sample"`` (mean 0, standard deviation 1 with n - 1), ``"psc"`` (percent of
        the mean) or None.
    sample_mask
        Frames that stay, as booleans or indices; with ``runs`` a list, one a run. What stands
        in other frames leaves no trace in the result.
    confounds
        Path of a table, array, data frame, or a list of these; one row a frame.
    standardize_confounds
        Centre the confounds.
    filter
        ``"butterworth"``, ``"cosine"`` or False.
    low_pass, high_pass
        Cut-offs [Hz], or None.
    t_r
        Repetition time [s].
    ensure_finite
        Take NaN and infinity for 0. Otherwise such a sample becomes NaN.
    extrapolate
        Let the spline that bridges censored frames for the filter run on beyond the first and
        last kept frame.
    **kwargs
        ``butterworth__order``, ``butterworth__padtype``, ``butterworth__padlen``; others are
        ignored.

    Returns
    -------
    ndarray, shape (kept, samples)
        float32 stays float32.

    Raises
    ------
    ValueError, TypeError, IndexError
        As ``nilearn.signal.clean``.
    AllVolumesRemovedError
        If the mask keeps no frame.

    References
    ----------
    Lindquist et al. (2019), Hum. Brain Mapp. 40, 2358, doi:10.1002/hbm.24528.
    """
    plan = plan_cleaning(
        len(signals), runs, detrend, standardize, sample_mask, confounds, standardize_confounds,
        filter, low_pass, high_pass, t_r, ensure_finite, extrapolate, **kwargs,
    )  # fmt: skip
    given = _sanitize_signals(signals, ensure_finite)
    series = given.reshape(len(given), -1)
    if series.dtype not in (np.float32, np.float64):
        series = series.astype(np.float32 if series.dtype == np.float16 else np.float64)
    reference = np.zeros(series.shape[1])
    if not plan.only_selects:
        reference = series[plan.runs[0].frames[0]].astype(np.float64)
        reference[~np.isfinite(reference)] = 0.0
        series -= reference.astype(series.dtype)
        series[np.isinf(series)] = np.nan  # either spoils all of its sample
    cleaned = apply_plan(plan, series, reference)
    return cleaned.reshape(-1, *given.shape[1:]).astype(given.dtype, copy=False)


def high_variance_confounds(
    series: Any,
    n_confounds: int = 5,
    percentile: float = 2.0,
    detrend: bool = True,  # noqa: FBT001, FBT002
) -> Array:
    """Return the leading time courses of the samples that vary most.

    Parameters
    ----------
    series
        Shape (frames, samples). Not modified. Samples with NaN are left out.
    n_confounds
        Number of time courses to return.
    percentile
        Share of the samples, from the most variable down, that is used [percent].
    detrend
        Remove mean and straight line first.

    Returns
    -------
    ndarray, shape (frames, n_confounds)
        Orthonormal columns, from the strongest down; their signs mean nothing. Where all
        samples vary alike no sample stands out, and the columns mean nothing.

    Raises
    ------
    ValueError
        If ``percentile`` lies outside 0 to 100.

    References
    ----------
    Behzadi et al. (2007), NeuroImage 37, 90, doi:10.1016/j.neuroimage.2007.04.042.
    """
    check_params({"detrend": detrend})
    if not 0 <= percentile <= 100:
        msg = f"percentile={percentile:g}; Percentiles must be in the range [0, 100]"
        raise OptionError(msg)
    series = _sanitize_signals(series, ensure_finite=False)
    try:
        found = temporal.high_variance_confounds(
            series, n_confounds, percentile, detrend=detrend and len(series) > 1
        )
    except OptionError:  # no sample varies more than the others
        found = np.eye(len(series))[:, ::-1][:, :n_confounds]
    return found.astype(series.dtype)
