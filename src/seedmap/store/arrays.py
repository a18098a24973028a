"""Groups of arrays on disk: Zarr version 3, written by zarr and read in place without it.

Every array is one chunk and not compressed: floats are noise and do not pack, and so a seed reads
its own voxels only. To import zarr would take longer than the maps of ten seeds.

Blocks of rows of every array are summed up by CRC-32, and no number is used before the sum of its
block was found right. The sums are an array of the group, too. The facts of the group hold the kind
and shape of every array, a digest of the sums, and a digest of the facts themselves.
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError

__all__ = ["Group", "StoredArray", "open_group", "read_head", "write_group"]

HEAD = "zarr.json"
OURS = "seedmap"
SUMS = "checksums"
# Small enough that a seed reads little beside its own voxels, large enough that sums are few.
BLOCK_BYTES = 32768


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array on disk. Rows that are read from it are those that were written, or none.

    Attributes
    ----------
    group : Path
        The group that it is in.
    name : str
        Its name there.
    dtype : dtype
        Kind of its numbers.
    shape : tuple of int
        Rows first.
    sums : ndarray of uint32, shape (blocks,)
        CRC-32 of each block of rows.
    """

    group: Path
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    sums: NDArray[np.uint32]

    def __getitem__(self, which: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Read a slice of rows, of step 1, or some rows by number.

        Raises
        ------
        ImageError
            If they cannot be read, or are not those that were written.
        """
        if not math.prod(self.shape):
            return np.empty(self.shape, dtype=self.dtype)[which]
        rows = _rows_of_block(self.dtype, self.shape)
        if isinstance(which, slice):
            start, stop, _ = which.indices(self.shape[0])
            first = start // rows
            found = self._read(np.arange(first, -(-stop // rows)), rows)
            return found[start - first * rows : stop - first * rows]
        blocks, at = np.unique(which // rows, return_inverse=True)
        return self._read(blocks, rows)[at * rows + which % rows]

    def check(self) -> None:
        """Read every block, and keep none.

        Raises
        ------
        ImageError
            If a block cannot be read, or is not the one that was written.
        """
        for block in range(self.sums.size):
            self._read(np.array([block]), _rows_of_block(self.dtype, self.shape))

    def _read(self, blocks: NDArray[np.integer[Any]], rows: int) -> NDArray[Any]:
        """Read whole blocks of so many rows, of which the last may have fewer, one after another."""
        try:
            return self._found(blocks, rows)
        except OSError as error:
            raise _damaged(self.group, f"array {self.name}: {error.strerror}") from error

    def _found(self, blocks: NDArray[np.integer[Any]], rows: int) -> NDArray[Any]:
        from isal.isal_zlib import crc32

        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        found, at = np.empty(blocks.size * rows * row, dtype=np.uint8), 0
        with _chunk(self.group, self.name, len(self.shape)).open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != self.shape[0] * row:
                msg = f"{size} bytes, {self.shape[0] * row} are wanted"
                raise OSError(errno.EIO, msg)
            for block in blocks.tolist():
                file.seek(block * rows * row)
                part = found[at : at + rows * row]
                read = file.readinto(part.data)
                if crc32(part[:read].data) != self.sums[block]:
                    msg = f"rows from {block * rows} on are not those that were written"
                    raise OSError(errno.EIO, msg)
                at += read
        return found[:at].view(self.dtype).reshape(-1, *self.shape[1:])


@dataclass(frozen=True, eq=False)
class Group:
    """A group of arrays.

    Attributes
    ----------
    facts : dict
        The facts that were written.
    arrays : dict of StoredArray
        The arrays by name; nothing of them has been read.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, StoredArray]

    def whole(self, name: str) -> NDArray[Any]:
        """Read an array.

        Raises
        ------
        ImageError
            If it cannot be read, or is not what was written.
        """
        return self.arrays[name][:]


def write_group(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write arrays of at least one dimension and facts (JSON) as a group, which must not exist.

    All is on the disk when this returns.
    """
    import zarr

    stored = {
        name: np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        for name, values in arrays.items()
    }
    sums = np.array([one for values in stored.values() for one in _sums(values)], dtype="<u4")
    written = {
        **facts,
        "arrays": {name: [one.dtype.name, list(one.shape)] for name, one in stored.items()},
        "content": _digest(sums.tobytes()),
    }
    group = zarr.open_group(path, mode="w-", zarr_format=3)
    group.attrs.update({OURS: {**written, "check": _digest(_text(written))}})
    for name, values in {**stored, SUMS: sums}.items():
        group.create_array(
            name,
            data=values,
            chunks=tuple(max(size, 1) for size in values.shape),
            compressors=None,
            config={"write_empty_chunks": True},
        )
    _flush(path)


def read_head(path: Path) -> dict[str, Any]:
    """Read what the head of a group says, before anything of it is checked.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If it is no group of ours.
    """
    found: dict[str, Any] = dict(json.loads((path / HEAD).read_bytes())["attributes"][OURS])
    return found


def open_group(path: Path, head: Mapping[str, Any]) -> Group:
    """Open a group whose head was read.

    Raises
    ------
    ImageError
        If its facts or sums are not those that were written.
    """
    facts = dict(head)
    if facts.pop("check", None) != _digest(_text(facts)):
        raise _damaged(path, "its facts are not those that were written")
    try:
        data = _chunk(path, SUMS, 1).read_bytes()
    except OSError as error:
        raise _damaged(path, f"array {SUMS}: {error.strerror}") from error
    if _digest(data) != facts["content"]:
        raise _damaged(path, f"array {SUMS} is not what was written")
    return Group(facts, dict(_arrays(path, facts["arrays"], np.frombuffer(data, dtype="<u4"))))


def _damaged(path: Path, why: str) -> ImageError:
    """Say what is wrong; that may pass, when a good copy is put in its place."""
    error = ImageError(f"{path}: this stored run is damaged ({why}); write it again")
    error.__cause__ = OSError(errno.EIO, why)
    return error


def _arrays(
    path: Path, kinds: Mapping[str, Any], sums: NDArray[np.uint32]
) -> Iterator[tuple[str, StoredArray]]:
    """Give every array its part of the sums, which lie in the order of the arrays."""
    at = 0
    for name, (kind, shape) in kinds.items():
        dtype = np.dtype(kind).newbyteorder("<")
        blocks = -(-shape[0] // _rows_of_block(dtype, shape)) if math.prod(shape) else 0
        yield name, StoredArray(path, name, dtype, tuple(shape), sums[at : at + blocks])
        at += blocks


def _sums(values: NDArray[Any]) -> Iterator[int]:
    """Sum up blocks of rows."""
    from isal.isal_zlib import crc32

    if values.size:
        rows = _rows_of_block(values.dtype, values.shape)
        for at in range(0, len(values), rows):
            yield crc32(values[at : at + rows].reshape(-1).view(np.uint8).data)


def _rows_of_block(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return max(1, BLOCK_BYTES // (math.prod(shape[1:]) * dtype.itemsize))


def _chunk(path: Path, name: str, dimensions: int) -> Path:
    """Return the file of an array's only chunk."""
    return path.joinpath(name, "c", *("0" * dimensions))


def _text(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts).encode()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _flush(path: Path) -> None:
    """Bring files onto the disk, and the folders that list them where a system can."""
    for one in (path, *path.rglob("*")):
        if one.is_dir() and os.name == "nt":
            continue
        handle = os.open(one, os.O_RDONLY if one.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
