"""Pearson correlation of seeds with samples, in blocks.

`pearson` is the definition, for cleaned series that fit into memory. `correlate` is the same for
a run that is cleaned block by block on the way, so that no second array of its size exists.
Knows arrays only.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import LARGEST_R, NOTHING_LEFT, ROUNDING, Array, check_same_frames
from seedmap.temporal import Cleaner

__all__ = ["BLOCK", "Correlations", "correlate", "fisherz", "in_blocks", "pearson", "unit_seeds"]

# Samples cleaned at once: a block of cleaned series stays in the processor's cache.
BLOCK = 8192
# Seeds correlated with a block at once: more make the product faster, and their part of the maps
# (8 MB) is still near when it is held within -1 and 1.
SEEDS_TOGETHER = 256


def pearson(series: Array, seed_series: Array) -> Array:
    """Correlate each seed's series with each sample's.

    Parameters
    ----------
    series
        Cleaned run, shape (frames, samples).
    seed_series
        One column a seed, shape (frames, seeds), cleaned by the same operator.

    Returns
    -------
    ndarray, shape (seeds, samples)
        Correlations in [-1, 1]. NaN where a sample or a seed is constant.

    Raises
    ------
    ValueError
        If the two differ in frames.
    TooFewFrames
        If there are fewer than three frames.

    References
    ----------
    Biswal et al. (1995), Magn. Reson. Med. 34, 537, doi:10.1002/mrm.1910340409.

    Examples
    --------
    >>> t = np.linspace(0, 6, 50)
    >>> run = np.stack([np.sin(t), -np.sin(t), np.ones_like(t)], axis=1)
    >>> pearson(run, np.sin(t)[:, None]).round(3)
    array([[ 1., -1., nan]])
    """
    check_same_frames(series, seed_series)
    return np.clip(_unit_columns(seed_series).T @ _unit_columns(series), -1.0, 1.0)


def _unit_columns(series: Array) -> Array:
    """Centre columns and give them unit norm; NaN for constants."""
    series = np.asarray(series, dtype=np.float64)
    centred = series - series.mean(axis=0)
    size = np.linalg.norm(centred, axis=0)
    size[size <= ROUNDING * np.linalg.norm(series, axis=0)] = np.nan
    return centred / size


def fisherz(r: Array) -> Array:
    """Variance-stabilise correlations: atanh(r). This is not a z-score.

    Parameters
    ----------
    r
        Correlations, any shape.

    Returns
    -------
    ndarray, shape and type of ``r``
        Finite wherever r is: r is held within 1e-7 of -1 and 1. NaN stays NaN.

    References
    ----------
    Fisher (1915), Biometrika 10, 507, doi:10.1093/biomet/10.4.507.
    """
    return np.arctanh(np.clip(r, -LARGEST_R, LARGEST_R)).astype(np.asarray(r).dtype)


OnBlock = Callable[[slice, NDArray[np.float32]], None]


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlations of seeds with samples.

    Attributes
    ----------
    r : ndarray of float32, shape (seeds, samples)
        NaN where a sample or a seed is constant after cleaning.
    constant : ndarray of bool, shape (samples,)
        Samples of which the cleaning leaves nothing.
    spread : ndarray of float32, shape (samples,)
        Norm of each cleaned, centred sample, in the unit of the data; NaN for constants.
    """

    r: NDArray[np.float32]
    constant: NDArray[np.bool_]
    spread: NDArray[np.float32]


def correlate(
    cleaner: Cleaner,
    series: NDArray[np.float32],
    seed_series: Array,
    n_jobs: int = 1,
    on_block: OnBlock | None = None,
    out: NDArray[np.float32] | None = None,
) -> Correlations:
    """Clean a run block by block and correlate it with its seeds.

    Parameters
    ----------
    cleaner
        Cleans blocks of samples: see `seedmap.temporal.CleaningOperator.cleaner`.
    series
        Uncleaned run on the kept frames less a reference, float32, shape (kept, samples).
    seed_series
        Uncleaned seeds, shape (kept, seeds).
    n_jobs
        Threads that may be busy at once.
    on_block
        Called with each block's place and uncleaned series (kept, block) while it is in the
        processor's cache, from any thread.
    out
        Where the maps are put, float32, shape (seeds, samples); None makes an array. It may lie
        over ``series``, column over column: a block has been used when its maps take its place.

    Returns
    -------
    Correlations
    """
    samples = series.shape[1]
    seeds = unit_seeds(cleaner.clean_seeds(seed_series), seed_series).astype(np.float32)
    r = np.empty((seed_series.shape[1], samples), dtype=np.float32) if out is None else out
    spread = np.empty(samples, dtype=np.float32)

    def one_block(part: slice) -> None:
        raw = series[:, part]
        cleaned = cleaner.clean(part, raw)
        size = np.sqrt(np.einsum("ij,ij->j", cleaned, cleaned))
        size[size <= NOTHING_LEFT * np.sqrt(np.einsum("ij,ij->j", raw, raw))] = np.nan
        spread[part] = size
        cleaned /= size
        if on_block is not None:
            on_block(part, raw)
        for first in range(0, len(r), SEEDS_TOGETHER):
            some = r[first : first + SEEDS_TOGETHER, part]
            np.matmul(seeds[:, first : first + SEEDS_TOGETHER].T, cleaned, out=some)
            np.clip(some, -1.0, 1.0, out=some)

    in_blocks(one_block, samples, n_jobs)
    return Correlations(r, np.isnan(spread), spread)


def unit_seeds(cleaned: Array, raw: Array) -> Array:
    """Give cleaned seeds (rows, seeds) unit norm; NaN where nothing is left of ``raw`` (kept, seeds)."""
    size = np.linalg.norm(cleaned, axis=0)
    moves = NOTHING_LEFT * np.linalg.norm(raw - raw[:1], axis=0)
    rounding = ROUNDING * np.linalg.norm(raw, axis=0)  # of a seed that does not move at all
    size[size <= np.maximum(moves, rounding)] = np.nan
    return cleaned / size


def in_blocks(
    work: Callable[[slice], None], samples: int, n_jobs: int = 1, block: int = BLOCK
) -> None:
    """Call ``work`` for every block of samples, in up to ``n_jobs`` threads.

    BLAS is held to one thread meanwhile, so that its threads and these do not fight.
    """
    parts = [slice(start, min(start + block, samples)) for start in range(0, samples, block)]
    with threadpool_limits(1, user_api="blas"):
        if n_jobs == 1:
            for part in parts:
                work(part)
            return
        with ThreadPoolExecutor(n_jobs) as pool:
            try:
                for done in [pool.submit(work, part) for part in parts]:
                    done.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
