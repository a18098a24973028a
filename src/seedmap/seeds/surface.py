"""Seeds on surfaces and grayordinates: patches of vertices, snapped coordinates, labels."""

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import SeedError
from seedmap.images import Grid, Part, PartedSpace, Space, load_on_parts
from seedmap.seeds.common import DEFAULT_RADIUS, check_name
from seedmap.spatial import SeedWeights, distances_from

__all__ = [
    "Parcel",
    "VertexPatch",
    "around",
    "mask_on_parts",
    "part_of",
    "proportional",
    "snap",
    "sphere_on_parts",
]

# A coordinate farther than this from every vertex and voxel [mm] means another place or space:
# grey matter is 2 to 4 mm thick, and templates differ by a few millimetres.
FARTHEST_SNAP = 10.0
SAME_DISTANCE = 1e-4  # mm: coordinates are kept in float32


@dataclass(frozen=True)
class VertexPatch:
    """The vertices of a surface around one of them.

    Parameters
    ----------
    name
        Its name.
    hemisphere
        ``"left"`` or ``"right"``.
    vertex
        Number of the vertex on the whole surface, from 0.
    radius
        How far the patch reaches along the surface [mm]; None or 0 for the vertex alone.
    """

    name: str
    hemisphere: str
    vertex: int
    radius: float | None = DEFAULT_RADIUS

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.radius is not None and not (np.isfinite(self.radius) and self.radius >= 0):
            msg = f"seed {self.name!r}: radius={self.radius} mm; give 0 or more"
            raise SeedError(msg)

    @property
    def definition(self) -> str:
        """What it is, in words."""
        where = f"vertex {self.vertex} of the {self.hemisphere} surface"
        return f"{self.radius:g} mm along the surface around {where}" if self.radius else where

    @property
    def source(self) -> str:
        """Patches come from no file."""
        return ""

    def weights(self, space: Space) -> SeedWeights:
        """Return equal weights for the vertices of the patch.

        Raises
        ------
        SeedError
            If the space has no such vertex, or a radius is given and the surface is not known.
        """
        if isinstance(space, Grid) or self.hemisphere not in space.slices:
            what = "a volume" if isinstance(space, Grid) else f"made of {', '.join(space.slices)}"
            msg = f"seed {self.name!r}: {self.definition}, but the run is {what}; give a seed that it has"
            raise SeedError(msg)
        part = space.part(self.hemisphere)
        place = np.flatnonzero(part.places == self.vertex)
        if not place.size:
            why = (
                "lies in the medial wall" if 0 <= self.vertex < part.vertices else "does not exist"
            )
            msg = (
                f"seed {self.name!r}: vertex {self.vertex} {why}; the {self.hemisphere} surface has "
                f"vertices 0 to {part.vertices - 1}"
            )
            raise SeedError(msg)
        return _patch(self, space, part, int(place[0]), self.radius)


@dataclass(frozen=True)
class Parcel:
    """One parcel of a run of parcels (``ptseries``).

    Parameters
    ----------
    name
        Its name.
    parcel
        What the run calls the parcel.
    """

    name: str
    parcel: str

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def definition(self) -> str:
        """What it is, in words."""
        return f"parcel {self.parcel}"

    @property
    def source(self) -> str:
        """Parcels come from no other file."""
        return ""

    def weights(self, space: Space) -> SeedWeights:
        """Return the parcel's position.

        Raises
        ------
        SeedError
            If the run has no such parcel, or two.
        """
        names = () if isinstance(space, Grid) else sum((p.names for p in space.parts), ())
        if not names:
            msg = f"seed {self.name!r}: {self.definition}, but the run has no parcels; it is no ptseries"
            raise SeedError(msg)
        found = [place for place, one in enumerate(names) if one == self.parcel]
        if len(found) != 1:
            near = difflib.get_close_matches(self.parcel, names, n=3, cutoff=0.3) or names[:3]
            msg = (
                f"seed {self.name!r}: {len(found)} parcels of the run are called {self.parcel!r}; near "
                f"are {', '.join(near)}"
            )
            raise SeedError(msg)
        return SeedWeights(np.array(found), np.ones(1))


def _patch(
    seed: Any, space: PartedSpace, part: Part, place: int, radius: float | None
) -> SeedWeights:
    """Weigh the places of a surface within a distance of one of them equally."""
    start = space.slices[part.name].start
    if not radius:
        return SeedWeights(np.array([start + place]), np.ones(1))
    if part.surface is None:
        msg = (
            f"seed {seed.name!r}: a radius needs to know where the vertices lie; give the surface "
            "(surfaces=, --surface-left, --surface-right), or radius 0"
        )
        raise SeedError(msg)
    usable = np.zeros(part.vertices, dtype=bool)
    usable[part.places] = True
    away = distances_from(part.surface, usable, part.places[[place]], radius)
    places = np.flatnonzero(np.isfinite(away[part.places]))
    return SeedWeights(start + places, np.full(places.size, 1 / places.size))


