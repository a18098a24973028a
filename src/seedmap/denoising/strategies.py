"""Denoising strategies by name: which confounds are regressed out and which frames are dropped.

A `Strategy` is a frozen record of choices. `Strategy.choose` applies it to a table of fMRIPrep's
confounds and answers with a `Chosen`: the columns, each with the reason why it was taken, and the
frames that stay, each censored one with the reason why it went. Those that users know by name are
in `seedmap.denoising.presets`.
"""

import difflib
import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep, readonly
from seedmap.confounds import ConfoundTable
from seedmap.denoising.scrubbing import Scrubbing
from seedmap.errors import ConfoundsError, OptionError, TooFewFrames

__all__ = ["Chosen", "ChosenColumn", "Expansion", "Strategy"]

Expansion = Literal["none", "basic", "derivatives", "power2", "full"]
CompCor = Literal["none", "anat_combined", "anat_separated", "temporal"]
Cosines = Literal["with", "without", "auto"]

SUFFIXES: dict[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("",),
    "derivatives": ("", "_derivative1"),
    "power2": ("", "_power2"),
    "full": ("", "_derivative1", "_power2", "_derivative1_power2"),
}
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
TISSUE = ("csf", "white_matter")
# CompCor's components: how their names begin, and the mask that their metadata name.
COMPCOR_MASKS = {
    "anat_combined": (("a_comp_cor", "combined"),),
    "anat_separated": (("a_comp_cor", "WM"), ("a_comp_cor", "CSF")),
    "temporal": (("t_comp_cor", None),),
}
# Separate components have names of their own from fMRIPrep 21 on.
NEW_NAMES = {"WM": "w_comp_cor", "CSF": "c_comp_cor"}


