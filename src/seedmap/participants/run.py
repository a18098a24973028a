"""The work on one run: read once, cleaned by every strategy, correlated with every seed."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._arrays import Keep, parse_sample_mask
from seedmap.analysis import (
    DRAWING,
    DegreePlan,
    ImagedSeeds,
    Inputs,
    Kind,
    Limits,
    Opened,
    Prepared,
    RobustnessSettings,
    SeedMaps,
    SeedRobustness,
    draw_plan,
    kind_of,
    motion_in,
    open_inputs,
    peak_memory,
    prepare_opened,
    read,
    robustness_of,
    with_degree,
)
from seedmap.bids import RunInputs
from seedmap.confounds import ConfoundTable, read_confounds, read_metadata
from seedmap.denoising import Chosen, suggestion
from seedmap.errors import (
    ConfoundsError,
    OptionError,
    SeedError,
    SeedmapError,
    SeedmapWarning,
    TooFewFrames,
)
from seedmap.images import Grid, Run, Space, load_image, open_run
from seedmap.images.gifti import gifti_shape
from seedmap.participants.recipe import Recipe
from seedmap.participants.seeds import StudySeed, check_space
from seedmap.seeds import PlacedSeed, Region, Seed
from seedmap.spatial import Atlas, Extracted, Reading, certain_mask, extract, read_atlas

__all__ = [
    "RunWork",
    "StrategyWork",
    "clean_run",
    "estimate_memory",
    "open_work",
    "place_inside",
]


# Maps of a seed that exist at once: those of two strategies, or of several runs to be combined.
MAPS_A_SEED = 10
# Copies of the series that exist while a cleaned run is stored.
COPIES_STORED = 6


@dataclass(frozen=True, eq=False)
class StrategyWork:
    """What one strategy made of a run."""

    chosen: Chosen
    prepared: Prepared
    maps: SeedMaps
    extracted: Extracted
    warnings: tuple[str, ...] = ()
    plain: Extracted | None = None
    robust: SeedRobustness | None = None


@dataclass(frozen=True, eq=False)
class RunWork:
    """What is known of a run before it is cleaned: its files opened, its choices made."""

    inputs: RunInputs
    opened: Opened
    table: ConfoundTable | None
    chosen: tuple[Chosen, ...]
    seeds: tuple[PlacedSeed, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    refused: tuple[str, ...]
    mask: Any


def open_work(recipe: Recipe, inputs: RunInputs) -> RunWork:
    """Read a run's headers and tables, and choose confounds, frames and seeds.

    What is warned of on the way is among the notes.

    Raises
    ------
    SeedmapError
        If something does not fit together.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeedmapWarning)
        work = _opened(recipe, inputs)
    said = (str(one.message).replace(f"{recipe.root}{os.sep}", "") for one in caught)
    return replace(work, notes=(*work.notes, *said))


def _opened(recipe: Recipe, inputs: RunInputs) -> RunWork:
    run = open_run(inputs.series, recipe.t_r or inputs.t_r, dict(inputs.surfaces))
    table = read_confounds(inputs.confounds)
    if table is None:
        table = ConfoundTable(np.empty((run.frames, 0)), (), "no confounds")
    if len(table.values) != run.frames:
        msg = (
            f"{table.source}: {len(table.values)} rows of confounds for the {run.frames} frames of "
            f"{inputs.bold.name}; were frames dropped from only one of them?"
        )
        raise ConfoundsError(msg)
    chosen, refused = _choose(recipe, table, read_metadata(inputs.confounds_json))
    _check_time(recipe, run, chosen)
    notes = tuple(
        note
        for seed in recipe.seeds
        if (note := check_space(seed, inputs.space, anyway=recipe.other_space))
    )
    mask = recipe.mask_img if recipe.mask_img is not None else inputs.mask
    opened = open_inputs(Inputs(run, sample_mask=chosen[0].keep, mask_img=mask))
    notes = (*run.notes, *notes)
    space = opened.run.space
    grid = space if opened.mask is None else space.within(opened.mask)
    seeds, missing = place_inside(recipe.seeds, grid, run.source)
    return RunWork(inputs, opened, table, chosen, seeds, missing, notes, refused, mask)


