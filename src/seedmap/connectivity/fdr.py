"""Which findings survive many tests: Benjamini-Hochberg q-values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["q_values"]


def q_values(p: ArrayLike, counted: ArrayLike | None = None) -> NDArray[np.float64]:
    """Turn the p of each map into q, the smallest false discovery rate that lets it through.

    Parameters
    ----------
    p
        Two-sided p, shape (samples,) or (seeds, samples); each seed is a family of its own.
    counted
        True for samples that belong to the family, broadcast against ``p``; all by default.
        Leave the seed's own neighbourhood out: its p are near 0 by construction, and would
        buy other samples a lower q.

    Returns
    -------
    ndarray of the shape of p
        NaN where p is NaN or the sample is not counted.

    References
    ----------
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> q_values([0.01, 0.02, 0.9, np.nan])
    array([0.03, 0.03, 0.9 ,  nan])
    """
    p = np.asarray(p, dtype=np.float64)
    family = np.isfinite(p)
    if counted is not None:
        family = family & np.asarray(counted, dtype=bool)
    q = np.full(p.shape, np.nan)
    for row, of, chosen in zip(
        np.atleast_2d(q), np.atleast_2d(p), np.atleast_2d(family), strict=True
    ):
        row[chosen] = _adjust(of[chosen])
    return q


def _adjust(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini-Hochberg on one family without NaN."""
    order = np.argsort(p)
    scaled = p[order] * (len(p) / np.arange(1, len(p) + 1))
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return q
