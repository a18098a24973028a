"""How far the maps of a group move when the seed is another one, in standard errors over people.

The same virtual seeds are extracted from each person's stored runs, and each gives the contrast that
was tested: noise falls with the number of people, what the choice of the seed does stays.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array
from seedmap.analysis import KindOfChange, RobustnessSettings, filled
from seedmap.connectivity import BLOCK, Differing, Judged, agreement, differing, fisherz
from seedmap.errors import OptionError
from seedmap.group.maps import GroupMaps
from seedmap.group.people import Choice
from seedmap.group.pipeline import Group
from seedmap.group.stored import find_runs
from seedmap.images import Space
from seedmap.seeds import Virtual, near_each, parse_seed, place_seeds, virtual_seeds
from seedmap.spatial import SeedWeights
from seedmap.store import StoredRun, open_stored

__all__ = [
    "CRITICAL_P",
    "StoredSample",
    "open_runs",
    "sampled_of_all",
    "samples_of",
    "with_robustness",
]

# Two-sided and for one sample: what survives is significant at this level.
CRITICAL_P = 0.001


@dataclass(frozen=True, eq=False)
class StoredSample:
    """One stored run of a person.

    Attributes
    ----------
    stored : StoredRun
        The run.
    units : ndarray of float32, shape (coordinates, seeds)
        Some seeds.
    samples : ndarray of int, shape (samples of the group,)
        Where the group's samples lie in the run; -1 where it has none.
    weight : ndarray of float32, shape (samples of the group,)
        What the run counts among the person's.
    """

    stored: StoredRun
    units: NDArray[np.float32]
    samples: NDArray[np.int64]
    weight: NDArray[np.float32]

    def fisherz(self, part: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Return its weighted maps of all seeds, (seeds, some); NaN where it has no value."""
        r = self._correlations(self.units, part)
        found: NDArray[np.float32] = fisherz(np.clip(r, -1, 1)) * self.weight[part]
        found[:, self.weight[part] == 0] = 0
        return found

    def product(self, unit: Array) -> NDArray[np.float32]:
        """Return its weighted products with a series (coordinates,) at all samples of the group."""
        samples, one = self.samples.size, unit[:, None].astype(np.float32)
        found = np.empty(samples, dtype=np.float32)
        for start in range(0, samples, BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = self._correlations(one, part)[0] * self.weight[part]
        found[self.weight == 0] = 0
        return found

    def _correlations(
        self, units: NDArray[np.float32], part: slice | NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Multiply series (coordinates, seeds) with some samples; NaN where the run has none."""
        at = self.samples[part]
        there = at >= 0
        found = np.full((units.shape[1], at.size), np.nan, dtype=np.float32)
        rows = self.stored.packed("smooth").values(at[there]).astype(np.float32)
        found[:, there] = units.T @ rows.T
        return found


def with_robustness(
    group: Group,
    root: Path,
    choice: Choice,
    settings: RobustnessSettings = RobustnessSettings(),  # noqa: B008  frozen
    on_done: Callable[[int, int], object] | None = None,
) -> Group:
    """Add to a group how far its maps move with the place and the size of the seed.

    Parameters
    ----------
    group
        The result of maps from stored runs.
    root, choice
        Where the stored runs are, and which; its seed is as it was written: ``PCC=0,-52,18``.
    settings
        What is drawn.
    on_done
        Called with the samples done and all there are.

    Returns
    -------
    Group
        Its maps have ``survival`` and ``seederror`` beside the others, and their rows in ``moved``.

    Raises
    ------
    OptionError
        If the estimator is not OLS.
    """
    if group.plan.question.estimator != "ols":
        msg = "--seed-robustness with --estimator weighted; it is known for ols"
        raise OptionError(msg)
    stored = open_runs(group, root, choice)
    space = group.loaded.space
    (placed,) = place_seeds([parse_seed(choice.seed)], space)
    kinds = virtual_seeds(
        placed, sampled_of_all(stored, space), settings.centre, settings.number, settings.rng
    )
    weights = [one for kind in kinds for one in kind.weights]
    assert placed.weights is not None
    people = [samples_of(stored[label], placed.weights, weights, space) for label in group.people]
    fwhm = stored[group.people[0]][0].facts["smoothing_fwhm"]
    (near,) = near_each([placed], space, fwhm, max(settings.centre))
    judged = {text: _judged(maps, near) for text, maps in group.maps.items() if "t" in maps.arrays}
    with threadpool_limits(1, user_api="blas"):
        found = _compare(group, people, judged, kinds, on_done)
    agree = [_agreement(people, columns) for columns in _columns(kinds)]
    return replace(
        group,
        maps={
            text: _added(maps, judged[text], found[text], kinds, agree, settings)
            if text in judged
            else maps
            for text, maps in group.maps.items()
        },
    )


def open_runs(group: Group, root: Path, choice: Choice) -> dict[str, list[StoredRun]]:
    """Open the stored runs of the people of a group, by label."""
    runs, _ = find_runs(root, choice)
    return {label: [open_stored(path) for path in runs[label]] for label in group.people}


def sampled_of_all(stored: Mapping[str, Sequence[StoredRun]], space: Space) -> Space:
    """Return the space with the mask of what can be extracted of everybody."""
    everybody = [run.sampled for runs in stored.values() for run in runs]
    return space.within(np.all(everybody, axis=0))


def samples_of(
    stored: Sequence[StoredRun], own: SeedWeights, weights: Sequence[SeedWeights], space: Space
) -> list[StoredSample]:
    """Extract seeds from the runs of a person, and say what each run counts; ``own`` is the group's."""
    counts = np.ones((len(stored), space.n_samples))
    if len(stored) > 1:
        counts = np.stack([_worth(run, own, space) for run in stored])
    with np.errstate(invalid="ignore", divide="ignore"):
        counts = np.nan_to_num(counts) / np.nan_to_num(counts).sum(axis=0)
    made = []
    for run, count in zip(stored, counts, strict=True):
        clean, _, _ = run.extract_seeds(weights)
        units = (clean / np.linalg.norm(clean, axis=0)).astype(np.float32)
        order = np.full(space.mask.size, -1, dtype=np.int64)
        order[run.space.mask.ravel()] = np.arange(run.space.n_samples)
        samples = order[space.mask.ravel()]
        made.append(StoredSample(run, units, samples, count.astype(np.float32)))
    return made


def _worth(run: StoredRun, own: SeedWeights, space: Space) -> Array:
    """Return what a run counts at each sample of the group: its degrees of freedom less 2."""
    found = run.maps([own])
    worth = np.minimum(found.dof[0].astype(np.float64), found.rank) - 2
    box = np.full(space.mask.size, np.nan)
    box[run.space.mask.ravel()] = np.where(worth >= 1, worth, np.nan)
    return box[space.mask.ravel()]


def _columns(kinds: Sequence[Virtual]) -> list[slice]:
    """Say which virtual seeds are of each kind."""
    ends = np.cumsum([0, *(len(kind.weights) for kind in kinds)]).tolist()
    return [slice(first, last) for first, last in pairwise(ends)]


def _agreement(people: Sequence[Sequence[StoredSample]], columns: slice) -> float:
    """Return the mean over people of the mean correlation of the virtual seeds of a kind."""
    each = [agreement(run.units[:, columns].astype(np.float64)) for runs in people for run in runs]
    return float(np.mean(each))


def _judged(maps: GroupMaps, near: NDArray[np.int64]) -> Judged:
    """Return the effect of a contrast, its standard error and what is significant at p < .001."""
    effect, se, dof = (maps.arrays[stat] for stat in ("effect", "se", "dof"))
    t = scipy.special.stdtrit(dof.astype(np.float64), 1 - CRITICAL_P / 2)
    counted = np.isfinite(effect) & np.isfinite(se)
    counted[near] = False
    return Judged(effect, se, (t * se).astype(np.float32), counted)


def _compare(
    group: Group,
    people: Sequence[Sequence[StoredSample]],
    judged: Mapping[str, Judged],
    kinds: Sequence[Virtual],
    on_done: Callable[[int, int], object] | None,
) -> dict[str, list[Differing | None]]:
    """Walk through the samples once, person by person in each block."""
    samples, columns = group.loaded.space.n_samples, _columns(kinds)
    weights = {
        text: maps.contrast.tested.scale * maps.contrast.tested.part[:, 0]
        for text, maps in group.maps.items()
        if text in judged
    }
    parts: dict[str, list[list[Differing | None]]] = {text: [] for text in judged}
    for start in range(0, samples, BLOCK):
        part = slice(start, min(start + BLOCK, samples))
        shape = (sum(len(kind.weights) for kind in kinds), part.stop - part.start)
        effects = {text: np.zeros(shape, dtype=np.float32) for text in judged}
        for at, runs in enumerate(people):
            z = np.sum([run.fisherz(part) for run in runs], axis=0, dtype=np.float32)
            for text, weight in weights.items():
                effects[text] += np.float32(weight[at]) * z
        for text, one in judged.items():
            each = [effects[text][one_kind] for one_kind in columns]
            found = [differing(maps, one.part(part)) if len(maps) > 1 else None for maps in each]
            parts[text].append(found)
        if on_done is not None:
            on_done(part.stop, samples)
    return {
        text: [Differing.joined([block[kind] for block in blocks]) for kind in range(len(kinds))]
        for text, blocks in parts.items()
    }


def _added(
    maps: GroupMaps,
    judged: Judged,
    found: Sequence[Differing | None],
    kinds: Sequence[Virtual],
    agree: Sequence[float],
    settings: RobustnessSettings,
) -> GroupMaps:
    """Add two maps and the rows to the maps of a contrast."""
    rows, arrays = [], dict(maps.arrays)
    for kind, differ, mean in zip(kinds, found, agree, strict=True):
        row = KindOfChange(
            seed=maps.seeds[0],
            kind=kind.kind,
            number=len(kind.weights),
            redrawn=kind.redrawn,
            agreement=mean,
            note=kind.note,
        )
        if differ is not None:
            row = filled(row, differ, judged)
            if kind.kind == settings.farthest:
                arrays |= {"survival": differ.survival, "seederror": differ.error}
        rows.append(row)
    facts = {
        **maps.facts,
        "VirtualSeeds": settings.number,
        "CentresWithin": max(settings.centre),
        "RandomState": settings.rng,
    }
    return replace(maps, arrays=arrays, facts=facts, moved=tuple(rows))
