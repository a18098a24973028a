"""An atlas: an image of numbered regions, and the table or the labels that name them.

One rule for all who read one. The image holds whole numbers, one a voxel or place; NaN counts as
0, which is no region. Names come from a look-up table (TSV with the columns ``index`` and
``name``) that is given, or that lies beside the image under its name, or from the labels in the
file itself (GIFTI, FreeSurfer, CIFTI). Where there is none, regions go by their numbers.
"""

import csv
import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

__all__ = ["Atlas", "open_atlas", "read_atlas", "table_beside"]


@dataclass(frozen=True, eq=False)
class Atlas:
    """Numbered regions; built by `read_atlas`, or on a run's space by `open_atlas`.

    Attributes
    ----------
    labels : ndarray of int, shape (x, y, z) or (positions,)
        0 where there is no region.
    names : mapping of int to str
        Empty where no names are known: regions are then called by their number.
    source : str
        The file; empty for an image in memory.
    grid : Grid or None
        Where the labels of a volume lie; None on surfaces and grayordinates.
    """

    labels: NDArray[np.int64]
    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    grid: Grid | None = None

    @property
    def numbers(self) -> list[int]:
        """The regions that it holds, in ascending order."""
        present = np.unique(self.labels)
        return [int(number) for number in present if number > 0]

    def name(self, label: int) -> str:
        """Return what a region is called; empty for none."""
        return self.names.get(label, str(label)) if label else ""

    def name_at(self, place: Sequence[float]) -> str:
        """Return the region of a volume that holds a place [mm]; empty for none."""
        assert self.grid is not None
        voxel = np.round(self.grid.to_voxels([place])[0]).astype(int)
        if (voxel < 0).any() or (voxel >= self.grid.shape).any():
            return ""
        label = int(self.labels[tuple(voxel)])
        return self.names.get(label, f"region {label}") if label else ""

    def number_of(self, name: str) -> int | None:
        """Return the number of the region of a name; None if there is none."""
        found = [number for number, one in self.names.items() if one == name]
        return found[-1] if found else None

    def close_to(self, name: str) -> list[str]:
        """Return up to three names that resemble one."""
        names = list(self.names.values())
        return difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]

    def matching(self, text: str) -> list[int]:
        """Return the regions whose number or name fits a text, ``*`` standing for anything."""
        known = {number: self.names.get(number, f"region{number}") for number in self.numbers}
        return [n for n, one in known.items() if text == str(n) or fnmatch.fnmatchcase(one, text)]


def read_atlas(image: Any, lut: str | Path | None = None) -> Atlas:
    """Read an atlas as it is: a volume, or a CIFTI ``dlabel``.

    Parameters
    ----------
    image
        Path or nibabel image of whole numbers: 3-D, or 4-D with one volume; or a ``dlabel``.
    lut
        Look-up table. None looks for one beside the image, of the same name.

    Raises
    ------
    MissingFile
        If the image, or a table that is given, is not there.
    ImageError
        If the image holds no whole numbers in three dimensions, or the table cannot be read.
    """
    source = file_of(image)
    if source.endswith(".dlabel.nii"):
        values, names = load_cifti_map(Path(source).expanduser())
        return Atlas(values.astype(np.int64), _by_number(names), source)
    values, grid = load_volume(image, "atlas")
    if not np.array_equal(values, np.round(values)):
        msg = f"{source or 'the atlas'}: an atlas holds whole numbers; this image does not"
        raise ImageError(msg)
    return Atlas(values.astype(np.int64), _names(source, lut), source, grid)


def open_atlas(image: Any, space: Space | PartedSpace, lut: str | Path | None = None) -> Atlas:
    """Bring an atlas onto a run: onto a grid by the nearest voxel; surface files must fit.

    Parameters
    ----------
    image
        See `read_atlas`; in the space of the run. For surfaces and grayordinates ``.label.gii`` or
        ``.annot`` files by hemisphere, or a ``dlabel``.
    space
        The run's space.
    lut
        See `read_atlas`.

    Raises
    ------
    MissingFile, ImageError
        See `read_atlas`.
    SpaceMismatch
        If no region reaches the run's grid, or the places are not those of the run.
    """
    if not isinstance(space, Grid):
        values, names = load_on_parts(image, space, "atlas")
        return Atlas(values.astype(np.int64), _by_number(names), str(image))
    atlas = read_atlas(image, lut)
    assert atlas.grid is not None
    labels = resample_onto(atlas.labels.astype(np.int32), atlas.grid, space, "nearest")
    if not labels.any():
        where = atlas.source or "the atlas"
        msg = f"{where}: no region of the atlas reaches the run; is it in the same space?"
        raise SpaceMismatch(msg)
    return replace(atlas, labels=labels.astype(np.int64), grid=space)


def table_beside(source: str) -> Path:
    """Return where the look-up table of an atlas is looked for: beside it, under its name."""
    return Path(source).with_name(stem_of(source) + ".tsv") if source else Path("atlas.tsv")


def _by_number(names: Mapping[str, int]) -> dict[int, str]:
    return {number: name for name, number in names.items()}


def _names(source: str, lut: str | Path | None) -> dict[int, str]:
    """Read the names of an atlas's regions; none where there is no table."""
    path = Path(lut) if lut else table_beside(source)
    if lut is None and not path.is_file():
        return {}
    if not path.is_file():
        msg = f"{path}: this look-up table is not there; check the path"
        raise MissingFile(msg)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return {int(row["index"]): row["name"].strip() for row in rows}
    except (AttributeError, OSError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: a look-up table has the columns index (whole numbers) and name; mend it"
        raise ImageError(msg) from error
