"""Seeds given in millimetres or by images: spheres, masks and regions of an atlas.

On a grid a sphere takes nilearn's voxels. On surfaces and grayordinates its centre snaps to the
nearest place, and images are surface maps or CIFTI files: see `seedmap.seeds.surface`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import SeedError, SpaceMismatch
from seedmap.images import Grid, PartedSpace, Space, file_of, load_volume
from seedmap.seeds.common import DEFAULT_RADIUS, check_name, few
from seedmap.seeds.surface import mask_on_parts, proportional, sphere_on_parts
from seedmap.spatial import (
    Atlas,
    SeedWeights,
    read_atlas,
    resample_onto,
    sphere_voxels,
)

__all__ = ["MaskSeed", "Region", "Sphere"]


@dataclass(frozen=True)
class Sphere:
    """A sphere, every voxel counting the same; the voxels are those that nilearn takes.

    Parameters
    ----------
    name
        Its name.
    center
        Coordinates of the centre [mm] in the space of the run.
    radius
        Radius [mm]. None takes the nearest voxel alone.

    Raises
    ------
    SeedError
        If the centre or the radius makes no sense.
    """

    name: str
    center: tuple[float, float, float]
    radius: float | None = DEFAULT_RADIUS

    def __post_init__(self) -> None:
        check_name(self.name)
        center = np.asarray(self.center, dtype=np.float64)
        if center.shape != (3,) or not np.isfinite(center).all():
            msg = f"seed {self.name!r}: the centre {self.center} is not three finite numbers in mm"
            raise SeedError(msg)
        object.__setattr__(self, "center", tuple(float(value) for value in center))
        if self.radius is not None and not (np.isfinite(self.radius) and self.radius >= 0):
            msg = f"seed {self.name!r}: radius={self.radius} mm; give 0 or more"
            raise SeedError(msg)

    @property
    def definition(self) -> str:
        """What it is, in words."""
        place = ", ".join(f"{value:g}" for value in self.center)
        if not self.radius:
            return f"voxel nearest to ({place}) mm"
        return f"sphere of {self.radius:g} mm radius at ({place}) mm"

    @property
    def source(self) -> str:
        """Spheres come from no file."""
        return ""

    def weights(self, space: Space) -> SeedWeights:
        """Return equal weights for the voxels of the sphere, or for a patch of a surface.

        Raises
        ------
        SeedError
            If it lies outside the image, or far from every vertex.
        """
        if isinstance(space, PartedSpace):
            return sphere_on_parts(self, space)
        voxels = sphere_voxels(space.box, np.array(self.center), self.radius)
        if not len(voxels):
            corners = space.to_mm(np.array([np.zeros(3), np.array(space.shape) - 1]))
            low, high = corners.min(axis=0), corners.max(axis=0)
            box = ", ".join(f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True))
            msg = (
                f"seed {self.name!r}: {self.definition} lies outside the image, which spans {box} mm. "
                "Are the coordinates in the space of the image, and in millimetres?"
            )
            raise SeedError(msg)
        positions = np.asarray(np.ravel_multi_index(tuple(voxels.T), space.shape))
        return SeedWeights(positions, np.full(len(voxels), 1 / len(voxels)))


@dataclass(frozen=True, eq=False)
class MaskSeed:
    """The voxels of an image: a lesion, a manually drawn region, or a map of weights.

    Parameters
    ----------
    name
        Its name.
    image
        Path or nibabel image, 3-D: zeros outside, and one value or weights above 0 inside. It is
        brought onto the run's grid (masks by the nearest voxel, weights linearly).
    """

    name: str
    image: Any

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def definition(self) -> str:
        """What it is, in words."""
        return f"mask {self.source or 'in memory'}"

    @property
    def source(self) -> str:
        """The file it comes from, if any."""
        return file_of(self.image)

    def weights(self, space: Space) -> SeedWeights:
        """Return weights in proportion to the image's values.

        Raises
        ------
        SeedError
            If the image has negative values, looks like an atlas or misses the run's grid.
        """
        if isinstance(space, PartedSpace):
            return mask_on_parts(self, self.image, space)
        values, grid = load_volume(self.image, f"image of seed {self.name!r}")
        levels = np.unique(values[values != 0])
        if (levels < 0).any():
            msg = f"seed {self.name!r}: {self.definition} has negative values; weights of 0 or more are wanted"
            raise SeedError(msg)
        if levels.size > 1 and np.array_equal(levels, np.round(levels)):
            msg = (
                f"seed {self.name!r}: {self.definition} holds {levels.size} whole numbers like an atlas; "
                f"choose one region, as in {self.name}=atlas.nii.gz#{levels[0]:g}"
            )
            raise SeedError(msg)
        binary = levels.size == 1
        return _weights_from(
            values != 0 if binary else values, grid, space, "nearest" if binary else "linear", self
        )


@dataclass(frozen=True, eq=False)
class Region:
    """One region of an atlas.

    Parameters
    ----------
    name
        Its name.
    atlas
        Path or nibabel image of whole numbers, 3-D, or what `seedmap.spatial.read_atlas` made of
        one. It is brought onto the run's grid by the nearest voxel.
    label
        Number of the region in the image, or its name in the look-up table.
    lut
        Look-up table (TSV with columns ``index`` and ``name``). None looks for one beside the
        atlas, of the same name.
    """

    name: str
    atlas: Any
    label: int | str
    lut: str | Path | None = None

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def definition(self) -> str:
        """What it is, in words."""
        return f"region {self.label} of {self.source or 'an atlas in memory'}"

    @property
    def source(self) -> str:
        """The file it comes from, if any."""
        return self.atlas.source if isinstance(self.atlas, Atlas) else file_of(self.atlas)

    def weights(self, space: Space) -> SeedWeights:
        """Return equal weights for the places of the region.

        Raises
        ------
        SeedError
            If the atlas has no such region, or it misses the run's grid.
        MissingFile, ImageError, SpaceMismatch
            If the atlas or its table cannot be used.
        """
        atlas = self.atlas
        if self.source.endswith(".ptseries.nii"):
            msg = (
                f"seed {self.name!r}: {self.source} is a series and no atlas; of a run of parcels give one "
                f"by name, as {self.name}=parcel:{self.label}"
            )
            raise SeedError(msg)
        if not isinstance(atlas, Atlas):
            atlas = read_atlas(atlas, space, self.lut, named=isinstance(self.label, str))
        if isinstance(space, PartedSpace) is not (atlas.grid is None):
            kind = "a volume" if isinstance(space, Grid) else "surfaces or grayordinates"
            msg = f"seed {self.name!r}: the run is {kind}, {atlas.source or 'the atlas'} is not; give one that is"
            raise SpaceMismatch(msg)
        inside = atlas.labels == self._number_in(atlas)
        if isinstance(space, PartedSpace):
            found = proportional(self, inside)
            parts = [name for name, span in space.slices.items() if inside[span].any()]
            note = f"in {' and '.join(parts)}" if len(parts) > 1 else ""
            return SeedWeights(found.voxels, found.weights, note)
        assert atlas.grid is not None
        return _weights_from(inside, atlas.grid, space, "nearest", self)

    def _number_in(self, atlas: Atlas) -> int:
        """Find the region's number, by name where a name is given."""
        where = f"seed {self.name!r}: {atlas.source or 'the atlas'}"
        label = self.label
        found = atlas.numbers_of(label) if isinstance(label, str) else [int(label)]
        if not found:
            near = few(atlas.close_to(str(label)))
            msg = f"{where} has no region {label!r}; near are {near}"
            raise SeedError(msg)
        if len(found) > 1:
            msg = f"{where}: {label!r} is the name of {len(found)} regions, {few(found)}; give one number"
            raise SeedError(msg)
        (number,) = found
        if number <= 0:
            msg = f"{where}: {label!r} is label {number}, the background and no region; give one above 0"
            raise SeedError(msg)
        if number not in atlas.numbers:
            held = f"{len(atlas.numbers)} regions: {few(atlas.numbers)}"
            msg = f"{where} has no region {number}; it holds {held}"
            raise SeedError(msg)
        return number


