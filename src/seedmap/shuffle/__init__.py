"""Tests by shuffling people: permutations and sign flips as rows of a matrix product.

Knows arrays only. A test is put together from a design and a contrast (`split_design`), the shuffles
(`plan_shuffles`), a statistic, and the graph of the samples where clusters are wanted:

>>> import numpy as np
>>> maps = np.random.default_rng(0).normal(size=(12, 500)) + 0.2
>>> mean = split_design(np.ones((12, 1)), [1])
>>> plan = plan_shuffles(mean, 500)
>>> statistic = pooled(maps, mean, plan, Scores(np.full(500, float(mean.dof))))
>>> test = Shuffling(statistic, plan)
>>> bool(np.nanmin(found(test, shuffle(test)).p_fwe) > 0.05)
True
"""

from seedmap._linear import SplitDesign, split_design
from seedmap.shuffle.clusters import Beyond, Clusters, beyond, cluster_maxima, find_clusters
from seedmap.shuffle.draws import Moves, Plan, plan_shuffles
from seedmap.shuffle.graph import Graph
from seedmap.shuffle.nulls import corrected_p, pareto_p
from seedmap.shuffle.passes import (
    Null,
    Shuffling,
    join,
    observed_clusters,
    observed_r,
    piece_size,
    shuffle,
)
from seedmap.shuffle.results import Found, found
from seedmap.shuffle.rows import Pooled, Robust, Skewed, Statistic, Weighted, pooled
from seedmap.shuffle.scores import Scores
from seedmap.shuffle.tfce import check_tfce, tfce, tfce_maxima

__all__ = [
    "Beyond",
    "Clusters",
    "Found",
    "Graph",
    "Moves",
    "Null",
    "Plan",
    "Pooled",
    "Robust",
    "Scores",
    "Shuffling",
    "Skewed",
    "SplitDesign",
    "Statistic",
    "Weighted",
    "beyond",
    "check_tfce",
    "cluster_maxima",
    "corrected_p",
    "find_clusters",
    "found",
    "join",
    "observed_clusters",
    "observed_r",
    "pareto_p",
    "piece_size",
    "plan_shuffles",
    "pooled",
    "shuffle",
    "split_design",
    "tfce",
    "tfce_maxima",
]
