"""The page of a study: who was analysed, who was not and why, and how motion shows in the maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from seedmap._arrays import Array
from seedmap.report.charts import scatter
from seedmap.report.rendering import render
from seedmap.report.tables import library_versions
from seedmap.report.words import count, number, percent

__all__ = [
    "MapOfStudy",
    "MotionEffect",
    "StudyPage",
    "StudyRow",
    "motion_effect",
    "outliers",
    "render_study",
]

# With fewer participants a correlation over them says little.
FEWEST = 10
# Two-sided 5 percent of a correlation: t of 1.96 in large samples.
ALPHA = 0.05
# A value is marked if it is this many robust standard deviations on the bad side of the median
# (Iglewicz and Hoaglin 1993), where a strategy has at least this many values.
FAR, FEWEST_ROWS = 3.5, 5
# Median absolute deviation to standard deviation, for normal values.
ROBUST = 1.4826
# Of each measure, whether large or small values are bad.
BAD_SIDE = {"mean_fd": 1, "dof": -1, "coverage": -1}


@dataclass(frozen=True)
class StudyRow:
    """One run of one participant with one strategy, or a participant without any."""

    participant: str
    state: str
    run: str = ""
    strategy: str = ""
    kept: str = ""
    mean_fd: float = float("nan")
    dof: float = float("nan")
    coverage: float = float("nan")
    reason: str = ""
    page: str = ""


@dataclass(frozen=True)
class MapOfStudy:
    """The picture of one map: a file beside the page."""

    seed: str
    strategy: str
    participant: str
    path: str
    page: str = ""


@dataclass(frozen=True, eq=False)
class MotionEffect:
    """How motion shows in the connectivity of a study (QC-FC).

    Attributes
    ----------
    strategy : str
        The strategy.
    participants : int
        How many it was worked out over.
    r : ndarray, shape (edges,)
        Correlation over participants of mean framewise displacement with the connectivity of a
        seed with a point of the brain.
    distance : ndarray, shape (edges,)
        Distance of the point from the seed [mm]; NaN for a seed without a place.
    """

    strategy: str
    participants: int
    r: Array
    distance: Array

    @property
    def median(self) -> float:
        """Median size of the correlations; 0.6745 / sqrt(participants) is expected by chance."""
        return float(np.nanmedian(np.abs(self.r)))

    @property
    def by_chance(self) -> float:
        """Median size that chance alone gives."""
        return float(0.6745 / np.sqrt(self.participants - 1))

    @property
    def share(self) -> float:
        """Share of the edges with p < 0.05, uncorrected."""
        from scipy.stats import t

        free = self.participants - 2
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.abs(self.r) * np.sqrt(free / (1 - self.r**2))
        finite = np.isfinite(size)
        return (
            float(np.mean(size[finite] > t.ppf(1 - ALPHA / 2, free)))
            if finite.any()
            else float("nan")
        )

    @property
    def slope(self) -> float:
        """Spearman correlation of r with distance; motion makes it negative."""
        from scipy.stats import spearmanr

        known = np.isfinite(self.r) & np.isfinite(self.distance)
        if known.sum() < FEWEST:
            return float("nan")
        return float(spearmanr(self.r[known], self.distance[known]).statistic)

    @property
    def chart(self) -> str:
        """The correlations over distance, as SVG."""
        return scatter(
            self.distance,
            self.r,
            name=f"QC-FC of {self.strategy}: median size {self.median:.2f}",
            across="from the seed",
        )


@dataclass(frozen=True, eq=False)
class StudyPage:
    """All that the page of a study shows."""

    title: str
    rows: tuple[StudyRow, ...]
    motion: tuple[MotionEffect, ...] = ()
    maps: tuple[MapOfStudy, ...] = ()
    methods: tuple[str, ...] = ()
    command: str = ""


def motion_effect(
    strategy: str, mean_fd: Array, connectivity: Array, distance: Array
) -> MotionEffect | None:
    """Correlate motion with connectivity over participants; None where there are fewer than ten.

    Parameters
    ----------
    strategy
        The strategy.
    mean_fd
        Mean framewise displacement [mm], shape (participants,).
    connectivity
        Fisher transforms, shape (participants, edges); NaN where a participant has none. Edges
        that fewer than ten have are left out.
    distance
        From the seed [mm], shape (edges,).

    References
    ----------
    Ciric et al. (2017), NeuroImage 154, 174, doi:10.1016/j.neuroimage.2017.03.020.
    """
    moved = np.isfinite(mean_fd)
    mean_fd, connectivity = mean_fd[moved], connectivity[moved]
    enough = np.isfinite(connectivity).all(axis=0)
    if len(mean_fd) < FEWEST or not enough.any() or np.ptp(mean_fd) == 0:
        return None
    edges = connectivity[:, enough]
    centred, motion = edges - edges.mean(axis=0), mean_fd - mean_fd.mean()
    size = np.linalg.norm(centred, axis=0) * np.linalg.norm(motion)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = motion @ centred / np.where(size > 0, size, np.nan)
    return MotionEffect(strategy, len(mean_fd), r, distance[enough])


def outliers(rows: Sequence[StudyRow]) -> set[tuple[int, str]]:
    """Find values that lie far on the bad side of those of the same strategy.

    Much motion, few degrees of freedom and little coverage are bad. Far is 3.5 robust standard
    deviations from the median (median absolute deviation).

    Returns
    -------
    set of (row, measure)
        Numbers of rows, and ``"mean_fd"``, ``"dof"`` or ``"coverage"``.
    """
    found = set()
    for strategy in {row.strategy for row in rows}:
        its = [number for number, row in enumerate(rows) if row.strategy == strategy]
        for measure, side in BAD_SIDE.items():
            values = np.array([getattr(rows[number], measure) for number in its], dtype=float)
            if np.isfinite(values).sum() < FEWEST_ROWS:
                continue
            away = side * (values - np.nanmedian(values))
            spread = ROBUST * np.nanmedian(np.abs(away))
            far = away > FAR * max(spread, 1e-9)
            found |= {(number, measure) for number, one in zip(its, far, strict=True) if one}
    return found


def _grid(maps: Sequence[MapOfStudy]) -> dict[str, list[MapOfStudy]]:
    """Put the maps of each seed and strategy together."""
    several = len({one.strategy for one in maps}) > 1
    grid: dict[str, list[MapOfStudy]] = {}
    for one in maps:
        grid.setdefault(f"{one.seed}, {one.strategy}" if several else one.seed, []).append(one)
    return grid


def render_study(page: StudyPage, date: datetime | None = None) -> str:
    """Make the page of a study: HTML5 with pictures and style inside; it loads nothing."""
    states = {row.participant: row.state for row in page.rows}
    failed = {row.participant: row.page for row in page.rows if row.state == "failed"}
    summary = f"{count(len(states), 'participant')}, {len(states) - len(failed)} complete"
    summary += f", {len(failed)} failed in whole or in part." if failed else "."
    return render(
        "study",
        date,
        page=page,
        summary=summary,
        failed=list(failed.items()),
        outliers=outliers(page.rows),
        grid=_grid(page.maps),
        number=number,
        percent=percent,
        fewest=FEWEST,
        versions=library_versions(),
    )
