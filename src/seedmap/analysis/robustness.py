"""How far a map moves when the seed, the half of the run or the cleaning is another one.

Virtual seeds are drawn about each seed, extracted as the seed is, and correlated with every sample
in one product; what is wanted of the maps is summed up block by block, so that they never exist.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array
from seedmap.analysis.cleaned import Block, CleanedRun, StoredSeeds, read_with
from seedmap.analysis.degree import with_degree
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.options import NULL_SEEDS, Inputs, Limits, Method, refuse_misplaced
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import Preflight, prepare, read
from seedmap.analysis.robust import (
    MOVED,
    KindOfChange,
    RobustnessSettings,
    SeedRobustness,
    filled,
)
from seedmap.analysis.stored import maps_of_stored, stored_maps
from seedmap.analysis.virtual_plan import VirtualPlan, draw_plan
from seedmap.connectivity import (
    Differing,
    Judged,
    agreement,
    critical_r_map,
    differing,
    fisherz,
    half_variance,
    predicted_error,
    time_error,
)
from seedmap.denoising import Strategy
from seedmap.errors import OptionError
from seedmap.images import Space
from seedmap.seeds import (
    AnySeed,
    PlacedSeed,
    Virtual,
    near_each,
    parse_seeds,
    place_seeds,
)
from seedmap.spatial import SeedWeights
from seedmap.store import StoredRun, open_stored

__all__ = [
    "robust_run",
    "robust_store",
    "robustness_of",
    "seed_robustness",
]

SIGNIFICANT = 0.05

Progress = Callable[[int, int], None]


def seed_robustness(
    bold: Any,
    seeds: AnySeed | Sequence[AnySeed],
    *,
    centre: Sequence[float] = RobustnessSettings.centre,
    number: int = RobustnessSettings.number,
    strategies: Sequence[Any] = (),
    rng: int = RobustnessSettings.rng,
    **options: Any,
) -> SeedRobustness:
    """Measure how far the map of a seed moves when the seed or the analysis is another one.

    Virtual seeds are drawn about each seed: with other centres, of other sizes, and halves of its
    voxels. Their maps, those of the two halves of the run and those of other cleanings are compared
    with the map, in units of its own standard error: how far it would move in another run.

    Parameters
    ----------
    bold
        As for `seed_maps`; or a stored run, as for `stored_maps`.
    seeds
        As for `seed_maps`.
    centre
        How far the centre may move [mm], a kind of virtual seeds each.
    number
        Virtual seeds of each kind.
    strategies
        Other cleanings to compare with: strategies as `seed_maps` knows them; of a stored run, other
        stored runs that were made of the same images.
    rng
        Seed of the generator. A seed's virtual seeds do not depend on the other seeds.
    **options
        Of images, the other options of `seed_maps`, but for ``measure`` and ``uncertainty``: the
        measure is the correlation, with the standard errors of ``"operator"``. What survives is asked
        of ``q``, also with ``fwe``.

    Returns
    -------
    SeedRobustness
        The maps as `seed_maps` makes them, with ``survival`` and ``seederror`` beside them; and
        ``table``, a row a seed and kind.

    Raises
    ------
    SeedmapError
        As `seed_maps`; and if other cleanings do not have the same samples.

    Notes
    -----
    A small error does not make a map one of neurons: artefacts have maps that do not move either.
    """
    settings = RobustnessSettings(centre=tuple(np.ravel(centre).tolist()), number=number, rng=rng)
    stored = bold if isinstance(bold, StoredRun) else None
    if stored is None and isinstance(bold, str | Path) and Path(bold).suffix == ".zarr":
        stored = open_stored(bold)
    if stored is None:
        inputs, method, limits, rest = _sorted_options(bold, options)
        return robust_run(inputs, seeds, method, limits, settings, strategies=strategies, **rest)
    if options:
        msg = f"{', '.join(options)} given, but the stored run was read and cleaned before; leave that out"
        raise OptionError(msg)
    return robust_store(stored, seeds, settings, strategies)


def _sorted_options(
    bold: Any, options: dict[str, Any]
) -> tuple[Inputs, Method, Limits, dict[str, Any]]:
    """Put the options of `seed_maps` together; those of other measures are refused."""
    left = dict(options)
    for name in ("measure", "max_lag", "uncertainty"):
        if name in left:
            msg = f"{name} given; seed_robustness is known for the correlation and its standard errors"
            raise OptionError(msg)
    made: list[dict[str, Any]] = []
    for kind in (Inputs, Method, Limits):
        names = {one.name for one in fields(kind)} - {"bold", "run"}
        made.append({name: left.pop(name) for name in list(left) if name in names})
    rest = {name: left.pop(name) for name in list(left) if name in ("progress", "on_ready")}
    refuse_misplaced(left)
    given, method = made[0], {name: value for name, value in made[1].items() if value is not None}
    if method.get("fwe") is True:
        method["fwe"] = NULL_SEEDS
    if "smoothing_fwhm" in made[1]:
        method["smoothing_fwhm"] = made[1]["smoothing_fwhm"]
    return Inputs(bold, **given), Method(**method), Limits(**made[2]), rest


def robust_run(  # noqa: PLR0913  as `map_run`, with what is drawn
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method,
    limits: Limits,
    settings: RobustnessSettings,
    *,
    strategies: Sequence[Strategy | str | Path] = (),
    degree: bool = False,
    progress: Progress | None = None,
    on_ready: Callable[[Preflight], None] | None = None,
) -> SeedRobustness:
    """Do what `seed_robustness` does of images, with the options put together."""
    if method.measure != "correlation" or method.uncertainty != "operator":
        msg = "seed robustness is known for the correlation and uncertainty 'operator'"
        raise OptionError(msg)
    plain = replace(method, fwe=0)
    with threadpool_limits(1, user_api="blas"):
        others = [
            prepare(replace(inputs, strategy=one, confound_columns=()), seeds, plain, limits)
            for one in strategies
        ]
        plans: list[VirtualPlan] = []

        def more(placed: tuple[PlacedSeed, ...], space: Space) -> list[SeedWeights]:
            plans.append(draw_plan(placed, space, settings, degree=degree))
            return plans[0].weights

        hooks: dict[str, Any] = {"progress": progress, "on_ready": on_ready}
        source = read_with(inputs, seeds, method, limits, more, **hooks)
        cleaned = [maps_of(one, read(one)) for one in others]
        return robustness_of(source, source.prepared.seeds, plans[0], settings, cleaned)


def robust_store(
    stored: StoredRun,
    seeds: AnySeed | Sequence[AnySeed],
    settings: RobustnessSettings,
    strategies: Sequence[StoredRun | Path | str] = (),
    *,
    degree: bool = False,
) -> SeedRobustness:
    """Do what `seed_robustness` does of a stored run."""
    placed = place_seeds(parse_seeds(seeds), stored.space)
    plan = draw_plan(placed, stored.space.within(stored.sampled), settings, degree=degree)
    with threadpool_limits(1, user_api="blas"):
        maps = maps_of_stored(stored, placed, "operator")
        own = [seed.weights for seed in placed if seed.weights is not None]
        source = StoredSeeds(stored, maps, own, plan.weights)
        others = [stored_maps(one, seeds) for one in strategies]
        return robustness_of(source, placed, plan, settings, others)


def robustness_of(
    source: CleanedRun,
    placed: Sequence[PlacedSeed],
    plan: VirtualPlan,
    settings: RobustnessSettings,
    others: Sequence[SeedMaps],
) -> SeedRobustness:
    """Walk through the samples once, and put together what was found."""
    maps = source.maps
    if plan.degree is not None:
        spheres = source.drawn[:, source.drawn.shape[1] - len(plan.degree.weights) :]
        maps = with_degree(source, plan.degree, spheres)
    _check_same_samples(maps, others)
    far = max(settings.centre)
    near = near_each(placed, maps.space, maps.provenance.smoothing_fwhm, far)
    judged = [_judged(maps, seed, around) for seed, around in zip(maps.seeds, near, strict=True)]
    virtual, voxels, random = plan.apart(source.drawn)
    found = _Walk(source, judged, virtual).walk()
    rows: list[KindOfChange] = []
    survival, error = (np.full(maps.r.shape, np.nan, dtype=np.float32) for _ in range(2))
    for at, seed in enumerate(maps.seeds):
        radius = plan.radii[at]
        ranges = {} if radius is None else _ranges(plan.random[radius], random[radius])
        homogeneity = agreement(voxels[at])
        for kind, units, differ in zip(plan.virtual[at], virtual[at], found.kinds[at], strict=True):
            row = KindOfChange(
                seed=seed,
                kind=kind.kind,
                number=units.shape[1],
                redrawn=kind.redrawn,
                note=kind.note,
            )
            low, middle, high = ranges.get(kind.kind, (np.nan,) * 3)
            row = replace(row, random_low=low, random_median=middle, random_high=high)
            if differ is not None:
                agree = agreement(units)
                row = replace(row, agreement=agree, predicted=predicted_error(agree))
                row = filled(row, differ, judged[at])
                if kind.kind == settings.farthest:
                    survival[at], error[at] = differ.survival, differ.error
            rows.append(replace(row, homogeneity=homogeneity))
        rows.append(
            replace(_of_time(source, at, judged[at], found.halves), homogeneity=homogeneity)
        )
        rows += _of_cleaning(maps, at, judged[at], others)
    return SeedRobustness.of(maps, rows, dict(zip(MOVED, (survival, error), strict=True)), settings)


def _check_same_samples(maps: SeedMaps, others: Sequence[SeedMaps]) -> None:
    """Refuse maps of other samples than those of the run."""
    for other in others:
        same = other.space.mask.shape == maps.space.mask.shape
        if not same or not np.array_equal(other.space.mask, maps.space.mask):
            msg = (
                f"{other.provenance.source}, {other.provenance.strategy or 'another cleaning'}: "
                f"{other.space.n_samples} samples, {maps.space.n_samples} in the mask of the run; give "
                "one mask for all (mask_img, --mask-img)"
            )
            raise OptionError(msg)


def _judged(maps: SeedMaps, seed: str, near: NDArray[np.int64]) -> Judged:
    """Return the map of a seed with its standard error and what is significant in it."""
    q, p = maps.values(seed, "q"), maps.values(seed, "p")
    counted = np.isfinite(q)
    found = p[counted & (np.nan_to_num(q, nan=1.0) < SIGNIFICANT)]
    dof = maps.values(seed, "dof")
    critical = np.full(dof.shape, np.inf, dtype=np.float32)
    if found.size:
        level = max(float(found.max()), np.finfo(np.float64).tiny)
        critical = np.arctanh(critical_r_map(dof, level))
    counted[near] = False
    return Judged(maps.values(seed, "fisherz"), maps.values(seed, "se"), critical, counted)


@dataclass(frozen=True, eq=False)
class _Found:
    """What a walk found: for each seed and kind how maps differ, and the maps of each half."""

    kinds: list[list[Differing | None]]
    halves: Array


class _Walk:
    """Correlates all virtual seeds with all samples, block by block."""

    def __init__(
        self, source: CleanedRun, judged: Sequence[Judged], virtual: Sequence[Sequence[Array]]
    ) -> None:
        self._source, self._judged = source, judged
        self._units = [[units.astype(np.float32) for units in kinds] for kinds in virtual]
        self._own = [units.astype(np.float32) for units in source.original()]
        samples = source.maps.space.n_samples
        self._halves = np.full((2, len(judged), samples), np.nan, dtype=np.float32)
        self._parts: dict[int, list[list[Differing | None]]] = {}

    def walk(self) -> _Found:
        """Go through the samples once."""
        long_enough = min(self._source.shares) > 0
        count = self._source.walk(self._block, halves=long_enough)
        kinds = [
            [
                Differing.joined([self._parts[number][seed][kind] for number in range(count)])
                for kind in range(len(units))
            ]
            for seed, units in enumerate(self._units)
        ]
        return _Found(kinds, self._halves)

    def _block(self, number: int, part: slice, block: Block) -> None:
        self._parts[number] = [
            [
                differing(fisherz(_correlations(units, block.whole)), judged.part(part))
                if units.shape[1] > 1
                else None
                for units in kinds
            ]
            for kinds, judged in zip(self._units, self._judged, strict=True)
        ]
        for half, own, samples in zip(self._halves, self._own[1:], block.halves, strict=False):
            half[:, part] = fisherz(_correlations(own, samples))


def _correlations(seeds: NDArray[np.float32], samples: NDArray[np.float32]) -> NDArray[np.float32]:
    r = seeds.T @ samples
    return np.clip(r, -1.0, 1.0, out=r)


def _of_time(source: CleanedRun, at: int, judged: Judged, halves: Array) -> KindOfChange:
    """Compare the two halves of the run."""
    maps = source.maps
    row = KindOfChange(seed=maps.seeds[at], kind="time", number=2, predicted=1.0)
    first, second = (half[at].astype(np.float64) for half in halves)
    dof = maps.values(maps.seeds[at], "dof").astype(np.float64)
    with np.errstate(invalid="ignore"):
        ratio = judged.se * np.sqrt(dof - 2)
    variance = half_variance(dof, ratio, source.shares)
    variance[~judged.counted] = np.nan
    error = float(time_error(first, second, variance))
    if not np.isfinite(error):
        return replace(row, number=0, predicted=np.nan, note="the run is too short for halves")
    known = judged.counted & np.isfinite(first) & np.isfinite(second)
    return replace(row, error=error, map_r=float(np.corrcoef(first[known], second[known])[0, 1]))


def _of_cleaning(
    maps: SeedMaps, at: int, judged: Judged, others: Sequence[SeedMaps]
) -> list[KindOfChange]:
    """Compare the map with those of other cleanings; no row where there are none."""
    if not others:
        return []
    differ = differing(fisherz(np.stack([one.r[at] for one in (maps, *others)])), judged)
    names = ", ".join(one.provenance.strategy or "no strategy" for one in (maps, *others))
    row = KindOfChange(seed=maps.seeds[at], kind="cleaning", number=1 + len(others), note=names)
    return [filled(row, differ, judged)]


def _ranges(
    spheres: Sequence[Sequence[Virtual]], units: Sequence[Sequence[Array]]
) -> dict[str, tuple[float, float, float]]:
    """Give 5, 50 and 95 % of the predicted errors of random spheres, by kind."""
    errors: dict[str, list[float]] = {}
    for kinds, found in zip(spheres, units, strict=True):
        for kind, one in zip(kinds, found, strict=True):
            errors.setdefault(kind.kind, []).append(predicted_error(agreement(one)))
    ranges = {}
    for name, values in errors.items():
        known = np.array(values)[np.isfinite(values)]
        if known.size:
            low, middle, high = (float(value) for value in np.percentile(known, [5, 50, 95]))
            ranges[name] = (low, middle, high)
    return ranges
