"""Correlation at a delay, and where on the time axis it is strongest: r and lag maps.

For each lag the correlation is Pearson's over the pairs of kept frames that are so far apart,
so censored frames count as the gaps they are. The peak is then placed between frames by a
parabola through the strongest lag and its two neighbours.

No p belongs to a peak: it is the best of many lags. Filtered series give smooth curves, so that
lags far smaller than a frame can be read off, but not that they can be trusted: two unrelated
series have a peak somewhere too. Read the lag only where the r at lag 0 or at the peak is sure.

References
----------
Mitra et al. (2014), doi:10.1152/jn.00804.2013 (lag maps of resting fMRI, and the parabola).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep, check_same_frames
from seedmap.errors import OptionError

__all__ = ["Peak", "lagged", "peak"]

# Fewer pairs of frames than this do not make a correlation that means anything.
FEWEST_PAIRS = 10


@dataclass(frozen=True, eq=False)
class Peak:
    """The strongest correlation of each seed with each sample over the lags."""

    r: Array
    """Correlation at the peak, shape (seeds, samples), with its sign; NaN where none is known."""

    lag: Array
    """Delay of the sample behind the seed, in seconds, shape (seeds, samples).

    NaN where r is NaN, and where it is strongest at the first or last lag: then there is no
    peak within the lags looked at.
    """


def lagged(series: Array, seed_series: Array, keep: Keep, most: int) -> NDArray[np.float32]:
    """Correlate each seed with each sample at every lag.

    Parameters
    ----------
    series
        Cleaned run, shape (kept, samples).
    seed_series
        One column a seed, shape (kept, seeds), cleaned by the same operator.
    keep
        True for frames that stay, shape (frames,); says how far apart the kept frames are.
    most
        The longest lag, in frames.

    Returns
    -------
    ndarray of float32, shape (2 most + 1, seeds, samples)
        Lags from -most to most; positive where the sample follows the seed. NaN where a sample
        or a seed is constant over the frames of that lag.

    Raises
    ------
    OptionError
        If ``most`` is negative, or leaves fewer than 10 pairs of frames.
    ValueError
        If the two series differ in frames, or from ``keep``.
    """
    check_same_frames(series, seed_series)
    if keep.sum() != len(series):
        msg = f"{len(series)} frames in the series, but the mask keeps {keep.sum()}; give its own"
        raise ValueError(msg)
    pairs = [_pairs(keep, lag, most) for lag in range(-most, most + 1)]
    seeds = np.stack([_placed(seed_series, *pair) for pair in pairs])
    count = np.zeros((len(pairs), len(series)), dtype=series.dtype)
    for row, (_, later) in zip(count, pairs, strict=True):
        row[later] = 1
    centred = series - series.mean(axis=0)
    flat = seeds.transpose(0, 2, 1).reshape(-1, len(series)).astype(series.dtype)
    products = (flat @ centred).reshape(len(pairs), -1, series.shape[1])
    spread = count @ centred**2 - (count @ centred) ** 2 / count.sum(axis=1, keepdims=True)
    whole = np.einsum("ij,ij->j", centred, centred)
    spread[spread <= 1e-6 * whole] = np.nan
    with np.errstate(invalid="ignore"):
        r = products / np.sqrt(spread)[:, None]
    return np.clip(r, -1.0, 1.0).astype(np.float32)


def peak(r: Array, t_r: float) -> Peak:
    """Find the strongest correlation over the lags, between frames.

    Parameters
    ----------
    r
        Correlations of `lagged`, shape (2 most + 1, seeds, samples).
    t_r
        Repetition time, in seconds.

    Returns
    -------
    Peak
        Strongest by size, whatever the sign.
    """
    most = len(r) // 2
    size = np.where(np.isnan(r), -1.0, np.abs(r))
    best = np.argmax(size, axis=0)
    inside = np.clip(best, 1, max(2 * most - 1, 1)) if most else best
    middle = _at(r, best)
    known = np.isfinite(middle)
    at_end = (best == 0) | (best == 2 * most)
    if most == 0:
        return Peak(middle, np.where(known, 0.0, np.nan))
    before, after = _at(r, inside - 1), _at(r, inside + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = 0.5 * (before - after) / (before - 2 * middle + after)
        shift = np.where(np.isfinite(shift) & ~at_end, shift, 0.0)
        height = middle - 0.25 * (before - after) * shift
    lag = np.where(known & ~at_end, (best - most + shift) * t_r, np.nan)
    return Peak(np.clip(np.where(shift == 0, middle, height), -1.0, 1.0), lag)


def _pairs(keep: Keep, lag: int, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the kept frames whose partner, ``lag`` frames later, is kept too: (first, second)."""
    row = np.cumsum(keep) - 1
    frames = np.flatnonzero(keep)
    partner = frames + lag
    valid = (partner >= 0) & (partner < len(keep))
    valid[valid] = keep[partner[valid]]
    if valid.sum() < FEWEST_PAIRS or most < 0:
        msg = (
            f"only {valid.sum()} pairs of kept frames are {abs(lag)} frames apart; at least "
            f"{FEWEST_PAIRS} are needed; ask for a shorter longest lag"
        )
        raise OptionError(msg)
    return row[frames[valid]], row[partner[valid]]


def _placed(
    seed_series: Array, first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Centre and norm the seeds over their frames of a lag, set at the samples' frames."""
    seeds = np.asarray(seed_series[first], dtype=np.float64)
    seeds = seeds - seeds.mean(axis=0)
    size = np.linalg.norm(seeds, axis=0)
    placed = np.zeros(seed_series.shape)
    placed[second] = seeds / np.where(size > 0, size, np.nan)
    return placed


def _at(r: Array, index: NDArray[np.intp]) -> Array:
    """Take one lag for each seed and sample."""
    return np.take_along_axis(r, index[None], axis=0)[0]
