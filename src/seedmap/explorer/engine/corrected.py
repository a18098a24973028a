"""Which t chance alone reaches somewhere in a map: by shuffling people, as the group step does."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap.group import Question, Shuffles
from seedmap.group.loading import Loaded
from seedmap.group.model import Contrast
from seedmap.group.tested import prepare_contrast
from seedmap.shuffle import found, plan_shuffles, shuffle

__all__ = ["LEVEL", "CorrectedLine", "corrected_line", "line_at"]

LEVEL = 0.05
# Shuffles: at least, at most, and for each map that was looked at, so that .05 / looks can be reached.
FEWEST, MOST, A_LOOK = 1000, 10_000, 20


@dataclass(frozen=True, eq=False)
class CorrectedLine:
    """Thresholds of one map, corrected for all its samples.

    Attributes
    ----------
    kind : str
        What they are of: ``"t"``, ``"f"``, or ``"z"`` where the degrees of freedom differ between
        samples.
    alone : float or None
        Size that is reached in 5 % of shuffles of this map; None where there are too few shuffles.
    of_looks : float or None
        The same for .05 divided by the number of maps that were looked at.
    maxima : ndarray, shape (shuffles,)
        The largest size of each shuffle, the data as they are first.
    samples : int
        Samples that are tested together.
    """

    kind: str
    alone: float | None
    of_looks: float | None
    maxima: NDArray[np.float64]
    samples: int


def corrected_line(
    loaded: Loaded,
    contrast: Contrast,
    question: Question,
    *,
    looks: int,
    n_jobs: int = 1,
) -> CorrectedLine:
    """Shuffle people, and return which sizes of a map chance alone reaches.

    Parameters
    ----------
    loaded
        People's Fisher transforms, and which samples are near the seed: these are left out where the
        contrast has the mean in it.
    contrast, question
        What is tested, and how.
    looks
        How many maps were looked at.
    n_jobs
        Threads.

    Raises
    ------
    OptionError
        If there are too few people, or nothing can be tested.
    """
    number = int(np.clip(A_LOOK * looks, FEWEST, MOST))
    asked = replace(question, inference=Shuffles(number=number, tfce=False, cluster_p=None))
    plan = plan_shuffles(contrast.tested, number)
    prepared = prepare_contrast(contrast, plan, loaded, asked, None)
    assert prepared.test is not None
    null = found(prepared.test, shuffle(prepared.test, None, n_jobs)).maxima["score"][:, 0]
    kind = prepared.test.statistic.scores.kind
    if kind == "root F":
        kind, null = "f", null**2
    return CorrectedLine(
        kind=kind,
        alone=line_at(null, LEVEL),
        of_looks=line_at(null, LEVEL / max(1, looks)),
        maxima=null,
        samples=int(prepared.family.sum()),
    )


def line_at(maxima: NDArray[np.float64], level: float) -> float | None:
    """Return the size beyond which a corrected p is at most ``level``.

    Parameters
    ----------
    maxima
        Of each shuffle, the data as they are first.
    level
        Of the p that counts, (1 + others at or above) / shuffles.

    Returns
    -------
    float or None
        None where not even the largest size has such a p.

    Examples
    --------
    >>> line_at(np.array([9.0, *range(1, 20)]), 0.05), line_at(np.array([9.0, 1.0]), 0.05)
    (19.0, None)
    """
    above = int(np.floor(level * maxima.size + 1e-9)) - 1
    if above < 0:
        return None
    return float(np.sort(maxima[1:])[::-1][above])
