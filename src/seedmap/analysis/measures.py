"""The measures that a map can hold, and how each is gathered while the run is cleaned.

The correlation of each seed with each sample is always there. Partial and semipartial correlation
and multiple regression follow from it and from the seeds' resemblance to each other; the
correlation of ranks and the correlation at a delay need the cleaned series, of which only one
block of samples exists at a time.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.options import Measure
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
from seedmap.connectivity.correlation import OnBlock
from seedmap.errors import OptionError
from seedmap.images import PageKeeper
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = [
    "JOINT",
    "Gathered",
    "Glance",
    "Measured",
    "frames_of_lag",
    "gram_of",
    "in_turn",
    "listen",
    "measured",
]

# Measures of what a seed adds to the other seeds.
JOINT = ("partial", "semipartial", "regression")


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
        How the seeds resemble each other, where they are taken together.
    """

    r: NDArray[np.float32]
    extra: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    tested: NDArray[np.float32] | None = None
    gram: SeedGram | None = None


@dataclass(frozen=True, eq=False)
class Gathered:
    """Maps that are filled block by block, shape (seeds, samples); ``lag`` [s] if there is one."""

    r: NDArray[np.float32]
    lag: NDArray[np.float32] | None = None


def frames_of_lag(max_lag: float, t_r: float | None) -> int:
    """Turn the longest lag [s] into frames.

    Raises
    ------
    OptionError
        If there is no repetition time, or the lag is shorter than a frame.
    """
    if t_r is None:
        msg = "measure='lagged' needs the repetition time; give t_r (--t-r) in seconds"
        raise OptionError(msg)
    if not (np.isfinite(max_lag) and max_lag >= t_r):
        msg = (
            f"max_lag={max_lag:g} s is shorter than one frame ({t_r:g} s); give a longer --max-lag"
        )
        raise OptionError(msg)
    return int(max_lag / t_r + 1e-9)


def listen(
    measure: Measure, operator: CleaningOperator, raw_seeds: Array, reference: Array, max_lag: float
) -> tuple[Gathered, OnBlock] | None:
    """Return empty maps and what fills them block by block, if the measure needs cleaned series.

    ``max_lag`` is in frames here, and lags come out in frames.
    """
    if measure not in ("spearman", "lagged"):
        return None
    shape = (raw_seeds.shape[1], reference.size)
    cleaner = BlockCleaner(operator.on_kept, reference)
    seeds = cleaner.clean_seeds(raw_seeds)
    r = np.empty(shape, dtype=np.float32)
    if measure == "spearman":

        def rank(part: slice, raw: NDArray[np.float32]) -> None:
            r[:, part] = spearman(cleaner.clean(part, raw), seeds)

        return Gathered(r), rank
    lag = np.empty(shape, dtype=np.float32)

    def shift(part: slice, raw: NDArray[np.float32]) -> None:
        found = peak(lagged(cleaner.clean(part, raw), seeds, operator.keep, int(max_lag)), 1.0)
        r[:, part], lag[:, part] = found.r, found.lag

    return Gathered(r, lag), shift


class Glance:
    """Keeps the uncleaned series of a few samples, spread over all, while blocks go by.

    Taking them from the whole series afterwards would touch every page of a file that holds it.
    """

    def __init__(self, series: NDArray[np.float32], most: int) -> None:
        spread = np.linspace(0, series.shape[1] - 1, most).astype(np.int64)
        # np.unique would do, but loads a part of NumPy that takes long to load.
        self.columns = spread[np.diff(spread, prepend=-1) > 0]
        self.series = np.empty((series.shape[0], self.columns.size), dtype=series.dtype)
        self._keeper = PageKeeper(series)

    def __call__(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Take what a block holds of the few; ``raw`` is the block's series (kept, block)."""
        inside = (self.columns >= part.start) & (self.columns < part.stop)
        self.series[:, inside] = raw[:, self.columns[inside] - part.start]
        self._keeper.used(raw.nbytes)


def in_turn(*listeners: OnBlock | None) -> OnBlock | None:
    """Call each listener with every block."""
    present = [one for one in listeners if one is not None]
    if not present:
        return None

    def on_block(part: slice, raw: NDArray[np.float32]) -> None:
        for one in present:
            one(part, raw)

    return on_block


def measured(
    measure: Measure,
    found: Correlations,
    gram: SeedGram | None,
    gathered: Gathered | None,
    frames: int,
) -> Measured:
    """Turn correlations, whose unusable samples are NaN, into the maps of a measure."""
    if gathered is not None:
        gathered.r[np.isnan(found.r)] = np.nan
        if gathered.lag is None:
            return Measured(gathered.r)
        gathered.lag[np.isnan(found.r)] = np.nan
        return Measured(gathered.r, {"lag": gathered.lag})
    if gram is None:
        return Measured(found.r)
    whole = partial(gram, found.r).astype(np.float32)
    if measure == "partial":
        return Measured(whole, gram=gram)
    if measure == "semipartial":
        return Measured(semipartial(gram, found.r).astype(np.float32), tested=whole, gram=gram)
    beta = regression(gram, found.r)
    b = in_data_units(gram, beta, found.spread.astype(np.float64) / np.sqrt(frames - 1))
    return Measured(whole, {"beta": beta.astype(np.float32), "b": b.astype(np.float32)}, gram=gram)


def gram_of(measure: Measure, cleaned_seeds: Array, names: tuple[str, ...]) -> SeedGram | None:
    """Compare the cleaned seeds (kept, seeds) with each other where the measure needs it.

    Raises
    ------
    SeedError
        If seeds are sums of each other, by name.
    """
    return seed_gram(cleaned_seeds, names) if measure in JOINT else None
