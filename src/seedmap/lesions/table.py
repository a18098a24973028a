"""Patients: their scores and covariates from a table, and their lesions from images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._files import check_there
from seedmap.errors import OptionError
from seedmap.group.tables import People, read_people
from seedmap.lesions.volumes import lesion_positions
from seedmap.spatial import neighbourhood

__all__ = ["Drawn", "Patients", "draw_lesions", "read_patients"]

Floats = NDArray[np.float64]

FEWEST = 10
# A lesion with less than this in the samples of the connectome is left out.
LEAST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Patients:
    """Who is used.

    Attributes
    ----------
    labels : tuple of str
        Without ``sub-``.
    files : tuple of Path
        Image of each lesion.
    score : ndarray, shape (patients,)
        What is asked about.
    name : str
        Of the score, or what is compared, such as ``group=control``.
    two_groups : bool
        Whether the score is 1 for patients and 0 for controls.
    covariates : ndarray, shape (patients, columns)
    columns : tuple of str
        Names of the covariates.
    dropped : dict of str to str
        Who is left out, and why.
    source : str
        The table.
    """

    labels: tuple[str, ...]
    files: tuple[Path, ...]
    score: Floats
    name: str
    two_groups: bool
    covariates: Floats
    columns: tuple[str, ...]
    dropped: Mapping[str, str]
    source: str

    def without(self, reasons: Mapping[str, str]) -> "Patients":
        """Leave some out, with the reason of each, and check what is left."""
        kept = np.array([label not in reasons for label in self.labels])
        left = Patients(
            tuple(np.array(self.labels)[kept].tolist()),
            tuple(one for one, yes in zip(self.files, kept, strict=True) if yes),
            self.score[kept],
            self.name,
            self.two_groups,
            self.covariates[kept],
            self.columns,
            {**self.dropped, **reasons},
            self.source,
        )
        _check_enough(left)
        return left


def read_patients(
    table: Any, score: str = "", against: str = "", covariates: Sequence[str] = ()
) -> Patients:
    """Read a table of patients with the columns ``participant_id`` and ``lesion``.

    Parameters
    ----------
    table
        Path of a ``.tsv`` or ``.csv`` file, or a data frame. Paths of lesions are relative to the
        file.
    score
        Column of numbers.
    against
        ``COLUMN=LEVEL``: those of the level are the controls. One of the two is given.
    covariates
        Columns of numbers.

    Raises
    ------
    MissingFile
        If the table or a lesion is not there.
    OptionError
        If a column is not there or makes no sense, or fewer than 10 patients are left.
    """
    if bool(score) == bool(against):
        msg = "--score and --against: give one of the two, a column of numbers or COLUMN=LEVEL of the controls"
        raise OptionError(msg)
    people = read_people(table)
    column, _, level = against.partition("=")
    if against and not level:
        msg = f"--against {against!r}: not understood; write it like group=control"
        raise OptionError(msg)
    for name in ("lesion", score or column, *covariates):
        if name not in people.columns:
            there = ", ".join(people.columns) or "no other"
            msg = f"{people.source}: there is no column {name!r} beside {there}; add it or name another"
            raise OptionError(msg)
    labels = list(people.rows)
    cells = {name: people.cells(name, labels) for name in ("lesion", score or column, *covariates)}
    dropped = {
        label: f"has nothing in column {name}"
        for name, column_cells in cells.items()
        for label, cell in zip(labels, column_cells, strict=True)
        if cell is None
    }
    used = [label for label in labels if label not in dropped]
    files = tuple(_lesion_files(people, used))
    values = _numbers(people, score, used) if score else _controls(people, column, level, used)
    beside = [_numbers(people, name, used) for name in covariates]
    found = Patients(
        tuple(used), files, values, score or against, not score,
        np.array(beside).T.reshape(len(used), len(beside)), tuple(covariates), dropped, people.source,
    )  # fmt: skip
    _check_enough(found)
    return found


def _check_enough(found: Patients) -> None:
    """Refuse too few patients, and what does not differ between them."""
    if len(found.labels) < FEWEST:
        gone = next((f"; sub-{label} {why}" for label, why in found.dropped.items()), "")
        msg = (
            f"{found.source}: {len(found.labels)} patients with a lesion and a score{gone}; {FEWEST} or more are "
            "wanted"
        )
        raise OptionError(msg)
    for name, values in zip(
        (found.name, *found.columns), (found.score, *found.covariates.T), strict=True
    ):
        if np.ptp(values) == 0:
            msg = f"{found.source}: {name} is {values[0]:g} in all {values.size} patients; one that differs is wanted"
            raise OptionError(msg)


def _lesion_files(people: People, labels: Sequence[str]) -> Iterator[Path]:
    """Yield the lesion of each patient, no file twice."""
    source = Path(people.source)
    folder = source.parent if source.is_file() else Path()
    owners: dict[Path, str] = {}
    for label in labels:
        path = folder / Path(people.rows[label]["lesion"].strip()).expanduser()
        check_there(path, f"lesion of sub-{label}")
        whole = path.resolve()
        if whole in owners:
            msg = (
                f"{path}: is the lesion of sub-{owners[whole]} and of sub-{label}; name one of each"
            )
            raise OptionError(msg)
        owners[whole] = label
        yield path


def _numbers(people: People, name: str, labels: Sequence[str]) -> Floats:
    found = []
    for label in labels:
        cell = people.rows[label][name].strip()
        try:
            found.append(float(cell))
        except ValueError:
            msg = f"{people.source}: {name} of sub-{label} is {cell!r}; a number or n/a is wanted"
            raise OptionError(msg) from None
        if not np.isfinite(found[-1]):
            msg = f"{people.source}: {name} of sub-{label} is {cell}; a finite number or n/a is wanted"
            raise OptionError(msg)
    return np.array(found)


def _controls(people: People, column: str, level: str, labels: Sequence[str]) -> Floats:
    levels = [people.rows[label][column].strip() for label in labels]
    if level not in levels:
        there = ", ".join(sorted(set(levels))[:6]) or "nothing"
        msg = f"{people.source}: nobody has {column}={level}, there are {there}; name one of these"
        raise OptionError(msg)
    return np.array([float(one != level) for one in levels])


@dataclass(frozen=True, eq=False)
class Drawn:
    """The lesions on the samples of the connectome.

    Attributes
    ----------
    lesions : sparse array, shape (lesions, samples)
        1 in the lesion.
    volumes : ndarray, shape (lesions,)
        Of the whole lesion [ml].
    shares : ndarray, shape (lesions,)
        Share of each lesion that lies in the samples.
    grey : ndarray, shape (lesions,)
        Share of each lesion that is grey matter; NaN where that is not known.
    near : ndarray of bool, shape (lesions, samples)
        Samples in a lesion or within the smoothing width of it, where r is high by construction.
    """

    lesions: Any
    volumes: Floats
    shares: Floats
    grey: Floats
    near: NDArray[np.bool_]

    def some(self, kept: NDArray[np.bool_]) -> "Drawn":
        """Return some of the lesions."""
        return Drawn(
            self.lesions[kept],
            self.volumes[kept],
            self.shares[kept],
            self.grey[kept],
            self.near[kept],
        )


def draw_lesions(
    patients: Patients,
    space: Any,
    common: NDArray[np.bool_],
    reach: float,
    grey: NDArray[np.floating] | None = None,
) -> tuple[Drawn, dict[str, str]]:
    """Load the images of lesions.

    Parameters
    ----------
    patients
        Who is used.
    space
        Of the connectome.
    common
        Samples that most people have, shape (samples,).
    reach
        Smoothing width [mm].
    grey
        Share of grey matter in each voxel, shape of the grid; None where that is not known.

    Returns
    -------
    drawn : Drawn
        Of all lesions.
    reasons : dict of str to str
        Patients to be left out: too little of the lesion lies in the samples.

    Raises
    ------
    SpaceMismatch, ImageError
        If a lesion lies on another grid, is empty, larger than half of the brain, or no mask.
    """
    import scipy.sparse as sp

    number = np.full(space.mask.size, -1, dtype=np.intp)
    number[np.flatnonzero(space.mask)] = np.where(common, np.arange(space.n_samples), -1)
    rows, volumes, shares, greys, reasons = [], [], [], [], {}
    near = np.zeros((len(patients.files), space.n_samples), bool)
    for at, (label, path) in enumerate(zip(patients.labels, patients.files, strict=True)):
        positions = lesion_positions(space, path)
        samples = number[positions]
        rows.append(samples[samples >= 0])
        volumes.append(positions.size * space.voxel_volume / 1000)
        shares.append(rows[-1].size / positions.size)
        greys.append(np.nan if grey is None else float(grey.ravel()[positions].mean()))
        if shares[-1] < LEAST_SHARE:
            reasons[label] = (
                f"has only {shares[-1]:.0%} of its lesion in the samples of the stored runs"
            )
        near[at, neighbourhood(space, positions, reach)] = True
    ends = np.cumsum([0, *map(len, rows)])
    lesions = sp.csr_array(
        (np.ones(ends[-1]), np.concatenate(rows), ends), shape=(len(rows), space.n_samples)
    )
    drawn = Drawn(lesions, np.array(volumes), np.array(shares), np.array(greys), near)
    return drawn, reasons
