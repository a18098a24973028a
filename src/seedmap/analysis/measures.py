"""The measures that a map can hold, and how each is worked out while the run is cleaned.

The correlation of each seed with each sample is always there. Partial and semipartial correlation
and multiple regression follow from it and from the seeds' correlations with each other; the
correlation of ranks and the correlation at a delay need the cleaned series, of which only one
block of samples exists at a time.

A measure has three verbs: ``begin`` takes the seeds, ``block`` takes each block of samples, in any
order and from several threads, and ``end`` gives the maps. A new measure is one more class here,
a row of `seedmap.images.MEASURE_KINDS` and a name in `seedmap.analysis.options.Measure`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.options import Method
from seedmap.connectivity import (
    Correlations,
    SeedGram,
    in_data_units,
    lagged,
    partial,
    peak,
    regression,
    seed_gram,
    semipartial,
    spearman,
)
from seedmap.images import PageKeeper
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = ["Measured", "Measuring", "SampledSeries", "measure_of"]


@dataclass(frozen=True, eq=False)
class Measured:
    """The maps of a measure.

    Attributes
    ----------
    r : ndarray of float32, shape (seeds, samples)
        The correlation that the measure gives.
    extra : dict of str to ndarray of float32, shape (seeds, samples)
        Its other maps: ``beta`` and ``b`` of a regression, ``lag`` [s] of a lagged correlation.
    tested : ndarray of float32, shape (seeds, samples), or None
        The correlation that z and p belong to, where it is not ``r``.
    gram : SeedGram or None
        How the seeds correlate with each other, where they are taken together.
    """

    r: NDArray[np.float32]
    extra: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    tested: NDArray[np.float32] | None = None
    gram: SeedGram | None = None


class Measuring(Protocol):
    """A measure at work on one run."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Take the uncleaned seeds (kept, seeds), and what was subtracted from each sample."""

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Take the uncleaned series (kept, block) of some samples."""

    def end(self, found: Correlations) -> Measured:
        """Turn Pearson's correlations, NaN where samples are unusable, into the maps."""


def measure_of(
    method: Method, operator: CleaningOperator, seeds: Sequence[str], t_r: float | None
) -> Measuring:
    """Return the measure that a method names, for seeds of these names."""
    match method.measure:
        case "spearman":
            return Ranks(operator)
        case "lagged":
            return AtDelays(operator, method.frames_of_lag(t_r), t_r or 1.0)
        case "correlation":
            return Pearson()
        case _:
            return Joint(method.measure, operator, tuple(seeds))


class Pearson:
    """Pearson's correlation, which is there already."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Nothing is needed of the seeds."""

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Nothing is needed of the samples."""

    def end(self, found: Correlations) -> Measured:
        """Give the correlations as they are."""
        return Measured(found.r)


class Joint(Pearson):
    """Partial and semipartial correlation and regression: what a seed adds to the other seeds."""

    def __init__(self, measure: str, operator: CleaningOperator, seeds: tuple[str, ...]) -> None:
        self._measure, self._operator, self._seeds = measure, operator, seeds

    def begin(self, raw_seeds: Array, reference: Array) -> None:  # noqa: ARG002  as `Measuring`
        """Correlate the cleaned seeds with each other.

        Raises
        ------
        SeedError
            If seeds are sums of each other, by name.
        """
        self._gram = seed_gram(self._operator.on_kept @ raw_seeds, self._seeds)

    def end(self, found: Correlations) -> Measured:
        """Work the maps out from the correlations with each seed and between the seeds."""
        gram = self._gram
        whole = partial(gram, found.r).astype(np.float32)
        if self._measure == "partial":
            return Measured(whole, gram=gram)
        if self._measure == "semipartial":
            return Measured(semipartial(gram, found.r).astype(np.float32), tested=whole, gram=gram)
        beta = regression(gram, found.r)
        spread = found.spread.astype(np.float64) / np.sqrt(len(self._operator.L) - 1)
        b = in_data_units(gram, beta, spread)
        extra = {"beta": beta.astype(np.float32), "b": b.astype(np.float32)}
        return Measured(whole, extra, gram=gram)


class Ranks:
    """Spearman's correlation, of the cleaned series' ranks."""

    def __init__(self, operator: CleaningOperator) -> None:
        self._operator = operator

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Clean the seeds."""
        self._cleaner = BlockCleaner(self._operator.on_kept, reference)
        self._seeds = self._cleaner.clean_seeds(raw_seeds)
        self._r = np.empty((raw_seeds.shape[1], reference.size), dtype=np.float32)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Correlate the ranks of a block."""
        self._r[:, part] = spearman(self._cleaner.clean(part, raw), self._seeds)

    def end(self, found: Correlations) -> Measured:
        """Give the maps."""
        self._r[np.isnan(found.r)] = np.nan
        return Measured(self._r)


class AtDelays(Ranks):
    """The strongest correlation at delays of up to so many frames either way, and its delay."""

    def __init__(self, operator: CleaningOperator, frames: int, t_r: float) -> None:
        super().__init__(operator)
        self._frames, self._t_r = frames, t_r

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Clean the seeds."""
        super().begin(raw_seeds, reference)
        self._lag = np.empty_like(self._r)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Correlate a block at every delay."""
        cleaned = self._cleaner.clean(part, raw)
        found = peak(lagged(cleaned, self._seeds, self._operator.keep, self._frames), 1.0)
        self._r[:, part], self._lag[:, part] = found.r, found.lag

    def end(self, found: Correlations) -> Measured:
        """Give the maps, delays in seconds."""
        self._lag[np.isnan(found.r)] = np.nan
        self._lag *= self._t_r
        return Measured(super().end(found).r, {"lag": self._lag})


class SampledSeries:
    """Keeps the uncleaned series of a few samples, spread over all, while blocks go by.

    Taking them from the whole series afterwards would touch every page of a file that holds it.
    """

    def __init__(self, series: NDArray[np.float32], most: int) -> None:
        spread = np.linspace(0, series.shape[1] - 1, most).astype(np.int64)
        # np.unique would do, but loads a part of NumPy that takes long to load.
        self.columns = spread[np.diff(spread, prepend=-1) > 0]
        self.series = np.empty((series.shape[0], self.columns.size), dtype=series.dtype)
        self._keeper = PageKeeper(series)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Take what a block holds of the few; ``raw`` is the block's series (kept, block)."""
        inside = (self.columns >= part.start) & (self.columns < part.stop)
        self.series[:, inside] = raw[:, self.columns[inside] - part.start]
        self._keeper.used(raw.nbytes)
