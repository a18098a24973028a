"""Frames of a run, one after the other, read ahead on a thread of their own.

A stream yields raw frames as they lie in the file, in a few buffers that go round: take a
frame, use it, give it back. The whole file is never held. Several threads may take from one
stream. A compressed file is inflated with isal, once.
"""

import mmap
import os
import queue
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from seedmap._texts import one_line
from seedmap.errors import MissingFile, SeedmapWarning, TruncatedImage
from seedmap.images.inflate import DamagedFile, open_file

__all__ = [
    "FileLayout",
    "FrameStream",
    "LoadedFrames",
    "PageKeeper",
    "PlainFrames",
    "RawFrame",
    "ReadAhead",
]

# Frames read ahead: enough that neither side waits for a hiccup of the other, and no more.
READ_AHEAD = 4
# Bytes of a mapped file that may stay in memory after use.
KEPT_PAGES = 16 << 20
DAMAGED = (DamagedFile, EOFError, OSError)


@dataclass(frozen=True, eq=False)
class RawFrame:
    """One frame as stored: its number, and values of shape (x, y, z) in the file's own type."""

    index: int
    values: NDArray[Any]


class FrameStream(ABC):
    """Frames in order, for any number of threads. Use as a context manager."""

    @abstractmethod
    def take(self) -> RawFrame | None:
        """Return the next frame, or None after the last."""

    def give_back(self, frame: RawFrame) -> None:  # noqa: B027  most streams need nothing back
        """Say that the values of a frame are no longer needed."""

    def close(self) -> None:  # noqa: B027  most streams hold nothing open
        """Stop reading and let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LoadedFrames(FrameStream):
    """Frames in memory (an array) or cheap to load one by one."""

    def __init__(
        self,
        load: Callable[[int], NDArray[Any]],
        wanted: NDArray[np.bool_],
    ) -> None:
        self._load = load
        self._indices = iter(np.flatnonzero(wanted).tolist())
        self._lock = threading.Lock()

    @override
    def take(self) -> RawFrame | None:
        with self._lock:
            index = next(self._indices, None)
        return None if index is None else RawFrame(index, self._load(index))

    @override
    def close(self) -> None:
        with self._lock:
            self._indices = iter(())


class PageKeeper:
    """Lets the memory of a file-backed array go now and then; its values stay in the file.

    The system counts the pages of a mapped file as the process's memory for as long as nobody
    else wants them.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self._mapped = getattr(array, "_mmap", None) if hasattr(mmap, "MADV_DONTNEED") else None
        self._used = 0

    def used(self, size: int) -> None:
        """Say that ``size`` more bytes were read or written."""
        self._used += size
        if self._used > KEPT_PAGES:
            self.forget()

    def forget(self) -> None:
        """Let all pages go now."""
        self._used = 0
        if self._mapped is not None:
            self._mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class FileLayout:
    """Where the frames lie in a file."""

    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    frames: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def frame_of(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """View bytes as a frame (x, y, z); the first axis runs fastest in the file."""
        return raw.view(self.dtype).reshape(self.shape[::-1]).T

    def start_of(self, index: int) -> int:
        """Return where a frame begins [bytes]."""
        return self.offset + index * self.frame_bytes

    def cut(self, found: int, reason: str = "there it ends") -> TruncatedImage:
        """Return the error for a file of which only ``found`` bytes can be read."""
        whole = max(found - self.offset, 0) // self.frame_bytes
        msg = (
            f"{self.path}: {found} bytes of image can be read, {self.start_of(self.frames)} are wanted ({whole} of "
            f"{self.frames} frames; {reason}). The file is damaged or incomplete: copy it again"
        )
        return TruncatedImage(msg)

    def gone(self) -> MissingFile:
        """Return the error for a file that is no longer there."""
        return MissingFile(
            f"{self.path}: the run was there when it was opened, and is gone; put it back"
        )


class PlainFrames(FrameStream):
    """Frames of an uncompressed file, each read when it is taken.

    A memory map would end the whole process if somebody cut the file meanwhile.
    """

    def __init__(self, layout: FileLayout, wanted: NDArray[np.bool_]) -> None:
        self._layout = layout
        self._indices = iter(np.flatnonzero(wanted).tolist())
        self._free: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()
        try:
            self._file: BinaryIO = layout.path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise layout.gone() from error

    @override
    def take(self) -> RawFrame | None:
        with self._lock:
            index = next(self._indices, None)
            buffer = self._free.pop() if self._free else None
        if index is None:
            return None
        if buffer is None:
            buffer = np.empty(self._layout.frame_bytes, dtype=np.uint8)
        self._fill(buffer, self._layout.start_of(index))
        return RawFrame(index, self._layout.frame_of(buffer))

    def _fill(self, buffer: NDArray[np.uint8], at: int) -> None:
        view, found = buffer.data, 0
        try:
            while found < len(view):
                count = self._read(view[found:], at + found)
                if not count:
                    raise self._layout.cut(at + found)
                found += count
        except OSError as error:
            raise self._layout.cut(at + found, one_line(error.strerror)) from error

    def _read(self, view: memoryview, at: int) -> int:
        """Read from a place on, as much as there is at once."""
        if hasattr(os, "preadv"):  # several threads at once
            return os.preadv(self._file.fileno(), [view], at)
        with self._lock:
            self._file.seek(at)
            return int(self._file.readinto(view))  # type: ignore[attr-defined]

    @override
    def give_back(self, frame: RawFrame) -> None:
        with self._lock:
            self._free.append(frame.values.T.reshape(-1).view(np.uint8))

    @override
    def close(self) -> None:
        with self._lock:
            self._indices = iter(())
        self._file.close()


class ReadAhead(FrameStream):
    """Frames of a file that has to be read from front to back, inflated ahead on a thread."""

    def __init__(self, layout: FileLayout, wanted: NDArray[np.bool_]) -> None:
        self._layout = layout
        self._wanted = wanted
        self._free: queue.SimpleQueue[NDArray[np.uint8] | None] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[RawFrame | BaseException | None] = queue.SimpleQueue()
        for _ in range(READ_AHEAD):
            self._free.put(np.empty(layout.frame_bytes, dtype=np.uint8))
        self._stop = False
        self._thread = threading.Thread(target=self._read, name="seedmap-read-ahead", daemon=True)
        self._thread.start()

    @override
    def take(self) -> RawFrame | None:
        answer = self._full.get()
        if isinstance(answer, RawFrame):
            return answer
        self._full.put(answer)  # the other threads need to know, too
        if answer is not None:
            raise answer
        return None

    @override
    def give_back(self, frame: RawFrame) -> None:
        self._free.put(frame.values.T.reshape(-1).view(np.uint8))

    @override
    def close(self) -> None:
        self._stop = True
        self._free.put(None)
        self._thread.join()

    def _read(self) -> None:
        try:
            with closing(open_file(self._layout.path)) as file:
                self._read_frames(file)
        except FileNotFoundError:
            self._full.put(self._layout.gone())
        except BaseException as error:  # noqa: BLE001  raised again in the thread that takes
            self._full.put(error)
        else:
            self._full.put(None)

    def _read_frames(self, file: BinaryIO) -> None:
        layout = self._layout
        _fill(file, np.empty(layout.offset, dtype=np.uint8), layout, at=0)
        for index in range(layout.frames):
            buffer = self._free.get()
            if buffer is None or self._stop:
                return
            _fill(file, buffer, layout, at=layout.start_of(index))
            if self._wanted[index]:
                self._full.put(RawFrame(index, layout.frame_of(buffer)))
            else:
                self._free.put(buffer)
        _check_end(file, layout)


def _fill(file: BinaryIO, buffer: NDArray[np.uint8], layout: FileLayout, *, at: int) -> None:
    """Read until ``buffer`` is full, or say how much of the file is there."""
    view, found, reason = buffer.data, 0, "there it ends"
    try:
        while found < len(view):
            count = file.readinto(view[found:])  # type: ignore[attr-defined]
            if not count:
                break
            found += count
        else:
            return
    except DAMAGED as error:
        reason = one_line(error)
    raise layout.cut(at + found, reason)


def _check_end(file: BinaryIO, layout: FileLayout) -> None:
    """Read what follows the last frame, which verifies the checksum of a compressed file."""
    try:
        while file.read(1 << 16):
            pass
    except DAMAGED as error:
        reason = one_line(error)
        msg = f"{layout.path}: the compressed file is damaged ({reason}); copy it again"
        raise TruncatedImage(msg) from error
    if garbage := getattr(file, "garbage", 0):
        msg = (
            f"{layout.path}: the image is whole, but {garbage} bytes or more follow it that are "
            "not gzip; they were ignored"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=2)
