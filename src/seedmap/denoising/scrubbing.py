"""Which frames are dropped because the head moved."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.confounds import ConfoundTable
from seedmap.errors import ConfoundsError, OptionError

__all__ = ["Scrubbing"]


@dataclass(frozen=True, kw_only=True)
class Scrubbing:
    """Which frames are dropped because the head moved.

    References
    ----------
    Power et al. (2012), NeuroImage 59, 2142, doi:10.1016/j.neuroimage.2011.10.018.
    """

    fd_threshold: float | None = 0.5
    """Drop frames whose framewise displacement is above this [mm]; none looks elsewhere."""

    std_dvars_threshold: float | None = None
    """Drop frames whose standardised DVARS is above this; none looks elsewhere."""

    before: int = 0
    """Frames dropped before each of these, too."""

    after: int = 0
    """Frames dropped after each of these, too."""

    min_segment: int = 0
    """Drop what is left between dropped frames where it is shorter than this [frames]."""

    def __post_init__(self) -> None:
        for name in ("fd_threshold", "std_dvars_threshold"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                msg = f"{name}={value}; give a number above 0, or none"
                raise OptionError(msg)
        for name in ("before", "after", "min_segment"):
            if getattr(self, name) < 0:
                msg = f"{name}={getattr(self, name)}; give 0 or more frames"
                raise OptionError(msg)

    def dropped(self, table: ConfoundTable) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield each reason with the frames that it drops, bool of shape (frames,).

        Raises
        ------
        ConfoundsError
            If the table lacks a column that a threshold looks at.
        """
        moved = np.zeros(len(table.values), dtype=bool)
        rules = (
            ("framewise_displacement", self.fd_threshold, "mm"),
            ("std_dvars", self.std_dvars_threshold, ""),
        )
        for name, threshold, unit in rules:
            if threshold is None:
                continue
            with np.errstate(invalid="ignore"):
                above = _column(table, name) > threshold  # a missing first row is not above
            if above.any():
                yield f"{name} > {threshold:g} {unit}".strip(), above
            moved |= above
        near = _neighbours(moved, self.before, self.after) & ~moved
        if near.any():
            yield f"{self.before} before or {self.after} after such a frame", near
        short = _short_segments(moved | near, self.min_segment)
        if short.any():
            yield f"segments shorter than {self.min_segment} frames", short


def _column(table: ConfoundTable, name: str) -> Array:
    if name not in table.names:
        msg = (
            f"{table.source}: scrubbing needs the column {name!r}, which is not there; bring it, or set "
            "its threshold to none"
        )
        raise ConfoundsError(msg)
    return table.column(name)


def _neighbours(moved: NDArray[np.bool_], before: int, after: int) -> NDArray[np.bool_]:
    """Mark frames up to ``before`` ahead of and ``after`` behind marked ones."""
    near = moved.copy()
    for step in range(1, before + 1):
        near[:-step] |= moved[step:]
    for step in range(1, after + 1):
        near[step:] |= moved[:-step]
    return near


def _short_segments(dropped: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Mark stretches of staying frames shorter than ``least``, where anything is dropped at all."""
    short = np.zeros_like(dropped)
    if least < 2 or not dropped.any():
        return short
    edges = np.flatnonzero(np.diff(np.concatenate([[True], dropped, [True]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        short[start:stop] = stop - start < least
    return short
