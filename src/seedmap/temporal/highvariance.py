"""Confounds taken from the data: the main time courses of the most variable samples."""

import numpy as np

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.temporal.operators import Detrend

__all__ = ["high_variance_confounds"]


def high_variance_confounds(
    series: Array, n_confounds: int = 5, percentile: float = 2.0, *, detrend: bool = True
) -> Array:
    """Return the leading time courses of the samples that vary most.

    Parameters
    ----------
    series
        Data over time, shape (frames, samples). Not modified. Samples with NaN are left out.
    n_confounds
        Number of time courses to return.
    percentile
        Share of the samples, from the most variable down, that is used [percent].
    detrend
        Remove mean and straight line first.

    Returns
    -------
    ndarray, shape (frames, n_confounds)
        Orthonormal columns, from the strongest down. Their signs mean nothing.

    Raises
    ------
    OptionError
        If ``percentile`` lies outside 0 to 100 or leaves no sample.

    References
    ----------
    Behzadi et al. (2007), NeuroImage 37, 90, doi:10.1016/j.neuroimage.2007.04.042.
    """
    if not 0 <= percentile <= 100:
        msg = f"percentile={percentile:g}; give a share between 0 and 100 percent"
        raise OptionError(msg)
    frames = series.shape[0]
    steady = Detrend(np.arange(frames, dtype=float)).apply(series) if detrend else series
    power = np.mean(np.square(steady, dtype=np.float64), axis=0)
    threshold = np.nanpercentile(power, 100 - percentile)
    chosen = steady[:, power > threshold].astype(np.float64)
    if chosen.shape[1] == 0:
        msg = f"no sample lies above the {100 - percentile:g} th percentile of variance; raise percentile"
        raise OptionError(msg)
    _, vectors = np.linalg.eigh(chosen @ chosen.T / frames)
    return vectors[:, ::-1][:, :n_confounds]
