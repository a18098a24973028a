"""What a run's results are called (BIDS derivative names), and the texts of small files."""

import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from seedmap._version import __version__

__all__ = [
    "column_text",
    "dataset_description",
    "json_text",
    "versions",
]

LIBRARIES = ("numpy", "scipy", "nibabel", "isal")


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
