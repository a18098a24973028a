"""Results that were made before, to be explored: the run behind them, cleaned as it was.

Maps in memory (`SeedMaps`) state it in their provenance, folders of results in their sidecars.
"""

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._arrays import Keep
from seedmap._texts import read_json, read_text
from seedmap.analysis import TEMPLATES, Inputs, Method, SeedMaps
from seedmap.bids import file_at
from seedmap.confounds import read_confounds
from seedmap.errors import MissingFile, OptionError, SeedmapError
from seedmap.explorer.command import Command, run_words
from seedmap.images import Grid, hemisphere_of, volume_image
from seedmap.seeds import Sphere, VertexPatch
from seedmap.temporal import Cleaning

__all__ = ["Recalled", "recall"]

MASK_RULES = ("background", "epi", *TEMPLATES)
# What of a sidecar states how its run was cleaned; the rest belongs to the seed.
WAY = (
    "Sources",
    "RepetitionTime",
    "Mask",
    "Cleaning",
    "SmoothingFWHM",
    "ConfoundColumns",
    "Frames",
    "FramesCensored",
)
SPHERE = re.compile(r"sphere of ([0-9.e+-]+) mm radius at ")
VERTEX = re.compile(
    r"(?:([0-9.e+-]+) mm along the surface around )?vertex (\d+) of the (left|right) "
)
VOXEL = "voxel nearest to "
LOG = Path("logs", "seedmap_log.txt")  # what was typed; other files name no folder
LONGEST_NAME = 40
# Files of which one is a hemisphere.
ON_SURFACES = (".gii", ".mgz")
MOST_FRAMES = 10_000_000

Place = Sphere | VertexPatch


@dataclass(frozen=True, eq=False)
class Recalled:
    """How some results were made.

    Attributes
    ----------
    inputs : Inputs
        The run and what was given with it.
    method : Method
        How it was cleaned and smoothed.
    seeds : tuple of Sphere or VertexPatch
        The seeds. What was neither is a sphere around its middle, by a name that says so; series
        have no place and are left out.
    command : Command
        How the run is given to ``seedmap run``, as far as that is known.
    """

    inputs: Inputs
    method: Method
    seeds: tuple[Place, ...] = ()
    command: Command = field(default_factory=Command)

    @property
    def start(self) -> Place | None:
        """The first seed."""
        return self.seeds[0] if self.seeds else None


def recall(results: SeedMaps | str | Path) -> Recalled:
    """Find out how results were made.

    Of a folder that holds the maps of one run by several settings, the settings written last count,
    and the seeds that were mapped by it.

    Parameters
    ----------
    results
        Maps in memory, or a folder that ``seedmap run`` wrote.

    Raises
    ------
    MissingFile
        If the folder holds no maps, or the run or a table is no longer where it was.
    OptionError
        If the folder holds maps of several runs, or the run, its confounds or its mask were given
        as data and cannot be read again.
    """
    if isinstance(results, SeedMaps):
        return _of_maps(results)
    return _of_folder(Path(results).expanduser())


def _of_maps(maps: SeedMaps) -> Recalled:
    known = maps.provenance
    mask: Any = known.mask_source
    in_memory = not _can_be_read(mask)
    if in_memory and isinstance(maps.space, Grid):
        mask = volume_image(maps.space.mask.astype(np.uint8), maps.space)
    t_r = known.t_r if known.t_r_source == "argument" else None
    words = _words(known.command)
    bold, _ = _run_of([known.source, *known.others])
    inputs = Inputs(
        bold,
        confounds=_confounds(known.confounds_source, known.confounds),
        sample_mask=None if known.keep.all() else known.keep,
        mask_img=mask,
        t_r=t_r,
        surfaces=_surfaces(words),
    )
    method = Method(cleaning=known.cleaning, smoothing_fwhm=known.smoothing_fwhm)
    command = _command(inputs, known.confounds_source, known.keep, words)
    seeds = _places(map(asdict, known.seeds))
    return Recalled(inputs, method, seeds, Command() if in_memory else command)


