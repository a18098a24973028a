"""Groups of arrays on disk: Zarr version 3, written by zarr and read in place without it.

Every array is one chunk and not compressed: floats are noise and do not pack, and so a file is
looked into where it lies, of which a seed reads its own voxels only. To bring zarr in would take
longer than the maps of ten seeds.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_array", "read_facts", "write_group"]

HEAD = "zarr.json"
OURS = "seedmap"


def write_group(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write arrays of at least one dimension and facts (JSON) as a group, which must not exist."""
    import zarr

    group = zarr.open_group(path, mode="w-", zarr_format=3)
    group.attrs.update({OURS: dict(facts)})
    for name, values in arrays.items():
        stored = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        group.create_array(
            name,
            data=stored,
            chunks=tuple(max(size, 1) for size in stored.shape),
            compressors=None,
            config={"write_empty_chunks": True},
        )


def read_facts(path: Path) -> dict[str, Any]:
    """Read the facts of a group.

    Raises
    ------
    OSError, ValueError, KeyError
        If it is no group of ours.
    """
    found: dict[str, Any] = _head(path)["attributes"][OURS]
    return found


def read_array(path: Path, name: str) -> NDArray[Any]:
    """Look at an array of a group; nothing is read before it is used.

    Raises
    ------
    OSError, ValueError, KeyError
        If it is not there, or not as `write_group` writes it.
    """
    head = _head(path / name)
    shape = tuple(head["shape"])
    kind = np.dtype(head["data_type"]).newbyteorder("<")
    codecs = [codec["name"] for codec in head["codecs"]]
    if codecs != ["bytes"] or head["chunk_grid"]["configuration"]["chunk_shape"] != [
        max(size, 1) for size in shape
    ]:
        msg = f"array {name} is compressed or in chunks"
        raise ValueError(msg)
    if not math.prod(shape):
        return np.empty(shape, dtype=kind)
    chunk = path.joinpath(name, "c", *("0" * len(shape)))
    if chunk.stat().st_size != math.prod(shape) * kind.itemsize:
        msg = (
            f"array {name} has {chunk.stat().st_size} bytes, {math.prod(shape)} numbers are wanted"
        )
        raise ValueError(msg)
    return np.memmap(chunk, dtype=kind, mode="r", shape=shape)


def _head(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / HEAD).read_bytes())
    return found
