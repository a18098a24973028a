"""Noise like that of a run, through the run's own cleaning: how often a test errs.

Pairs of series are drawn that have nothing to do with each other, one with the noise spectrum of
a seed, the other with that of a voxel, both with the run's variance in time. They are cleaned by
the run's own operator, correlated and tested, the variance in time being estimated anew. A test is
valid if it calls as many of them significant as it promises.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity import (
    Inference,
    NoiseTables,
    draw_noise,
    effective_dof,
    infer,
    infer_by_xdf,
    infer_naively,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    run_variance,
    seed_kernels,
    seed_lags,
)
from seedmap.temporal import CleaningOperator

__all__ = ["LEVELS", "METHODS", "Planted", "Rates", "null_rates", "planted"]

LEVELS = (0.05, 0.001)
METHODS = {"naive": "frames independent", "xdf": "xDF", "operator": "seedmap"}
PAIRS_TOGETHER = 500
INTERVALS_TOGETHER = 50
QUANTILES = 200


@dataclass(frozen=True, eq=False)
class Rates:
    """How one test did on null pairs.

    Attributes
    ----------
    method : str
        ``"naive"``, ``"xdf"`` or ``"operator"``.
    pairs : int
        Pairs that were tested.
    rates : dict of float to tuple of float
        For each level its false-positive rate and the ends of the rate's 95 % interval.
    spread : float
        Standard deviation of z; 1 if the test is valid.
    unanswered : float
        Share of pairs that got no p, for want of degrees of freedom; they count as not significant.
    quantiles : ndarray, shape (n, 2)
        Expected and found quantiles of -log10 p, for a QQ plot.
    """

    method: str
    pairs: int
    rates: dict[float, tuple[float, float, float]]
    spread: float
    unanswered: float
    quantiles: NDArray[np.float64]


@dataclass(frozen=True)
class Planted:
    """What became of pairs with a known correlation, by our test.

    Attributes
    ----------
    rho : float
        Correlation that was planted.
    r : float
        Mean correlation that was found, by Fisher's transform.
    found : float
        Share called significant at .05.
    covered : float
        Share whose 95 % interval holds ``rho``.
    """

    rho: float
    r: float
    found: float
    covered: float


def null_rates(
    operator: CleaningOperator,
    tables: NoiseTables,
    noise: tuple[Array, Array],
    pairs: int,
    rng: np.random.Generator,
) -> tuple[Rates, ...]:
    """Test null pairs by every method.

    Parameters
    ----------
    operator
        The run's cleaning.
    tables
        What it does to noise, with the run's variance in time.
    noise
        Autocovariances of seeds and of samples, each (lags, series); pairs take them at random.
    pairs
        How many.
    rng
        Source of chance.
    """
    results: dict[str, list[Inference]] = {method: [] for method in METHODS}
    for size in _batches(pairs):
        x, y = (draw_noise(rng, tables, _some(rng, one, size)) for one in noise)
        for method, result in _tests(operator, x, y).items():
            results[method].append(result)
    return tuple(_rates(method, found) for method, found in results.items())


def planted(
    operator: CleaningOperator,
    tables: NoiseTables,
    noise: tuple[Array, Array],
    rho: float,
    pairs: int,
    rng: np.random.Generator,
) -> Planted:
    """Test pairs with a planted correlation: samples that have noise of their own beside the seed's."""
    r, p, covered = [], [], []
    for size in _batches(pairs):
        x, own = (
            draw_noise(rng, tables, each / (tables.passed @ each))
            for each in (_some(rng, one, size) for one in noise)
        )
        y = rho * x + np.sqrt(1 - rho**2) * own
        found = _correlation(operator, x, y)
        result = _with_intervals(operator, found, x, y)
        r.append(np.arctanh(found))
        p.append(result.p)
        covered.append(np.abs(np.arctanh(found) - np.arctanh(rho)) < 1.959964 * result.se)
    return Planted(
        rho=rho,
        r=float(np.tanh(np.mean(np.concatenate(r)))),
        found=float(np.mean(np.concatenate(p) < LEVELS[0])),
        covered=float(np.mean(np.concatenate(covered))),
    )


def _some(rng: np.random.Generator, noise: Array, size: int) -> Array:
    """Take autocovariances at random."""
    return noise[:, rng.integers(noise.shape[1], size=size)]


def _tests(operator: CleaningOperator, x: Array, y: Array) -> dict[str, Inference]:
    """Clean raw pairs (kept, pairs) and test them by every method."""
    cleaned, r = (operator.on_kept @ x, operator.on_kept @ y), _correlation(operator, x, y)
    tables = noise_tables(operator, run_variance(operator, y), intervals=False)
    noise = noise_autocovariance(tables, operator.residuals(y))
    nu = pair_dof(tables, seed_lags(tables, operator.rows, x), noise)
    return {
        "naive": infer_naively(r, len(x)),
        "xdf": infer_by_xdf(*cleaned),
        "operator": infer(r, nu, tables.rank),
    }


def _with_intervals(operator: CleaningOperator, r: Array, x: Array, y: Array) -> Inference:
    """Test pairs as maps are tested, with standard errors around what was found."""
    tables = noise_tables(operator, run_variance(operator, y))
    dof, ratio = np.empty(r.size), np.empty(r.size)
    for start in range(0, r.size, INTERVALS_TOGETHER):
        part = slice(start, start + INTERVALS_TOGETHER)
        lags = seed_lags(tables, operator.rows, x[:, part])
        kernels = seed_kernels(tables, lags, operator.residuals(x[:, part]))
        found = effective_dof(kernels, operator.residuals(y[:, part]))
        dof[part] = np.diagonal(found.dof)
        ratio[part] = 1.0 if found.se_ratio is None else np.diagonal(found.se_ratio)
    return infer(r, dof, tables.rank, ratio)


def _correlation(operator: CleaningOperator, x: Array, y: Array) -> Array:
    """Correlate cleaned pairs."""
    cleaned = [operator.on_kept @ series for series in (x, y)]
    centred = [series - series.mean(axis=0) for series in cleaned]
    a, b = (series / np.linalg.norm(series, axis=0) for series in centred)
    r: Array = np.sum(a * b, axis=0)
    return r


def _batches(pairs: int) -> Iterator[int]:
    for start in range(0, pairs, PAIRS_TOGETHER):
        yield min(PAIRS_TOGETHER, pairs - start)


def _rates(method: str, results: list[Inference]) -> Rates:
    """Count; a pair without an answer counts as not significant."""
    p = np.concatenate([one.p for one in results])
    z = np.concatenate([one.z for one in results])
    counted = {level: _interval(int(np.count_nonzero(p < level)), p.size) for level in LEVELS}
    known = np.sort(p[np.isfinite(p)])
    # More points where p is small: there tests differ.
    place = np.unique(np.geomspace(1, max(known.size, 1), QUANTILES).astype(int)) - 1
    expected = -np.log10((place + 0.5) / max(known.size, 1))
    found = -np.log10(np.maximum(known[place], 1e-300)) if known.size else np.zeros(place.size)
    spread = float(np.nanstd(z)) if known.size else float("nan")
    unanswered = 1 - known.size / p.size
    return Rates(method, p.size, counted, spread, unanswered, np.column_stack([expected, found]))


def _interval(count: int, total: int) -> tuple[float, float, float]:
    """Give a rate and its 95 % interval (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404)."""
    from scipy import special

    low = special.betaincinv(count, total - count + 1, 0.025) if count else 0.0
    high = special.betaincinv(count + 1, total - count, 0.975) if count < total else 1.0
    return count / total, float(low), float(high)
