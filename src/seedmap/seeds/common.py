"""What every seed is, and the seed that brings its own time course."""

import re
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seedmap._arrays import Array, readonly
from seedmap.errors import SeedError
from seedmap.images import Space
from seedmap.spatial import SeedWeights

__all__ = ["DEFAULT_RADIUS", "Seed", "SeriesSeed", "check_name", "few"]

# Names of files hold 255 bytes on most disks, and those of maps state run, statistic and strategy too.
LONGEST_NAME = 80
DEFAULT_RADIUS = 8.0  # mm: the reference example's


@runtime_checkable
class Seed(Protocol):
    """What a seed in space can do."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def definition(self) -> str:
        """What it is, in words."""

    @property
    def source(self) -> str:
        """The file it comes from; empty where it comes from none."""

    def weights(self, space: Space) -> SeedWeights:
        """Return its weights on the samples of a space; they sum to 1."""


@dataclass(frozen=True, eq=False)
class SeriesSeed:
    """A time course of one's own: a heart rate, a rating, the mean of some other region.

    Parameters
    ----------
    name
        Its name.
    values
        One raw value a frame of the whole run, shape (frames,). It is cleaned as the data are.

    Raises
    ------
    SeedError
        If the values are not one number a frame. What is not finite matters in kept frames only,
        and is refused there when the seed is used.
    """

    name: str
    values: Array

    def __post_init__(self) -> None:
        check_name(self.name)
        values = np.array(self.values, dtype=np.float64)
        values = values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
        if values.ndim != 1:
            msg = (
                f"seed {self.name!r}: its values have shape {values.shape}; give one number a frame"
            )
            raise SeedError(msg)
        object.__setattr__(self, "values", readonly(values))

    @property
    def definition(self) -> str:
        """What it is, in words."""
        return f"time course of {self.values.size} values"

    @property
    def source(self) -> str:
        """Time courses come from no file."""
        return ""


def check_name(name: str) -> None:
    """Refuse a name that could not stand in a file name."""
    if not isinstance(name, str) or not re.search(r"[A-Za-z0-9]", name):
        msg = f"a seed is called {name!r}; give it a name with letters or digits, such as 'PCC'"
        raise SeedError(msg)
    if len(name) > LONGEST_NAME:
        msg = f"seed {name[:20]!r}...: a name of {len(name)} letters; give at most {LONGEST_NAME}"
        raise SeedError(msg)


def few(values: list[Any]) -> str:
    """Name the first of many."""
    shown = ", ".join(str(value) for value in values[:5])
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"
