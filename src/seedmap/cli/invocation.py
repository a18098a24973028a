"""How the command line was called, for the record that lies beside every map."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["called_with", "command_line"]

_TOKENS: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())


@contextmanager
def called_with(tokens: Sequence[str]) -> Iterator[None]:
    """Remember the words of a call while it is carried out."""
    before = _TOKENS.set(tuple(tokens))
    try:
        yield
    finally:
        _TOKENS.reset(before)


def command_line() -> str:
    """Return the call as one would type it."""
    return shlex.join(["seedmap", *_TOKENS.get()])
