"""Hidden folders for work under way: in use while their call lasts, and removed by a later call.

A call that is killed cannot clean up. Its folder holds a lock, which the system releases when a
process ends however it ends, so that a later call knows whether a folder is in use: also in another
container, where process numbers and names of machines say nothing. Of a folder that another
machine made, or that has no lock, nothing is known, and it counts as left after a day.
"""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

__all__ = ["LOCK", "claimed_folder", "new_folder_name", "sweep_left"]

LOCK = ".lock"
LEFT_AFTER = 24 * 3600.0
BOOT = Path("/proc/sys/kernel/random/boot_id")


def new_folder_name(prefix: str = "") -> str:
    """Name a folder of this call: the machine, the process and a random part."""
    return f"{prefix}{_machine()}.{os.getpid()}.{uuid4().hex[:8]}"


@contextmanager
def claimed_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that other calls know to be in use; it is removed afterwards.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f"{folder.name}.new")
    unfinished.mkdir(mode=0o700)
    handle = -1
    try:
        handle = _lock(unfinished)
        unfinished.rename(folder)  # locked before any other call looks at it
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def sweep_left(parent: Path, prefix: str = "") -> None:
    """Remove the folders in a folder that calls left which have ended."""
    with suppress(OSError):
        for folder in list(parent.iterdir()):
            if folder.name.startswith(prefix) and folder.is_dir() and _is_left(folder, prefix):
                shutil.rmtree(folder, ignore_errors=True)


def _machine() -> str:
    """Return what all processes of one running system have in common, containers included."""
    with suppress(OSError):
        return BOOT.read_text(encoding="ascii").strip().replace("-", "")[:12]
    return socket.gethostname().replace(".", "-")


def _lock(folder: Path) -> int:
    """Lock a folder; -1 where locks are not known."""
    try:
        import fcntl
    except ImportError:  # Windows
        return -1
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(OSError):  # a disk without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_left(folder: Path, prefix: str) -> bool:
    """Whether the call that made a folder has ended."""
    machine, _, rest = folder.name.removeprefix(prefix).partition(".")
    try:
        if machine == _machine() and (folder / LOCK).exists() and not rest.endswith(".new"):
            return _is_unlocked(folder / LOCK)
        return time.time() - folder.stat().st_mtime > LEFT_AFTER
    except OSError:  # in use, another user's, or gone
        return False


def _is_unlocked(path: Path) -> bool:
    import fcntl

    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)
    return True
