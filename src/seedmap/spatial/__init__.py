"""On a space: masks, spheres, smoothing, resampling, and the walk that extracts a run's series."""

from seedmap.spatial.adjacency import Adjacency, adjacency, can_cluster
from seedmap.spatial.atlas import Atlas, open_atlas, read_atlas
from seedmap.spatial.automask import certain_mask, mean_volume
from seedmap.spatial.extraction import Extracted, Storage, extract
from seedmap.spatial.geodesic import distances_from, vertex_areas
from seedmap.spatial.masks import (
    Template,
    background_mask,
    epi_mask,
    grey_matter_template,
    template_mask,
)
from seedmap.spatial.memory import allocate, parse_memory
from seedmap.spatial.named_points import Landmarks, landmarks
from seedmap.spatial.neighbourhood import Neighbourhoods, neighbourhood
from seedmap.spatial.peaks import APART, local_maxima, spaced
from seedmap.spatial.resampling import resample_onto
from seedmap.spatial.smoothers import smoother_of
from seedmap.spatial.smoothing import DEFAULT_FWHM, fwhm_to_sigma, gaussian_matrix
from seedmap.spatial.spheres import sphere_voxels, spheres_of_one_radius
from seedmap.spatial.standard import standard_shade, standard_surfaces
from seedmap.spatial.walk import Reading, Sink, Start, walk
from seedmap.spatial.weights import SeedWeights

__all__ = [
    "APART",
    "DEFAULT_FWHM",
    "Adjacency",
    "Atlas",
    "Extracted",
    "Landmarks",
    "Neighbourhoods",
    "Reading",
    "SeedWeights",
    "Sink",
    "Start",
    "Storage",
    "Template",
    "adjacency",
    "allocate",
    "background_mask",
    "can_cluster",
    "certain_mask",
    "distances_from",
    "epi_mask",
    "extract",
    "fwhm_to_sigma",
    "gaussian_matrix",
    "grey_matter_template",
    "landmarks",
    "local_maxima",
    "mean_volume",
    "neighbourhood",
    "open_atlas",
    "parse_memory",
    "read_atlas",
    "resample_onto",
    "smoother_of",
    "spaced",
    "sphere_voxels",
    "spheres_of_one_radius",
    "standard_shade",
    "standard_surfaces",
    "template_mask",
    "vertex_areas",
    "walk",
]
