"""How good a run is, for its page: the signal in words, and what a strategy made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.analysis import SeedMaps
from seedmap.clusters import FoundClusters
from seedmap.images import Grid, PartedSpace
from seedmap.report.participant import StrategyPage
from seedmap.report.tables import cluster_table, noise_facts, seed_table
from seedmap.report.words import DASH, count, named_words, number, several
from seedmap.spatial import can_cluster

__all__ = ["strategy_page"]

# What the parts of grayordinates are called on a page.
NAMES = {"left": "left hemisphere", "right": "right hemisphere"}
PLACES = {"surface": "vertices", "voxels": "voxels", "parcels": "parcels"}
REST = {"surface": "other surfaces", "voxels": "below the cortex", "parcels": "parcels"}


def strategy_page(maps: SeedMaps, clusters: FoundClusters, **about: Any) -> StrategyPage:
    """Collect what a page shows of a run that was cleaned in one way.

    Parameters
    ----------
    maps
        The maps.
    clusters
        Their clusters.
    **about
        The other fields of `StrategyPage`: ``name``, ``methods``, ``pictures`` and the like.
    """
    quality, space = maps.quality, maps.space
    nothing = np.empty((maps.provenance.kept, 0))
    listed = clusters.by_seed or not can_cluster(space)
    return StrategyPage(
        columns=() if quality is None else tuple(quality.reasons.items()),
        given=len(maps.provenance.confounds),
        censored={} if quality is None else quality.censored,
        keep=maps.provenance.keep,
        rank=maps.provenance.rank,
        before=nothing if quality is None else quality.before,
        after=nothing if quality is None else quality.after,
        signal=(*_signal(maps), *noise_facts(maps)),
        seeds=maps.seeds,
        table=tuple(seed_table(maps, clusters.threshold)),
        clusters=tuple(
            cluster_table(seed, found, space.elements) for seed, found in clusters.by_seed.items()
        ),
        threshold=clusters.threshold.words if listed else "",
        named=named_words(clusters),
        elements=space.elements,
        order="" if isinstance(space, Grid) else f": {', '.join(_groups(space))}",
        **about,
    )


@dataclass(frozen=True, eq=False)
class _Group:
    """A hemisphere, or what lies below the cortex: its samples (samples,) and all its places."""

    inside: NDArray[np.bool_]
    places: int
    what: str


def _groups(space: PartedSpace) -> dict[str, _Group]:
    """Part the samples into hemispheres and what else there is; the medial wall counts as places."""
    names = [NAMES.get(part.name, REST[part.kind]) for part in space.parts]
    of_sample = np.repeat(names, [part.size for part in space.parts])[space.mask]
    groups = {}
    for name in dict.fromkeys(names):
        parts = [part for part, its in zip(space.parts, names, strict=True) if its == name]
        places = sum(part.vertices or part.size for part in parts)
        groups[name] = _Group(of_sample == name, places, PLACES[parts[0].kind])
    return groups


def _signal(maps: SeedMaps) -> Iterator[tuple[str, str]]:
    """Say how good the signal of a few samples is, on surfaces also part by part."""
    if maps.quality is None:
        return
    few, raw = maps.quality.samples, maps.quality.before
    spread = raw.std(axis=0)
    tsnr = np.abs(raw.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    smoothed = ", smoothed" if maps.provenance.smoothing_fwhm else ""
    element = maps.space.element
    middle = number(float(np.median(tsnr)), 1) if tsnr.size else DASH
    yield "tSNR", f"{middle} (median over {several(element)}{smoothed})"
    if isinstance(maps.space, Grid):
        yield "In the mask", count(maps.space.n_samples, element)
        return
    for name, group in _groups(maps.space).items():
        there = group.inside[few]
        median = number(float(np.median(tsnr[there])), 1) if there.any() else DASH
        found = f"{np.count_nonzero(group.inside):,} of {group.places:,} {group.what}"
        yield name.capitalize(), f"{found} in the mask; tSNR {median}"
