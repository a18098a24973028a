"""A run that is read once, cleaned by any settings, and then answers at once. Knows no HTTP."""

from seedmap.explorer.engine.explorable import Cleaned, Explorable
from seedmap.explorer.engine.gathering import Gathered
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER, LiveRun, SeedSignal
from seedmap.explorer.engine.noise import Noise, Superseded
from seedmap.explorer.engine.opening import open_source
from seedmap.explorer.engine.peaks import find_peaks, sample_at
from seedmap.explorer.engine.scores import Scores, scores_of
from seedmap.explorer.engine.settings import Settings, confound_groups
from seedmap.explorer.engine.stored import is_stored
from seedmap.explorer.engine.unsmoothed import SeedVoxels

__all__ = [
    "FULL_SCALE",
    "NOT_A_NUMBER",
    "Cleaned",
    "Explorable",
    "Gathered",
    "LiveRun",
    "Noise",
    "Scores",
    "SeedSignal",
    "SeedVoxels",
    "Settings",
    "Superseded",
    "confound_groups",
    "find_peaks",
    "is_stored",
    "open_source",
    "sample_at",
    "scores_of",
]
