"""How a call ends: a line and an exit code for whatever is not a fault of seedmap itself."""

import errno
import signal

from cyclopts import CycloptsError

from seedmap.cli.refusals import refusal
from seedmap.cli.signals import Stopped
from seedmap.cli.wording import one_line
from seedmap.errors import OptionError, SeedmapError

__all__ = ["check_words", "ending"]

# What writing to a screen, a pipe or a file ends in where nothing can be written.
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)
# What a name may be, so that nobody can open what it names.
UNUSABLE = (
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.EIO, errno.ENOSPC, getattr(errno, "ESTALE", -1)),
)
LONGEST_SHOWN = 80


def check_words(tokens: list[str]) -> None:
    """Refuse words that cannot stand in any file that is written.

    Raises
    ------
    OptionError
        If a name is not in UTF-8, or holds a NUL.
    """
    for token in tokens:
        try:
            token.encode()
        except UnicodeEncodeError as error:
            msg = (
                f"{token!r}: this name is not in UTF-8, and the files beside the results could not state it; "
                "rename it, or make a link to it"
            )
            raise OptionError(msg) from error
        if "\0" in token:
            msg = f"{token!r}: this holds a NUL, which no name can; leave it out"
            raise OptionError(msg)


def ending(error: BaseException) -> tuple[str, int] | None:
    """Return the line and the exit code for an error; None for a fault of seedmap itself."""
    if isinstance(error, SeedmapError):
        return one_line(error), 2
    if isinstance(error, CycloptsError):
        return refusal(error), 2
    if isinstance(error, MemoryError | OSError):
        return _of_the_machine(error)
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        what = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
        return f"{what}; nothing was left half-written", 128 + number
    return None


def _of_the_machine(error: MemoryError | OSError) -> tuple[str, int] | None:
    """Return the line where memory is too little, or what is printed cannot be written."""
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return (
            f"there is not enough memory ({one_line(error)}); close other programs, or give "
            "--max-memory 2GB, say, where there is that option; nothing was left half-written"
        ), 2
    if error.errno in UNUSABLE and error.filename is not None:
        name = str(error.filename)
        name = (
            name
            if len(name) <= LONGEST_SHOWN
            else f"{name[:LONGEST_SHOWN]}... ({len(name)} letters)"
        )
        return (
            f"{name}: cannot be used ({error.strerror}); check the name, the disk and your rights",
            2,
        )
    if error.errno in UNWRITABLE and error.filename is None:
        return (
            f"what is to be printed cannot be written ({error.strerror}); free some space, or print it elsewhere",
            2,
        )
    return None
