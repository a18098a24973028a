"""The standard error around a correlation that is not zero, in bands of frequency.

With the cleaned covariances S_x, S_y and S_xy scaled to tr S_x = tr S_y = 1, so that tr S_xy is
the correlation rho, the variance of r is to first order (Roy 1989; Afyouni et al. 2019)

    tr(S_x S_y) + tr(S_xy^2) + rho^2/2 (tr S_x^2 + tr S_y^2) + rho^2 tr(S_xy S_xy')
        - 2 rho (tr(S_x S_xy') + tr(S_y S_xy)).

Its first term alone is that of no correlation. Where both have one spectrum and share it, the
whole is (1 - rho^2)^2 times the first term. Where the noise of the two's own is slower than what
they share it is more than that, and where it is faster, less. The ratio of the two is worked out
here; the first term itself is known better from `noise`.

For this the covariances are taken as diagonal over frequencies. The cleaning lets n_j directions
pass in band j with the gain a_j,

    n_j = tr(M E_j)^2 / tr(M E_j M),    a_j = tr(M E_j M) / tr(M E_j),

with E_j the projection on the frequencies of the band and M = D Lc' Lc D as in `noise`: both
traces are exact. The spectra are smoothed over lags of up to 2 sqrt(T) frames.

References
----------
Roy (1989), doi:10.1093/biomet/76.4.824 (asymptotic covariance of serial correlations).
Afyouni, Smith and Nichols (2019), doi:10.1016/j.neuroimage.2019.05.011 (the same without L).
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

from seedmap._arrays import Array

__all__ = ["Bands", "SeedBands", "find_bands", "se_ratio", "seed_bands"]

# Lags that the spectra are smoothed over, in square roots of the number of frames.
LAGS = 2.0
# Bands of which the cleaning lets less than this share of the most through are left out: what a
# filter leaves there it makes of the edges.
BLOCKED = 0.1
# The ratio is held at or above this, and correlations within this of 1 and -1 count as that.
LEAST_RATIO, NEAR_ONE = 0.5, 0.01
# Seeds worked out together: their cross-spectra then stay in the processor's cache.
SEEDS_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Bands:
    """The bands of frequency that a cleaning lets through; built by `find_bands`."""

    lags: int
    """Lags that the spectra are smoothed over, lag 0 included."""

    index: NDArray[np.intp]
    """Shape (bands,): band j has its middle at j / (2 lags) cycles a frame."""

    directions: NDArray[np.float64]
    """n_j, shape (bands,)."""

    gains: NDArray[np.float64]
    """a_j, shape (bands,), of power."""

    @property
    def taper(self) -> NDArray[np.float64]:
        """Tukey taper over the lags."""
        return 0.5 * (1 + np.cos(np.pi * np.arange(self.lags) / self.lags))

    @property
    def root(self) -> NDArray[np.float64]:
        """sqrt(n_j), shape (bands,): sums over directions are sums of products of two of them."""
        return np.sqrt(self.directions)

    @property
    def lag_weights(self) -> NDArray[np.float64]:
        """Shape (lags, bands): lagged products to sqrt(n_j) a_j times the smoothed spectrum."""
        lag = np.arange(self.lags)
        waves = np.cos(np.pi / self.lags * np.outer(lag, self.index))
        both_sides = np.where(lag == 0, 1.0, 2.0) * self.taper
        return both_sides[:, None] * waves * (self.root * self.gains)


@dataclass(frozen=True, eq=False)
class SeedBands:
    """What standard errors need of the seeds; built by `seed_bands`."""

    spectrum: NDArray[np.float64]
    """Shape (seeds, bands): sqrt(n_j) times the share of variance of a direction of band j."""

    cross: NDArray[np.float64]
    """Shape (seeds, 2 bands, kept): residuals of a sample to the cross-spectrum, real parts first,
    scaled as `spectrum` is."""


def find_bands(passing: Array, kept: int) -> Bands | None:
    """Find the bands that a cleaning lets through.

    Parameters
    ----------
    passing
        M, shape (span, span), over the frames from the first to the last that is kept.
    kept
        Number of kept frames.

    Returns
    -------
    Bands or None
        None if the cleaning leaves nothing.
    """
    lags = max(min(round(LAGS * np.sqrt(kept)), kept // 3), 2)
    through, squared = (_by_band(matrix, lags) for matrix in (passing, passing @ passing))
    (index,) = np.nonzero(through > BLOCKED * through.max())
    if not index.size or through.max() <= 0:
        return None
    through, squared = through[index], squared[index]
    return Bands(lags, index, directions=through**2 / squared, gains=squared / through)


def seed_bands(bands: Bands, frames_kept: NDArray[np.intp], residuals: Array) -> SeedBands:
    """Prepare seeds for `se_ratio`.

    Parameters
    ----------
    bands
        The run's bands.
    frames_kept
        Positions of the kept frames, the first being 0.
    residuals
        Residuals R s of the raw seed series, float64, shape (kept, seeds).

    Returns
    -------
    SeedBands
        NaN for a seed without noise.
    """
    span, seeds = int(frames_kept[-1]) + 1, residuals.shape[1]
    length = scipy.fft.next_fast_len(span + bands.lags)
    series = np.zeros((length, seeds))
    series[frames_kept] = residuals
    spectrum = scipy.fft.fft(series, axis=0)
    # The smoothed cross-spectrum at band j is a sum over lags, so it is the sample's product with
    # the seed filtered by taper(k) exp(-i w_j k), k running over both signs.
    lag = np.arange(-bands.lags + 1, bands.lags)
    filters = np.zeros((length, len(bands.index)), dtype=complex)
    filters[lag] = bands.taper[np.abs(lag)][:, None] * np.exp(
        -1j * np.pi / bands.lags * np.outer(lag, bands.index)
    )
    filters *= bands.root * bands.gains
    passed = scipy.fft.fft(filters, axis=0).T * spectrum.T[:, None, :]
    filtered = scipy.fft.ifft(passed, axis=2)[:, :, frames_kept]
    own = np.einsum("sjt,ts->sj", filtered.real, residuals)
    total = own @ bands.root
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(total > 0, 1 / total, np.nan)
    cross = np.concatenate([filtered.real, filtered.imag], axis=1)
    return SeedBands(own * scale[:, None], cross * np.sqrt(scale)[:, None, None])


def se_ratio(bands: Bands, seed: SeedBands, smoothed: Array, residuals: Array) -> Array:
    """Set the standard error of a correlation against that of no correlation.

    Parameters
    ----------
    bands
        The run's bands.
    seed
        The seeds, from `seed_bands`.
    smoothed
        Smoothed spectra of the samples, ``bands.lag_weights`` summed with their lagged products,
        shape (bands, samples).
    residuals
        The samples' residuals R y, shape (kept, samples), on the same scale.

    Returns
    -------
    ndarray, shape (seeds, samples)
        Standard error of atanh(r), over that where the samples keep their spectra and share
        nothing with the seed; 0.5 or more.
    """
    kind = smoothed.dtype
    root = bands.root.astype(kind)
    total = root @ smoothed
    spectrum, relative = smoothed / total, 1 / np.sqrt(total)
    squares = np.einsum("jv,jv->v", spectrum, spectrum)
    ratio = np.empty((len(seed.spectrum), len(total)), dtype=kind)
    for start in range(0, len(ratio), SEEDS_TOGETHER):
        part = slice(start, start + SEEDS_TOGETHER)
        mine = seed.spectrum[part].astype(kind)
        rows = seed.cross[part].astype(kind).reshape(-1, len(residuals))
        shared = (rows @ residuals).reshape(len(mine), 2, len(root), -1)
        shared *= relative
        real = shared[:, 0]
        rho = np.clip(np.einsum("j,sjv->sv", root, real), -1 + NEAR_ONE, 1 - NEAR_ONE)
        in_phase, out_of_phase = np.einsum("scjv,scjv->csv", shared, shared)
        null = mine @ spectrum
        variance = null + in_phase - out_of_phase
        own = 0.5 * (np.einsum("sj,sj->s", mine, mine)[:, None] + squares)
        variance += rho**2 * (own + in_phase + out_of_phase)
        with_own = np.einsum("sj,sjv->sv", mine, real) + np.einsum("jv,sjv->sv", spectrum, real)
        variance -= 2 * rho * with_own
        ratio[part] = variance / (null * (1 - rho**2) ** 2)
    return np.asarray(np.sqrt(np.maximum(ratio, LEAST_RATIO**2)), dtype=kind)


def _by_band(matrix: Array, lags: int) -> NDArray[np.float64]:
    """Give tr(matrix E_j) for all bands j = 0 ... lags, E_j being those frequencies' projection."""
    size = len(matrix)
    length = 2 * lags * int(np.ceil(2 * size / lags))
    diagonals = np.zeros(length)
    diagonals[:size] = [np.trace(matrix, k) for k in range(size)]
    diagonals[1:] += diagonals[1:][::-1].copy()
    power = np.fft.fft(diagonals).real / length
    nearest = np.round(np.arange(length) * (2 * lags / length)).astype(np.intp) % (2 * lags)
    both = np.asarray(np.bincount(nearest, weights=power, minlength=2 * lags), dtype=np.float64)
    folded: NDArray[np.float64] = both[: lags + 1].copy()
    folded[1:lags] += both[lags + 1 :][::-1]
    return folded
