"""What there is to do: the runs of each participant of a derivative data set, with their files.

Finds volumes as fMRIPrep 1.0 to 25 names them, each with its brain mask, its confounds and their
metadata. What is missing and what fits twice is named as a `Problem`; nothing is guessed. Only
names are read here, and the small JSON files that tell repetition times; see decision 6.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seedmap.errors import MissingFile, OptionError
from seedmap.participants.names import BidsName, parse_name

__all__ = ["Filters", "Participant", "RunInputs", "find_participants", "read_filter_file"]

VOLUMES = (".nii.gz", ".nii")
SURFACES = {".func.gii": "surface (GIFTI)", ".dtseries.nii": "grayordinate (CIFTI)"}
# Entities that tell two forms of one run apart, and that its confounds do not have.
FORMS = ("space", "res", "den", "hemi", "desc", "cohort")
LONG_NAMES = {
    "subject": "sub",
    "participant": "sub",
    "session": "ses",
    "acquisition": "acq",
    "direction": "dir",
    "resolution": "res",
    "density": "den",
    "reconstruction": "rec",
    "ceagent": "ce",
}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which runs are wanted; an empty choice takes all."""

    participants: tuple[str, ...] = ()
    """Labels of participants, without ``sub-``."""

    desc: str = "preproc"
    """Which of fMRIPrep's series."""

    entities: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Short keys of entities with the values that are wanted; no value means that the entity must be missing."""

    def accept(self, name: BidsName) -> bool:
        """Say whether a run is wanted."""
        if name.entities.get("desc") != self.desc:
            return False
        return all(
            name.entities.get(key) in values if values else key not in name.entities
            for key, values in self.entities
        )

    @property
    def words(self) -> str:
        """The choice in words."""
        said = [f"{key}-{'|'.join(values) or 'none'}" for key, values in self.entities]
        return ", ".join([f"desc-{self.desc}", *said])


@dataclass(frozen=True)
class RunInputs:
    """The files of one run.

    Attributes
    ----------
    name : str
        The run, as its file names begin: ``"sub-01_task-rest_run-1"``.
    bold : Path
        The series.
    mask, confounds, confounds_json : Path or None
        What belongs to it.
    space : str
        The space that its name tells; empty if it tells of none.
    t_r : float or None
        Repetition time [s] of a JSON further up, where there is none beside the run.
    session : str
        Its session; empty if there is none.
    """

    name: str
    bold: Path
    mask: Path | None
    confounds: Path | None
    confounds_json: Path | None
    space: str
    t_r: float | None = None
    session: str = ""
    jsons: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file whose content shapes the results."""
        given = (self.bold, self.mask, self.confounds, self.confounds_json, *self.jsons)
        return tuple(path for path in given if path is not None)


@dataclass(frozen=True)
class Participant:
    """One participant: the runs that can be analysed, and what is wrong with the others."""

    label: str
    runs: tuple[RunInputs, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def files(self) -> tuple[Path, ...]:
        """Every input file, each once."""
        return tuple(dict.fromkeys(path for run in self.runs for path in run.files))


def find_participants(
    root: Path, filters: Filters, *, needs_confounds: bool = True, needs_mask: bool = True
) -> list[Participant]:
    """Find the participants of a derivative data set and what belongs to each run.

    Parameters
    ----------
    root
        The data set: the folder with ``sub-...`` in it.
    filters
        Which runs are wanted.
    needs_confounds, needs_mask
        Whether a run without these is a problem.

    Returns
    -------
    list of Participant
        In the order of their labels; those that were asked for and are not there included.

    Raises
    ------
    MissingFile
        If the folder is not there or holds no participant.
    """
    root = Path(root)
    if not root.is_dir():
        msg = f"{root}: this data set is not there; check the path"
        raise MissingFile(msg)
    folders = {path.name[4:]: path for path in sorted(root.glob("sub-*")) if path.is_dir()}
    if not folders:
        near = sorted(root.glob("derivatives/*/sub-*")) or sorted(root.glob("*/sub-*"))
        hint = f"; did you mean {near[0].parent}?" if near else "; give the folder of derivatives"
        msg = f"{root}: no folder sub-... is in it, so it is no BIDS data set{hint}"
        raise MissingFile(msg)
    wanted = [label.removeprefix("sub-") for label in filters.participants] or list(folders)
    needs = (needs_confounds, needs_mask)
    return [
        _participant(label, folders[label], root, filters, needs)
        if label in folders
        else _unknown(label, folders, root)
        for label in dict.fromkeys(wanted)
    ]


def _unknown(label: str, folders: Iterable[str], root: Path) -> Participant:
    near = difflib.get_close_matches(label, folders, n=3)
    hint = f"; near are {', '.join(near)}" if near else ""
    return Participant(label, problems=(f"sub-{label} is not in {root}{hint}",))


def _participant(
    label: str, folder: Path, root: Path, filters: Filters, needs: tuple[bool, bool]
) -> Participant:
    """Read the names of one participant's files and sort them into runs."""
    names = [name for path in _files(folder) if (name := parse_name(path)) is not None]
    series = [name for name in names if name.suffix == "bold" and filters.accept(name)]
    volumes = [name for name in series if name.extension in VOLUMES]
    if not volumes:
        return Participant(label, problems=(_nothing(label, names, filters),))
    runs, problems = [], []
    for key, forms in _by_run(volumes).items():
        if len(forms) > 1:
            files = ", ".join(name.path.name for name in forms)
            problems.append(
                f"{key}: {len(forms)} files fit ({files}); choose one with --space, --res or "
                "--bids-filter-file"
            )
            continue
        found, wrong = _complete(key, forms[0], names, root, needs)
        problems += wrong
        if not wrong:
            runs.append(found)
    return Participant(label, tuple(runs), tuple(problems))


def _files(folder: Path) -> Iterator[Path]:
    """Walk through a participant's functional files, with and without sessions."""
    for place in (folder / "func", folder, *sorted(folder.glob("ses-*/func"))):
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.is_file())


