"""A cleaned run that answers at once: the map of any seed, its series, its peaks.

The brain is kept as rows of unit norm, smoothed, in the run's own coordinates, so that an inner
product of two rows is the correlation of the cleaned series. The voxels that seeds are the mean of
are not smoothed; their mean is cleaned into the same coordinates when a seed is placed. One map is
one pass over the brain's rows, at the speed of memory.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from seedmap._arrays import NOTHING_LEFT, Array, Keep
from seedmap.errors import SeedError
from seedmap.explorer.engine.gathering import Gathered, Superseded
from seedmap.explorer.engine.unsmoothed import SeedVoxels
from seedmap.images import Grid, Space
from seedmap.seeds import Seed

__all__ = ["FULL_SCALE", "NOT_A_NUMBER", "LiveRun", "SeedSignal"]

# int16 on the wire: r is a whole number of steps of 1/32767, an error of 1.5e-5 at most.
FULL_SCALE = 32767
NOT_A_NUMBER = -32768
# Bytes of rows per piece of work: so few that a newer wish is noticed within a millisecond, and
# that threads end at the same time.
PIECE_BYTES = 4 << 20
# From here on a map takes long enough that a coarse one is sent while the mouse moves.
PREVIEW_BYTES = 400 << 20
# Rows below this are done in a millisecond or two: waking another thread may take as long.
SINGLE_BYTES = 24 << 20


@dataclass(frozen=True, eq=False)
class SeedSignal:
    """The signal of a seed, and what it is the mean of.

    Attributes
    ----------
    unit : ndarray of float32, shape (coordinates,)
        Its cleaned series in the run's own coordinates, unit norm.
    voxels : int
        Voxels or vertices of the seed.
    left_out : int
        How many of these are not in the mean: they are too far outside the mask, or not
        finite.
    coverage : float
        Share of the seed that lies in the mask.
    """

    unit: NDArray[np.float32]
    voxels: int
    left_out: int
    coverage: float


@dataclass(frozen=True, eq=False)
class LiveRun:
    """One cleaned run in memory.

    Attributes
    ----------
    grid : Grid, Mesh or Grayordinates
        Its space; the mask says which places are samples.
    targets : ndarray of float32, shape (samples, coordinates)
        Smoothed rows of unit norm; zeros where ``usable`` is False.
    usable : ndarray of bool, shape (samples,)
        False where a sample is constant or not finite: NaN in maps.
    scale : ndarray of float32, shape (samples,)
        What gave the rows unit norm; 0 where ``usable`` is False.
    seed_voxels : SeedVoxels
        The voxels or vertices that seeds may be the mean of, unsmoothed.
    basis : ndarray, shape (kept, coordinates)
        Orthonormal columns that turn coordinates back into frames.
    keep : ndarray of bool, shape (frames,)
        Frames that stayed.
    constant, unusable : int
        Samples that are constant, and that are not finite.
    n_jobs : int
        Threads that may be busy at once.
    """

    grid: Space
    targets: NDArray[np.float32]
    usable: NDArray[np.bool_]
    scale: NDArray[np.float32]
    seed_voxels: SeedVoxels
    basis: Array
    keep: Keep
    constant: int
    unusable: int
    n_jobs: int
    _row_of: NDArray[np.int32] = field(repr=False)
    _pool: ThreadPoolExecutor = field(repr=False)
    _lock: threading.Lock = field(repr=False, default_factory=threading.Lock)
    _blas: ThreadpoolController = field(repr=False, default_factory=ThreadpoolController)
    _coarse: "dict[str, NDArray[Any]]" = field(repr=False, default_factory=dict)

    @classmethod
    def from_rows(
        cls,
        grid: Space,
        brain: Gathered,
        seed_voxels: SeedVoxels,
        basis: Array,
        keep: Keep,
        n_jobs: int,
    ) -> "LiveRun":
        """Give the brain's rows unit norm (in place) and note where everything is."""
        size = np.sqrt(np.einsum("ij,ij->i", brain.rows, brain.rows))
        constant = size <= NOTHING_LEFT * brain.size
        usable = brain.finite & ~constant
        scale = np.where(usable, 1 / np.where(usable, size, 1), 0)
        np.multiply(brain.rows, scale[:, None], out=brain.rows)
        row_of = np.full(grid.mask.size, -1, dtype=np.int32)
        places = np.flatnonzero(seed_voxels.mask)
        row_of[places[seed_voxels.finite]] = np.flatnonzero(seed_voxels.finite)
        return cls(
            grid=grid,
            targets=brain.rows,
            usable=usable,
            scale=scale,
            seed_voxels=seed_voxels,
            basis=basis,
            keep=keep,
            constant=int((constant & brain.finite).sum()),
            unusable=int((~brain.finite).sum()),
            n_jobs=n_jobs,
            _row_of=row_of,
            _pool=ThreadPoolExecutor(max(1, n_jobs - 1), thread_name_prefix="seedmap-map"),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the brain's rows, and of the voxels of seeds."""
        return self.targets.nbytes + self.seed_voxels.nbytes

    @property
    def wants_preview(self) -> bool:
        """Whether a whole map takes so long that a coarse one should go before it."""
        return isinstance(self.grid, Grid) and self.targets.nbytes > PREVIEW_BYTES

    def seed_signal(self, seed: Seed) -> SeedSignal:
        """Average the rows of a seed, all of whose voxels or vertices count the same.

        Raises
        ------
        SeedError
            If the seed lies outside the space or the mask, or nothing of it varies.
        """
        voxels = seed.weights(self.grid).voxels
        inside = self.grid.mask.ravel()[voxels]
        if not inside.any():
            what = self.grid.element
            msg = (
                f"seed {seed.name!r}: no {what} of the {seed.definition} lies in the mask; move it"
            )
            raise SeedError(msg)
        rows = self._row_of[voxels]
        rows = rows[rows >= 0]
        mean, rounding = self.seed_voxels.mean(rows) if rows.size else (np.zeros(1), 0.0)
        size = float(np.linalg.norm(mean))
        if size <= rounding:
            msg = (
                f"seed {seed.name!r}: the cleaning leaves nothing of the {seed.definition}; move it"
            )
            raise SeedError(msg)
        unit = (mean / size).astype(np.float32)
        return SeedSignal(
            unit, int(voxels.size), int(voxels.size - rows.size), float(inside.mean())
        )

    def r(
        self, unit: NDArray[np.float32], superseded: Callable[[], bool] = bool
    ) -> NDArray[np.float32]:
        """Correlate one unit row with every sample; NaN where a sample is not usable.

        Raises
        ------
        Superseded
            As soon as ``superseded()`` is true.
        """
        r = np.empty(self.targets.shape[0], dtype=np.float32)

        def piece(part: slice) -> None:
            np.dot(self.targets[part], unit, out=r[part])

        self._in_pieces(piece, superseded)
        np.clip(r, -1, 1, out=r)
        r[~self.usable] = np.nan
        return r

    def payload(
        self, unit: NDArray[np.float32], superseded: Callable[[], bool] = bool
    ) -> NDArray[np.int16]:
        """Return the same map in steps of 1/32767, and -32768 for NaN; shape (samples,)."""
        steps = np.empty(self.targets.shape[0], dtype=np.int16)
        loud = unit * np.float32(FULL_SCALE)

        def piece(part: slice) -> None:
            _whole_steps(self.targets[part] @ loud, out=steps[part])

        self._in_pieces(piece, superseded)
        steps[~self.usable] = NOT_A_NUMBER
        return steps

    def preview(self, unit: NDArray[np.float32]) -> NDArray[np.int16]:
        """Return a coarse map: one voxel represents every two by two by two."""
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            if not self._coarse:
                self._coarse.update(_representatives(self))
            r = self._coarse["rows"] @ (unit * np.float32(FULL_SCALE))
        steps = np.empty(r.shape, dtype=np.int16)
        _whole_steps(r, out=steps)
        steps[~self._coarse["usable"]] = NOT_A_NUMBER
        return steps[self._coarse["of"]]

    def _in_pieces(self, piece: Callable[[slice], None], superseded: Callable[[], bool]) -> None:
        """Work through all rows in this thread and others of our own, BLAS held to one.

        One map at a time: memory is the bottleneck, and two at once would both be late.
        """
        rows = max(1, PIECE_BYTES // max(1, self.targets[:1].nbytes))
        samples = self.targets.shape[0]
        parts = [slice(start, min(start + rows, samples)) for start in range(0, samples, rows)]
        alone = self.targets.nbytes < SINGLE_BYTES
        shared = _Shared(parts)
        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            jobs = [] if alone else self._helped(_take, shared, piece, superseded)
            try:
                _take(shared, piece, superseded)
            finally:  # before the lock is given back
                errors = [_error_of(job) for job in jobs]
        for error in errors:
            if error is not None:
                raise error

    def _helped(self, *work: Any) -> "list[Future[None]]":
        """Let the other threads do something, too; nobody does once the run was closed."""
        jobs: list[Future[None]] = []
        with suppress(RuntimeError):  # closed: a newer cleaning has come
            jobs.extend(self._pool.submit(*work) for _ in range(self.n_jobs - 1))
        return jobs

    def series(self, unit: NDArray[np.float32]) -> Array:
        """Turn a row of coordinates into frames, z-scored (n - 1); shape (kept,)."""
        series = self.basis @ unit.astype(np.float64)
        return series / series.std(ddof=1) if series.any() else series

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Shared(Iterator[slice]):
    """An iterator that several threads take from."""

    def __init__(self, parts: list[slice]) -> None:
        self._parts, self._numbers = parts, itertools.count()

    def __next__(self) -> slice:
        number = next(self._numbers)  # atomic: count is written in C
        if number >= len(self._parts):
            raise StopIteration
        return self._parts[number]


def _take(
    parts: Iterator[slice], piece: Callable[[slice], None], superseded: Callable[[], bool]
) -> None:
    for part in parts:
        if superseded():
            raise Superseded
        piece(part)


def _error_of(job: "Future[None]") -> BaseException | None:
    """Wait for a job; return what it raised. One that never began, as the run was closed, is over."""
    try:
        return job.exception()
    except CancelledError:
        return None


def _whole_steps(r: NDArray[np.float32], out: NDArray[np.int16]) -> None:
    """Write r, given in steps, as whole steps.

    Rounding lets r exceed 1 by some millionths, which is less than the half step that it may.
    """
    np.rint(r, out=r)
    np.copyto(out, r, casting="unsafe")


def _representatives(live: LiveRun) -> dict[str, NDArray[Any]]:
    """Choose the first sample of every block of two by two by two voxels."""
    assert isinstance(live.grid, Grid)
    blocks = np.argwhere(live.grid.mask) // 2
    sizes = np.array(live.grid.shape) // 2 + 1
    names = np.ravel_multi_index(tuple(blocks.T), tuple(sizes))
    _, first, of = np.unique(names, return_index=True, return_inverse=True)
    return {"rows": live.targets[first], "usable": live.usable[first], "of": of}
