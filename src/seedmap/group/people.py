"""Who: the participants, their maps, and what the first level recorded of them."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._files import check_there
from seedmap.analysis import SeedMaps
from seedmap.bids import entities_of, label_of
from seedmap.errors import MissingFile, OptionError, SeedmapWarning
from seedmap.group.model import nearest
from seedmap.group.tables import People, read_rows
from seedmap.participants.ledger import Entry, read_entry

__all__ = [
    "RECORDED",
    "Choice",
    "Member",
    "OneSeed",
    "Piece",
    "Used",
    "cells_of",
    "choose_people",
    "find_members",
    "leave_out",
    "listed_members",
    "warn_of_dropped",
]

# Columns that the first level records and a model may use.
RECORDED = ("mean_fd", "frames_kept", "dof")
MAP = re.compile(r"_stat-fisherz_(?:.*_)?statmap\.(nii\.gz|nii|dscalar\.nii|func\.gii)$")


@dataclass(frozen=True, eq=False)
class OneSeed:
    """Maps of a participant that are in memory, and which of their seeds is meant."""

    maps: SeedMaps
    seed: str


@dataclass(frozen=True, eq=False)
class Piece:
    """One map of a participant with its weight.

    Attributes
    ----------
    effect, se : path, image, paths of hemispheres, or OneSeed
        Fisher transforms and their standard errors; ``se`` may be None.
    weight : float
        What it counts: 1, or the weight of a session.
    q : path or None
        The map that is NaN around the seed and nowhere else in the mask.
    """

    effect: Any
    se: Any = None
    weight: float = 1.0
    q: Any = None


@dataclass(frozen=True, eq=False)
class Member:
    """A participant: maps, and what is recorded of them.

    Attributes
    ----------
    label : str
        Without ``sub-``.
    pieces : tuple of Piece
        One map, or those that are combined by weights.
    facts : dict of str to float
        ``mean_fd``, ``frames_kept``, ``dof`` as far as they are known.
    """

    label: str
    pieces: tuple[Piece, ...]
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """Which maps of a folder of results.

    Attributes
    ----------
    seed : str
        Name of the seed.
    strategy : str
        Denoising strategy, as it stands in names (``desc``); empty for the only one.
    entities : dict of str to str
        Further entities that names must have, such as ``space`` and ``task``.
    within : str
        Sessions with weights that sum to 0, such as ``ses-2 - ses-1``; empty for none.
    """

    seed: str
    strategy: str = ""
    entities: Mapping[str, str] = field(default_factory=dict)
    within: str = ""


@dataclass(frozen=True)
class Used:
    """Who is used, and who is not with the reason, in the order of the labels."""

    labels: tuple[str, ...]
    dropped: Mapping[str, str]


def find_members(root: Path, choice: Choice) -> tuple[list[Member], dict[str, str]]:
    """Find the participants' maps in a folder of results.

    Parameters
    ----------
    root
        What ``seedmap bids`` wrote, or any folder of ``sub-*`` with maps of seedmap in it.
    choice
        Which maps.

    Returns
    -------
    members : list of Member
        By label.
    dropped : dict of str to str
        Participants whose maps cannot be used, and why.

    Raises
    ------
    MissingFile
        If the folder or the seed's maps are not there.
    OptionError
        If several maps of a participant fit.
    """
    by_label = _maps_in(root)
    choice = _settled(root, choice, [p for paths in by_label.values() for p in paths])
    weights = _sessions(choice.within)
    members, dropped = [], {}
    for label, paths in by_label.items():
        entry = read_entry(root, label)
        fitting = [path for path in paths if _fits(path, choice)]
        pieces: tuple[Piece, ...] = ()
        reason = _unusable(entry, fitting, choice)
        if not reason:
            pieces, reason = _pieces(label, fitting, weights)
        if reason:
            dropped[label] = reason
        else:
            members.append(Member(label, pieces, _facts(entry, choice)))
    return members, dropped | _without_maps(root, by_label)


def _maps_in(root: Path) -> dict[str, list[Path]]:
    """Return the Fisher transforms of each participant in a folder of results."""
    if not root.is_dir():
        msg = f"{root}: this folder of participants' maps is not there; check the path"
        raise MissingFile(msg)
    by_label: dict[str, list[Path]] = {}
    for path in sorted(root.glob("sub-*/**/*_statmap.*")):
        if MAP.search(path.name):
            by_label.setdefault(path.name.split("_")[0][4:], []).append(path)
    if not by_label:
        msg = f"{root}: no participant's map is there (sub-*/**/*stat-fisherz*_statmap.*); run seedmap bids first"
        raise MissingFile(msg)
    return by_label


def _without_maps(root: Path, having: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Return the participants of the ledger that have no map, and why."""
    found = {}
    for path in sorted(root.glob("logs/sub-*.json")):
        label = path.stem[4:]
        if label not in having:
            entry = read_entry(root, label)
            found[label] = f"has no map{f': {entry.reason}' if entry and entry.reason else ''}"
    return found


