"""Spaces made of parts: cortical surfaces, and the grayordinates of a CIFTI file.

A `Mesh` holds one hemisphere or two. `Grayordinates` hold surfaces without their medial wall and
boxes of subcortical voxels. Both are a row of parts, and a sample is a position in that row: the
left hemisphere first, then the right, then whatever follows, as nilearn and CIFTI have them.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._arrays import Array, readonly
from seedmap.errors import OptionError, SpaceMismatch

__all__ = ["Grayordinates", "Mesh", "Part", "PartedSpace", "Surface"]

# Voxels of two files closer than this share of an edge are one: affines are written as decimals.
SAME_VOXEL = 0.01

Kind = Literal["surface", "voxels", "parcels"]


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle mesh in space.

    Attributes
    ----------
    coordinates : ndarray, shape (vertices, 3)
        Where the vertices lie [mm].
    triangles : ndarray of int, shape (triangles, 3)
        Vertices of each triangle.
    source : str
        Where it comes from.
    """

    coordinates: Array
    triangles: NDArray[np.int64]
    source: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """One surface, one box of voxels, or a set of parcels.

    Attributes
    ----------
    name : str
        ``"left"`` and ``"right"`` for hemispheres, else the structure's CIFTI name.
    kind : str
        ``"surface"``, ``"voxels"`` or ``"parcels"``.
    places : ndarray of int
        Vertices of the surface, shape (n,), or voxels, shape (n, 3), that the part holds.
    vertices : int
        Vertices of the whole surface; 0 for voxels.
    affine : ndarray or None
        From voxels to millimetres, shape (4, 4).
    surface : Surface or None
        Where the vertices lie, if that is known.
    names : tuple of str
        Names of the parcels; empty for surfaces and voxels.
    """

    name: str
    kind: Kind
    places: NDArray[np.int64]
    vertices: int = 0
    affine: Array | None = None
    surface: Surface | None = None
    names: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of positions."""
        return len(self.places)

    def coordinates(self) -> Array:
        """Where the positions lie [mm], shape (n, 3); NaN where that is not known."""
        if self.kind == "surface" and self.surface is not None:
            return self.surface.coordinates[self.places]
        if self.kind == "voxels" and self.affine is not None:
            return self.places @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.full((self.size, 3), np.nan)

    def position_in(self, other: "Part", source: str) -> NDArray[np.int64]:
        """Find the same places in a part of another file.

        Vertices are the same by number, voxels by place in millimetres, parcels by name.

        Parameters
        ----------
        other
            The same structure, as another file has it.
        source
            What messages call that file.

        Returns
        -------
        ndarray of int, shape (n,)
            For each place, its position in ``other``; -1 where that lacks it.

        Raises
        ------
        SpaceMismatch
            If the surfaces have different meshes, or the voxels lie on different grids.
        """
        if self.kind == "surface":
            if self.vertices != other.vertices:
                msg = (
                    f"{source}: its {self.name} surface has {other.vertices} vertices, the run's "
                    f"{self.vertices}; give one of the run's mesh"
                )
                raise SpaceMismatch(msg)
            return _find(other.places, self.places, (self.vertices,))
        if self.kind == "parcels":
            position = {name: number for number, name in enumerate(other.names)}
            return np.array([position.get(name, -1) for name in self.names], dtype=np.int64)
        theirs = _voxels_on(self, other, source)
        low = np.minimum(self.places.min(axis=0), theirs.min(axis=0))
        box = np.maximum(self.places.max(axis=0), theirs.max(axis=0)) - low + 1
        return _find(_flat(theirs - low, box), _flat(self.places - low, box), tuple(box))


def _flat(voxels: NDArray[np.int64], box: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.ravel_multi_index(tuple(voxels.T), tuple(box)))


def _find(
    held: NDArray[np.int64], wanted: NDArray[np.int64], box: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return where each wanted number stands among those that are held; -1 for none."""
    where = np.full(int(np.prod(box)), -1, dtype=np.int64)
    where[held] = np.arange(len(held))
    return where[wanted]


def _voxels_on(part: Part, other: Part, source: str) -> NDArray[np.int64]:
    """Return the voxels of another part as indices of this part's grid, shape (n, 3)."""
    if part.affine is None or other.affine is None:
        msg = f"{source}: where its voxels of {part.name}, or the run's, lie is not said; mend the header"
        raise SpaceMismatch(msg)
    inverse = np.linalg.inv(part.affine)
    exact = other.coordinates() @ inverse[:3, :3].T + inverse[:3, 3]
    sizes = [abs(np.linalg.det(one[:3, :3])) for one in (part.affine, other.affine)]
    voxels = np.round(exact).astype(np.int64)
    if abs(sizes[0] / sizes[1] - 1) > SAME_VOXEL or np.abs(exact - voxels).max() > SAME_VOXEL:
        msg = (
            f"{source}: its voxels of {part.name} lie on another grid than the run's "
            f"({sizes[1]:.3g} and {sizes[0]:.3g} mm3 a voxel); resample it to the run's grayordinates"
        )
        raise SpaceMismatch(msg)
    return voxels


