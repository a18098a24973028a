"""A run that is read once, cleaned by any recipe, and then answers at once. Knows no HTTP."""

from seedmap.explorer.engine.gathering import Gathered, Superseded
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER, Heard, LiveRun, Peak
from seedmap.explorer.engine.opening import open_source
from seedmap.explorer.engine.recipe import Recipe, confound_groups
from seedmap.explorer.engine.source import Cleaned, Source
from seedmap.explorer.engine.stored import is_stored
from seedmap.explorer.engine.unsmoothed import SeedVoxels

__all__ = [
    "FULL_SCALE",
    "NOT_A_NUMBER",
    "Cleaned",
    "Gathered",
    "Heard",
    "LiveRun",
    "Peak",
    "Recipe",
    "SeedVoxels",
    "Source",
    "Superseded",
    "confound_groups",
    "is_stored",
    "open_source",
]
