"""How surfaces and grayordinates are drawn: inflated hemispheres in grey, and a box of voxels.

Of what is drawn only the numbers of vertices matter: on an inflated surface millimetres are not
those of the brain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.bids import space_of
from seedmap.explorer.regions import Regions
from seedmap.images import Grid, Part, PartedSpace, Space, Surface
from seedmap.seeds import VertexPatch
from seedmap.spatial import (
    Landmarks,
    standard_shade,
    standard_surfaces,
    vertex_areas,
)

__all__ = [
    "Sheet",
    "VoxelBox",
    "folds",
    "inflated",
    "is_standard",
    "name_of",
    "position_of",
    "sheets_of",
    "voxel_box",
]

# A surface that has no inflated one is smoothed by about this much [mm].
REACH = 12.0
MOST_STEPS = 600
STEP = 0.6  # share of the way to the mean of the neighbours
# Grey of a crown, and how much darker the deepest fold is.
CROWN, DARKER = 205.0, 80.0
# Spaces whose coordinates are, within millimetres, those of MNI space.
STANDARD = ("fsLR", "fsaverage")


@dataclass(frozen=True, eq=False)
class Sheet:
    """One hemisphere as it is drawn.

    Attributes
    ----------
    surface : Surface
        What is drawn; triangles are turned outwards.
    places : ndarray, shape (vertices, 3)
        Where its vertices lie in the brain [mm].
    grey : ndarray of uint8, shape (vertices,)
        Dark in the folds.
    """

    surface: Surface
    places: Array
    grey: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class VoxelBox:
    """The smallest box that holds all voxels of a space.

    Attributes
    ----------
    grid : Grid
        The box; its mask says where voxels are.
    flat : ndarray of int, shape (positions,)
        Voxel of each position of the space, flat in the box; -1 for vertices.
    """

    grid: Grid
    flat: NDArray[np.int64]

    def volume(self, values: Array) -> Array:
        """Put the voxels of a row (positions,) into the box, 0 elsewhere."""
        box = np.zeros(self.grid.mask.size)
        box[self.flat[self.flat >= 0]] = values[self.flat >= 0]
        return box.reshape(self.grid.shape)


def is_standard(source: str) -> bool:
    """Whether a run on surfaces is in a standard space, by its name."""
    return space_of(source).startswith(STANDARD)


def sheets_of(space: PartedSpace) -> dict[str, Sheet]:
    """Return how the hemispheres of a space are drawn, by name.

    fsaverage5 is drawn as nilearn's package has it, inflated; any other mesh is inflated here.
    """
    cortex = replace(space, parts=_surfaces(space), mask=_all_of(_surfaces(space)))
    standard, depth = standard_surfaces(cortex, "inflated"), standard_shade(cortex)
    return {
        part.name: _sheet(part, standard.get(part.name), depth.get(part.name))
        for part in cortex.parts
    }


def _surfaces(space: PartedSpace) -> tuple[Part, ...]:
    return tuple(part for part in space.parts if part.kind == "surface")


def _all_of(parts: Sequence[Part]) -> NDArray[np.bool_]:
    return np.ones(sum(part.size for part in parts), dtype=bool)


def _sheet(part: Part, drawn: Surface | None, depth: Array | None) -> Sheet:
    surface = part.surface
    assert surface is not None  # see `check_shown`
    surface = _outwards(surface)
    if drawn is None or depth is None:
        drawn, depth = inflated(surface), folds(surface)
    deep = 1 / (1 + np.exp(-4 * depth / max(float(depth.std()), 1e-6)))
    grey = np.round(CROWN - DARKER * deep).astype(np.uint8)
    return Sheet(_outwards(drawn), surface.coordinates, grey)


def _outwards(surface: Surface) -> Surface:
    """Turn all triangles so that their normals point outwards."""
    corners = surface.coordinates[surface.triangles] - surface.coordinates.mean(axis=0)
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return surface if volume >= 0 else replace(surface, triangles=surface.triangles[:, ::-1])


def inflated(surface: Surface, reach: float = REACH) -> Surface:
    """Inflate a surface: smooth it, and scale it to the area that it had.

    Parameters
    ----------
    surface
        A hemisphere.
    reach
        By how much [mm].

    Returns
    -------
    Surface
        The same mesh; total area and middle are those of the given one.
    """
    points = _relaxed(surface, reach)
    middle = surface.coordinates.mean(axis=0)
    points = points - points.mean(axis=0)
    area = vertex_areas(surface).sum() / vertex_areas(replace(surface, coordinates=points)).sum()
    return replace(surface, coordinates=middle + np.sqrt(area) * points)


def folds(surface: Surface, reach: float = REACH) -> Array:
    """Say how deep each vertex lies below the smoothed surface [mm]; below 0 it lies above."""
    corners = surface.coordinates[surface.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack(
        [
            np.bincount(
                surface.triangles.ravel(), np.repeat(across[:, k], 3), len(surface.coordinates)
            )
            for k in range(3)
        ],
        axis=1,
    )
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    depth = ((_relaxed(surface, reach) - surface.coordinates) * normals).sum(axis=1)
    centred: Array = depth - np.median(depth)
    return centred


def _relaxed(surface: Surface, reach: float) -> Array:
    """Move each vertex towards the mean of its neighbours, again and again."""
    from scipy import sparse

    triangles, size = surface.triangles, len(surface.coordinates)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    lengths = np.linalg.norm(np.diff(surface.coordinates[edges], axis=1)[:, 0], axis=1)
    graph = sparse.coo_array(
        (np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (size, size)
    ).tocsr()
    graph.data[:] = 1
    count = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)
    steps = min(MOST_STEPS, int(np.ceil((reach / lengths.mean()) ** 2)))
    points = surface.coordinates
    alone = np.asarray(graph.sum(axis=1)).ravel() == 0
    for _ in range(steps):
        mean = (graph @ points) / count[:, None]
        points = np.where(alone[:, None], points, points + STEP * (mean - points))
    return points


def voxel_box(space: PartedSpace) -> VoxelBox | None:
    """Return the box of a space's voxels; None where it has none."""
    parts = [part for part in space.parts if part.kind == "voxels" and part.size]
    if not parts:
        return None
    affine = parts[0].affine
    assert affine is not None  # CIFTI states one for all
    places = np.concatenate([part.places for part in parts])
    low = places.min(axis=0)
    shape = tuple((places.max(axis=0) - low + 1).tolist())
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ low
    flat = np.full(space.mask.size, -1, dtype=np.int64)
    for part in parts:
        flat[space.slices[part.name]] = np.ravel_multi_index(tuple((part.places - low).T), shape)
    mask = np.zeros(int(np.prod(shape)), dtype=bool)
    mask[flat[flat >= 0]] = True
    return VoxelBox(Grid(moved, mask.reshape(shape)), flat)


def position_of(seed: VertexPatch, space: Space) -> int:
    """Return the position of a patch's middle in the row of a space.

    Raises
    ------
    SeedError
        If the space has no such vertex.
    """
    return int(replace(seed, radius=0).weights(space).voxels[0])


def name_of(names: Regions | Landmarks | None, space: Space, position: int) -> str:
    """Name the region at a flat position of a space; empty where nobody knows."""
    if names is None or not 0 <= position < space.mask.size:
        return ""
    if isinstance(names, Regions):
        return names.name_of(position)
    return names.name_at(space.places(np.array([position]))[0])
