"""Whether the two halves of a run agree as well as the standard errors say.

This needs no model of the noise: correlations of some samples of the run with others are worked
out in each half, and their differences set against the standard errors of the halves.
"""

from dataclasses import dataclass

import numpy as np

from seedmap._arrays import Array
from seedmap.connectivity import (
    effective_dof,
    fisherz,
    half_variance,
    infer,
    noise_tables,
    pearson,
    run_variance,
    seed_kernels,
    seed_lags,
    split_halves,
    time_error,
)
from seedmap.temporal import CleaningOperator

__all__ = ["Halves", "compare_halves"]

SEEDS, SAMPLES = 50, 2000
FEWEST_FRAMES = 5


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
    halves = split_halves(operator.keep, t_r)
    if min(map(np.count_nonzero, halves)) < FEWEST_FRAMES:
        return Halves(*(float("nan"),) * 3)
    cleaned = [operator.on_kept @ one for one in (samples, seeds)]
    first, second = (fisherz(pearson(*(one[half] for one in cleaned))) for half in halves)
    shares = (float(np.mean(halves[0])), float(np.mean(halves[1])))
    ratio = 1.0 if whole.se_ratio is None else whole.se_ratio
    errors = time_error(first, second, half_variance(dof, ratio, shares))
    low, error, high = np.nanpercentile(errors, [5, 50, 95])
    return Halves(error=float(error), low=float(low), high=float(high))
