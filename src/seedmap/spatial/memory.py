"""Where a run's series are put: in memory, or in a temporary file where memory is short."""

import contextlib
import mmap
import re
import shutil
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OptionError, OutputError

__all__ = ["allocate", "parse_memory"]

# What a process holds beside the series: Python, NumPy, SciPy and nibabel, a few volumes, blocks.
OVERHEAD = 250 << 20
# Memory that is worth a word about its pages [bytes].
LARGE = 64 << 20
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_memory(max_memory: float | str | None) -> float | None:
    """Return a limit in bytes.

    Parameters
    ----------
    max_memory
        Bytes, or text such as ``"2GB"`` or ``"800 MB"`` (powers of 1024), or None for no limit.

    Raises
    ------
    OptionError
        If it cannot be understood, or is not above 0.

    Examples
    --------
    >>> parse_memory("2GB") == 2 * 1024**3
    True
    """
    if max_memory is None:
        return None
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(?:i?B)?\s*", str(max_memory), re.IGNORECASE)
    try:
        limit = float(found[1]) * UNITS[found[2].upper()] if found else 0.0
    except ValueError:
        limit = 0.0
    if not limit > 0:
        msg = f"max_memory={max_memory!r}; give a number of bytes, or text such as 2GB"
        raise OptionError(msg)
    return limit


def allocate(shape: tuple[int, int], dtype: Any, max_memory: float | None) -> NDArray[Any]:
    """Make an empty array, in a temporary file if memory would not hold it.

    The file has no name, or loses it at once, so that nothing is left behind however the process
    ends.

    Parameters
    ----------
    shape
        (kept, samples).
    dtype
        Type of the values.
    max_memory
        Most memory [bytes] that the whole process should take; None for no limit.

    Raises
    ------
    OutputError
        If the disk has no space for the file.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if max_memory is None or size + OVERHEAD <= max_memory:
        return _in_small_pages(shape, dtype)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        msg = (
            f"{folder}: {free >> 20} MB are free and {size >> 20} MB are needed to hold the series "
            "outside memory; free some space, set TMPDIR to another folder, or raise max_memory"
        )
        raise OutputError(msg)
    with tempfile.TemporaryFile(prefix="seedmap-") as file:
        file.truncate(size)
        held = np.memmap(file, dtype=dtype, mode="r+", shape=shape)
    if hasattr(mmap, "MADV_RANDOM"):
        # Blocks of samples are read across all rows. Without this word a system that caches the
        # file in large pieces maps a whole piece for each row, which is nearly the whole file.
        held._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
    return held


def _in_small_pages(shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
    """Make an empty array in memory, of small pages if it is large.

    NumPy asks for huge pages. A system that must first clear a place for each takes four times as
    long to provide a gigabyte, which is half of what a thousand maps then cost.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.empty(shape, dtype=dtype)
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:  # there is not so much memory: let NumPy say so
        return np.empty(shape, dtype=dtype)
    # A kernel that knows no huge pages refuses the word, and needs none.
    with contextlib.suppress(OSError):
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, dtype=dtype).reshape(shape)
