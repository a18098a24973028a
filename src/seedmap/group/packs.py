"""The pack of a study: found, or made where there is none or its runs are others by now."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedmap.errors import ImageError, OptionError, OutputError, SeedmapError, SpaceMismatch
from seedmap.group.loading import same_space
from seedmap.group.people import Choice
from seedmap.group.stored import find_runs
from seedmap.leftovers import claimed_folder, new_folder_name, sweep_left
from seedmap.store import Pack, StoredRun, open_pack, open_stored, pack_bytes, write_pack
from seedmap.store.arrays import read_head

__all__ = ["StudyPack", "pack_study"]

STAGING = ".seedmap-pack-"
# What must be one for all runs of a study.
ALIKE = ("cleaning", "smoothing_fwhm", "strategy", "space")
MANY = 3
USABLE = 0.8  # of the memory of the machine

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class StudyPack:
    """The runs of a study in one pack.

    Attributes
    ----------
    pack : Pack
        The arrays.
    paths : tuple of Path
        The stored runs, in the order of the pack's.
    strategy : str
        Their strategy, as it stands in names.
    why : str
        Why the pack was made now; empty where it was there.
    """

    pack: Pack
    paths: tuple[Path, ...]
    strategy: str
    why: str


def pack_study(
    root: Path,
    choice: Choice,
    progress: Progress | None = None,
    without: frozenset[str] = frozenset(),
    memory: float | None = None,
) -> StudyPack:
    """Open the pack of a study's stored runs; make it where there is none, or an old one.

    A pack is old when a run was added, taken away or written again since.

    Parameters
    ----------
    root
        Folder of results, or its folder ``store``.
    choice
        Which runs; its seed does not matter.
    progress
        Called as ``progress(done, total)`` while it is made.
    without
        Labels of participants whose runs do not come into it.
    memory
        Most memory that it should take [bytes]; where 16 bits a number would take more, it has 8. None
        for most of what the machine has.

    Raises
    ------
    MissingFile
        If there are no stored runs that fit.
    OptionError, SpaceMismatch
        If two runs were cleaned otherwise, or lie on other grids.
    OutputError
        If the pack cannot be written.
    """
    found, strategy = find_runs(root, choice)
    runs = {label: some for label, some in found.items() if label not in without}
    paths = tuple(path for some in runs.values() for path in some)
    people = [label for label, some in runs.items() for _ in some]
    heads = _heads(paths)
    narrow = _bytes_of(heads) > (_memory() if memory is None else memory)
    path = paths[0].parent / _name(choice, strategy, without, narrow=narrow)
    contents = {one.name: str(head["content"]) for one, head in zip(paths, heads, strict=True)}
    pack, why = _opened(path, contents)
    if pack is None:
        _make(path, paths, people, progress, narrow=narrow)
        pack = open_pack(path)
    return StudyPack(pack, paths, strategy, why)


def _name(choice: Choice, strategy: str, without: frozenset[str], *, narrow: bool) -> str:
    """Name a pack after the choice of its runs, so that it is found again when they change."""
    chosen = json.dumps([strategy, sorted(choice.entities.items()), sorted(without), narrow])
    return f"group_{hashlib.blake2b(chosen.encode(), digest_size=6).hexdigest()}.zarr"


def _heads(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read what the heads of stored runs say; nothing else is read."""
    found = []
    for path in paths:
        try:
            head = read_head(path)
            _ = head["content"], head["arrays"]["smooth"][1]
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path}: not a stored run ({type(error).__name__}: {error}); store it again"
            raise ImageError(msg) from error
        found.append(head)
    return found


def _bytes_of(heads: Sequence[Mapping[str, Any]]) -> int:
    """Return about how many bytes the smoothed samples of runs take with 16 bits a number."""
    shapes = [head["arrays"]["smooth"][1] for head in heads]
    return 2 * len(shapes) * max(shape[0] for shape in shapes) * max(shape[1] for shape in shapes)


def _memory() -> float:
    """Return most of the memory that the machine has [bytes]; no limit where that is not known."""
    try:
        return USABLE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return float("inf")


def _opened(path: Path, contents: Mapping[str, str]) -> tuple[Pack | None, str]:
    """Open a pack if it holds these runs; else say why one has to be made."""
    if not path.is_dir():
        return None, "there is no pack of these runs yet"
    try:
        pack = open_pack(path)
    except SeedmapError as error:
        return None, f"the pack cannot be used ({error})"
    packed = {run.name: run.content for run in pack.runs}
    changes = {
        "added": [name for name in contents if name not in packed],
        "gone": [name for name in packed if name not in contents],
        "written again": [
            name for name in contents if packed.get(name, contents[name]) != contents[name]
        ],
    }
    for what, names in changes.items():
        if names:
            more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
            are = "is" if len(names) == 1 else "are"
            return None, f"since the last pack {', '.join(names[:MANY])}{more} {are} {what}"
    return pack, ""


def _make(
    path: Path,
    paths: Sequence[Path],
    people: Sequence[str],
    progress: Progress | None,
    *,
    narrow: bool,
) -> None:
    """Write a pack beside its place, and move it there when it is whole."""
    runs = [open_stored(one) for one in paths]
    _check_alike(runs)
    sweep_left(path.parent, STAGING)
    need, free = pack_bytes(runs), shutil.disk_usage(path.parent).free
    if need > free:
        msg = f"{path.parent}: the pack takes {_size(need)}, {_size(free)} are free; free some space there"
        raise OutputError(msg)
    try:
        with claimed_folder(path.parent / new_folder_name(STAGING)) as stage:
            write_pack(stage / path.name, runs, people, _facts(runs), progress, narrow=narrow)
            if path.exists():
                path.rename(stage / "old")
            (stage / path.name).rename(path)
    except OSError as error:
        if isinstance(error, SeedmapError):
            raise
        reason = os.strerror(error.errno or errno.EIO)
        msg = f"{path}: the pack cannot be written ({reason}); free some space, or make the folder writable"
        raise OutputError(msg) from error


def _facts(runs: Sequence[StoredRun]) -> dict[str, Any]:
    known = runs[0].facts
    return {name: known.get(name) for name in (*ALIKE, "codes", "file")}


def _check_alike(runs: Sequence[StoredRun]) -> None:
    """Refuse runs of which two lie on other grids or were cleaned otherwise."""
    first = runs[0]
    for run in runs[1:]:
        if not same_space(run.space, first.space):
            msg = (
                f"{run.path.name} lies on another grid than {first.path.name}; choose runs of one "
                "--space and --res"
            )
            raise SpaceMismatch(msg)
        for name in ALIKE:
            if run.facts.get(name) != first.facts.get(name):
                msg = (
                    f"{run.path.name} was stored with another {name} than {first.path.name}; choose runs "
                    f"that were made alike, or store them again in one call to seedmap bids"
                )
                raise OptionError(msg)


def _size(number: int) -> str:
    return f"{number / 1e9:.2g} GB"
