"""Results that were made before, to be explored: the run behind them, cleaned as it was.

Maps in memory (`SeedMaps`) tell it by their provenance, folders of results by their sidecars.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from seedmap.analysis import SeedMaps
from seedmap.analysis.door import TEMPLATES
from seedmap.confounds import read_confounds
from seedmap.errors import MissingFile, OptionError
from seedmap.images import Grid, volume_image
from seedmap.seeds import Sphere
from seedmap.temporal import Cleaning

__all__ = ["Recalled", "recall"]

MASK_RULES = ("background", "epi", *TEMPLATES)


@dataclass(frozen=True, eq=False)
class Recalled:
    """How some results were made.

    Attributes
    ----------
    bold : str
        Path of the run.
    options : dict
        Keyword arguments of `seedmap.seed_maps` that belong to the run.
    start : Sphere or None
        The first seed, if it has a place.
    """

    bold: str
    options: dict[str, Any] = field(default_factory=dict)
    start: Sphere | None = None


def recall(results: SeedMaps | str | Path) -> Recalled:
    """Find out how results were made.

    Parameters
    ----------
    results
        Maps in memory, or a folder that ``seedmap run`` wrote.

    Raises
    ------
    MissingFile
        If the folder holds no maps, or the run or a table is no longer where it was.
    OptionError
        If the run, its confounds or its mask were given as data and cannot be read again.
    """
    if isinstance(results, SeedMaps):
        return _of_maps(results)
    return _of_folder(Path(results))


def _of_maps(maps: SeedMaps) -> Recalled:
    told, facts = maps.provenance, maps.provenance.seeds[0]
    mask: Any = told.mask_source
    in_memory = mask not in MASK_RULES and not Path(mask).is_file()
    if in_memory and isinstance(maps.space, Grid):
        mask = volume_image(maps.space.mask.astype(np.uint8), maps.space)
    options = {
        "confounds": _confounds(told.confounds_source, told.confounds),
        "sample_mask": None if told.keep.all() else told.keep,
        "mask_img": mask,
        "t_r": told.t_r if told.t_r_source == "argument" else None,
        "cleaning": told.cleaning,
        "smoothing_fwhm": told.smoothing_fwhm,
    }
    start = Sphere(facts.name, facts.center) if facts.center else None
    return Recalled(_file(told.source), options, start)


def _of_folder(folder: Path) -> Recalled:
    sidecars = sorted(folder.glob("*_stat-r_statmap.json"))
    if not sidecars:
        msg = (
            f"{folder}: no map of r is in this folder; give a run, or a folder `seedmap run` wrote"
        )
        raise MissingFile(msg)
    told = json.loads(sidecars[0].read_text(encoding="utf-8"))
    try:
        return _of_sidecar(told)
    except (KeyError, TypeError, IndexError) as error:
        msg = f"{sidecars[0]}: this sidecar does not tell how the map was made ({error!r}); give the run"
        raise OptionError(msg) from error


def _of_sidecar(told: dict[str, Any]) -> Recalled:
    mask, seed = told["Mask"], told["Seed"]
    if mask not in MASK_RULES and not Path(mask).is_file():
        msg = f"the mask {mask!r} is no file that can be read again; give the run and --mask-img"
        raise OptionError(msg)
    known = {option.name for option in fields(Cleaning)}
    sources = told["Sources"]
    keep = np.ones(told["Frames"], dtype=bool)
    keep[told["FramesCensored"]] = False
    options = {
        "confounds": _confounds(
            sources[-1] if told["ConfoundColumns"] else "", told["ConfoundColumns"]
        ),
        "sample_mask": None if keep.all() else keep,
        "mask_img": mask,
        "t_r": told["RepetitionTime"] if told["RepetitionTimeSource"] == "argument" else None,
        "cleaning": Cleaning(**{k: v for k, v in told["Cleaning"].items() if k in known}),
        "smoothing_fwhm": told["SmoothingFWHM"],
    }
    start = Sphere(seed["name"], tuple(seed["center"])) if seed["center"] else None
    return Recalled(_file(sources[0]), options, start)


def _confounds(source: str, columns: Any) -> Any:
    """Read the columns that were used again."""
    if not source:
        return None
    table = read_confounds([Path(_file(path)) for path in source.split(", ")])
    return table.choose(list(columns)) if table else None


def _file(path: str) -> str:
    if not Path(path).is_file():
        msg = f"{path}: the data of these results are no longer there; give the run itself"
        raise MissingFile(msg)
    return path
