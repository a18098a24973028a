"""Tail probabilities of t and F and their normal scores, exact far into the tails.

Both tails are regularised incomplete beta functions. Where these near the end of the number range,
their logarithm comes from ``I_x(a, b) = x^a (1-x)^b / (a B(a, b)) 2F1(a + b, 1; a + 1; x)``
(NIST DLMF 8.17.8).
"""

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import ArrayLike, NDArray

__all__ = ["beta_tail", "f_test", "t_test", "t_threshold"]

Floats = NDArray[np.float64]

# From here down the incomplete beta function nears the end of the number range.
TAIL = 1e-280


def t_test(t: ArrayLike, dof: ArrayLike) -> tuple[Floats, Floats]:
    """Return the normal score and the two-sided p of Student's t.

    Parameters
    ----------
    t
        Any shape; NaN gives NaN.
    dof
        Degrees of freedom, broadcast against ``t``.

    Returns
    -------
    z, p
        ``z`` has the sign and the p of ``t``.

    Examples
    --------
    >>> z, p = t_test(2.0, 10)
    >>> float(z.round(4)), float(p.round(4))
    (1.7904, 0.0734)
    """
    t, dof = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(dof, np.float64))
    score, p = _test(t**2, 1.0, dof)
    return np.copysign(score, t), p


def f_test(f: ArrayLike, q: float, dof: ArrayLike) -> tuple[Floats, Floats]:
    """Return the normal score (0 or more) and the upper p of F.

    Parameters
    ----------
    f
        Any shape; NaN gives NaN.
    q
        Degrees of freedom of the numerator.
    dof
        Of the denominator, broadcast against ``f``.

    Returns
    -------
    z, p
        ``z`` is what a two-sided normal test with the same p would have; for q = 1 it is |z| of t.
    """
    f, dof = np.broadcast_arrays(np.asarray(f, np.float64), np.asarray(dof, np.float64))
    return _test(f, q, dof)


def t_threshold(p: float, dof: ArrayLike) -> Floats:
    """Return the t beyond which a two-sided p is below ``p``."""
    return -scipy.special.stdtrit(np.asarray(dof, np.float64), p / 2)


def beta_tail(a: Floats, b: float, x: Floats) -> tuple[Floats, Floats]:
    """Return the normal score (0 or more) and p of a tail that is an incomplete beta function.

    Parameters
    ----------
    a, b
        Its parameters, ``a`` of the shape of ``x``; NaN gives NaN.
    x
        Its end, 0 to 1. Of t, ``dof / (dof + t^2)`` with a = dof / 2 and b = 1 / 2.

    Returns
    -------
    z, p
        ``p`` is I_x(a, b), and ``z`` what a two-sided normal test with the same p would have.
    """
    with np.errstate(invalid="ignore"):
        p = scipy.special.betainc(a, b, x)
        return -scipy.special.ndtri_exp(_log_p(p, a, b, x) - np.log(2)), p


def _test(f: Floats, q: float, dof: Floats) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return beta_tail(dof / 2, q / 2, dof / (dof + q * f))


def _log_p(p: Floats, a: Floats, b: float, x: Floats) -> Floats:
    """Give log p, also where p is too small for a number."""
    log_p = np.log(np.maximum(p, TAIL))[...]  # an array also where p is a single number
    far = np.asarray(p < TAIL) & (x > 0)
    if far.any():
        a, x = a[far], x[far]
        series = scipy.special.hyp2f1(a + b, 1, a + 1, x)
        log_p[far] = a * np.log(x) + b * np.log1p(-x) + np.log(series)
        log_p[far] -= np.log(a) + scipy.special.betaln(a, b)
    return log_p
