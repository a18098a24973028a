"""`Maps`: what maps of seeds share, of one run or of a group: images, clusters, figures, files."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.sidecar import (
    dataset_description,
    json_text,
    linked_entries,
    write_with_sidecar,
)
from seedmap.bids import links_of
from seedmap.clusters import (
    CLUSTER_COLUMNS,
    Cluster,
    FoundClusters,
    Names,
    Threshold,
    cluster_rows,
    clusters_table,
    default_threshold,
    find_clusters,
    names_in,
    parse_threshold,
)
from seedmap.errors import OptionError
from seedmap.figures import Display, Highlight, Look, draw_map
from seedmap.images import (
    DESCRIPTION,
    STATISTICS,
    MapKind,
    Space,
    final_folder,
    map_image,
    staged_folder,
    write_text,
)
from seedmap.spatial import APART, Atlas, can_cluster

__all__ = ["Maps", "save_maps"]

CLUSTER_UNITS = {
    "x_mm": "mm",
    "y_mm": "mm",
    "z_mm": "mm",
    "size_mm3": "mm3",
    "size_mm2": "mm2",
}


class Maps(ABC):
    """Maps of some statistics, the same for each of some seeds.

    A kind of maps gives the numbers (`stats`, `values`) and says how its files are called and what
    their sidecars hold (`file_stem`, `sidecar`); the rest is here.

    Attributes
    ----------
    seeds : tuple of str
        Names of the seeds.
    space : Grid, Mesh or Grayordinates
        Where the samples lie.
    near : sequence of ndarray of int
        For each seed the samples of its own neighbourhood, which are left out of clusters.
    """

    seeds: tuple[str, ...]
    space: Space
    near: Sequence[NDArray[np.int64]]

    @property
    @abstractmethod
    def stats(self) -> tuple[str, ...]:
        """Names of the maps that each seed has, rows of `seedmap.images.STATISTICS`."""

    @property
    @abstractmethod
    def codes(self) -> tuple[int, int]:
        """The sform and qform codes of images."""

    @property
    @abstractmethod
    def desc(self) -> str:
        """What distinguishes these maps from those of a correlation in names and titles; may be empty."""

    @abstractmethod
    def values(self, seed: str, stat: str = "r") -> NDArray[np.float32]:
        """Return one map, shape (samples,); ``stat`` is one of `stats`."""

    @abstractmethod
    def file_stem(self, seed: str) -> str:
        """Return what the names of a seed's files begin with."""

    @abstractmethod
    def sidecar(self, seed: str, stat: str) -> dict[str, Any]:
        """Return what a reader of one map needs to know, for the JSON beside it."""

    @abstractmethod
    def tables(self, seed: str) -> dict[str, str]:
        """Return further tables of a seed to be written: tab-separated text by its suffix."""

    @abstractmethod
    def center(self, seed: str) -> tuple[float, float, float] | None:
        """Return where figures are cut and the seed is marked [mm]; None for nowhere."""

    @property
    def run_maps(self) -> Mapping[str, tuple[NDArray[np.float32], dict[str, Any]]]:
        """Maps that belong to no seed, each with its sidecar, by statistic; none as a rule."""
        return {}

    @property
    def run_stem(self) -> str:
        """What the names of the files of `run_maps` begin with."""
        return ""

    def about_table(self, suffix: str) -> dict[str, Any]:  # noqa: ARG002
        """Return what the columns of a table of `tables` are, for the JSON beside it; none as a rule."""
        return {}

    def null_sizes(self, seed: str, threshold: Threshold) -> Array | None:  # noqa: ARG002
        """Return the sizes of the largest clusters of maps of nothing, beyond a threshold, if known."""
        return None

    def kind(self, stat: str) -> MapKind:
        """Return what the values of a map are, for the header of its image."""
        return STATISTICS[stat].kind

    def index(self, seed: str) -> int:
        """Return the position of a seed by name.

        Raises
        ------
        OptionError
            If there is no such seed.
        """
        if seed not in self.seeds:
            msg = f"there is no seed {seed!r} in these maps; they have {', '.join(self.seeds)}"
            raise OptionError(msg)
        return self.seeds.index(seed)

    def file_name(self, seed: str, suffix: str, *, stat: str = "", desc: str = "") -> str:
        """Return the BIDS name of a seed's file, without extension."""
        entities = [self.file_stem(seed), stat and f"stat-{stat}", desc and f"desc-{desc}", suffix]
        return "_".join(filter(None, entities))

    def to_img(self, seed: str, stat: str = "r") -> Any:
        """Return one map as an image of the run's kind: a volume, a surface or CIFTI.

        0 outside the mask, NaN where a sample is constant or not finite in the run.
        """
        return map_image(self.values(seed, stat), self.space, self.kind(stat), self.codes)

    def __repr__(self) -> str:
        """Say in three lines what the maps are of, where, and which there are."""
        kind = type(self).__name__
        seeds = ", ".join(self.seeds[:5]) + (" ..." if len(self.seeds) > 5 else "")
        what = f"{kind} of {seeds}{self.desc and f', {self.desc}'}"
        r = self.values(self.seeds[0], self.stats[0])
        ends = f", {np.nanmin(r):.2f} to {np.nanmax(r):.2f}" if np.isfinite(r).any() else ""
        where = f"  {self.space.n_samples:,} {self.space.elements}; {self.stats[0]} of {self.seeds[0]}{ends}"
        return f"{what}\n{where}\n  maps: {', '.join(self.stats)}"

    def to_frame(self, stat: str = "r") -> Any:
        """Return the maps of one statistic as a pandas data frame.

        A row is a sample, with its place ``x_mm``, ``y_mm`` and ``z_mm`` (NaN where that is not
        known); a column more a seed. NaN is as in `values`.
        """
        import pandas as pd

        places = np.round(self.space.coordinates(), 3)
        columns = {f"{axis}_mm": places[:, at] for at, axis in enumerate("xyz")}
        return pd.DataFrame(columns | {seed: self.values(seed, stat) for seed in self.seeds})

    @property
    def default_threshold(self) -> Threshold:
        """``q<0.05`` where there are error bars, else ``r>0.3``."""
        return default_threshold(self.stats)

    def passed(self, seed: str, threshold: float | str | Threshold) -> NDArray[np.bool_]:
        """Say which samples are beyond a threshold as `parse_threshold` reads it, (samples,)."""
        threshold = parse_threshold(threshold)
        return threshold.passed(self.values(seed, threshold.stat))

    def names(self, atlas: Atlas | None = None) -> Names | None:
        """Return what names places: an atlas, else in MNI space the nearest of well-known points."""
        return names_in(self.space, self.file_stem(self.seeds[0]), self.codes, atlas)

    def clusters(
        self,
        seed: str | None = None,
        threshold: float | str | Threshold | None = None,
        *,
        atlas: Atlas | None = None,
        near: bool = False,
        min_cluster: int = 0,
    ) -> Any:
        """Find the clusters of a map, or of all where no seed is named, as a pandas data frame.

        The rows and columns are those of the table that `save_clusters` writes, after the ``seed``:
        a row is a cluster (``1``) or a further peak of it (``1a``), of which no size is given. The
        options are those of `found_clusters`.
        """
        import pandas as pd

        wanted = self.seeds if seed is None else (seed,)
        options: Any = {"atlas": atlas, "near": near, "min_cluster": min_cluster}
        found = {name: self.found_clusters(name, threshold, **options) for name in wanted}
        rows = [(name, *row) for name, clusters in found.items() for row in cluster_rows(clusters)]
        return pd.DataFrame(rows, columns=["seed", *CLUSTER_COLUMNS])

    def found_clusters(
        self,
        seed: str,
        threshold: float | str | Threshold | None = None,
        *,
        atlas: Atlas | None = None,
        near: bool = False,
        min_cluster: int = 0,
    ) -> tuple[Cluster, ...]:
        """Find the clusters of a map beyond a threshold, the largest first.

        Parameters
        ----------
        seed
            Name of the seed.
        threshold
            A size of r, or ``"r>0.5"``, ``"z>3.1"`` or ``"q<0.05"``; both signs count. None takes
            `default_threshold`.
        atlas
            Where names of regions come from: see `seedmap.spatial.open_atlas`. Without it, peaks
            of volumes in MNI space are named by the nearest of 160 well-known points.
        near
            Whether the seed's own neighbourhood counts, where r is high by construction.
        min_cluster
            The least number of voxels or vertices of a cluster that is listed.
        """
        threshold = self.default_threshold if threshold is None else threshold
        counts = self.passed(seed, threshold)
        if not near:
            counts = counts.copy()
            counts[self.near[self.index(seed)]] = False
        known = {stat: self.values(seed, stat) for stat in self.stats if stat in ("z", "q")}
        nulls = self.null_sizes(seed, parse_threshold(threshold))
        names = self.names(atlas)
        found = find_clusters(self.space, counts, self.values(seed), known, names, nulls)
        return tuple(one for one in found if one.voxels >= min_cluster)

    def all_clusters(
        self,
        threshold: float | str | Threshold | None = None,
        *,
        atlas: Atlas | None = None,
        min_cluster: int = 0,
    ) -> FoundClusters:
        """Find the clusters of every seed, none where it is not known which samples are adjacent."""
        threshold = self.default_threshold if threshold is None else parse_threshold(threshold)
        known = self.seeds if can_cluster(self.space) else ()
        options: Any = {"atlas": atlas, "min_cluster": min_cluster}
        by_seed = {seed: self.found_clusters(seed, threshold, **options) for seed in known}
        return FoundClusters(threshold, self.names(atlas), by_seed, min_cluster)

    def plot(  # noqa: PLR0913  the options of nilearn's figures
        self,
        seed: str | None = None,
        threshold: float | str | Threshold | None = None,
        stat: str = "r",
        *,
        vmax: float | None = None,
        cmap: str = Look.cmap,
        cut_coords: Any = None,
        display_mode: Display = "all",
        axes: Any = None,
    ) -> Any:
        """Draw one map on the anatomy, or on the cortex; return a matplotlib figure.

        What is beyond the threshold is outlined, the rest fades (Taylor et al. 2023,
        doi:10.1016/j.neuroimage.2023.120138); on the cortex the rest is not drawn.

        Parameters
        ----------
        seed
            Which map; may be left out where there is only one.
        threshold
            A size of ``stat``, or ``"r>0.5"``, ``"z>3.1"`` or ``"q<0.05"`` of whatever map is
            drawn. None takes `default_threshold`.
        stat
            Which statistic.
        vmax
            End of the colour bar; None takes 1 for r, else one that nearly all values fit in.
        cmap
            Colours, by matplotlib's name.
        cut_coords
            Where to cut a volume [mm]: a point, or for slices (``display_mode`` x, y or z) their
            places or how many. None cuts at the seed.
        display_mode
            ``"all"``: three cuts, a glass brain and axial slices; ``"ortho"``: the cuts;
            ``"glass"``; or slices across ``"x"``, ``"y"`` or ``"z"``.
        axes
            matplotlib axes in whose place to draw a volume; None makes a figure.
        """
        seed = self.seeds[0] if seed is None else seed
        values = self.values(seed, stat)
        if isinstance(threshold, float | int):
            symbol = STATISTICS[stat].symbol or stat
            words = f"|{symbol}| > {threshold:g}" if threshold else ""
            highlight = Highlight(np.abs(np.nan_to_num(values)) > threshold, words)
        else:
            given = self.default_threshold if threshold is None else parse_threshold(threshold)
            highlight = Highlight(self.passed(seed, given), given.words)
        look = Look(
            vmax=vmax, cmap=cmap, cut_coords=cut_coords, display_mode=display_mode, axes=axes
        )
        name = f"{seed}, {self.desc}" if self.desc else seed
        center = self.center(seed)
        return draw_map(
            values, self.space, highlight, name=name, center=center, stat=stat, look=look
        )

    def save(self, folder: str | Path) -> list[Path]:
        """Write every map with its sidecar, and the seeds' series, into a folder.

        All files appear together when they are complete, or none does.

        Returns
        -------
        list of Path
            The files, maps first.

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        return save_maps(self, folder)

    def save_clusters(
        self,
        folder: str | Path,
        threshold: float | str | Threshold | None = None,
        *,
        atlas: Atlas | None = None,
        min_cluster: int = 0,
    ) -> list[Path]:
        """Write a table of clusters a seed (``..._clusters.tsv``, see `clusters`); return the paths.

        Each has a sidecar that says the threshold. All appear together, or none does.
        """
        return write_clusters(
            self, folder, self.all_clusters(threshold, atlas=atlas, min_cluster=min_cluster)
        )


def write_clusters(
    maps: Maps, folder: str | Path, clusters: FoundClusters, *, desc: str = ""
) -> list[Path]:
    """Write a table of clusters a seed, each with a sidecar; all appear together, or none does.

    ``desc`` stands in the ``desc`` of all names, before the maps' own.
    """
    folder, threshold = Path(folder).expanduser(), clusters.threshold
    links, names = links_of(final_folder(folder)), []
    about = {
        "Description": f"Clusters of {maps.space.elements} with {threshold.words} that touch "
        "and share sign, the seed's own neighbourhood left out; 1a, 1b and 1c are further peaks of "
        f"cluster 1, {APART:g} mm or more apart",
        "Threshold": str(threshold),
        "SmallestCluster": clusters.min_cluster,
        "Atlas": links.uri(clusters.names.source) if clusters.names else None,
        "Units": CLUSTER_UNITS,
    }
    with staged_folder(folder) as stage:
        for seed, found in clusters.by_seed.items():
            name = maps.file_name(seed, "clusters", desc=desc + maps.desc)
            write_text(stage / f"{name}.tsv", clusters_table(found))
            write_text(stage / f"{name}.json", json_text(about))
            names += [f"{name}.tsv", f"{name}.json"]
    return [folder / name for name in names]


def save_maps(
    maps: Maps,
    folder: str | Path,
    *,
    desc: str = "",
    facts: Mapping[str, Any] | None = None,
    described: bool = True,
) -> list[Path]:
    """Write maps, sidecars and the seeds' tables; all appear together, or none does.

    Parameters
    ----------
    maps
        The maps.
    folder
        Where to; made if need be.
    desc
        Stands in the ``desc`` of all names, before the maps' own.
    facts
        Further entries of every sidecar, or others in place of those that the maps give.
    described
        Whether the folder is a data set of its own, with a ``dataset_description.json``.

    Returns
    -------
    list of Path
        The files, maps first.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    folder = Path(folder).expanduser()
    names: list[str] = []
    links = links_of(final_folder(folder)) if described else None
    with staged_folder(folder) as stage:
        for name, stat, values, facts_of in _all_maps(maps, desc + maps.desc):
            sidecar = facts_of | dict(facts or {})
            if links is not None:
                sidecar |= linked_entries(sidecar, links)
            kind, codes = maps.kind(stat), maps.codes
            names += write_with_sidecar(stage / name, values, maps.space, kind, codes, sidecar)
        for seed in maps.seeds:
            for suffix, table in maps.tables(seed).items():
                name = f"{maps.file_name(seed, suffix, desc=desc)}.tsv"
                write_text(stage / name, table)
                names.append(name)
                if about := maps.about_table(suffix):
                    name = f"{maps.file_name(seed, suffix, desc=desc)}.json"
                    write_text(stage / name, json_text(about))
                    names.append(name)
        if links is not None:
            known = {"DatasetLinks": links.known} if links.known else {}
            about = dataset_description() | known
            write_text(stage / DESCRIPTION, json_text(about))
            names.append(DESCRIPTION)
    return [folder / name for name in names]


def _all_maps(
    maps: Maps, desc: str
) -> Iterator[tuple[str, str, NDArray[np.float32], dict[str, Any]]]:
    """Yield name, statistic, values and sidecar of every map, those that belong to no seed last."""
    for seed in maps.seeds:
        for stat in maps.stats:
            name = maps.file_name(seed, "statmap", stat=stat, desc=desc)
            yield name, stat, maps.values(seed, stat), maps.sidecar(seed, stat)
    for stat, (values, sidecar) in maps.run_maps.items():
        parts = [maps.run_stem, f"stat-{stat}", desc and f"desc-{desc}", "statmap"]
        yield "_".join(filter(None, parts)), stat, values, sidecar
