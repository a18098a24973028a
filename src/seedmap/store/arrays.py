"""Groups of arrays on disk: Zarr version 3, written and read in place without the package zarr.

Every array is one chunk and not compressed: floats are noise and do not pack, and so a seed reads
its own voxels only, an array can be written a few rows at a time, and it can be mapped into memory.

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
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError

__all__ = [
    "ArrayWriter",
    "Group",
    "GroupWriter",
    "StoredArray",
    "open_group",
    "read_head",
    "write_group",
]

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

    def mapped(self) -> NDArray[Any]:
        """Return the array as it lies on the disk, mapped into memory and not checked; see `check`.

        Raises
        ------
        ImageError
            If its file is not there, or not of its size.
        """
        size = math.prod(self.shape) * self.dtype.itemsize
        if not size:
            return np.empty(self.shape, dtype=self.dtype)
        path = _chunk(self.group, self.name, len(self.shape))
        try:
            if (found := path.stat().st_size) != size:
                raise OSError(errno.EIO, f"{found} bytes, {size} are wanted")
            return np.memmap(path, dtype=self.dtype, mode="r", shape=self.shape)
        except OSError as error:
            raise _damaged(self.group, f"array {self.name}: {error.strerror}") from error

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


class ArrayWriter:
    """Writes an array of a group, some rows after the other; made by `GroupWriter.array`."""

    def __init__(
        self, group: Path, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        self.dtype, self.shape = dtype.newbyteorder("<"), shape
        self.sums: list[int] = []
        self.rows = 0
        self._sum, self._of_block = 0, _rows_of_block(self.dtype, shape) if math.prod(shape) else 1
        chunk = _chunk(group, name, len(shape))
        chunk.parent.mkdir(parents=True)
        chunk.parents[len(shape)].joinpath(HEAD).write_bytes(_text(_about_array(self.dtype, shape)))
        self._file = chunk.open("xb") if math.prod(shape) else None

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows, shape (some, ...)."""
        if self._file is None:
            return
        values = np.ascontiguousarray(rows, dtype=self.dtype)
        self._file.write(values.reshape(-1).view(np.uint8).data)
        at = 0
        while at < len(values):
            end = min(len(values), at + self._of_block - self.rows % self._of_block)
            self._add(values[at:end])
            at = end

    def _add(self, values: NDArray[Any]) -> None:
        """Sum up rows of one block."""
        from isal.isal_zlib import crc32

        self._sum = crc32(values.reshape(-1).view(np.uint8).data, self._sum)
        self.rows += len(values)
        if self.rows % self._of_block == 0 or self.rows == self.shape[0]:
            self.sums.append(self._sum)
            self._sum = 0

    def close(self) -> None:
        """Close its file."""
        if self._file is not None:
            self._file.close()


class GroupWriter:
    """Writes a group array by array, in any order and a few rows at a time.

    The group is whole, and on the disk, once the ``with`` block of it ended without an error and
    `finish` was called in it.

    Parameters
    ----------
    path
        Its folder, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        self._arrays: dict[str, ArrayWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._arrays.values():
            one.close()

    def array(self, name: str, kind: Any, shape: tuple[int, ...]) -> ArrayWriter:
        """Begin an array of at least one dimension."""
        self._arrays[name] = ArrayWriter(self.path, name, np.dtype(kind), shape)
        return self._arrays[name]

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write whole arrays."""
        for name, values in arrays.items():
            self.array(name, values.dtype, values.shape).write(values)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the sums and the facts (JSON), and bring all onto the disk."""
        arrays = dict(self._arrays)
        for name, one in arrays.items():
            one.close()
            if math.prod(one.shape) and one.rows != one.shape[0]:
                msg = f"array {name}: {one.rows} rows were written of {one.shape[0]}"
                raise ValueError(msg)
        sums = np.array([one for array in arrays.values() for one in array.sums], dtype="<u4")
        self.add({SUMS: sums})
        self._arrays[SUMS].close()
        written = {
            **facts,
            "arrays": {name: [one.dtype.name, list(one.shape)] for name, one in arrays.items()},
            "content": _digest(sums.tobytes()),
        }
        attributes = {OURS: {**written, "check": _digest(_text(written))}}
        head = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
        (self.path / HEAD).write_bytes(_text(head))
        _flush(self.path)


def write_group(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write arrays of at least one dimension and facts (JSON) as a group, which must not exist.

    All is on the disk when this returns.
    """
    with GroupWriter(path) as group:
        group.add(arrays)
        group.finish(facts)


def _about_array(dtype: np.dtype[Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Describe an array of one chunk that is not compressed, as Zarr wants it."""
    chunk = [max(size, 1) for size in shape]
    return {
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": np.zeros((), dtype).item(),
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
    }


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
