"""How many independent frames a correlation is worth: the effective degrees of freedom.

Neighbouring frames of a run resemble each other, and cleaning takes directions away, so a
correlation over 168 frames may be worth only 35. Cleaning is a matrix L, so this can be worked
out. With the raw noise of seed and sample stationary with autocovariances g_s and g_v, and
independent of each other, the correlation of the cleaned series has to first order

    Var(r) = tr(S_s S_v) / (tr S_s tr S_v) = 1 / nu,      S = Lc V Lc',  V = Toeplitz(g),

where Lc is L with each column centred. With M = Lc'Lc and T_k the symmetric shift by k frames,

    nu = (h'g_s)(h'g_v) / (g_s' H g_v),   h_k = tr(T_k M),   H_kl = tr(T_k M T_l M).

The autocovariances are estimated per sample from residuals e = R x, which have trend and
confounds projected out but no band-pass: a filtered series no longer shows the noise that went
in. Censored frames are gaps, so lags are true distances. The bias that the projection and the
gaps put on the raw lagged products c is known, E[c] = A g, and is taken out (Worsley 2002); a
Tukey taper then weakens the long lags. Every step after e is linear in c, so nu is a quotient of
two weighted sums over the power spectrum of e: one Fourier transform per sample.

`noise_tables` is done once per run, `seed_kernels` once per set of seeds, `effective_dof` for
each block of samples.

References
----------
Worsley and Friston (1995), doi:10.1006/nimg.1995.1023 (moments of a filtered series).
Worsley et al. (2002), doi:10.1006/nimg.2001.0933 (unbiased autocovariance of residuals).
Davey et al. (2013), doi:10.1016/j.neuroimage.2012.08.022 (the case of filtered white noise).
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import TooFewFrames
from seedmap.temporal import CleaningOperator

__all__ = [
    "NoiseTables",
    "SeedKernels",
    "effective_dof",
    "noise_autocovariance",
    "noise_tables",
    "pair_dof",
    "seed_kernels",
]

# Slow cosines among the regressors leave the bias of long lags nearly undetermined (condition
# numbers of 1e3 to 2e5). Directions below this share of the largest are taken as 0, or their noise
# would dominate the estimate; without cosines none lies below it.
UNBIASED = 1e-2
# The longest autocorrelation that is allowed for. A shorter window misses narrow resonances of physiology.
WINDOW_SECONDS = 100.0
# Samples transformed together: their spectra (about 1 MB) then stay in the processor's cache.
COLUMNS_TOGETHER = 512
FEWEST_FRAMES = 5


@dataclass(frozen=True, eq=False)
class NoiseTables:
    """What one run's cleaning does to noise; built by `noise_tables`."""

    frames_kept: NDArray[np.intp]
    """Positions of the kept frames on the time axis, the first kept frame being 0."""

    t_r: float
    """Repetition time, in seconds; infinite where none is known."""

    taper: NDArray[np.float64]
    """Tukey taper over the lags, shape (lags,); 1 at lag 0."""

    inverse: NDArray[np.float64]
    """A^-1, shape (lags, lags): raw lagged products to unbiased autocovariances."""

    passed: NDArray[np.float64]
    """h, shape (lags,): ``h @ g`` is the expected sum of squares of a cleaned series."""

    shared: NDArray[np.float64]
    """H, shape (lags, lags): ``g_x @ H @ g_y`` is tr(S_x S_y)."""

    rank: int
    """Directions that the cleaning leaves: no effective degrees of freedom lie above it."""

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

    @property
    def white_dof(self) -> float:
        """Effective degrees of freedom if the raw noise were white; NaN if nothing is left."""
        if self.rank == 0:
            return float("nan")
        return float(self.passed[0] ** 2 / self.shared[0, 0])


@dataclass(frozen=True, eq=False)
class SeedKernels:
    """Weights over the power spectrum that give nu for each seed; built by `seed_kernels`."""

    tables: NoiseTables
    """The run that the seeds belong to."""

    weights: NDArray[np.float64]
    """Shape (1 + seeds, bins): the numerator, then each seed's denominator (NaN: no noise)."""


def noise_tables(operator: CleaningOperator, t_r: float | None) -> NoiseTables:
    """Work out how a run's cleaning passes noise on.

    Parameters
    ----------
    operator
        The run's cleaning.
    t_r
        Repetition time, in seconds. None lets the window of lags follow from the number of frames
        alone.

    Returns
    -------
    NoiseTables
        Small tables, of (lags, lags) at most.

    Raises
    ------
    TooFewFrames
        If fewer than 5 frames are kept.
    """
    (kept,), t_r = np.nonzero(operator.keep), t_r or np.inf
    if len(kept) < FEWEST_FRAMES:
        msg = (
            f"{len(kept)} frames are kept; at least {FEWEST_FRAMES} are needed to estimate noise; "
            "censor fewer frames"
        )
        raise TooFewFrames(msg)
    span = slice(int(kept[0]), int(kept[-1]) + 1)
    position = kept - kept[0]
    lags = _window(len(kept), t_r)
    centred = operator.L[:, span] - operator.L[:, span].mean(axis=0)
    passing = centred.T @ centred
    return NoiseTables(
        frames_kept=position,
        t_r=float(t_r),
        taper=0.5 * (1 + np.cos(np.pi * np.arange(lags) / lags)),
        inverse=_unbias(operator.R[:, span], position, lags),
        passed=_twice_past_zero(lags) * [np.trace(passing, k) for k in range(lags)],
        shared=_shift_traces(passing, lags),
        rank=operator.rank,
    )


