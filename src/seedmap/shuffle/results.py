"""What a test found: corrected p of samples and clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.shuffle.clusters import Clusters
from seedmap.shuffle.nulls import corrected_p
from seedmap.shuffle.passes import Null, Shuffling, observed_clusters, observed_r
from seedmap.shuffle.tfce import tfce

__all__ = ["Found", "found"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """Results of a test; of shape (samples,), NaN where not tested, unless said otherwise.

    Attributes
    ----------
    score : ndarray
        What clusters and TFCE were formed of: t, the square root of F, or z (`Scores.kind`).
    p_shuffled : ndarray
        Uncorrected p by the shuffles.
    p_fwe : ndarray
        p corrected for all samples by the maximum of the statistic.
    tfce, p_tfce : ndarray or None
        TFCE with its sign, and its corrected p.
    clusters : Clusters or None
        Those of the score.
    p_extent, p_mass : ndarray or None
        Corrected p of the cluster that a sample lies in; 1 outside clusters.
    maxima : dict of str to ndarray, shape (shuffles, kinds)
        The nulls, the identity first, ``"score"`` in units of the score.
    """

    score: Floats
    p_shuffled: Floats
    p_fwe: Floats
    tfce: Floats | None
    p_tfce: Floats | None
    clusters: Clusters | None
    p_extent: Floats | None
    p_mass: Floats | None
    maxima: dict[str, Floats]


def found(test: Shuffling, null: Null, *, tail: bool = False, others: Sequence[Null] = ()) -> Found:
    """Turn the null of a test into corrected p.

    Parameters
    ----------
    test
        What was done.
    null
        All its shuffles.
    tail
        Whether p below .1 come from a generalised Pareto (never for extents).
    others
        Nulls of tests with the same shuffles that p are corrected over, too. Each maximum counts by
        its rank in its own null, so tests may have other units; the smallest rank of a shuffle is the
        joint null.
    """
    scores = test.statistic.scores
    r = observed_r(test)
    untested = ~scores.tested
    whole = slice(0, test.samples)
    score = _without(scores.of(r, scores.dof).astype(np.float64), untested)
    height = _without(test.height(np.abs(r), whole).astype(np.float64), untested)
    kinds = None if test.graph is None else test.graph.kinds
    enhanced = p_tfce = None
    if test.tfce and test.graph is not None:
        enhanced = _without(tfce(score, test.graph), untested)
        p_tfce = corrected_p(np.abs(enhanced), _joint(null, others, "tfce"), kinds, tail=tail)
    of_score = null.maxima["r"]
    in_units = of_score if scores.common is None else scores.of(of_score)
    clusters, p_extent, p_mass = _of_clusters(test, (null, *others), score, tail=tail)
    return Found(
        score,
        _without(null.reached / test.plan.total, untested),
        corrected_p(height, _joint(null, others, "r"), kinds, tail=tail),
        enhanced,
        p_tfce,
        clusters,
        p_extent,
        p_mass,
        {**null.maxima, "score": in_units.astype(np.float64)},
    )


def _of_clusters(
    test: Shuffling, nulls: Sequence[Null], score: Floats, *, tail: bool
) -> tuple[Clusters | None, Floats | None, Floats | None]:
    """Return the observed clusters and, for each sample, the p of its cluster."""
    clusters = observed_clusters(test)
    if clusters is None:
        return None, None, None
    maps = []
    for size, name in ((clusters.extent, "extent"), (clusters.mass, "mass")):
        maxima = _joint(nulls[0], nulls[1:], name)
        p = corrected_p(size, maxima, clusters.kind, tail=tail and name == "mass")
        values = np.where(np.isfinite(score), 1.0, np.nan)
        values[clusters.sample] = p[clusters.cluster]
        maps.append(values)
    return clusters, maps[0], maps[1]


def _joint(null: Null, others: Sequence[Null], name: str) -> Floats:
    """Return the maxima of a test and, as further kinds, those of others, shape (shuffles, kinds)."""
    return np.hstack([null.maxima[name], *(one.maxima[name] for one in others)])


def _without(values: Floats, untested: NDArray[np.bool_]) -> Floats:
    return np.where(untested, np.nan, values)
