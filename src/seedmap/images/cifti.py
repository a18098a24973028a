"""Grayordinate time series: CIFTI-2 ``dtseries`` and ``ptseries``, and their maps.

The header of 91,282 grayordinates is 1.6 MB of XML. nibabel makes objects of all of it several
times over, which takes longer than reading the data; here the few numbers that matter are taken out
of it, and what it says of the places is kept word for word for the maps.
"""

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError, TruncatedImage
from seedmap.images.parts import Grayordinates, Kind, Part

__all__ = ["CiftiSeries", "cifti_bytes", "cifti_frames", "cifti_image", "open_cifti"]

# Frames fetched at once: the file holds all frames of a grayordinate side by side, and a line of
# the processor's cache holds sixteen float32.
FRAMES_TOGETHER = 16
# NIfTI-2: the header and four bytes; the code of CIFTI's extension.
START, CIFTI_CODE = 544, 32
SHORT = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
SERIES, MODELS, PARCELS, SCALARS = (
    f"CIFTI_INDEX_TYPE_{kind}" for kind in ("SERIES", "BRAIN_MODELS", "PARCELS", "SCALARS")
)
INTENTS = {"parcels": (3008, b"ConnParcelScalr")}
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
    try:
        maps = _maps_of(xml)
    except (ET.ParseError, KeyError, ValueError) as error:
        msg = f"{source}: not a CIFTI-2 file that can be read ({error}); a dtseries is wanted"
        raise ImageError(msg) from error
    kinds = [one.attrib["IndicesMapToDataType"] for one in maps]
    if kinds[:1] != [SERIES] or len(kinds) != 2 or kinds[1] not in (MODELS, PARCELS):
        found = " x ".join(kind.removeprefix("CIFTI_INDEX_TYPE_").lower() for kind in kinds)
        msg = f"{source}: a CIFTI file of {found}; a time series (dtseries or ptseries) is wanted"
        raise ImageError(msg)
    parts = _parcels(maps[1]) if kinds[1] == PARCELS else _models(maps[1])
    space = Grayordinates.of_places(parts, ET.tostring(maps[1]))
    if values.shape != (int(maps[0].attrib["NumberOfSeriesPoints"]), space.mask.size):
        msg = f"{source}: values of shape {values.shape} for another header; write it again"
        raise ImageError(msg)
    return CiftiSeries(values, space, _step(maps[0]))


def _read(path: Path) -> tuple[bytes, NDArray[Any]]:
    """Read the XML of an uncompressed file, and map its values, shape (frames, grayordinates)."""
    import nibabel as nib

    try:
        with path.open("rb") as file:
            header = nib.Nifti2Header.from_fileobj(file)
            file.seek(START)
            size, code = struct.unpack(f"{header.endianness}ii", file.read(8))
            xml = file.read(size - 8).rstrip(b"\0")
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{path}: not a CIFTI-2 file that can be read ({reason}); a dtseries is wanted"
        raise ImageError(msg) from error
    if code != CIFTI_CODE:
        msg = f"{path}: a NIfTI-2 file without CIFTI's header; a dtseries is wanted"
        raise ImageError(msg)
    shape = tuple(header.get_data_shape()[4:])
    dtype, offset = header.get_data_dtype(), int(header.get_data_offset())
    wanted = offset + int(np.prod(shape)) * dtype.itemsize
    if path.stat().st_size < wanted:
        msg = (
            f"{path}: {path.stat().st_size} bytes, {wanted} are wanted. The file is damaged or "
            "incomplete: copy it again"
        )
        raise TruncatedImage(msg)
    values: NDArray[Any] = np.memmap(path, dtype, "r", offset, shape, order="F")
    slope, inter = header.get_slope_inter()
    if (slope, inter) not in ((None, None), (1.0, 0.0)):
        values = values * np.float32(slope) + np.float32(inter or 0.0)
    return xml, values


def _maps_of(xml: bytes) -> list[ET.Element]:
    """Return what the dimensions of the matrix stand for, in their order."""
    root = ET.fromstring(xml)
    found = root.findall("./Matrix/MatrixIndicesMap")
    return sorted(found, key=lambda one: one.attrib["AppliesToMatrixDimension"])


