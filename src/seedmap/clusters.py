"""Thresholds as a user writes them, and the clusters of a map beyond one.

A cluster is a set of voxels beyond the threshold, of one sign, that share faces, as in nilearn's
table of clusters. Names of regions come from an atlas that is given, else, in MNI space, from the
nearest of well-known points.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.bids import in_mni_space
from seedmap.connectivity import corrected_p
from seedmap.errors import OptionError
from seedmap.images import (
    STATISTICS,
    Grid,
    Space,
)
from seedmap.spatial import (
    Adjacency,
    Atlas,
    Landmarks,
    adjacency,
    landmarks,
    local_maxima,
    open_atlas,
    spaced,
)

__all__ = [
    "CLUSTER_COLUMNS",
    "Atlas",
    "Cluster",
    "FoundClusters",
    "Names",
    "Peak",
    "Threshold",
    "cluster_rows",
    "clusters_table",
    "default_threshold",
    "extents",
    "find_clusters",
    "name_of",
    "names_in",
    "open_atlas",
    "parse_threshold",
    "peaks_of",
]

Names = Atlas | Landmarks

# Regions named for one cluster, each with at least a tenth of it.
MOST_REGIONS, SMALLEST_SHARE = 3, 0.1
# Peaks that are listed of one cluster, as in nilearn's table.
MOST_PEAKS = 4
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


def names_in(space: Space, run: str, codes: tuple[int, int], atlas: Atlas | None) -> Names | None:
    """Return what names the places of maps: an atlas, else well-known points in MNI space.

    Parameters
    ----------
    space
        Where the samples lie; vertices have no names without an atlas.
    run
        Name of the run or of a map, which may state its space.
    codes
        The sform and qform codes of its image.
    atlas
        An atlas on that space.
    """
    if atlas is not None:
        return atlas
    return landmarks() if isinstance(space, Grid) and in_mni_space(run, codes) else None


def name_of(names: Names | None, position: int, place: Sequence[float]) -> str:
    """Name the region of a position of a space that lies at a place [mm]; empty for none."""
    if isinstance(names, Atlas):
        return names.name(int(names.labels.ravel()[position]))
    return names.name_at(place) if names else ""


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The strongest sample of a cluster, or one that no adjacent sample exceeds.

    Attributes
    ----------
    x, y, z_mm : float
        Its place [mm].
    r, z, q : float
        Values there; NaN where they are not known.
    region : str
        Its region; empty where that is not known.
    """

    x: float
    y: float
    z_mm: float
    r: float
    z: float
    q: float
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class Cluster(Peak):
    """Voxels that share faces, or vertices that share edges, beyond a threshold, of one sign.

    Attributes
    ----------
    x, y, z_mm, r, z, q, region
        Those of its strongest sample: see `Peak`.
    voxels : int
        Number of voxels or vertices.
    mm3 : float
        Volume [mm3]; NaN on a surface.
    regions : str
        The regions of an atlas that it covers most of all, with their shares of it.
    part : str
        ``"left"`` or ``"right"`` surface, or subcortical structure; empty in a volume.
    mm2 : float
        Area [mm2] on a surface, else NaN.
    p_cluster : float
        Chance that a map of nothing has a cluster as large anywhere; NaN where it is not known.
    more : tuple of Peak
        Up to three further peaks, 8 mm from each other and from the strongest sample.
    """

    voxels: int
    mm3: float
    regions: str = ""
    part: str = ""
    mm2: float = np.nan
    p_cluster: float = np.nan
    more: tuple[Peak, ...] = ()


# The columns of tables: ``1`` for a cluster or ``1a`` for a further peak of it, then what `Cluster`
# holds.
CLUSTER_COLUMNS = (
    *("cluster", "x_mm", "y_mm", "z_mm", "r", "z", "q"),
    *("voxels", "size_mm3", "region", "regions", "part", "size_mm2", "p_cluster"),
)


def cluster_rows(clusters: Sequence[Cluster]) -> Iterator[tuple[str | float, ...]]:
    """Yield the values of `CLUSTER_COLUMNS`: a row a cluster, and one a further peak without sizes."""
    for number, one in enumerate(clusters, start=1):
        about = (one.region, one.regions, one.part, one.mm2, one.p_cluster)
        yield (str(number), *_at(one), one.voxels, one.mm3, *about)
        for letter, peak in zip("abc", one.more, strict=False):
            about = (peak.region, "", one.part, np.nan, np.nan)
            yield (f"{number}{letter}", *_at(peak), np.nan, np.nan, *about)