def _choose(
    recipe: Recipe, table: ConfoundTable, metadata: dict[str, Any]
) -> tuple[tuple[Chosen, ...], tuple[str, ...]]:
    """Let every strategy choose; those that cannot do not stop the others.

    Raises
    ------
    SeedmapError
        If none can.
    """
    high_passed = recipe.method.cleaning.high_passed
    chosen: list[Chosen] = []
    refused: list[SeedmapError] = []
    for strategy in recipe.strategies:
        try:
            one = strategy.choose(
                table, metadata, high_passed=high_passed, dummy_scans=recipe.dummy_scans
            )
            chosen.append(one)
        except ConfoundsError as error:
            refused.append(ConfoundsError(f"{error}; or in its place {suggestion(table)}"))
        except SeedmapError as error:
            refused.append(error)
    if not chosen:
        raise refused[0]
    return tuple(chosen), tuple(str(error) for error in refused)


def _check_time(recipe: Recipe, run: Run, chosen: Sequence[Chosen]) -> None:
    """Refuse a run of which too little time stays."""
    t_r = run.timing.t_r
    if not recipe.min_minutes or t_r is None:
        return
    for one in chosen:
        minutes = float(one.keep.sum()) * t_r / 60
        if minutes < recipe.min_minutes:
            msg = (
                f"{run.source}: strategy {one.strategy.name!r} keeps {minutes:.1f} minutes; at least "
                f"{recipe.min_minutes:g} are wanted (--min-time)"
            )
            raise TooFewFrames(msg)


def place_inside(
    seeds: Sequence[StudySeed], grid: Space, source: str
) -> tuple[tuple[PlacedSeed, ...], tuple[str, ...]]:
    """Place seeds on a run's grid; leave out those that miss the brain, and say so.

    Raises
    ------
    SeedError
        If no seed is left.
    """
    there: list[PlacedSeed] = []
    missing: list[str] = []
    for one in seeds:
        try:
            weights = _in_memory(one.seed, grid).weights(grid)
        except SeedError as error:
            missing.append(str(error))
            continue
        if grid.mask.ravel()[weights.voxels].any():
            there.append(PlacedSeed(one.seed, weights))
        else:
            missing.append(
                f"seed {one.seed.name!r}: none of its {grid.elements} lies in the brain mask of the run"
            )
    if not there:
        msg = f"{source}: no seed is left: {'; '.join(missing[:2])}"
        raise SeedError(msg)
    return tuple(there), tuple(missing)


def _in_memory(seed: Seed, space: Space) -> Seed:
    """Let the regions of one atlas share it, so that it is read once."""
    if isinstance(seed, Region) and seed.source:
        parted = None if isinstance(space, Grid) else space  # volumes are read on their own grid
        named = isinstance(seed.label, str)
        return replace(seed, atlas=_atlas(seed.source, parted, seed.lut, named=named))
    return seed


@lru_cache(maxsize=2)
def _atlas(path: str, space: Space | None, lut: str | Path | None, *, named: bool) -> Atlas:
    return read_atlas(path, space, lut, named=named)


def prepare_all(recipe: Recipe, work: RunWork) -> list[Prepared]:
    """Write every strategy's cleaning out."""
    limits = Limits(n_jobs=recipe.n_jobs)
    return [
        prepare_opened(_by_strategy(work, chosen), work.seeds, recipe.method, limits)
        for chosen in work.chosen
    ]


def _by_strategy(work: RunWork, chosen: Chosen) -> Opened:
    """Take the frames and confounds that a strategy chose."""
    opened, keep = work.opened, parse_sample_mask(chosen.keep, work.opened.run.frames)
    return replace(
        opened,
        keep=keep,
        table=chosen.table.for_frames(keep) if chosen.columns else None,
        strategy=chosen.strategy.name,
        notes=(),
        chosen=chosen,
        motion=motion_in(work.table),
    )


def clean_run(recipe: Recipe, work: RunWork) -> Iterator[StrategyWork]:
    """Read a run once and give every strategy's maps, one after the other.

    Where it is asked for how far they move, all exist before the first is given.

    Raises
    ------
    SeedmapError
        If the run cannot be analysed.
    """
    prepared = prepare_all(recipe, work)
    union = np.any([one.keep for one in prepared], axis=0)
    settings, plan, spheres = RobustnessSettings(), None, None
    if recipe.seed_robustness or recipe.degree:
        prepared = _masked(prepared, union)
    if recipe.seed_robustness:
        plan = draw_plan(work.seeds, _space_of(prepared[0]), settings)
    if recipe.degree:
        spheres = DegreePlan.of(work.seeds, _space_of(prepared[0]))
    with warnings.catch_warnings(record=True) as on_reading:
        warnings.simplefilter("always", SeedmapWarning)
        more = [weights for one in (plan, spheres) if one is not None for weights in one.weights]
        extracted = read(replace(prepared[0], keep=union), more=more)
    plain = _unsmoothed(prepared[0], union, extracted) if recipe.store else None
    mapped = (
        _mapped(recipe, one, _frames_of(extracted, union, one.keep), spheres) for one in prepared
    )
    known = [] if plan is None else list(mapped)
    for chosen, one, (source, said) in zip(work.chosen, prepared, known or mapped, strict=True):
        robust = None
        if plan is not None:
            others = [other.maps for other, _ in known if other is not source]
            robust = robustness_of(source, work.seeds, plan, settings, others)
        unsmoothed = None if plain is None else _frames_of(plain, union, one.keep)
        said = (*(str(w.message) for w in on_reading), *said)
        yield StrategyWork(chosen, one, source.maps, source.extracted, said, unsmoothed, robust)


