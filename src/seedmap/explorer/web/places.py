"""Where the samples of a run lie, for the page.

A place is three coordinates [mm]; on surfaces and grayordinates with its position in the row of
the space, since coordinates of a vertex are of no use on an inflated surface.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seedmap.explorer.cortex import name_of, position_of, voxel_box
from seedmap.explorer.engine.peaks import sample_at, sample_of
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import Session
from seedmap.explorer.web.answers import geometry
from seedmap.explorer.web.requests import place_in, whole_in
from seedmap.images import Grid, Space
from seedmap.seeds import Sphere, VertexPatch

__all__ = ["crosshair_in", "place_of", "space_facts", "start_place"]

# Where the page of a surface begins: the posterior cingulate, or the vertex nearest to it [mm].
BEGIN = [0.0, -52.0, 24.0]


def space_facts(space: Space) -> dict[str, Any]:
    """Describe a space: its box of voxels, and its parts where it has some."""
    facts: dict[str, Any] = {"element": space.element, "elements": space.elements}
    if isinstance(space, Grid):
        return facts | {"grid": geometry(space.affine, space.shape)}
    box = voxel_box(space)
    grid = Grid.whole(np.eye(4), (1, 1, 1)) if box is None else box.grid
    parts = [
        {
            "name": part.name,
            "kind": part.kind,
            "start": space.slices[part.name].start,
            "size": part.size,
            "vertices": part.vertices,
            "triangles": 0 if part.surface is None else len(part.surface.triangles),
        }
        for part in space.parts
    ]
    return facts | {"grid": geometry(grid.affine, grid.shape), "parts": parts}


def place_of(space: Space, position: int) -> list[float]:
    """Return a place, given its flat position in the space."""
    place: list[float] = np.round(space.places(np.array([position]))[0], 2).tolist()
    return place if isinstance(space, Grid) else [*place, position]


def start_place(start: Sphere | VertexPatch | None, space: Space) -> list[float]:
    """Return where the page begins."""
    if isinstance(start, VertexPatch):
        return place_of(space, position_of(start, space))
    if start is not None:
        return list(start.center)
    middle: list[float] = space.coordinates().mean(axis=0).round(0).tolist()
    return middle if isinstance(space, Grid) else BEGIN


def crosshair_in(
    question: Mapping[str, Any], session: Session | GroupSession
) -> tuple[int | None, str]:
    """Return the sample under the crosshair, None for none, and the name of the region there.

    It is given by coordinates, on surfaces and grayordinates by its position.
    """
    space = session.grid
    if isinstance(space, Grid):
        place = place_in(question, ("ax", "ay", "az"))
        return sample_at(space, place), session.name_at(place)
    position = whole_in(question, "position") if "position" in question else -1
    return sample_of(space, position), name_of(session.names, space, position)
