"""What a run's results are called, and how they are written (BIDS derivative names)."""

import json
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap._version import __version__
from seedmap.analysis.certainty import Certainty
from seedmap.analysis.provenance import Provenance, SeedFacts
from seedmap.clusters import Atlas, Cluster, Threshold, clusters_table
from seedmap.images import (
    MEASURE_KINDS,
    STATISTICS,
    Space,
    staged_folder,
    stem_of,
    write_map,
    write_text,
)

__all__ = [
    "label_of",
    "measure_entity",
    "save_clusters",
    "save_maps",
    "sibling_mask",
    "source_stem",
    "versions",
]

LIBRARIES = ("numpy", "scipy", "nibabel", "isal")


class Saveable(Protocol):
    """What the files are made from: `SeedMaps`, as far as it matters here."""

    @property
    def seeds(self) -> tuple[str, ...]:
        """Names of the seeds."""

    @property
    def stats(self) -> tuple[str, ...]:
        """Names of the maps that each seed has."""

    @property
    def space(self) -> Space:
        """Where the samples lie."""

    @property
    def provenance(self) -> Provenance:
        """Where it all comes from."""

    @property
    def certainty(self) -> Certainty | None:
        """How sure the maps are."""

    @property
    def near(self) -> Sequence[NDArray[np.int64]]:
        """The samples of each seed's own neighbourhood."""

    @property
    def seed_series(self) -> Array:
        """Cleaned seeds, shape (kept, seeds)."""

    def index(self, seed: str) -> int:
        """Return the position of a seed by name."""

    def values(self, seed: str, stat: str = "r") -> NDArray[np.float32]:
        """Return one map, shape (samples,)."""

    def clusters(
        self, seed: str, threshold: Threshold, *, atlas: Atlas | None = None
    ) -> tuple[Cluster, ...]:
        """List the clusters of one map."""


def label_of(seed: str) -> str:
    """Turn a seed's name into a BIDS label: letters and digits only."""
    return re.sub(r"[^A-Za-z0-9]", "", seed)


def source_stem(source: str) -> str:
    """Return what the results of a run are called after.

    The run's name without its suffix and without its ``desc`` if it is a BIDS name, as it is
    otherwise.

    Examples
    --------
    >>> source_stem("sub-01_task-rest_desc-preproc_bold.nii.gz")
    'sub-01_task-rest'
    >>> source_stem("rest.nii")
    'rest'
    """
    stem = stem_of(source)
    if not re.fullmatch(r"sub-[A-Za-z0-9+]+(_[a-zA-Z]+-[A-Za-z0-9+]+)*_[A-Za-z0-9]+", stem):
        return re.sub(r"\s+", "-", stem)
    entities = stem.split("_")[:-1]
    return "_".join(part for part in entities if not part.startswith(("desc-", "hemi-")))


def sibling_mask(source: str) -> Path | None:
    """Find the brain mask that fMRIPrep writes beside a run, if it is there."""
    stem = "_".join(p for p in stem_of(source).split("_")[:-1] if not p.startswith("desc-"))
    for suffix in (".nii.gz", ".nii"):
        mask = Path(source).with_name(f"{stem}_desc-brain_mask{suffix}")
        if stem and mask.is_file():
            return mask
    return None


def versions() -> dict[str, str]:
    """Return the versions of everything that shapes the numbers."""
    found = {name: _installed(name) for name in LIBRARIES}
    return {"seedmap": __version__, "python": platform.python_version(), **found}


@cache
def _installed(name: str) -> str:
    return version(name)  # reads a file of the library's, which takes milliseconds


def save_maps(maps: Saveable, folder: str | Path) -> list[Path]:
    """Write maps, sidecars, series and the data set's description; return the paths."""
    folder = Path(folder).expanduser()
    stem, desc = source_stem(maps.provenance.source), measure_entity(maps)
    names: list[str] = []
    with staged_folder(folder) as stage:
        for facts in maps.provenance.seeds:
            for stat in maps.stats:
                name = f"{stem}_seed-{label_of(facts.name)}_stat-{stat}{desc}_statmap"
                values, codes = maps.values(facts.name, stat), maps.provenance.codes
                written = write_map(stage / name, values, maps.space, STATISTICS[stat].kind, codes)
                write_text(stage / f"{name}.json", _json(_sidecar(maps, facts, stat)))
                names += [*(path.name for path in written), f"{name}.json"]
            name = f"{stem}_seed-{label_of(facts.name)}_timeseries.tsv"
            column = maps.seed_series[:, maps.index(facts.name)]
            write_text(stage / name, _table(label_of(facts.name), column))
            names.append(name)
        write_text(stage / "dataset_description.json", _json(_description()))
    names.append("dataset_description.json")
    return [folder / name for name in names]


