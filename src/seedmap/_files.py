"""Files that are given: there, missing, or there in name only."""

from pathlib import Path

from seedmap.errors import MissingFile

__all__ = ["absence", "check_there", "is_there"]

# What stands in place of a file whose content was not fetched, and what fetches it.
POINTERS = {
    b"version https://git-lfs": "a pointer of git LFS and not the file itself; fetch it (git lfs pull)",
    b"/annex/objects/": "a pointer of git-annex and not the file itself; fetch it (git annex get, datalad get)",
}
LARGEST_POINTER = 1024  # bytes; git LFS keeps its pointers below that


def absence(path: Path) -> str:
    """Say why a path is no file with content, and what to do; empty if it is one.

    What the disk does not give is left to whoever reads it.
    """
    try:
        if path.is_symlink() and not path.exists():
            return (
                "is a link that leads nowhere; fetch its content (git annex get, datalad get), or "
                "mend the link"
            )
        if not path.is_file():
            return f"{'is a folder' if path.is_dir() else 'is not there'}; check the path"
        if path.stat().st_size > LARGEST_POINTER:
            return ""
        with path.open("rb") as file:
            start = file.read(LARGEST_POINTER)
    except OSError:
        return ""
    return next((f"is {what}" for mark, what in POINTERS.items() if start.startswith(mark)), "")


def check_there(path: Path, role: str) -> None:
    """Refuse a path that is no file with content; ``role`` is what the message calls it.

    Raises
    ------
    MissingFile
        If it is not there, a folder, a link that leads nowhere, or a pointer of git LFS or git-annex.
    """
    if why := absence(path):
        msg = f"{path}: this {role} {why}"
        raise MissingFile(msg)


def is_there(path: Path, role: str) -> bool:
    """Whether a file that is used where it exists is there.

    Raises
    ------
    MissingFile
        If its name is there and its content is not, which would change the results in silence.
    """
    try:
        if not path.is_file() and not path.is_symlink():
            return False
    except OSError:  # a name that no disk can hold
        return False
    check_there(path, role)
    return True
