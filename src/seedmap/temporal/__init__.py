"""The time axis: operators that compose, and a cleaning written out as one matrix.

Knows arrays only: no files, no space.
"""

from seedmap.temporal.blocks import BlockCleaner, Cleaner, Remover
from seedmap.temporal.cleaning import (
    Cleaning,
    CleaningOperator,
    Filter,
    cleaning_operator,
    confound_basis,
    repeated_columns,
)
from seedmap.temporal.highvariance import high_variance_confounds
from seedmap.temporal.operators import (
    Butterworth,
    Censor,
    Composed,
    Detrend,
    Edges,
    Fill,
    FillCensored,
    Nuisance,
    TimeOperator,
    cosine_drift,
)

__all__ = [
    "BlockCleaner",
    "Butterworth",
    "Censor",
    "Cleaner",
    "Cleaning",
    "CleaningOperator",
    "Composed",
    "Detrend",
    "Edges",
    "Fill",
    "FillCensored",
    "Filter",
    "Nuisance",
    "Remover",
    "TimeOperator",
    "cleaning_operator",
    "confound_basis",
    "cosine_drift",
    "high_variance_confounds",
    "repeated_columns",
]
