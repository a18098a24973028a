"""Data to try seedmap on: a phantom whose answer is known, and the reference data set.

`make_phantom` builds runs here, without the network, from planted correlations.
`fetch_development` brings the data of the reference example through nilearn.
Both answer with a `Dataset`: ``func``, ``confounds``, ``t_r`` and ``description``.
"""

from seedmap.datasets.fetch import fetch_development
from seedmap.datasets.layout import Dataset
from seedmap.datasets.phantom import Phantom, PhantomOptions, make_phantom
from seedmap.datasets.study import Output, Study, make_study
from seedmap.datasets.surface import (
    SurfacePhantom,
    make_grayordinate_phantom,
    make_surface_phantom,
)
from seedmap.datasets.truth import PlantedRegion, Truth

__all__ = [
    "Dataset",
    "Output",
    "Phantom",
    "PhantomOptions",
    "PlantedRegion",
    "Study",
    "SurfacePhantom",
    "Truth",
    "fetch_development",
    "make_grayordinate_phantom",
    "make_phantom",
    "make_study",
    "make_surface_phantom",
]
