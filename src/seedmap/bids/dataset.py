"""What there is to do: the runs of each participant of a derivative data set, with their files.

Finds volumes, surfaces and grayordinates as fMRIPrep 1.0 to 25 names them: volumes with their
brain masks, hemispheres in pairs, each with its confounds and their metadata. What is missing and
what fits twice is reported as a problem; nothing is guessed. Only names are read here, and the small
JSON files that hold repetition times; see decision 6.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seedmap._files import absence, check_there
from seedmap._texts import read_json
from seedmap.bids.forms import SPATIAL, VOLUMES, Form, forms_by_run, is_series
from seedmap.bids.names import BidsName, parse_name
from seedmap.bids.timing import repetition_time
from seedmap.errors import MissingFile, OptionError, SeedmapError

__all__ = [
    "Filters",
    "Participant",
    "RunInputs",
    "find_participants",
    "read_filter_file",
    "sibling_confounds",
]

# What surface and grayordinate series are, whose names have no ``desc``.
PREPROC = "preproc"
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
    """Which of the series of a run, by their ``desc``; empty for those without."""

    entities: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Short keys of entities, or ``extension``, with wanted values; without any the entity must be missing."""

    def accept(self, name: BidsName) -> bool:
        """Say whether a run is wanted."""
        plain = "" if name.extension in VOLUMES or not self.desc else PREPROC
        if name.entities.get("desc", plain) != self.desc:
            return False
        given = {**name.entities, "extension": name.extension}
        return all(
            given.get(key) in values if values else key not in given
            for key, values in self.entities
        )

    @property
    def words(self) -> str:
        """The choice in words."""
        said = [f"{key}-{'|'.join(values) or 'none'}" for key, values in self.entities]
        return ", ".join([f"desc-{self.desc}" if self.desc else "no desc", *said])


@dataclass(frozen=True)
class RunInputs:
    """The files of one run.

    Attributes
    ----------
    name : str
        The run, as its file names begin: ``"sub-01_task-rest_run-1"``.
    bold : Path
        The series; of two hemispheres the left.
    mask, confounds, confounds_json : Path or None
        What belongs to it.
    space : str
        The space that its name states; empty if it states none.
    t_r : float or None
        Repetition time [s] of a JSON further up, where there is none beside the run.
    session : str
        Its session; empty if there is none.
    jsons : tuple of Path
        The JSON files that hold its repetition time.
    other : Path or None
        The right hemisphere, where ``bold`` is the left.
    surfaces : tuple of (str, Path)
        Where the vertices lie, by hemisphere.
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
    other: Path | None = None
    surfaces: tuple[tuple[str, Path], ...] = ()

    @property
    def series(self) -> Path | dict[str, Path]:
        """The series as `open_run` takes it."""
        return self.bold if self.other is None else {"left": self.bold, "right": self.other}

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file whose content shapes the results."""
        tables = (self.mask, self.confounds, self.confounds_json)
        places = (path for _, path in self.surfaces)
        given = (self.bold, self.other, *tables, *self.jsons, *places)
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


@dataclass(frozen=True)
class _Wanted:
    """What the search for one participant's runs needs to know."""

    root: Path
    filters: Filters
    needs_confounds: bool
    needs_mask: bool
    surfaces: Mapping[str, Path]