def _weights_from(
    values: NDArray[Any], grid: Grid, space: Grid, interpolation: Any, seed: MaskSeed | Region
) -> SeedWeights:
    """Bring an image onto the run's grid and let its values weigh."""
    onto = resample_onto(values, grid, space, interpolation).ravel()
    positions = np.flatnonzero(onto > 0)
    if not positions.size:
        msg = f"seed {seed.name!r}: {seed.definition} {_why_none(values, grid, space)}"
        raise SeedError(msg)
    weights = onto[positions].astype(np.float64)
    return SeedWeights(positions, weights / weights.sum())


def _why_none(values: NDArray[Any], grid: Grid, space: Grid) -> str:
    """Say why an image has no voxel on the grid of a run, and what to do."""
    inside = np.argwhere(values)
    if not inside.size:
        return "is empty; values above 0 are wanted"
    voxels = space.to_voxels(grid.to_mm(inside))
    if not ((voxels > -0.5) & (voxels < np.array(space.shape) - 0.5)).all(axis=1).any():
        return "lies outside the run; is it in the space of the run?"
    volume = len(inside) * grid.voxel_volume
    return (
        f"({volume:.0f} mm3) is in the box of the run, but no voxel centre of the run is in it: it is "
        f"small for voxels of {space.voxel_volume:.0f} mm3; give a larger region, or a sphere"
    )