def _of_folder(folder: Path) -> Recalled:
    sidecars = [(path, _sidecar(path, folder)) for path in folder.glob("*_stat-r_statmap.json")]
    if not sidecars:
        msg = (
            f"{folder}: no map of r is in this folder; give a run, a stored run, or a folder that "
            "`seedmap run` wrote"
        )
        raise MissingFile(msg)
    sidecars.sort(key=lambda one: (one[0].stat().st_mtime_ns, one[0].name))
    path, last = sidecars[-1]
    try:
        runs = sorted({one["Sources"][0] for _, one in sidecars})
        alike = [one for _, one in sidecars if all(one[key] == last[key] for key in WAY)]
        if len(runs) == 1:
            return _of_sidecars({**last, "Command": _typed(folder, last.get("Command"))}, alike)
    except SeedmapError:
        raise
    except (KeyError, TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        msg = f"{path}: this sidecar does not state how the map was made ({error!r}); give the run"
        raise OptionError(msg) from error
    msg = f"{folder}: it holds maps of {len(runs)} runs, {runs[0]} and others; give one of the runs"
    raise OptionError(msg)


def _sidecar(path: Path, folder: Path) -> dict[str, Any]:
    """Read a sidecar, with paths in place of URIs."""
    facts = read_json(path, "sidecar")
    if not isinstance(facts, dict):
        msg = f"{path}: this is no sidecar of a map; give the run"
        raise OptionError(msg)
    if isinstance(facts.get("Sources"), list):
        facts["Sources"] = [file_at(str(one), folder) for one in facts["Sources"]]
    if isinstance(facts.get("Mask"), str):
        facts["Mask"] = file_at(facts["Mask"], folder)
    return facts


def _of_sidecars(facts: dict[str, Any], alike: Sequence[dict[str, Any]]) -> Recalled:
    mask = facts["Mask"]
    if not _can_be_read(mask):
        msg = f"the mask {mask!r} is no file that can be read again; give the run and --mask-img"
        raise OptionError(msg)
    known = {option.name for option in fields(Cleaning)}
    columns, words = facts["ConfoundColumns"], _words(facts.get("Command"))
    bold, others = _run_of(facts["Sources"])
    tables = ", ".join(others) if columns else ""
    keep = _kept(facts["Frames"], facts["FramesCensored"])
    t_r = facts["RepetitionTime"] if facts["RepetitionTimeSource"] == "argument" else None
    inputs = Inputs(
        bold,
        confounds=_confounds(tables, columns),
        sample_mask=None if keep.all() else keep,
        mask_img=mask,
        t_r=t_r,
        surfaces=_surfaces(words),
    )
    cleaning = Cleaning(**{k: v for k, v in facts["Cleaning"].items() if k in known})
    method = Method(cleaning=cleaning, smoothing_fwhm=facts["SmoothingFWHM"])
    command = _command(inputs, tables, keep, words)
    return Recalled(inputs, method, _places(one["Seed"] for one in alike), command)


def _run_of(files: Sequence[str]) -> tuple[Any, list[str]]:
    """Split the files of results into the run, by hemisphere on surfaces, and the others."""
    if not files[0].endswith(ON_SURFACES):
        return _file(files[0]), list(files[1:])
    own = [file for file in files if file.endswith(ON_SURFACES)]
    sides = {hemisphere_of(Path(file)): _file(file) for file in own}
    return sides, [file for file in files if file not in own]


def _surfaces(words: Mapping[str, str]) -> dict[str, str] | None:
    """Return where vertices lie, as far as the command said so and the files are there."""
    given = {side: words.get(f"--surface-{side}", "") for side in ("left", "right")}
    return {side: file for side, file in given.items() if Path(file).is_file()} or None


def _kept(frames: int, censored: Sequence[int]) -> Keep:
    if not 0 < frames <= MOST_FRAMES:
        msg = f"Frames is {frames}"
        raise ValueError(msg)
    keep = np.ones(frames, dtype=bool)
    keep[list(censored)] = False
    return keep


def _places(seeds: Any) -> tuple[Place, ...]:
    """Return the places of seeds as sidecars describe them."""
    found: list[Place] = []
    for seed in seeds:
        if seed["center"] is None:
            continue
        x, y, z = (float(value) for value in seed["center"])
        name, definition = str(seed["name"]), str(seed["definition"])
        if patch := VERTEX.match(definition):
            found.append(VertexPatch(name, patch[3], int(patch[2]), float(patch[1] or 0)))
        elif sphere := SPHERE.match(definition):
            found.append(Sphere(name, (x, y, z), float(sphere[1])))
        elif definition.startswith(VOXEL):
            found.append(Sphere(name, (x, y, z), None))
        else:
            found.append(Sphere(f"middle of {name}"[:LONGEST_NAME], (x, y, z)))
    return tuple(found)


def _command(inputs: Inputs, tables: str, keep: Keep, words: Mapping[str, str]) -> Command:
    """Write down how the run is given; nothing where frames were left out and no file lists them."""
    options = ["--mask-img", str(inputs.mask_img)]
    if not keep.all():
        kept = words.get("--sample-mask", "")
        if not Path(kept).is_file():
            return Command()
        options += ["--sample-mask", kept]
    options += ["--t-r", f"{inputs.t_r:g}"] if inputs.t_r is not None else []
    alone, run = run_words(inputs)
    return Command(*(alone, tuple(_paths(tables)), tuple(options)), all_columns=False, surfaces=run)


def _typed(folder: Path, command: Any) -> Any:
    """Return a command with the folders of its files, which only the log of the results has."""
    wanted = _names(command)
    log = folder / LOG
    lines = read_text(log, "log").splitlines() if wanted and log.is_file() else []
    return next((line for line in reversed(lines) if _names(line) == wanted), command)


def _names(command: Any) -> list[str]:
    """Return the words of a command, files without their folders; none where it is no command."""
    try:
        words = shlex.split(command) if command.startswith("seedmap ") else []
    except (ValueError, AttributeError):
        return []
    return [re.split(r"[/\\]", word)[-1] for word in words]


def _words(command: Any) -> dict[str, str]:
    """Return what followed each word of a command."""
    try:
        words = shlex.split(command or "")
    except (ValueError, AttributeError):
        return {}
    return dict(itertools.pairwise(words))


def _can_be_read(mask: Any) -> bool:
    return mask in MASK_RULES or Path(mask).is_file()


def _confounds(source: str, columns: Any) -> Any:
    """Read the columns that were used again."""
    if not source:
        return None
    table = read_confounds([Path(_file(path)) for path in _paths(source)])
    return table.choose(list(columns)) if table else None


def _paths(source: str) -> list[str]:
    return source.split(", ") if source else []


def _file(path: str) -> str:
    if not Path(path).is_file():
        msg = f"{path}: the data of these results are no longer there; give the run itself"
        raise MissingFile(msg)
    return path
