"""How many independent frames a correlation is worth: the effective degrees of freedom.

Neighbouring frames of a run resemble each other, some frames are noisier than others, and
cleaning takes directions away, so a correlation over 168 frames may be worth only 35. Cleaning is
a matrix L, so this can be worked out. Let the raw noise of a sample be D n, with n stationary of
autocovariance g and D = diag(s_t), s_t^2 the variance of the run's noise at frame t (`variance`).
Let x be the cleaned seed, of mean 0 and norm 1. Given the seed as it is, a sample that is
independent of it has a correlation with it of variance, to first order,

    Var(r | x) = x' S x / tr S = 1 / nu,      S = Lc D Toeplitz(g) D Lc',

where Lc is L with each column centred. With u = D Lc' x, and M = D Lc' Lc D,

    nu = h'g / q'g,     h_k = tr(T_k M),     q_k = u' T_k u,

T_k being the symmetric shift by k frames. Nothing is assumed of the seed: it may be anything,
a task's time course too. That the sample's own variance enters r as well (in its norm) makes
Var(r) smaller than the first order where nu is small. For noise like that of fMRI nu + 1 takes
that into account; it is bounded by 1.15 nu.

The autocovariances are estimated per sample from residuals e = R x, which have trend and
confounds projected out but no band-pass: a filtered series no longer shows the noise that went
in. Censored frames are gaps, so lags are true distances. The bias that the projection, the gaps
and D put on the raw lagged products c is known, E[c] = A g, and is taken out (Worsley 2002); a
Tukey taper then weakens the long lags. Every step after e is linear in c, so nu is a quotient of
two weighted sums over the power spectrum of e: one Fourier transform per sample.

The standard error around a correlation that is *not* zero depends on what the two series share.
The full first-order variance of r (see `bands`) is set against that of no correlation, both from
smoothed spectra and the cross-spectrum of the residuals.

`noise_tables` is done once per run, `seed_kernels` once per set of seeds, `effective_dof` for
each block of samples.

References
----------
Worsley and Friston (1995), doi:10.1006/nimg.1995.1023 (moments of a filtered series).
Worsley et al. (2002), doi:10.1006/nimg.2001.0933 (unbiased autocovariance of residuals).
Davey et al. (2013), doi:10.1016/j.neuroimage.2012.08.022 (the case of filtered white noise).
Diedrichsen and Shadmehr (2005), doi:10.1016/j.neuroimage.2005.04.039 (noise variance by frame).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity.bands import Bands, SeedBands, find_bands, se_ratio, seed_bands
from seedmap.connectivity.correlation import BLOCK, unit_seeds
from seedmap.errors import TooFewFrames
from seedmap.temporal import CleaningOperator

__all__ = [
    "NoiseTables",
    "PairDof",
    "SeedKernels",
    "effective_dof",
    "lags_of_cleaned",
    "noise_autocovariance",
    "noise_tables",
    "pair_dof",
    "quick_dof",
    "second_order",
    "seed_kernels",
    "seed_lags",
]

# Slow cosines among the regressors leave the bias of long lags nearly undetermined (condition
# numbers of 1e3 to 2e5). Directions below this share of the largest are taken as 0, or their noise
# would dominate the estimate; without cosines none lies below it.
UNBIASED = 1e-2
# The longest lag, as a share of the kept frames: shorter ones miss narrow resonances of
# physiology, and at a half the estimate is unstable.
LONGEST_LAG = 1 / 3
# Second order in 1 / nu: see above.
ONE_MORE, MOST_MORE = 1.0, 0.15
# Samples transformed together: their spectra (about 1 MB) then stay in the processor's cache.
COLUMNS_TOGETHER = 512
FEWEST_FRAMES = 5


@dataclass(frozen=True, eq=False)
class NoiseTables:
    """What one run's cleaning does to noise; built by `noise_tables`."""

    frames_kept: NDArray[np.intp]
    """Positions of the kept frames on the time axis, the first kept frame being 0."""

    scale: NDArray[np.float64]
    """s_t, shape (kept,): standard deviation of the noise at each kept frame, relative."""

    taper: NDArray[np.float64]
    """Tukey taper over the lags, shape (lags,); 1 at lag 0."""

    inverse: NDArray[np.float64]
    """A^-1, shape (lags, lags): raw lagged products to unbiased autocovariances."""

    passed: NDArray[np.float64]
    """h, shape (lags,): ``h @ g`` is the expected sum of squares of a cleaned series."""

    rank: int
    """Directions that the cleaning leaves: no effective degrees of freedom lie above it."""

    bands: Bands | None = None
    """Frequency bands that standard errors are worked out in; None gives none."""

    @property
    def lags(self) -> int:
        """Number of lags, lag 0 included."""
        return len(self.taper)

    @property
    def span(self) -> int:
        """Frames from the first to the last that is kept."""
        return int(self.frames_kept[-1]) + 1

    @property
    def fft_length(self) -> int:
        """Transform length at which no lag of the window wraps around."""
        return int(scipy.fft.next_fast_len(self.span + self.lags, real=True))


