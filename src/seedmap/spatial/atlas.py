"""Atlases: numbered regions of a volume, of surfaces or of grayordinates, and their names.

One rule for all who read one. The image holds whole numbers, one a voxel or vertex: those above 0
are regions, what is 0 or below or not finite is none. A fourth axis of one volume is dropped.
Names come from a table (TSV with the columns ``index`` and ``name``) that is given; from the
image itself (GIFTI, FreeSurfer, CIFTI); or from a table beside it under its name. Where there is
none, regions go by their numbers.
"""

import csv
import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._files import check_there, is_there
from seedmap.errors import ImageError, MissingFile, SpaceMismatch
from seedmap.images import (
    Grid,
    PartedSpace,
    Space,
    file_of,
    load_cifti_map,
    load_on_parts,
    load_volume,
    stem_of,
)
from seedmap.spatial.resampling import resample_onto

__all__ = ["Atlas", "open_atlas", "read_atlas"]


@dataclass(frozen=True, eq=False)
class Atlas:
    """Numbered regions; built by `read_atlas`, or on a run's space by `open_atlas`.

    Attributes
    ----------
    labels : ndarray of int, shape (x, y, z) or (positions,)
        0 or below where there is no region.
    names : mapping of int to str
        Empty where no names are known: regions are then called by their number.
    source : str
        The file; empty for an image in memory.
    grid : Grid or None
        Where the labels of a volume lie; None on surfaces and grayordinates.
    """

    labels: NDArray[Any]
    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    grid: Grid | None = None

    @cached_property
    def numbers(self) -> list[int]:
        """The regions that it holds, in ascending order."""
        return [int(number) for number in np.unique(self.labels) if number > 0]

    def name(self, label: int) -> str:
        """Return what a region is called; empty for none."""
        return self.names.get(label, str(label)) if label > 0 else ""

    def name_at(self, place: Sequence[float]) -> str:
        """Return the region of a volume that holds a place [mm]; empty for none."""
        assert self.grid is not None
        voxel = self.grid.canonical.nearest([place])[0]
        if (voxel < 0).any() or (voxel >= self.grid.shape).any():
            return ""
        label = int(self.labels[tuple(voxel)])
        return self.names.get(label, f"region {label}") if label > 0 else ""

    def numbers_of(self, name: str) -> list[int]:
        """Return the numbers that a name stands for: of those in the atlas, else of any."""
        found = [number for number, one in self.names.items() if one == name]
        held = set(self.numbers)
        return [number for number in found if number in held] or found

    def close_to(self, name: str) -> list[str]:
        """Return up to three names that resemble one."""
        names = list(self.names.values())
        return difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]

    def matching(self, text: str) -> list[int]:
        """Return the regions whose number or name fits a text, ``*`` standing for anything."""
        known = {number: self.names.get(number, f"region{number}") for number in self.numbers}
        return [n for n, one in known.items() if text == str(n) or fnmatch.fnmatchcase(one, text)]


def read_atlas(
    image: Any, space: Space | None = None, lut: str | Path | None = None, *, named: bool = False
) -> Atlas:
    """Read an atlas as it is: a volume on its own grid, or labels at the positions of a space.

    Parameters
    ----------
    image
        Path or nibabel image of whole numbers: 3-D, or 4-D with one volume. For surfaces and
        grayordinates ``.label.gii`` or ``.annot`` files by hemisphere, or a ``dlabel``.
    space
        The space of a run. Surfaces need it; without, a volume or a ``dlabel`` can be read.
    lut
        Look-up table. None takes the names in the image, or the table beside it, of the same name.
    named
        Whether names are needed.

    Raises
    ------
    MissingFile
        If the image, or a table that is given, is not there, or names are needed and not known.
    ImageError
        If the image holds no whole numbers in three dimensions, or the table cannot be read.
    SpaceMismatch
        If the labels are not those of the run's surfaces.
    """
    source, grid = _source(image), None
    names: dict[int, str] = {}
    if isinstance(space, PartedSpace):
        values, names = load_on_parts(image, space, "atlas")
    elif space is None and source.endswith(".dlabel.nii"):
        found = load_cifti_map(Path(source))
        values, names = found.values, found.names
    else:
        values, grid = load_volume(image, "atlas")
    table = None if lut is None else Path(lut).expanduser()
    if table is None and not names and not isinstance(image, Mapping) and source:
        table = Path(source).with_name(stem_of(source) + ".tsv")
    if table is not None and (lut is not None or is_there(table, "look-up table")):
        names = _read_table(table)
    elif named and not names:
        where = f"{table} is not there" if table else f"{source or 'the atlas'} names no region"
        msg = (
            f"{where}; to choose a region by name, put a table with the columns index and name "
            "beside the atlas, or give the region's number"
        )
        raise MissingFile(msg)
    return Atlas(_whole_numbers(values, source), names, source, grid)


def open_atlas(image: Any, space: Space, lut: str | Path | None = None) -> Atlas:
    """Bring an atlas onto a run: onto a grid by the nearest voxel; surface files must fit.

    Parameters
    ----------
    image
        See `read_atlas`; in the space of the run.
    space
        The run's space.
    lut
        See `read_atlas`.

    Raises
    ------
    MissingFile, ImageError
        See `read_atlas`.
    SpaceMismatch
        If no region reaches the run's grid, or the labels are not those of its surfaces.
    """
    atlas = read_atlas(image, space, lut)
    atlas = replace(atlas, source=atlas.source or "the atlas")
    if not isinstance(space, Grid):
        return atlas
    assert atlas.grid is not None
    labels = resample_onto(atlas.labels, atlas.grid, space, "nearest")
    if not (labels > 0).any():
        msg = f"{atlas.source}: no region of the atlas reaches the run; is it in the same space?"
        raise SpaceMismatch(msg)
    return replace(atlas, labels=labels.astype(np.int64), grid=space)


def _source(image: Any) -> str:
    """Return the file of an atlas, or the files by hemisphere; empty for what is in memory."""
    if isinstance(image, Mapping):
        return ", ".join(filter(None, map(_source, image.values())))
    file = file_of(image)
    return str(Path(file).expanduser()) if file else ""


def _whole_numbers(values: NDArray[Any], source: str) -> NDArray[Any]:
    """Return labels as integers, 0 where they are not finite."""
    if values.dtype.kind in "iu":
        return values
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    if not np.array_equal(numbers, np.round(numbers)):
        msg = f"{source or 'the atlas'}: an atlas holds whole numbers, one a region; this one does not"
        raise ImageError(msg)
    return numbers.astype(np.int32)


def _read_table(path: Path) -> dict[int, str]:
    """Read the names of regions by their numbers."""
    check_there(path, "look-up table")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        named = [(int(row["index"]), row["name"].strip()) for row in rows]
    except (AttributeError, OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        msg = f"{path}: a look-up table has the columns index (whole numbers) and name; mend it"
        raise ImageError(msg) from error
    names: dict[int, str] = {}
    for number, name in named:
        if names.setdefault(number, name) != name:
            msg = f"{path}: index {number} stands for {names[number]!r} and {name!r}; one name is wanted"
            raise ImageError(msg)
    return names
