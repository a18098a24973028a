"""Percent of the mean, as nilearn counts it."""

import warnings

import numpy as np

from seedmap._arrays import Array
from seedmap.errors import SeedmapWarning
from seedmap.signal.nilearn_private import find_stack_level

__all__ = ["to_percent"]

# nilearn adds the original mean back if, averaged over samples, less than this share is left.
MEAN_IS_GONE = 0.1
# Rounding of a mean, in units of the last place of what it is made of.
ROUNDINGS = 4


def to_percent(centred: Array, after: Array, before: Array, scale: Array) -> None:
    """Turn centred series into percent of their mean, in place.

    Parameters
    ----------
    centred
        Cleaned series of zero mean, shape (frames, samples).
    after, before
        Mean of each sample after and before the cleaning, shape (samples,). The mean before
        is what counts where detrending or a filter has taken the mean away, which is decided
        for all samples together.
    scale
        Size of the values that the means were made of, shape (samples,): below its rounding a
        mean is zero.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        gone = np.abs(after).mean() / np.abs(before).mean() < MEAN_IS_GONE
    mean = np.abs(after + before) if gone else np.abs(after)
    meaningless = mean < np.finfo(np.float64).eps * np.maximum(1.0, ROUNDINGS * scale)
    factor = np.divide(100.0, mean, where=~meaningless, out=np.zeros_like(mean))
    centred *= factor.astype(centred.dtype)
    if meaningless.any():
        msg = (
            "psc standardization strategy is meaningless for features that have a mean of 0: "
            f"{int(meaningless.sum())} of {mean.size} are set to 0. Standardise otherwise"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())
