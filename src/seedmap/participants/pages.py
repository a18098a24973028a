"""From what was worked out to the pages: a participant's, and the study's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis import SeedMaps
from seedmap.bids import RunInputs, label_of, modern_name, source_stem
from seedmap.clusters import parse_threshold
from seedmap.figures import can_draw, save_figure
from seedmap.images import Grid, PartedSpace, Space
from seedmap.participants.ledger import Entry, put_text, stage_of
from seedmap.participants.methods import citations, methods_text, strategy_words
from seedmap.participants.onerun import RunWork, StrategyWork
from seedmap.participants.recipe import Recipe
from seedmap.report.participant import RunPage, StrategyPage
from seedmap.report.pictures import Picture, load_picture, map_words
from seedmap.report.study import StudyPage, StudyRow, motion_effect, render_study
from seedmap.report.tables import seed_table
from seedmap.report.words import (
    DASH,
    T_R_SOURCES,
    count,
    describe_certainty,
    describe_cleaning,
    number,
    several,
)

__all__ = ["Probes", "probe", "run_page", "strategy_page", "write_study_page"]

SHOWN_SAMPLES = 300
# Maps that are drawn; an atlas of hundreds of regions is shown in numbers.
MOST_DRAWN = 12
# Seeds whose connectivity is kept for the study's page, and the lattice it is kept at [mm].
MOST_PROBED, STEP = 20, 20.0
# What the parts of grayordinates are called on a page.
NAMES = {"left": "left hemisphere", "right": "right hemisphere"}
PLACES = {"surface": "vertices", "voxels": "voxels", "parcels": "parcels"}
REST = {"surface": "other surfaces", "voxels": "below the cortex", "parcels": "parcels"}
LATTICE = ((-60, 60), (-100, 60), (-40, 80))


def strategy_page(recipe: Recipe, done: StrategyWork, figures: Path) -> StrategyPage:
    """Collect what a participant's page shows of a strategy; draws its maps if they are wanted."""
    maps, extracted = done.maps, done.extracted
    few = np.unique(np.linspace(0, maps.space.n_samples - 1, SHOWN_SAMPLES).astype(np.int64))
    few = few[~extracted.unusable[few]]
    raw = extracted.series[:, few].astype(np.float64) + extracted.reference[few]
    undrawn = _undrawn(maps)
    drawn = maps.seeds if recipe.figures and not undrawn else ()
    order = "" if isinstance(maps.space, Grid) else f": {', '.join(_groups(maps.space))}"
    return StrategyPage(
        name=done.chosen.strategy.name,
        columns=tuple((column.name, column.why) for column in done.chosen.columns),
        censored=done.chosen.censored,
        keep=maps.provenance.keep,
        rank=maps.provenance.rank,
        before=raw,
        after=done.prepared.operator.on_kept @ raw,
        signal=tuple(_signal(maps, few, raw)),
        seeds=maps.seeds,
        table=tuple(seed_table(maps, recipe.threshold)),
        pictures={seed: _draw(maps, seed, recipe, figures, done) for seed in drawn},
        methods=" ".join(
            [
                describe_cleaning(maps.provenance, maps.space.element),
                strategy_words(done.chosen),
                describe_certainty(maps),
            ]
        ),
        elements=maps.space.elements,
        order=order,
        undrawn=undrawn if recipe.figures else "",
        warnings=done.warnings,
    )


def _undrawn(maps: SeedMaps) -> str:
    """Say why maps cannot be drawn; empty if they can."""
    if len(maps.seeds) > MOST_DRAWN:
        return f"Maps of more than {MOST_DRAWN} seeds are not drawn."
    if not can_draw(maps.space):
        return "The maps are not drawn, since it is not known where the vertices lie."
    return ""


@dataclass(frozen=True, eq=False)
class _Group:
    """A hemisphere, or what lies below the cortex: its samples (samples,) and all its places."""

    inside: NDArray[np.bool_]
    places: int
    what: str


def _groups(space: PartedSpace) -> dict[str, _Group]:
    """Part the samples into hemispheres and what else there is; the medial wall counts as places."""
    names = [NAMES.get(part.name, REST[part.kind]) for part in space.parts]
    of_sample = np.repeat(names, [part.size for part in space.parts])[space.mask]
    groups = {}
    for name in dict.fromkeys(names):
        parts = [part for part, its in zip(space.parts, names, strict=True) if its == name]
        places = sum(part.vertices or part.size for part in parts)
        groups[name] = _Group(of_sample == name, places, PLACES[parts[0].kind])
    return groups


