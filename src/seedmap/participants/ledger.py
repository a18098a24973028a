"""What has been done: one small file a participant, and how results get into place.

Results are made in a hidden folder beside the others and moved, file by file, when all of a
participant's are complete. The ledger says before the move which files are coming, and after it
that they are there, so that a call after any interruption knows what is whole. A folder that a
killed call left is removed by the next call.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any, Literal
from uuid import uuid4

from seedmap.errors import OutputError
from seedmap.images import stale_maps, write_text
from seedmap.leftovers import claimed_folder, new_folder_name, sweep_left

__all__ = [
    "RESULTS",
    "Entry",
    "FileState",
    "commit",
    "digest",
    "put_text",
    "read_entry",
    "stage_of",
    "state_of",
    "work_folder",
    "write_entry",
]

State = Literal["done", "failed", "writing"]
WORK = ".seedmap-work"
RESULTS = "results"
ERROR_LOG = "_error.txt"


@dataclass(frozen=True)
class FileState:
    """A file as it was: if nothing here but the digest is asked for and equal, so is its content.

    A program can set a file's size and ``mtime`` back to what they were, as copying with times
    does, but not its ``ctime`` (Windows has none).
    """

    path: str
    size: int
    mtime_ns: int = 0
    digest: str = ""
    ctime_ns: int = 0
    inode: int = 0

    def same_as(self, other: "FileState") -> bool:
        """Whether another look at the file found it untouched."""
        return replace(self, digest="") == replace(other, digest="")


def state_of(path: Path, root: Path) -> FileState:
    """Look at a file without reading it."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    try:
        found = path.stat()
    except OSError:
        return FileState(name, -1)
    return FileState(
        name,
        found.st_size,
        found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
    )


def digest(path: Path) -> str:
    """Sum up a file's content; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True)
class Done:
    """What an earlier call with other options made, and no later one wrote over."""

    fingerprint: str
    files: tuple[FileState, ...]


@dataclass(frozen=True)
class Entry:
    """What is known of a participant's results.

    Attributes
    ----------
    participant : str
        The label.
    state : str
        ``"done"``, ``"failed"``, or ``"writing"`` while files move into place.
    fingerprint : str
        Sum of inputs, options and version.
    reason : str
        Why it failed; empty otherwise.
    lasting : bool
        Whether it would fail again unless inputs or options change.
    inputs, files : tuple of FileState
        The inputs with their digests; the results, relative to the output folder.
    facts : dict
        What the study's page shows.
    earlier : tuple of Done
        What calls with other options made, and still stands.
    """

    participant: str
    state: State
    fingerprint: str
    reason: str = ""
    lasting: bool = False
    inputs: tuple[FileState, ...] = ()
    files: tuple[FileState, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    earlier: tuple[Done, ...] = ()

    def files_are_there(self, out: Path) -> bool:
        """Whether every result is there as it was written; those that were touched are read."""
        return _there(self.files, out)

    def is_untouched(self, out: Path) -> bool:
        """Whether no result was touched since it was written; no file is read."""
        return self.noted(out).files == self.files

    def noted(self, out: Path) -> "Entry":
        """Return the entry with the results as they are now, of which the content is known."""
        return replace(self, files=tuple(_noted(file, out) for file in self.files))

    def did_before(self, fingerprint: str, out: Path) -> bool:
        """Whether an earlier call did just this, and its results still stand."""
        return any(
            done.fingerprint == fingerprint and _there(done.files, out) for done in self.earlier
        )


def _there(files: Sequence[FileState], out: Path) -> bool:
    return all(_is_as_written(file, out) for file in files)


def _is_as_written(file: FileState, out: Path) -> bool:
    """Whether a result holds what was written; pages are those of the last call."""
    now = state_of(out / file.path, out)
    if now.size < 0 or _is_page(file):
        return now.size >= 0
    if now.size != file.size or not file.digest:  # older ledgers have no digests of results
        return now.size == file.size
    return file.same_as(now) or digest(out / file.path) == file.digest


def _noted(file: FileState, out: Path) -> FileState:
    return file if _is_page(file) else replace(state_of(out / file.path, out), digest=file.digest)


def _is_page(file: FileState) -> bool:
    return file.path.endswith(".html")


def _path(out: Path, label: str) -> Path:
    return out / "logs" / f"sub-{label}.json"


def read_entry(out: Path, label: str) -> Entry | None:
    """Read a participant's entry; None where there is none, or it is not as it was written.

    Its results lie in the output folder: an entry that names others is not ours.
    """
    try:
        content = json.loads(_path(out, label).read_text(encoding="utf-8"))
        check = content.pop("check", None)  # older ledgers have none
        if check not in (None, _check_of(content)):
            return None
        for key in ("inputs", "files"):
            content[key] = tuple(FileState(**state) for state in content[key])
        content["earlier"] = tuple(
            Done(done["fingerprint"], tuple(FileState(**state) for state in done["files"]))
            for done in content["earlier"]
        )
        entry = Entry(**content)
        files = [*entry.files, *(file for done in entry.earlier for file in done.files)]
        is_ours = entry.participant == label and all(_is_inside(file.path) for file in files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return entry if is_ours else None


def _is_inside(name: str) -> bool:
    """Whether the name of a result, relative to a folder, leads to a place in it on any system."""
    path = PureWindowsPath(name)
    return not path.anchor and ".." not in path.parts


def _check_of(content: Mapping[str, Any]) -> str:
    """Sum up an entry, so that one that was damaged is known."""
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def write_entry(out: Path, entry: Entry, stage: Path) -> None:
    """Write a participant's entry."""
    content = asdict(entry)
    text = json.dumps({"check": _check_of(content), **content}, indent=1) + "\n"
    put_text(_path(out, entry.participant), text, stage)