def sphere_on_parts(seed: Any, space: PartedSpace) -> SeedWeights:
    """Snap a coordinate to the nearest place, and take what is around it.

    On a surface the radius runs along it; among voxels it is a ball.

    Raises
    ------
    SeedError
        If no place is known, or none is near.
    """
    nearest, distance = snap(seed, space)
    name, span = part_of(space, nearest)
    found = around(seed, space, nearest, seed.center)
    part = space.part(name)
    where = (
        f"vertex {part.places[nearest - span.start]} of the {name} surface"
        if part.kind == "surface"
        else f"a voxel of {name}"
    )
    note = f"snapped to {where}, {distance:.1f} mm away"
    return SeedWeights(found.voxels, found.weights, note)


def snap(seed: Any, space: PartedSpace) -> tuple[int, float]:
    """Return the position nearest to the centre of a sphere, and how far it is [mm].

    Raises
    ------
    SeedError
        If no place is known, or none is near.
    """
    places = space.all_coordinates()
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        msg = (
            f"seed {seed.name!r}: coordinates need to know where the vertices lie; give the surface "
            f"(surfaces=, --surface-left, --surface-right), or a vertex: {seed.name}=lh:vertex:1234"
        )
        raise SeedError(msg)
    distance = np.where(known, np.linalg.norm(places - np.array(seed.center), axis=1), np.inf)
    # Of places as near as the nearest, the lowest x, then y, then z: not the first of the file.
    close = np.flatnonzero(distance <= distance.min() + SAME_DISTANCE)
    nearest = int(close[np.lexsort(np.round(places[close], 3).T[::-1])[0]])
    if distance[nearest] > FARTHEST_SNAP:
        msg = (
            f"seed {seed.name!r}: the nearest vertex or voxel is {distance[nearest]:.1f} mm from "
            f"{seed.center}; at most {FARTHEST_SNAP:g} mm is allowed. Is it in the space of the surface?"
        )
        raise SeedError(msg)
    return nearest, float(distance[nearest])


def part_of(space: PartedSpace, position: int) -> tuple[str, slice]:
    """Return the name of the part that a position lies in, and the part's positions."""
    return next(
        (name, span) for name, span in space.slices.items() if span.start <= position < span.stop
    )


def around(
    seed: Any, space: PartedSpace, position: int, center: tuple[float, float, float] | None = None
) -> SeedWeights:
    """Weigh what lies within a seed's radius of a position equally.

    On a surface the radius runs along it; among voxels it is a ball about ``center``, or about
    the position itself.
    """
    name, span = part_of(space, position)
    part = space.part(name)
    if part.kind == "surface":
        return _patch(seed, space, part, position - span.start, seed.radius)
    places = space.all_coordinates()
    middle = places[position] if center is None else np.array(center)
    distance = np.linalg.norm(places - middle, axis=1)
    ball = np.flatnonzero(_voxels_of(space) & (distance <= (seed.radius or 0.0)))
    ball = np.union1d(ball, [position])
    return SeedWeights(ball, np.full(ball.size, 1 / ball.size))


def _voxels_of(space: PartedSpace) -> NDArray[np.bool_]:
    return np.concatenate([np.full(part.size, part.kind == "voxels") for part in space.parts])


def mask_on_parts(seed: Any, image: Any, space: PartedSpace) -> SeedWeights:
    """Weigh the places of a map in proportion to its values.

    Raises
    ------
    SeedError
        If it has negative values or none above 0.
    """
    values, _ = load_on_parts(image, space, f"map of seed {seed.name!r}")
    values = np.where(np.isfinite(values), values, 0)
    if (values < 0).any():
        msg = f"seed {seed.name!r}: {seed.definition} has negative values; weights of 0 or more are wanted"
        raise SeedError(msg)
    return proportional(seed, values)


def proportional(seed: Any, values: Array | NDArray[np.bool_]) -> SeedWeights:
    """Return weights in proportion to the values of the places, shape (positions,).

    Raises
    ------
    SeedError
        If none is above 0.
    """
    places = np.flatnonzero(values)
    if not places.size:
        msg = f"seed {seed.name!r}: {seed.definition} is empty; values above 0 are wanted"
        raise SeedError(msg)
    weights = values[places].astype(np.float64)
    return SeedWeights(places, weights / weights.sum())
