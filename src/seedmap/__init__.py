"""Seed-to-voxel correlation maps of fMRI runs: fast, right, with an honest error bar.

The house, from the door down:

==================  ======================================================================
`seed_maps`         one run in, one map a seed out
`SeedMaps`          the result: numbers, images, figures, files
`Sphere` ...        the seeds: `Sphere`, `MaskSeed`, `Region`, `SeriesSeed`, `parse_seed`
`Cleaning`          how a run is cleaned
`open_run`          a run without its data: header, space, a stream of frames
`datasets`          a phantom with a known answer, and the reference data set
`report`            pages that a reviewer can read
`errors`            what can go wrong, and what it means
==================  ======================================================================

Names resolve on first use, so that ``import seedmap`` costs little more than NumPy.

Examples
--------
>>> import seedmap as sm
>>> sm.Sphere("PCC", (0, -52, 18), radius=8).definition
'sphere of 8 mm radius at (0, -52, 18) mm'
"""

import importlib
from typing import TYPE_CHECKING, Any

from seedmap._version import __version__

if TYPE_CHECKING:
    from seedmap import datasets, errors, report
    from seedmap.analysis import SeedMaps, seed_maps
    from seedmap.images import Grid, Run, open_run
    from seedmap.seeds import MaskSeed, Region, SeriesSeed, Sphere, parse_seed
    from seedmap.temporal import Cleaning

__all__ = [
    "Cleaning",
    "Grid",
    "MaskSeed",
    "Region",
    "Run",
    "SeedMaps",
    "SeriesSeed",
    "Sphere",
    "__version__",
    "datasets",
    "errors",
    "open_run",
    "parse_seed",
    "report",
    "seed_maps",
]

_HOMES = {
    "Cleaning": "temporal",
    "Grid": "images",
    "MaskSeed": "seeds",
    "Region": "seeds",
    "Run": "images",
    "SeedMaps": "analysis",
    "SeriesSeed": "seeds",
    "Sphere": "seeds",
    "open_run": "images",
    "parse_seed": "seeds",
    "seed_maps": "analysis",
}
_ROOMS = ("datasets", "errors", "report")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"seedmap.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"seedmap.{_HOMES[name]}"), name)
    msg = f"module 'seedmap' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