def put_text(path: Path, text: str, stage: Path) -> None:
    """Write a text in the hidden folder and move it into place."""
    whole = write_text(stage / f"{uuid4().hex[:8]}{path.suffix}", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.replace(path)


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Make the hidden folder of a call; those that killed calls left go.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    root = out / WORK
    sweep_left(root)
    try:
        with ExitStack() as stack:
            try:
                work = stack.enter_context(claimed_folder(root / new_folder_name()))
            except OSError as error:
                raise _cannot_write(error, out) from error
            yield work
    finally:
        with suppress(OSError):
            root.rmdir()  # the last call to end


@contextmanager
def stage_of(work: Path, label: str) -> Iterator[Path]:
    """Give a hidden folder with a folder ``results`` in it; nothing is left of it afterwards."""
    stage = work / f"sub-{label}.{uuid4().hex[:8]}"
    try:
        (stage / RESULTS).mkdir(parents=True)
        yield stage
    except OSError as error:
        if isinstance(error, OutputError) or error.errno is None:
            raise
        raise _cannot_write(error, work.parent.parent) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _cannot_write(error: OSError, where: Path) -> OutputError:
    msg = f"{where}: cannot be written ({error.strerror}); free some space or choose another folder"
    found = OutputError(msg)
    found.errno = error.errno
    return found


def commit(stage: Path, out: Path, entry: Entry) -> Entry:
    """Move a participant's files into place and say so in the ledger.

    Files that calls with other options made stay; only an error that is overcome goes.

    Returns
    -------
    Entry
        The entry with its files, as it was written.
    """
    before = read_entry(out, entry.participant)
    results = stage / RESULTS
    fresh = tuple(_weighed(results))
    names = {file.path for file in fresh}
    entry = replace(entry, files=fresh, earlier=tuple(_standing(before, entry.fingerprint, names)))
    for path in _units(results):  # before anything has moved
        _check_replaceable(path, out / path.relative_to(results))
    write_entry(out, replace(entry, state="writing"), stage)
    for old in _stale(out, names):
        old.unlink()
    for path in _units(results):
        _put(path, out / path.relative_to(results), stage)
    for file in before.files if before else ():
        if file.path.endswith(ERROR_LOG) and file.path not in names:
            (out / file.path).unlink(missing_ok=True)
    entry = entry.noted(out)
    write_entry(out, entry, stage)
    return entry


def _put(path: Path, target: Path, stage: Path) -> None:
    """Move a file or a stored run into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():  # which cannot take the place of another
        target.rename(stage / f"old-{uuid4().hex[:8]}")
    path.replace(target)


def _check_replaceable(path: Path, target: Path) -> None:
    """Refuse to put results in the place of a folder or file that seedmap did not make."""
    stored = path.is_dir()
    if target.exists() and (target.is_dir() != stored or (stored and not _is_stored(target))):
        msg = f"{target}: something else is where this result would be; move it away or choose another folder"
        raise OutputError(msg)


def _is_stored(folder: Path) -> bool:
    """Whether a folder is a stored run, or what is left of one."""
    try:
        return b'"seedmap"' in (folder / "zarr.json").read_bytes()
    except OSError:
        return False


def _stale(out: Path, names: set[str]) -> list[Path]:
    """List maps and figures of the same runs, seeds and strategies that are not written anew."""
    subjects = {name.partition("/")[0] for name in names if name.startswith("sub-")}
    kinds = ("*_statmap.*", "*_robustness.*")
    there = [path for one in subjects for kind in kinds for path in (out / one).rglob(kind)]
    return stale_maps(there, {name.rpartition("/")[2] for name in names})


def _weighed(results: Path) -> Iterator[FileState]:
    for path in sorted(results.rglob("*")):
        if path.is_file():
            name = path.relative_to(results).as_posix()
            state = FileState(name, path.stat().st_size)
            yield state if _is_page(state) else replace(state, digest=digest(path))


def _units(results: Path) -> Iterator[Path]:
    """List what is moved in one piece: files, and stored runs, which are folders."""
    for path in sorted(results.iterdir()):
        if path.is_dir() and path.suffix != ".zarr":
            yield from _units(path)
        else:
            yield path


def _standing(before: Entry | None, fingerprint: str, names: set[str]) -> Iterator[Done]:
    """List what earlier calls made and this one does not write over; pages belong to the last."""
    if before is None:
        return
    maps = tuple(file for file in before.files if not _is_page(file))
    last = (Done(before.fingerprint, maps),) if before.state == "done" else ()
    for done in (*before.earlier, *last):
        if done.fingerprint != fingerprint and not names & {file.path for file in done.files}:
            yield done
