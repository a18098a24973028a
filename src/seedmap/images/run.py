"""A run: facts from its header, its repetition time, and a way to walk through its frames.

Nothing but headers is read until frames are asked for. Volumes, surfaces and grayordinates differ
in how they are opened, and in their space; from here on they are the same.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._texts import read_json
from seedmap.errors import ImageError, OptionError, SeedmapWarning
from seedmap.images.parts import Grayordinates, Mesh
from seedmap.images.space import Grid
from seedmap.images.streams import FrameStream

__all__ = ["Run", "Space", "Timing", "choose_timing", "positive_t_r", "stem_of"]

Space = Grid | Mesh | Grayordinates

IMAGE_SUFFIXES = (
    ".dtseries.nii",
    ".ptseries.nii",
    ".func.gii",
    ".gii",
    ".nii.gz",
    ".nii",
    ".hdr",
    ".img",
    ".img.gz",
    ".nii.bz2",
    ".nii.zst",
    ".mgz",
    ".mgh",
)


@dataclass(frozen=True)
class Timing:
    """The repetition time and who says so.

    Attributes
    ----------
    t_r : float or None
        Repetition time [s]; None where nobody says.
    source : str
        ``"argument"``, ``"json"`` or ``"header"``.
    """

    t_r: float | None
    source: Literal["argument", "json", "header"]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One BOLD series: facts from its header, and its frames one after the other.

    Attributes
    ----------
    source : str
        The path it was opened from, or what stands for one.
    space : Grid, Mesh or Grayordinates
        Where its values lie; every place is a sample.
    frames : int
        Number of frames.
    timing : Timing
        Repetition time and where it comes from.
    dtype : numpy.dtype
        How values are stored.
    slope, inter : float
        A value is ``stored * slope + inter``.
    codes : tuple of int
        The sform and qform codes, for writing what belongs to this run.
    others : tuple of str
        Further files that it comes from: the right hemisphere, where the left is the source.
    """

    source: str
    space: Space
    frames: int
    timing: Timing
    dtype: np.dtype[Any]
    slope: float
    inter: float
    codes: tuple[int, int]
    _open: Callable[[NDArray[np.bool_]], FrameStream] = field(repr=False)
    others: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say which run it is, how long, and where its values lie."""
        t_r = "unknown repetition time" if self.timing.t_r is None else f"{self.timing.t_r:g} s"
        return f"Run({Path(self.source).name}: {self.frames} frames, {t_r}, {self.space!r})"

    def stream(self, wanted: NDArray[np.bool_] | None = None) -> FrameStream:
        """Open the ``wanted`` frames (bool, (frames,)), or all, for reading in order."""
        return self._open(np.ones(self.frames, dtype=bool) if wanted is None else wanted)

    @property
    def path(self) -> Path | None:
        """The file, where the run is one file."""
        path = Path(self.source)
        return path if path.is_file() else None


def stem_of(name: str) -> str:
    """Return a file's name without its folder and its image suffix."""
    name = Path(name).name
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def choose_timing(header: float, source: str, t_r: float | None) -> Timing:
    """Repetition time: the argument, else the sibling JSON, else the header."""
    sibling = _sibling_t_r(source)
    if sibling is not None and header and abs(sibling - header) > 1e-3 * sibling:
        msg = (
            f"{source}: the header says a repetition time of {header:g} s, the JSON beside it "
            f"{sibling:g} s; {'t_r is given, so neither' if t_r is not None else 'the JSON'} is used"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=2)
    if t_r is not None:
        return Timing(positive_t_r(t_r), "argument")
    if sibling is not None:
        return Timing(sibling, "json")
    return Timing(header or None, "header")


def _sibling_t_r(source: str) -> float | None:
    """RepetitionTime of the JSON with the image's own name, if there is one [s]."""
    sibling = Path(source).with_name(stem_of(source) + ".json")
    if not sibling.is_file():
        return None
    facts = read_json(sibling, "JSON beside the run", ImageError)
    value = facts.get("RepetitionTime") if isinstance(facts, dict) else None
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value <= 0:
        msg = f"{sibling}: RepetitionTime is {repr(value)[:40]}; a number of seconds above 0 is wanted"
        raise ImageError(msg)
    return float(value)


def positive_t_r(t_r: float) -> float:
    """Return a repetition time [s], or refuse one that makes no sense."""
    if not (np.isfinite(t_r) and t_r > 0):
        msg = f"t_r={t_r:g}; the repetition time is a number of seconds above 0"
        raise OptionError(msg)
    return float(t_r)
