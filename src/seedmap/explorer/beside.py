"""Two explorers on one page, side by side: two runs, two studies, or the same one twice.

Each side keeps its own map, numbers and log; the page gives both one crosshair, one seed and one scale.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seedmap.errors import SeedmapWarning
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import Session

__all__ = ["SIDES", "AnySession", "Beside", "begin_beside"]

SIDES = ("left", "right")
AnySession = Session | GroupSession


@dataclass(frozen=True, eq=False)
class Beside:
    """Two sessions that are shown side by side.

    Attributes
    ----------
    left, right : Session or GroupSession
        They know nothing of each other.
    """

    left: AnySession
    right: AnySession

    def close(self) -> None:
        """End what is still being done on either side."""
        self.left.close()
        self.right.close()


def begin_beside(begin: Callable[[int, Path], AnySession], out: Path | str) -> Beside:
    """Begin two sessions, one after the other; each writes into a folder of its own.

    Parameters
    ----------
    begin
        From 0 or 1 and the output folder of that side to its session.
    out
        The output folder of both.

    Warns
    -----
    SeedmapWarning
        If only one of them is in MNI space.
    """
    left = begin(0, Path(out) / SIDES[0])
    try:
        right = begin(1, Path(out) / SIDES[1])
    except BaseException:
        left.close()
        raise
    if isinstance(left, GroupSession) and isinstance(right, GroupSession):
        right.looks = left.looks  # of people: a map on either side is one more that was looked at
    if left.mni != right.mni:
        msg = (
            f"the run on the {SIDES[left.mni]} is not said to be in MNI space, the other is: a place in mm "
            "may not be the same in both. Show two of one space"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=2)
    return Beside(left, right)
