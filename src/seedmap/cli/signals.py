"""A call that is asked to end cleans up, whatever signal asks it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stopped", "stopped_by_signals"]

ENDS = ("SIGTERM", "SIGHUP")  # Windows knows only the first


class Stopped(KeyboardInterrupt):
    """A signal asks the process to end, as Ctrl-C does.

    Attributes
    ----------
    number : Signals
        The signal.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` when a signal asks the process to end; those that are ignored stay so."""
    known = [getattr(signal, name) for name in ENDS if hasattr(signal, name)]
    in_main = threading.current_thread() is threading.main_thread()
    taken = [one for one in known if in_main and signal.getsignal(one) is signal.SIG_DFL]
    for one in taken:
        signal.signal(one, _stop)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(signal.Signals(number))
