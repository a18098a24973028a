"""Scores of many correlations at once, in single precision."""

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import LARGEST_R, Array
from seedmap.connectivity.inference import FEWEST_DOF

__all__ = ["quick_z"]

AT_ONCE = 1 << 15  # scores worked out together, so that they stay in the processor's cache


def quick_z(r: Array, dof: Array) -> NDArray[np.float32]:
    """Turn correlations into scores, to 1e-3 and in single precision.

    Student's t with ``dof - 1`` degrees of freedom as a normal score.

    Parameters
    ----------
    r, dof
        Any shape, broadcast against each other.

    Returns
    -------
    ndarray of float32
        NaN where r is, or dof is below 3.

    References
    ----------
    Hill (1970), Commun. ACM 13, 617, doi:10.1145/355598.362775.
    """
    r, dof = np.broadcast_arrays(np.asarray(r, np.float32), np.asarray(dof, np.float32))
    z: NDArray[np.float32] = np.empty(r.shape, dtype=np.float32)
    flat, flat_r, flat_dof = z.reshape(-1), r.reshape(-1), dof.reshape(-1)
    with np.errstate(invalid="ignore"):
        for at in range(0, z.size, AT_ONCE):
            part = slice(at, at + AT_ONCE)
            _quick_z(flat_r[part], flat_dof[part], flat[part])
    return z


def _quick_z(r: NDArray[np.float32], dof: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write scores into ``out``, in place throughout, since new arrays cost as much as the sums.

    With a = dof - 3/2, b = 48 a^2 and w = -a log(1 - r^2), and p of third degree, they are
    sqrt(w) (1 + (w + 3 + p(w) / (0.8 w^2 + 100 + b)) / b).
    """
    a = dof - np.float32(1.5)
    a[a < FEWEST_DOF - 1.5] = np.nan
    w = np.clip(r, -LARGEST_R, LARGEST_R)
    w *= w
    np.negative(w, out=w)
    np.log1p(w, out=w)
    w *= a
    np.negative(w, out=w)
    a *= a
    a *= 48  # b
    above = w * np.float32(-0.4)
    for number in (3.3, 24):
        above -= np.float32(number)
        above *= w
    above -= np.float32(85.5)
    below = w * w
    below *= np.float32(0.8)
    below += a
    below += 100
    above /= below
    above += w
    above += 3
    above /= a
    above += 1
    np.sqrt(w, out=w)
    above *= w
    np.copysign(above, r, out=out)