@dataclass(frozen=True, eq=False)
class SeedKernels:
    """Weights that give nu of each seed with a sample; built by `seed_kernels`."""

    tables: NoiseTables
    """The run that the seeds belong to."""

    weights: NDArray[np.float64]
    """Shape (1 + seeds + bands, bins), over the power spectrum of the residuals: nu's numerator,
    each seed's denominator (NaN: no signal), and the bands."""

    bands: SeedBands | None = None
    """What standard errors need of the seeds."""

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        of_bands = len(self.tables.bands.gains) if self.bands and self.tables.bands else 0
        return len(self.weights) - 1 - of_bands


class PairDof(NamedTuple):
    """What is known of each correlation, shape (seeds, samples)."""

    dof: Array
    """Effective degrees of freedom nu as estimated, neither bounded nor checked (see `infer`).
    NaN where a sample or a seed has no noise, or is not finite."""

    se_ratio: Array | None
    """Standard error of atanh(r), over that of no correlation with nu: 0.5 or more."""


def noise_tables(
    operator: CleaningOperator, variance: Array | None = None, *, intervals: bool = True
) -> NoiseTables:
    """Work out how a run's cleaning passes noise on.

    Parameters
    ----------
    operator
        The run's cleaning.
    variance
        Variance of the noise at each kept frame, from `frame_variance`; None is the same
        everywhere.
    intervals
        Whether standard errors of correlations other than zero will be asked for.

    Returns
    -------
    NoiseTables
        Small tables, of (lags, lags) at most; lags of up to a third of the kept frames.

    Raises
    ------
    TooFewFrames
        If fewer than 5 frames are kept.
    """
    (kept,) = np.nonzero(operator.keep)
    if len(kept) < FEWEST_FRAMES:
        msg = (
            f"{len(kept)} frames are kept; at least {FEWEST_FRAMES} are needed to estimate noise; "
            "censor fewer frames"
        )
        raise TooFewFrames(msg)
    position = kept - kept[0]
    lags = max(int(len(kept) * LONGEST_LAG), 2)
    scale = np.ones(len(kept)) if variance is None else np.sqrt(variance)
    rows, basis = operator.rows * scale, operator.noise_basis
    passing = _on_span(position, rows.T @ rows)
    residual_maker = _on_span(position, np.diag(scale) - basis @ (basis.T * scale))
    return NoiseTables(
        frames_kept=position,
        scale=scale,
        taper=0.5 * (1 + np.cos(np.pi * np.arange(lags) / lags)),
        inverse=_unbias(residual_maker, position, lags),
        passed=_twice_past_zero(lags) * [np.trace(passing, k) for k in range(lags)],
        rank=operator.rank,
        bands=find_bands(passing, len(kept)) if intervals else None,
    )


def seed_lags(tables: NoiseTables, rows: Array, raw_seeds: Array) -> NDArray[np.float64]:
    """Give q of each seed: ``q @ g`` over ``h @ g`` is the variance of its correlations.

    Parameters
    ----------
    tables
        The run's tables.
    rows
        `CleaningOperator.rows`, shape (n, kept): the cleaned run in few rows.
    raw_seeds
        Uncleaned seeds, shape (kept, seeds).

    Returns
    -------
    ndarray, shape (lags, seeds)
        NaN for a seed of which the cleaning leaves nothing.
    """
    raw_seeds = np.asarray(raw_seeds, dtype=np.float64)
    return lags_of_cleaned(tables, rows, unit_seeds(rows @ raw_seeds, raw_seeds))


def lags_of_cleaned(tables: NoiseTables, rows: Array, unit: Array) -> NDArray[np.float64]:
    """Give q as `seed_lags` does, of seeds (n, seeds) cleaned by ``rows`` and of unit norm."""
    back = tables.scale[:, None] * (rows.T @ unit)
    return _twice_past_zero(tables.lags)[:, None] * _lagged_products(tables, back)


