"""How the command line was called and what it printed, for the records beside the results."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from seedmap._version import __version__
from seedmap.errors import OutputError

__all__ = ["called_with", "command_line", "record", "typed_words", "write_log"]

LOG = Path("logs") / "seedmap_log.txt"

_TOKENS: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())
_PRINTED: ContextVar[list[str] | None] = ContextVar("printed", default=None)


@contextmanager
def called_with(tokens: Sequence[str]) -> Iterator[None]:
    """Remember the words of a call, and what it prints, while it is carried out."""
    before, printed = _TOKENS.set(tuple(tokens)), _PRINTED.set([])
    try:
        yield
    finally:
        _TOKENS.reset(before)
        _PRINTED.reset(printed)


def typed_words() -> tuple[str, ...]:
    """Return the words of the call."""
    return _TOKENS.get()


def command_line() -> str:
    """Return the call as one would type it."""
    return shlex.join(["seedmap", *_TOKENS.get()])


def record(text: str) -> None:
    """Keep a text for the log of this call."""
    lines = _PRINTED.get()
    if lines is not None:
        lines.append(text)


def write_log(folder: Path) -> None:
    """Append date, version, call and all that was printed to the log of a folder of results.

    Raises
    ------
    OutputError
        If the log cannot be written; the results are complete all the same.
    """
    path = folder.expanduser() / LOG
    head = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, seedmap {__version__}\n{command_line()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join([head, *(_PRINTED.get() or ())]) + "\n\n")
    except OSError as error:
        msg = f"{path}: the log cannot be written ({error.strerror}); the results are complete"
        raise OutputError(msg) from error