def save_clusters(
    maps: Saveable, folder: str | Path, threshold: Threshold, atlas: Atlas | None
) -> list[Path]:
    """Write a table of clusters a seed, and what it holds; return the paths."""
    folder = Path(folder).expanduser()
    stem, desc = source_stem(maps.provenance.source), measure_entity(maps)
    names: list[str] = []
    with staged_folder(folder) as stage:
        for seed in maps.seeds:
            name = f"{stem}_seed-{label_of(seed)}{desc}_clusters"
            found = maps.clusters(seed, threshold, atlas=atlas)
            about = {
                "Description": f"Clusters of {maps.space.elements} with {threshold.words} that touch "
                "and share sign, the seed's own neighbourhood left out",
                "Threshold": str(threshold),
                "Atlas": None if atlas is None else atlas.source,
                "Units": {
                    "x_mm": "mm",
                    "y_mm": "mm",
                    "z_mm": "mm",
                    "size_mm3": "mm3",
                    "size_mm2": "mm2",
                },
            }
            write_text(stage / f"{name}.tsv", clusters_table(found))
            write_text(stage / f"{name}.json", _json(about))
            names += [f"{name}.tsv", f"{name}.json"]
    return [folder / name for name in names]


def measure_entity(maps: Saveable) -> str:
    """Tell the files of another measure apart from those of the correlation."""
    measure = maps.provenance.measure
    return "" if measure == "correlation" else f"_desc-{measure}"


def _sidecar(maps: Saveable, facts: SeedFacts, stat: str) -> dict[str, Any]:
    """Collect what a reader of one map needs to know."""
    source = maps.provenance
    values = maps.values(facts.name, stat)
    return {
        "Description": (
            MEASURE_KINDS[source.measure] if stat == "r" else STATISTICS[stat]
        ).description,
        "Sources": [s for s in (source.source, *source.others, source.confounds_source) if s],
        "RepetitionTime": source.t_r,
        "RepetitionTimeSource": source.t_r_source,
        "Seed": asdict(facts),
        **_measure_facts(maps, facts),
        "Mask": source.mask_source,
        "Samples": maps.space.n_samples,
        "SamplesConstant": source.constant,
        "SamplesNotFinite": source.unusable,
        "Minimum": _plain(np.nanmin(values)) if np.isfinite(values).any() else None,
        "Maximum": _plain(np.nanmax(values)) if np.isfinite(values).any() else None,
        "Cleaning": asdict(source.cleaning),
        "SmoothingFWHM": source.smoothing_fwhm,
        "ConfoundColumns": list(source.confounds),
        "ConfoundRank": source.confound_rank,
        "CleaningRank": source.rank,
        "Frames": int(source.keep.size),
        "FramesKept": source.kept,
        "FramesCensored": np.flatnonzero(~source.keep).tolist(),
        **_certainty_facts(maps, facts),
        **({"FromStore": True} if source.from_store else {}),
        "SoftwareVersions": versions(),
        "Command": source.command,
    }


def _measure_facts(maps: Saveable, facts: SeedFacts) -> dict[str, Any]:
    """Say which correlation r is, and how far the seeds resemble each other."""
    source = maps.provenance
    said: dict[str, Any] = {"Measure": source.measure}
    if source.max_lag is not None:
        said["LongestLag"] = source.max_lag
    if source.vif:
        said["OtherSeeds"] = [name for name in maps.seeds if name != facts.name]
        said["VarianceInflation"] = _plain(source.vif[maps.index(facts.name)])
        said["ConditionNumber"] = _plain(source.condition)
    return said


def _certainty_facts(maps: Saveable, facts: SeedFacts) -> dict[str, Any]:
    """Say how sure the maps of a seed are, where that is known."""
    known = maps.certainty
    if known is None:
        return {"Uncertainty": None}
    dof = maps.values(facts.name, "dof")
    dof = dof[np.isfinite(dof)]
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = np.quantile(dof, shares) if dof.size else np.full(len(shares), np.nan)
    return {
        "Uncertainty": known.method,
        "DofQuantiles": {f"{s:g}": _plain(q) for s, q in zip(shares, quantiles, strict=True)},
        "DofIfWhite": _plain(known.white_dof),
        "SamplesWithoutDof": int(np.isfinite(maps.values(facts.name, "r")).sum() - dof.size),
        "NoiseAutocorrelation": list(known.noise_autocorrelation),
        "SamplesNearSeed": int(maps.near[maps.index(facts.name)].size),
    }


def _description() -> dict[str, Any]:
    return {
        "Name": "Seed-to-voxel correlation maps",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "seedmap", "Version": __version__}],
    }


def _plain(value: Any) -> float:
    """Shorten a float32 to the digits it has."""
    return float(f"{float(value):.7g}")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not know, by null."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _table(name: str, column: Iterable[float]) -> str:
    return "\n".join([name, *(f"{value:.8g}" for value in column)]) + "\n"
