"""Grayordinate time series: CIFTI-2 ``dtseries`` and ``ptseries``, and their maps.

The header of 91,282 grayordinates is 0.6 MB of XML. nibabel makes objects of all of it several
times over, which takes longer than reading the data; here the few numbers that matter are taken out
of it, and what it says of the places is kept word for word for the maps.
"""

import math
import re
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError, TruncatedImage
from seedmap.images.loading import reading
from seedmap.images.parts import Grayordinates, Kind, Part

__all__ = ["CiftiSeries", "cifti_bytes", "cifti_frames", "cifti_image", "open_cifti", "places_of"]

# Frames fetched at once, of so many grayordinates at a time: the file holds all frames of a
# grayordinate side by side, and turning it over goes well where both sides fit the nearest cache.
FRAMES_TOGETHER, PLACES_TOGETHER = 32, 512
# NIfTI-2: the header and four bytes; the code of CIFTI's extension.
START, CIFTI_CODE = 544, 32
# Of the header what matters here.
FIELDS = {
    "sizeof_hdr": ("i4", 0),
    "magic": ("S8", 4),
    "datatype": ("i2", 12),
    "bitpix": ("i2", 14),
    "dim": ("(8,)i8", 16),
    "pixdim": ("(8,)f8", 104),
    "vox_offset": ("i8", 168),
    "scl_slope": ("f8", 176),
    "scl_inter": ("f8", 184),
    "intent_code": ("i4", 504),
    "intent_name": ("S16", 508),
}
HEADER = np.dtype(
    {
        "names": list(FIELDS),
        "formats": [kind for kind, _ in FIELDS.values()],
        "offsets": [offset for _, offset in FIELDS.values()],
        "itemsize": 540,
    }
)
MAGIC = b"n+2\0\r\n\x1a\n"
# NIfTI's codes of types.
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
TYPES |= {1024: "i8", 1280: "u8"}
SHORT = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
SERIES, MODELS, PARCELS, SCALARS = (
    f"CIFTI_INDEX_TYPE_{kind}" for kind in ("SERIES", "BRAIN_MODELS", "PARCELS", "SCALARS")
)
INTENTS = {"parcels": (3008, b"ConnParcelScalr")}
ONE_NUMBER = np.array([1, 1 << 21, 1 << 42])  # a voxel's three, none above two millions, as one
OTHER_THAN_NUMBERS = re.compile(r"[^\s0-9]+")
WANTED = "a CIFTI-2 time series (dtseries or ptseries)"
DENSE = (3006, b"ConnDenseScalar")


@dataclass(frozen=True, eq=False)
class CiftiSeries:
    """A CIFTI time series: values of shape (frames, grayordinates), where they lie, and its step."""

    values: Any
    space: Grayordinates
    step: float | None


def open_cifti(image: Any) -> CiftiSeries:
    """Open a CIFTI time series: a path, or a nibabel image.

    Raises
    ------
    ImageError
        If the file is another kind of CIFTI, or cannot be read.
    """
    if isinstance(image, Path):
        source = str(image)
        xml, values = _read(image)
    else:
        source = str(image.get_filename() or "image in memory")
        # A memory map where the file is not compressed.
        xml, values = image.header.to_xml(), np.asanyarray(image.dataobj)
    with reading(source, "run", WANTED):
        maps = _maps_of(xml)
        kinds = [one.attrib["IndicesMapToDataType"] for one in maps]
    if kinds[:1] != [SERIES] or len(kinds) != 2 or kinds[1] not in (MODELS, PARCELS):
        found = " x ".join(kind.removeprefix("CIFTI_INDEX_TYPE_").lower() for kind in kinds)
        msg = f"{source}: a CIFTI file of {found}; a time series (dtseries or ptseries) is wanted"
        raise ImageError(msg)
    with reading(source, "run", WANTED):
        space = Grayordinates.of_places(places_of(xml), ET.tostring(maps[1]))
        stated = (int(maps[0].attrib["NumberOfSeriesPoints"]), space.mask.size)
        if values.shape != stated:
            msg = f"values of shape {values.shape} where {stated} is stated"
            raise ValueError(msg)
        return CiftiSeries(values, space, _step(maps[0]))


