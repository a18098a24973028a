"""Gaussian smoothing of surfaces and of subcortical structures, as one sparse matrix.

Weights are a Gaussian of the distance (along the surface, or in space within a structure), then
balanced so that a constant stays a constant and the total, each vertex weighing its area, stays
the total. Nothing crosses the medial wall, a gap between hemispheres or a structure's border.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.errors import OptionError
from seedmap.images import Part, PartedSpace
from seedmap.spatial.geodesic import edge_graph, geodesic_distances, vertex_areas

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["smoothing_matrix"]

FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
# The Gaussian is cut off here; what lies beyond is a hundredth of the weight on a plane.
CUT_OFF = 3.5
# Balancing converges by a factor of ten a turn or faster; stop at float32's rounding.
BALANCED, TURNS = 1e-6, 100


def smoothing_matrix(space: PartedSpace, smoothing_fwhm: float) -> "sparse.csr_array":
    """Build the matrix that smooths the samples of a space.

    Parameters
    ----------
    space
        Surfaces need their coordinates. Only samples of the mask take part.
    smoothing_fwhm
        Full width at half maximum [mm], along the surface and in the volume alike.

    Returns
    -------
    scipy.sparse.csr_array of float32, shape (samples, samples)
        Rows sum to 1.

    Raises
    ------
    OptionError
        If a surface has no coordinates, or the space is one of parcels.

    References
    ----------
    Hagler et al. (2006), NeuroImage 33, 1093, doi:10.1016/j.neuroimage.2006.07.036 (smoothing on
    surfaces); Sinkhorn and Knopp (1967), Pacific J. Math. 21, 343 (balancing).
    """
    from scipy import sparse

    sigma = smoothing_fwhm / FWHM_PER_SIGMA
    blocks = []
    for part in space.parts:
        kept = space.mask[space.slices[part.name]]
        if not kept.any():
            continue
        distances, size = _neighbours(part, kept, CUT_OFF * sigma)
        blocks.append(_balanced(distances, size, sigma))
    return sparse.block_diag(blocks, format="csr").astype(np.float32)


def _neighbours(
    part: Part, kept: NDArray[np.bool_], limit: float
) -> "tuple[sparse.csr_array, Array]":
    """Distances between a part's samples (samples, samples), and how much each weighs."""
    if part.kind == "voxels":
        return _in_space(part.coordinates()[kept], limit), np.ones(int(kept.sum()))
    if part.surface is None:
        what = (
            "parcels have no neighbours" if part.kind == "parcels" else "its surface is not known"
        )
        msg = (
            f"{part.name}: smoothing was asked for, but {what}; give the surface "
            "(--surface-left, --surface-right), or smoothing_fwhm=None"
        )
        raise OptionError(msg)
    usable = np.zeros(part.vertices, dtype=bool)
    usable[part.places[kept]] = True
    vertices = part.places[kept]
    graph = edge_graph(part.surface, usable)
    distances = geodesic_distances(graph, vertices, limit)
    areas = vertex_areas(part.surface)[vertices]
    return distances[:, vertices], np.maximum(areas, 1e-6 * areas.mean())


def _in_space(coordinates: Array, limit: float) -> "sparse.csr_array":
    from scipy import sparse
    from scipy.spatial import cKDTree

    tree = cKDTree(coordinates)
    found = tree.sparse_distance_matrix(tree, limit, output_type="coo_matrix")
    return sparse.csr_array(found)


def _balanced(distances: "sparse.csr_array", size: Array, sigma: float) -> "sparse.csr_array":
    """Turn distances into weights whose rows sum to 1 and that keep the total.

    With a symmetric Gaussian K and sizes A, the weights are ``D K D A``; D is found so that every
    row sums to 1, and then the columns keep the total because K is symmetric.
    """
    from scipy import sparse

    kernel = distances.copy()
    kernel.data = np.exp(-0.5 * (kernel.data / sigma) ** 2)
    kernel = 0.5 * (kernel + kernel.T)
    kernel = kernel.tocsr()
    scale = 1 / np.sqrt(np.maximum(kernel @ size, 1e-30))
    for _ in range(TURNS):
        rows = scale * (kernel @ (scale * size))
        if np.abs(rows - 1).max() < BALANCED:
            break
        scale = scale / np.sqrt(rows)
    weights = sparse.diags_array(scale) @ kernel @ sparse.diags_array(scale * size)
    return weights.tocsr()
