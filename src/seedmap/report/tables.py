"""The tables of a report: what was measured for each seed, and the facts about the run.

To add a number to the page, add a `Measure` to `MEASURES` or a pair to `run_facts`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, middle
from seedmap.analysis import NULL_HYPOTHESIS, Provenance, SeedMaps, versions
from seedmap.clusters import Cluster, Threshold, cluster_rows, parse_threshold
from seedmap.connectivity import critical_r
from seedmap.images import Grid, Space
from seedmap.report.words import DASH, T_R_SOURCES, count, number, percent

__all__ = [
    "MEASURES",
    "ClusterTable",
    "Measure",
    "cluster_table",
    "library_versions",
    "run_facts",
    "seed_table",
]


@dataclass(frozen=True)
class Measure:
    """One number a seed, a row of the table.

    Attributes
    ----------
    heading : str
        What stands before it; ``{threshold}`` and ``{elements}`` (voxels) are filled in.
    value : callable
        From the maps, the seed's position and the threshold to the value in words.
    needs : str
        Statistic without which the row is left out.
    """

    heading: str
    value: Callable[[SeedMaps, int, Threshold], str]
    needs: str = "r"


def _end(values: Array, end: Callable[[Array], float]) -> str:
    """Write the smallest or largest finite value."""
    finite = values[np.isfinite(values)]
    return number(end(finite)) if finite.size else DASH


def _beyond(maps: SeedMaps, seed: int, threshold: Threshold) -> str:
    r = maps.r[seed]
    found = int(np.count_nonzero(maps.passed(maps.seeds[seed], threshold)))
    return f"{found:,} ({percent(found, int(np.isfinite(r).sum()))})"


def _voxels(maps: SeedMaps, seed: int, _: Threshold) -> str:
    facts = maps.provenance.seeds[seed]
    return f"{facts.voxels:,}" if facts.voxels else DASH


def _max_elsewhere(maps: SeedMaps, seed: int, _: Threshold) -> str:
    """Write the largest r outside the seed's own neighbourhood."""
    elsewhere = np.ones(maps.space.n_samples, dtype=bool)
    elsewhere[maps.near[seed]] = False
    return _end(maps.r[seed][elsewhere], np.max)


def _significant(maps: SeedMaps, seed: int, _: Threshold) -> str:
    q = maps.values(maps.seeds[seed], "q")
    found = int(np.count_nonzero(q < ALPHA))
    return f"{found:,} ({percent(found, int(np.isfinite(q).sum()))})"


def _corrected(maps: SeedMaps, seed: int, _: Threshold) -> str:
    return f"{np.count_nonzero(maps.values(maps.seeds[seed], 'pfwe') < ALPHA):,}"


def _median_dof(maps: SeedMaps, seed: int, _: Threshold) -> str:
    return number(middle(maps.values(maps.seeds[seed], "dof")), 1)


def _low_dof(maps: SeedMaps, seed: int, _: Threshold) -> str:
    dof = maps.values(maps.seeds[seed], "dof")
    return number(float(np.nanpercentile(dof, 5)), 1) if np.isfinite(dof).any() else DASH


def _smallest_r(maps: SeedMaps, seed: int, _: Threshold) -> str:
    """Write the |r| of p < .001 at the median degrees of freedom."""
    dof = maps.values(maps.seeds[seed], "dof")
    if not np.isfinite(dof).any():
        return DASH
    return number(critical_r(float(np.nanmedian(dof)), STRICT))


MOST_CLUSTERS = 30
SMALLEST_SHOWN = 0.001
STRICT = 0.001
ALPHA = 0.05  # the usual rate of false discoveries; for a count only, nothing is cut off by it
MEASURES = (
    Measure("{elements} in seed", _voxels),
    Measure("Coverage", lambda maps, seed, _: percent(maps.provenance.seeds[seed].coverage)),
    Measure("Min r", lambda maps, seed, _: _end(maps.r[seed], np.min)),
    Measure("Max r", lambda maps, seed, _: _end(maps.r[seed], np.max)),
    Measure("Max r elsewhere", _max_elsewhere),
    Measure("Min Fisher z", lambda maps, seed, _: _end(maps.fisherz[seed], np.min)),
    Measure("Max Fisher z", lambda maps, seed, _: _end(maps.fisherz[seed], np.max)),
    Measure("{elements} with {threshold}", _beyond),
    Measure("{elements} with q < 0.05", _significant, needs="q"),
    Measure("{elements} with pfwe < 0.05", _corrected, needs="pfwe"),
    Measure("Median dof", _median_dof, needs="dof"),
    Measure("5 % of dof", _low_dof, needs="dof"),
    Measure("Smallest |r| with p < 0.001", _smallest_r, needs="dof"),
    Measure("NaN", lambda maps, seed, _: f"{np.count_nonzero(np.isnan(maps.r[seed])):,}"),
)


def seed_table(maps: SeedMaps, threshold: float | str | Threshold) -> list[tuple[str, list[str]]]:
    """Return one row a measure: its heading, and its value for each seed."""
    threshold = parse_threshold(threshold)
    elements = maps.space.elements.capitalize()
    rows = {  # a threshold of q may ask for a row that is there anyway
        measure.heading.format(threshold=threshold.words, elements=elements): [
            measure.value(maps, seed, threshold) for seed in range(len(maps.seeds))
        ]
        for measure in MEASURES
        if measure.needs in maps.stats
    }
    return list(rows.items())


