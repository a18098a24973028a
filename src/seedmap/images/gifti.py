"""Surface time series: GIFTI and FreeSurfer files, and nilearn's surface images."""

import binascii
import math
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap._files import check_there
from seedmap.errors import ImageError, SpaceMismatch
from seedmap.images.inflate import open_file
from seedmap.images.loading import MOST_INFLATED, load_file, reading, values_of
from seedmap.images.parts import Mesh, Part, Surface

__all__ = [
    "HEMISPHERES",
    "check_same_frames",
    "gifti_shape",
    "hemisphere_of",
    "load_surface",
    "load_surface_series",
    "mesh_of",
    "read_gifti",
]

HEMISPHERES = ("left", "right")
# GIFTI's intents for the two halves of a mesh.
TRIANGLES, POINTS = "NIFTI_INTENT_TRIANGLE", "NIFTI_INTENT_POINTSET"
TYPES = {
    f"NIFTI_TYPE_{name}{8 * size}": f"{kind}{size}"
    for name, kind, sizes in (
        ("UINT", "u", (1, 2, 4, 8)),
        ("INT", "i", (1, 2, 4, 8)),
        ("FLOAT", "f", (4, 8)),
    )
    for size in sizes
}
BINARY = ("Base64Binary", "GZipBase64Binary")
MOST_AXES = 6  # as GIFTI has them
# Vertices of a hemisphere: of the icosahedra (fsaverage3 to fsaverage) and of fs_LR.
MESHES = (642, 2562, 10242, 40962, 163842, 4002, 7842, 32492, 59292)
HEAD = 1 << 16  # bytes of a file within which its sizes stand
STRUCTURE = "AnatomicalStructurePrimary"


def load_surface_series(image: Any, hemisphere: str) -> tuple[NDArray[np.float32], str]:
    """Load the series of one hemisphere.

    Parameters
    ----------
    image
        Path of a ``.gii`` or ``.mgz`` / ``.mgh`` file, or an array of shape (vertices, frames).
    hemisphere
        ``"left"`` or ``"right"``: what the file is taken for.

    Returns
    -------
    series : ndarray of float32, shape (frames, vertices)
    source : str

    Raises
    ------
    ImageError
        If the file holds a mesh or no series, or says that it is the other hemisphere.
    """
    if not isinstance(image, str | Path):
        values = np.asarray(image, dtype=np.float32)
        return np.atleast_2d(values.T), f"{hemisphere} hemisphere in memory"
    path = Path(image).expanduser()
    check_there(path, f"{hemisphere} hemisphere")
    named = _named_hemisphere(path)
    if named not in (None, hemisphere):
        msg = f"{path}: given as the {hemisphere} hemisphere, but its name says {named}; are the two swapped?"
        raise ImageError(msg)
    series = (
        _from_mgh(path) if path.name.endswith((".mgz", ".mgh")) else _from_gifti(path, hemisphere)
    )
    if len(series) < 2:
        msg = (
            f"{path}: {len(series)} map on the surface; a run has one a frame. Is it a single map?"
        )
        raise ImageError(msg)
    return series, str(path)


def hemisphere_of(path: Path) -> str:
    """Return the hemisphere that a file's name states, such as ``hemi-L``, ``lh.`` or ``.L.``.

    Raises
    ------
    ImageError
        If the name does not say.
    """
    named = _named_hemisphere(path)
    if named is None:
        msg = (
            f"{path}: its name does not state the hemisphere (hemi-L, lh., .L.); give it by name, "
            "{'left': path} or --left"
        )
        raise ImageError(msg)
    return named


def _named_hemisphere(path: Path) -> str | None:
    """Return the hemisphere that a file's name states, if it does."""
    found = re.search(r"(?:^|[._-])hemi-([lr])(?:[._]|$)|^([lr])h\.|\.([lr])\.", path.name.lower())
    letter = next((one for one in found.groups() if one), "") if found else ""
    return {"l": "left", "r": "right"}.get(letter)