@dataclass(frozen=True, eq=False)
class PartedSpace:
    """A row of parts, of whose positions those in the mask are samples.

    Attributes
    ----------
    parts : tuple of Part
        In the order of the positions.
    mask : ndarray of bool, shape (positions,)
        True for samples.
    """

    parts: tuple[Part, ...]
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        positions = sum(part.size for part in self.parts)
        if self.mask.shape != (positions,):
            msg = f"a mask of shape {self.mask.shape} does not fit {positions} positions"
            raise SpaceMismatch(msg)
        object.__setattr__(self, "mask", readonly(np.ascontiguousarray(self.mask, dtype=bool)))

    @classmethod
    def whole(cls, parts: tuple[Part, ...]) -> Self:
        """Return the space in which every position is a sample."""
        return cls(parts, np.ones(sum(part.size for part in parts), dtype=bool))

    def within(self, mask: NDArray[Any]) -> Self:
        """Return this space with another mask."""
        return replace(self, mask=np.asarray(mask, dtype=bool))

    @property
    def element(self) -> str:
        """What a sample is called."""
        kinds = {part.kind for part in self.parts}
        if kinds == {"surface"}:
            return "vertex"
        return "parcel" if kinds == {"parcels"} else "grayordinate"

    @property
    def elements(self) -> str:
        """What samples are called."""
        return "vertices" if self.element == "vertex" else f"{self.element}s"

    @property
    def shape(self) -> tuple[int]:
        """Number of positions, as a shape."""
        return (self.mask.size,)

    @cached_property
    def n_samples(self) -> int:
        """Number of positions in the mask."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """Positions of the samples in the row, ascending, shape (samples,)."""
        return readonly(np.flatnonzero(self.mask))

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each part lies in the row."""
        ends = np.cumsum([part.size for part in self.parts]).tolist()
        starts = [0, *ends[:-1]]
        spans = zip(self.parts, starts, ends, strict=True)
        return {part.name: slice(start, end) for part, start, end in spans}

    def part(self, name: str) -> Part:
        """Return a part by name.

        Raises
        ------
        OptionError
            If there is no such part.
        """
        for part in self.parts:
            if part.name == name:
                return part
        msg = f"there is no part {name!r}; there are {', '.join(part.name for part in self.parts)}"
        raise OptionError(msg)

    def all_coordinates(self) -> Array:
        """Where all positions lie [mm], shape (positions, 3); NaN where that is not known."""
        return np.concatenate([part.coordinates() for part in self.parts])

    def places(self, positions: NDArray[np.int64]) -> Array:
        """Where positions of the row (n,) lie [mm], shape (n, 3); NaN where that is not known."""
        return self.all_coordinates()[positions]

    def coordinates(self) -> Array:
        """Where the samples lie [mm], shape (samples, 3); NaN where that is not known."""
        return self.all_coordinates()[self.mask]

    def with_surfaces(self, surfaces: dict[str, Surface]) -> Self:
        """Return this space with surfaces put to parts by name.

        Raises
        ------
        SpaceMismatch
            If a surface has another number of vertices than its part.
        """
        for name, surface in surfaces.items():
            part = self.part(name)
            if len(surface.coordinates) != part.vertices:
                msg = (
                    f"{surface.source or 'the surface'}: {len(surface.coordinates)} vertices for the "
                    f"{name} part, whose data have {part.vertices}; give the surface of that mesh"
                )
                raise SpaceMismatch(msg)
        parts = tuple(
            replace(part, surface=surfaces.get(part.name, part.surface)) for part in self.parts
        )
        return replace(self, parts=parts)

    def unmask(self, values: ArrayLike, outside: float = 0.0) -> Array:
        """Put samples (..., samples) back into the row (positions, ...), ``outside`` elsewhere."""
        values = np.asarray(values)
        row = np.full(self.shape + values.shape[:-1], outside, dtype=values.dtype)
        row[self.mask] = np.moveaxis(values, -1, 0)
        return row


class Mesh(PartedSpace):
    """Cortical surfaces: one hemisphere or two."""


@dataclass(frozen=True, eq=False)
class Grayordinates(PartedSpace):
    """The positions of a CIFTI file.

    Attributes
    ----------
    places_xml : bytes
        What the file says of its positions, word for word, for writing maps beside it.
    """

    places_xml: bytes = b""

    @classmethod
    def of_places(cls, parts: tuple[Part, ...], places_xml: bytes) -> "Grayordinates":
        """Return the space in which every position is a sample."""
        return cls(parts, np.ones(sum(part.size for part in parts), dtype=bool), places_xml)
