"""The variance of a correlation by xDF, for comparison with the literature.

xDF takes the variance from the auto- and cross-correlations of the cleaned series themselves. It
is right for series that were neither filtered nor had many confounds removed. After a band-pass
it is not: the few effective frames do not show the long autocorrelation of the filter, which is
cut off, and the test calls 9 to 58 % of null correlations significant at p < .05. Then use
`seedmap.connectivity.noise`.

References
----------
Afyouni, Smith and Nichols (2019), doi:10.1016/j.neuroimage.2019.05.011.
"""

import warnings
from typing import Literal

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

from seedmap._arrays import LARGEST_R, Array, check_same_frames
from seedmap.connectivity.inference import Inference, infer_from_se
from seedmap.errors import SeedmapWarning

__all__ = ["Truncation", "infer_by_xdf", "warn_where_xdf_misleads", "xdf_variance"]

Truncation = Literal["adaptive", "tukey"]

# Samples worked on together; each needs about six spectra or correlograms of its length.
COLUMNS_TOGETHER = 512
# With more than this share of the directions cleaned away, xDF missed its level in simulations
# (14 confounds of 200 frames: 9 % false positives at p < .05).
REMOVED_TOO_MUCH = 0.05


def infer_by_xdf(x: Array, y: Array, truncation: Truncation = "adaptive") -> Inference:
    """Test the correlation of one series with many by xDF.

    Parameters
    ----------
    x
        Cleaned seed series, shape (frames,); or one for each sample, (frames, samples).
    y
        Cleaned series, shape (frames, samples).
    truncation
        See `xdf_variance`.

    Returns
    -------
    Inference
        Of shape (samples,). NaN where a series is constant.
    """
    r, variance = xdf_variance(x, y, truncation)
    return infer_from_se(r, np.sqrt(variance) / ((1 - r) * (1 + r)))


def xdf_variance(
    x: Array, y: Array, truncation: Truncation = "adaptive"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate one series with many, and give the variance of each r by xDF.

    Parameters
    ----------
    x
        Seed series, shape (frames,); or one for each sample, (frames, samples).
    y
        Series, shape (frames, samples).
    truncation
        How long lags, which are mostly noise, are shortened or tapered. "adaptive": each autocorrelation
        up to the first lag inside its confidence band, cross-correlations up to the later of
        the two. "tukey": a Tukey taper over sqrt(frames) lags.

    Returns
    -------
    r, variance
        Shape (samples,). The variance is at least (1 - r^2)^2 / frames, that of independent
        frames, as its authors advise. NaN where a series is constant.

    Raises
    ------
    ValueError
        If x and y differ in frames.
    """
    x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    check_same_frames(x, y)
    r, variance = np.empty((2, y.shape[1]))
    unit_x = _unit(x)
    for start in range(0, y.shape[1], COLUMNS_TOGETHER):
        part = slice(start, start + COLUMNS_TOGETHER)
        seed = unit_x if x.shape[1] == 1 else unit_x[:, part]
        r[part], variance[part] = _variance(seed, _unit(y[:, part]), truncation)
    return r, variance


def warn_where_xdf_misleads(frames: int, rank: int) -> None:
    """Warn if cleaning took away so much that xDF no longer keeps its level.

    Parameters
    ----------
    frames
        Frames kept.
    rank
        Directions left by the cleaning (`NoiseTables.rank`).
    """
    if frames - 1 - rank > REMOVED_TOO_MUCH * frames:
        msg = (
            f"xDF on a run whose cleaning leaves {rank} of {frames} directions gives p that are "
            'too small; it suits unfiltered series with few confounds; use uncertainty="operator"'
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=2)


def _unit(series: Array) -> NDArray[np.float64]:
    """Centre columns and give them unit length; constant ones become NaN."""
    centred = series - series.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    return centred / np.where(length > 0, length, np.nan)


def _variance(
    x: NDArray[np.float64], y: NDArray[np.float64], truncation: Truncation
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give r and its variance for columns of unit length."""
    frames = len(y)
    r = np.clip(np.sum(x * y, axis=0), -LARGEST_R, LARGEST_R)
    a, b, ahead, behind = _tapered(_correlograms(x, y), frames, truncation)
    left = np.arange(frames - 2, 0, -1)[: len(ahead)]
    squares = left @ (a**2 + b**2 + ahead**2 + behind**2)
    mixed = left @ ((a + b) * (ahead + behind))
    products = left @ (a * b + ahead * behind)
    independent = (1 - r**2) ** 2
    total = (frames - 1) * independent + r**2 * squares - 2 * r * mixed + 2 * products
    return r, np.maximum(total / frames**2, independent / frames)


def _correlograms(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Give both autocorrelations and the cross-correlation either way, lags 1 to frames - 2."""
    frames = len(y)
    length = scipy.fft.next_fast_len(2 * frames - 1, real=True)
    spectrum_x, spectrum_y = (
        scipy.fft.rfft(x, n=length, axis=0),
        scipy.fft.rfft(y, n=length, axis=0),
    )

    def back(spectrum: Array) -> Array:
        return scipy.fft.irfft(spectrum, n=length, axis=0)

    cross = back(spectrum_x.conj() * spectrum_y)
    lags = slice(1, frames - 1)
    return (
        back(np.abs(spectrum_x) ** 2)[lags],
        back(np.abs(spectrum_y) ** 2)[lags],
        cross[lags],
        cross[::-1][: frames - 2],
    )


def _tapered(
    correlograms: tuple[Array, Array, Array, Array], frames: int, truncation: Truncation
) -> tuple[Array, Array, Array, Array]:
    """Cut or taper the long lags; lags that are zero for every sample are dropped."""
    a, b, ahead, behind = correlograms
    if truncation == "tukey":
        window = round(np.sqrt(frames))
        taper = 0.5 * (1 + np.cos(np.pi * np.arange(1, window) / window))[:, None]
        rows = slice(window - 1)
        return a[rows] * taper, b[rows] * taper, ahead[rows] * taper, behind[rows] * taper
    # The authors' constant: 1.3859 is the inverse error function at .95.
    band = np.sqrt(2) * 1.3859 / np.sqrt(frames - 2)
    last_a, last_b = (np.argmax(np.abs(acf) < band, axis=0) for acf in (a, b))
    last = np.maximum(last_a, last_b)
    rows = slice(int(last.max()))
    lag = np.arange(last.max())[:, None]
    either = lag < last
    return (
        a[rows] * (lag < last_a),
        b[rows] * (lag < last_b),
        ahead[rows] * either,
        behind[rows] * either,
    )