def find_participants(
    root: Path,
    filters: Filters,
    *,
    needs_confounds: bool = True,
    needs_mask: bool = True,
    surfaces: Mapping[str, Path] | None = None,
) -> list[Participant]:
    """Find the participants of a derivative data set and what belongs to each run.

    Parameters
    ----------
    root
        The data set: the folder with ``sub-...`` in it.
    filters
        Which runs are wanted. Where a participant has volumes that fit, these are meant.
    needs_confounds, needs_mask
        Whether a run, or a volume, without these is a problem.
    surfaces
        Where the vertices of surface and grayordinate series lie, ``{"left": path, "right":
        path}``; of fsaverage5 that is known.

    Returns
    -------
    list of Participant
        In the order of their labels; those that were asked for and are not there included.

    Raises
    ------
    MissingFile
        If the folder is not there or holds no participant, or a surface is not there.
    """
    root = Path(root)
    for path in (surfaces or {}).values():
        check_there(path, "surface")
    if not root.is_dir():
        msg = f"{root}: this data set is not there; check the path"
        raise MissingFile(msg)
    folders = {path.name[4:]: path for path in sorted(root.glob("sub-*")) if path.is_dir()}
    if not folders:
        near = sorted(root.glob("derivatives/*/sub-*")) or sorted(root.glob("*/sub-*"))
        hint = f"; did you mean {near[0].parent}?" if near else "; give the folder of derivatives"
        msg = f"{root}: no folder sub-... is in it, so it is no BIDS data set{hint}"
        raise MissingFile(msg)
    labels = [label.removeprefix("sub-") for label in filters.participants] or list(folders)
    wanted = _Wanted(root, filters, needs_confounds, needs_mask, surfaces or {})
    return [
        _readable(label, folders[label], wanted)
        if label in folders
        else _unknown(label, folders, root)
        for label in dict.fromkeys(labels)
    ]


def _unknown(label: str, folders: Iterable[str], root: Path) -> Participant:
    near = difflib.get_close_matches(label, folders, n=3)
    hint = f"; near are {', '.join(near)}" if near else ""
    return Participant(label, problems=(f"sub-{label} is not in {root}{hint}",))


def _readable(label: str, folder: Path, wanted: _Wanted) -> Participant:
    """Look for a participant's runs; where a folder cannot be read, that is its problem alone."""
    try:
        return _participant(label, folder, wanted)
    except OSError as error:
        if isinstance(error, SeedmapError) or error.errno is None:
            raise
        text = f"{error.filename or folder}: cannot be read ({error.strerror}); check your rights to it"
        return Participant(label, problems=(text,))


def _participant(label: str, folder: Path, wanted: _Wanted) -> Participant:
    """Read the names of one participant's files and sort them into runs."""
    names = [name for path in _files(folder) if (name := parse_name(path)) is not None]
    series = [name for name in names if is_series(name) and wanted.filters.accept(name)]
    if not series:
        return Participant(label, problems=(_nothing(label, names, wanted),))
    runs, problems = [], []
    for key, forms in forms_by_run(series).items():
        if len(forms) > 1:
            files = ", ".join(form.words for form in forms)
            problems.append(
                f"{key}: {len(forms)} files fit ({files}); choose one with --space, --res or "
                "--bids-filter-file"
            )
            continue
        found, wrong = _complete(key, forms[0], names, wanted)
        problems += wrong
        if not wrong:
            runs.append(found)
    return Participant(label, tuple(runs), tuple(problems))


def _files(folder: Path) -> Iterator[Path]:
    """Walk through a participant's functional files, with and without sessions."""
    for place in (folder / "func", folder, *sorted(folder.glob("ses-*/func"))):
        if place.is_dir():
            yield from _named(place)


def _named(folder: Path) -> list[Path]:
    """List a folder's files, also links that lead nowhere: what is missing must not go unseen."""
    return sorted(path for path in folder.iterdir() if path.is_file() or path.is_symlink())


def _nothing(label: str, names: Sequence[BidsName], wanted: _Wanted) -> str:
    """Say that nothing fits, and what there is instead."""
    filters, root = wanted.filters, wanted.root
    others = [name for name in names if is_series(name)]
    few = ", ".join(name.path.name for name in others[:2])
    there = f"; there are {few}{' ...' if len(others) > 2 else ''} (--desc chooses)" if few else ""
    near = sorted(root.glob(f"derivatives/*/sub-{label}"))
    hint = f"; did you mean {near[0].parent}?" if near else ""
    return f"sub-{label}: no series fits {filters.words}{there}{hint}"