def _nothing(label: str, names: Sequence[BidsName], filters: Filters) -> str:
    """Say that nothing fits, and what there is instead."""
    others = [name for name in names if name.suffix == "bold" and name.extension != ".json"]
    kinds = {SURFACES[name.extension] for name in others if name.extension in SURFACES}
    if others and len(kinds) and all(name.extension in SURFACES for name in others):
        return (
            f"sub-{label}: only {' and '.join(sorted(kinds))} series are there, which cannot be analysed "
            "yet; write volumes, too (fMRIPrep's --output-spaces)"
        )
    few = ", ".join(name.path.name for name in others[:2])
    there = f"; there are {few}{' ...' if len(others) > 2 else ''}" if few else ""
    return f"sub-{label}: no series fits {filters.words}{there}"


def _by_run(volumes: Sequence[BidsName]) -> dict[str, list[BidsName]]:
    """Put the forms of one run together."""
    runs: dict[str, list[BidsName]] = {}
    for name in volumes:
        key = "_".join(f"{key}-{value}" for key, value in name.without(*FORMS).items())
        runs.setdefault(key, []).append(name)
    return runs


def _complete(
    key: str, bold: BidsName, names: Sequence[BidsName], root: Path, needs: tuple[bool, bool]
) -> tuple[RunInputs, list[str]]:
    """Find what belongs to a run."""
    problems: list[str] = []
    tables = [
        n for n in names if n.suffix == "timeseries" and n.entities.get("desc") == "confounds"
    ]
    masks = [n for n in names if n.suffix == "mask" and n.entities.get("desc") == "brain"]
    of_run = {k: v for k, v in bold.entities.items() if k not in FORMS}
    table = _belonging(key, "table of confounds", of_run, tables, ".tsv", problems)
    about = _belonging(key, "JSON of the confounds", of_run, tables, ".json", problems)
    mask = _belonging(key, "brain mask", bold.without("desc"), masks, VOLUMES, problems)
    if needs[0] and table is None and not problems:
        problems.append(
            f"{key}: no table of confounds (desc-confounds_timeseries.tsv) lies beside it"
        )
    if needs[1] and mask is None and not problems:
        problems.append(
            f"{key}: no brain mask ({bold.path.name.replace('_bold', '_mask')} with desc-brain) lies "
            "beside it; give a rule with --mask-img, such as background"
        )
    t_r, jsons = _inherited(bold, root)
    run = RunInputs(
        name=key,
        bold=bold.path,
        mask=mask,
        confounds=table,
        confounds_json=about,
        space=bold.entities.get("space", ""),
        t_r=t_r,
        session=bold.entities.get("ses", ""),
        jsons=jsons,
    )
    return run, problems


def _belonging(
    key: str,
    what: str,
    entities: Mapping[str, str],
    names: Sequence[BidsName],
    extensions: str | tuple[str, ...],
    problems: list[str],
) -> Path | None:
    """Find the one file of a kind with these entities, or with some of them and no others."""
    fitting = [
        name
        for name in names
        if name.path.name.endswith(extensions)
        and name.entities.get("space", "") == entities.get("space", "")
        and name.without("desc").items() <= entities.items()
    ]
    exact = [name for name in fitting if name.without("desc") == entities]
    fitting = exact or fitting
    if len(fitting) > 1:
        files = ", ".join(name.path.name for name in fitting)
        problems.append(f"{key}: {len(fitting)} files fit as its {what} ({files}); keep one")
    return fitting[0].path if len(fitting) == 1 else None


def _inherited(bold: BidsName, root: Path) -> tuple[float | None, tuple[Path, ...]]:
    """Look for a repetition time beside the run, else further up, as BIDS lets metadata inherit."""
    stem = bold.path.name.removesuffix(bold.extension)
    beside = bold.path.with_name(f"{stem}.json")
    if "RepetitionTime" in _json(beside):
        return None, (beside,)  # `open_run` reads it
    folder = bold.path.parent
    while folder.is_relative_to(root):
        for path in sorted(folder.glob("*_bold.json")):
            parts = dict(part.split("-", 1) for part in path.stem.split("_") if "-" in part)
            value = _json(path).get("RepetitionTime")
            if value and parts.items() <= bold.entities.items():
                return float(value), (path,)
        folder = folder.parent
    return None, ()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_filter_file(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read a BIDS filter file as fMRIPrep takes it; what it says of ``bold`` is used.

    Raises
    ------
    MissingFile, OptionError
        If it is not there, or no such file.
    """
    if not path.is_file():
        msg = f"{path}: this BIDS filter file is not there; check the path"
        raise MissingFile(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        chosen = dict(content["bold"])
    except (ValueError, KeyError, TypeError) as error:
        msg = f'{path}: not a BIDS filter file ({error!r}); one such as {{"bold": {{"task": "rest"}}}} is wanted'
        raise OptionError(msg) from error
    filters: list[tuple[str, tuple[str, ...]]] = []
    for key, value in chosen.items():
        if key in ("datatype", "suffix", "extension", "desc"):
            continue
        values = () if value is None else value if isinstance(value, list) else [value]
        if value != "*":
            filters.append((LONG_NAMES.get(str(key), str(key)), tuple(str(one) for one in values)))
    return tuple(filters)
