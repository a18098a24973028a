"""The time axis: operators that compose, and a cleaning written out as one matrix.

Knows arrays only: no files, no space.
"""

from seedmap.temporal.cleaning import (
    Cleaning,
    CleaningMatrices,
    Filter,
    cleaning_matrices,
    confound_basis,
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
from seedmap.temporal.subspace import Coordinates, own_coordinates

__all__ = [
    "Butterworth",
    "Censor",
    "Cleaning",
    "CleaningMatrices",
    "Composed",
    "Coordinates",
    "Detrend",
    "Edges",
    "Fill",
    "FillCensored",
    "Filter",
    "Nuisance",
    "TimeOperator",
    "cleaning_matrices",
    "confound_basis",
    "cosine_drift",
    "high_variance_confounds",
    "own_coordinates",
]
