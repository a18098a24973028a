"""The ``seedmap run`` command that makes the map on the screen."""

import shlex
from dataclasses import dataclass, fields
from typing import Any

from seedmap.explorer.recipe import Recipe
from seedmap.explorer.source import Source
from seedmap.seeds import Sphere
from seedmap.temporal import Cleaning

__all__ = ["Command"]

UNSPOKEN = "# the run or its options were given as data in Python: call seedmap.seed_maps with the same"


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
    """

    bold: str = ""
    confounds: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def line(self, source: Source, recipe: Recipe, seed: Sphere) -> str:
        """Write out the command for a recipe and a seed; a remark where there is none."""
        if not self.bold:
            return UNSPOKEN
        words = ["seedmap", "run", self.bold, "--seed", _seed_text(seed)]
        columns = source.columns(recipe)
        if columns:
            words += ["--confounds", *self.confounds]
            given = source.confounds.names if source.confounds else ()
            if columns != given:
                words += ["--confound-columns", *columns]
        words += self.options
        words += ["--smoothing-fwhm", _value(recipe.smoothing_fwhm)]
        return shlex.join([*words, *_cleaning_words(recipe.cleaning)])


def _seed_text(seed: Sphere) -> str:
    place = ",".join(f"{value:g}" for value in seed.center)
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
    return f"{value:g}" if isinstance(value, float) else str(value)
