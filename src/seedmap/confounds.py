"""Tables of confounds: files, arrays and data frames in, one checked array out.

A table has one row a frame. A missing value (``n/a``, NaN) in the first row, where fMRIPrep's
derivatives have none, takes the value of the second row and is reported; anywhere else among the
kept frames it is refused, for no guess would be right.
"""

import csv
import fnmatch
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._arrays import Array, Keep, readonly
from seedmap._files import check_there
from seedmap._texts import read_json
from seedmap.errors import ConfoundsError, SeedmapWarning

__all__ = ["ConfoundTable", "read_confounds", "read_metadata"]

LARGEST = 1e100  # squares of larger numbers, and their sums, are none
MISSING = {"n/a", "na", "nan", ""}
BOOLEANS = {"true": 1.0, "false": 0.0}
TABLE = "table of confounds"


@dataclass(frozen=True, eq=False)
class ConfoundTable:
    """Confounds of a run.

    Attributes
    ----------
    values : ndarray of float64, shape (frames, confounds)
        NaN only where a value was missing in the source.
    names : tuple of str
        Names of the columns; numbered from 0 where the source has none.
    source : str
        Where they come from.
    """

    values: Array
    names: tuple[str, ...]
    source: str

    def choose(self, patterns: Sequence[str]) -> "ConfoundTable":
        """Return the columns whose names match any of ``patterns``, where ``*`` stands for anything.

        Of columns that share a name, such as those of two tables side by side, all are taken.

        Raises
        ------
        ConfoundsError
            If a pattern matches no column.
        """
        chosen: dict[int, str] = {}
        for pattern in patterns:
            matching = {
                place: name
                for place, name in enumerate(self.names)
                if name == pattern or fnmatch.fnmatchcase(name, pattern)
            }
            if not matching:
                few = ", ".join(self.names[:6])
                msg = f"{self.source}: no column is called {pattern!r}; there are {len(self.names)}: {few} ..."
                raise ConfoundsError(msg)
            chosen = chosen | matching
        return ConfoundTable(self.values[:, list(chosen)], tuple(chosen.values()), self.source)

    def column(self, name: str) -> Array:
        """Return the values of the one column of a name, shape (frames,).

        Raises
        ------
        ConfoundsError
            If none or several have that name.
        """
        places = [place for place, one in enumerate(self.names) if one == name]
        if len(places) != 1:
            numbers = " and ".join(str(place + 1) for place in places)
            what = f"columns {numbers} are all" if places else "no column is"
            msg = f"{self.source}: {what} called {name!r}; one column of that name is wanted"
            raise ConfoundsError(msg)
        return self.values[:, places[0]]

    def for_frames(self, keep: Keep) -> "ConfoundTable":
        """Check the table against a run and fill a missing first row.

        Parameters
        ----------
        keep
            Frames that stay, shape (frames,). What is missing elsewhere does not matter.

        Raises
        ------
        ConfoundsError
            If the number of rows is not that of the frames, or a value is missing.
        """
        rows, frames = self.values.shape[0], keep.size
        if rows == frames + 1 and np.array_equal(self.values[0], np.arange(len(self.names))):
            msg = (
                f"{self.source}: {rows} rows for {frames} frames, the first of them 0, 1, 2, ...: it looks "
                "like a header of numbers; write the table with names of columns, or without header"
            )
            raise ConfoundsError(msg)
        if rows != frames:
            msg = (
                f"{self.source}: {rows} rows of confounds for {frames} frames; give one row a frame. "
                "Were frames dropped from only one of the two, or is this another run's table?"
            )
            raise ConfoundsError(msg)
        values = self.values.copy()
        leading = ~np.isfinite(values[0]) & np.isfinite(values[1]) & keep[0]
        values[0, leading] = values[1, leading]
        if leading.any():
            names = ", ".join(np.array(self.names)[leading][:4])
            more = f" and {leading.sum() - 4} more" if leading.sum() > 4 else ""
            msg = f"{self.source}: no value in the first row of {names}{more}; the second row's was taken"
            warnings.warn(msg, SeedmapWarning, stacklevel=3)
        missing = np.argwhere(~(np.abs(values) <= LARGEST) & keep[:, None])  # NaN is not below it
        if len(missing):
            row, column = missing[0]
            found = values[row, column]
            what = (
                f"holds {found:g}, which is too large,"
                if np.isfinite(found)
                else "has no finite value"
            )
            msg = (
                f"{self.source}: column {self.names[column]!r} {what} in row {row + 1} of "
                f"{rows} ({len(missing)} such in all); mend or leave out the column, or censor the frame"
            )
            raise ConfoundsError(msg)
        return ConfoundTable(readonly(values), self.names, self.source)


