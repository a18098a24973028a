"""The page of a participant: what was found and done, run by run and strategy by strategy.

`ParticipantPage` holds what the page shows; `render_participant` makes the page, one HTML file
that needs nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from seedmap._arrays import Array, Keep
from seedmap.report.charts import carpet, histogram, trace
from seedmap.report.pictures import Picture
from seedmap.report.rendering import render
from seedmap.report.robustness import SeedSection
from seedmap.report.tables import ClusterTable, library_versions
from seedmap.report.viewer import viewer_of
from seedmap.report.words import count, listed, number, percent

__all__ = ["ParticipantPage", "RunPage", "StrategyPage", "render_participant"]


TRACES = {
    "framewise_displacement": "Framewise displacement [mm]",
    "std_dvars": "Standardised DVARS",
}


@dataclass(frozen=True, eq=False)
class StrategyPage:
    """What one strategy made of a run."""

    name: str
    """Its name."""

    columns: tuple[tuple[str, str], ...]
    """The confounds that were regressed out, each with the reason."""

    censored: Mapping[str, tuple[int, ...]]
    """The frames that were dropped, by reason."""

    keep: Keep
    """Frames that stay, shape (frames,)."""

    rank: int
    """Directions that the cleaning leaves."""

    before: Array
    """A few hundred samples before cleaning, shape (kept, samples)."""

    after: Array
    """The same after cleaning."""

    signal: tuple[tuple[str, str], ...]
    """How many samples there are, how good their signal and how even their noise is: names and values."""

    seeds: tuple[str, ...]
    """Names of the seeds."""

    table: tuple[tuple[str, list[str]], ...]
    """Measures of the maps: a heading, and a value a seed."""

    pictures: Mapping[str, Picture]
    """Maps by seed; a seed without a picture is shown in numbers only."""

    methods: str
    """What was done, in words."""

    given: int = 0
    """How many confounds were given."""

    clusters: tuple[ClusterTable, ...] = ()
    """The largest clusters of each map."""

    threshold: str = ""
    """Beyond what they are, in words; empty where clusters are not listed."""

    named: str = ""
    """Where names of regions come from, in words."""

    tables: Mapping[str, str] = field(default_factory=dict)
    """Files with all clusters, relative to the page, by seed."""

    packed: tuple[dict[str, Any], ...] = ()
    """The maps for the slices of the page, as `seedmap.report.viewer.pack_maps` packs them."""

    elements: str = "voxels"
    """What samples are called."""

    order: str = ""
    """How the samples of the carpet are ordered, in words; empty where that says nothing."""

    undrawn: str = ""
    """Why maps are not drawn, in words; empty where they are, or are not wanted."""

    warnings: tuple[str, ...] = ()
    """What a reader may want to act upon."""

    degree: tuple[str, ...] = ()
    """How much of the maps degree explains, in words; empty where that was not looked at."""

    moving: tuple[SeedSection, ...] = ()
    """How far the maps move with their seeds; empty where that was not looked at."""

    @property
    def kept(self) -> str:
        """Frames that stay, in words."""
        return f"{int(self.keep.sum())} of {self.keep.size}"

    @property
    def carpets(self) -> tuple[str, str]:
        """Carpets before and after cleaning, as data URIs."""
        return carpet(self.before, self.keep), carpet(self.after, self.keep)

    @property
    def connectivity(self) -> str:
        """Distribution of the samples' correlations with each other, as SVG."""
        return histogram(
            _pairs(self.before), _pairs(self.after), name=f"Correlations between {self.elements}"
        )

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Dropped frames in words, by reason."""
        return [
            (
                reason,
                f"{len(frames)}: {', '.join(map(str, frames[:30]))}{' ...' if len(frames) > 30 else ''}",
            )
            for reason, frames in self.censored.items()
        ]


@dataclass(frozen=True, eq=False)
class RunPage:
    """One run and what every strategy made of it."""

    name: str
    """The run."""

    facts: tuple[tuple[str, str], ...]
    """What was found: names and values."""

    t_r: float | None
    """Repetition time [s]."""

    motion: Mapping[str, Array]
    """Framewise displacement [mm] and standardised DVARS, those that are known, shape (frames,)."""

    threshold: float | None
    """The displacement above which frames were dropped [mm]; None if none was."""

    strategies: tuple[StrategyPage, ...]
    """The strategies."""

    notes: tuple[str, ...] = ()
    """What a reader may want to act upon."""

    @property
    def traces(self) -> list[str]:
        """Motion over time, as SVG; frames that any strategy dropped are shaded."""
        keep = np.all([one.keep for one in self.strategies], axis=0)
        drawn = []
        for key, name in TRACES.items():
            if key in self.motion:
                limit = self.threshold if key == "framewise_displacement" else None
                drawn.append(trace(self.motion[key], keep, self.t_r, name=name, threshold=limit))
        return drawn


@dataclass(frozen=True, eq=False)
class ParticipantPage:
    """All that the page of a participant shows."""

    label: str
    """The participant, without ``sub-``."""

    runs: tuple[RunPage, ...]
    """The runs that were analysed."""

    problems: tuple[str, ...] = ()
    """What could not be analysed, and why."""

    combined: tuple[str, ...] = ()
    """Names of the combinations of runs that were made."""

    command: str = ""
    """The command line."""

    @property
    def blocks(self) -> int:
        """How many runs there are, each with every strategy."""
        return sum(len(run.strategies) for run in self.runs)


def render_participant(page: ParticipantPage, date: datetime | None = None) -> str:
    """Make the page of a participant: HTML5 with pictures and style inside; it loads nothing."""
    strategies = listed(list(dict.fromkeys(s.name for run in page.runs for s in run.strategies)))
    summary = (
        f"{count(len(page.runs), 'run')} analysed with {strategies}."
        if page.runs
        else "No run could be analysed."
    )
    return render(
        "participant",
        date,
        page=page,
        viewer=viewer_of(
            one for run in page.runs for made in run.strategies for one in made.packed
        ),
        summary=summary,
        number=number,
        percent=percent,
        versions=library_versions(),
    )


def _pairs(series: Array) -> Array:
    """Correlate every two samples, (pairs,); NaN for constants."""
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Array = np.atleast_2d(np.corrcoef(series.T))
    return r[np.triu_indices(len(r), 1)]
