"""The directions that a cleaning sees: a cleaned run in its own coordinates.

Correlations see a cleaned run only through inner products of centred series. With the singular
value decomposition of the centred cleaning, ``Lc = U S W'``, the rows ``S W' x`` have the inner
products of ``Lc x``, since U is orthonormal. After a band-pass most singular values vanish, so a
run needs fewer rows than frames, and no correlation changes.
"""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array, readonly

__all__ = ["Subspace", "find_gains", "find_subspace"]

# Directions weaker than this share of the strongest are left out. They are orthogonal to the
# others, so an r changes by less than the square of this share times the ratio of a series' size
# before to that after the cleaning: by 1e-5 at a ratio of 100, where noise is all there is.
NEGLIGIBLE = 3e-5
# Directions whose strengths differ by less than this are all left as they are.
AS_IT_IS = 1e-9
# To take few directions away costs less than to keep many: up to this share of those kept.
FEW = 0.25


@dataclass(frozen=True, eq=False)
class Subspace:
    """The directions that a cleaning sees.

    Attributes
    ----------
    coordinates : ndarray of float64, shape (coordinates, kept)
        S W', strongest direction first: from kept frames to a cleaned run's own coordinates.
    gains : ndarray of float64, shape (kept,)
        All singular values S, largest first.
    removed : ndarray of float64, shape (kept, n), or None
        Orthonormal, where the cleaning does no more than take these few directions away, the mean
        among them: ``x - removed removed' x`` then has the same inner products, for less work.
    """

    coordinates: Array
    gains: Array
    removed: Array | None


def find_subspace(cleaning: Array) -> Subspace:
    """Find the directions that a cleaning on the kept frames, shape (kept, kept), sees."""
    centred = cleaning - cleaning.mean(axis=0)
    # Of matrices of this size, threads of BLAS cost more than they bring where others work, too.
    with threadpool_limits(1, user_api="blas"):
        squares, directions = np.linalg.eigh(centred.T @ centred)
    size = _roots(squares)
    used = size > NEGLIGIBLE * size[0]
    directions = directions[:, ::-1]
    few = np.count_nonzero(~used) <= FEW * np.count_nonzero(used)
    only_removes = few and np.abs(size[used] - 1).max(initial=0.0) < AS_IT_IS
    return Subspace(
        coordinates=readonly(np.ascontiguousarray((directions * size)[:, used].T)),
        gains=readonly(size),
        removed=readonly(np.ascontiguousarray(directions[:, ~used])) if only_removes else None,
    )


def find_gains(rows: Array) -> Array:
    """Find the singular values of a few rows (n, kept), largest first."""
    with threadpool_limits(1, user_api="blas"):
        return readonly(_roots(np.linalg.eigvalsh(rows @ rows.T)))


def _roots(squares: Array) -> Array:
    """Turn eigenvalues of a Gram matrix, smallest first, into singular values, largest first."""
    return np.sqrt(np.clip(squares[::-1], 0.0, None))
