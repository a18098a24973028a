"""How the variance of a run's noise changes from frame to frame, and which frames carry it.

A head that moves, a scanner that drifts and a frame that was lost change the variance of all
voxels at once. With s_t^2 the variance at frame t, 1 on average, the noise of a voxel is taken as
D n, n stationary, D = diag(s_t). Frames of large variance then count for more, and a correlation
rests on fewer of them: of independent frames on T / factor,

    factor = T sum s_t^4 / (sum s_t^2)^2.

The variance is estimated from many voxels' residuals, each scaled to the same mean square. No
component is removed first: a component that holds a bad frame would take it away. Where the brain
shares a signal, its voxels are large in the same frames by chance; how much of the changes that
explains is known from the products of different frames, and is taken off.

References
----------
Diedrichsen and Shadmehr (2005), doi:10.1016/j.neuroimage.2005.04.039 (noise variance by frame).
"""

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.temporal import CleaningOperator

__all__ = [
    "frame_variance",
    "is_uneven",
    "run_variance",
    "spread_samples",
    "variance_factor",
    "worst_frames",
]

# A run is warned of if its factor is above this, or if one frame holds more than this share of
# the squares and several times its part.
LARGE_FACTOR = 1.2
LARGE_SHARE, TIMES_ITS_PART = 0.05, 5
# If more than this share of the frames would have to go, the variance changes over the whole run.
MOST_FRAMES = 0.25
# Samples that the variance is estimated from.
SAMPLES = 600
# Standard deviations of chance beyond which a frame is not chance: squares have long tails.
FAR = 6.0
# Of a frame that confounds fit so closely, the residuals say nothing.
FREE = 0.1


def frame_variance(residuals: Array, noise_basis: Array | None = None) -> NDArray[np.float64]:
    """Estimate the variance of the noise at each frame, relative to its mean.

    Parameters
    ----------
    residuals
        Trend and confounds projected out of uncleaned samples, shape (kept, samples); some
        hundred samples spread over the brain are enough.
    noise_basis
        Orthonormal basis of what was projected out, shape (kept, regressors): where it fits a
        frame closely, the residuals are smaller than the noise. None corrects for nothing.

    Returns
    -------
    ndarray, shape (kept,)
        s_t^2, 1 on average. 1 at frames that the confounds fit (of less than a tenth left), and
        everywhere if no sample varies. Samples that are constant or not finite are left out.
    """
    size = np.abs(residuals).max(axis=0)
    usable = np.isfinite(size) & (size > 0)
    if not usable.any():
        return np.ones(len(residuals))
    scaled = residuals[:, usable].astype(np.float64) / size[usable]
    scaled /= np.sqrt(np.mean(scaled**2, axis=0))
    products = scaled @ scaled.T / scaled.shape[1]
    variance: NDArray[np.float64] = np.diagonal(products).copy()
    if noise_basis is not None:
        free = 1 - np.sum(noise_basis**2, axis=1)
        known = free > FREE
        variance = np.where(known, variance / np.maximum(free, FREE), 0.0)
        variance[~known] = variance[known].mean() if known.any() else 1.0
    variance = _beyond_chance(products, variance)
    return variance / variance.mean()


def _beyond_chance(products: Array, variance: Array) -> NDArray[np.float64]:
    """Take off what chance explains of the changes of variance.

    Samples that share a signal are large in the same frames, by chance. Of Gaussian series the
    mean products of two frames t, t' then vary about the mean over their lag, and those of a frame
    with itself, the variances, have twice that variance. Frames far beyond it stay as they are,
    the others are brought nearer to their mean, as James and Stein (1961) do.
    """
    others, mean, chance = np.ones(len(variance), dtype=bool), 1.0, 0.0
    for _ in range(4):
        mean = float(variance[others].mean())
        chance = 2 * _off_diagonal_variance(products[np.ix_(others, others)])
        inside = variance <= mean + FAR * np.sqrt(chance)
        if np.array_equal(inside, others) or not inside.any():
            break
        others = inside
    found = float(np.var(variance[others]))
    kept = max(1 - chance / found, 0.0) if found > 0 else 0.0
    return np.where(others, mean + kept * (variance - mean), variance)


def _off_diagonal_variance(products: Array) -> float:
    """Give the variance of products of different frames about the mean over their distance."""
    frames = len(products)
    diagonals = [np.diagonal(products, lag) for lag in range(1, frames)]
    squares = sum(float(np.sum((one - one.mean()) ** 2)) for one in diagonals)
    return squares / max(frames * (frames - 1) / 2, 1)


def run_variance(operator: CleaningOperator, series: Array) -> NDArray[np.float64]:
    """Estimate the variance of a run's noise at each kept frame.

    Parameters
    ----------
    operator
        The run's cleaning.
    series
        Uncleaned samples on the kept frames, shape (kept, samples); 600 spread over all are used.

    Returns
    -------
    ndarray, shape (kept,)
        See `frame_variance`.
    """
    few = series[:, spread_samples(series.shape[1])]
    return frame_variance(operator.residuals(few), operator.noise_basis)


def spread_samples(samples: int) -> NDArray[np.intp]:
    """Return which of so many samples the variance is estimated from."""
    return np.linspace(0, samples - 1, min(samples, SAMPLES)).astype(np.intp)


def variance_factor(variance: Array) -> float:
    """Return T sum s^4 / (sum s^2)^2: by how much uneven variance divides the independent frames.

    Parameters
    ----------
    variance
        Variance of the noise at each frame, shape (kept,), on any scale.
    """
    return float(len(variance) * np.sum(variance**2) / np.sum(variance) ** 2)


def worst_frames(variance: Array) -> NDArray[np.intp]:
    """Find the fewest frames without which the variance is even.

    Parameters
    ----------
    variance
        Variance of the noise at each frame, shape (kept,).

    Returns
    -------
    ndarray of int
        Their positions among the kept frames, in order: those of largest variance, as many as it
        takes until the factor of the others is at most 1.2 and none of them holds 5 % of the
        squares. Empty if that is so already, or if more than a quarter of the frames would have
        to go: then the variance changes over the whole run.
    """
    largest_first = np.argsort(-variance, kind="stable")
    most = int(MOST_FRAMES * len(variance))
    for count in range(most + 1):
        left = variance[largest_first[count:]]
        if not is_uneven(left):
            return np.sort(largest_first[:count])
    return np.empty(0, dtype=np.intp)


def is_uneven(variance: Array) -> bool:
    """Say whether the variance is so uneven that a reader should know."""
    mean = variance.mean()
    large = max(LARGE_SHARE * len(variance), TIMES_ITS_PART) * mean
    return bool(mean > 0 and (variance_factor(variance) > LARGE_FACTOR or variance.max() > large))
