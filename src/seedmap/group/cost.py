"""About how long a test takes, and what memory: from the size of one map."""

import numpy as np

from seedmap.group.loading import load_people
from seedmap.group.plan import GroupPlan
from seedmap.parallel import core_count
from seedmap.report.words import rough_time

__all__ = ["cost_of", "seconds_a_shuffle"]

# Seconds, on one core: of a product a person and sample, and of clusters and TFCE a sample.
PRODUCT, CLUSTERS, TFCE = 6e-11, 8e-9, 8e-8
# Beside the maps, the libraries included, numba among them [bytes].
BESIDE = 320e6


def seconds_a_shuffle(samples: int, terms: int, *, clusters: bool, tfce: bool) -> float:
    """Return about how long one core takes for a shuffle.

    Parameters
    ----------
    samples
        Of a map.
    terms
        Products added up for a sample: people times rows.
    clusters, tfce
        What is wanted.
    """
    return samples * (terms * PRODUCT + clusters * CLUSTERS + tfce * TFCE)


def cost_of(plan: GroupPlan) -> str:
    """Say about how long the shuffles take on this machine, and the memory at most."""
    first = load_people(plan.members[:1], {})
    samples, people = first.maps.shape[1], len(plan.members)
    seconds = 0.0
    for contrast, shuffles in zip(plan.contrasts, plan.plans, strict=True):
        inference = plan.question.inference
        if shuffles is None or inference is None:
            continue
        rows = 1 + contrast.tested.null.shape[1]
        clusters = inference.cluster_p is not None
        each = seconds_a_shuffle(samples, people * rows, clusters=clusters, tfce=inference.tfce)
        seconds += shuffles.total * each
    seconds /= core_count()
    memory = 4 * samples * people + BESIDE
    fewest = int(np.ceil(plan.question.min_participants * people))
    return (
        f"about {rough_time(seconds)} of shuffles over {samples:,} samples, at most {memory / 1e6:.0f} MB; "
        f"tested where {fewest} people or more have a value"
    )
