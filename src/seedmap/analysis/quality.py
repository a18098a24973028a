"""How good a run is: a few samples before and after cleaning, motion, and why frames are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.measures import SampledSeries
from seedmap.analysis.prepare import Prepared
from seedmap.spatial import Extracted

__all__ = ["Quality", "quality_of"]

# Samples whose series are kept before and after cleaning.
SHOWN = 300


@dataclass(frozen=True, eq=False)
class Quality:
    """What a reader may judge a run and its cleaning by.

    Attributes
    ----------
    samples : ndarray of int, shape (few,)
        A few samples, spread over all, in their order.
    before, after : ndarray of float64, shape (kept, few)
        Their series before cleaning, and after.
    motion : mapping of str to ndarray of float64, shape (frames,)
        ``framewise_displacement`` [mm] and ``std_dvars``, those that the table of confounds has;
        NaN where there is none, as in the first frame.
    reasons : mapping of str to str
        Why each confound was taken, by its name; empty where no strategy chose.
    censored : mapping of str to tuple of int
        The frames that are left out, by reason; a frame may have several.
    fd_threshold : float or None
        The displacement above which a strategy leaves frames out [mm].
    """

    samples: NDArray[np.int64]
    before: Array
    after: Array
    motion: Mapping[str, Array] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    censored: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    fd_threshold: float | None = None


def quality_of(prepared: Prepared, extracted: Extracted, sampled: SampledSeries) -> Quality:
    """Collect it of a run whose samples went by."""
    usable = np.flatnonzero(~extracted.unusable[sampled.columns])
    few = usable[np.linspace(0, usable.size - 1, min(SHOWN, usable.size)).astype(np.int64)]
    samples = sampled.columns[few]
    before = sampled.series[:, few].astype(np.float64) + extracted.reference[samples]
    chosen, dropped = prepared.chosen, np.flatnonzero(~prepared.keep)
    censored = {} if chosen is None else dict(chosen.censored)
    known = {frame for frames in censored.values() for frame in frames}
    if rest := tuple(frame for frame in dropped.tolist() if frame not in known):
        censored["sample_mask"] = rest
    rules = None if chosen is None else chosen.strategy.scrubbing
    return Quality(
        samples,
        before,
        prepared.operator.on_kept @ before,
        motion=prepared.motion,
        reasons={} if chosen is None else {one.name: one.why for one in chosen.columns},
        censored=censored,
        fd_threshold=(rules.fd_threshold or None) if rules else None,
    )
