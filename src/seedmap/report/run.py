"""The page of a report: one HTML file that needs nothing else."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from seedmap.analysis import SeedMaps
from seedmap.bids import source_stem
from seedmap.clusters import FoundClusters, Threshold
from seedmap.report.degree import describe_degree
from seedmap.report.participant import RunPage, StrategyPage
from seedmap.report.pictures import Pictures
from seedmap.report.quality import strategy_page
from seedmap.report.rendering import render
from seedmap.report.robustness import SeedSection
from seedmap.report.tables import library_versions, run_facts
from seedmap.report.viewer import pack_maps, viewer_of
from seedmap.report.words import (
    describe_certainty,
    describe_cleaning,
    summarize,
)

__all__ = ["files_of", "render_report"]


def render_report(  # noqa: PLR0913  two things to show, the others by keyword
    maps: SeedMaps,
    pictures: Pictures,
    *,
    threshold: float | str | Threshold | None = None,
    date: datetime | None = None,
    clusters: FoundClusters | None = None,
    moving: tuple[SeedSection, ...] = (),
    files: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType({}),
) -> str:
    """Make the page of a run.

    Parameters
    ----------
    maps
        The maps.
    pictures
        What to show; seeds without a picture are shown in numbers only.
    threshold
        What the pictures were drawn with, and beyond which voxels are counted and clusters listed.
    date
        Date of the page; None is now.
    clusters
        The clusters, if they are found already; with their threshold.
    moving
        How far the maps move with their seeds, if that was looked at.
    files
        The files that the page links to: see `files_of`.

    Returns
    -------
    str
        HTML5, with the pictures and the style inside. It loads nothing.
    """
    clusters = clusters or maps.all_clusters(threshold)
    source = maps.provenance
    done = strategy_page(
        maps,
        clusters,
        name=source.strategy,
        pictures=pictures.maps,
        methods=describe_cleaning(source, maps.space.element),
        tables=dict(pair for seed, links in files.items() for pair in _table(seed, links)),
    )
    return render(
        "report",
        date,
        title=source_stem(source.source),
        summary=summarize(maps, clusters.threshold),
        notes=source.notes,
        seeds=source.seeds,
        pictures=pictures,
        viewer=viewer_of(pack_maps(maps)) if pictures.maps else None,
        done=done,
        run=_run_page(maps, done),
        certainty=describe_certainty(maps),
        facts=[fact for fact in run_facts(maps) if fact not in done.signal],
        moving=moving,
        files=files,
        degree=describe_degree(maps),
        versions=library_versions(),
        command=source.command,
    )


def files_of(maps: SeedMaps, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """List the files of each seed in a folder: what they hold, and their names.

    Parameters
    ----------
    maps
        The maps.
    folder
        Where they were saved, and where the page will be.
    """
    found = {}
    for seed in maps.seeds:
        start = f"{maps.file_stem(seed)}_"
        names = sorted(path.name for path in folder.glob(f"{glob.escape(start)}*"))
        ends = [(name.removeprefix(start), name) for name in names]
        links = [(_label(end), name) for end, name in ends if not end.endswith(".json")]
        if links:
            found[seed] = links
    return found


def _label(end: str) -> str:
    """Say what a file holds, from the end of its name: ``stat-r_statmap.nii.gz`` is ``r``."""
    words = end.split(".")[0].split("_")
    chosen = [one.split("-", 1)[1] for one in words if one.startswith(("stat-", "hemi-"))]
    return " ".join(chosen) or words[-1]


def _table(seed: str, links: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((seed, name) for label, name in links if label == "clusters")


def _run_page(maps: SeedMaps, done: StrategyPage) -> RunPage:
    """Collect how the head moved."""
    quality, source = maps.quality, maps.provenance
    return RunPage(
        name=source_stem(source.source),
        facts=(),
        t_r=source.t_r,
        motion={} if quality is None else quality.motion,
        threshold=None if quality is None else quality.fd_threshold,
        strategies=(done,),
    )