def _settled(root: Path, choice: Choice, paths: Sequence[Path]) -> Choice:
    """Complete a choice: the only strategy there is; a seed and entities that are there."""
    named = [entities_of(path.name.split(".")[0]) for path in paths]
    seeds = sorted({one.get("seed", "") for one in named} - {""})
    if label_of(choice.seed) not in seeds:
        msg = f"{root}: there are no maps of seed {choice.seed!r}; {nearest(choice.seed, seeds)}"
        raise MissingFile(msg)
    ours = [one for one in named if one.get("seed") == label_of(choice.seed)]
    found = sorted({one.get("desc", "") for one in ours})
    if not choice.strategy:
        if len(found) > 1:
            msg = f"{root}: maps of several strategies are there ({', '.join(found)}); give --strategy"
            raise OptionError(msg)
        return replace(choice, strategy=found[0])
    label = label_of(choice.strategy)
    if label not in found:
        msg = f"{root}: there are no maps of strategy {choice.strategy!r}; {nearest(label, found)}"
        raise MissingFile(msg)
    return replace(choice, strategy=label)


def _fits(path: Path, choice: Choice) -> bool:
    named = entities_of(path.name.split(".")[0])
    wanted = {"seed": label_of(choice.seed), "desc": choice.strategy, **choice.entities}
    return all(named.get(key, "") == value for key, value in wanted.items())


def _unusable(entry: Entry | None, fitting: Sequence[Path], choice: Choice) -> str:
    """Say why a participant's maps cannot be used; empty where they can."""
    if entry is not None and entry.state == "writing":
        return "its files were being written when a call was interrupted; run seedmap bids again"
    if entry is not None and entry.state == "failed":
        return f"failed: {entry.reason}"
    return "" if fitting else f"has no map of seed {choice.seed} that fits the choice"


def _sessions(text: str) -> dict[str, float]:
    """Read weights of sessions: ``ses-2 - ses-1`` or ``0.5*ses-2 + 0.5*ses-3 - ses-1``."""
    if not text:
        return {}
    form = r"([-+]?)\s*(?:(\d*\.?\d+)\s*\*\s*)?ses-([A-Za-z0-9]+)"
    if not re.fullmatch(rf"\s*{form}(\s*[-+]\s*{form.removeprefix('([-+]?)')})*\s*", text):
        msg = f"--within {text!r}: not understood; write it like 'ses-2 - ses-1'"
        raise OptionError(msg)
    weights: dict[str, float] = {}
    for sign, size, session in re.findall(form, text):
        weight = float(size or 1) * (-1 if sign == "-" else 1)
        weights[session] = weights.get(session, 0.0) + weight
    if abs(sum(weights.values())) > 1e-9:
        msg = f"--within {text!r}: the weights sum to {sum(weights.values()):g}; they must sum to 0"
        raise OptionError(msg)
    return weights