def load_surface(surface: Any) -> Surface:
    """Load a surface: a GIFTI or FreeSurfer geometry, or a mesh of nilearn's.

    Raises
    ------
    ImageError
        If the file holds no mesh.
    """
    if isinstance(surface, Surface):
        return surface
    if hasattr(surface, "faces"):
        return Surface(
            np.asarray(surface.coordinates, float), np.asarray(surface.faces), "mesh in memory"
        )
    path = Path(surface).expanduser()
    check_there(path, "surface")
    if path.name.endswith((".gii", ".gii.gz")):
        found = {array.intent: array.values for array in read_gifti(path, "surface").arrays}
        if POINTS not in found or TRIANGLES not in found:
            msg = (
                f"{path}: holds no mesh; a surface (.surf.gii) with points and triangles is wanted"
            )
            raise ImageError(msg)
        points, triangles = found[POINTS], found[TRIANGLES]
    else:
        points, triangles = _geometry(path)
    points, triangles = np.asarray(points, dtype=float), np.asarray(triangles, dtype=np.int64)
    _check_mesh(points, triangles, path)
    return Surface(points, triangles, str(path))


def _geometry(path: Path) -> tuple[Any, Any]:
    """Read a surface of FreeSurfer's."""
    import nibabel as nib

    with reading(path, "surface", "a .surf.gii file"):
        points, triangles = nib.freesurfer.read_geometry(path)
        return points, triangles


def _check_mesh(points: Array, triangles: NDArray[np.int64], path: Path) -> None:
    """Refuse what is no mesh: places that are no numbers, corners that are no vertices."""
    shaped = points.ndim == triangles.ndim == 2 and points.shape[1] == triangles.shape[1] == 3
    if not shaped or not len(points):
        msg = f"{path}: points of shape {points.shape}, triangles of {triangles.shape}; three numbers each are wanted"
        raise ImageError(msg)
    if not np.isfinite(points).all() or (triangles < 0).any() or (triangles >= len(points)).any():
        msg = f"{path}: places that are not finite, or triangles of vertices that it does not have; write it again"
        raise ImageError(msg)


def gifti_shape(path: Path) -> tuple[int, int]:
    """Return frames and vertices of a series, from the first words of its file.

    Raises
    ------
    ImageError
        If they do not say.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    frames = re.search(rb'NumberOfDataArrays="(\d+)"', head)
    vertices = re.search(rb'Dim0="(\d+)"', head)
    if frames is None or vertices is None:
        msg = f"{path}: its first words do not state how large it is; a GIFTI series is wanted"
        raise ImageError(msg)
    return int(frames[1]), int(vertices[1])


def mesh_of(series: Mapping[str, NDArray[Any]], surfaces: Mapping[str, Surface]) -> Mesh:
    """Build the space of series (frames, vertices) by hemisphere, left first."""
    parts = tuple(
        Part(name, "surface", np.arange(series[name].shape[1]), series[name].shape[1])
        for name in HEMISPHERES
        if name in series
    )
    return Mesh.whole(parts).with_surfaces(dict(surfaces))


def check_same_frames(series: Mapping[str, NDArray[Any]], sources: Mapping[str, str]) -> None:
    """Refuse hemispheres of different length."""
    frames = {name: len(values) for name, values in series.items()}
    if len(set(frames.values())) > 1:
        found = ", ".join(f"{sources[name]}: {count}" for name, count in frames.items())
        msg = f"the hemispheres have different numbers of frames ({found}); give two of one run"
        raise SpaceMismatch(msg)


def _from_gifti(path: Path, hemisphere: str) -> NDArray[np.float32]:
    gifti = read_gifti(path, "run", "a .func.gii file")
    if {TRIANGLES, POINTS} & {array.intent for array in gifti.arrays}:
        msg = f"{path}: holds a mesh, not a series; give the run (.func.gii) here"
        raise ImageError(msg)
    says = gifti.structure
    other = HEMISPHERES[1 - HEMISPHERES.index(hemisphere)]
    if says.lower() == f"cortex{other}":
        msg = f"{path}: given as the {hemisphere} hemisphere, but the file says {says}; are the two swapped?"
        raise ImageError(msg)
    arrays = [array.values for array in gifti.arrays]
    if not arrays:
        msg = f"{path}: the GIFTI file holds no data; a series with one array a frame is wanted"
        raise ImageError(msg)
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return _frames_first(np.asarray(arrays[0], dtype=np.float32))
    sizes = sorted({array.size for array in arrays})
    if len(sizes) > 1:
        msg = f"{path}: frames of {sizes[0]} and of {sizes[-1]} vertices; frames of one mesh are wanted"
        raise ImageError(msg)
    return np.stack([np.asarray(array, dtype=np.float32).ravel() for array in arrays])


def _frames_first(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn a whole series in one array to (frames, vertices).

    Programs disagree on the order. The axis of vertices is the one whose length is that of a usual
    mesh, and the longer one where that does not decide.
    """
    known = [size in MESHES for size in values.shape]
    vertices = known.index(True) if sum(known) == 1 else int(np.argmax(values.shape))
    return values if vertices == 1 else values.T


