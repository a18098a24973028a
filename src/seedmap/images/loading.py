"""Files as libraries read them: one line for whatever is wrong with one, and no claim believed unchecked.

A header can claim any size. What cannot be in a file of its size is refused before anything is
allocated for it.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from seedmap._files import check_there
from seedmap._texts import one_line
from seedmap.errors import ImageError, SeedmapError, SeedmapWarning, TruncatedImage
from seedmap.images.inflate import is_gzip

__all__ = [
    "MOST_INFLATED",
    "MOST_VOXELS",
    "check_size",
    "load_file",
    "reading",
    "values_of",
]

# Bytes that one compressed byte can stand for at most (deflate).
MOST_INFLATED = 1032
# Voxels of one volume: more than a whole brain at 0.3 mm has.
MOST_VOXELS = 1 << 28
# The first number in the headers of NIfTI-1 and NIfTI-2: their size in bytes.
NIFTI_SIZES = {348, 540}


class _Complaints(logging.Handler):
    """Keeps what nibabel says of a header instead of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, None] = {}

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.texts[record.getMessage()] = None


@contextmanager
def reading(source: object, role: str, wanted: str = "a NIfTI file") -> Iterator[None]:
    """Turn whatever a library raises while a file is read into one line.

    What nibabel mends of a header on the way is a warning.

    Parameters
    ----------
    source
        The file.
    role
        What the message calls it, such as ``"mask"``.
    wanted
        What it should be.

    Raises
    ------
    ImageError
        If anything but a `SeedmapError` or a want of memory is raised.
    """
    logger, complaints = logging.getLogger("nibabel.global"), _Complaints()
    before, propagates = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [complaints], False
    try:
        yield
    except (SeedmapError, MemoryError):
        raise
    except Exception as error:
        reason = (_wrong_suffix(source) if isinstance(source, Path) else "") or one_line(error)
        msg = (
            f"{source}: this {role} is not an image that can be read ({reason}); {wanted} is wanted"
        )
        raise ImageError(msg) from error
    finally:
        logger.handlers, logger.propagate = before, propagates
    if complaints.texts:
        msg = f"{source}: the header of this {role} was mended to read it ({'; '.join(complaints.texts)})"
        warnings.warn(msg, SeedmapWarning, stacklevel=4)


def load_file(path: Path, role: str, wanted: str = "a NIfTI file") -> Any:
    """Load a file with nibabel; parameters as of `reading`.

    Raises
    ------
    MissingFile
        If it is not there.
    ImageError
        If it cannot be read, or claims to hold more than it can.
    """
    import nibabel as nib  # before `reading`: it brings its logger with it

    check_there(path, role)
    _check_readable(path, role)
    with reading(path, role, wanted):
        image = nib.load(path)
        check_size(image, role)
    return image


def _check_readable(path: Path, role: str) -> None:
    """Refuse a file that the disk does not give, of which nothing can be said."""
    try:
        with path.open("rb") as file:
            file.read(512)
    except OSError as error:
        msg = f"{path}: this {role} cannot be read ({error.strerror}); check the disk and your rights, and try again"
        raise ImageError(msg) from error


def _wrong_suffix(path: Path) -> str:
    """Say that an image is compressed and not called so, or the other way; empty for neither."""
    called = path.name.lower().endswith(".gz")
    if is_gzip(path):
        return "" if called else "it is compressed, rename it to .gz"
    with path.open("rb") as file:
        start = file.read(4)
    plain = {int.from_bytes(start, "little"), int.from_bytes(start, "big")} & NIFTI_SIZES
    return "it is not compressed, rename it without .gz" if called and plain else ""


def check_size(image: Any, role: str) -> None:
    """Refuse an image that claims more than its file can hold, before anything is allocated.

    Raises
    ------
    ImageError
        If an axis has no length.
    TruncatedImage
        If the file is too small.
    """
    data = getattr(image, "dataobj", None)
    shape: tuple[int, ...] = getattr(data, "shape", (1,))
    if min(shape, default=1) < 1:
        msg = f"{image.get_filename()}: this {role} has shape {shape}, so there is nothing in it; mend its header"
        raise ImageError(msg)
    file = getattr(data, "file_like", None)
    if data is None or not isinstance(file, str | Path):
        return
    path, offset, itemsize = Path(file), int(data.offset), data.dtype.itemsize
    claimed, most = offset + math.prod(shape) * itemsize, _most_bytes(path)
    if claimed > most:
        whole = int(max(most - offset, 0) // (math.prod(shape[:3]) * itemsize))
        frames = f" ({whole} of {shape[3]} frames)" if len(shape) == 4 else ""
        msg = (
            f"{path}: {most} bytes of image can be read, {claimed} are wanted{frames}. The file is damaged or "
            "incomplete: copy it again"
        )
        raise TruncatedImage(msg)


def _most_bytes(path: Path) -> float:
    """Return how many bytes a file, compressed or not, can hold at most."""
    if path.suffix in (".bz2", ".zst"):
        return math.inf
    return path.stat().st_size * (MOST_INFLATED if is_gzip(path) else 1)


def values_of(image: Any, role: str) -> NDArray[Any]:
    """Load all values of an image, real numbers of any type.

    Raises
    ------
    ImageError
        If it holds other than real numbers, too many, or cannot be read to its end.
    """
    source = image.get_filename() or "in memory"
    shape, dtype = image.shape, np.dtype(image.dataobj.dtype)
    if dtype.kind not in "biuf":
        msg = f"{source}: this {role} is stored as {dtype}; real numbers are wanted (int or float)"
        raise ImageError(msg)
    if math.prod(shape[:3]) > MOST_VOXELS:
        msg = f"{source}: this {role} has shape {shape}; at most {MOST_VOXELS:,} voxels can be used: resample it"
        raise ImageError(msg)
    with reading(source, role):
        check_size(image, role)
        return np.asarray(image.dataobj)
