"""Thresholds as a user writes them, and the clusters of a map beyond one.

A cluster is a set of voxels beyond the threshold, of one sign, that share faces, as in nilearn's
table of clusters. Names of regions come from an atlas that is given.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity import corrected_p
from seedmap.errors import OptionError
from seedmap.images import (
    STATISTICS,
    Grid,
    Space,
)
from seedmap.spatial import Adjacency, Atlas, adjacency, open_atlas

__all__ = [
    "CLUSTER_COLUMNS",
    "Atlas",
    "Cluster",
    "FoundClusters",
    "Threshold",
    "clusters_table",
    "default_threshold",
    "extents",
    "find_clusters",
    "open_atlas",
    "parse_threshold",
]

# Regions named for one cluster, each with at least a tenth of it.
MOST_REGIONS, SMALLEST_SHARE = 3, 0.1
FORMULA = ("=", "+", "-", "@")
# How maps are cut off, by their statistic.
THRESHOLDS = {name: row.threshold for name, row in STATISTICS.items() if row.threshold}


@dataclass(frozen=True)
class Threshold:
    """Which values of a map count: ``|r|`` or ``|z|`` above a value, or q below one."""

    stat: str = "r"
    """``"r"``, ``"z"`` or ``"q"``."""

    value: float = 0.5
    """From 0 to below 1 for r, 0 or more for z, above 0 to 1 for q."""

    def __post_init__(self) -> None:
        rule = THRESHOLDS.get(self.stat)
        if rule is None or not rule.accepts(self.value):
            give = _either(f"{one.example} ({one.span})" for one in THRESHOLDS.values())
            msg = f"a threshold of {self.stat} {self.value:g} makes no sense; give {give}"
            raise OptionError(msg)

    def __str__(self) -> str:
        """Write it as it is read: ``r>0.5``."""
        return f"{self.stat}{THRESHOLDS[self.stat].sign}{self.value:g}"

    @property
    def words(self) -> str:
        """Write it as in a sentence: ``|r| > 0.5`` or ``q < 0.05``."""
        rule = THRESHOLDS[self.stat]
        what = f"|{self.stat}|" if rule.counts == "large" else self.stat
        return f"{what} {rule.sign} {self.value:g}"

    def passed(self, values: Array) -> NDArray[np.bool_]:
        """Say which values of the map of `stat` count; NaN never does."""
        with np.errstate(invalid="ignore"):
            if THRESHOLDS[self.stat].counts == "small":
                return values < self.value
            return np.abs(values) > self.value


def parse_threshold(threshold: object) -> Threshold:
    """Read a threshold: a number (of r), ``"r>0.5"``, ``"z>3.1"`` or ``"q<0.05"``.

    Both signs count, so ``|r|>0.5`` means the same as ``r>0.5``.

    Raises
    ------
    OptionError
        If it cannot be understood.

    Examples
    --------
    >>> parse_threshold("q<0.05")
    Threshold(stat='q', value=0.05)
    >>> parse_threshold(0.3)
    Threshold(stat='r', value=0.3)
    """
    if isinstance(threshold, Threshold):
        return threshold
    text = re.sub(r"[\s|]", "", str(threshold))
    stats = "|".join(f"{re.escape(name)}(?={rule.sign})" for name, rule in THRESHOLDS.items())
    found = re.fullmatch(rf"(?:({stats})[<>]=?)?([0-9.]+(?:[eE][-+]?\d+)?)", text)
    try:
        value = float(found[2]) if found else None
    except ValueError:
        value = None
    if found is None or value is None:
        write = _either(repr(rule.example) for rule in THRESHOLDS.values())
        msg = (
            f"the threshold {str(threshold)!r} cannot be read; write {write}, in "
            "quotes (a size: both signs count)"
        )
        raise OptionError(msg)
    return Threshold(found[1] or "r", value)


def default_threshold(stats: Sequence[str]) -> Threshold:
    """Return the threshold of maps with these statistics where none is given.

    Examples
    --------
    >>> print(default_threshold(("r", "z", "q")), default_threshold(("r",)))
    q<0.05 r>0.3
    """
    return Threshold("q", 0.05) if "q" in stats else Threshold("r", 0.3)


def _either(words: Iterable[str]) -> str:
    """Write what can be chosen: ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class Cluster:
    """Voxels that share faces, or vertices that share edges, beyond a threshold, of one sign.

    Attributes
    ----------
    x, y, z_mm : float
        Place of its strongest voxel [mm].
    r, z, q : float
        Values there; NaN where they are not known.
    voxels : int
        Number of voxels or vertices.
    mm3 : float
        Volume [mm3]; NaN on a surface.
    region : str
        Region of the strongest voxel; empty without an atlas.
    regions : str
        The regions that it covers most of all, with their shares of it.
    part : str
        ``"left"`` or ``"right"`` surface, or subcortical structure; empty in a volume.
    mm2 : float
        Area [mm2] on a surface, else NaN.
    p_cluster : float
        Chance that a map of nothing has a cluster as large anywhere; NaN where it is not known.
    """

    x: float
    y: float
    z_mm: float
    r: float
    z: float
    q: float
    voxels: int
    mm3: float
    region: str = ""
    regions: str = ""
    part: str = ""
    mm2: float = np.nan
    p_cluster: float = np.nan