def _masked(prepared: Sequence[Prepared], keep: Keep) -> list[Prepared]:
    """Find the mask before the run is read, where it is not known."""
    mask = prepared[0].mask
    mask = certain_mask(prepared[0].run, keep) if mask is None else mask
    return [replace(one, mask=mask) for one in prepared]


def _space_of(prepared: Prepared) -> Space:
    space = prepared.run.space
    return space if prepared.mask is None else space.within(prepared.mask)


def _mapped(
    recipe: Recipe, prepared: Prepared, part: Extracted, spheres: DegreePlan | None
) -> tuple[ImagedSeeds, tuple[str, ...]]:
    """Map the seeds of a run with one strategy; return what was warned of, too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeedmapWarning)
        source = ImagedSeeds.of(prepared, part)
    if spheres is not None:
        drawn = source.drawn[:, source.drawn.shape[1] - len(spheres.weights) :]
        source = replace(source, maps=with_degree(source, spheres, drawn))
    provenance = replace(source.maps.provenance, command=recipe.command)
    source = replace(source, maps=replace(source.maps, provenance=provenance))
    return source, tuple(str(one.message) for one in caught)


def _unsmoothed(prepared: Prepared, keep: Keep, extracted: Extracted) -> Extracted:
    """Read the same frames and voxels again, unsmoothed: what seeds are extracted from."""
    return extract(
        Reading(prepared.run, keep, n_jobs=prepared.limits.threads), mask=extracted.grid.mask
    )


def _frames_of(extracted: Extracted, read_frames: Keep, keep: Keep) -> Extracted:
    """Take the frames of one strategy from those that were read for all."""
    if np.array_equal(read_frames, keep):
        return extracted
    rows = keep[read_frames]
    return replace(
        extracted, series=extracted.series[rows], seed_series=extracted.seed_series[rows]
    )


def estimate_memory(recipe: Recipe, inputs: RunInputs) -> float:
    """Estimate the most memory that a run takes [bytes], from its header alone.

    Raises
    ------
    OptionError
        If the header states no samples.
    """
    kind, frames, samples, volume = _extent(recipe, inputs)
    if not samples:
        msg = f"{inputs.bold}: no voxel is in the mask; check it"
        raise OptionError(msg)
    memory = peak_memory(
        kind,
        frames,
        samples,
        volume=volume,
        maps=MAPS_A_SEED * len(recipe.seeds),
        copies=_copies(recipe) + COPIES_STORED * recipe.store,
    )
    return memory + DRAWING * recipe.figures


def _copies(recipe: Recipe) -> int:
    """Say how many copies of the series exist: that of all frames, and those of strategies."""
    several = len(recipe.strategies) > 1
    if recipe.seed_robustness and several:
        return 1 + len(recipe.strategies)
    return 2 if several else 1


def _extent(recipe: Recipe, inputs: RunInputs) -> tuple[Kind, int, int, float]:
    """Say what a run's files hold, its frames and samples, and the bytes of a volume."""
    if inputs.bold.name.endswith(".gii"):
        shapes = [gifti_shape(path) for path in (inputs.bold, inputs.other) if path is not None]
        return "surfaces", shapes[0][0], sum(vertices for _, vertices in shapes), 0.0
    with warnings.catch_warnings():  # said when the run is worked on
        warnings.simplefilter("ignore", SeedmapWarning)
        run = open_run(inputs.bold, recipe.t_r or inputs.t_r or 1.0)
    samples = run.space.n_samples
    volume = float(samples) * max(4, run.dtype.itemsize)
    if inputs.mask is not None and isinstance(run.space, Grid):
        image = load_image(inputs.mask, role="mask")
        samples = int(np.count_nonzero(np.asarray(image.dataobj)))
    return kind_of(run.space), run.frames, samples, volume
