"""The participants' maps as one array, whatever their space."""

import xml.etree.ElementTree as ET
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import columns_of, release
from seedmap.errors import ImageError, OutputError, SpaceMismatch, TruncatedImage
from seedmap.group.people import Member, OneSeed, Piece
from seedmap.images import (
    Grayordinates,
    Grid,
    PartedSpace,
    Space,
    Surface,
    file_of,
    hemisphere_of,
    load_cifti_map,
    load_image,
)
from seedmap.images.gifti import mesh_of
from seedmap.spatial import allocate, standard_surfaces

__all__ = ["Loaded", "load_people", "same_space"]

Row = NDArray[np.float32]
SPARE = 1.05
# Maps that are put into a temporary file take more than this [bytes].
LARGE = 32e6


@dataclass(frozen=True, eq=False)
class Loaded:
    """The maps of people.

    Attributes
    ----------
    space : Grid, Mesh or Grayordinates
        With the samples that anybody has.
    maps : ndarray of float32, shape (people, samples)
        Fisher transforms, NaN where somebody has none. Large ones lie in a temporary file.
    variances : ndarray of float32, shape (people, samples), or None
        Squares of their standard errors; None where not all people have some. They may lie in a
        temporary file: `variances_at` reads some of them without holding all in memory.
    near : ndarray of bool, shape (samples,), or None
        Whether a sample is near the seed of anybody; None where that is not known.
    codes : tuple of int
        The sform and qform codes of the first map.
    """

    space: Space
    maps: NDArray[np.float32]
    variances: NDArray[np.float32] | None
    near: NDArray[np.bool_] | None
    codes: tuple[int, int]

    def release(self) -> None:
        """Give back the memory of arrays that lie in temporary files, which what looks at all of them takes."""
        for held in (self.maps, self.variances):
            if held is not None:
                release(held)

    def variances_at(self, samples: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the variances at some samples, shape (people, samples), or None."""
        if self.variances is None:
            return None
        return np.asarray(columns_of(self.variances, samples), dtype=np.float32)


def load_people(members: Sequence[Member], surfaces: Mapping[str, Surface]) -> Loaded:
    """Load the maps of people, and combine those of one person by their weights.

    Parameters
    ----------
    members
        The people.
    surfaces
        Where the vertices lie, by hemisphere; empty for those of fsaverage5, or not known.

    Raises
    ------
    SpaceMismatch
        If the maps of two people lie on other grids.
    """
    first, space, codes = _load(members[0].pieces[0].effect)
    near = np.zeros(first.size, dtype=bool) if all(_knows_near(one) for one in members) else None
    maps, there = _effects(members, space, near)
    variances, outside = None, maps.nbytes > LARGE
    if outside:
        maps = _put_outside(maps)
    if all(_has_se(one) for one in members):
        variances = _variances(members, space, there, outside=outside)
    return Loaded(
        _with_surfaces(space, surfaces).within(space.unmask(there)),
        maps,
        variances,
        None if near is None else near[there],
        codes,
    )


def _effects(
    members: Sequence[Member], space: Space, near: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Load the maps of people at the samples that anybody has, and return these; ``near`` is filled.

    Each file is read once, though only then it is known which samples there are: the values of a map
    are put side by side in its row, with a bit a position, and spread over the samples afterwards.
    """
    parts = [(member, piece) for member in members for piece in member.pieces]
    size = int(np.prod(space.mask.shape))
    rows, there = np.empty((len(parts), 0), np.float32), np.zeros(size, dtype=bool)
    places = np.empty((len(parts), -(-size // 8)), np.uint8)
    for number, (member, piece) in enumerate(parts):
        values = _on(piece.effect, space, members[0], member)
        own = np.isfinite(values)
        rows = _at_least(rows, int(own.sum()))
        places[number], rows[number, : own.sum()] = np.packbits(own), values[own]
        there |= own
        if near is not None:
            near |= _near_in(piece, values, space, members[0], member)
    width, part = int(there.sum()), 0
    if not width:
        msg = f"{_named(members[0].pieces[0].effect)}: no sample of these maps has a value; give other maps"
        raise ImageError(msg)
    rows = _at_least(rows, width)
    for at, member in enumerate(members):  # each row is read before anybody's result is put there
        total = np.zeros(width, np.float32)
        for piece in member.pieces:
            own = np.unpackbits(places[part], count=size).view(bool)
            values = np.full(size, np.nan, np.float32)
            values[own] = rows[part, : own.sum()]
            total += np.float32(piece.weight) * values[there]
            part += 1
        rows[at, :width] = total
    return rows[: len(members), :width], there


def _variances(
    members: Sequence[Member], space: Space, there: NDArray[np.bool_], *, outside: bool
) -> NDArray[np.float32]:
    """Load the squares of standard errors, into memory or ``outside``."""
    variances = _space((len(members), int(there.sum())), outside=outside)
    for row, member in zip(variances, members, strict=True):
        row[:] = 0
        for piece in member.pieces:
            error = _on(_se_of(piece), space, members[0], member)[there]
            row += np.float32(piece.weight**2) * error**2
        release(variances)
    return variances


def _space(shape: tuple[int, int], *, outside: bool) -> NDArray[np.float32]:
    """Make an empty array, in a temporary file if that is wanted and the disk has space for it."""
    try:
        return allocate(shape, np.float32, 0 if outside else None)
    except OutputError:
        return allocate(shape, np.float32, None)


def _put_outside(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put maps into a temporary file: what is prepared from them is what shuffles need in memory."""
    held = _space((len(maps), maps.shape[1]), outside=True)
    for row, values in zip(held, maps, strict=True):
        row[:] = values
        release(held)
    return held


def _at_least(rows: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Make rows wide enough, with some to spare: people's maps have about as many samples each."""
    if width <= rows.shape[1]:
        return rows
    wider = np.empty((len(rows), int(SPARE * width)), np.float32)
    wider[:, : rows.shape[1]] = rows
    return wider


def _with_surfaces(space: Space, surfaces: Mapping[str, Surface]) -> Any:
    if isinstance(space, Grid):
        return space
    known = dict(surfaces) or standard_surfaces(space)
    return space.with_surfaces(known) if known else space


def _has_se(member: Member) -> bool:
    return all(piece.se is not None or _certain(piece.effect) for piece in member.pieces)


def _certain(effect: Any) -> bool:
    return isinstance(effect, OneSeed) and effect.maps.certainty is not None


def _knows_near(member: Member) -> bool:
    return all(piece.q is not None or isinstance(piece.effect, OneSeed) for piece in member.pieces)


def _se_of(piece: Piece) -> Any:
    return (piece.effect, "se") if isinstance(piece.effect, OneSeed) else piece.se


def _near_in(
    piece: Piece, values: Row, space: Space, first: Member, member: Member
) -> NDArray[np.bool_]:
    """Say which samples are near the seed: q has no value there."""
    if isinstance(piece.effect, OneSeed):
        maps = piece.effect.maps
        found = np.zeros(maps.space.n_samples)
        found[maps.near[maps.index(piece.effect.seed)]] = 1
        return np.asarray(maps.space.unmask(found)).ravel() > 0
    known = _on(piece.q, space, first, member, zero=True)
    return np.isfinite(values) & np.isnan(known)


def _on(image: Any, space: Space, first: Member, member: Member, *, zero: bool = False) -> Row:
    """Load a map that must lie in a space; shape (positions,)."""
    values, own, _ = _load(image, zero=zero)
    if not same_space(own, space):
        msg = (
            f"{_named(image)}: the map of sub-{member.label} lies on another grid ({_size(own)}) than "
            f"that of sub-{first.label} ({_size(space)}); choose maps of one --space and --res"
        )
        raise SpaceMismatch(msg)
    return values


def _size(space: Space) -> str:
    shape = " x ".join(map(str, space.shape))
    if isinstance(space, Grid):
        return f"{shape}, {' x '.join(f'{size:.3g}' for size in space.voxel_sizes)} mm"
    return f"{shape} {space.elements}"


def same_space(one: Space, other: Space) -> bool:
    """Whether two spaces have the same places, whatever their masks."""
    if isinstance(one, Grid) or isinstance(other, Grid):
        return isinstance(one, Grid) and isinstance(other, Grid) and one.same_grid(other)
    return len(one.parts) == len(other.parts) and all(
        a.name == b.name and a.kind == b.kind and np.array_equal(a.places, b.places)
        for a, b in zip(one.parts, other.parts, strict=True)
    )


def _named(image: Any) -> str:
    if isinstance(image, tuple):
        return _named(image[0])
    if isinstance(image, OneSeed):
        return image.maps.provenance.source
    return file_of(image) or "a map"


def _load(image: Any, *, zero: bool = False) -> tuple[Row, Any, tuple[int, int]]:
    """Load a map: values at all positions, NaN where there is none, the whole space, and codes.

    Maps are 0 outside their mask; with ``zero``, such values stay.
    """
    if isinstance(image, OneSeed):
        image = (image, "fisherz")
    if isinstance(image, tuple) and isinstance(image[0], OneSeed):
        return _of_seed_maps(*image)
    codes = (2, 0)
    space: Any
    if isinstance(image, tuple) or str(image).endswith(".gii"):
        values, space = _of_surfaces(image if isinstance(image, tuple) else (image,))
    elif str(image).endswith((".dscalar.nii", ".pscalar.nii")):
        values, space = _of_cifti(image)
    else:
        values, space, codes = _of_volume(image)
    values = values.astype(np.float32)
    if not zero:
        values[~np.isfinite(values) | (values == 0)] = np.nan
    return values, space, codes


def _of_seed_maps(one: OneSeed, stat: str) -> tuple[Row, Any, tuple[int, int]]:
    maps, space = one.maps, one.maps.space
    row = np.asarray(space.unmask(maps.values(one.seed, stat), outside=np.nan)).ravel()
    whole: Any = space.within(np.ones(space.mask.shape, dtype=bool))
    return row.astype(np.float32), whole, maps.codes


def _of_volume(image: Any) -> tuple[NDArray[Any], Grid, tuple[int, int]]:
    loaded = load_image(image, role="participant's map")
    try:
        values = np.asarray(loaded.dataobj)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        msg = f"{_named(image)}: the end of this participant's map is missing or damaged; make it again"
        raise TruncatedImage(msg) from error
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    if values.ndim != 3:
        msg = f"{_named(image)}: this participant's map has shape {values.shape}; a 3-D image is wanted"
        raise ImageError(msg)
    header = loaded.header
    known = "sform_code" in header if hasattr(header, "__contains__") else False
    codes = (int(header["sform_code"]), int(header["qform_code"])) if known else (2, 0)
    return values.ravel(), Grid.whole(loaded.affine, values.shape), codes


def _of_surfaces(images: Sequence[Any]) -> tuple[NDArray[Any], PartedSpace]:
    series = {hemisphere_of(Path(image)): _of_hemisphere(Path(image)) for image in images}
    space = mesh_of(series, {})
    return np.concatenate([series[part.name][0] for part in space.parts]), space


def _of_hemisphere(path: Path) -> NDArray[np.float32]:
    """Read one map of a hemisphere, shape (1, vertices)."""
    import nibabel as nib

    try:
        return np.asarray(nib.load(path).darrays[0].data, dtype=np.float32).reshape(1, -1)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{path}: not a surface map that can be read ({reason}); a .func.gii of one map is wanted"
        raise ImageError(msg) from error


def _of_cifti(image: Any) -> tuple[NDArray[Any], PartedSpace]:
    import nibabel as nib

    found = load_cifti_map(Path(image))
    xml = ET.fromstring(nib.load(image).header.to_xml())
    places = [
        one for one in xml.iter("MatrixIndicesMap") if "1" in one.attrib["AppliesToMatrixDimension"]
    ]
    return found.values, Grayordinates.of_places(found.parts, ET.tostring(places[0]))
