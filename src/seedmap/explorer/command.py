"""The command that makes the map on the screen: ``seedmap run``, or ``seedmap group``."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seedmap.analysis import Inputs
from seedmap.denoising import Strategy
from seedmap.explorer.engine import Explorable, Settings
from seedmap.explorer.regions import Chosen, RegionSeed
from seedmap.group import Question
from seedmap.seeds import VertexPatch
from seedmap.temporal import Cleaning

__all__ = ["Command", "GroupCommand", "run_words", "seed_text"]

UNSPOKEN = "# given as data in Python, not as files: call seedmap.seed_maps with the same"


@dataclass(frozen=True)
class Command:
    """What of a command stays the same whatever is switched.

    Attributes
    ----------
    bold : str
        Path of the run; empty where it, or an option, is not a file.
    surfaces : tuple of str
        Words that give a run on surfaces in place of it, such as ``("--left", "lh.func.gii")``.
    confounds : tuple of str
        Paths of the confounds tables.
    options : tuple of str
        Further words, such as ``("--mask-img", "mask.nii.gz")``.
    all_columns : bool
        Whether the run's confounds are all columns of the tables.
    stored : bool
        Whether the run is a stored one: then there is nothing else to choose.
    """

    bold: str = ""
    confounds: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    all_columns: bool = True
    stored: bool = False
    surfaces: tuple[str, ...] = ()

    @classmethod
    def of_call(cls, inputs: Inputs) -> "Command":
        """Write down a call in Python, as far as its arguments are files."""
        tables = inputs.confounds
        tables = list(tables) if isinstance(tables, list | tuple) else [tables]
        tables = [table for table in tables if table is not None]
        sides = inputs.bold.values() if isinstance(inputs.bold, Mapping) else (inputs.bold,)
        mask = () if inputs.mask_img is None else (inputs.mask_img,)
        files = [*sides, *tables, *mask, *(inputs.surfaces or {}).values()]
        if isinstance(inputs.strategy, Strategy) or inputs.sample_mask is not None:
            return cls()
        if not all(isinstance(file, str | Path) for file in files):
            return cls()
        options = ["--mask-img", str(mask[0])] if mask else []
        options += ["--strategy", str(inputs.strategy)] if inputs.strategy is not None else []
        options += ["--t-r", f"{inputs.t_r:g}"] if inputs.t_r is not None else []
        alone, words = run_words(inputs)
        return cls(alone, tuple(map(str, tables)), tuple(options), surfaces=words)

    def line(self, source: Explorable, settings: Settings, seed: Chosen) -> str:
        """Write out the command for settings and a seed; a remark where there is none."""
        if not (self.bold or self.surfaces) or (isinstance(seed, RegionSeed) and not seed.source):
            return UNSPOKEN
        if self.stored:
            place = seed_text(seed)
            return shlex.join(["seedmap", "run", "--from-store", self.bold, "--seed", place])
        given = self.surfaces or (self.bold,)
        words = ["seedmap", "run", *given, "--seed", seed_text(seed)]
        columns = source.columns(settings)
        if columns:
            words += ["--confounds", *self.confounds] if self.confounds else []
            given = source.confounds.names if source.confounds else ()
            if columns != given or not self.all_columns:
                words += ["--confound-columns", *columns]
        words += self.options
        words += ["--smoothing-fwhm", _value(settings.method.smoothing_fwhm)]
        return shlex.join([*words, *_cleaning_words(settings.method.cleaning)])


@dataclass(frozen=True)
class GroupCommand:
    """The ``seedmap group`` command that makes the map of a group on the screen.

    Attributes
    ----------
    root : str
        Folder of results.
    question : Question
        The model and all contrasts.
    design : str
        The table of participants; empty where there is none.
    chosen : tuple of str
        Options that choose the runs, such as ``("--task-id", "rest")``.
    """

    root: str
    question: Question
    design: str = ""
    chosen: tuple[str, ...] = ()

    def line(self, seed: Chosen, off: Sequence[str] = (), *, tfce: bool = True) -> str:
        """Write out the command for a seed, without some people."""
        asked = self.question
        words = ["seedmap", "group", self.root, "--from-store", "--seed", seed_text(seed)]
        words += [*self.chosen, *(["--design", self.design] if self.design else [])]
        words += ["--model", asked.model] if asked.model != "1" else []
        words += [f"--contrast={text}" for text in asked.contrasts]
        words += ["--estimator", asked.estimator] if asked.estimator != "ols" else []
        words += ["--variance", asked.variance] if asked.variance != "auto" else []
        if asked.min_participants != Question.min_participants:
            words += ["--min-participants", f"{asked.min_participants:g}"]
        words += ["--leave-out", *off] if off else []
        return shlex.join([*words, *([] if tfce else ["--no-tfce"])])


def run_words(inputs: Inputs) -> tuple[str, tuple[str, ...]]:
    """Spell a run: its path, empty for one of two hemispheres, and what gives it on surfaces."""
    sides = inputs.bold if isinstance(inputs.bold, Mapping) else {}
    flags = {
        **{f"--{side}": file for side, file in sides.items()},
        **{f"--surface-{side}": file for side, file in (inputs.surfaces or {}).items()},
    }
    alone = "" if sides else str(inputs.bold)
    words = [str(word) for pair in flags.items() for word in pair]
    return alone, (*([alone] if alone else []), *words) if words else ()


def seed_text(seed: Chosen) -> str:
    """Write a sphere, what is around a vertex, or a region, as the command line reads it."""
    if isinstance(seed, RegionSeed):
        return f"{seed.name}={seed.source}#{seed.label}"
    if isinstance(seed, VertexPatch):
        return f"{seed.name}={seed.hemisphere[0]}h:vertex:{seed.vertex}:{seed.radius or 0:g}"
    place = ",".join(f"{value:.10g}" for value in seed.center)
    return f"{seed.name}={place}:{seed.radius or 0:g}"


def _cleaning_words(cleaning: Cleaning) -> list[str]:
    """Spell the options that are not the defaults."""
    words = []
    for option in fields(Cleaning):
        value = getattr(cleaning, option.name)
        if value == option.default:
            continue
        flag = option.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", _value(value)]
    return words


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
