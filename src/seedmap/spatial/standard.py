"""Where the vertices of a standard mesh lie, as far as nilearn ships it."""

from typing import Literal

import numpy as np

from seedmap._arrays import Array
from seedmap.images import PartedSpace, Surface, load_surface

__all__ = ["STANDARD_VERTICES", "standard_shade", "standard_surfaces"]

# fsaverage5, the mesh that nilearn's package holds; others would have to be downloaded.
STANDARD_VERTICES = 10242


def standard_surfaces(
    space: PartedSpace, kind: Literal["midthickness", "inflated"] = "midthickness"
) -> dict[str, Surface]:
    """Return fsaverage5's surfaces for the hemispheres of a mesh that has its vertices.

    Parameters
    ----------
    space
        The mesh of a run.
    kind
        ``"midthickness"``, halfway between white matter and pia, where distances are measured;
        or ``"inflated"``, for pictures.

    Returns
    -------
    dict of Surface
        By hemisphere; empty where the run has another mesh.

    References
    ----------
    Fischl et al. (1999), Hum. Brain Mapp. 8, 272 (fsaverage).
    """
    if not _is_standard(space):
        return {}
    from nilearn.datasets import fetch_surf_fsaverage

    files = fetch_surf_fsaverage("fsaverage5")  # paths in nilearn's package: nothing is fetched
    layers = ("white", "pial") if kind == "midthickness" else ("infl",)
    found = {}
    for part in space.parts:
        sheets = [load_surface(files[f"{layer}_{part.name}"]) for layer in layers]
        points = np.mean([sheet.coordinates for sheet in sheets], axis=0)
        found[part.name] = Surface(points, sheets[0].triangles, f"fsaverage5 {kind}")
    return found


def standard_shade(space: PartedSpace) -> dict[str, Array]:
    """Return the depth of fsaverage5's folds by hemisphere; empty where the run has another mesh."""
    if not _is_standard(space):
        return {}
    from nilearn.datasets import load_fsaverage_data

    depth = load_fsaverage_data("fsaverage5", data_type="sulcal")
    return {part.name: np.asarray(depth.data.parts[part.name]) for part in space.parts}


def _is_standard(space: PartedSpace) -> bool:
    return all(part.vertices == STANDARD_VERTICES for part in space.parts)
