"""What the study's page shows of a run and strategy: facts of all calls, gathered."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seedmap.analysis import SeedMaps
from seedmap.participants.qc import probe

__all__ = ["finite_or_none", "map_facts", "merged"]

Facts = dict[str, Any]


def map_facts(maps: SeedMaps) -> Facts:
    """Collect what maps show of their run; what is one a seed stands under the seed's name."""
    source, dof = maps.provenance, {}
    if maps.certainty is not None:
        for seed in maps.seeds:
            values = maps.values(seed, "dof")
            finite = values[np.isfinite(values)]
            dof[seed] = round(float(np.median(finite)), 1) if finite.size else None
    return {
        "frames": int(source.keep.size),
        "kept": source.kept,
        "t_r": source.t_r,
        "mean_fd": None,
        "confounds": len(source.confounds),
        "rank": source.rank,
        "coverage": {facts.name: finite_or_none(facts.coverage) for facts in source.seeds},
        "dof": dof,
        "probes": probe(maps),
        "centers": {facts.name: facts.center for facts in source.seeds},
    }


def merged(earlier: Iterable[Facts], now: Iterable[Facts]) -> list[Facts]:
    """Put the facts of two calls together, run by run and strategy by strategy.

    Of a seed that both have, the later count; what only one knows is kept.
    """
    found: dict[tuple[str, str], Facts] = {}
    for facts in (*earlier, *now):
        before = found.get((facts["run"], facts["strategy"]), {})
        found[facts["run"], facts["strategy"]] = {**before, **dict(_updated(before, facts))}
    return list(found.values())


def _updated(before: Mapping[str, Any], facts: Facts) -> Iterable[tuple[str, Any]]:
    for key, value in facts.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            yield key, {**old, **value}
        elif value is not None or key not in before:
            yield key, value


def finite_or_none(value: float) -> float | None:
    """Return a number to four places, None for NaN, as JSON keeps it."""
    return round(float(value), 4) if np.isfinite(value) else None
