"""What the sidecars of maps say, and the texts of small files."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap._texts import without_folders
from seedmap._version import __version__
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.uncertainty import Certainty
from seedmap.bids import Links
from seedmap.images import MEASURE_KINDS, STATISTICS, MapKind, Space, write_map, write_text
from seedmap.seeds import SeedFacts

__all__ = [
    "NULL_HYPOTHESIS",
    "certainty_entries",
    "column_text",
    "dataset_description",
    "json_text",
    "linked_entries",
    "sidecar_of",
    "versions",
    "write_with_sidecar",
]

LIBRARIES = ("numpy", "scipy", "nibabel", "isal")
NULL_HYPOTHESIS = "the sample is independent of the seed at all delays"
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def sidecar_of(
    source: Provenance,
    facts: SeedFacts,
    stat: str,
    values: Array,
    space: Space,
    certainty: dict[str, Any],
) -> dict[str, Any]:
    """Collect what a reader of one map needs to know.

    Parameters
    ----------
    source
        Where the maps come from.
    facts
        The seed.
    stat
        The statistic.
    values
        The map, shape (samples,).
    space
        Where the samples lie.
    certainty
        What `certainty_entries` says of the seed.
    """
    finite = bool(np.isfinite(values).any())
    return {
        "Description": (
            MEASURE_KINDS[source.measure] if stat == "r" else STATISTICS[stat]
        ).description,
        "Sources": [
            one
            for one in (source.source, *source.others, *source.confounds_source.split(", "))
            if one
        ],
        "RepetitionTime": source.t_r,
        "RepetitionTimeSource": source.t_r_source,
        "Seed": {key: one for key, one in asdict(facts).items() if key != "source" or one},
        **_measure_entries(source, facts),
        "Mask": source.mask_source,
        "Samples": space.n_samples,
        "SamplesConstant": source.constant,
        "SamplesNotFinite": source.unusable,
        "Minimum": _plain(np.nanmin(values)) if finite else None,
        "Maximum": _plain(np.nanmax(values)) if finite else None,
        "Cleaning": asdict(source.cleaning),
        "SmoothingFWHM": source.smoothing_fwhm,
        "ConfoundColumns": list(source.confounds),
        "ConfoundRank": source.confound_rank,
        "CleaningRank": source.rank,
        "Frames": int(source.keep.size),
        "FramesKept": source.kept,
        "FramesCensored": np.flatnonzero(~source.keep).tolist(),
        **certainty,
        **({"FromStore": True} if source.from_store else {}),
        **({"Strategy": source.strategy} if source.strategy else {}),
        **({"Notes": list(source.notes)} if source.notes else {}),
        "SoftwareVersions": versions(),
        "Command": source.command,
    }


def linked_entries(sidecar: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Return the entries of a sidecar that name files, with BIDS URIs in place of paths."""
    named: dict[str, Any] = {}
    if "Sources" in sidecar:
        named["Sources"] = [links.uri(one) for one in sidecar["Sources"]]
    if "Mask" in sidecar:
        named["Mask"] = links.uri(sidecar["Mask"])
    if source := sidecar.get("Seed", {}).get("source"):
        uri, seed = links.uri(source), sidecar["Seed"]
        named["Seed"] = {
            **seed,
            "definition": seed["definition"].replace(source, uri),
            "source": uri,
        }
    return named


def _measure_entries(source: Provenance, facts: SeedFacts) -> dict[str, Any]:
    """Say which correlation r is, and how far the seeds resemble each other."""
    said: dict[str, Any] = {"Measure": source.measure}
    if source.max_lag is not None:
        said["LongestLag"] = source.max_lag
    if source.vif:
        names = [seed.name for seed in source.seeds]
        said["OtherSeeds"] = [name for name in names if name != facts.name]
        said["VarianceInflation"] = _plain(source.vif[names.index(facts.name)])
        said["ConditionNumber"] = _plain(source.condition)
    return said


def certainty_entries(
    known: Certainty, keep: Keep, r: Array, dof: Array, near: int
) -> dict[str, Any]:
    """Say how sure the maps of a seed are.

    Parameters
    ----------
    known
        The error bars.
    keep
        Frames that stay, shape (frames,).
    r, dof
        Two maps of the seed, shape (samples,).
    near
        Number of samples of its own neighbourhood.
    """
    dof = dof[np.isfinite(dof)]
    quantiles = np.quantile(dof, SHARES) if dof.size else np.full(len(SHARES), np.nan)
    return {
        "Uncertainty": known.method,
        "DofQuantiles": {f"{s:g}": _plain(q) for s, q in zip(SHARES, quantiles, strict=True)},
        "DofIfWhite": _plain(known.white_dof),
        "SamplesWithoutDof": int(np.isfinite(r).sum() - dof.size),
        "NoiseAutocorrelation": list(known.noise_autocorrelation),
        **_unevenness_entries(known, keep),
        "NullHypothesis": NULL_HYPOTHESIS,
        "SamplesNearSeed": near,
    }


def _unevenness_entries(known: Certainty, keep: Keep) -> dict[str, Any]:
    """Say how uneven the noise is in time, and which frames make it so."""
    found = known.unevenness(keep)
    if found is None:
        return {}
    return {
        "VarianceFactor": _plain(found.factor),
        "NoisiestFrame": found.largest,
        "NoisiestFrameShare": _plain(found.largest_share),
        "FramesOfLargeVariance": list(found.frames),
    }


def _plain(value: Any) -> float:
    """Shorten a float32 to the digits it has."""
    return float(f"{float(value):.7g}")


def versions() -> dict[str, str]:
    """Return the versions of everything that shapes the numbers."""
    found = {name: _installed(name) for name in LIBRARIES}
    return {"seedmap": __version__, "python": platform.python_version(), **found}


@cache
def _installed(name: str) -> str:
    return version(name)  # reads a file of the library's, which takes milliseconds


def dataset_description() -> dict[str, Any]:
    """Describe a folder of maps as a BIDS data set."""
    return {
        "Name": "Seed-to-voxel correlation maps",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "seedmap", "Version": __version__}],
    }


def write_with_sidecar(
    path: Path,
    values: NDArray[np.float32],
    space: Space,
    kind: MapKind,
    codes: tuple[int, int],
    facts: Mapping[str, Any],
) -> list[str]:
    """Write a map, as `seedmap.images.write_map` does, and its JSON; return the names of the files."""
    written = write_map(path, values, space, kind, codes)
    sidecar = write_text(path.with_name(f"{path.name}.json"), json_text(facts))
    return [one.name for one in (*written, sidecar)]


def json_text(content: Mapping[str, Any]) -> str:
    """Write JSON of files that leave the machine: no folder of it is named.

    NaN and infinity, which JSON does not know, become null.
    """
    return json.dumps(_finite(dict(content)), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def column_text(name: str, column: Iterable[float]) -> str:
    """Write a series as a table of one column."""
    return "\n".join([name, *(f"{value:.8g}" for value in column)]) + "\n"
