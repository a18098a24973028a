"""What a run's results are called (BIDS derivative names), and the texts of small files."""

import json
import platform
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._version import __version__
from seedmap.images import stem_of

__all__ = [
    "column_text",
    "dataset_description",
    "json_text",
    "label_of",
    "sibling_mask",
    "source_stem",
    "versions",
]

LIBRARIES = ("numpy", "scipy", "nibabel", "isal")


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


def dataset_description() -> dict[str, Any]:
    """Describe a folder of maps as a BIDS data set."""
    return {
        "Name": "Seed-to-voxel correlation maps",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "seedmap", "Version": __version__}],
    }


def json_text(content: Mapping[str, Any]) -> str:
    """Write JSON; NaN and infinity, which JSON does not know, become null."""
    return json.dumps(_finite(dict(content)), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def column_text(name: str, column: Iterable[float]) -> str:
    """Write a series as a table of one column."""
    return "\n".join([name, *(f"{value:.8g}" for value in column)]) + "\n"
