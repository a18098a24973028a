"""How motion shows in connectivity (QC-FC): what is kept of each run, and what a study makes of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis import SeedMaps
from seedmap.images import Grid, Space
from seedmap.participants.ledger import Entry
from seedmap.participants.recipe import Recipe
from seedmap.report.study import MotionEffect, motion_effect

__all__ = ["lattice", "motion_effects", "or_nan", "probe"]

# Seeds whose connectivity is kept for the study's page, and the lattice it is kept at [mm].
MOST_PROBED, STEP = 20, 20.0
LATTICE = ((-60, 60), (-100, 60), (-40, 80))


def lattice() -> Array:
    """Return the points [mm] at which connectivity is kept for the study's page, (points, 3)."""
    axes = [np.arange(low, high + 1, STEP) for low, high in LATTICE]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def probe(maps: SeedMaps) -> dict[str, list[float | None]]:
    """Read Fisher transforms at the lattice, None outside the mask or where r is not known.

    On surfaces and among grayordinates a point's value is that of the nearest place, unless that
    is farther away than half a step of the lattice.
    """
    at = _at_lattice(maps.space)
    found = {}
    for seed, values in zip(maps.seeds[:MOST_PROBED], maps.fisherz[:MOST_PROBED], strict=True):
        z = np.where(at >= 0, values[at], np.nan)
        found[seed] = [round(float(v), 4) if np.isfinite(v) else None for v in z]
    return found


def _at_lattice(space: Space) -> NDArray[np.int64]:
    """Find the sample at each point of the lattice, (points,); -1 where there is none."""
    points = lattice()
    if isinstance(space, Grid):
        voxels = space.canonical.nearest(points)
        inside: NDArray[np.bool_] = np.all((voxels >= 0) & (voxels < space.shape), axis=1)
        order = np.full(space.shape, -1, dtype=np.int64)
        order[space.mask] = np.arange(space.n_samples)
        x, y, z_index = np.where(inside[:, None], voxels, 0).T
        return np.where(inside, order[x, y, z_index], -1)
    from scipy.spatial import KDTree

    places = space.coordinates()
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    if not known.size:
        return np.full(len(points), -1)
    away, nearest = KDTree(places[known]).query(points)
    return np.where(away <= STEP / 2, known[nearest], -1)


def motion_effects(recipe: Recipe, entries: Sequence[Entry]) -> Iterator[MotionEffect]:
    """Work out how motion shows in the connectivity, strategy by strategy."""
    places = lattice()
    for strategy in recipe.strategies:
        people = [
            runs
            for entry in entries
            if (runs := [r for r in entry.facts.get("runs", []) if r["strategy"] == strategy.name])
        ]
        seeds = sorted(set.intersection(*(set(_probes(runs)) for runs in people))) if people else []
        if not seeds:
            continue
        motion = np.array([np.mean([or_nan(run["mean_fd"]) for run in runs]) for runs in people])
        joined = np.array([np.concatenate([_probes(runs)[s] for s in seeds]) for runs in people])
        distance = np.concatenate(
            [np.linalg.norm(places - _center(people[0], seed), axis=1) for seed in seeds]
        )
        effect = motion_effect(strategy.name, motion, joined, distance)
        if effect is not None:
            yield effect


def _probes(runs: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Average a participant's runs at the lattice, by seed."""
    seeds = set.intersection(*(set(run["probes"]) for run in runs))
    return {
        seed: np.mean([[or_nan(v) for v in run["probes"][seed]] for run in runs], axis=0)
        for seed in seeds
    }


def _center(runs: Sequence[Mapping[str, Any]], seed: str) -> Array:
    center = runs[0]["centers"].get(seed)
    return np.full(3, np.nan) if center is None else np.array(center, dtype=np.float64)


def or_nan(value: float | None) -> float:
    """Return a number as JSON keeps it, NaN for None."""
    return float("nan") if value is None else float(value)
