"""From maxima over shuffles to p: counted, by the tail of a generalised Pareto, joint over kinds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["corrected_p", "pareto_p"]

Floats = NDArray[np.float64]

# Equal statistics differ in the last bits of a float32 product, by other shapes of blocks.
TIES = 1 - 1e-5
# The tail: above which quantile it is fitted, and below which p it is used.
FITTED, USED_BELOW = 0.75, 0.1
# Of a p by the tail nothing is known below 1 / (this times the shuffles).
BEYOND = 10


def corrected_p(
    observed: ArrayLike, maxima: ArrayLike, kinds: ArrayLike | None = None, *, tail: bool = False
) -> Floats:
    """Return p corrected for all samples, from the null of the maximum.

    Parameters
    ----------
    observed
        Absolute scores, shape (samples,); NaN stays NaN.
    maxima
        Maxima of each shuffle, the identity first, shape (shuffles,) or (shuffles, kinds).
    kinds
        Kind of each observed score. Kinds have other units: each maximum is turned into its rank
        in the null of its kind, and the smallest rank of a shuffle is the joint null.
    tail
        Fit a generalised Pareto to the upper quarter, for p below .1. Not for extents, which are
        discrete.

    Returns
    -------
    ndarray, shape (samples,)
        (1 + others at or above) / (1 + shuffles).

    References
    ----------
    Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> corrected_p([3.0, 1.0, np.nan], [3.0, 2.0, 1.0, 0.5])
    array([0.25, 0.75,  nan])
    """
    scores, null = np.asarray(observed, np.float64), np.asarray(maxima, np.float64)
    null = null[:, None] if null.ndim == 1 else null
    of_kind = np.zeros(scores.shape, np.intp) if kinds is None else np.asarray(kinds, np.intp)
    p = np.full(scores.shape, np.nan)
    rank = np.empty_like(null)
    for kind in range(null.shape[1]):
        here = (of_kind == kind) & np.isfinite(scores)
        p[here] = _one_null(scores[here], null[:, kind], tail=tail)
        rank[:, kind] = _one_null(null[:, kind], null[:, kind], tail=tail)
    if null.shape[1] == 1:
        return p
    smallest = np.sort(rank.min(axis=1))
    joint = np.searchsorted(smallest, p / TIES, side="right") / len(smallest)
    return np.where(np.isfinite(p), np.maximum(joint, 1 / len(smallest)), np.nan)


def _one_null(scores: Floats, null: Floats, *, tail: bool) -> Floats:
    """Share of the null at or above each score."""
    ordered = np.sort(null)
    p = 1 - np.searchsorted(ordered, scores * TIES, side="left") / len(null)
    p = np.maximum(p, 1 / len(null))
    if not tail:
        return p
    far = p < USED_BELOW
    p[far] = np.minimum(pareto_p(scores[far], null), USED_BELOW)
    return p


def pareto_p(scores: ArrayLike, null: ArrayLike) -> Floats:
    """Return p beyond the upper quarter of a null, by a generalised Pareto distribution.

    It is fitted by probability-weighted moments. No p is below 1 / (10 x shuffles). Of 1000 maxima
    of normal scores a p of .001 comes out as .0008 on average, with two thirds of the spread of a
    count; .01 comes out as .01.

    References
    ----------
    Hosking and Wallis (1987), doi:10.1080/00401706.1987.10488243; Winkler et al. (2016),
    doi:10.1016/j.neuroimage.2016.05.068.
    """
    scores, null = np.asarray(scores, np.float64), np.sort(np.asarray(null, np.float64))
    start = np.quantile(null, FITTED)
    above = null[null > start] - start
    if not above.size or above[-1] <= 0:
        return np.maximum(1 - np.searchsorted(null, scores * TIES) / null.size, 1 / null.size)
    share = above.size / null.size
    mean = above.mean()
    weighted = (above * (1 - (np.arange(1, above.size + 1) - 0.35) / above.size)).mean()
    shape = mean / (mean - 2 * weighted) - 2
    scale = 2 * mean * weighted / (mean - 2 * weighted)
    over = np.maximum(scores - start, 0) / scale
    # Moments of a sample never give a shape of exactly 0, where this would be exp(-over).
    beyond = np.maximum(1 - shape * over, 0) ** (1 / shape)
    return np.maximum(share * beyond, 1 / (BEYOND * null.size))
