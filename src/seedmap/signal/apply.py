"""Applying a planned cleaning to series, block by block and in place."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity.correlation import in_blocks
from seedmap.signal.percent import to_percent
from seedmap.signal.plan import CleaningPlan, RunCleaning

__all__ = ["apply_plan"]

# What is left of a series below this many roundings of its size before is rounding itself.
ROUNDINGS = 16
# A cleaning whose gain for constants is below this, or varies less, has none, or an even one.
NO_GAIN = 1e-9


def apply_plan(plan: CleaningPlan, series: Array, reference: Array, n_jobs: int = 1) -> Array:
    """Clean a series in place, block by block.

    Parameters
    ----------
    plan
        From `plan_cleaning`.
    series
        float32 or float64, shape (frames, samples), less ``reference``. Overwritten.
    reference
        What was subtracted from each sample, shape (samples,).
    n_jobs
        Threads that may be busy at once.

    Returns
    -------
    ndarray, shape (kept, samples)
        The first rows of ``series``, cleaned, with what was subtracted put back where the
        cleaning leaves it. A sample with NaN is NaN.
    """
    ready = [_Ready.of(run, series.dtype) for run in plan.runs]
    ends = np.cumsum([run.frames.size for run in plan.runs]).tolist()
    places = [slice(end - run.frames.size, end) for end, run in zip(ends, plan.runs, strict=True)]
    means = [np.empty((3, series.shape[1])) for _ in plan.runs]

    def one_block(part: slice) -> None:
        # All runs of a block are read before any is written: rows move up where frames go.
        raw = [series[run.rows, part] for run in ready]
        for run, mean, values in zip(ready, means, raw, strict=True):
            if run.standardize == "psc":
                mean[:, part] = run.means(values, reference[part])
        done = [run.clean(values, reference[part]) for run, values in zip(ready, raw, strict=True)]
        for place, cleaned in zip(places, done, strict=True):
            series[place, part] = cleaned

    in_blocks(one_block, series.shape[1], n_jobs)
    for run, place, mean in zip(ready, places, means, strict=True):
        if run.standardize == "psc":
            to_percent(series[place], *mean)
    return series[: plan.frames_out]


@dataclass(frozen=True, eq=False)
class _Ready:
    """One run's cleaning in the type of the data.

    Attributes
    ----------
    rows : slice or ndarray of int
        The frames that are read.
    standardize : str or None
        As in the plan.
    operator : ndarray or None
        The linear part; it centres, too, where standardising follows.
    to_means : ndarray of float64, shape (2, kept)
        Weights of the mean after and before the linear part.
    gain : float
        What the linear part makes of a constant, averaged over time.
    uneven : ndarray or None
        What it makes of a constant less that average; None where that is nothing.
    """

    rows: slice | NDArray[np.int64]
    standardize: str | None
    operator: Array | None
    to_means: Array
    gain: float
    uneven: Array | None

    @classmethod
    def of(cls, run: RunCleaning, dtype: np.dtype[Any]) -> "_Ready":
        kept, operator, uneven = run.frames.size, run.operator, None
        after = np.full(kept, 1 / kept)
        if operator is not None:
            after = operator.mean(axis=0)
            of_constant = operator.sum(axis=1)
            uneven = of_constant - of_constant.mean()
            uneven = uneven.astype(dtype) if np.abs(uneven).max() > NO_GAIN else None
            operator = np.asarray(operator - after if run.standardize else operator, dtype=dtype)
        to_means = np.stack([after, run.mean])
        return cls(
            _as_slice(run.frames), run.standardize, operator, to_means, float(after.sum()), uneven
        )

    def means(self, raw: Array, reference: Array) -> Array:
        """Return each sample's mean after and before the linear part, and its size, shape (3, samples)."""
        means = self.to_means @ raw + np.outer(self.to_means.sum(axis=1), reference)
        return np.vstack([means, np.abs(reference) + np.abs(raw).max(axis=0)])

    def clean(self, raw: Array, reference: Array) -> Array:
        """Clean a block (kept, samples); percents are centred only."""
        with np.errstate(invalid="ignore"):
            cleaned = self._linear(raw)
            if self.uneven is not None:
                cleaned += np.outer(self.uneven, reference.astype(raw.dtype))
            if self.standardize == "zscore_sample":
                cleaned /= _spread(cleaned, raw)
            elif self.standardize is None and abs(self.gain) > NO_GAIN:
                cleaned += (self.gain * reference).astype(raw.dtype)
        return cleaned

    def _linear(self, raw: Array) -> Array:
        if self.operator is not None:
            return self.operator @ raw
        if self.standardize is None:
            return raw.copy()
        return np.subtract(
            raw, raw.mean(axis=0, dtype=np.float64), dtype=raw.dtype, casting="unsafe"
        )


def _as_slice(frames: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return consecutive frames as a slice, which is read without a copy."""
    first = int(frames[0])
    consecutive = np.array_equal(frames, np.arange(first, first + frames.size))
    return slice(first, first + frames.size) if consecutive else frames


def _spread(centred: Array, raw: Array) -> Array:
    """Return the standard deviation (ddof=1) of centred series; 1 where only rounding is left."""
    left = np.einsum("ij,ij->j", centred, centred)
    size = np.einsum("ij,ij->j", raw, raw)
    nothing = left <= (ROUNDINGS * np.finfo(raw.dtype).eps) ** 2 * size
    spread = np.sqrt(left / (len(centred) - 1))
    spread[nothing] = 1.0
    return spread
