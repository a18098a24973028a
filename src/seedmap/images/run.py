"""A run: facts from its header, its repetition time, and a way to walk through its frames.

Nothing but headers is read until frames are asked for. Volumes, surfaces and grayordinates differ
in how they are opened, and in their space; from here on they are the same.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._files import is_there
from seedmap._texts import read_json
from seedmap.errors import ImageError, OptionError, SeedmapWarning
from seedmap.images.parts import Grayordinates, Mesh
from seedmap.images.space import Grid
from seedmap.images.streams import FrameStream

__all__ = [
    "Run",
    "Space",
    "Timing",
    "choose_timing",
    "positive_t_r",
    "stamp_of",
    "stem_of",
    "warn_of_times",
]

Space = Grid | Mesh | Grayordinates
Source = Literal["argument", "json", "header"]

SAYS: dict[Source, str] = {
    "argument": "t_r (--t-r) says",
    "json": "the JSON beside the run says",
    "header": "the header says",
}
# Repetition times that differ by less than this share are one: headers round.
SAME_TIME = 1e-3

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
    source: Source


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
    notes : tuple of str
        What puts in doubt where it lies; a reader should know it, and be warned of it.
    placed : bool
        Whether coordinates in millimetres mean something: False for a volume of which neither the
        sform nor the qform has a code.
    stamp : tuple of float
        Size and time of its file when it was opened; empty where it is not one file, or is loaded.
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
    notes: tuple[str, ...] = ()
    placed: bool | None = None
    stamp: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.placed is None:
            object.__setattr__(self, "placed", not isinstance(self.space, Grid) or any(self.codes))

    def __repr__(self) -> str:
        """Say which run it is, how long, and where its values lie."""
        t_r = "unknown repetition time" if self.timing.t_r is None else f"{self.timing.t_r:g} s"
        return f"Run({Path(self.source).name}: {self.frames} frames, {t_r}, {self.space!r})"

    def stream(self, wanted: NDArray[np.bool_] | None = None) -> FrameStream:
        """Open the ``wanted`` frames (bool, (frames,)), or all, for reading in order."""
        return self._open(np.ones(self.frames, dtype=bool) if wanted is None else wanted)

    def check_unchanged(self) -> None:
        """Refuse a file that is no longer the one that was opened.

        Raises
        ------
        ImageError
            If its size or time has changed.
        """
        if self.stamp and stamp_of(self.source) != self.stamp:
            msg = f"{self.source}: the file changed while it was read; run again when it is written to its end"
            raise ImageError(msg)

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


def stamp_of(path: str) -> tuple[float, ...]:
    """Return size, time and number of a file; empty where it is not there."""
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return (found.st_size, found.st_mtime_ns, found.st_ino)


def choose_timing(header: float, source: str, t_r: float | None) -> Timing:
    """Repetition time: the argument, else the sibling JSON, else the header.

    Two that disagree are warned of, whichever is used.
    """
    stated: dict[Source, float | None] = {
        "argument": None if t_r is None else positive_t_r(t_r),
        "json": _sibling_t_r(source),
        # 1 s is what many programs write when they do not know.
        "header": None if header == 1.0 and t_r is not None else header or None,
    }
    known = {who: seconds for who, seconds in stated.items() if seconds is not None}
    if not known:
        return Timing(None, "header")
    warn_of_times(source, {SAYS[who]: seconds for who, seconds in known.items()})
    first = next(iter(known))
    return Timing(known[first], first)


def warn_of_times(source: str, stated: Mapping[str, float]) -> None:
    """Warn of repetition times [s] that disagree; the first is used."""
    first, *others = stated.values()
    if any(abs(other - first) > SAME_TIME * first for other in others):
        said = ", ".join(f"{who} {seconds:g} s" for who, seconds in stated.items())
        msg = (
            f"{source}: repetition times disagree: {said}; the first is used. Check which is right"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)


def _sibling_t_r(source: str) -> float | None:
    """RepetitionTime of the JSON with the image's own name, if there is one [s]."""
    sibling = Path(source).with_name(stem_of(source) + ".json")
    if not is_there(sibling, "JSON beside the run"):
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


def positive_t_r(t_r: Any) -> float:
    """Return a repetition time [s], or refuse one that makes no sense."""
    is_number = isinstance(t_r, int | float | np.number) and not isinstance(t_r, bool)
    if not is_number or not (np.isfinite(t_r) and t_r > 0):
        msg = f"t_r={t_r if is_number else repr(t_r)}; the repetition time is a number of seconds above 0"
        raise OptionError(msg)
    return float(t_r)