@dataclass(frozen=True, eq=False)
class GiftiArray:
    """One array of a GIFTI file, and what it is meant to be."""

    intent: str
    values: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Gifti:
    """A GIFTI file: its arrays, the names of its labels by number, the structure it states."""

    arrays: tuple[GiftiArray, ...]
    names: dict[int, str]
    structure: str


def read_gifti(path: Path, role: str, wanted: str = "a GIFTI file") -> Gifti:
    """Read a GIFTI file, compressed or not.

    Parameters
    ----------
    path
        The file.
    role, wanted
        What messages call it, and what it should be.

    Raises
    ------
    ImageError
        If it cannot be read, or its arrays are not of the sizes that it states.
    """
    with reading(path, role, wanted), closing(open_file(path)) as file:
        root = ET.parse(file).getroot()
        meta = {one.findtext("Name"): one.findtext("Value") for one in root.iterfind("MetaData/MD")}
        found = root.findall("DataArray")
        stated = int(root.attrib.get("NumberOfDataArrays", len(found)))
        if root.tag != "GIFTI" or stated != len(found):
            msg = f"a {root.tag} of {len(found)} arrays, and {stated} are stated"
            raise ValueError(msg)
        labels = root.iterfind("LabelTable/Label")
        names = {
            int(one.attrib.get("Key", one.attrib.get("Index", ""))): one.text or ""
            for one in labels
        }
        arrays = tuple(GiftiArray(one.attrib["Intent"], _decoded(one)) for one in found)
        return Gifti(arrays, names, str(meta.get(STRUCTURE) or ""))


def _decoded(element: ET.Element) -> NDArray[Any]:
    """Return one array of a GIFTI file."""
    facts = element.attrib
    axes = int(facts["Dimensionality"])
    if not 1 <= axes <= MOST_AXES:
        msg = f"an array of {axes} axes"
        raise ValueError(msg)
    shape = [int(facts[f"Dim{axis}"]) for axis in range(axes)]
    dtype = np.dtype(TYPES[facts["DataType"]])
    text, encoding = element.findtext("Data") or "", facts["Encoding"]
    order: Literal["C", "F"] = "F" if facts["ArrayIndexingOrder"] == "ColumnMajorOrder" else "C"
    if encoding == "ASCII":
        return np.array(text.split(), dtype=dtype).reshape(shape, order=order)
    if encoding not in BINARY:
        msg = f"an array stored as {encoding}, which is not read; write it into the file itself"
        raise ValueError(msg)
    raw = binascii.a2b_base64(text)
    if encoding == "GZipBase64Binary":
        raw = _inflated(raw, math.prod(shape) * dtype.itemsize)
    dtype = dtype.newbyteorder({"LittleEndian": "<", "BigEndian": ">"}[facts["Endian"]])  # type: ignore[arg-type]
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def _inflated(raw: bytes, size: int) -> bytes:
    """Inflate to a size that is known, and to no more."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    inflating = zlib.decompressobj()
    found: bytes = (
        inflating.decompress(raw, size + 1) if 0 < size <= MOST_INFLATED * len(raw) else b""
    )
    if len(found) != size or not inflating.eof:
        msg = f"an array that states {size} bytes, and holds others"
        raise ValueError(msg)
    return found


def _from_mgh(path: Path) -> NDArray[np.float32]:
    values = values_of(load_file(path, "run", "a .func.gii or .mgz file"), "run")
    if values.ndim != 4 or values.shape[1:3] != (1, 1):
        msg = f"{path}: shape {values.shape}; surface data have the shape (vertices, 1, 1, frames)"
        raise ImageError(msg)
    return np.ascontiguousarray(values[:, 0, 0].T, dtype=np.float32)