def seed_kernels(
    tables: NoiseTables, lags: Array, seed_residuals: Array | None = None
) -> SeedKernels:
    """Prepare the seeds of a run for `effective_dof`.

    Parameters
    ----------
    tables
        The run's tables.
    lags
        The seeds, from `seed_lags`.
    seed_residuals
        Residuals R s of the raw seed series, shape (kept, seeds), for standard errors; None gives
        none.

    Returns
    -------
    SeedKernels
    """
    of_lags = np.column_stack([tables.passed, lags]) * tables.taper[:, None]
    weights, bands = [_over_bins(tables, tables.inverse.T @ of_lags)], None
    if seed_residuals is not None and tables.bands is not None:
        residuals = np.asarray(seed_residuals, dtype=np.float64)
        bands = seed_bands(tables.bands, tables.frames_kept, residuals)
        weights.append(_over_bins(tables, tables.bands.lag_weights))
    return SeedKernels(tables, np.vstack(weights), bands)


def effective_dof(kernels: SeedKernels, residuals: Array) -> PairDof:
    """Estimate the effective degrees of freedom of each seed with each sample.

    Parameters
    ----------
    kernels
        The seeds, prepared by `seed_kernels`.
    residuals
        Residuals R x of the raw samples, shape (kept, samples), any scale. The sums are worked
        out in this array's precision.

    Returns
    -------
    PairDof
        Arrays of shape (seeds, samples).
    """
    shape = kernels.seeds, residuals.shape[1]
    found = PairDof(
        np.empty(shape, dtype=residuals.dtype),
        None if kernels.bands is None else np.empty(shape, dtype=residuals.dtype),
    )
    weights = kernels.weights.astype(residuals.dtype)
    for start in range(0, residuals.shape[1], COLUMNS_TOGETHER):
        part = slice(start, start + COLUMNS_TOGETHER)
        of_part = _of_part(kernels, weights, residuals[:, part])
        for whole, some in zip(found, of_part, strict=True):
            if whole is not None:
                whole[:, part] = some
    return found


def noise_autocovariance(tables: NoiseTables, residuals: Array) -> Array:
    """Estimate the autocovariance of the raw noise over its variance in time, without bias, tapered.

    Parameters
    ----------
    tables
        The run's tables.
    residuals
        Residuals R x, shape (kept, samples).

    Returns
    -------
    ndarray, shape (lags, samples)
        In the squared unit of the residuals, lag k being k frames.
    """
    return tables.taper[:, None] * (tables.inverse @ _lagged_products(tables, residuals))


