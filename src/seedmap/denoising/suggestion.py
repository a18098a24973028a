"""What to type to take of a table the columns that are meant to be regressed out."""

import shlex
from collections.abc import Iterator

from seedmap.confounds import ConfoundTable
from seedmap.denoising.presets import named
from seedmap.denoising.strategies import MOTION, TISSUE
from seedmap.errors import ConfoundsError

__all__ = ["suggestion", "usual_columns"]

# Strategies that need no metadata, the widest first.
SUGGESTED = ("36P", "24P", "9P", "6P", "simple")
# Components of CompCor: as many as fMRIPrep gave at first, and as most studies take.
COMPONENTS = 6


def suggestion(table: ConfoundTable) -> str:
    """Say what to give: the widest strategy that the table allows, else columns by their names.

    Names are written out, since some shells refuse a * that fits no file.
    """
    for name in SUGGESTED:
        try:
            named(name).choose(table)
        except ConfoundsError:
            continue
        return f"give strategy={name!r} (--strategy {name})"
    columns = " ".join(usual_columns(table))
    if columns:
        return f"give confound_columns (--confound-columns {columns})"
    return f"give its columns by confounds (--confounds {shlex.quote(table.source)})"


def usual_columns(table: ConfoundTable) -> tuple[str, ...]:
    """Name the columns that are regressed out as a rule, as far as a table has them.

    Those are head motion, the means of cerebrospinal fluid and white matter, and CompCor's first
    components; with these the slow cosines that were taken away before they were found.
    """
    return tuple(_usual(table.names))


def _usual(names: tuple[str, ...]) -> Iterator[str]:
    yield from (name for name in (*MOTION, *TISSUE) if name in names)
    components = [name for name in names if name.startswith("a_comp_cor_")][:COMPONENTS]
    yield from components
    if components:
        yield from (name for name in names if name.startswith("cosine"))
