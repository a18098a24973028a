"""What a request may ask: every parameter is parsed here, once, or refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from seedmap.explorer.engine.explorable import Explorable
from seedmap.explorer.engine.settings import Settings
from seedmap.explorer.regions import Chosen, Regions, RegionSeed
from seedmap.seeds import DEFAULT_RADIUS, Sphere, VertexPatch

__all__ = [
    "MOST_RADIUS",
    "Question",
    "Wrong",
    "any_seed_in",
    "choice_in",
    "number_in",
    "numbers_in",
    "place_in",
    "seed_in",
    "settings_in",
    "wants",
    "whole_in",
]

MOST_RADIUS = 30.0  # mm: beyond this a sphere is no place any more
FARTHEST = 1000.0  # mm: no head is larger
MOST_SMOOTHING = 30.0  # mm
MOST_FREQUENCY = 100.0  # Hz; the run's own limit is checked by the cleaning
LONGEST_NAME = 40
SWITCHES = ("smoothing", "high", "low", "groups")

Question = Mapping[str, Any]


class Wrong(ValueError):
    """A parameter that cannot be used; the message says which and why."""


def number_in(
    question: Question, name: str, low: float, high: float, default: float | None = None
) -> float:
    """Return a finite number between two bounds.

    Raises
    ------
    Wrong
        If it is missing without a default, no number, or out of bounds.
    """
    given = question.get(name, default)
    try:
        value = float("nan") if given is None or isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not low <= value <= high:
        shown = "missing" if given is None else repr(given)[:40]
        msg = f"{name} is {shown}; a number from {low:g} to {high:g} is wanted"
        raise Wrong(msg)
    return value


def whole_in(question: Question, name: str) -> int:
    """Return a whole number of 0 or more."""
    return int(number_in(question, name, 0, 2**53, 0))


def choice_in(question: Question, name: str, known: Sequence[str]) -> str:
    """Return one of some words; the first if none is given."""
    given = question.get(name, known[0])
    if given not in known:
        msg = f"{name} is {repr(given)[:40]}; {' or '.join(known)} is wanted"
        raise Wrong(msg)
    return str(given)


def numbers_in(question: Question, name: str, count: int) -> tuple[int, ...]:
    """Return whole numbers below ``count``, written with commas between them or as a list."""
    given = question.get(name) or []
    parts = given.split(",") if isinstance(given, str) else given
    try:
        found = tuple(int(part) for part in parts)
    except (TypeError, ValueError, OverflowError):
        found = (-1,)
    if not all(0 <= number < count for number in found):
        msg = f"{name} is {repr(given)[:40]}; numbers from 0 to {count - 1} are wanted"
        raise Wrong(msg)
    return found


def wants(question: Question, name: str) -> bool:
    """Whether a switch is on."""
    return question.get(name) == "1"


def place_in(question: Question, names: tuple[str, str, str]) -> tuple[float, float, float]:
    """Return coordinates [mm]."""
    x, y, z = (number_in(question, name, -FARTHEST, FARTHEST) for name in names)
    return x, y, z


def seed_in(question: Question) -> Sphere:
    """Return the sphere that is asked for."""
    radius = number_in(question, "radius", 0.0, MOST_RADIUS, DEFAULT_RADIUS)
    return Sphere(_name_in(question), place_in(question, ("x", "y", "z")), radius)


def any_seed_in(question: Question, regions: Regions | None = None) -> Chosen:
    """Return the seed that is asked for.

    It is a sphere, a vertex of a surface and what is around it, or a region of the atlas.
    """
    if question.get("region"):
        return _region_in(question, regions)
    if "vertex" not in question:
        return seed_in(question)
    given = {"hemisphere": question.get("hemisphere", "")}
    side = choice_in(given, "hemisphere", ("left", "right"))
    radius = number_in(question, "radius", 0.0, MOST_RADIUS, DEFAULT_RADIUS)
    return VertexPatch(_name_in(question), side, whole_in(question, "vertex"), radius)


def _region_in(question: Question, regions: Regions | None) -> RegionSeed:
    if regions is None:
        msg = "region is given, but no atlas is; start the explorer with --atlas"
        raise Wrong(msg)
    number = int(number_in(question, "region", 1, len(regions.named)))
    return regions.seed(number, _name_in(question))


def _name_in(question: Question) -> str:
    name = question.get("name") or "seed"
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        msg = f"name is not a text of at most {LONGEST_NAME} letters"
        raise Wrong(msg)
    return name


def settings_in(question: Question, source: Explorable) -> Settings:
    """Return the settings that are wished for.

    Raises
    ------
    Wrong
        If a switch is missing, unknown or out of bounds, or a group of confounds is not there.
    OptionError
        If they do not go together.
    """
    if set(question) != set(SWITCHES):
        msg = f"the switches are {', '.join(sorted(question)) or 'missing'}; give {', '.join(SWITCHES)}"
        raise Wrong(msg)
    groups = question["groups"]
    known = source.groups
    if not isinstance(groups, list) or not all(isinstance(g, str) and g in known for g in groups):
        msg = f"groups is {repr(groups)[:80]}; a list of some of {', '.join(known) or 'none'} is wanted"
        raise Wrong(msg)
    return source.settings.switched(
        smoothing_fwhm=_or_none(question, "smoothing", 0.0, MOST_SMOOTHING),
        high_pass=_or_none(question, "high", 1e-5, MOST_FREQUENCY),
        low_pass=_or_none(question, "low", 1e-5, MOST_FREQUENCY),
        groups=tuple(group for group in known if group in groups),
    )


def _or_none(question: Question, name: str, low: float, high: float) -> float | None:
    if question.get(name) is None:
        return None
    return number_in(question, name, low, high)
