"""Whether the two halves of a run agree as well as the standard errors say.

This needs no model of the noise: correlations of some samples of the run with others are worked
out in each half, and their differences set against the standard errors of the halves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap.connectivity import (
    effective_dof,
    fisherz,
    infer,
    noise_tables,
    pearson,
    run_variance,
    seed_kernels,
    seed_lags,
)
from seedmap.temporal import CleaningOperator

__all__ = ["Halves", "compare_halves"]

SEEDS, SAMPLES = 50, 2000
# Frames between the halves, so that what the filter spreads counts for neither [s].
BETWEEN = 20.0
FEWEST_DOF = 4.0


@dataclass(frozen=True)
class Halves:
    """How the two halves of a run differ, in standard errors.

    Attributes
    ----------
    error : float
        Median over seeds of the root mean square difference; 1 if the standard errors are right
        and the run is alike throughout. NaN if the run is too short for this.
    low, high : float
        5 and 95 % of the seeds.
    """

    error: float
    low: float
    high: float


def compare_halves(
    operator: CleaningOperator, series: Array, t_r: float | None, rng: np.random.Generator
) -> Halves:
    """Correlate some samples, as seeds, with others in each half of a run.

    Parameters
    ----------
    operator
        The cleaning.
    series
        Uncleaned samples, shape (kept, samples), none of them constant.
    t_r
        Repetition time [s]; None leaves two frames between the halves.
    rng
        Source of chance: which samples are seeds.
    """
    chosen = rng.permutation(series.shape[1])[: SEEDS + SAMPLES]
    raw = series[:, chosen].astype(np.float64)
    seeds, samples = raw[:, : min(SEEDS, len(chosen) // 2)], raw[:, min(SEEDS, len(chosen) // 2) :]
    tables = noise_tables(operator, run_variance(operator, series))
    lags = seed_lags(tables, operator.rows, seeds)
    kernels = seed_kernels(tables, lags, operator.residuals(seeds))
    whole = effective_dof(kernels, operator.residuals(samples))
    dof = infer(0.0, whole.dof, tables.rank).dof
    found, variance = [], np.zeros(dof.shape)
    for half in _halves(operator.keep, t_r):
        if np.count_nonzero(half) < 5:
            return Halves(*(float("nan"),) * 3)
        x, y = ((operator.on_kept @ one)[half] for one in (seeds, samples))
        found.append(fisherz(pearson(y, x)))
        left = dof * np.mean(half)
        variance += (1.0 if whole.se_ratio is None else whole.se_ratio**2) / np.where(
            left > FEWEST_DOF, left - 2, np.nan
        )
    errors = np.sqrt(np.nanmean((found[0] - found[1]) ** 2 / variance, axis=1))
    low, error, high = np.nanpercentile(errors, [5, 50, 95])
    return Halves(error=float(error), low=float(low), high=float(high))


def _halves(keep: Keep, t_r: float | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Choose the kept frames of the first and of the second half."""
    times = np.flatnonzero(keep) * (t_r or BETWEEN / 2)
    middle = np.median(times)
    return times < middle - BETWEEN / 2, times > middle + BETWEEN / 2