def _read(path: Path) -> tuple[bytes, NDArray[Any]]:
    """Read the XML of an uncompressed file, and map its values, shape (frames, grayordinates)."""
    with path.open("rb") as file:
        start = file.read(START + 8)
        header, order = _header(path, start)
        size, code = struct.unpack(f"{order}ii", start[START:])
        dtype, offset = np.dtype(order + TYPES[int(header["datatype"])]), int(header["vox_offset"])
        xml = file.read(min(max(size - 8, 0), path.stat().st_size)).rstrip(b"\0")
    shape = tuple(header["dim"][5 : header["dim"][0] + 1].tolist())
    unused = (header["dim"][1:5] != 1).any()  # which CIFTI does not use
    if code != CIFTI_CODE or len(shape) != 2 or min(shape) < 1 or unused or offset < START + size:
        msg = f"{path}: a NIfTI-2 file without CIFTI's header; {WANTED} is wanted"
        raise ImageError(msg)
    wanted = offset + math.prod(shape) * dtype.itemsize
    if path.stat().st_size < wanted:
        msg = (
            f"{path}: {path.stat().st_size} bytes, {wanted} are wanted. The file is damaged or "
            "incomplete: copy it again"
        )
        raise TruncatedImage(msg)
    values: NDArray[Any] = np.memmap(path, dtype, "r", offset, shape, order="F")
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isfinite(slope) and slope != 0 and (slope, inter) != (1, 0):
        values = values * np.float32(slope) + np.float32(inter if np.isfinite(inter) else 0)
    return xml, values


def _header(path: Path, start: bytes) -> tuple[Any, str]:
    """Return the fields of a NIfTI-2 header and their byte order."""
    orders: tuple[Literal["<", ">"], ...] = ("<", ">") if len(start) == START + 8 else ()
    for order in orders:
        header = np.frombuffer(start, HEADER.newbyteorder(order), 1)[0]
        if header["sizeof_hdr"] == HEADER.itemsize and int(header["datatype"]) in TYPES:
            return header, order
    msg = f"{path}: not a CIFTI-2 file that can be read (no NIfTI-2 header); {WANTED} is wanted"
    raise ImageError(msg)


def _maps_of(xml: bytes) -> list[ET.Element]:
    """Return what the dimensions of the matrix stand for, in their order."""
    root = ET.fromstring(xml)
    found = root.findall("./Matrix/MatrixIndicesMap")
    return sorted(found, key=lambda one: one.attrib["AppliesToMatrixDimension"])


def _step(series: ET.Element) -> float | None:
    """Return the repetition time that a series states [s], if it does."""
    facts = series.attrib
    if facts.get("SeriesUnit") != "SECOND":
        return None
    step = float(facts.get("SeriesStep", 0)) * 10.0 ** int(facts.get("SeriesExponent", 0))
    return step if np.isfinite(step) and step > 0 else None


def _models(places: ET.Element) -> tuple[Part, ...]:
    """Read the surfaces and structures of a dense file."""
    parts: list[Part] = []
    models = places.findall("BrainModel")
    for model in sorted(models, key=lambda one: int(one.attrib["IndexOffset"])):
        part = _model(model, places)
        stated = (int(model.attrib["IndexOffset"]), int(model.attrib["IndexCount"]))
        if stated != (sum(one.size for one in parts), part.size):
            msg = f"{part.name} holds {part.size} places, and {stated[1]} from {stated[0]} on are stated"
            raise ValueError(msg)
        if part.name in {one.name for one in parts}:
            msg = f"{part.name} stands twice"
            raise ValueError(msg)
        parts.append(part)
    return tuple(parts)


def _model(model: ET.Element, places: ET.Element) -> Part:
    """Read one surface or structure, whose places are different ones that it can have."""
    name = model.attrib["BrainStructure"].removeprefix("CIFTI_STRUCTURE_")
    name = SHORT.get(name, name)
    if model.attrib["ModelType"] == "CIFTI_MODEL_TYPE_SURFACE":
        found = _numbers(model, "VertexIndices")
        size = int(model.attrib["SurfaceNumberOfVertices"])
        inside, different = found < size, len(np.unique(found)) == len(found)
        part = Part(name, "surface", found, size)
    else:
        found = _numbers(model, "VoxelIndicesIJK").reshape(-1, 3)
        box = places.find("./Volume")
        limits = "" if box is None else box.attrib.get("VolumeDimensions", "")
        inside = found < np.array(limits.split(",") if limits else [np.inf] * 3, dtype=float)
        different = len(np.unique(found @ ONE_NUMBER)) == len(found)
        part = Part(name, "voxels", found, affine=_affine(places))
    if not (inside.all() and different):
        msg = f"places of {name} that stand twice, or that it does not have"
        raise ValueError(msg)
    return part


