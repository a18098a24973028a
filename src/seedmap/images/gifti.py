"""Surface time series: GIFTI and FreeSurfer files, and nilearn's surface images."""

import binascii
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from seedmap._files import check_there
from seedmap.errors import ImageError, SpaceMismatch
from seedmap.images.parts import Mesh, Part, Surface

__all__ = [
    "HEMISPHERES",
    "check_same_frames",
    "gifti_shape",
    "hemisphere_of",
    "load_surface",
    "load_surface_series",
    "mesh_of",
]

HEMISPHERES = ("left", "right")
TRIANGLES, POINTS = 1009, 1008  # GIFTI's intents for the two halves of a mesh
INTENTS = {"NIFTI_INTENT_TRIANGLE": TRIANGLES, "NIFTI_INTENT_POINTSET": POINTS}
TYPES = {"NIFTI_TYPE_UINT8": "u1", "NIFTI_TYPE_INT32": "i4", "NIFTI_TYPE_FLOAT32": "f4"}
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
    import nibabel as nib

    if not path.name.endswith((".gii", ".gii.gz")):
        try:
            points, triangles = nib.freesurfer.read_geometry(path)
        except (OSError, ValueError) as error:
            msg = f"{path}: not a surface that can be read ({error}); a .surf.gii file is wanted"
            raise ImageError(msg) from error
        return Surface(points, triangles.astype(np.int64), str(path))
    arrays = {int(array.intent): array.data for array in _open_gifti(path).darrays}
    if POINTS not in arrays or TRIANGLES not in arrays:
        msg = f"{path}: holds no mesh; a surface (.surf.gii) with points and triangles is wanted"
        raise ImageError(msg)
    return Surface(arrays[POINTS].astype(float), arrays[TRIANGLES].astype(np.int64), str(path))


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


def _open_gifti(path: Path) -> Any:
    import nibabel as nib

    try:
        image = nib.load(path)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{path}: not a GIFTI file that can be read ({reason}); a .func.gii file is wanted"
        raise ImageError(msg) from error
    if not hasattr(image, "darrays"):
        msg = f"{path}: a {type(image).__name__}; a GIFTI file (.func.gii) is wanted"
        raise ImageError(msg)
    return image


def _from_gifti(path: Path, hemisphere: str) -> NDArray[np.float32]:
    says, arrays = _frames_of(path)
    other = HEMISPHERES[1 - HEMISPHERES.index(hemisphere)]
    if says.lower() == f"cortex{other}":
        msg = f"{path}: given as the {hemisphere} hemisphere, but the file says {says}; are the two swapped?"
        raise ImageError(msg)
    if not arrays:
        msg = f"{path}: the GIFTI file holds no data; a series with one array a frame is wanted"
        raise ImageError(msg)
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return _frames_first(np.asarray(arrays[0], dtype=np.float32))
    return np.stack([np.asarray(array, dtype=np.float32).ravel() for array in arrays])


def _frames_first(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn a whole series in one array to (frames, vertices).

    Programs disagree on the order. The axis of vertices is the one whose length is that of a usual
    mesh, and the longer one where that does not decide.
    """
    known = [size in MESHES for size in values.shape]
    vertices = known.index(True) if sum(known) == 1 else int(np.argmax(values.shape))
    return values if vertices == 1 else values.T


def _frames_of(path: Path) -> tuple[str, list[NDArray[Any]]]:
    """Return the hemisphere that a GIFTI file states, and its arrays, which are no mesh."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    try:
        root = ET.parse(path).getroot()
        facts = {
            one.findtext("Name"): one.findtext("Value") for one in root.iterfind("MetaData/MD")
        }
        found = root.findall("DataArray") if root.tag == "GIFTI" else [root]
        _refuse_mesh(path, {INTENTS.get(one.attrib["Intent"], 0) for one in found})
        return str(facts.get(STRUCTURE) or ""), [_decoded(one, zlib.decompress) for one in found]
    except (ET.ParseError, KeyError, ValueError, OSError, zlib.error):
        # Another encoding, a compressed file, or none at all: nibabel knows more, and says more.
        image = _open_gifti(path)
    _refuse_mesh(path, {int(array.intent) for array in image.darrays})
    return str(image.meta.get(STRUCTURE, "")), [array.data for array in image.darrays]


def _refuse_mesh(path: Path, intents: set[int]) -> None:
    if intents & {TRIANGLES, POINTS}:
        msg = f"{path}: holds a mesh, not a series; give the run (.func.gii) here"
        raise ImageError(msg)


def _decoded(element: ET.Element, inflate: Callable[[bytes], bytes]) -> NDArray[Any]:
    """Return one array of a GIFTI file that is stored as base64, compressed or not."""
    facts = element.attrib
    shape = [int(facts[f"Dim{axis}"]) for axis in range(int(facts["Dimensionality"]))]
    raw = binascii.a2b_base64(element.findtext("Data") or "")
    if {"GZipBase64Binary": True, "Base64Binary": False}[facts["Encoding"]]:
        raw = inflate(raw)
    dtype = np.dtype(
        {"LittleEndian": "<", "BigEndian": ">"}[facts["Endian"]] + TYPES[facts["DataType"]]
    )
    order: Literal["C", "F"] = "F" if facts["ArrayIndexingOrder"] == "ColumnMajorOrder" else "C"
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def _from_mgh(path: Path) -> NDArray[np.float32]:
    import nibabel as nib

    values = np.asarray(nib.load(path).dataobj, dtype=np.float32)
    if values.ndim != 4 or values.shape[1:3] != (1, 1):
        msg = f"{path}: shape {values.shape}; surface data have the shape (vertices, 1, 1, frames)"
        raise ImageError(msg)
    return np.ascontiguousarray(values[:, 0, 0].T)