def _pieces(
    label: str, paths: Sequence[Path], weights: Mapping[str, float]
) -> tuple[tuple[Piece, ...], str]:
    """Choose a participant's maps: the combined one, or one a session."""
    if not weights:
        return (_piece(_only(label, paths, over=("run", "ses"))),), ""
    found = []
    for session, weight in weights.items():
        ours = [p for p in paths if entities_of(p.name.split(".")[0]).get("ses") == session]
        if not ours:
            return (), f"has no map of ses-{session}"
        found.append(replace(_piece(_only(label, ours, over=("run",))), weight=weight))
    return tuple(found), ""


def _only(label: str, paths: Sequence[Path], over: Sequence[str]) -> tuple[Path, ...]:
    """Return the one map, of one file or one a hemisphere; that of all runs together if there is one."""
    kinds: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path in paths:
        named = entities_of(path.name.split(".")[0])
        key = tuple(sorted((k, v) for k, v in named.items() if k not in ("hemi", "sub")))
        kinds.setdefault(key, []).append(path)
    if len(kinds) > 1:
        together = [key for key in kinds if not {name for name, _ in key} & set(over)]
        if len(together) == 1:
            return tuple(kinds[together[0]])
        every = [part for key in kinds for part in key]
        differ = {part for part in every if every.count(part) < len(kinds)}
        said = ", ".join(sorted(f"{key}-{value}" for key, value in differ)[:6])
        msg = (
            f"sub-{label} has {len(kinds)} maps that fit ({said}); choose one (--task-id, --space, --run, "
            "--session-id), or combine runs first: seedmap bids --combine-runs participant"
        )
        raise OptionError(msg)
    return tuple(next(iter(kinds.values())))


def _piece(paths: tuple[Path, ...]) -> Piece:
    """Put a map and its standard errors together."""
    se, q = (
        tuple(p.with_name(p.name.replace("_stat-fisherz_", f"_stat-{stat}_")) for p in paths)
        for stat in ("se", "q")
    )
    errors, around = (one if all(path.is_file() for path in one) else None for one in (se, q))
    if len(paths) > 1:
        return Piece(paths, errors, q=around)
    return Piece(paths[0], errors and errors[0], q=around and around[0])


def _facts(entry: Entry | None, choice: Choice) -> dict[str, float]:
    """Read what the first level recorded: means over runs of motion and dof, the sum of frames."""
    runs = [] if entry is None else entry.facts.get("runs", [])
    runs = [run for run in runs if label_of(str(run.get("strategy", ""))) == choice.strategy]
    if not runs:
        return {}
    columns = {
        "mean_fd": [run.get("mean_fd") for run in runs],
        "frames_kept": [run.get("kept") for run in runs],
        "dof": [run.get("dof", {}).get(choice.seed) for run in runs],
    }
    found = {}
    for name, values in columns.items():
        known = [float(value) for value in values if value is not None]
        if len(known) == len(values) and np.isfinite(known).all():
            found[name] = float(np.sum(known) if name == "frames_kept" else np.mean(known))
    return found


def listed_members(table: Any) -> list[Member]:
    """Read a table of maps: columns participant_id, effect, and perhaps se; paths relative to it.

    Raises
    ------
    MissingFile
        If the table or a map is not there.
    OptionError
        If a column is not there, or a participant has two maps.
    """
    rows, columns, source = read_rows(table)
    for wanted in ("participant_id", "effect"):
        if wanted not in columns:
            msg = f"{source}: there is no column {wanted}; participant_id and effect are wanted, se may be"
            raise OptionError(msg)
    folder = Path(source).parent if Path(source).is_file() else Path()
    members: dict[str, Member] = {}
    for row in rows:
        label = row["participant_id"].strip().removeprefix("sub-")
        if label in members:
            msg = f"{source}: sub-{label} has two maps; runs do not count as people: combine them first"
            raise OptionError(msg)
        effect, se = (_path(folder, row.get(name, "")) for name in ("effect", "se"))
        if effect is None:
            msg = f"{source}: sub-{label} has no map in column effect; take its row out or name one"
            raise OptionError(msg)
        members[label] = Member(label, (Piece(effect, se),))
    return list(members.values())


