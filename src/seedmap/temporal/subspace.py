"""A cleaned run in its own coordinates.

Correlations see a cleaned run only through inner products of centred series. With the singular
value decomposition of the centred cleaning, ``Lc = U S W'``, the rows ``S W' x`` have the inner
products of ``Lc x``, since U is orthonormal. After a band-pass most singular values vanish, so a
run needs fewer rows than frames, and no correlation changes.
"""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from seedmap._checks import Array, readonly

__all__ = ["Coordinates", "own_coordinates"]

# Directions weaker than this share of the strongest are left out. They are orthogonal to the
# others, so an r changes by less than the square of this share times the ratio of a series' size
# before to that after the cleaning: by 1e-5 at a ratio of 100, where noise is all there is.
NEGLIGIBLE = 3e-5
# Directions whose strengths differ by less than this are all left as they are.
AS_IT_IS = 1e-9
# To take few directions away costs less than to keep many: up to this share of those kept.
FEW = 0.25
# A Butterworth filter has no sharp rank; a direction below this share counts as lost.
COUNTS = 1e-3


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map from kept frames to a cleaned run's own coordinates.

    Attributes
    ----------
    into : ndarray of float64, shape (coordinates, kept)
        S W', strongest direction first.
    rank : int
        Number of singular values above a thousandth of the largest.
    removed : ndarray of float64, shape (kept, n), or None
        Orthonormal, where the cleaning does no more than take these few directions away, the mean
        among them: ``x - removed removed' x`` then has the same inner products, for less work.
    """

    into: Array
    rank: int
    removed: Array | None = None


def own_coordinates(cleaning: Array) -> Coordinates:
    """Find the coordinates of a cleaning on the kept frames, a matrix of shape (kept, kept)."""
    centred = cleaning - cleaning.mean(axis=0)
    # Of matrices of this size, threads of BLAS cost more than they bring where others work, too.
    with threadpool_limits(1, user_api="blas"):
        squares, directions = np.linalg.eigh(centred.T @ centred)
    size = np.sqrt(np.clip(squares[::-1], 0.0, None))
    used = size > NEGLIGIBLE * size[0]
    directions = directions[:, ::-1]
    few = np.count_nonzero(~used) <= FEW * np.count_nonzero(used)
    only_removes = few and np.abs(size[used] - 1).max(initial=0.0) < AS_IT_IS
    return Coordinates(
        into=readonly(np.ascontiguousarray((directions * size)[:, used].T)),
        rank=int(np.count_nonzero(size > COUNTS * size[0])),
        removed=readonly(np.ascontiguousarray(directions[:, ~used])) if only_removes else None,
    )
