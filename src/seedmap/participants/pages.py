"""From what was worked out to the pages: a participant's, and the study's."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from seedmap.analysis import SeedMaps, motion_in
from seedmap.bids import RunInputs, label_of, modern_name, source_stem
from seedmap.clusters import FoundClusters, Threshold
from seedmap.figures import can_draw, save_figure
from seedmap.images import PartedSpace
from seedmap.participants.ledger import Entry, put_text, stage_of
from seedmap.participants.methods import citations, methods_text, strategy_words
from seedmap.participants.qc import motion_effects, or_nan
from seedmap.participants.recipe import Recipe
from seedmap.participants.run import RunWork, StrategyWork
from seedmap.report.degree import describe_degree
from seedmap.report.participant import RunPage, StrategyPage
from seedmap.report.pictures import Picture, load_picture, map_words
from seedmap.report.quality import strategy_page
from seedmap.report.robustness import robust_sections
from seedmap.report.study import MapOfStudy, StudyPage, StudyRow, render_study
from seedmap.report.viewer import pack_maps
from seedmap.report.words import (
    T_R_SOURCES,
    describe_certainty,
    describe_cleaning,
)
from seedmap.spatial import open_atlas

__all__ = ["run_page", "strategy_part", "study_clusters", "write_study_page"]

# Maps that are drawn and whose clusters are listed; an atlas of hundreds of regions is shown in numbers.
MOST_DRAWN = 12


def study_clusters(recipe: Recipe, maps: SeedMaps) -> FoundClusters:
    """Find the clusters of a run's maps; none of very many seeds."""
    if len(maps.seeds) > MOST_DRAWN:
        return FoundClusters(recipe.threshold or maps.default_threshold, None, {})
    atlas = open_atlas(recipe.atlas, maps.space) if recipe.atlas else None
    return maps.all_clusters(recipe.threshold, atlas=atlas, min_cluster=recipe.min_cluster)


def strategy_part(
    recipe: Recipe,
    done: StrategyWork,
    figures: Path,
    clusters: FoundClusters,
    tables: Mapping[str, str],
) -> StrategyPage:
    """Collect what a participant's page shows of a strategy; draws its maps if they are wanted."""
    maps = done.maps
    undrawn = _undrawn(maps)
    drawn = maps.seeds if recipe.figures and not undrawn else ()
    threshold = clusters.threshold
    return strategy_page(
        maps,
        clusters,
        name=done.chosen.strategy.name,
        pictures={seed: _draw(maps, seed, threshold, figures, done) for seed in drawn},
        methods=" ".join(
            [
                describe_cleaning(maps.provenance, maps.space.element),
                strategy_words(done.chosen),
                describe_certainty(maps),
            ]
        ),
        tables=tables,
        packed=tuple(pack_maps(maps, _shown_as(done, maps))) if drawn else (),
        undrawn=undrawn if recipe.figures else "",
        warnings=done.warnings,
        degree=tuple(describe_degree(maps)),
        moving=() if done.robust is None else robust_sections(done.robust, {}),
    )


def _shown_as(done: StrategyWork, maps: SeedMaps) -> str:
    """Name run and strategy before the seeds where a reader chooses a map."""
    return (
        f"{source_stem(modern_name(Path(maps.provenance.source)))}, {done.chosen.strategy.name}, "
    )


def _undrawn(maps: SeedMaps) -> str:
    """Say why maps cannot be drawn; empty if they can."""
    if len(maps.seeds) > MOST_DRAWN:
        return f"Maps of more than {MOST_DRAWN} seeds are not drawn, and their clusters are not listed."
    if not can_draw(maps.space):
        return "The maps are not drawn, since it is not known where the vertices lie."
    return ""


def _draw(
    maps: SeedMaps, seed: str, threshold: Threshold, figures: Path, done: StrategyWork
) -> Picture:
    """Draw one map into the folder of figures."""
    figures.mkdir(parents=True, exist_ok=True)
    stem = source_stem(modern_name(Path(maps.provenance.source)))
    name = f"{stem}_seed-{label_of(seed)}_stat-r_desc-{done.chosen.strategy.label}_statmap"
    figure = maps.plot(seed, threshold=threshold, display_mode="ortho")
    (png,) = save_figure(figure, figures / name, kinds=("png",))
    facts = maps.provenance.seeds[maps.index(seed)]
    return load_picture(png, *map_words(maps, facts, threshold))


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
        motion=motion_in(work.table),
        threshold=min(thresholds, default=None),
        strategies=tuple(strategies),
        notes=(*work.notes, *work.missing),
    )


def _run_facts(inputs: RunInputs, work: RunWork) -> Iterator[tuple[str, str]]:
    """Say what was found of a run."""
    run, mask = work.opened.run, work.mask
    yield "Series", ", ".join(path.name for path in (inputs.bold, inputs.other) if path)
    yield "Space", inputs.space or "not stated by its name"
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


def write_study_page(recipe: Recipe, entries: Iterable[Entry], out: Path, work: Path) -> None:
    """Write the study's page, its methods text and its references."""
    entries = sorted(entries, key=lambda entry: entry.participant)
    page = StudyPage(
        title=f"Seed maps of {recipe.root.name}",
        rows=tuple(row for entry in entries for row in _rows(entry, out)),
        motion=tuple(motion_effects(recipe, entries)),
        maps=tuple(one for entry in entries for one in _maps_of(entry, out)),
        methods=tuple(_methods(recipe, out)),
        command=recipe.command,
    )
    with stage_of(work, "page") as stage:
        put_text(out / "logs" / "CITATION.bib", citations(), stage)
        put_text(out / "logs" / "CITATION.md", "\n\n".join(page.methods) + "\n", stage)
        put_text(out / "index.html", render_study(page), stage)


def _maps_of(entry: Entry, out: Path) -> Iterator[MapOfStudy]:
    """Find the pictures of a participant's maps of r."""
    page = f"sub-{entry.participant}.html"
    page = page if (out / page).is_file() else ""
    earlier = (file for done in entry.earlier for file in done.files)
    for path in dict.fromkeys(file.path for file in (*entry.files, *earlier)):
        found = re.fullmatch(r"(.*)_seed-([^_]+)_stat-r_desc-([^_]+)_statmap\.png", Path(path).name)
        if found and (out / path).is_file():
            run, seed, strategy = found.groups()
            name = re.sub(r"_(space|res)-[^_]+", "", run)
            yield MapOfStudy(seed, strategy, name, path, page)


def _methods(recipe: Recipe, out: Path) -> Iterable[str]:
    """Say what was done; of stored runs, what an earlier call from images said, if one did."""
    if not recipe.from_store:
        return methods_text(recipe)
    try:
        return (out / "logs" / "CITATION.md").read_text(encoding="utf-8").strip().split("\n\n")
    except (OSError, ValueError):
        return [
            "Maps were made from stored runs; the sidecar of each says how its run was cleaned."
        ]


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
            mean_fd=or_nan(facts["mean_fd"]),
            dof=_median(facts["dof"].values()),
            coverage=min((or_nan(v) for v in facts["coverage"].values()), default=float("nan")),
            page=page,
        )
        for facts in entry.facts.get("runs", [])
    ]
    if entry.reason or not rows:
        reason = entry.reason or "nothing was found"
        rows.append(StudyRow(entry.participant, entry.state, reason=reason, page=page))
    return rows


def _median(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")