def seed_kernels(tables: NoiseTables, seed_residuals: Array) -> SeedKernels:
    """Prepare the seeds of a run for `effective_dof`.

    Parameters
    ----------
    tables
        The run's tables.
    seed_residuals
        Residuals R s of the raw seed series, shape (kept, seeds).

    Returns
    -------
    SeedKernels
        The weights of a seed without noise (constant residuals) are NaN.
    """
    noise = noise_autocovariance(tables, np.asarray(seed_residuals, dtype=np.float64))
    power = tables.passed @ noise
    with np.errstate(divide="ignore", invalid="ignore"):
        denominator = np.where(power > 0, tables.shared @ noise / power, np.nan)
    lag_weights = np.column_stack([tables.passed, denominator]) * tables.taper[:, None]
    lag_weights = tables.inverse.T @ lag_weights
    # c_k is the inverse transform of the power spectrum, so a weighted sum over lags is one over
    # frequencies; those between zero and Nyquist stand for two.
    length = tables.fft_length
    weights = scipy.fft.rfft(lag_weights, n=length, axis=0).real * (2 / length)
    weights[0] /= 2
    if length % 2 == 0:
        weights[-1] /= 2
    return SeedKernels(tables, np.ascontiguousarray(weights.T))


def effective_dof(kernels: SeedKernels, residuals: Array) -> Array:
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
    ndarray, shape (seeds, samples)
        nu as estimated, neither bounded nor checked (see `infer`). NaN where a sample or a seed
        has no noise, or is not finite.
    """
    nu = np.empty((len(kernels.weights) - 1, residuals.shape[1]), dtype=residuals.dtype)
    weights = kernels.weights.astype(residuals.dtype)
    for start in range(0, residuals.shape[1], COLUMNS_TOGETHER):
        part = slice(start, start + COLUMNS_TOGETHER)
        nu[:, part] = _quotients(kernels.tables, weights, residuals[:, part])
    return nu


def noise_autocovariance(tables: NoiseTables, residuals: Array) -> Array:
    """Estimate the autocovariance of the raw noise, without bias and tapered.

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
    power = _power(tables, residuals)
    products = scipy.fft.irfft(power, n=tables.fft_length, axis=0)[: tables.lags]
    return tables.taper[:, None] * (tables.inverse @ products)


def pair_dof(tables: NoiseTables, noise_x: Array, noise_y: Array) -> Array:
    """Give the effective degrees of freedom of pairs of series whose autocovariance is known.

    Parameters
    ----------
    tables
        The run's tables.
    noise_x, noise_y
        Autocovariances of the raw noise, shape (lags, pairs).

    Returns
    -------
    ndarray, shape (pairs,)
        nu, neither bounded nor checked.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        together = np.sum(noise_x * (tables.shared @ noise_y), axis=0)
        return (tables.passed @ noise_x) * (tables.passed @ noise_y) / together


def _window(kept: int, t_r: float) -> int:
    """Choose the number of lags: 2 sqrt T, 100 s at least, T/4 at most."""
    return int(np.clip(max(2 * np.sqrt(kept), WINDOW_SECONDS / t_r), 1, kept / 4))


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
    embedded = np.zeros((residual_maker.shape[1], residual_maker.shape[1]))
    embedded[position] = residual_maker
    expected = _shift_traces(embedded, lags) / _twice_past_zero(lags)[:, None]
    # The autocovariance at a lag that no two kept frames are apart is taken as 0.
    kept = np.bincount(position)
    unseen = np.correlate(kept, kept, "full")[len(kept) - 1 :][:lags] == 0
    expected[unseen] = expected[:, unseen] = 0
    return np.asarray(np.linalg.pinv(expected, rcond=UNBIASED), dtype=np.float64)


def _power(tables: NoiseTables, residuals: Array) -> Array:
    """Give |rfft|^2 of the residuals set at their true times, shape (bins, samples)."""
    series = residuals
    if tables.span != len(tables.frames_kept):
        series = np.zeros((tables.span, residuals.shape[1]), dtype=residuals.dtype)
        series[tables.frames_kept] = residuals
    spectrum = scipy.fft.rfft(series, n=tables.fft_length, axis=0)
    parts = spectrum.view(residuals.dtype)
    np.multiply(parts, parts, out=parts)
    return parts[:, ::2] + parts[:, 1::2]


def _quotients(tables: NoiseTables, weights: Array, residuals: Array) -> Array:
    """Give nu of a few samples, and again for those whose size leaves the number range."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        sums = weights @ _power(tables, residuals)
        tiny = np.sqrt(np.finfo(sums.dtype).tiny)
        lost = ~np.isfinite(sums[0]) | (np.abs(sums[0]) < tiny)
        if lost.any():
            size = np.abs(residuals[:, lost]).max(axis=0)
            sums[:, lost] = weights @ _power(tables, residuals[:, lost] / size)
        return sums[0] / sums[1:]
