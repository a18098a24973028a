"""Scores of many correlations at once, in single precision."""

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import LARGEST_R, Array

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
    for at in range(0, z.size, AT_ONCE):
        part = slice(at, at + AT_ONCE)
        flat[part] = _quick_z(flat_r[part], flat_dof[part])
    return z


def _quick_z(r: NDArray[np.float32], dof: NDArray[np.float32]) -> NDArray[np.float32]:
    r = np.clip(r, -LARGEST_R, LARGEST_R)
    n = dof - 1
    with np.errstate(invalid="ignore"):
        n = np.where(n >= 2, n, np.float32(np.nan))
        a = n - np.float32(0.5)
        b = 48 * a * a
        w = -a * np.log1p(-r * r)
        above = ((np.float32(-0.4) * w - np.float32(3.3)) * w - 24) * w - np.float32(85.5)
        factor = (above / (np.float32(0.8) * w * w + 100 + b) + w + 3) / b + 1
        z: NDArray[np.float32] = np.copysign(factor * np.sqrt(w), r)
    return z
