"""The page of a report: one HTML file that needs nothing else."""

from datetime import datetime

from seedmap.analysis import SeedMaps
from seedmap.bids import source_stem
from seedmap.clusters import FoundClusters, Threshold
from seedmap.report.pictures import Pictures
from seedmap.report.rendering import render
from seedmap.report.robustness import SeedSection
from seedmap.report.tables import cluster_table, library_versions, run_facts, seed_table
from seedmap.report.viewer import pack_maps, viewer_of
from seedmap.report.words import (
    describe_certainty,
    describe_cleaning,
    named_words,
    summarize,
)
from seedmap.spatial import Atlas

__all__ = ["render_report"]


def render_report(  # noqa: PLR0913  two things to show, the others by keyword
    maps: SeedMaps,
    pictures: Pictures,
    *,
    threshold: float | str | Threshold | None = None,
    date: datetime | None = None,
    atlas: Atlas | None = None,
    clusters: FoundClusters | None = None,
    moving: tuple[SeedSection, ...] = (),
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
    atlas
        Where names of regions come from.
    clusters
        The clusters, if they are found already; with their threshold and atlas.
    moving
        How far the maps move with their seeds, if that was looked at.

    Returns
    -------
    str
        HTML5, with the pictures and the style inside. It loads nothing.
    """
    clusters = clusters or maps.all_clusters(threshold, atlas=atlas)
    threshold = clusters.threshold
    return render(
        "report",
        date,
        title=source_stem(maps.provenance.source),
        summary=summarize(maps, threshold),
        notes=maps.provenance.notes,
        seeds=maps.provenance.seeds,
        pictures=pictures,
        viewer=viewer_of(pack_maps(maps)) if pictures.maps else None,
        measures=seed_table(maps, threshold),
        threshold=threshold.words,
        clusters=[
            cluster_table(seed, found, maps.space.elements)
            for seed, found in clusters.by_seed.items()
        ],
        named=named_words(clusters),
        elements=maps.space.elements,
        methods=describe_cleaning(maps.provenance, maps.space.element),
        certainty=describe_certainty(maps),
        facts=run_facts(maps),
        moving=moving,
        versions=library_versions(),
        command=maps.provenance.command,
    )
