"""Degree: with what share of the brain each sample correlates, and how much of a map that explains.

The mean correlation of a sample with all samples is its correlation with their mean standardised
series, times that series' norm: the map of the global signal. How much of a seed's map it explains
is a check of the cleaning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array
from seedmap.analysis.cleaned import Block, CleanedRun, StoredSeeds, read_with
from seedmap.analysis.degree_map import Degree
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.options import Inputs, Limits, Method
from seedmap.analysis.prepare import Preflight
from seedmap.analysis.stored import maps_of_stored
from seedmap.connectivity import fisherz
from seedmap.errors import OptionError
from seedmap.images import Space
from seedmap.seeds import (
    AnySeed,
    PlacedSeed,
    equal_radius,
    near_each,
    parse_seeds,
    place_seeds,
    random_spheres,
)
from seedmap.spatial import SeedWeights
from seedmap.store import StoredRun

__all__ = [
    "DegreePlan",
    "explained",
    "map_run_with_degree",
    "stored_maps_with_degree",
    "with_degree",
]

# Spheres at random places, and samples of their maps that are looked at.
RANDOM, FEW = 300, 4000
SHARES = (5, 50, 95)


@dataclass(frozen=True, eq=False)
class DegreePlan:
    """The spheres at random places whose maps are compared with degree.

    Attributes
    ----------
    radii : tuple of float or None
        The radius of each seed; None where it has none.
    spheres : dict of float to tuple of PlacedSeed
        By radius.
    """

    radii: tuple[float | None, ...]
    spheres: dict[float, tuple[PlacedSeed, ...]]

    @classmethod
    def of(cls, placed: Sequence[PlacedSeed], space: Space) -> "DegreePlan":
        """Place the spheres; ``space`` has the mask of what can be sampled."""
        radii = tuple(equal_radius(seed, space) for seed in placed)
        sizes = sorted({radius for radius in radii if radius is not None})
        return cls(radii, {radius: random_spheres(space, radius, RANDOM, 0) for radius in sizes})

    @property
    def weights(self) -> list[SeedWeights]:
        """What is to be extracted, radius after radius."""
        every = (sphere.weights for spheres in self.spheres.values() for sphere in spheres)
        return [weights for weights in every if weights is not None]


def map_run_with_degree(
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method,
    limits: Limits,
    *,
    progress: Callable[[int, int], None] | None = None,
    on_ready: Callable[[Preflight], None] | None = None,
) -> SeedMaps:
    """Do what `seedmap.analysis.map_run` does, with the map of degree."""
    if method.measure != "correlation":
        msg = f"degree with measure={method.measure!r}; it is known for the correlation"
        raise OptionError(msg)
    plans: list[DegreePlan] = []

    def more(placed: tuple[PlacedSeed, ...], space: Space) -> list[SeedWeights]:
        plans.append(DegreePlan.of(placed, space))
        return plans[0].weights

    with threadpool_limits(1, user_api="blas"):
        hooks: dict[str, Any] = {"progress": progress, "on_ready": on_ready}
        source = read_with(inputs, seeds, method, limits, more, **hooks)
        return with_degree(source, plans[0], source.drawn)


def stored_maps_with_degree(
    stored: StoredRun, seeds: AnySeed | Sequence[AnySeed], uncertainty: str | None
) -> SeedMaps:
    """Do what `seedmap.analysis.stored_maps` does, with the map of degree."""
    placed = place_seeds(parse_seeds(seeds), stored.space)
    plan = DegreePlan.of(placed, stored.space.within(stored.sampled))
    maps = maps_of_stored(stored, placed, uncertainty)
    own = [seed.weights for seed in placed if seed.weights is not None]
    with threadpool_limits(1, user_api="blas"):
        source = StoredSeeds(stored, maps, own, plan.weights)
        return with_degree(source, plan, source.drawn)


def with_degree(source: CleanedRun, plan: DegreePlan, drawn: Array) -> SeedMaps:
    """Add the map of degree to the maps of a run.

    Parameters
    ----------
    source
        The run, with the maps of its seeds.
    plan
        The spheres at random places.
    drawn
        These, cleaned and of unit norm, shape (rows, spheres).

    Returns
    -------
    SeedMaps
        With ``degree``.
    """
    maps = source.maps
    some = _Some(maps.space.n_samples, len(drawn))
    mean = _mean_sample(source, some)
    values = np.full(maps.space.n_samples, np.nan, dtype=np.float32)

    def one(_: int, part: slice, block: Block) -> None:
        values[part] = mean.astype(np.float32) @ block.whole

    source.walk(one, halves=False)
    r2 = [explained(maps.fisherz[at], values, maps.near[at]) for at in range(len(maps.seeds))]
    spread, at = {}, 0
    for radius, spheres in plan.spheres.items():
        units = drawn[:, at : at + len(spheres)]
        at += len(spheres)
        spread[radius] = _of_random(units, spheres, values, some, maps)
    nothing = (np.nan,) * len(SHARES)
    random = [nothing if radius is None else spread[radius] for radius in plan.radii]
    degree = Degree(
        values=values,
        norm=float(np.linalg.norm(mean)),
        r2=dict(zip(maps.seeds, r2, strict=True)),
        random=dict(zip(maps.seeds, random, strict=True)),
    )
    return replace(maps, degree=degree)


class _Some:
    """A few samples, spread over all, that are kept while blocks go by."""

    def __init__(self, samples: int, rows: int) -> None:
        self.samples = np.unique(np.linspace(0, samples - 1, FEW).astype(np.int64))
        self.units = np.empty((rows, self.samples.size), dtype=np.float32)

    def take(self, part: slice, whole: NDArray[np.float32]) -> None:
        """Keep what a block holds of the few; from any thread."""
        inside = (self.samples >= part.start) & (self.samples < part.stop)
        self.units[:, inside] = whole[:, self.samples[inside] - part.start]


def _mean_sample(source: CleanedRun, some: _Some) -> Array:
    """Return the mean of all samples' series of unit norm, shape (rows,); keep a few of them."""
    sums: dict[int, tuple[Array, int]] = {}

    def one(number: int, part: slice, block: Block) -> None:
        some.take(part, block.whole)
        known = np.isfinite(block.whole[0])
        total = np.where(known, block.whole, 0).sum(axis=1, dtype=np.float64)
        sums[number] = (total, int(np.count_nonzero(known)))

    parts = [sums[number] for number in range(source.walk(one, halves=False))]
    mean: Array = np.sum([total for total, _ in parts], axis=0) / sum(count for _, count in parts)
    return mean


def explained(z: Array, degree: Array, near: NDArray[np.int64]) -> float:
    """Return the share of the variance of a map (samples,) that degree explains away from its seed."""
    known = np.isfinite(z) & np.isfinite(degree)
    known[near] = False
    x, y = (one[known].astype(np.float64) for one in (z, degree))
    if x.size < 3 or not x.std() or not y.std():
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _of_random(
    units: Array, spheres: Sequence[PlacedSeed], degree: Array, some: _Some, maps: SeedMaps
) -> tuple[float, ...]:
    """Give 5, 50 and 95 % of the shares that degree explains of the maps of random spheres."""
    r = np.clip(units.T.astype(np.float32) @ some.units, -1, 1)
    near = near_each(spheres, maps.space, maps.provenance.smoothing_fwhm)
    shares = []
    for at, values in enumerate(fisherz(r)):
        beside = np.flatnonzero(np.isin(some.samples, near[at]))
        shares.append(explained(values, degree[some.samples], beside))
    known = np.array(shares)[np.isfinite(shares)]
    if not known.size:
        return (np.nan,) * len(SHARES)
    return tuple(float(value) for value in np.percentile(known, SHARES))
