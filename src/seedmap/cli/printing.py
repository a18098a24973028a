"""Standard output and standard error, which may be closed or full: results do not depend on them."""

import contextlib
import os
import sys
from typing import Any, TextIO

__all__ = ["Printed", "prepare_streams", "say", "settle_streams"]


def say(line: str) -> None:
    """Write a line to standard error, if that can be written to."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # full; closed; there is none
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class Printed:
    """A stream that is given up, with one note, once it cannot be written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._given_up = False

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if not self._given_up:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write what is held back, or drop it."""
        if not self._given_up:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._given_up = True
        _to_nowhere(self._stream)
        reason = getattr(error, "strerror", None) or str(error)
        say(
            f"seedmap: note: standard output cannot be written ({reason}); the work goes on without it"
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Let names of files that the terminal's coding does not know be printed all the same."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def settle_streams() -> None:
    """Write what standard output holds back, or drop it: at the end of Python it would be an error.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    stream = sys.stdout
    if stream is None or stream.closed:
        return
    try:
        stream.flush()
    except OSError:
        _to_nowhere(stream)
        raise


def _to_nowhere(stream: TextIO) -> None:
    """Let what is still to be written to a stream vanish."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