@dataclass(frozen=True)
class ClusterTable:
    """The largest clusters of a map, with their further peaks, in words."""

    seed: str
    """The seed."""

    head: tuple[str, ...]
    """Names of the columns."""

    rows: tuple[tuple[str, ...], ...]
    """The cells: a row a cluster, and one a further peak."""

    total: int
    """How many clusters there are."""

    @property
    def shown(self) -> int:
        """How many clusters are in the table."""
        return min(self.total, MOST_CLUSTERS)


def cluster_table(seed: str, clusters: Sequence[Cluster], elements: str) -> ClusterTable:
    """Write the largest clusters in words; columns of which nothing is known are left out."""
    columns: dict[str, Callable[[Any], str]] = {
        "Cluster": lambda row: row[0],
        "Peak [mm]": lambda row: f"({', '.join(number(c, 0) for c in row[1:4])})",
        "r": lambda row: number(row[4]),
        "z": lambda row: number(row[5]),
        "q": lambda row: _small(row[6]),
        "Size [mm³]" if elements == "voxels" else "Size": _size,
        "p of cluster": lambda row: _small(row[13]),
        "Region": lambda row: row[10] or row[9],
    }
    rows = list(cluster_rows(clusters[:MOST_CLUSTERS]))
    cells = {name: [write(row) for row in rows] for name, write in columns.items()}
    known = [name for name, column in cells.items() if set(column) - {"", DASH}]
    body = tuple(zip(*(cells[name] for name in known), strict=True))
    return ClusterTable(seed, tuple(known), body, len(clusters))


def _size(row: Sequence[Any]) -> str:
    """Write the volume or the area of a cluster; empty for a further peak."""
    mm3, mm2 = row[8], row[12]
    if np.isfinite(mm2):
        return f"{mm2:,.0f} mm²"
    return f"{mm3:,.0f}" if np.isfinite(mm3) else ""


def _small(value: float) -> str:
    """Write a p or q: three decimals, or that it is smaller."""
    if not np.isfinite(value):
        return DASH
    return f"{value:.3f}" if value >= SMALLEST_SHOWN else f"< {SMALLEST_SHOWN:g}"


def run_facts(maps: SeedMaps) -> list[tuple[str, str]]:
    """Return what a reader may look up: names and values, in reading order."""
    source, space = maps.provenance, maps.space
    elements = space.elements.capitalize()
    facts = [
        ("Run", ", ".join([source.source, *source.others])),
        ("Frames", f"{source.keep.size} in the run, {source.kept} kept"),
        ("Censored frames", _ranges(source.keep)),
        ("Repetition time", _repetition_time(source)),
        (elements, f"{count(space.n_samples, space.element)}{_sizes(space)}"),
        ("Mask", source.mask_source),
        ("Confounds from", source.confounds_source or "none"),
    ]
    if source.strategy:
        facts.append(("Strategy", source.strategy))
    if source.confounds:
        facts.append(("Confounds", ", ".join(source.confounds)))
    return [
        *facts,
        *noise_facts(maps),
        ("Rank of confounds", f"{source.confound_rank} (independent directions removed)"),
        ("Rank after cleaning", f"{source.rank} of {source.kept}"),
        (f"{elements} without r", _without_r(source)),
    ]


def noise_facts(maps: SeedMaps) -> list[tuple[str, str]]:
    """Return how even the noise is in time, which frame is the noisiest, and what p tests."""
    noise = maps.certainty and maps.certainty.unevenness(maps.provenance.keep)
    if not noise:
        return []
    return [
        ("Noise in time", noise.words),
        ("Noisiest frame", f"{noise.largest}, {percent(noise.largest_share)} of the squares"),
        ("Null hypothesis", NULL_HYPOTHESIS),
    ]


def _sizes(space: Space) -> str:
    """Write how large voxels are, or which parts there are."""
    if isinstance(space, Grid):
        return f" of {' x '.join(f'{size:.3g}' for size in space.voxel_sizes)} mm"
    kept = {name: int(space.mask[span].sum()) for name, span in space.slices.items()}
    shown = [f"{name} {size:,}" for name, size in kept.items() if size]
    return f" ({', '.join(shown)})"


def library_versions() -> list[tuple[str, str]]:
    """Return the versions of what shaped the numbers and the figures."""
    drawing = {name: version(name) for name in ("nilearn", "matplotlib")}
    return list((versions() | drawing).items())


def _repetition_time(source: Provenance) -> str:
    if source.t_r is None:
        return "unknown"
    return f"{source.t_r:g} s, {T_R_SOURCES.get(source.t_r_source, source.t_r_source)}"


def _without_r(source: Provenance) -> str:
    return (
        f"{source.constant:,} constant, {source.unusable:,} not finite in the run (NaN in the maps)"
    )


def _ranges(keep: NDArray[np.bool_]) -> str:
    """Write the censored frames as ranges counted from 0, such as ``3, 7-9``."""
    censored = np.flatnonzero(~keep)
    if not censored.size:
        return "none"
    breaks = np.flatnonzero(np.diff(censored) > 1) + 1
    bounds = pairwise([0, *breaks.tolist(), censored.size])
    runs = ((censored[first], censored[after - 1]) for first, after in bounds)
    return ", ".join(f"{a}" if a == b else f"{a}{DASH}{b}" for a, b in runs) + " (counted from 0)"
