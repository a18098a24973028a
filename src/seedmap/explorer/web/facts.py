"""What the pages of runs and of groups both need: where they begin, settings, and peaks."""

from typing import Any

from numpy.typing import NDArray

from seedmap._version import __version__
from seedmap.explorer.cortex import name_of
from seedmap.explorer.engine.peaks import peak_samples
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import Session
from seedmap.explorer.web.places import place_of, space_facts, start_place
from seedmap.explorer.web.requests import MOST_RADIUS
from seedmap.temporal import Cleaning

__all__ = ["named_peaks", "page_facts"]

MOST_PEAKS = 20


def page_facts(
    session: Session | GroupSession, smoothing: Any, cleaning: Cleaning | None
) -> dict[str, Any]:
    """Return what every page needs to know to begin, of a study or run that nothing can be switched of.

    Parameters
    ----------
    session
        What is explored.
    smoothing, cleaning
        How it was smoothed (full width at half maximum, mm) and cleaned; None where that is not known.
    """
    space, start = session.grid, session.start
    band = cleaning.filter if cleaning else None
    return {
        "version": session.version,
        "app": __version__,
        **space_facts(space),
        "samples": space.n_samples,
        "mostRadius": MOST_RADIUS,
        "regions": len(session.regions.named) if session.regions else 0,
        "start": {
            "place": start_place(start, space),
            "radius": start.radius or 0 if start else None,
            "name": start.name if start else None,
        },
        "before": [],
        "fixed": True,
        "preview": False,
        "settings": {
            "smoothing": smoothing,
            "high": cleaning.high_pass if cleaning and band else None,
            "low": cleaning.low_pass if cleaning and band == "butterworth" else None,
            "filter": band,
            "groups": [],
        },
        "groups": {},
        "out": str(session.out),
        "looked": session.looked_at,
    }


def named_peaks(
    session: Session | GroupSession, values: NDArray[Any], threshold: float
) -> list[dict[str, Any]]:
    """List the peaks of a map (samples,) beyond a threshold: place, value, and name of the region."""
    space = session.grid
    tops = peak_samples(space, values, threshold, MOST_PEAKS)
    found = zip(space.positions[tops].tolist(), values[tops].tolist(), strict=True)
    return [
        {
            "at": place_of(space, position),
            "value": round(value, 4),
            "name": name_of(session.names, space, position),
        }
        for position, value in found
    ]
