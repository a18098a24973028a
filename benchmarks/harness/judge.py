"""A command in a child process with limits, and what is to be said of how it ended."""

import os
import re
import resource
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from harness.corpus import Family

SECONDS = 30
MOST_MEMORY = 1 << 30
# Address space beyond what the parent has: stacks of threads and mapped files come to less.
MOST_CLAIMED = 3 << 30
TOLERANCE = 2e-3
PROGRESS = re.compile(r"[A-Z][a-z ]+: [\d,]+ of [\d,]+ \(\d+%\)").fullmatch


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    signal: int
    said: str
    printed: str
    memory: int
    seconds: float


def run_apart(folder: Path, words: list[str]) -> Ended:
    """Run a command of seedmap in a copy of this process, which has loaded all that is needed."""
    own = folder.parent / "own"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    (own / "tmp").mkdir()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(folder, own, words)
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - started > SECONDS:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            break
        time.sleep(0.002)
    return Ended(
        os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1,
        os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        (own / "err").read_text(errors="replace"),
        (own / "out").read_text(errors="replace"),
        usage.ru_maxrss * 1024,
        time.monotonic() - started,
    )


def _child(folder: Path, own: Path, words: list[str]) -> None:
    """Call the command line and leave, whatever happens."""
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(own / name, os.O_WRONLY | os.O_CREAT), number)
        os.chdir(folder)
        os.environ["TMPDIR"] = str(own / "tmp")
        claimed = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (claimed + MOST_CLAIMED,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from seedmap.cli import main

        code = main(words)
    except BaseException:  # noqa: BLE001  the parent reads what is said
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def verdict(family: Family, folder: Path, before: set[Path], ended: Ended, base: np.ndarray) -> str:
    """Say what was wrong, empty for nothing; `base` is the map of the whole files."""
    said = ended.said.splitlines()
    lines = [line for line in said if not line.startswith("seedmap: note: ") and not PROGRESS(line)]
    if ended.signal:
        return "hang" if ended.seconds > SECONDS else f"signal {ended.signal}"
    if "Traceback" in ended.said or ended.code not in (0, 2, 3):
        return f"traceback: {lines[-1] if lines else ended.code}"
    if ended.memory > MOST_MEMORY or "not enough memory" in ended.said:
        return f"memory: {ended.memory >> 20} MB {lines}"
    if any((folder.parent / "own" / "tmp").iterdir()):
        return "left in the temporary folder"
    if ended.code == 0:
        return _unfit(lines) or _wrong_map(family, folder, base)
    left = set(folder.rglob("*")) - before
    if ended.code == 2 and left:
        return f"left: {sorted(map(str, left))[:2]}"
    if ended.code == 3:
        return "" if " failed: " in ended.printed else "no line"
    return "" if len(lines) == 1 and lines[0].startswith("seedmap: ") else f"lines: {lines[:3]}"


def _unfit(lines: list[str]) -> str:
    return f"a map, and lines: {lines[:2]}" if lines else ""


def _wrong_map(family: Family, folder: Path, base: np.ndarray | None) -> str:
    """Compare the map with what an independent reading of the files gives."""
    if base is None:
        return ""
    wanted = _wanted(family, folder, base)
    try:
        found = read_map(family, folder)
    except Exception as error:  # noqa: BLE001  nibabel must be able to read what we write
        return f"a map that cannot be read ({error!r})"
    if found is None or wanted is None:
        return "no map" if found is None else ""
    if found.shape != wanted.shape:
        return f"shape {found.shape} for {wanted.shape}"
    known = np.isfinite(wanted) & np.isfinite(found)
    away = np.abs(found - wanted)[known]
    return f"r off by {away.max():.3g}" if away.size and away.max() > TOLERANCE else ""


def _wanted(family: Family, folder: Path, base: np.ndarray) -> np.ndarray | None:
    """Return the right map; None where it is not known."""
    if family.expected is None:
        return base
    try:
        return family.expected(folder)
    except Exception:  # noqa: BLE001  what cannot be read must have done no harm
        return base


def read_map(family: Family, folder: Path) -> np.ndarray | None:
    """Read the map of r that a command made."""
    paths = sorted(
        p for p in (folder / "OUT").rglob(family.made) if p.suffix in (".gz", ".nii", ".gii")
    )
    if not paths:
        return None
    image = nib.load(paths[0])
    if hasattr(image, "darrays"):
        return np.asarray(image.darrays[0].data, dtype=float)
    values = np.asarray(image.dataobj, dtype=float)
    return values[0] if hasattr(image, "nifti_header") else np.squeeze(values)
