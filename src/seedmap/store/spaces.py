"""Where the samples of a stored run lie, as JSON and arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.images import Grayordinates, Grid, Mesh, Part, PartedSpace, Space, Surface

__all__ = ["describe_space", "recover_space"]


def describe_space(space: Space) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a space as facts (JSON) and arrays.

    Surfaces are kept in float32, as their files hold them.
    """
    arrays: dict[str, NDArray[Any]] = {"mask": space.mask}
    if not isinstance(space, PartedSpace):
        return {"affine": space.affine.tolist()}, arrays
    parts = []
    for number, part in enumerate(space.parts):
        arrays[f"places_{number}"] = part.places.astype(np.int32)
        if part.surface is not None:
            arrays[f"coordinates_{number}"] = part.surface.coordinates.astype(np.float32)
            arrays[f"triangles_{number}"] = part.surface.triangles.astype(np.int32)
        parts.append(
            {
                "name": part.name,
                "kind": part.kind,
                "names": list(part.names),
                "vertices": part.vertices,
                "affine": None if part.affine is None else part.affine.tolist(),
                "surface": None if part.surface is None else part.surface.source,
            }
        )
    xml = space.places_xml.decode() if isinstance(space, Grayordinates) else None
    return {"parts": parts, "places_xml": xml}, arrays


def recover_space(facts: Mapping[str, Any], read: Callable[[str], NDArray[Any]]) -> Space:
    """Return the space that `describe_space` described; ``read`` returns each array."""
    mask = read("mask")
    if "affine" in facts:
        return Grid(np.array(facts["affine"]), mask)
    parts = tuple(_part(number, described, read) for number, described in enumerate(facts["parts"]))
    if facts["places_xml"] is None:
        return Mesh(parts, np.array(mask))
    return Grayordinates(parts, np.array(mask), facts["places_xml"].encode())


def _part(number: int, described: Mapping[str, Any], read: Callable[[str], NDArray[Any]]) -> Part:
    surface = None
    if described["surface"] is not None:
        surface = Surface(
            read(f"coordinates_{number}").astype(np.float64),
            read(f"triangles_{number}").astype(np.int64),
            described["surface"],
        )
    return Part(
        name=described["name"],
        kind=described["kind"],
        places=read(f"places_{number}").astype(np.int64),
        vertices=int(described["vertices"]),
        affine=None if described["affine"] is None else np.array(described["affine"]),
        surface=surface,
        names=tuple(described.get("names", ())),
    )
