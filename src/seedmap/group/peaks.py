"""The clusters of a contrast, with what each says of people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.clusters import Names, name_of, peaks_of
from seedmap.connectivity.tails import t_threshold
from seedmap.group.maps import GroupMaps
from seedmap.images import Grid
from seedmap.spatial import Atlas, adjacency, can_cluster

__all__ = ["GroupCluster", "clusters_text", "find_group_clusters"]

ALPHA = 0.05
AT_PEAK = ("t", "f", "pfwe", "tfce", "ptfce", "pextent", "pmass", "effect", "g", "r", "n")


@dataclass(frozen=True)
class GroupCluster:
    """A cluster, or a further peak in it.

    Attributes
    ----------
    name : str
        ``1``, or ``1a`` for a further peak.
    sample : int
        The sample of the peak.
    place : tuple of float
        Where that lies [mm].
    size : float
        Number of samples; NaN for a further peak.
    extent : float
        Volume [mm3] or area [mm2] on a surface; NaN for a further peak.
    values : dict of str to float
        Of the maps at the peak, and ``ci_low``, ``ci_high``: 95 % interval of the effect.
    region : str
        Region of the peak; empty where that is not known.
    """

    name: str
    sample: int
    place: tuple[float, float, float]
    size: float
    extent: float
    values: dict[str, float]
    region: str = ""


def find_group_clusters(maps: GroupMaps, atlas: Atlas | None = None) -> tuple[GroupCluster, ...]:
    """Find the clusters of what is beyond the cluster threshold, or significant by any corrected p.

    The largest come first. None where it is not known which samples are adjacent.
    """
    counts = counted(maps)
    if not can_cluster(maps.space) or not counts.any():
        return ()
    graph, z = adjacency(maps.space), np.nan_to_num(maps.arrays["z"])
    groups = [one for sign in (1, -1) for one in graph.components(counts & (sign * z > 0))]
    groups.sort(key=lambda members: (-graph.sizes[members].sum(), -np.abs(z[members]).max()))
    peaks, names = peaks_of(maps.space, graph, np.abs(z), groups), maps.names(atlas)
    found: list[GroupCluster] = []
    for number, (members, tops) in enumerate(zip(groups, peaks, strict=True), start=1):
        size = (float(members.size), _extent(maps, float(graph.sizes[members].sum())))
        found += _described(maps, names, str(number), size, tops)
    return tuple(found)


def counted(maps: GroupMaps) -> NDArray[np.bool_]:
    """Say which samples form clusters, shape (samples,)."""
    counts = np.zeros(maps.space.n_samples, dtype=bool)
    with np.errstate(invalid="ignore"):
        for stat in ("pfwe", "ptfce"):
            if stat in maps.arrays:
                counts |= maps.arrays[stat] <= ALPHA
        if "pextent" in maps.arrays:
            counts |= maps.arrays["pextent"] < 1
        elif "pfwe" not in maps.arrays:
            counts |= maps.arrays["q"] <= ALPHA
    return counts


def _described(
    maps: GroupMaps,
    names: Names | None,
    name: str,
    size: tuple[float, float],
    peaks: Sequence[tuple[int, list[float]]],
) -> Iterator[GroupCluster]:
    """Describe a cluster of a size in samples and in mm3 or mm2, and its further peaks without."""
    positions = np.flatnonzero(maps.space.mask)
    for letter, (sample, (x, y, z)) in zip(("", "a", "b", "c"), peaks, strict=False):
        region = name_of(names, int(positions[sample]), (x, y, z))
        extent = (np.nan, np.nan) if letter else size
        values = _values(maps, sample)
        yield GroupCluster(f"{name}{letter}", sample, (x, y, z), *extent, values, region)


def _extent(maps: GroupMaps, size: float) -> float:
    return size * maps.space.voxel_volume if isinstance(maps.space, Grid) else size


def _values(maps: GroupMaps, sample: int) -> dict[str, float]:
    found = {stat: float(maps.arrays[stat][sample]) for stat in AT_PEAK if stat in maps.arrays}
    if "effect" in maps.arrays:
        half = float(t_threshold(0.05, maps.arrays["dof"][sample]) * maps.arrays["se"][sample])
        found |= {"ci_low": found["effect"] - half, "ci_high": found["effect"] + half}
    return found


def clusters_text(clusters: tuple[GroupCluster, ...]) -> str:
    """Write clusters as a tab-separated table, ``n/a`` where a value is not known."""
    columns = list(dict.fromkeys(name for one in clusters for name in one.values))
    lines = ["\t".join(["cluster", "x_mm", "y_mm", "z_mm", "samples", "size", *columns, "region"])]
    for one in clusters:
        numbers = [*one.place, one.size, one.extent, *(one.values.get(c, np.nan) for c in columns)]
        region = " ".join(one.region.split())
        region = f"'{region}" if region.startswith(("=", "+", "-", "@")) else region or "n/a"
        lines.append("\t".join([one.name, *map(_cell, numbers), region]))
    return "\n".join(lines) + "\n"


def _cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else "n/a"