def read_confounds(confounds: Any, role: str = TABLE) -> ConfoundTable | None:
    """Read confounds from whatever they come in.

    Parameters
    ----------
    confounds
        Path of a ``.tsv``, ``.csv``, ``.txt`` or ``.1D`` table with or without a header, in which
        lines that begin with ``#`` are comments; array of shape
        (frames,) or (frames, confounds); data frame; `ConfoundTable`; a list of these, put side
        by side; or None.
    role
        What messages call a file.

    Returns
    -------
    ConfoundTable or None
        None for no confounds.

    Raises
    ------
    MissingFile
        If a file is not there.
    ConfoundsError
        If a table is empty, ragged or holds text.
    """
    if confounds is None or (isinstance(confounds, list | tuple) and not confounds):
        return None
    if isinstance(confounds, ConfoundTable):
        return confounds
    if isinstance(confounds, str | Path):
        return _from_file(Path(confounds).expanduser(), role)
    if isinstance(confounds, list | tuple) and not isinstance(
        confounds[0], int | float | np.number
    ):
        return _side_by_side([read_confounds(part, role) for part in confounds])
    if hasattr(confounds, "columns") and hasattr(confounds, "to_numpy"):
        return _from_frame(confounds)
    return _from_array(confounds)


def read_metadata(path: Path | None) -> dict[str, Any]:
    """Read the JSON beside a table, which describes its columns; empty for None.

    Raises
    ------
    ConfoundsError
        If it is no JSON.
    """
    if path is None:
        return {}
    content = read_json(path, "JSON beside a table of confounds", ConfoundsError)
    return content if isinstance(content, dict) else {}


def _side_by_side(parts: list[ConfoundTable | None]) -> ConfoundTable | None:
    tables = [part for part in parts if part is not None]
    if not tables:
        return None
    rows = {table.values.shape[0] for table in tables}
    if len(rows) > 1:
        found = ", ".join(f"{table.source}: {table.values.shape[0]}" for table in tables)
        msg = f"the confounds of the list have different numbers of rows ({found}); give one row a frame"
        raise ConfoundsError(msg)
    return ConfoundTable(
        np.hstack([table.values for table in tables]),
        tuple(name for table in tables for name in table.names),
        ", ".join(table.source for table in tables),
    )


def _from_array(confounds: Any) -> ConfoundTable:
    try:
        values = np.array(confounds, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"the confounds ({type(confounds).__name__}) are not numbers ({error}); give a path or an array"
        raise ConfoundsError(msg) from error
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[0]:
        msg = f"the confounds have shape {values.shape}; an array of shape (frames, confounds) is wanted"
        raise ConfoundsError(msg)
    return ConfoundTable(values, tuple(str(n) for n in range(values.shape[1])), "confounds (array)")


def _from_frame(frame: Any) -> ConfoundTable:
    columns = []
    for place, name in enumerate(frame.columns):  # two columns may have one name
        try:
            column = frame.iloc[:, place] if hasattr(frame, "iloc") else frame[name]
            columns.append(np.asarray(column, dtype=np.float64))
        except (TypeError, ValueError) as error:
            msg = f"confounds (data frame): column {str(name)!r} holds text ({error}); numbers are wanted"
            raise ConfoundsError(msg) from error
    values = np.stack(columns, axis=1) if columns else np.empty((len(frame), 0))
    return ConfoundTable(
        values, tuple(str(name) for name in frame.columns), "confounds (data frame)"
    )


def _from_file(path: Path, role: str) -> ConfoundTable:
    check_there(path, role)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: not a table that can be read ({error}); a TSV or CSV of numbers is wanted"
        raise ConfoundsError(msg) from error
    rows = _rows(text)
    if not rows:
        msg = f"{path}: the {role} is empty; one row a frame is wanted"
        raise ConfoundsError(msg)
    has_header = any(_number(cell) is None for cell in rows[0])
    names = rows[0] if has_header else [str(number) for number in range(len(rows[0]))]
    values = np.array([_numbers(row, names, path, n) for n, row in enumerate(rows[has_header:], 1)])
    if not len(values):
        msg = f"{path}: the {role} has a header and no rows; one row a frame is wanted"
        raise ConfoundsError(msg)
    return ConfoundTable(values, tuple(names), str(path))


def _rows(text: str) -> list[list[str]]:
    """Split a table into cells: by tabs, else commas, else semicolons, else white space.

    Lines that begin with ``#`` are comments, as AFNI writes them.
    """
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    delimiter = next((mark for mark in "\t,;" if lines and mark in lines[0]), None)
    if delimiter is None:
        return [line.split() for line in lines]
    return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]


def _number(cell: str) -> float | None:
    """Return the number in a cell, NaN where it says that a value is missing, None for text."""
    word = cell.strip().lower()
    if word in MISSING:
        return float("nan")
    if word in BOOLEANS:
        return BOOLEANS[word]
    try:
        return float(cell)
    except ValueError:
        return None


def _numbers(row: list[str], names: list[str], path: Path, number: int) -> list[float]:
    if len(row) != len(names):
        msg = f"{path}: row {number} has {len(row)} cells and the first line {len(names)}; mend the table"
        raise ConfoundsError(msg)
    values = []
    for cell, name in zip(row, names, strict=True):
        value = _number(cell)
        if value is None:
            msg = f"{path}: column {name!r} holds {cell!r} in row {number}; numbers (or n/a) are wanted"
            raise ConfoundsError(msg)
        values.append(value)
    return values
