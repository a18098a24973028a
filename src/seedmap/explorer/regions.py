"""The regions of an atlas on the space of a run: where they lie, what they are called, and as seeds.

A region is the same set of places as by ``seedmap run --seed NAME=atlas.nii.gz#31``: labels are
brought onto the run's grid by the nearest voxel. Of two files, one a hemisphere, each is an atlas of
its own, as it is to that command.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError, SeedError
from seedmap.images import Grid, Space, file_of, hemisphere_of
from seedmap.seeds import Region, Sphere, VertexPatch
from seedmap.seeds.common import check_name
from seedmap.spatial import Atlas, SeedWeights, open_atlas

__all__ = ["Chosen", "RegionSeed", "Regions", "by_hemisphere", "open_regions"]

# Regions are numbered by 16 bits.
MOST_REGIONS = 65_535
LONGEST_NAME = 40  # of a seed that is called after its region


@dataclass(frozen=True)
class Named:
    """One region: its atlas, its label there, and what the page calls it."""

    atlas: Atlas
    label: int
    name: str


@dataclass(frozen=True, eq=False)
class Regions:
    """All regions that reach a run, numbered from 1.

    Attributes
    ----------
    space : Grid, Mesh or Grayordinates
        The run's space.
    labels : ndarray of uint16, shape (positions,)
        The region at each position of the space, flat in C order; 0 for none.
    named : tuple of Named
        The regions, in the order of their numbers.
    """

    space: Space
    labels: NDArray[np.uint16]
    named: tuple[Named, ...]

    def name_of(self, position: int) -> str:
        """Name the region at a flat position of the space; empty for none."""
        number = int(self.labels[position]) if 0 <= position < self.labels.size else 0
        return self.named[number - 1].name if number else ""

    def name_at(self, place: Sequence[float]) -> str:
        """Name the region of a volume that holds a place [mm]; empty for none."""
        space = self.space
        assert isinstance(space, Grid)  # on surfaces a place is a position
        voxel = np.floor(space.to_voxels([place])[0] + 0.5).astype(int)  # as the page rounds
        if (voxel < 0).any() or (voxel >= space.shape).any():
            return ""
        return self.name_of(int(np.ravel_multi_index(tuple(voxel), space.shape)))

    def seed(self, number: int, name: str = "") -> "RegionSeed":
        """Return a region as a seed, by its number and perhaps another name.

        Raises
        ------
        SeedError
            If there is no such region.
        """
        if not 1 <= number <= len(self.named):
            msg = f"region {number}: the atlas has regions 1 to {len(self.named)} here; choose one"
            raise SeedError(msg)
        return RegionSeed(name or self.named[number - 1].name[:LONGEST_NAME], number, self)

    def middles(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the position of each region that is nearest to its centre, shape (regions,).

        Of a region that reaches the mask its part there counts; of another, all of it.
        """
        at = np.flatnonzero(self.labels)
        of = self.labels[at].astype(np.int64) - 1
        inside = mask.ravel()[at]
        reached = np.zeros(len(self.named), dtype=bool)
        reached[of[inside]] = True
        counts = inside | ~reached[of]
        at, of = at[counts], of[counts]
        places = np.nan_to_num(self.space.places(at))
        away = np.linalg.norm(places - _centres(places, of, len(self.named))[of], axis=1)
        order = np.lexsort((away, of))
        _, first = np.unique(of[order], return_index=True)
        found: NDArray[np.int64] = at[order[first]]
        return found


@dataclass(frozen=True)
class RegionSeed:
    """A region of the atlas as a seed: all its places count the same.

    Two are equal that have the same name and region.

    Parameters
    ----------
    name
        Its name.
    number
        The region's.
    regions
        All regions.
    """

    name: str
    number: int
    regions: Regions

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def label(self) -> int:
        """The region's number in the atlas."""
        return self.regions.named[self.number - 1].label

    @property
    def definition(self) -> str:
        """What it is, in words."""
        return self._region.definition

    @property
    def source(self) -> str:
        """The file of the atlas; empty for one in memory."""
        return self._region.source

    @property
    def radius(self) -> None:
        """A region has none."""

    def weights(self, space: Space) -> SeedWeights:
        """Return equal weights for the places of the region; see `seedmap.seeds.Region`."""
        return self._region.weights(space)

    @property
    def _region(self) -> Region:
        one = self.regions.named[self.number - 1]
        return Region(self.name, one.atlas, one.label)


