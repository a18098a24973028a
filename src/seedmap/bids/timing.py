"""Repetition times of runs, read from the JSON files of a data set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seedmap._texts import read_json
from seedmap.bids.forms import SPATIAL, SURFACE, Form
from seedmap.bids.names import BidsName, entities_of
from seedmap.errors import SeedmapError

__all__ = ["repetition_time"]


def repetition_time(
    form: Form, names: Sequence[BidsName], root: Path
) -> tuple[float | None, tuple[Path, ...]]:
    """Look for a repetition time in the JSON files that describe a run.

    A surface series has no header that states it; there the JSON files of the run's other
    forms are read last.

    Parameters
    ----------
    form
        The form of the run that is analysed.
    names
        All files of the participant.
    root
        The data set, beyond which nothing is read.

    Returns
    -------
    t_r : float or None
        [s]; None where `open_run` will find it, in the JSON of the same name or in the header,
        or where no file states it.
    jsons : tuple of Path
        The file that states it.
    """
    bold = form.first
    beside, *others = dict.fromkeys(path for name in form.names for path in _of_file(name))
    # Read by `open_run`, whatever it states; a link that leads nowhere is reported.
    read = (beside,) if beside.is_file() or beside.is_symlink() else ()
    if "RepetitionTime" in _json(beside):
        return None, read
    for path in (*others, *_inherited(bold, root)):
        if path.is_symlink() and not path.exists():
            return None, (*read, path)
        if value := _t_r(path):
            return value, (*read, path)
    stated = _of_other_forms(bold, names) if bold.extension == SURFACE else {}
    if len(stated) != 1:
        return None, read
    ((value, path),) = stated.items()
    return value, (*read, path)


def _of_file(name: BidsName) -> tuple[Path, Path]:
    """Name the JSON files of a series: ``_bold.json``, and ``_bold.dtseries.json`` of fMRIPrep 20."""
    path = name.path
    stem = path.name[: -len(name.extension)]
    return path.with_name(f"{stem}.json"), path.with_suffix(".json")


def _of_other_forms(bold: BidsName, names: Sequence[BidsName]) -> dict[float, Path]:
    """Read the repetition times in the JSON files of a run's forms, each with its file."""
    run = bold.without(*SPATIAL)
    jsons = [
        name.path
        for name in names
        if name.extension == ".json" and name.suffix == "bold" and name.without(*SPATIAL) == run
    ]
    return {value: path for path in jsons if (value := _t_r(path))}


def _inherited(bold: BidsName, root: Path) -> Iterator[Path]:
    """Walk through the JSON files further up that BIDS lets a series inherit from."""
    folder = bold.path.parent
    while folder.is_relative_to(root):
        for path in sorted(folder.glob("*_bold.json")):
            parts = entities_of(path.stem)
            if parts.items() <= bold.entities.items():
                yield path
        folder = folder.parent


def _t_r(path: Path) -> float | None:
    """Read the repetition time [s] that a JSON file states."""
    value = _json(path).get("RepetitionTime")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < float("inf") else None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path, "JSON beside a run")
    except SeedmapError:
        return {}
    return content if isinstance(content, dict) else {}
