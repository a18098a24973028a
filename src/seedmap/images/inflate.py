"""Inflating gzip files with isal, member after member, every checksum verified."""

import io
from pathlib import Path
from typing import Any, BinaryIO

from typing_extensions import override

__all__ = ["DamagedFile", "Inflated", "is_gzip", "open_file"]

GZIP_MAGIC = b"\x1f\x8b"
GZIP_FORMAT = 31  # zlib's code for a window of 32 kB with gzip header and trailer
# Compressed bytes read at once. isal copies what it did not use, so larger is not faster.
READ_BYTES = 1 << 16


class DamagedFile(Exception):
    """Compressed bytes that end too early or do not fit their checksum."""


class Inflated(io.RawIOBase):
    """The inflated bytes of a gzip file, read from front to back.

    Whatever is whole is delivered before anything is complained about. Bytes after the last
    member that are no gzip are counted in ``garbage`` and otherwise left alone.
    """

    def __init__(self, path: Path) -> None:
        from isal import isal_zlib

        self._isal: Any = isal_zlib
        self._file = path.open("rb", buffering=0)
        self._member = isal_zlib.decompressobj(GZIP_FORMAT)
        self._ahead = b""
        self.garbage = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while len(view) and not (self._member.eof and not self._next_member()):
            compressed = self._ahead or self._member.unconsumed_tail or self._file.read(READ_BYTES)
            self._ahead = b""
            if not compressed:
                msg = "its end is missing"
                raise DamagedFile(msg)
            try:
                inflated = self._member.decompress(compressed, len(view))
            except self._isal.error as error:
                raise DamagedFile(str(error)) from error
            view[: len(inflated)] = inflated
            if inflated:
                return len(inflated)
        return 0

    def _next_member(self) -> bool:
        """Begin the next gzip member, if there is one; zeros between members are padding."""
        rest = self._member.unused_data.lstrip(b"\0")
        while len(rest) < len(GZIP_MAGIC) and (more := self._file.read(READ_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(GZIP_MAGIC):
            self.garbage = len(rest)
            return False
        self._member, self._ahead = self._isal.decompressobj(GZIP_FORMAT), rest
        return True

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


def is_gzip(path: Path) -> bool:
    """Whether a file begins as a gzip file does, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading from front to back, inflating it where it is compressed."""
    if is_gzip(path):
        return Inflated(path)  # type: ignore[return-value]
    from nibabel.openers import ImageOpener

    return ImageOpener(path, "rb").fobj