def _affine(places: ET.Element) -> NDArray[np.float64] | None:
    """Return the affine of the voxels, to millimetres; None where there are none."""
    matrix = places.find("./Volume/TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        return None
    affine = np.array((matrix.text or "").split(), dtype=np.float64).reshape(4, 4)
    affine[:3] *= 10.0 ** (int(matrix.attrib["MeterExponent"]) + 3)
    if not np.isfinite(affine).all() or np.linalg.det(affine) == 0:
        msg = f"an affine that maps voxels to no place ({affine.tolist()})"
        raise ValueError(msg)
    return affine


def _numbers(model: ET.Element, name: str) -> NDArray[np.int64]:
    text = model.findtext(name) or ""
    if other := OTHER_THAN_NUMBERS.search(text):
        msg = f"{other[0]!r} among the {name}, which are whole numbers"
        raise ValueError(msg)
    return np.array(text.split(), dtype=np.int64)


def _parcels(places: ET.Element) -> tuple[Part, ...]:
    kind: Kind = "parcels"
    names = tuple(one.attrib["Name"] for one in places.findall("Parcel"))
    return (Part("parcels", kind, np.arange(len(names)), names=names),)


def places_of(xml: bytes) -> tuple[Part, ...]:
    """Return the places along the second dimension of a CIFTI file, from its header.

    Raises
    ------
    ValueError
        If they are neither grayordinates nor parcels.
    """
    maps = _maps_of(xml)
    kind = maps[1].attrib["IndicesMapToDataType"] if len(maps) == 2 else ""
    if kind not in (MODELS, PARCELS):
        msg = "its second dimension is neither grayordinates nor parcels"
        raise ValueError(msg)
    return _parcels(maps[1]) if kind == PARCELS else _models(maps[1])


def cifti_frames(values: Any) -> Callable[[int], NDArray[Any]]:
    """Return a function from a frame's number to its values, shape (grayordinates,).

    Any thread may call it.
    """
    plain = np.asarray(values)  # cutting pieces out of a memory map costs more than copying them
    held: dict[int, NDArray[Any]] = {}
    lock = threading.Lock()

    def load(index: int) -> NDArray[Any]:
        first = index - index % FRAMES_TOGETHER
        with lock:
            if first not in held:
                _check_whole(values)  # a file that is cut under a memory map would end the process
                held.clear()
                held[first] = _turned(plain[first : first + FRAMES_TOGETHER])
            return held[first][index - first]

    return load


def _check_whole(values: Any) -> None:
    """Refuse a memory map whose file has become too short.

    Raises
    ------
    TruncatedImage
        If it has.
    """
    if not isinstance(values, np.memmap) or values.filename is None:
        return
    path, wanted = Path(values.filename), values.offset + values.nbytes
    found = (
        path.stat().st_size if path.exists() else wanted
    )  # a removed file stays as long as it is mapped
    if found < wanted:
        msg = (
            f"{path}: {found} bytes are left of {wanted} that were there when it was opened. Something cuts "
            "the file while it is read: let it end, and try again"
        )
        raise TruncatedImage(msg)


def _turned(values: NDArray[Any]) -> NDArray[Any]:
    """Copy values (frames, grayordinates) so that those of a frame lie side by side."""
    out = np.empty(values.shape, dtype=values.dtype)
    for first in range(0, values.shape[1], PLACES_TOGETHER):
        part = slice(first, first + PLACES_TOGETHER)
        out[:, part] = values[:, part]
    return out


def cifti_bytes(values: NDArray[Any], space: Grayordinates, name: str) -> bytes:
    """Write a map (positions,) as the bytes of a CIFTI ``dscalar`` or ``pscalar`` file."""
    row = np.asarray(values, dtype="<f4")
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CIFTI Version="2"><Matrix>'
        f'<MatrixIndicesMap AppliesToMatrixDimension="0" IndicesMapToDataType="{SCALARS}">'
        f"<NamedMap><MapName>{escape(name, quote=False)}</MapName></NamedMap></MatrixIndicesMap>"
    ).encode() + space.places_xml + b"</Matrix></CIFTI>"  # fmt: skip
    content = xml + b"\0" * (-(len(xml) + 8) % 16)
    extension = struct.pack("<ii", len(content) + 8, CIFTI_CODE) + content
    header = np.zeros((), dtype=HEADER.newbyteorder("<"))
    header["sizeof_hdr"], header["magic"] = HEADER.itemsize, MAGIC
    header["datatype"], header["bitpix"] = 16, 32
    header["dim"], header["pixdim"] = (6, 1, 1, 1, 1, 1, row.size, 1), 1
    header["vox_offset"], header["scl_slope"] = START + len(extension), 1
    header["intent_code"], header["intent_name"] = INTENTS.get(space.parts[0].kind, DENSE)
    return b"".join([header.tobytes(), b"\1\0\0\0", extension, row.tobytes()])


def cifti_image(values: NDArray[Any], space: Grayordinates, name: str) -> Any:
    """Wrap a map (positions,) as a CIFTI ``dscalar`` or ``pscalar`` image."""
    import nibabel as nib

    return nib.Cifti2Image.from_bytes(cifti_bytes(values, space, name))
