"""What is regressed out of a run and which frames stay: what was given, or what a strategy chooses.

A strategy chooses from the table that fMRIPrep wrote beside the run, or from one that is given.
What a reader should know of the choice is put into words here, once for screen, files and pages.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seedmap._arrays import Array, Keep, parse_sample_mask
from seedmap._files import is_there
from seedmap.analysis.options import Inputs
from seedmap.bids import sibling_confounds
from seedmap.confounds import ConfoundTable, read_confounds, read_metadata
from seedmap.denoising import Chosen, Strategy, strategy_of, suggestion
from seedmap.errors import ConfoundsError, MissingFile, SeedmapError
from seedmap.images import Run
from seedmap.temporal import Cleaning

__all__ = ["Nuisance", "global_signal", "motion_in", "nuisance_of"]

# Measures of how good a frame is, which fMRIPrep writes beside the regressors.
QUALITY = ("framewise_displacement", "rmsd", "dvars", "std_dvars")
WHOLE = "dvars"  # is in every whole table; the displacement also stands in chosen sets
MOTION = ("framewise_displacement", "std_dvars")
GLOBAL = "global_signal"


@dataclass(frozen=True, eq=False)
class Nuisance:
    """What is regressed out of a run, and which of its frames stay.

    Attributes
    ----------
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    table : ConfoundTable or None
        The confounds, finite in these frames.
    strategy : str
        Name of the strategy that chose; empty where none did.
    notes : tuple of str
        What a reader should know of the choice; also to be warned of.
    chosen : Chosen or None
        What the strategy took, with its reasons.
    motion : mapping of str to ndarray, shape (frames,)
        How the head moved, as `motion_in` finds it.
    """

    keep: Keep
    table: ConfoundTable | None
    strategy: str = ""
    notes: tuple[str, ...] = ()
    chosen: Chosen | None = None
    motion: Mapping[str, Array] = field(default_factory=dict)


def nuisance_of(inputs: Inputs, run: Run, cleaning: Cleaning) -> Nuisance:
    """Read the confounds, or let the strategy choose them and the frames.

    Raises
    ------
    SeedmapError
        If there is no table to choose from, or something does not fit the run.
    """
    keep = parse_sample_mask(inputs.sample_mask, run.frames)
    given = read_confounds(inputs.confounds)
    if given is None and inputs.strategy is None and inputs.confound_columns:
        given = _beside(run)
    if inputs.strategy is None:
        table = _columns(given, inputs.confound_columns)
        notes, motion = tuple(_notes(run, table)), _motion_of(given, run)
        return Nuisance(keep, _checked(table, keep), notes=notes, motion=motion)
    strategy = strategy_of(inputs.strategy)
    whole, metadata = _to_choose_from(given, run, strategy)
    if len(whole.values) != run.frames:
        whole.for_frames(keep)  # refuses, and says what was found
    try:
        chosen = strategy.choose(whole, metadata, high_passed=cleaning.high_passed)
    except ConfoundsError as error:
        msg = f"{error}; or in its place {suggestion(whole)}"
        raise ConfoundsError(msg) from error
    keep = parse_sample_mask(keep & chosen.keep, run.frames)
    table = _columns(chosen.table if chosen.columns else None, inputs.confound_columns)
    return Nuisance(
        keep, _checked(table, keep), strategy.name, chosen=chosen, motion=motion_in(whole)
    )


def motion_in(table: ConfoundTable | None) -> dict[str, Array]:
    """Return framewise displacement [mm] and standardised DVARS of a table that has them."""
    return {} if table is None else {n: table.column(n) for n in MOTION if n in table.names}


def _motion_of(given: ConfoundTable | None, run: Run) -> dict[str, Array]:
    """Return how the head moved: from the table that is given, else from the one beside the run."""
    found = motion_in(given)
    if not found:
        with suppress(SeedmapError):
            path, _ = sibling_confounds(run.source)
            found = motion_in(read_confounds(path))
    return {name: values for name, values in found.items() if len(values) == run.frames}


def global_signal(columns: Sequence[str]) -> bool:
    """Say whether the global signal is among the confounds."""
    return any(name.startswith(GLOBAL) for name in columns)


def _columns(table: ConfoundTable | None, patterns: Sequence[str]) -> ConfoundTable | None:
    """Take the columns that are wanted; all where nothing is said."""
    return table.choose(patterns) if table and patterns else table


def _beside(run: Run) -> ConfoundTable:
    """Return the table beside a run, of which columns are wanted."""
    path, _ = sibling_confounds(run.source)
    table = read_confounds(path)
    if table is None:
        msg = (
            "confound_columns (--confound-columns) are given without confounds, and no table of "
            f"fMRIPrep lies beside {run.source}; name the table, too (--confounds)"
        )
        raise ConfoundsError(msg)
    return table


def _checked(table: ConfoundTable | None, keep: Keep) -> ConfoundTable | None:
    return None if table is None else table.for_frames(keep)


def _to_choose_from(
    given: ConfoundTable | None, run: Run, strategy: Strategy
) -> tuple[ConfoundTable, dict[str, object]]:
    """Return the table that is given, else the one beside the run, with its metadata.

    Raises
    ------
    MissingFile
        If there is none, and the strategy takes anything at all.
    """
    if given is not None:
        beside = Path(given.source).with_suffix(".json")
        return given, read_metadata(beside if is_there(beside, "JSON of the confounds") else None)
    path, about = sibling_confounds(run.source)
    table = read_confounds(path)
    if table is not None:
        return table, read_metadata(about)
    if strategy.name != "none":
        msg = (
            f"{run.source}: strategy {strategy.name!r} chooses from the table that fMRIPrep writes "
            "beside a run (desc-confounds_timeseries.tsv), and there is none; give it by confounds "
            "(--confounds)"
        )
        raise MissingFile(msg)
    return ConfoundTable(np.empty((run.frames, 0)), (), "no confounds"), {}


def _notes(run: Run, table: ConfoundTable | None) -> list[str]:
    """Say what a reader should know where no strategy chose."""
    if table is None:
        path, _ = sibling_confounds(run.source)
        return [
            f"{run.source}: no confounds are regressed out, so motion and breathing raise the "
            f"correlations all over the brain; {_what_to_give(path)}"
        ]
    quality = [name for name in QUALITY if name in table.names]
    if WHOLE not in quality:
        return []
    return [
        f"{table.source}: all {len(table.names)} columns of the table are regressed out, also "
        f"{', '.join(quality)}, which measure how good a frame is; {suggestion(table)}"
    ]


def _what_to_give(path: Path | None) -> str:
    if path is None:
        return "give confounds (--confounds TABLE), or strategy='none' (--strategy none) if that is meant"
    found = read_confounds(path)
    return f"{path} lies beside it: {suggestion(found)}" if found else f"{path} lies beside it"
