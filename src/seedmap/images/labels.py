"""Maps and labels that lie on surfaces and grayordinates: GIFTI, FreeSurfer and CIFTI files.

CIFTI files are matched to the run by structure and vertex, by structure and place in millimetres, or
by parcel: two files of as many grayordinates need not have them in one order. What a file lacks is 0.
"""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._files import check_there
from seedmap.errors import ImageError, SeedmapWarning, SpaceMismatch
from seedmap.images.annot import read_annot
from seedmap.images.cifti import places_of
from seedmap.images.gifti import hemisphere_of, read_gifti
from seedmap.images.loading import load_file, reading
from seedmap.images.parts import Part, PartedSpace

__all__ = ["load_cifti_map", "load_on_parts"]

Names = dict[int, str]


def load_on_parts(image: Any, space: PartedSpace, role: str) -> tuple[NDArray[Any], Names]:
    """Load one value a position.

    Parameters
    ----------
    image
        Array of shape (positions,); path of a CIFTI ``dlabel`` or ``dscalar`` or such an image of
        nibabel's, matched by its places, of which those that it lacks are 0; path of a GIFTI
        ``.label.gii``, ``.shape.gii`` or ``.func.gii``, or of a FreeSurfer ``.annot`` (of the
        hemisphere that its name states; the other is 0); or two of these by hemisphere,
        ``{"left": ..., "right": ...}``.
    space
        The space of the run.
    role
        What messages call it.

    Returns
    -------
    values : ndarray, shape (positions,)
    names : dict
        Names of labels by number, where the file gives them. Where two hemispheres use one number
        for different names, those of the second have new numbers.

    Raises
    ------
    MissingFile
        If a file is not there.
    ImageError
        If it cannot be read.
    SpaceMismatch
        If it has another mesh, another grid or other structures than the run.
    """
    if isinstance(image, str | Path):
        path = Path(image).expanduser()
        check_there(path, role)
        image = path if path.name.endswith(".nii") else {hemisphere_of(path): path}
    if isinstance(image, Path) or hasattr(image, "dataobj"):
        found = load_cifti_map(image)
        return _matched(found, space), found.names
    if not isinstance(image, Mapping):
        values = np.asarray(image)
        _check_size(values, space.mask.size, f"the {role}", role)
        return values, {}
    return _by_hemisphere(image, space, role)


def _by_hemisphere(
    images: Mapping[str, Any], space: PartedSpace, role: str
) -> tuple[NDArray[Any], Names]:
    row: NDArray[Any] = np.zeros(space.mask.size)
    names: Names = {}
    for hemisphere, image in images.items():
        part = space.part(hemisphere)
        values, own = (
            _from_surface(image) if isinstance(image, str | Path) else (np.asarray(image), {})
        )
        _check_size(values, part.vertices, str(image) if own else f"the {role}", role)
        own, values = _beside(names, own, values)
        row[space.slices[hemisphere]] = values[part.places]
        names |= own
    return row, names


def _beside(taken: Names, names: Names, values: NDArray[Any]) -> tuple[Names, NDArray[Any]]:
    """Give labels numbers that agree with those that are taken: one number, one name."""
    number_of = {name: number for number, name in reversed(taken.items())}
    # A name that one file gives to two numbers stays in doubt.
    twice = {name for name, count in Counter(names.values()).items() if count > 1}
    number_of = {name: number for name, number in number_of.items() if name not in twice}
    free = max([*taken, *names, 0]) + 1
    new = {}
    for number, name in names.items():
        agrees = taken.get(number, name) == name and number_of.get(name, number) == number
        if number and not agrees:
            new[number] = number_of.get(name, free)
            free += name not in number_of
    if not new:
        return names, values
    moved = values.copy()
    for number, other in new.items():
        moved[values == number] = other
    return {new.get(number, number): name for number, name in names.items()}, moved


def _check_size(values: NDArray[Any], wanted: int, source: str, role: str) -> None:
    if values.shape != (wanted,):
        msg = f"{source}: {values.shape} values for {wanted} places of the run; give a {role} of its mesh"
        raise SpaceMismatch(msg)


def _from_surface(image: str | Path) -> tuple[NDArray[Any], Names]:
    """Read one map of a hemisphere."""
    path = Path(image).expanduser()
    check_there(path, "surface map")
    if path.suffix == ".annot":
        return read_annot(path)
    gifti = read_gifti(path, "surface map", ".label.gii or .annot")
    if not gifti.arrays:
        msg = f"{path}: the GIFTI file holds no data; one value a vertex is wanted"
        raise ImageError(msg)
    _warn_of_maps(str(path), len(gifti.arrays))
    return gifti.arrays[0].values.ravel(), gifti.names


@dataclass(frozen=True, eq=False)
class CiftiMap:
    """One map of a CIFTI file.

    Attributes
    ----------
    values : ndarray, shape (positions,)
        In the order of the file.
    names : dict
        Names of labels by number.
    parts : tuple of Part
        Where the values lie.
    source : str
        The file.
    """

    values: NDArray[Any]
    names: Names
    parts: tuple[Part, ...]
    source: str


def _matched(found: CiftiMap, space: PartedSpace) -> NDArray[Any]:
    """Return the values of a map at the positions of a space; 0 where the map has none."""
    row = np.zeros(space.mask.size, dtype=found.values.dtype)
    ends = np.cumsum([part.size for part in found.parts])
    theirs = {
        (part.name, part.kind): (part, found.values[end - part.size : end])
        for part, end in zip(found.parts, ends, strict=True)
    }
    met = False
    for part in space.parts:
        if (part.name, part.kind) in theirs:
            other, values = theirs[part.name, part.kind]
            position = part.position_in(other, found.source)
            row[space.slices[part.name]] = np.where(position < 0, 0, values[position])
            met |= bool((position >= 0).any())
    if not met:
        held = ", ".join(part.name for part in found.parts)
        wanted = ", ".join(part.name for part in space.parts)
        msg = f"{found.source}: no place of it ({held}) is one of the run's ({wanted}); give a map that has them"
        raise SpaceMismatch(msg)
    return row


def load_cifti_map(image: Any) -> CiftiMap:
    """Read the first map of a CIFTI file, a path or an image of nibabel's.

    Raises
    ------
    MissingFile
        If it is not there.
    ImageError
        If it cannot be read.
    """
    import nibabel as nib

    source = str(image) if isinstance(image, Path) else str(image.get_filename() or "in memory")
    wanted = "a dlabel or dscalar file"
    loaded = load_file(image, "CIFTI map", wanted) if isinstance(image, Path) else image
    with reading(source, "CIFTI map", wanted):
        axis, parts = loaded.header.get_axis(0), places_of(loaded.header.to_xml())
        values = np.asarray(loaded.dataobj[0]).ravel()
        if values.size != sum(part.size for part in parts):
            msg = f"{values.size} values for {sum(part.size for part in parts)} places"
            raise ValueError(msg)
        table = axis.label[0] if isinstance(axis, nib.cifti2.LabelAxis) else {}
        names = {int(key): name for key, (name, _) in table.items()}
        maps = int(loaded.shape[0])
    _warn_of_maps(source, maps)
    return CiftiMap(values, names, parts, source)


def _warn_of_maps(source: str, maps: int) -> None:
    if maps > 1:
        msg = f"{source}: it holds {maps} maps and the first is used; give a file of one map for another"
        warnings.warn(msg, SeedmapWarning, stacklevel=4)
