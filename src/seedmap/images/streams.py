"""Frames of a run, one after the other, read ahead on a thread of their own.

A stream yields raw frames as they lie in the file, in a few buffers that go round: take a
frame, use it, give it back. The whole file is never held. Several threads may take from one
stream. A compressed file is inflated with isal, once.
"""

import mmap
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

from seedmap.errors import MissingFile, SeedmapWarning, TruncatedImage
from seedmap.images.inflate import DamagedFile, open_file

__all__ = [
    "FileLayout",
    "FrameStream",
    "LoadedFrames",
    "PageKeeper",
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
    """Frames in memory (an array, a memory map) or cheap to load one by one."""

    def __init__(
        self,
        load: Callable[[int], NDArray[Any]],
        wanted: NDArray[np.bool_],
        keeper: "PageKeeper | None" = None,
    ) -> None:
        self._load = load
        self._keeper = keeper
        self._indices = iter(np.flatnonzero(wanted).tolist())
        self._lock = threading.Lock()

    @override
    def take(self) -> RawFrame | None:
        with self._lock:
            index = next(self._indices, None)
        return None if index is None else RawFrame(index, self._load(index))

    @override
    def give_back(self, frame: RawFrame) -> None:
        if self._keeper is not None:
            self._keeper.used(frame.values.nbytes)

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

    def memory_map(self) -> NDArray[Any]:
        """Map an uncompressed file into memory, shape (x, y, z, frames), read-only."""
        wanted, found = self.offset + self.frames * self.frame_bytes, self.path.stat().st_size
        if found < wanted:
            whole = max(found - self.offset, 0) // self.frame_bytes
            msg = (
                f"{self.path}: {found} bytes of image can be read, {wanted} are wanted ({whole} of "
                f"{self.frames} frames). The file is damaged or incomplete: copy it again"
            )
            raise TruncatedImage(msg)
        shape = (*self.shape, self.frames)
        return np.memmap(self.path, self.dtype, "r", self.offset, shape, order="F")


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
            msg = f"{self._layout.path}: the run was there when it was opened, and is gone; put it back"
            self._full.put(MissingFile(msg))
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
            _fill(file, buffer, layout, at=layout.offset + index * layout.frame_bytes)
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
        reason = " ".join(str(error).split()) or type(error).__name__
    total = layout.offset + layout.frames * layout.frame_bytes
    whole = max(at + found - layout.offset, 0) // layout.frame_bytes
    msg = (
        f"{layout.path}: {at + found} bytes of image can be read, {total} are wanted ({whole} of "
        f"{layout.frames} frames; {reason}). The file is damaged or incomplete: copy it again"
    )
    raise TruncatedImage(msg)


def _check_end(file: BinaryIO, layout: FileLayout) -> None:
    """Read what follows the last frame, which verifies the checksum of a compressed file."""
    try:
        while file.read(1 << 16):
            pass
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{layout.path}: the compressed file is damaged ({reason}); copy it again"
        raise TruncatedImage(msg) from error
    if garbage := getattr(file, "garbage", 0):
        msg = (
            f"{layout.path}: the image is whole, but {garbage} bytes or more follow it that are "
            "not gzip; they were ignored"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=2)
