"""Seed-to-voxel correlation maps of fMRI runs: fast, right, with error bars.

What it offers; the packages behind it stand in CONTRIBUTING, and the way of one run, file by
file, in the documentation:

==================  ======================================================================
`seed_maps`         one run in, one map a seed out
`stored_maps`       the same from a run that `seedmap bids --store` kept, without its images
`seed_robustness`   how far a map moves when the seed or the analysis is another one
`group_maps`        participants' maps in, what is true of people out; `Shuffles` says how it is tested
`lesion_maps`       lesions of patients through the stored runs of healthy people
`explore`           the live page: click a voxel, its map is there
`SeedMaps`          the result: numbers, images, figures, files
`Sphere` ...        the seeds: `Sphere`, `MaskSeed`, `Region`, `VertexPatch`, `SeriesSeed`,
                    `parse_seed`
`Cleaning`          how a run is cleaned
`open_run`          a run without its data: header, space, a stream of frames
`maskers`           nilearn's maskers on this package's arithmetic; `signal`, its ``clean``
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
    from seedmap import datasets, errors, maskers, report, signal
    from seedmap.analysis import SeedMaps, SeedRobustness, seed_maps, seed_robustness, stored_maps
    from seedmap.explorer import explore
    from seedmap.group import Shuffles, group_maps
    from seedmap.images import Grayordinates, Grid, Mesh, Run, open_run
    from seedmap.lesions import lesion_maps
    from seedmap.seeds import MaskSeed, Region, SeriesSeed, Sphere, VertexPatch, parse_seed
    from seedmap.temporal import Cleaning

__all__ = [
    "Cleaning",
    "Grayordinates",
    "Grid",
    "MaskSeed",
    "Mesh",
    "Region",
    "Run",
    "SeedMaps",
    "SeedRobustness",
    "SeriesSeed",
    "Shuffles",
    "Sphere",
    "VertexPatch",
    "__version__",
    "datasets",
    "errors",
    "explore",
    "group_maps",
    "lesion_maps",
    "maskers",
    "open_run",
    "parse_seed",
    "report",
    "seed_maps",
    "seed_robustness",
    "signal",
    "stored_maps",
]

_MODULES = {
    "Cleaning": "temporal",
    "Grayordinates": "images",
    "Grid": "images",
    "MaskSeed": "seeds",
    "Mesh": "images",
    "Region": "seeds",
    "Run": "images",
    "SeedMaps": "analysis",
    "SeedRobustness": "analysis",
    "SeriesSeed": "seeds",
    "Shuffles": "group",
    "Sphere": "seeds",
    "VertexPatch": "seeds",
    "explore": "explorer",
    "group_maps": "group",
    "lesion_maps": "lesions",
    "open_run": "images",
    "parse_seed": "seeds",
    "seed_maps": "analysis",
    "seed_robustness": "analysis",
    "stored_maps": "analysis",
}
_PACKAGES = ("datasets", "errors", "maskers", "report", "signal")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"seedmap.{name}")
    if name in _MODULES:
        return getattr(importlib.import_module(f"seedmap.{_MODULES[name]}"), name)
    msg = f"module 'seedmap' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