def _at(peak: Peak) -> tuple[float, ...]:
    return (peak.x, peak.y, peak.z_mm, peak.r, peak.z, peak.q)


@dataclass(frozen=True, eq=False)
class FoundClusters:
    """The clusters of several maps beyond one threshold.

    Attributes
    ----------
    threshold : Threshold
        What they are beyond.
    names : Atlas, Landmarks or None
        Where names of regions come from.
    by_seed : mapping of str to tuple of Cluster
        Those of each seed; empty where it is not known which samples are adjacent.
    min_cluster : int
        The least number of samples of those that are listed.
    """

    threshold: Threshold
    names: Names | None
    by_seed: Mapping[str, tuple[Cluster, ...]]
    min_cluster: int = 0


def find_clusters(
    space: Space,
    counts: NDArray[np.bool_],
    r: Array,
    others: Mapping[str, Array] | None = None,
    names: Names | None = None,
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
    names
        Where names of regions come from: see `names_in`.
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
    peaks = peaks_of(space, graph, strength, groups)
    positions = np.flatnonzero(space.mask)
    source = _Source(space, positions, graph.sizes, {"r": r, **others}, names)
    found = [source.cluster(*one) for one in zip(groups, peaks, strict=True)]
    if null_sizes is not None:
        extent = extents(graph)
        p = corrected_p([extent[members].sum() for members in groups], null_sizes)
        found = [replace(one, p_cluster=float(each)) for one, each in zip(found, p, strict=True)]
    # Vertices differ in size; beside structures, though, areas cannot be compared with volumes.
    by_area = all(np.isfinite(one.mm2) for one in found)
    size = attrgetter("mm2" if by_area else "voxels")
    return tuple(sorted(found, key=lambda one: (-size(one), -abs(one.r), one.x, one.y)))


def peaks_of(
    space: Space, graph: Adjacency, strength: Array, groups: Sequence[NDArray[np.int64]]
) -> list[list[tuple[int, list[float]]]]:
    """Return the peaks of each cluster, the strongest first: the sample and its place [mm].

    Up to four samples that no adjacent one of the cluster exceeds, at least 8 mm from each other.

    Parameters
    ----------
    space, graph
        Where the samples lie, and which are adjacent.
    strength
        What is compared, shape (samples,), finite.
    groups
        The samples of each cluster.
    """
    number = np.full(strength.size, -1)
    for at, members in enumerate(groups):
        number[members] = at
    tops = np.flatnonzero(local_maxima(graph, strength, number))
    tops = tops[np.lexsort((-strength[tops], number[tops]))]
    places = np.round(space.places(np.flatnonzero(space.mask)[tops]), 2)
    of_group = np.split(np.arange(tops.size), np.flatnonzero(np.diff(number[tops])) + 1)
    chosen = (spaced(one.tolist(), places, MOST_PEAKS) for one in of_group)
    return [[(int(tops[at]), places[at].tolist()) for at in one] for one in chosen]


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
    names: Names | None

    def cluster(
        self, members: NDArray[np.int64], peaks: Sequence[tuple[int, list[float]]]
    ) -> Cluster:
        """Describe the cluster of some samples with the samples of its peaks and their places."""
        regions, first = "", int(self.positions[members[0]])
        if isinstance(self.names, Atlas):
            regions = _shares(self.names, self.names.labels.ravel()[self.positions[members]])
        mm3, mm2, part = _size(self.space, first, self.sizes[members])
        strongest, *more = (self._peak(*one) for one in peaks)
        return Cluster(
            **vars(strongest),
            voxels=members.size,
            mm3=mm3,
            regions=regions,
            part=part,
            mm2=mm2,
            more=tuple(more),
        )

    def _peak(self, sample: int, place: list[float]) -> Peak:
        """Describe a sample at a place [mm]."""
        r, z, q = (float(self.maps[s][sample]) if s in self.maps else np.nan for s in "rzq")
        region = name_of(self.names, int(self.positions[sample]), place)
        return Peak(x=place[0], y=place[1], z_mm=place[2], r=r, z=z, q=q, region=region)


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
    lines.extend("\t".join(_cell(row[at]) for at in shown) for row in cluster_rows(clusters))
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else "n/a"
    text = " ".join(str(value).split())
    # Names come from other people's atlases; a spreadsheet runs what begins like this.
    return f"'{text}" if text.startswith(FORMULA) else text or "n/a"
