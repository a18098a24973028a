"""Which spaces can be shown: volumes, and surfaces of which it is known where their vertices lie."""

from pathlib import Path

from seedmap.errors import ImageError
from seedmap.images import PartedSpace, Space

__all__ = ["check_shown"]


def check_shown(source: str | Path, space: Space) -> None:
    """Refuse a run that has no places to click on.

    Raises
    ------
    ImageError
        If it is one of parcels, or it is not known where the vertices of a surface lie.
    """
    if not isinstance(space, PartedSpace):
        return
    if any(part.kind == "parcels" for part in space.parts):
        msg = f"{source}: a run of parcels, which have no place to click; give the run that they are of"
        raise ImageError(msg)
    for part in space.parts:
        if part.kind == "surface" and part.surface is None:
            msg = (
                f"{source}: it is not known where the vertices of the {part.name} surface lie; give "
                "the surface (surfaces=, --surface-left, --surface-right)"
            )
            raise ImageError(msg)
