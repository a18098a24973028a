"""Lesions of patients seen through the runs of healthy people.

The connectivity of each lesion over a cohort's stored runs, what of it goes with a score, and what
it adds to a prediction. The arithmetic knows arrays only.
"""

from seedmap.lesions.association import (
    Association,
    Times,
    associate,
    design,
    family_of,
    nuisance,
    p_patients,
    p_people,
    slopes,
)
from seedmap.lesions.connectome import Connectome, LesionMaps, lesion_series, mean_maps
from seedmap.lesions.nulls import (
    Factor,
    Places,
    compare_sets,
    direction,
    draw_set,
    group_factor,
    random_directions,
)
from seedmap.lesions.pipeline import LesionOptions, LesionStudy, lesion_maps
from seedmap.lesions.prediction import Predicted, likeness_products, predict

__all__ = [
    "Association",
    "Connectome",
    "Factor",
    "LesionMaps",
    "LesionOptions",
    "LesionStudy",
    "Places",
    "Predicted",
    "Times",
    "associate",
    "compare_sets",
    "design",
    "direction",
    "draw_set",
    "family_of",
    "group_factor",
    "lesion_maps",
    "lesion_series",
    "likeness_products",
    "mean_maps",
    "nuisance",
    "p_patients",
    "p_people",
    "predict",
    "random_directions",
    "slopes",
]