# The columns of tables: a number, then the fields of `Cluster`.
CLUSTER_COLUMNS = (
    *("cluster", "x_mm", "y_mm", "z_mm", "r", "z", "q"),
    *("voxels", "size_mm3", "region", "regions", "part", "size_mm2", "p_cluster"),
)


@dataclass(frozen=True, eq=False)
class FoundClusters:
    """The clusters of several maps beyond one threshold.

    Attributes
    ----------
    threshold : Threshold
        What they are beyond.
    atlas : Atlas or None
        Where names of regions come from.
    by_seed : mapping of str to tuple of Cluster
        Those of each seed; empty where it is not known which samples are adjacent.
    """

    threshold: Threshold
    atlas: Atlas | None
    by_seed: Mapping[str, tuple[Cluster, ...]]


def find_clusters(
    space: Space,
    counts: NDArray[np.bool_],
    r: Array,
    others: Mapping[str, Array] | None = None,
    atlas: Atlas | None = None,
    null_sizes: Array | None = None,
) -> tuple[Cluster, ...]:
    """Find the clusters of a map.

    Parameters
    ----------
    space
        Where the samples lie. Of surfaces it must be known where the vertices lie.
    counts
        Samples that are beyond the threshold, shape (samples,).
    r
        The correlations, shape (samples,): their sign parts clusters, their size finds peaks.
    others
        Maps ``z`` and ``q``, shape (samples,), where they are known. With ``z``, peaks are its.
    atlas
        Where names of regions come from.
    null_sizes
        Sizes of the largest clusters of maps of nothing, as `extents` counts, for `p_cluster`.

    Returns
    -------
    tuple of Cluster
        The largest first; those of equal size by the strength of their peak.

    Raises
    ------
    OptionError
        If it is not known which samples are adjacent: see `seedmap.spatial.can_cluster`.
    """
    others = others or {}
    strength = np.abs(np.nan_to_num(others.get("z", r)))
    if not counts.any():
        return ()
    graph = adjacency(space)
    with np.errstate(invalid="ignore"):
        groups = [one for sign in (1, -1) for one in graph.components(counts & (sign * r > 0))]
    peaks = np.array([members[np.argmax(strength[members])] for members in groups], dtype=np.int64)
    source = _Source(space, np.flatnonzero(space.mask), graph.sizes, {"r": r, **others}, atlas)
    places = np.round(space.places(source.positions[peaks]), 2).tolist()
    found = [source.cluster(*one) for one in zip(groups, peaks, places, strict=True)]
    if null_sizes is not None:
        extent = extents(graph)
        p = corrected_p([extent[members].sum() for members in groups], null_sizes)
        found = [replace(one, p_cluster=float(each)) for one, each in zip(found, p, strict=True)]
    # Vertices differ in size; beside structures, though, areas cannot be compared with volumes.
    by_area = all(np.isfinite(one.mm2) for one in found)
    size = attrgetter("mm2" if by_area else "voxels")
    return tuple(sorted(found, key=lambda one: (-size(one), -abs(one.r), one.x, one.y)))


