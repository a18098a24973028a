"""The story of one run: open, smooth, clean, correlate; and its result, `SeedMaps`."""

from seedmap.analysis.files import label_of, sibling_mask, source_stem, versions
from seedmap.analysis.maps import Provenance, SeedFacts, SeedMaps
from seedmap.analysis.story import seed_maps

__all__ = [
    "Provenance",
    "SeedFacts",
    "SeedMaps",
    "label_of",
    "seed_maps",
    "sibling_mask",
    "source_stem",
    "versions",
]
