"""Noise like that of a run, through the run's own cleaning: how often a test errs.

Pairs of series are drawn that have nothing to do with each other, one with the noise spectrum of
a seed, the other with that of a voxel. They are cleaned by the run's own matrix, correlated and
tested. A test is valid if it calls as many of them significant as it promises.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity import (
    Inference,
    NoiseTables,
    infer,
    infer_by_xdf,
    infer_naively,
    noise_autocovariance,
    pair_dof,
)
from seedmap.temporal import CleaningOperator

__all__ = ["LEVELS", "METHODS", "Planted", "Rates", "draw", "null_rates", "planted", "spectra"]

LEVELS = (0.05, 0.001)
METHODS = {"naive": "frames independent", "xdf": "xDF", "operator": "seedmap"}
PAIRS_TOGETHER = 500
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


def spectra(tables: NoiseTables, autocovariance: Array, frames: int) -> NDArray[np.float64]:
    """Turn autocovariances (lags, series) into power spectra for `draw`, of mean 1.

    Returns
    -------
    ndarray, shape (bins, series)
        On the frequencies of a real transform of twice ``frames``; not negative.
    """
    length = 2 * frames
    lags = min(tables.lags, frames)
    around = np.zeros((length, autocovariance.shape[1]))
    around[:lags] = autocovariance[:lags]
    around[-(lags - 1) :] = autocovariance[1:lags][::-1]
    power = np.clip(np.fft.rfft(around, axis=0).real, 0, None)
    return np.asarray(power / power.mean(axis=0), dtype=np.float64)


def draw(rng: np.random.Generator, power: Array, frames: int) -> NDArray[np.float64]:
    """Draw a stationary Gaussian series for each power spectrum; (frames, series)."""
    shape = power.shape
    white = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    series = np.fft.irfft(white * np.sqrt(power), n=2 * frames, axis=0)
    return np.asarray(series[:frames], dtype=np.float64)


def null_rates(
    operator: CleaningOperator,
    tables: NoiseTables,
    power: tuple[Array, Array],
    pairs: int,
    rng: np.random.Generator,
) -> tuple[Rates, ...]:
    """Test null pairs by every method.

    Parameters
    ----------
    operator
        The run's cleaning.
    tables
        What it does to noise.
    power
        Spectra of seeds and of samples, of `spectra`; pairs take them at random.
    pairs
        How many.
    rng
        Source of chance.
    """
    results: dict[str, list[Inference]] = {method: [] for method in METHODS}
    for size in _batches(pairs):
        x, y = (_some(rng, one, size, operator.keep.size) for one in power)
        for method, result in _tests(operator, tables, x, y).items():
            results[method].append(result)
    return tuple(_rates(method, found) for method, found in results.items())


def planted(
    operator: CleaningOperator,
    tables: NoiseTables,
    power: Array,
    rho: float,
    pairs: int,
    rng: np.random.Generator,
) -> Planted:
    """Test pairs of equal spectra with a planted correlation by our method."""
    r, p, covered = [], [], []
    for size in _batches(pairs):
        own = power[:, rng.integers(power.shape[1], size=size)]
        x, other = (draw(rng, own, operator.keep.size) for _ in range(2))
        y = rho * x + np.sqrt(1 - rho**2) * other
        found, result = _ours(operator, tables, x, y)
        r.append(np.arctanh(found))
        p.append(result.p)
        covered.append(np.abs(np.arctanh(found) - np.arctanh(rho)) < 1.959964 * result.se)
    return Planted(
        rho=rho,
        r=float(np.tanh(np.mean(np.concatenate(r)))),
        found=float(np.mean(np.concatenate(p) < LEVELS[0])),
        covered=float(np.mean(np.concatenate(covered))),
    )


def _some(rng: np.random.Generator, power: Array, size: int, frames: int) -> Array:
    """Draw series with spectra taken at random."""
    return draw(rng, power[:, rng.integers(power.shape[1], size=size)], frames)


def _tests(
    operator: CleaningOperator, tables: NoiseTables, x: Array, y: Array
) -> dict[str, Inference]:
    """Clean raw pairs (frames, pairs) and test them by every method."""
    r, ours = _ours(operator, tables, x, y)
    cleaned_x, cleaned_y = operator.L @ x, operator.L @ y
    return {
        "naive": infer_naively(r, len(cleaned_x)),
        "xdf": infer_by_xdf(cleaned_x, cleaned_y),
        "operator": ours,
    }


def _ours(
    operator: CleaningOperator, tables: NoiseTables, x: Array, y: Array
) -> tuple[Array, Inference]:
    """Correlate cleaned pairs and test them with their own degrees of freedom."""
    centred = [series - series.mean(axis=0) for series in (operator.L @ x, operator.L @ y)]
    a, b = (series / np.linalg.norm(series, axis=0) for series in centred)
    r = np.sum(a * b, axis=0)
    noise = [
        noise_autocovariance(tables, operator.residuals(series[operator.keep])) for series in (x, y)
    ]
    return r, infer(r, pair_dof(tables, *noise), tables.rank)


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
