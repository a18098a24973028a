"""The story of one run: open, smooth, clean, correlate; and its result, `SeedMaps`."""

from seedmap.analysis.drawing import can_draw
from seedmap.analysis.files import label_of, measure_entity, sibling_mask, source_stem, versions
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.prepare import Choice, Preflight, Prepared, prepare, read
from seedmap.analysis.provenance import Provenance, SeedFacts
from seedmap.analysis.story import maps_of, seed_maps

__all__ = [
    "Choice",
    "Preflight",
    "Prepared",
    "Provenance",
    "SeedFacts",
    "SeedMaps",
    "can_draw",
    "label_of",
    "maps_of",
    "measure_entity",
    "prepare",
    "read",
    "seed_maps",
    "sibling_mask",
    "source_stem",
    "versions",
]
