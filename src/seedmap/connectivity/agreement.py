"""How far the maps of several seeds of one region differ, in standard errors of one of them.

The unit is the map's own standard error: how far a map of the same seed would differ in another
run. Knows arrays only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep

__all__ = [
    "Differing",
    "Judged",
    "Sums",
    "agreement",
    "critical_r_map",
    "differing",
    "half_variance",
    "predicted_error",
    "split_halves",
    "time_error",
]

# Time between the halves of a run, so that what the filter spreads counts for neither [s].
BETWEEN = 20.0
# Below this a half has no standard error.
FEWEST_DOF = 4.0
# Degrees of freedom between which a critical r is interpolated: exact to 1e-5.
STEPS = 400


def agreement(series: Array) -> float:
    """Return the mean correlation of every two series: (|sum u|^2 - K) / (K (K - 1)).

    Parameters
    ----------
    series
        Centred series of unit norm, shape (rows, K). Of a seed's voxels this is its homogeneity.

    Returns
    -------
    float
        NaN for fewer than two.
    """
    count = series.shape[1]
    if count < 2:
        return float("nan")
    return float((np.sum(series.sum(axis=1) ** 2) - count) / (count * (count - 1)))


def predicted_error(agreement: float) -> float:
    """Return the seed error of samples that go with none of the seeds: sqrt(1 - agreement)."""
    return float(np.sqrt(max(1 - agreement, 0.0))) if np.isfinite(agreement) else float("nan")


def critical_r_map(dof: Array, level: float) -> NDArray[np.float32]:
    """Give for each sample the |r| whose two-sided p is ``level``.

    Parameters
    ----------
    dof
        Effective degrees of freedom, shape (samples,); NaN gives NaN.
    level
        The p.
    """
    known = dof[np.isfinite(dof)].astype(np.float64)
    if not known.size:
        return np.full(dof.shape, np.nan, dtype=np.float32)
    grid = np.geomspace(known.min(), known.max(), STEPS)
    t = scipy.special.stdtrit(grid - 1, 1 - level / 2)
    found = np.interp(dof, grid, t / np.sqrt(grid - 1 + t**2))
    return np.where(np.isfinite(dof), found, np.nan).astype(np.float32)


def split_halves(keep: Keep, t_r: float | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Choose the kept frames of the first and of the second half, 20 s apart.

    Parameters
    ----------
    keep
        Frames that stay, shape (frames,).
    t_r
        Repetition time [s]; None leaves two frames between the halves.

    Returns
    -------
    two ndarrays of bool, shape (kept,)
    """
    times = np.flatnonzero(keep) * (t_r or BETWEEN / 2)
    middle = np.median(times)
    return times < middle - BETWEEN / 2, times > middle + BETWEEN / 2


def half_variance(dof: Array, se_ratio: Array | float, shares: tuple[float, float]) -> Array:
    """Return the variance of the difference of `fisherz` in two parts of a run.

    Parameters
    ----------
    dof
        Effective degrees of freedom of the whole run, any shape.
    se_ratio
        Standard error over that of no correlation, broadcast against ``dof``.
    shares
        Shares of the kept frames that lie in each part.

    Returns
    -------
    ndarray, shape of dof
        NaN where a part has no more than 4 degrees of freedom.
    """
    variance = np.zeros(dof.shape)
    for share in shares:
        left = dof * share
        variance += se_ratio**2 / np.where(left > FEWEST_DOF, left - 2, np.nan)
    return variance


def time_error(first: Array, second: Array, variance: Array) -> Array:
    """Return the root mean square difference of two maps in standard errors, over the last axis.

    1 if the standard errors are right and the run is alike throughout: no model of the noise is
    needed to see that.

    Parameters
    ----------
    first, second
        `fisherz` in the two parts of a run, shape (..., samples).
    variance
        Variance of their difference: see `half_variance`. NaN is left out.
    """
    squares = (first - second) ** 2 / variance
    known = np.isfinite(squares)
    count = np.count_nonzero(known, axis=-1)
    total = np.where(known, squares, 0.0).sum(axis=-1)
    return np.sqrt(total / np.where(count, count, np.nan))


