"""Where the grayordinates of a phantom lie: two smooth hemispheres and balls of voxels.

The counts are those of the Human Connectome Project's 91k grayordinates. The places are not a
brain's: each hemisphere is an ellipsoid, each structure the voxels nearest to its centre.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.images import Surface

__all__ = ["brain_models", "ellipsoid"]

FREQUENCY = 57  # parts of an edge of the icosahedron: 10 n^2 + 2 = 32,492 vertices
CORTEX = {"left": 29_696, "right": 29_716}
CENTRE, RADII = np.array([34.0, -18.0, 18.0]), np.array([32.0, 85.0, 60.0])
MEDIAL = np.array([2.0, 2.0, 4.0])  # the middle of the medial wall
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
SHAPE = (91, 109, 91)
# Voxels and centre [mm] of each structure, x away from the middle; left and right if two counts.
STRUCTURES = {
    "ACCUMBENS": ((135, 140), (9, 11, -7)),
    "AMYGDALA": ((315, 332), (23, -4, -18)),
    "BRAIN_STEM": ((3472,), (0, -30, -32)),
    "CAUDATE": ((728, 755), (13, 11, 10)),
    "CEREBELLUM": ((8709, 9144), (25, -62, -36)),
    "DIENCEPHALON_VENTRAL": ((706, 712), (8, -16, -8)),
    "HIPPOCAMPUS": ((764, 795), (26, -24, -12)),
    "PALLIDUM": ((297, 260), (19, -4, 0)),
    "PUTAMEN": ((1060, 1010), (27, 2, 0)),
    "THALAMUS": ((1288, 1248), (11, -19, 8)),
}


def ellipsoid(hemisphere: str, frequency: int = FREQUENCY) -> Surface:
    """Return a hemisphere as an ellipsoid of ``10 frequency^2 + 2`` vertices."""
    points, triangles = _sphere(frequency)
    side = np.array([-1.0 if hemisphere == "left" else 1.0, 1, 1])
    return Surface(points * RADII + CENTRE * side, triangles, f"{hemisphere} ellipsoid")


def brain_models() -> tuple[Any, dict[str, Surface]]:
    """Return CIFTI's axis of 91,282 grayordinates, and the surfaces they lie on."""
    import nibabel as nib

    axes, surfaces = [], {}
    for name, count in CORTEX.items():
        surfaces[name] = ellipsoid(name)
        side = np.array([-1.0 if name == "left" else 1.0, 1, 1])
        away = np.linalg.norm(surfaces[name].coordinates - MEDIAL * side, axis=1)
        cortex = np.zeros(away.size, dtype=bool)
        cortex[np.argsort(-away, kind="stable")[:count]] = True
        axes.append(nib.cifti2.BrainModelAxis.from_mask(cortex, name=f"cortex_{name}"))
    for structure, voxels in _structures():
        axes.append(
            nib.cifti2.BrainModelAxis(
                f"CIFTI_STRUCTURE_{structure}", voxel=voxels, affine=AFFINE, volume_shape=SHAPE
            )
        )
    whole = axes[0]
    for axis in axes[1:]:
        whole = whole + axis
    return whole, surfaces


def _structures() -> list[tuple[str, NDArray[np.int64]]]:
    """List the voxels of each structure: those nearest to its centre that are free."""
    voxels = np.indices(SHAPE).reshape(3, -1).T
    places = voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    free = np.ones(len(voxels), dtype=bool)
    found = []
    for name, (counts, centre) in STRUCTURES.items():
        for side, count in zip(("LEFT", "RIGHT"), counts, strict=False):
            sign = -1 if side == "LEFT" else 1
            away = np.abs(places - np.array(centre) * [sign, 1, 1]).max(axis=1)
            own = free & ((np.sign(places[:, 0]) == sign) | (len(counts) == 1))
            candidates = np.flatnonzero(own & (away < 40))
            distance = np.linalg.norm(places[candidates] - np.array(centre) * [sign, 1, 1], axis=1)
            chosen = np.sort(candidates[np.argsort(distance, kind="stable")[:count]])
            free[chosen] = False
            found.append((name if len(counts) == 1 else f"{name}_{side}", voxels[chosen]))
    return found


def _sphere(frequency: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Part each face of an icosahedron into small triangles, on the unit sphere."""
    corners, faces = _icosahedron()
    steps = [(i, j) for i in range(frequency + 1) for j in range(frequency + 1 - i)]
    i, j = np.array(steps).T
    shares = np.stack([frequency - i - j, i, j], axis=1) / frequency
    number = {step: place for place, step in enumerate(steps)}
    small = [
        [number[a, b], number[a + 1, b], number[a, b + 1]] for a, b in steps if a + b < frequency
    ]
    small += [
        [number[a + 1, b], number[a + 1, b + 1], number[a, b + 1]]
        for a, b in steps
        if a + b < frequency - 1
    ]
    points = np.concatenate([shares @ corners[face] for face in faces])
    triangles = np.concatenate([np.array(small) + k * len(steps) for k in range(len(faces))])
    # Faces share their edges: equal points become one.
    _, first, same = np.unique(np.round(points, 6), axis=0, return_index=True, return_inverse=True)
    points = points[first] / np.linalg.norm(points[first], axis=1, keepdims=True)
    return points, np.asarray(same).ravel()[triangles]


def _icosahedron() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the twelve corners of an icosahedron, and its twenty faces, seen from outside."""
    from scipy.spatial import ConvexHull

    golden = (1 + np.sqrt(5)) / 2
    plane = np.array([(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)])
    corners = np.concatenate([np.roll(plane, turn, axis=1) for turn in range(3)])
    faces = ConvexHull(corners).simplices.astype(np.int64)
    a, b, c = (corners[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    return corners, faces