def _complete(
    key: str, form: Form, names: Sequence[BidsName], wanted: _Wanted
) -> tuple[RunInputs, list[str]]:
    """Find what belongs to a run."""
    problems: list[str] = []
    bold, right = form.first, form.names[1:]
    table, about = _confounds(key, bold, names, problems)
    mask = _mask(key, form, names, problems)
    if wanted.needs_confounds and table is None and not problems:
        problems.append(
            f"{key}: no table of confounds (desc-confounds_timeseries.tsv) lies beside it"
        )
    if wanted.needs_mask and form.is_volume and mask is None and not problems:
        problems.append(
            f"{key}: no brain mask ({bold.path.name.replace('_bold', '_mask')} with desc-brain) lies "
            "beside it; give a rule with --mask-img, such as background"
        )
    if wanted.surfaces and form.is_volume and not problems:
        problems.append(
            f"{key}: surfaces are given, but {bold.path.name} is a volume; choose surfaces with "
            "--space, or leave them out"
        )
    t_r, jsons = repetition_time(form, names, wanted.root)
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
        other=right[0].path if right else None,
        surfaces=_surfaces(form, wanted.surfaces),
    )
    problems += [
        f"{key}: {path} {why}" for path in dict.fromkeys(run.files) if (why := absence(path))
    ]
    return run, problems


def sibling_confounds(source: str) -> tuple[Path | None, Path | None]:
    """Find the table of confounds that fMRIPrep writes beside a run, and the JSON that describes it.

    None where there is none, where two fit, or where the run's name does not follow BIDS.
    """
    bold = parse_name(Path(source))
    if bold is None or not bold.path.parent.is_dir():
        return None, None
    names = [name for path in _named(bold.path.parent) if (name := parse_name(path)) is not None]
    return _confounds(bold.path.name, bold, names, [])


def _confounds(
    key: str, bold: BidsName, names: Sequence[BidsName], problems: list[str]
) -> tuple[Path | None, Path | None]:
    """Find a run's table of confounds and the JSON that describes it."""
    tables = [
        n for n in names if n.suffix == "timeseries" and n.entities.get("desc") == "confounds"
    ]
    of_run = bold.without(*SPATIAL)
    table = _belonging(key, "table of confounds", of_run, tables, ".tsv", problems)
    about = _belonging(key, "JSON of the confounds", of_run, tables, ".json", problems)
    return table, about


def _mask(key: str, form: Form, names: Sequence[BidsName], problems: list[str]) -> Path | None:
    """Find the brain mask of a volume; surfaces and grayordinates bring theirs."""
    if not form.is_volume:
        return None
    masks = [n for n in names if n.suffix == "mask" and n.entities.get("desc") == "brain"]
    entities = form.first.without("desc")
    return _belonging(key, "brain mask", entities, masks, VOLUMES, problems)


def _surfaces(form: Form, surfaces: Mapping[str, Path]) -> tuple[tuple[str, Path], ...]:
    """Choose the surfaces of the hemispheres that a form has."""
    if form.is_volume:
        return ()
    sides = {{"L": "left", "R": "right"}.get(n.entities.get("hemi", "")) for n in form.names}
    given = sides - {None} or set(surfaces)
    return tuple((side, path) for side, path in surfaces.items() if side in given)


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
        if name.path.name.lower().endswith(extensions)
        and name.entities.get("space", "") == entities.get("space", "")
        and name.without("desc").items() <= entities.items()
    ]
    exact = [name for name in fitting if name.without("desc") == entities]
    fitting = exact or fitting
    if len(fitting) > 1:
        files = ", ".join(name.path.name for name in fitting)
        problems.append(f"{key}: {len(fitting)} files fit as its {what} ({files}); keep one")
    return fitting[0].path if len(fitting) == 1 else None


def read_filter_file(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read a BIDS filter file as fMRIPrep takes it; what it says of ``bold`` is used.

    Raises
    ------
    MissingFile, OptionError
        If it is not there, or no such file.
    """
    content = read_json(path, "BIDS filter file")
    chosen = content.get("bold") if isinstance(content, dict) else None
    if not isinstance(chosen, dict):
        msg = (
            f'{path}: not a BIDS filter file; one such as {{"bold": {{"task": "rest"}}}} is wanted'
        )
        raise OptionError(msg)
    filters: list[tuple[str, tuple[str, ...]]] = []
    for key, value in chosen.items():
        if key in ("datatype", "suffix", "desc") or value == "*":
            continue
        values = [] if value is None else value if isinstance(value, list) else [value]
        texts = [str(one) for one in values]
        if key == "extension":
            texts = [f".{text.lstrip('.')}" for text in texts]
        filters.append((LONG_NAMES.get(str(key), str(key)), tuple(texts)))
    return tuple(filters)