def extents(graph: Adjacency) -> Array:
    """Return what each sample adds to the size of a cluster, shape (samples,).

    1 for a voxel, the area for a vertex; where there are both, 1 for each.
    """
    mixed = (graph.sizes == 1).any() and not (graph.sizes == 1).all()
    return np.ones_like(graph.sizes) if mixed else graph.sizes


@dataclass(frozen=True, eq=False)
class _Source:
    """What clusters are described from; arrays are by sample."""

    space: Space
    positions: NDArray[np.int64]
    sizes: Array
    maps: Mapping[str, Array]
    atlas: Atlas | None

    def cluster(self, members: NDArray[np.int64], peak: np.int64, place: list[float]) -> Cluster:
        """Describe the cluster of some samples, of which the strongest lies at a place [mm]."""
        r, z, q = (float(self.maps[s][peak]) if s in self.maps else np.nan for s in "rzq")
        region, regions = "", ""
        if self.atlas is not None:
            labels = self.atlas.labels.ravel()
            region = self.atlas.name(int(labels[self.positions[peak]]))
            regions = _shares(self.atlas, labels[self.positions[members]])
        first = int(self.positions[members[0]])
        mm3, mm2, part = _size(self.space, first, self.sizes[members])
        x, y, z_mm = place
        return Cluster(x, y, z_mm, r, z, q, members.size, mm3, region, regions, part, mm2)


def _size(space: Space, position: int, sizes: Array) -> tuple[float, float, str]:
    """Return volume [mm3] or area [mm2], the other NaN, and the part of the space."""
    if isinstance(space, Grid):
        return round(sizes.size * space.voxel_volume, 3), np.nan, ""
    name = next(n for n, s in space.slices.items() if s.start <= position < s.stop)
    part = space.part(name)
    if part.surface is None:
        assert part.affine is not None
        volume = abs(float(np.linalg.det(part.affine[:3, :3])))
        return round(sizes.size * volume, 3), np.nan, name
    return np.nan, round(float(sizes.sum()), 3), name


def _shares(atlas: Atlas, labels: NDArray[np.int64]) -> str:
    """Name the regions that some voxels lie in, with the share of the voxels in each."""
    present, count = np.unique(labels, return_counts=True)
    order = np.argsort(-count, kind="stable")
    shares = [(int(present[i]), count[i] / labels.size) for i in order if present[i] > 0]
    named = [(label, share) for label, share in shares if share >= SMALLEST_SHARE][:MOST_REGIONS]
    return "; ".join(f"{atlas.name(label)} {share:.0%}" for label, share in named)


def clusters_table(clusters: Sequence[Cluster]) -> str:
    """Write clusters as a tab-separated table, ``n/a`` where a value is not known."""
    left_out = set() if any(one.part for one in clusters) else {"part", "size_mm2"}
    if not any(np.isfinite(one.p_cluster) for one in clusters):
        left_out.add("p_cluster")
    shown = [at for at, name in enumerate(CLUSTER_COLUMNS) if name not in left_out]
    lines = ["\t".join(CLUSTER_COLUMNS[at] for at in shown)]
    for number, cluster in enumerate(clusters, start=1):
        cells = [str(number), *map(_cell, astuple(cluster))]
        lines.append("\t".join(cells[at] for at in shown))
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else "n/a"
    text = " ".join(str(value).split())
    # Names come from other people's atlases; a spreadsheet runs what begins like this.
    return f"'{text}" if text.startswith(FORMULA) else text or "n/a"