def _path(folder: Path, cell: str) -> Path | None:
    text = cell.strip()
    if not text or text.lower() in ("n/a", "nan"):
        return None
    path = Path(text).expanduser()
    path = path if path.is_absolute() else folder / path
    check_there(path, "participant's map")
    return path


def choose_people(
    members: Sequence[Member], table: People | None, columns: Sequence[str], dropped: dict[str, str]
) -> Used:
    """Match maps and rows of the table by label, and leave out who is incomplete.

    Parameters
    ----------
    members
        Who has maps.
    table
        The participants' table; None where the model needs none.
    columns
        The columns that are used.
    dropped
        Who is left out already, and why.

    Raises
    ------
    OptionError
        If a column is not there, or nobody is left.
    """
    known = table.columns if table is not None else ()
    dropped = dict(dropped)
    for column in columns:
        if column not in known and not any(column in one.facts for one in members):
            there = [*known, *(name for name in RECORDED if any(name in m.facts for m in members))]
            where = (
                table.source
                if table is not None
                else "there is no table of participants, so the model"
            )
            msg = f"{where}: no column is called {column!r}; {nearest(column, there) if there else 'give --design'}"
            raise OptionError(msg)
    left = []
    for member in members:
        reason = _incomplete(member, table, columns)
        if reason:
            dropped[member.label] = reason
        else:
            left.append(member.label)
    for label in table.rows if table is not None else ():
        if label not in left and label not in dropped:
            dropped[label] = "is in the table but has no map"
    if not left:
        first = next((f"sub-{label} {why}" for label, why in dropped.items()), "there are none")
        msg = f"nobody is left to test: {first}; check labels, table and choice of maps"
        raise OptionError(msg)
    return Used(tuple(left), dict(sorted(dropped.items())))


def _incomplete(member: Member, table: People | None, columns: Sequence[str]) -> str:
    if table is not None and member.label not in table.rows:
        return "has a map but no row in the table"
    for column, cells in ((c, _cell(c, member, table)) for c in columns):
        if cells is None:
            return f"has no value of {column}"
    return ""


def _cell(column: str, member: Member, table: People | None) -> str | None:
    """Return a participant's cell: of the table, else what the first level recorded."""
    if table is not None and column in table.columns:
        return table.cells(column, [member.label])[0]
    value = member.facts.get(column)
    return None if value is None else repr(value)


def cells_of(column: str, members: Sequence[Member], table: People | None) -> list[str | None]:
    """Return a column of some participants."""
    return [_cell(column, member, table) for member in members]


def leave_out(
    members: Sequence[Member], labels: Sequence[str], dropped: Mapping[str, str]
) -> tuple[list[Member], dict[str, str]]:
    """Leave people out by their labels; return the others, and all who are left out with the reason.

    Parameters
    ----------
    members
        Who has maps.
    labels
        Who is to be left out, with or without ``sub-``.
    dropped
        Who is left out already, and why.

    Raises
    ------
    OptionError
        If somebody is not there.
    """
    wanted = [label.removeprefix("sub-") for label in labels]
    known = [one.label for one in members]
    for label in wanted:
        if label not in known and label not in dropped:
            msg = f"--leave-out {label}: this participant has no map; {nearest(label, known)}"
            raise OptionError(msg)
    left = [one for one in members if one.label not in wanted]
    return left, {**dropped, **dict.fromkeys(wanted, "is left out as asked")}


def warn_of_dropped(used: Used) -> None:
    """Warn of everybody who is left out, in one line."""
    if used.dropped:
        said = "; ".join(f"sub-{label} {why}" for label, why in used.dropped.items())
        warnings.warn(f"left out: {said}", SeedmapWarning, stacklevel=3)
