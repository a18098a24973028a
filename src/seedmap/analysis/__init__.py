"""The story of one run: open, smooth, clean, correlate; and its result, `SeedMaps`."""

from seedmap.analysis.base import Maps, save_maps, write_clusters
from seedmap.analysis.files import versions
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.options import Inputs, Limits, Measure, Method, Uncertainty
from seedmap.analysis.prepare import Preflight, Prepared, prepare, read
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.story import map_run, maps_of, seed_maps
from seedmap.seeds import SeedFacts

__all__ = [
    "Inputs",
    "Limits",
    "Maps",
    "Measure",
    "Method",
    "Preflight",
    "Prepared",
    "Provenance",
    "SeedFacts",
    "SeedMaps",
    "Uncertainty",
    "map_run",
    "maps_of",
    "prepare",
    "read",
    "save_maps",
    "seed_maps",
    "versions",
    "write_clusters",
]