@dataclass(frozen=True, eq=False)
class Judged:
    """A map in whose standard errors others are judged.

    Attributes
    ----------
    values : ndarray of float32, shape (samples,)
        The map: Fisher transforms, or a contrast of them over people.
    se : ndarray of float32, shape (samples,)
        Its standard error.
    critical : ndarray of float32, shape (samples,)
        The size from which on a value is significant; NaN or infinite where it never is.
    counted : ndarray of bool, shape (samples,)
        Samples that are summed up: away from the seeds.
    """

    values: NDArray[np.float32]
    se: NDArray[np.float32]
    critical: NDArray[np.float32]
    counted: NDArray[np.bool_]

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Which samples are significant in the map itself, shape (samples,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(self.values) >= self.critical)

    def part(self, part: slice) -> "Judged":
        """Return some of the samples."""
        return Judged(self.values[part], self.se[part], self.critical[part], self.counted[part])


@dataclass(frozen=True, eq=False)
class Sums:
    """What of maps (K,) is added up over samples, for their likeness to the map they are judged by.

    Attributes
    ----------
    products : ndarray, shape (6, K)
        Number of samples, sums of the map, of the other, of their squares and of their product.
    passed : ndarray, shape (3, K)
        Significant samples of the map, of the other, and of both with one sign.
    """

    products: Array
    passed: Array

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.products + other.products, self.passed + other.passed)

    @property
    def map_r(self) -> Array:
        """Correlation over samples of each map with the map it is judged by, shape (K,)."""
        count, x, y, xx, yy, xy = self.products
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt((xx - x * x / count) * (yy - y * y / count))
            return (xy - x * y / count) / spread

    @property
    def dice(self) -> Array:
        """Overlap of what is significant, 2 both / (one + other), shape (K,); NaN without any."""
        own, other, both = self.passed
        return 2 * both / np.where(own + other > 0, own + other, np.nan)


@dataclass(frozen=True, eq=False)
class Differing:
    """How maps differ from sample to sample; all of shape (samples,) of a block.

    Attributes
    ----------
    survival : ndarray of float32
        Share of the maps in which a sample is significant with the sign of the map judged by.
    error : ndarray of float32
        Standard deviation over the maps, in standard errors of the map judged by.
    sums : Sums
        What is added up over blocks.
    """

    survival: NDArray[np.float32]
    error: NDArray[np.float32]
    sums: Sums

    @classmethod
    def joined(cls, parts: Sequence["Differing | None"]) -> "Differing | None":
        """Put blocks together, in their order; None where there are none."""
        known = [part for part in parts if part is not None]
        if not known:
            return None
        sums = known[0].sums
        for part in known[1:]:
            sums = sums + part.sums
        survival, error = (
            np.concatenate([getattr(part, name) for part in known])
            for name in ("survival", "error")
        )
        return cls(survival, error, sums)


def differing(maps: NDArray[np.float32], judged: Judged) -> Differing:
    """Judge maps of several seeds by one map.

    Parameters
    ----------
    maps
        In the unit of the map judged by, shape (K, samples), K at least 2.
    judged
        The map in whose standard errors they are judged, of the same samples.
    """
    own = np.sign(judged.values)
    with np.errstate(invalid="ignore"):
        passed = maps * own >= judged.critical
        significant = np.abs(maps) >= judged.critical
        error = maps.std(axis=0, ddof=1) / judged.se
    survival = passed.mean(axis=0, dtype=np.float32)
    survival[np.isnan(judged.values)] = np.nan
    counted = judged.counted & np.isfinite(judged.values)
    original = judged.significant & counted
    return Differing(
        survival,
        error.astype(np.float32),
        Sums(
            _products(
                maps[:, counted].astype(np.float64), judged.values[counted].astype(np.float64)
            ),
            np.stack(
                [
                    np.full(len(maps), np.count_nonzero(original)),
                    (significant & counted).sum(axis=1),
                    (passed & original).sum(axis=1),
                ]
            ).astype(np.float64),
        ),
    )


def _products(maps: Array, own: Array) -> Array:
    """Add up what correlations over samples need: maps (K, samples), own (samples,)."""
    ones = np.ones(len(maps))
    return np.stack(
        [
            ones * own.size,
            ones * own.sum(),
            maps.sum(axis=1),
            ones * (own @ own),
            np.einsum("ks,ks->k", maps, maps),
            maps @ own,
        ]
    )