# What a seed of the explorer may be.
Chosen = Sphere | VertexPatch | RegionSeed


def _centres(places: Array, of: NDArray[np.int64], count: int) -> Array:
    size = np.maximum(np.bincount(of, minlength=count), 1)
    sums = [np.bincount(of, places[:, axis], count) for axis in range(3)]
    return np.stack(sums, axis=1) / size[:, None]


def open_regions(atlas: Any, space: Space) -> Regions:
    """Bring an atlas onto a run.

    Parameters
    ----------
    atlas
        See `seedmap.spatial.read_atlas`; two files by hemisphere as ``{"left": ..., "right": ...}``.
    space
        The run's space.

    Raises
    ------
    MissingFile, ImageError, SpaceMismatch
        See `seedmap.spatial.open_atlas`.
    OptionError
        If files by hemisphere are given for a volume, or there are too many regions.
    """
    if not isinstance(atlas, Mapping):
        return _numbered([("", _opened(atlas, space))], space)
    if isinstance(space, Grid):
        files = ", ".join(map(str, atlas.values()))
        msg = f"{files}: an atlas by hemisphere, but the run is a volume; give one label image"
        raise OptionError(msg)
    return _numbered(
        [(f"{side} ", _opened({side: one}, space)) for side, one in atlas.items()], space
    )


def by_hemisphere(files: Sequence[Path]) -> Path | dict[str, Path] | None:
    """Return the files of an atlas as `open_regions` takes them: one, or one a hemisphere.

    Raises
    ------
    ImageError
        If there are several and a name does not state the hemisphere.
    OptionError
        If two are of one hemisphere.
    """
    if len(files) < 2:
        return files[0] if files else None
    found = {hemisphere_of(file): file for file in files}
    if len(found) < len(files):
        msg = f"--atlas: {', '.join(map(str, files))} are of one hemisphere; give one a hemisphere"
        raise OptionError(msg)
    return found


def _opened(atlas: Any, space: Space) -> Atlas:
    """Open one atlas; one in memory has no file that a command could name."""
    opened = open_atlas(atlas, space)
    given = atlas if isinstance(atlas, Mapping) else {"": atlas}
    return opened if all(map(file_of, given.values())) else replace(opened, source="")


def _numbered(pieces: Sequence[tuple[str, Atlas]], space: Space) -> Regions:
    """Give regions numbers, those of one atlas after those of another; equal names get their hemisphere."""
    labels = np.zeros(space.mask.size, dtype=np.int64)
    found: list[tuple[str, Named]] = []
    for side, atlas in pieces:
        numbers = np.array(atlas.numbers, dtype=np.int64)
        flat = atlas.labels.ravel()
        here = flat > 0
        labels[here] = np.searchsorted(numbers, flat[here]) + 1 + len(found)
        names = [atlas.names.get(label, f"region {label}") for label in atlas.numbers]
        found += [
            (side, Named(atlas, label, name))
            for label, name in zip(atlas.numbers, names, strict=True)
        ]
    if len(found) > MOST_REGIONS:
        msg = f"{pieces[0][1].source}: {len(found):,} regions; the explorer shows {MOST_REGIONS:,} at most"
        raise OptionError(msg)
    often = Counter(one.name for _, one in found)
    named = [
        replace(one, name=_short(side if often[one.name] > 1 else "", one)) for side, one in found
    ]
    return Regions(space, labels.astype(np.uint16), tuple(named))


def _short(side: str, one: Named) -> str:
    """Name a region so that a seed can be called the same."""
    name = f"{side}{one.name}".replace("=", " ").strip()
    return (
        name
        if any(letter.isascii() and letter.isalnum() for letter in name)
        else f"region {one.label}"
    )