def _signal(maps: SeedMaps, few: NDArray[np.int64], raw: Array) -> Iterator[tuple[str, str]]:
    """Say how good the signal of a few samples (kept, few) is, on surfaces also part by part."""
    spread = raw.std(axis=0)
    tsnr = np.abs(raw.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    smoothed = ", smoothed" if maps.provenance.smoothing_fwhm else ""
    element = maps.space.element
    yield "tSNR", f"{number(float(np.median(tsnr)), 1)} (median over {several(element)}{smoothed})"
    if isinstance(maps.space, Grid):
        yield "In the mask", count(maps.space.n_samples, element)
        return
    for name, group in _groups(maps.space).items():
        there = group.inside[few]
        median = number(float(np.median(tsnr[there])), 1) if there.any() else DASH
        found = f"{np.count_nonzero(group.inside):,} of {group.places:,} {group.what}"
        yield name.capitalize(), f"{found} in the mask; tSNR {median}"


def _draw(maps: SeedMaps, seed: str, recipe: Recipe, figures: Path, done: StrategyWork) -> Picture:
    """Draw one map into the folder of figures."""
    figures.mkdir(parents=True, exist_ok=True)
    stem = source_stem(modern_name(Path(maps.provenance.source)))
    name = f"{stem}_seed-{label_of(seed)}_stat-r_desc-{done.chosen.strategy.label}_statmap"
    figure = maps.plot(seed, threshold=recipe.threshold)
    (png,) = save_figure(figure, figures / name, kinds=("png",))
    facts = maps.provenance.seeds[maps.index(seed)]
    return load_picture(png, *map_words(maps, facts, parse_threshold(recipe.threshold)))


def run_page(inputs: RunInputs, work: RunWork, strategies: Sequence[StrategyPage]) -> RunPage:
    """Collect what a participant's page shows of a run."""
    run = work.opened.run
    thresholds = [
        chosen.strategy.scrubbing.fd_threshold
        for chosen in work.chosen
        if chosen.strategy.scrubbing is not None and chosen.strategy.scrubbing.fd_threshold
    ]
    return RunPage(
        name=inputs.name,
        facts=tuple(_run_facts(inputs, work)),
        t_r=run.timing.t_r,
        displacement=_column(work, "framewise_displacement"),
        dvars=_column(work, "std_dvars"),
        threshold=min(thresholds, default=None),
        strategies=tuple(strategies),
        notes=(*work.notes, *work.missing),
    )


def _run_facts(inputs: RunInputs, work: RunWork) -> Iterator[tuple[str, str]]:
    """Say what was found of a run."""
    run, mask = work.opened.run, work.mask
    yield "Series", ", ".join(path.name for path in (inputs.bold, inputs.other) if path)
    yield "Space", inputs.space or "not told by its name"
    if isinstance(run.space, PartedSpace):
        known = [part.surface.source for part in run.space.parts if part.surface is not None]
        named = (Path(source).name for source in dict.fromkeys(known))
        yield "Surfaces", ", ".join(named) or "not known"
        mask = mask or f"{run.space.elements} that are finite and not zero throughout"
    yield "Frames", str(run.frames)
    t_r, said = run.timing.t_r, T_R_SOURCES[run.timing.source]
    yield "Repetition time", f"{t_r:g} s, {said}" if t_r else "unknown"
    yield "Mask", mask.name if isinstance(mask, Path) else str(mask)
    yield "Confounds", inputs.confounds.name if inputs.confounds else "none"


def _column(work: RunWork, name: str) -> Array:
    table = work.table
    if table is None or name not in table.names:
        return np.empty(0)
    return table.values[:, table.names.index(name)]


@dataclass(frozen=True, eq=False)
class Probes:
    """A lattice over the brain, at which connectivity is kept for the study's page.

    Attributes
    ----------
    places : ndarray, shape (points, 3)
        Coordinates [mm].
    """

    places: Array

    @classmethod
    def lattice(cls) -> "Probes":
        """Return the lattice that every participant shares."""
        axes = [np.arange(low, high + 1, STEP) for low, high in LATTICE]
        return cls(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))


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
    points = Probes.lattice().places
    if isinstance(space, Grid):
        voxels = np.rint(space.to_voxels(points)).astype(np.int64)
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


def write_study_page(recipe: Recipe, entries: Iterable[Entry], out: Path, work: Path) -> None:
    """Write the study's page, its methods text and its references."""
    entries = sorted(entries, key=lambda entry: entry.participant)
    page = StudyPage(
        title=f"Seed maps of {recipe.root.name}",
        rows=tuple(row for entry in entries for row in _rows(entry, out)),
        motion=tuple(_motion(recipe, entries)),
        methods=tuple(methods_text(recipe)),
        command=recipe.command,
    )
    with stage_of(work, "page") as stage:
        put_text(out / "logs" / "CITATION.bib", citations(), stage)
        put_text(out / "logs" / "CITATION.md", "\n\n".join(page.methods) + "\n", stage)
        put_text(out / "index.html", render_study(page), stage)


def _rows(entry: Entry, out: Path) -> list[StudyRow]:
    """Write a participant's rows: one a run and strategy, and one for what failed."""
    page = f"sub-{entry.participant}.html"
    page = page if (out / page).is_file() else ""
    rows = [
        StudyRow(
            participant=entry.participant,
            state=entry.state,
            run=facts["run"].removeprefix(f"sub-{entry.participant}_"),
            strategy=facts["strategy"],
            kept=f"{facts['kept']} of {facts['frames']}",
            mean_fd=_or_nan(facts["mean_fd"]),
            dof=_median(facts["dof"].values()),
            coverage=min((_or_nan(v) for v in facts["coverage"].values()), default=float("nan")),
            page=page,
        )
        for facts in entry.facts.get("runs", [])
    ]
    if entry.reason or not rows:
        reason = entry.reason or "nothing was found"
        rows.append(StudyRow(entry.participant, entry.state, reason=reason, page=page))
    return rows


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _median(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")


def _motion(recipe: Recipe, entries: Sequence[Entry]) -> Iterable[Any]:
    """Work out how motion shows in the connectivity, strategy by strategy."""
    places = Probes.lattice().places
    for strategy in recipe.strategies:
        people = [
            runs
            for entry in entries
            if (runs := [r for r in entry.facts.get("runs", []) if r["strategy"] == strategy.name])
        ]
        seeds = sorted(set.intersection(*(set(_probes(runs)) for runs in people))) if people else []
        if not seeds:
            continue
        motion = np.array([np.mean([_or_nan(run["mean_fd"]) for run in runs]) for runs in people])
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
        seed: np.mean([[_or_nan(v) for v in run["probes"][seed]] for run in runs], axis=0)
        for seed in seeds
    }


def _center(runs: Sequence[Mapping[str, Any]], seed: str) -> Array:
    center = runs[0]["centers"].get(seed)
    return np.full(3, np.nan) if center is None else np.array(center, dtype=np.float64)
