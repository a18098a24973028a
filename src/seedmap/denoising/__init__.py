"""Denoising strategies: which confounds are regressed out, which frames are censored, and why."""

from seedmap.denoising.presets import named, read_strategy, strategy_names, strategy_of
from seedmap.denoising.scrubbing import Scrubbing
from seedmap.denoising.strategies import Chosen, ChosenColumn, Expansion, Strategy
from seedmap.denoising.suggestion import suggestion, usual_columns

__all__ = [
    "Chosen",
    "ChosenColumn",
    "Expansion",
    "Scrubbing",
    "Strategy",
    "named",
    "read_strategy",
    "strategy_names",
    "strategy_of",
    "suggestion",
    "usual_columns",
]