@dataclass(frozen=True)
class ChosenColumn:
    """A column that was taken, and why."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a strategy took of one run's confounds.

    Attributes
    ----------
    strategy : Strategy
        Who chose.
    columns : tuple of ChosenColumn
        The columns, in the order of ``table``.
    table : ConfoundTable
        Their values, shape (frames, columns). A missing first row has the values of the second.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    censored : dict of str to tuple of int
        Frames that were dropped, counted from 0, by reason; a frame may have several reasons.
    mean_fd : float
        Mean framewise displacement of the run [mm]; NaN where the table has none.
    """

    strategy: "Strategy"
    columns: tuple[ChosenColumn, ...]
    table: ConfoundTable
    keep: Keep
    censored: dict[str, tuple[int, ...]]
    mean_fd: float


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Which confounds are regressed out, and which frames are dropped."""

    name: str
    """Its name: letters and digits in file names."""

    motion: Expansion = "none"
    """The six motion parameters: none, basic, with derivatives, with squares (power2), or full."""

    wm_csf: Expansion = "none"
    """Mean signals of white matter and cerebrospinal fluid, expanded likewise."""

    global_signal: Expansion = "none"
    """The mean signal of the brain, expanded likewise."""

    compcor: CompCor = "none"
    """CompCor: anat_combined (one mask), anat_separated (white matter and CSF) or temporal."""

    n_compcor: int | None = None
    """Components taken from each mask; none takes all that were retained."""

    cosines: Cosines = "auto"
    """Slow cosines: with, without, or auto: with CompCor, and where no filter takes drifts away."""

    aroma: bool = False
    """The components that ICA-AROMA found to be motion."""

    desc: str = "preproc"
    """Which of fMRIPrep's series it is meant for: preproc, or smoothAROMAnonaggr."""

    columns: tuple[str, ...] = ()
    """More columns by name, * standing for anything."""

    scrubbing: Scrubbing | None = None
    """Which frames are dropped for motion; none drops none."""

    non_steady_state: bool = True
    """Drop the frames that fMRIPrep found to be before the steady state."""

    def __post_init__(self) -> None:
        if not re.search(r"[A-Za-z0-9]", self.name):
            msg = f"a strategy is called {self.name!r}; give it a name with letters or digits"
            raise OptionError(msg)
        if len(self.name) > LONGEST_NAME:
            msg = f"strategy {self.name[:20]!r}...: a name of {len(self.name)} letters; give at most {LONGEST_NAME}"
            raise OptionError(msg)
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                msg = f"strategy {self.name!r}: {name}={getattr(self, name)!r}; choose one of {', '.join(allowed)}"
                raise OptionError(msg)
        if self.n_compcor is not None and self.n_compcor < 1:
            msg = f"strategy {self.name!r}: n_compcor={self.n_compcor}; give 1 or more, or none for all"
            raise OptionError(msg)
        if self.compcor != "none" and self.cosines == "without":
            msg = (
                f"strategy {self.name!r}: CompCor's components were found after slow drifts were taken "
                "away, so they need the cosines; set cosines to with or auto"
            )
            raise OptionError(msg)

    @property
    def label(self) -> str:
        """Its name in file names: letters and digits only."""
        return re.sub(r"[^A-Za-z0-9]", "", self.name)

    def with_fd_threshold(self, threshold: float | None) -> "Strategy":
        """Drop frames above another framewise displacement [mm]; 0 drops none, None changes nothing."""
        if threshold is None:
            return self
        scrubbing = self.scrubbing or Scrubbing(fd_threshold=None)
        if not threshold and scrubbing.std_dvars_threshold is None:
            return replace(self, scrubbing=None)
        return replace(self, scrubbing=replace(scrubbing, fd_threshold=threshold or None))

    def choose(
        self,
        table: ConfoundTable,
        metadata: Mapping[str, Any] | None = None,
        *,
        high_passed: bool = True,
        dummy_scans: int = 0,
    ) -> Chosen:
        """Choose columns and frames of one run.

        Parameters
        ----------
        table
            All confounds that fMRIPrep wrote.
        metadata
            The JSON beside the table; CompCor needs it.
        high_passed
            Whether the cleaning takes slow drifts away by itself.
        dummy_scans
            Frames at the beginning that are dropped in any case.

        Raises
        ------
        ConfoundsError
            If a column that the strategy needs is not in the table.
        TooFewFrames
            If no frame stays.
        """
        columns = tuple(_unique(self._columns(table, metadata or {}, high_passed=high_passed)))
        frames = len(table.values)
        censored = dict(self._censored(table, dummy_scans))
        keep = np.ones(frames, dtype=bool)
        keep[[frame for frames_of in censored.values() for frame in frames_of]] = False
        if not keep.any():
            msg = f"{table.source}: strategy {self.name!r} drops all {frames} frames; raise its thresholds"
            raise TooFewFrames(msg)
        values = _column_values(table, [column.name for column in columns])
        return Chosen(
            strategy=self,
            columns=columns,
            table=ConfoundTable(
                readonly(values), tuple(column.name for column in columns), table.source
            ),
            keep=readonly(keep),
            censored=censored,
            mean_fd=_mean_fd(table),
        )

    def _columns(
        self, table: ConfoundTable, metadata: Mapping[str, Any], *, high_passed: bool
    ) -> Iterator[ChosenColumn]:
        """List the columns with the reason for each."""
        groups = (("motion", MOTION), ("wm_csf", TISSUE), ("global_signal", ("global_signal",)))
        for group, names in groups:
            expansion = getattr(self, group)
            for suffix in SUFFIXES[expansion]:
                for name in names:
                    yield ChosenColumn(
                        _present(f"{name}{suffix}", table, self), f"{group}={expansion}"
                    )
        yield from _components(self, table, metadata)
        if self.aroma:
            yield from _matching(table, "aroma_motion_*", "aroma", self)
        if _wants_cosines(self, high_passed=high_passed):
            why = "CompCor" if self.compcor != "none" else "slow drifts"
            for name in _cosines(table):
                yield ChosenColumn(name, f"cosines={self.cosines}: {why}")
        for pattern in self.columns:
            yield from _matching(table, pattern, "columns", self)

    def _censored(
        self, table: ConfoundTable, dummy_scans: int
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        """List dropped frames by reason."""
        if dummy_scans:
            yield "dummy scans", tuple(range(min(dummy_scans, len(table.values))))
        if self.non_steady_state:
            flagged = [n for n in table.names if "non_steady_state" in n]
            flags = np.nan_to_num(_column_values(table, flagged))
            frames: NDArray[np.bool_] = np.any(flags != 0, axis=1)
            if frames.any():
                yield "non-steady state", _positions(frames)
        if self.scrubbing is not None:
            for reason, moved in self.scrubbing.dropped(table):
                yield reason, _positions(moved)


LONGEST_NAME = 80  # of which file names have to hold the letters and digits
CHOICES: dict[str, tuple[str, ...]] = {
    "motion": get_args(Expansion),
    "wm_csf": get_args(Expansion),
    "global_signal": get_args(Expansion),
    "compcor": get_args(CompCor),
    "cosines": get_args(Cosines),
}


def _wants_cosines(strategy: Strategy, *, high_passed: bool) -> bool:
    if strategy.cosines == "auto":
        return strategy.compcor != "none" or not high_passed
    return strategy.cosines == "with"


def _present(name: str, table: ConfoundTable, strategy: Strategy) -> str:
    """Return a column's name, or say that the table lacks it."""
    if name in table.names:
        return name
    near = difflib.get_close_matches(name, table.names, n=3)
    hint = f"near are {', '.join(near)}" if near else f"it has {', '.join(table.names[:5])} ..."
    msg = (
        f"{table.source}: strategy {strategy.name!r} needs the column {name!r}, which is not there "
        f"({hint}); choose another strategy or bring the table that fMRIPrep wrote"
    )
    raise ConfoundsError(msg)


def _matching(
    table: ConfoundTable, pattern: str, why: str, strategy: Strategy
) -> Iterator[ChosenColumn]:
    found = fnmatch.filter(table.names, pattern)
    if not found:
        _present(pattern, table, strategy)
    for name in found:
        yield ChosenColumn(name, f"{why}={pattern}" if why == "columns" else why)


def _cosines(table: ConfoundTable) -> list[str]:
    return [name for name in table.names if re.fullmatch(r"cosine_?\d+", name)]


def _components(
    strategy: Strategy, table: ConfoundTable, metadata: Mapping[str, Any]
) -> Iterator[ChosenColumn]:
    """List CompCor's components, mask by mask, the strongest first."""
    if strategy.compcor == "none":
        return
    for prefix, mask in COMPCOR_MASKS[strategy.compcor]:
        found = _of_mask(prefix, mask, table, metadata)[: strategy.n_compcor]
        if not found:
            wanted = f"{mask or 'temporal'} CompCor components"
            msg = (
                f"{table.source}: strategy {strategy.name!r} needs {wanted}, and the table with its "
                f"JSON ({len(metadata)} entries) has none; is the JSON beside the table?"
            )
            raise ConfoundsError(msg)
        for name in found:
            yield ChosenColumn(name, f"compcor={strategy.compcor}, {mask or 'temporal'} mask")


def _of_mask(
    prefix: str, mask: str | None, table: ConfoundTable, metadata: Mapping[str, Any]
) -> list[str]:
    """List the retained components of one mask, as the metadata name them."""
    new_prefix = NEW_NAMES.get(mask or "", prefix)
    found = []
    for name in sorted(metadata):
        facts = metadata[name]
        known = name.startswith((prefix, new_prefix)) and name in table.names
        if not known or not isinstance(facts, Mapping) or not facts.get("Retained", True):
            continue
        if mask is None or facts.get("Mask") == mask:
            found.append(name)
    return found


def _unique(columns: Iterator[ChosenColumn]) -> Iterator[ChosenColumn]:
    """Leave out columns that were chosen before for another reason."""
    seen: set[str] = set()
    for column in columns:
        if column.name not in seen:
            seen.add(column.name)
            yield column


def _column_values(table: ConfoundTable, names: Sequence[str]) -> Array:
    """Copy columns; where the first row is missing, as in derivatives, the second is taken."""
    values = np.empty((len(table.values), len(names)))
    for place, name in enumerate(names):
        values[:, place] = table.column(name)
    if len(values) > 1:
        leading = ~np.isfinite(values[0])
        values[0, leading] = values[1, leading]
    return values


def _mean_fd(table: ConfoundTable) -> float:
    if "framewise_displacement" not in table.names:
        return float("nan")
    displacement = table.column("framewise_displacement")
    finite = displacement[np.isfinite(displacement)]
    return float(finite.mean()) if finite.size else float("nan")


def _positions(frames: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(frame) for frame in np.flatnonzero(frames))
