"""Writing files whole or not at all.

`staged_folder` collects a set of results in a hidden folder beside their destination and moves
them into place when all are complete; if anything fails nothing is left. `write_volume` and
`write_text` write one file under a temporary name, flush it to the disk and rename it.
"""

import errno
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OutputError
from seedmap.images.space import Grid
from seedmap.leftovers import LOCK, claimed_folder, new_folder_name, sweep_left

__all__ = [
    "DESCRIPTION",
    "MapKind",
    "atomic_file",
    "check_writable",
    "final_folder",
    "is_ours",
    "staged_folder",
    "stale_maps",
    "volume_image",
    "write_text",
    "write_volume",
]

FULL = (errno.EFBIG, errno.ENOSPC, getattr(errno, "EDQUOT", -1))
DESCRIPTION = "dataset_description.json"
STAGE = ".seedmap-stage-"
MAP = re.compile(r"(.+_seed-[^_]+(?:_contrast-[^_]+)?)_stat-[^_]+(_desc-[^_]+)?_statmap\.")
# What is said of such maps in a table that is not always made.
TABLE = re.compile(r"(.+_seed-[^_]+(?:_contrast-[^_]+)?)(_desc-[^_]+)?_robustness\.")
# A map of a whole run, which belongs to the maps of seeds that were made with it.
RUN_MAP = re.compile(r"((?:(?!_seed-).)+)_stat-[^_]+(_desc-[^_]+)?_statmap\.")
SEED = re.compile(r"_seed-.+")
COMPRESSION = 2  # isal's default: half the time of zlib's level 1 at about its size


