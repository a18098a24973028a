"""Where the vertices of a standard mesh lie, as far as nilearn ships it."""

from typing import Literal

import numpy as np

from seedmap.images import Mesh, Surface

__all__ = ["STANDARD_VERTICES", "standard_surfaces"]

# fsaverage5, the mesh that nilearn's package holds; others would have to be downloaded.
STANDARD_VERTICES = 10242


def standard_surfaces(
    space: Mesh, kind: Literal["midthickness", "inflated"] = "midthickness"
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
    if any(part.vertices != STANDARD_VERTICES for part in space.parts):
        return {}
    from nilearn.datasets import load_fsaverage

    meshes = load_fsaverage("fsaverage5")
    layers = ("white_matter", "pial") if kind == "midthickness" else ("inflated",)
    found = {}
    for part in space.parts:
        sheets = [meshes[layer].parts[part.name] for layer in layers]
        points = np.mean([sheet.coordinates for sheet in sheets], axis=0)
        triangles = np.asarray(sheets[0].faces, dtype=np.int64)
        found[part.name] = Surface(points, triangles, f"fsaverage5 {kind}")
    return found