def _step(series: ET.Element) -> float | None:
    """Return the repetition time that a series tells [s], if it does."""
    told = series.attrib
    if told.get("SeriesUnit") != "SECOND":
        return None
    step = float(told.get("SeriesStep", 0)) * 10.0 ** int(told.get("SeriesExponent", 0))
    return step if np.isfinite(step) and step > 0 else None


def _models(places: ET.Element) -> tuple[Part, ...]:
    """Read the surfaces and structures of a dense file."""
    affine, parts = _affine(places), []
    models = places.findall("BrainModel")
    for model in sorted(models, key=lambda one: int(one.attrib["IndexOffset"])):
        name = model.attrib["BrainStructure"].removeprefix("CIFTI_STRUCTURE_")
        if model.attrib["ModelType"] == "CIFTI_MODEL_TYPE_SURFACE":
            vertices = _numbers(model, "VertexIndices")
            size = int(model.attrib["SurfaceNumberOfVertices"])
            parts.append(Part(SHORT.get(name, name), "surface", vertices, size))
        else:
            voxels = _numbers(model, "VoxelIndicesIJK").reshape(-1, 3)
            parts.append(Part(SHORT.get(name, name), "voxels", voxels, affine=affine))
    return tuple(parts)


def _affine(places: ET.Element) -> NDArray[np.float64] | None:
    """Return the affine of the voxels, to millimetres; None where there are none."""
    matrix = places.find("./Volume/TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        return None
    affine = np.array((matrix.text or "").split(), dtype=np.float64).reshape(4, 4)
    affine[:3] *= 10.0 ** (int(matrix.attrib["MeterExponent"]) + 3)
    return affine


def _numbers(model: ET.Element, name: str) -> NDArray[np.int64]:
    return np.array((model.findtext(name) or "").split(), dtype=np.int64)


def _parcels(places: ET.Element) -> tuple[Part, ...]:
    kind: Kind = "parcels"
    return (Part("parcels", kind, np.arange(len(places.findall("Parcel")))),)


def cifti_frames(values: Any) -> Callable[[int], NDArray[Any]]:
    """Return a function from a frame's number to its values, shape (grayordinates,).

    Any thread may call it.
    """
    held: dict[int, NDArray[Any]] = {}
    lock = threading.Lock()

    def load(index: int) -> NDArray[Any]:
        first = index - index % FRAMES_TOGETHER
        with lock:
            if first not in held:
                held.clear()
                held[first] = np.ascontiguousarray(values[first : first + FRAMES_TOGETHER])
            return held[first][index - first]

    return load


def cifti_bytes(values: NDArray[Any], space: Grayordinates, name: str) -> bytes:
    """Write a map (positions,) as the bytes of a CIFTI ``dscalar`` or ``pscalar`` file."""
    import nibabel as nib

    row = np.asarray(values, dtype="<f4")
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CIFTI Version="2"><Matrix>'
        f'<MatrixIndicesMap AppliesToMatrixDimension="0" IndicesMapToDataType="{SCALARS}">'
        f"<NamedMap><MapName>{escape(name)}</MapName></NamedMap></MatrixIndicesMap>"
    ).encode() + space.places_xml + b"</Matrix></CIFTI>"  # fmt: skip
    header = nib.Nifti2Header()
    header.set_data_dtype(row.dtype)
    header.set_data_shape((1, 1, 1, 1, 1, row.size))
    header["intent_code"], header["intent_name"] = INTENTS.get(space.parts[0].kind, DENSE)
    content = xml + b"\0" * (-(len(xml) + 8) % 16)
    extension = struct.pack("<ii", len(content) + 8, CIFTI_CODE) + content
    header["vox_offset"] = START + len(extension)
    head: bytes = header.binaryblock
    return b"".join([head, b"\1\0\0\0", extension, row.tobytes()])


def cifti_image(values: NDArray[Any], space: Grayordinates, name: str) -> Any:
    """Wrap a map (positions,) as a CIFTI ``dscalar`` or ``pscalar`` image."""
    import nibabel as nib

    return nib.Cifti2Image.from_bytes(cifti_bytes(values, space, name))
