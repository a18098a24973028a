"""The command that makes the map on the screen: ``seedmap run``, or ``seedmap group``."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seedmap.denoising import Strategy
from seedmap.explorer.engine import Explorable, Settings
from seedmap.group import Question
from seedmap.seeds import Sphere
from seedmap.temporal import Cleaning

__all__ = ["Command", "GroupCommand", "seed_text"]

UNSPOKEN = "# given as data in Python, not as files: call seedmap.seed_maps with the same"


@dataclass(frozen=True)
class Command:
    """What of a command stays the same whatever is switched.

    Attributes
    ----------
    bold : str
        Path of the run; empty where it, or an option, is not a file.
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

    @classmethod
    def of_call(
        cls,
        bold: Any,
        confounds: Any,
        sample_mask: Any,
        mask_img: Any,
        t_r: Any,
        strategy: Any = None,
    ) -> "Command":
        """Write down a call in Python, as far as its arguments are files."""
        tables = confounds if isinstance(confounds, list | tuple) else [confounds]
        tables = [table for table in tables if table is not None]
        files = [bold, *tables, *([] if mask_img is None else [mask_img])]
        if isinstance(strategy, Strategy):
            return cls()
        if sample_mask is not None or not all(isinstance(file, str | Path) for file in files):
            return cls()
        options = ["--mask-img", str(mask_img)] if mask_img is not None else []
        options += ["--strategy", str(strategy)] if strategy is not None else []
        options += ["--t-r", f"{t_r:g}"] if t_r is not None else []
        return cls(str(bold), tuple(map(str, tables)), tuple(options))

    def line(self, source: Explorable, settings: Settings, seed: Sphere) -> str:
        """Write out the command for settings and a seed; a remark where there is none."""
        if not self.bold:
            return UNSPOKEN
        if self.stored:
            place = seed_text(seed)
            return shlex.join(["seedmap", "run", "--from-store", self.bold, "--seed", place])
        words = ["seedmap", "run", self.bold, "--seed", seed_text(seed)]
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

    def line(self, seed: Sphere, off: Sequence[str] = (), *, tfce: bool = True) -> str:
        """Write out the command for a seed, without some people."""
        asked = self.question
        words = ["seedmap", "group", self.root, "--from-store", "--seed", seed_text(seed)]
        words += [*self.chosen, *(["--design", self.design] if self.design else [])]
        words += ["--model", asked.model] if asked.model != "1" else []
        words += [f"--contrast={text}" for text in asked.contrasts]
        words += ["--variance", asked.variance] if asked.variance != "auto" else []
        if asked.min_participants != Question.min_participants:
            words += ["--min-participants", f"{asked.min_participants:g}"]
        words += ["--leave-out", *off] if off else []
        return shlex.join([*words, *([] if tfce else ["--no-tfce"])])


def seed_text(seed: Sphere) -> str:
    """Write a sphere as the command line reads it."""
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
