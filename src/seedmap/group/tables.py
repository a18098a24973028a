"""Tables of participants: one row a participant, matched by label, never by order."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._files import check_there
from seedmap.errors import OptionError

__all__ = ["People", "read_people", "read_rows"]

MISSING = {"", "n/a", "na", "nan", "null", "none"}
KEY = "participant_id"


@dataclass(frozen=True)
class People:
    """What is known of participants.

    Attributes
    ----------
    rows : dict of str to dict
        By label (without ``sub-``), the cells of each column as text.
    columns : tuple of str
        Names of the columns, without the label's.
    source : str
        The file, or what stands for one.
    """

    rows: Mapping[str, Mapping[str, str]]
    columns: tuple[str, ...]
    source: str

    def cells(self, column: str, labels: Sequence[str]) -> list[str | None]:
        """Return a column of some participants; None where nothing is stated."""
        found = [self.rows[label].get(column, "").strip() for label in labels]
        return [None if cell.lower() in MISSING else cell for cell in found]


def read_people(table: Any) -> People:
    """Read a table of participants.

    Parameters
    ----------
    table
        Path of a ``.tsv`` or ``.csv`` file, or a data frame; with a column ``participant_id``, in
        which ``sub-`` may stand or not.

    Raises
    ------
    MissingFile
        If the file is not there.
    OptionError
        If it has no such column, or a participant stands in it twice.
    """
    rows, columns, source = read_rows(table)
    if KEY not in columns:
        msg = f"{source}: there is no column {KEY}, but {', '.join(columns[:6]) or 'none'}; add it"
        raise OptionError(msg)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        label = row[KEY].strip().removeprefix("sub-")
        if label in found:
            msg = f"{source}: sub-{label} has two rows; keep one a participant"
            raise OptionError(msg)
        if label:
            found[label] = row
    return People(found, tuple(name for name in columns if name != KEY), source)


def read_rows(table: Any) -> tuple[list[dict[str, str]], list[str], str]:
    """Read any table with names of columns in its first row: rows as text, names, and the source."""
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        names = [str(name) for name in table.columns]
        rows = table.rename(columns=str).to_dict("records")
        texts = [{key: _text(value) for key, value in row.items()} for row in rows]
        return texts, names, "the data frame"
    path = Path(table).expanduser()
    check_there(path, "table of participants")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path}: not a text table in UTF-8; write it as TSV or CSV"
        raise OptionError(msg) from error
    lines = [line for line in lines if line.strip()]
    if not lines:
        msg = f"{path}: the table is empty; a first row with names of columns is wanted"
        raise OptionError(msg)
    cells = list(csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ","))
    names = [name.strip() for name in cells[0]]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"{path}: several columns are called {repeated[0]!r}; give each a name of its own"
        raise OptionError(msg)
    for number, row in enumerate(cells[1:], start=2):
        if len(row) != len(names):
            msg = f"{path}: row {number} has {len(row)} cells for {len(names)} columns; mend it"
            raise OptionError(msg)
    return [dict(zip(names, row, strict=True)) for row in cells[1:]], names, str(path)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
