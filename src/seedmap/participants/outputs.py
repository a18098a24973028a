"""The files of one run or combination of runs, as a BIDS derivative."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seedmap._version import __version__
from seedmap.analysis import Provenance, SeedMaps, save_maps, write_clusters
from seedmap.bids import RunInputs, modern_name, uri, way_to
from seedmap.clusters import FoundClusters
from seedmap.denoising import Chosen
from seedmap.images import Grid
from seedmap.participants.recipe import Recipe

__all__ = [
    "BIDSIGNORE",
    "README",
    "dataset_description",
    "folder_of",
    "is_page",
    "save_run",
    "save_study_clusters",
    "strategy_facts",
]

BIDSIGNORE = (
    "*_statmap.*\n*_clusters.*\n*_timeseries.tsv\n*_robustness.*\n*.html\ngroup\nlesion\nlogs\nstore\nfigures\n"
    ".seedmap-*\n"
)
README = """Maps of the correlation of seeds with the whole brain, made by seedmap.

Open index.html for the study, sub-XX.html for a participant. Maps are in sub-XX/func (or
sub-XX/ses-YY/func), one file a seed, statistic and denoising strategy (desc); the JSON beside each
says how it was made. What was done in words, and what to cite, is in logs.
"""
GENERATOR = '<meta name="generator" content="seedmap">'
CODE_URL = "https://pypi.org/project/seedmap/"


def save_run(
    maps: SeedMaps,
    folder: Path,
    recipe: Recipe,
    label: str,
    about: Mapping[str, Any],
) -> list[Path]:
    """Write maps, sidecars and seed series, with the strategy in their names.

    Parameters
    ----------
    maps
        The maps, perhaps with how far they move.
    folder
        Where to; made if need be.
    recipe
        What was done.
    label
        The strategy, as it stands in the names.
    about
        More facts for the sidecars.

    Returns
    -------
    list of Path
        The files.
    """
    volume = {"SkullStripped": True} if isinstance(maps.space, Grid) else {}
    facts = {**_origin(maps.provenance, recipe.root), **volume, "Command": recipe.command, **about}
    return save_maps(_named_as_today(maps), folder, desc=label, facts=facts, described=False)


def save_study_clusters(
    maps: SeedMaps, folder: Path, label: str, clusters: FoundClusters
) -> dict[str, str]:
    """Write the tables of a run's clusters; return their names by seed."""
    written = write_clusters(_named_as_today(maps), folder, clusters, desc=label)
    tables = [path.name for path in written if path.suffix == ".tsv"]
    return dict(zip(clusters.by_seed, tables, strict=True))


def folder_of(inputs: RunInputs) -> Path:
    """Return the folder of a run's results, relative to the study's."""
    subject = next(part for part in inputs.name.split("_") if part.startswith("sub-"))
    session = f"ses-{inputs.session}" if inputs.session else ""
    return Path(subject) / session / "func"


def _named_as_today(maps: SeedMaps) -> SeedMaps:
    """Let results of fMRIPrep 1 be called as those of today; the sidecars keep the true names."""
    source = Path(maps.provenance.source)
    today = source.with_name(modern_name(source))
    return replace(maps, provenance=replace(maps.provenance, source=str(today)))


def _origin(source: Provenance, root: Path) -> dict[str, Any]:
    """List the files that maps come from, as BIDS URIs."""
    files = (source.source, *source.others, source.confounds_source)
    mask = Path(source.mask_source)
    return {
        "Sources": [uri(Path(file), root) for file in files if file],
        "Mask": uri(mask, root) if mask.is_absolute() else source.mask_source,
    }


def is_page(path: Path) -> bool:
    """Whether a file is a page that seedmap wrote."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return GENERATOR in file.read(4096)
    except OSError:
        return False


def strategy_facts(chosen: Chosen) -> dict[str, Any]:
    """Say what a strategy took, and why."""
    return {
        "Strategy": chosen.strategy.name,
        "ConfoundReasons": {column.name: column.why for column in chosen.columns},
        "CensoredFor": {reason: list(frames) for reason, frames in chosen.censored.items()},
    }


def dataset_description(recipe: Recipe, folder: Path) -> str:
    """Describe the output in a folder as a BIDS data set."""
    source = way_to(recipe.root, folder)
    about = {
        "Name": "seedmap: maps of the correlation of seeds with the whole brain",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "seedmap", "Version": __version__, "CodeURL": CODE_URL}],
        "SourceDatasets": [{"URL": source}],
        "DatasetLinks": {"preprocessed": source},
        "HowToAcknowledge": "Cite what logs/CITATION.bib lists.",
    }
    return json.dumps(about, indent=2) + "\n"