@dataclass(frozen=True)
class MapKind:
    """What the values of a map are, in NIfTI's words.

    Attributes
    ----------
    intent : str
        NIfTI intent: ``"correlation"``, ``"z score"``, ``"p value"``, ``"estimate"`` or ``"none"``.
    parameters : tuple of float
        The intent's parameters, such as the degrees of freedom.
    description : str
        At most 79 characters for the header's ``descrip``.
    """

    intent: str = "none"
    parameters: tuple[float, ...] = ()
    description: str = ""


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when it is complete.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    handle, name = -1, ""
    try:
        handle, name = tempfile.mkstemp(prefix=".seedmap-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_usual_rights(name)
        Path(name).replace(path)
    except BaseException as error:
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # ours have no number
            raise _cannot_write(path, error) from error
        raise


@contextmanager
def staged_folder(folder: Path | str) -> Iterator[Path]:
    """Give a hidden folder whose files move into ``folder`` once all of them are complete.

    ``folder`` is made if it is not there. Files of the same names are replaced, and so are all
    maps of the same seed (see `stale_maps`); others stay, and so does a description of the data set.
    If the work in the ``with`` block fails, ``folder`` is left as it was found.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or the disk is full.
    """
    folder = Path(folder).expanduser()
    made = _missing(folder)
    try:
        with _stage_in(folder) as stage:
            yield stage
            _move_into_place(stage, folder)
    except BaseException as error:
        _remove_empty(made)
        if isinstance(error, OSError) and error.errno is not None:
            raise _cannot_write(folder, error) from error
        raise


def check_writable(folder: Path | str) -> None:
    """Refuse a folder that cannot be made or written to; nothing of the trial is left.

    Raises
    ------
    OutputError
        If it cannot.
    """
    folder = Path(folder).expanduser()
    made = _missing(folder)
    try:
        with _stage_in(folder):
            pass
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        _remove_empty(made)


def _missing(folder: Path) -> list[Path]:
    """Return the folders that have to be made, the innermost first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


@contextmanager
def _stage_in(folder: Path) -> Iterator[Path]:
    """Make a folder, and within it a hidden one; those that killed calls left go."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep_left(folder, STAGE)
    with claimed_folder(folder / new_folder_name(STAGE)) as stage:
        yield stage


def _move_into_place(stage: Path, folder: Path) -> None:
    """Rename every staged file."""
    staged = [
        (path, folder / path.relative_to(stage))
        for path in sorted(stage.rglob("*"))
        if path != stage / LOCK
    ]
    for path, target in staged:  # before anything has moved
        if target.exists() and target.is_dir() != path.is_dir():
            what = "folder" if target.is_dir() else "file"
            raise OSError(errno.EEXIST, f"{target.name} is a {what} there")
    for old in stale_maps(folder.iterdir(), [path.name for path, _ in staged]):
        old.unlink()
    for path, target in staged:
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif path.name == DESCRIPTION and target.exists():
            _add_links(path, target)  # it may be another program's, or hold what the user added
        else:
            path.replace(target)


def _add_links(fresh: Path, there: Path) -> None:
    """Add to our own description of a data set the links that it lacks; all else of it stays."""
    try:
        new, old = (json.loads(one.read_text(encoding="utf-8")) for one in (fresh, there))
        links = {**new.get("DatasetLinks", {}), **old.get("DatasetLinks", {})}
    except (ValueError, TypeError, AttributeError):
        links, old = {}, None
    if is_ours(old) and links != old.get("DatasetLinks", {}):
        text = json.dumps({**old, "DatasetLinks": links}, indent=2, ensure_ascii=False)
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(there)
    else:
        fresh.unlink()


def is_ours(description: Any) -> bool:
    """Whether the description of a data set says that seedmap made it."""
    try:
        return bool(description["GeneratedBy"][0]["Name"] == "seedmap")
    except (LookupError, TypeError):
        return False


def final_folder(folder: Path) -> Path:
    """Return where the files of a folder will be: of a stage, the folder that they move into."""
    while folder.name.startswith(STAGE):
        folder = folder.parent
    return folder


def stale_maps(there: Iterable[Path], fresh: Collection[str]) -> list[Path]:
    """List the maps that do not belong beside new ones of the same run, seed and denoising.

    They are those of statistics that the new maps do not have: a z beside an r of another cleaning
    would be taken for its own. Tables of their robustness count as maps. A map of the whole run, that
    of degree, goes with the maps of a seed that are replaced.

    Parameters
    ----------
    there
        Files of earlier calls.
    fresh
        Names of the new files; those of maps with a sidecar count.

    Returns
    -------
    list of Path
        Those of ``there`` that are to go.
    """
    seeds = {
        found.groups() for name in fresh if name.endswith(".json") and (found := MAP.match(name))
    }
    there = list(there)
    replaced = [MAP.match(path.name) for path in there if path.name in fresh]
    runs = {(SEED.sub("", found[1]), found[2]) for found in replaced if found}
    return [path for path in there if path.name not in fresh and _belongs(path.name, seeds, runs)]


def _belongs(
    name: str, seeds: Collection[tuple[str, ...]], runs: Collection[tuple[str, str]]
) -> bool:
    """Whether a file is a map of one of some seeds, or of one of some runs as a whole."""
    if found := MAP.match(name) or TABLE.match(name):
        return found.groups() in seeds
    found = RUN_MAP.match(name)
    return found is not None and found.groups() in runs


def _remove_empty(made: list[Path]) -> None:
    """Remove the folders that were made for results that did not come."""
    for folder in made:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write_text(path: Path | str, text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all, and return its path."""
    path = Path(path)
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))  # names of files may be in no coding
    return path


def volume_image(
    values: NDArray[Any],
    grid: Grid,
    *,
    kind: MapKind | None = None,
    codes: tuple[int, int] = (2, 0),
    t_r: float | None = None,
) -> Any:
    """Wrap a volume (x, y, z) or (x, y, z, frames) as a nibabel image on a grid.

    Floats are stored as float32, booleans as uint8 and long integers as int32, which every tool
    reads; the sform and qform codes are those given.
    """
    import nibabel as nib

    values = np.asarray(values)
    stored = {"f": np.float32, "b": np.uint8, "i": np.int32, "u": np.int32}[values.dtype.kind]
    if values.dtype.kind in "fb" or values.dtype.itemsize > np.dtype(stored).itemsize:
        values = values.astype(stored)
    image = nib.Nifti1Image(values, grid.affine)
    image.set_sform(grid.affine, code=codes[0] or (2 if codes[1] else 0))
    image.set_qform(grid.affine, code=codes[1])
    header = image.header
    header.set_xyzt_units("mm", "sec" if t_r else "unknown")
    if t_r:
        header.set_zooms((*header.get_zooms()[:3], t_r))
    if kind is not None:
        header.set_intent(kind.intent, kind.parameters)
        header["descrip"] = kind.description.encode("ascii", "replace")[:79]
    return image


def write_volume(path: Path | str, image: Any) -> Path:
    """Write a nibabel image as ``.nii`` or ``.nii.gz``, whole or not at all; return its path.

    The same image gives the same bytes: no time and no name is stored in the gzip header.
    """
    path = Path(path)
    with atomic_file(path) as file:
        if path.name.endswith(".gz"):
            from isal import igzip

            with igzip.IGzipFile(
                filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0
            ) as compressed:
                image.to_stream(compressed)
        else:
            image.to_stream(file)
    return path


def _give_usual_rights(name: str) -> None:
    """Let a temporary file, private when made, have the rights that a new file usually has."""
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)


def _cannot_write(path: Path, error: OSError) -> OutputError | MemoryError:
    reason = error.strerror or str(error)
    if error.errno == errno.ENOMEM:  # which no other folder would help
        return MemoryError(reason)
    advice = "choose another folder with --out"
    if error.errno in FULL:
        advice = "free some space"
    elif error.errno == errno.ENAMETOOLONG:
        advice = "shorten the name of the seed, the strategy or the run"
    return OutputError(f"{path}: cannot be written ({reason}); {advice}. Nothing was left behind")
