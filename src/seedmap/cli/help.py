"""How help is written: groups in the order in which one thinks, and values as one types them."""

from typing import Any

import attrs
from cyclopts import Group
from cyclopts.help import DefaultFormatter, HelpPanel

__all__ = ["GROUPS", "PlainFormatter", "group", "typed"]

GROUPS = (
    "Lesions",
    "Which runs",
    "Which maps",
    "Seeds",
    "Run",
    "Denoising",
    "Cleaning",
    "Analysis",
    "Measure",
    "Checks",
    "Model",
    "Test",
    "Surfaces",
    "Group",
    "Page",
    "Output",
    "Machine",
    "Call",
)
# What stands for a value in the help, in place of the names of Python's types.
VALUES = {"STR": "TEXT", "FLOAT": "NUMBER", "INT": "NUMBER"}


def group(name: str) -> Group:
    """Return a group of options, which stands in the help at its place of `GROUPS`."""
    return Group(name, sort_key=GROUPS.index(name))


def typed(default: Any) -> str | None:
    """Write a default as one would type it; None where there is nothing to type.

    Examples
    --------
    >>> typed(("36P", "6P")), typed(6.0), typed(True), typed(())
    ('36P 6P', '6', 'yes', None)
    """
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or None
    if isinstance(default, bool):
        return "yes" if default else None
    if isinstance(default, float):
        return f"{default:g}"
    return None if default is None else str(default) or None


class PlainFormatter(DefaultFormatter):
    """The usual help, with TEXT and NUMBER in place of Python's types."""

    def __call__(self, console: Any, options: Any, panel: HelpPanel) -> None:
        """Print one group of options."""
        entries = [attrs.evolve(one, metavar=_value(one.metavar)) for one in panel.entries]
        super().__call__(console, options, attrs.evolve(panel, entries=entries))


def _value(metavar: str | None) -> str | None:
    if metavar is None:
        return None
    word = metavar.rstrip(".")
    return VALUES.get(word, word) + metavar[len(word) :]
