"""A run that is read once, cleaned by any recipe, and then answers at once. Knows no HTTP."""

from seedmap.explorer.engine.hearing import Hearing
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER, Heard, LiveRun, Peak
from seedmap.explorer.engine.opening import open_source
from seedmap.explorer.engine.recipe import Recipe, confound_groups
from seedmap.explorer.engine.source import Cleaned, Source
from seedmap.explorer.engine.stored import is_stored
from seedmap.explorer.engine.walk import Gathered, Superseded, Walk

__all__ = [
    "FULL_SCALE",
    "NOT_A_NUMBER",
    "Cleaned",
    "Gathered",
    "Heard",
    "Hearing",
    "LiveRun",
    "Peak",
    "Recipe",
    "Source",
    "Superseded",
    "Walk",
    "confound_groups",
    "is_stored",
    "open_source",
]
