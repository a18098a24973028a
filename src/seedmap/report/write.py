"""Writing a report: the figures and the page, all of them or none."""

from pathlib import Path

from seedmap.analysis import SeedMaps, SeedRobustness
from seedmap.bids import source_stem
from seedmap.clusters import FoundClusters, Threshold
from seedmap.images import staged_folder, write_text
from seedmap.report.pictures import Pictures, draw_pictures
from seedmap.report.robustness import SeedSection, draw_survival, robust_sections
from seedmap.report.run import files_of, render_report
from seedmap.spatial import Atlas

__all__ = ["write_report"]


def write_report(
    maps: SeedMaps,
    folder: Path | str,
    *,
    threshold: float | str | Threshold | None = None,
    figures: bool = True,
    atlas: Atlas | None = None,
    clusters: FoundClusters | None = None,
) -> list[Path]:
    """Write the page of a run, and its figures as PNG and PDF.

    Parameters
    ----------
    maps
        The maps; a `SeedRobustness` has a section more.
    folder
        Where to; made if it is not there. Figures go to its folder ``figures``.
    threshold
        What is drawn and listed as clusters: a size of r, or ``"r>0.5"``, ``"z>3.1"``,
        ``"q<0.05"``; None takes the maps' default. With one of z, maps of z are drawn beside those of r.
    figures
        Whether to draw; the page comes in words and numbers otherwise.
    atlas
        Where names of regions come from: see `seedmap.spatial.open_atlas`.
    clusters
        The clusters, if they are found already; with their threshold and atlas.

    Returns
    -------
    list of Path
        The figures, then the page. They appear together when all are complete, or none does.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    folder = Path(folder).expanduser()
    with staged_folder(folder) as stage:
        clusters = clusters or maps.all_clusters(threshold, atlas=atlas)
        threshold = clusters.threshold
        pictures = draw_pictures(maps, stage, threshold=threshold) if figures else Pictures({})
        page = f"{source_stem(maps.provenance.source)}_report.html"
        files, moving = (
            files_of(maps, folder),
            _moving(maps, stage, threshold, figures=figures),
        )
        text = render_report(maps, pictures, clusters=clusters, moving=moving, files=files)
        write_text(stage / page, text)
        drawn = sorted(path.relative_to(stage) for path in stage.glob("figures/*"))
    return [*(folder / path for path in drawn), folder / page]


def _moving(
    found: SeedMaps, folder: Path, threshold: Threshold, *, figures: bool
) -> tuple[SeedSection, ...]:
    """Draw what is known of how far maps move, and put it into words."""
    if not isinstance(found, SeedRobustness):
        return ()
    return robust_sections(found, draw_survival(found, folder, threshold) if figures else {})