def pair_dof(tables: NoiseTables, lags: Array, noise: Array) -> Array:
    """Give the effective degrees of freedom of pairs of a seed and a sample.

    Parameters
    ----------
    tables
        The run's tables.
    lags
        The seeds, from `seed_lags`, shape (lags, pairs).
    noise
        Autocovariances of the samples' raw noise, shape (lags, pairs).

    Returns
    -------
    ndarray, shape (pairs,)
        nu, neither bounded nor checked.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return second_order((tables.passed @ noise) / np.sum(lags * noise, axis=0))


class Rows(Protocol):
    """Rows of which some are asked for at a time: an array, or one on the disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and what each holds."""

    def __getitem__(self, which: slice, /) -> NDArray[Any]:
        """Return some rows."""


def quick_dof(passed: Array, lags: Array, noise: Rows) -> NDArray[np.float32]:
    """Give the effective degrees of freedom of seeds with samples whose noise was kept small.

    Parameters
    ----------
    passed
        `NoiseTables.passed`.
    lags
        The seeds, from `seed_lags`, shape (lags, seeds).
    noise
        Autocovariances of the samples' raw noise, each on a scale of its own, shape
        (samples, lags).

    Returns
    -------
    ndarray of float32, shape (seeds, samples)
        nu, neither bounded nor checked; NaN where a sample has no noise.
    """
    of_seeds, numerator = lags.T.astype(np.float32), passed.astype(np.float32)
    samples = noise.shape[0]
    nu = np.empty((len(of_seeds), samples), np.float32)
    for at in range(0, samples, BLOCK):
        part = noise[at : at + BLOCK].T.astype(np.float32)  # its scale falls out
        with np.errstate(divide="ignore", invalid="ignore"):
            nu[:, at : at + BLOCK] = second_order((numerator @ part) / (of_seeds @ part))
    return nu


def second_order(nu: Array) -> Array:
    """Take from the first order in 1 / nu to the second: nu + 1, but 1.15 nu at most."""
    more: Array = nu + np.minimum(MOST_MORE * nu, nu.dtype.type(ONE_MORE))
    return more


def _on_span(position: NDArray[np.intp], matrix: Array) -> NDArray[np.float64]:
    """Set a matrix over kept frames (kept, kept) among all frames from the first to the last."""
    span = int(position[-1]) + 1
    if span == len(position):
        return np.asarray(matrix, dtype=np.float64)
    whole = np.zeros((span, span))
    whole[np.ix_(position, position)] = matrix
    return whole


def _twice_past_zero(lags: int) -> NDArray[np.float64]:
    """Count the diagonals of each symmetric shift: one at lag 0, two beyond."""
    return np.where(np.arange(lags) == 0, 1.0, 2.0)


def _shift_traces(matrix: Array, lags: int) -> NDArray[np.float64]:
    """Give tr(T_k B T_l B') for all lags k, l at once.

    Written out, it is the sum over p, q of B[p, q] B[p + k, q + l] over both signs of k and l:
    the autocorrelation of B as a picture, which two Fourier transforms give.
    """
    length = scipy.fft.next_fast_len(len(matrix) + lags, real=True)
    spectrum = scipy.fft.rfft2(matrix, s=(length, length))
    picture = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, s=(length, length))
    down = np.arange(lags)
    both = picture[:lags, :lags] + picture[:lags, -down]
    twice = _twice_past_zero(lags)
    return np.asarray(both * np.outer(twice, twice) / 2, dtype=np.float64)


def _unbias(residual_maker: Array, position: NDArray[np.intp], lags: int) -> NDArray[np.float64]:
    """Invert E[c] = A g, where c_k sums the products of residuals k frames apart."""
    expected = _shift_traces(residual_maker, lags) / _twice_past_zero(lags)[:, None]
    # The autocovariance at a lag that no two kept frames are apart is taken as 0.
    kept = np.bincount(position)
    unseen = np.correlate(kept, kept, "full")[len(kept) - 1 :][:lags] == 0
    expected[unseen] = expected[:, unseen] = 0
    return np.asarray(np.linalg.pinv(expected, rcond=UNBIASED), dtype=np.float64)


def _over_bins(tables: NoiseTables, lag_weights: Array) -> NDArray[np.float64]:
    """Turn weights over lagged products (lags, n) into weights over the power spectrum (n, bins).

    The products are the inverse transform of the power spectrum, so a weighted sum over lags is
    one over frequencies; those between zero and Nyquist stand for two.
    """
    length = tables.fft_length
    weights = scipy.fft.rfft(lag_weights, n=length, axis=0).real * (2 / length)
    weights[0] /= 2
    if length % 2 == 0:
        weights[-1] /= 2
    return np.ascontiguousarray(weights.T)


def _lagged_products(tables: NoiseTables, series: Array) -> Array:
    """Sum the products of frames k apart, shape (lags, samples)."""
    power = _power(tables, series)
    return scipy.fft.irfft(power, n=tables.fft_length, axis=0)[: tables.lags]


def _power(tables: NoiseTables, series: Array) -> Array:
    """Give |rfft|^2 of series over the kept frames set at their true times, (bins, samples)."""
    padded = np.zeros((tables.fft_length, series.shape[1]), dtype=series.dtype)
    padded[tables.frames_kept] = series
    parts = scipy.fft.rfft(padded, axis=0).view(series.dtype)
    np.multiply(parts, parts, out=parts)
    return parts[:, ::2] + parts[:, 1::2]


def _of_part(kernels: SeedKernels, weights: Array, residuals: Array) -> PairDof:
    """Work a few samples out, and again those whose size leaves the number range."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        sums = weights @ _power(kernels.tables, residuals)
        tiny = np.sqrt(np.finfo(sums.dtype).tiny)
        lost = ~np.isfinite(sums[0]) | (np.abs(sums[0]) < tiny)
        if lost.any():
            residuals = residuals.copy()
            residuals[:, lost] /= np.abs(residuals[:, lost]).max(axis=0)
            sums[:, lost] = weights @ _power(kernels.tables, residuals[:, lost])
        end = 1 + kernels.seeds
        dof, bands = second_order(sums[0] / sums[1:end]), kernels.tables.bands
        if kernels.bands is None or bands is None:
            return PairDof(dof, None)
        return PairDof(dof, se_ratio(bands, kernels.bands, sums[end:], residuals))
