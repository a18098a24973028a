"""The noise of every sample of a run, kept small, so that the z map of a seed needs no second reading.

Degrees of freedom follow from the autocovariance of each sample's noise, and this from what trend and
confounds leave of the smoothed series, before the band-pass. Most of that may be in what the band-pass
takes away. So while the run is read, its samples are also multiplied with the directions that the
cleaning takes away and trend and confounds do not (`beside`): with the rows of the map these are no more
numbers than frames. When the first z is asked for, they give way to the autocovariances, as a stored run
has them: two bytes for each of at most a third of the frames. Every z after that is one more product.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array
from seedmap.connectivity import (
    NoiseTables,
    frame_variance,
    lags_of_cleaned,
    noise_tables,
    quick_dof,
    spread_samples,
)
from seedmap.store import noise_lags
from seedmap.temporal import CleaningOperator

__all__ = ["Noise", "Superseded", "beside", "lags_bytes"]

NOTHING_BESIDE = 1e-10  # of a direction, squared: so little of it is rounding
TOGETHER = 512  # samples whose spectra stay in the processor's cache
ROUND = 16  # so many times these, and it is asked whether anybody still waits


class Superseded(Exception):
    """Nobody waits for this result any more."""


def beside(operator: CleaningOperator) -> Array:
    """Return the directions that a cleaning takes away, but trend and confounds do not.

    Returns
    -------
    ndarray, shape (directions, kept)
        Orthonormal. With the cleaning's own coordinates they hold all of the residuals.
    """
    own = _unit(operator.coordinates)
    left = operator.residuals(np.eye(own.shape[1]))
    left -= own.T @ (own @ left)
    left -= (left @ own.T) @ own
    size, directions = scipy.linalg.eigh(left)
    return np.ascontiguousarray(directions[:, size > NOTHING_BESIDE].T)


class Noise:
    """Degrees of freedom of any seed with every sample.

    Parameters
    ----------
    operator
        The cleaning.
    rows
        Cleaned samples in the run's own coordinates, shape (samples, coordinates).
    rest
        The samples along ``directions``, on the same scale; let go once they were used.
    directions
        From `beside`, shape (directions, kept).
    n_jobs
        Threads that may be busy at once.

    Attributes
    ----------
    variance : ndarray, shape (kept,)
        Variance of the noise at each kept frame, 1 on average.
    """

    def __init__(
        self,
        operator: CleaningOperator,
        rows: NDArray[np.float32],
        rest: NDArray[np.float32],
        directions: Array,
        n_jobs: int,
    ) -> None:
        self._operator, self._n_jobs = operator, n_jobs
        self._rows, self._rest = rows, rest
        into = operator.coordinates
        back = into / (into**2).sum(axis=1, keepdims=True)
        self._back, self._back_rest = (
            operator.residuals(some.T).astype(np.float32) for some in (back, directions)
        )
        few = self._residuals(spread_samples(len(rows)))
        self.variance = frame_variance(few, operator.noise_basis)
        self._tables: NoiseTables | None = None
        self._lags = np.empty((0, 0), dtype=np.int16)
        self._done = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that it needs, beside the rows."""
        return self._rest.nbytes + self._lags.nbytes

    def dof(
        self, unit: NDArray[np.float32], superseded: Callable[[], bool] = bool
    ) -> NDArray[np.float32]:
        """Give the effective degrees of freedom of a cleaned seed with every sample.

        Parameters
        ----------
        unit
            The seed in the run's own coordinates, unit norm.
        superseded
            Whether anybody still waits.

        Returns
        -------
        ndarray of float32, shape (samples,)
            Bounded by the directions that the cleaning leaves; NaN where a sample has no noise.

        Raises
        ------
        TooFewFrames
            If fewer than 5 frames are kept.
        Superseded
            As soon as nobody waits; what was done until then is not done again.
        """
        with self._lock, threadpool_limits(1, user_api="blas"):
            tables = self._prepared(superseded)
        seed = lags_of_cleaned(tables, self._operator.coordinates, unit[:, None].astype(float))
        found = quick_dof(tables.passed, seed, self._lags)[0]
        return np.minimum(found, np.float32(tables.rank))

    def _prepared(self, superseded: Callable[[], bool]) -> NoiseTables:
        """Work the autocovariances out, once."""
        samples = len(self._rows)
        if self._tables is None:
            self._tables = noise_tables(self._operator, self.variance, intervals=False)
            self._lags = np.empty((samples, self._tables.lags), dtype=np.int16)
        tables, starts = self._tables, range(self._done, samples, TOGETHER)
        with ThreadPoolExecutor(self._n_jobs) as pool:
            for first in range(0, len(starts), ROUND):
                if superseded():
                    raise Superseded
                some = starts[first : first + ROUND]
                list(pool.map(lambda start: self._fill(tables, start), some))
                self._done = min(some[-1] + TOGETHER, samples)
        self._rest = np.empty((0, 0), dtype=np.float32)
        return tables

    def _fill(self, tables: NoiseTables, start: int) -> None:
        part = slice(start, start + TOGETHER)
        self._lags[part] = noise_lags(tables, self._residuals(part))

    def _residuals(self, which: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        """Return what trend and confounds leave of some samples, shape (kept, some)."""
        found: NDArray[np.float32] = self._back @ self._rows[which].T
        found += self._back_rest @ self._rest[which].T
        return found


def lags_bytes(kept: int) -> int:
    """Return how many bytes the autocovariances of a sample take."""
    return 2 * (kept // 3)


def _unit(directions: Array) -> Array:
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)
