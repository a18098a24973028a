"""Seeds: what the rest of the brain is compared with.

Every seed that lies in space has a name and gives its weights on the samples of a space; a
`SeriesSeed` is a time course itself. `parse_seed` reads seeds as a user types them. Seeds are
extracted from unsmoothed data, also outside the mask, as nilearn's spheres are.
"""

from seedmap.seeds.common import DEFAULT_RADIUS, Seed, SeriesSeed
from seedmap.seeds.parse import parse_seed
from seedmap.seeds.placed import (
    AnySeed,
    PlacedSeed,
    SeedFacts,
    near_each,
    parse_seeds,
    place_seeds,
    warn_of_low_coverage,
)
from seedmap.seeds.surface import VertexPatch
from seedmap.seeds.virtual import (
    Virtual,
    equal_radius,
    random_spheres,
    virtual_seeds,
)
from seedmap.seeds.volume import MaskSeed, Region, Sphere

__all__ = [
    "DEFAULT_RADIUS",
    "AnySeed",
    "MaskSeed",
    "PlacedSeed",
    "Region",
    "Seed",
    "SeedFacts",
    "SeriesSeed",
    "Sphere",
    "VertexPatch",
    "Virtual",
    "equal_radius",
    "near_each",
    "parse_seed",
    "parse_seeds",
    "place_seeds",
    "random_spheres",
    "virtual_seeds",
    "warn_of_low_coverage",
]
