"""The door of an analysis: what a user gives is parsed once, or refused with what to do."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep, parse_sample_mask
from seedmap.analysis.measures import frames_of_lag
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.provenance import SeedFacts
from seedmap.bids import label_of
from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.errors import ImageError, OptionError, SeedError, SeedmapWarning, SpaceMismatch
from seedmap.images import (
    Grid,
    Mesh,
    PartedSpace,
    Run,
    Space,
    file_of,
    load_on_parts,
    load_volume,
    open_run,
)
from seedmap.seeds import Seed, SeriesSeed, Sphere, parse_seed
from seedmap.spatial import (
    SeedWeights,
    Template,
    epi_mask,
    mean_volume,
    smoother_of,
    standard_surfaces,
    template_mask,
)

__all__ = [
    "AnySeed",
    "Opened",
    "check_method",
    "find_mask",
    "mask_source",
    "open_inputs",
    "parse_seeds",
    "place_surfaces",
    "seed_facts",
    "warn_of_low_coverage",
]

# A seed of which less than this share lies in the mask may say little of its region.
LOW_COVERAGE = 0.8
# More seeds than this are warned of together.
MANY_WARNINGS = 5
TEMPLATES: dict[str, Template] = {
    "whole-brain-template": "whole-brain",
    "gm-template": "gm",
    "wm-template": "wm",
}

AnySeed = Seed | SeriesSeed | str


@dataclass(frozen=True, eq=False)
class Opened:
    """A run and what was given with it, parsed and checked; no frame of it is kept.

    Attributes
    ----------
    run : Run
        The run.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    table : ConfoundTable or None
        The confounds, finite in these frames.
    mask : ndarray of bool, shape of the space, or None
        Where to correlate; None where the background mask is found while the run is read.
    mask_source : str
        File or rule of the mask.
    """

    run: Run
    keep: Keep
    table: ConfoundTable | None
    mask: NDArray[np.bool_] | None
    mask_source: str


def open_inputs(inputs: Inputs) -> Opened:
    """Open a run and what was given with it; headers, tables and the mask are read.

    Raises
    ------
    SeedmapError
        If something cannot be read, or does not fit together.
    """
    run = place_surfaces(open_run(inputs.bold, inputs.t_r, inputs.surfaces))
    keep = parse_sample_mask(inputs.sample_mask, run.frames)
    given = read_confounds(inputs.confounds)
    return Opened(
        run=run,
        keep=keep,
        table=None if given is None else given.for_frames(keep),
        mask=find_mask(inputs.mask_img, run, keep),
        mask_source=mask_source(inputs.mask_img),
    )


def parse_seeds(seeds: AnySeed | Sequence[AnySeed], run: Run) -> tuple[Seed | SeriesSeed, ...]:
    """Return seeds as objects, with names that differ also as file names."""
    given = [seeds] if isinstance(seeds, Seed | SeriesSeed | str) else list(seeds)
    chosen: tuple[Any, ...] = tuple(parse_seed(s) if isinstance(s, str) else s for s in given)
    if not chosen:
        msg = "no seed is given; name at least one, as in PCC=0,-52,18"
        raise SeedError(msg)
    _check_kinds(chosen)
    seen: dict[str, str] = {}
    for seed in chosen:
        label = label_of(seed.name)
        if label in seen:
            msg = (
                f"seeds {seen[label]!r} and {seed.name!r} would both be called {label!r} in file names; "
                "give them names that differ in letters or digits"
            )
            raise SeedError(msg)
        seen[label] = seed.name
        _check_seed_fits(seed, run)
    return chosen


def _check_kinds(chosen: Sequence[Any]) -> None:
    """Refuse what is no seed."""
    for kind, one in {type(seed): seed for seed in chosen}.items():  # asking each takes long
        if not isinstance(one, Seed | SeriesSeed):
            msg = (
                f"a seed is a {kind.__name__}; give a Sphere, MaskSeed, Region, SeriesSeed or text"
            )
            raise SeedError(msg)


def _check_seed_fits(seed: Seed | SeriesSeed, run: Run) -> None:
    """Refuse a time course of another length; warn where file names tell of two spaces."""
    if isinstance(seed, SeriesSeed):
        if seed.values.size != run.frames:
            msg = (
                f"seed {seed.name!r}: {seed.values.size} values for the {run.frames} frames of "
                f"{run.source}; give one raw value a frame, censored frames included"
            )
            raise SeedError(msg)
        return
    here, there = _space_of(run.source), _space_of(seed.source)
    if here and there and here != there:
        msg = (
            f"seed {seed.name!r}: {seed.source} is in space {there} and the run in {here}; templates "
            "differ by millimetres: use an image in the run's space if there is one"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=4)


def _space_of(source: str) -> str:
    """Return the space that a BIDS or TemplateFlow name tells of; empty if it tells of none."""
    found = re.search(r"(?:^|[_/\\])(?:space|tpl)-([A-Za-z0-9]+)", source)
    return found[1] if found else ""


def check_method(run: Run, method: Method) -> None:
    """Refuse a method that a run cannot have; say when its repetition time is likely a default.

    Raises
    ------
    OptionError
        If a filter or lags need a repetition time and there is none, the longest lag is below a
        frame, or the smoothing does not fit the run's space.
    """
    t_r = run.timing.t_r
    if method.cleaning.needs_t_r and t_r is None:
        msg = (
            f"{run.source}: the header has no repetition time and no JSON beside the run tells it, "
            "but the filter needs it; give t_r (--t-r) in seconds"
        )
        raise OptionError(msg)
    if method.cleaning.needs_t_r and t_r == 1.0 and run.timing.source == "header":
        msg = (
            f"{run.source}: the header says a repetition time of exactly 1 s, which many tools write "
            "when they do not know; if it is wrong, give t_r (--t-r)"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)
    if method.measure == "lagged":
        frames_of_lag(method.max_lag, t_r)
    smoother_of(run.space, method.smoothing_fwhm)


def find_mask(mask_img: Any, run: Run, keep: Keep) -> NDArray[np.bool_] | None:
    """Return the mask (x, y, z), or None where the background mask is found while reading."""
    if mask_img is None or (isinstance(mask_img, str) and mask_img == "background"):
        return None
    if isinstance(run.space, PartedSpace):
        return _mask_on_parts(mask_img, run.space)
    if isinstance(mask_img, str) and mask_img in TEMPLATES:
        return template_mask(run.space, TEMPLATES[mask_img])
    if isinstance(mask_img, str) and mask_img == "epi":
        return epi_mask(mean_volume(run, keep))
    values, grid = load_volume(mask_img, "mask")
    source = file_of(mask_img) or "the mask"
    _check_grid(grid, run, source)
    mask = values != 0
    if not mask.any():
        msg = f"{source}: the mask is empty; it should be 1 in the brain and 0 elsewhere"
        raise ImageError(msg)
    return mask


def _mask_on_parts(mask_img: Any, space: PartedSpace) -> NDArray[np.bool_]:
    """Return a mask of surfaces or grayordinates, shape (positions,)."""
    if isinstance(mask_img, str) and mask_img in (*TEMPLATES, "epi"):
        msg = f"mask_img={mask_img!r} is a rule for volumes; give a surface map, or leave it out"
        raise OptionError(msg)
    values, _ = load_on_parts(mask_img, space, "mask")
    mask = np.nan_to_num(values) != 0
    if not mask.any():
        msg = "the mask is empty; it should be 1 in the brain and 0 elsewhere"
        raise ImageError(msg)
    return mask


def place_surfaces(run: Run) -> Run:
    """Say where the vertices of a standard mesh lie, if the user has not."""
    space = run.space
    if not isinstance(space, Mesh) or all(part.surface is not None for part in space.parts):
        return run
    return replace(run, space=space.with_surfaces(standard_surfaces(space)))


def _check_grid(grid: Grid, run: Run, source: str) -> None:
    if not isinstance(run.space, Grid) or grid.same_grid(run.space):
        return
    if grid.shape != run.space.shape:
        found, wanted = f"shape {grid.shape}", f"{run.space.shape}"
    else:
        where = np.unravel_index(np.argmax(np.abs(grid.affine - run.space.affine)), (4, 4))
        found = (
            f"an affine with {grid.affine[where]:g} in row {where[0] + 1}, column {where[1] + 1}"
        )
        wanted = f"{run.space.affine[where]:g}"
    msg = (
        f"{source}: the mask has {found}, the run {run.source} has {wanted}; give a mask on the run's "
        "grid (fMRIPrep writes one beside the run), or resample it"
    )
    raise SpaceMismatch(msg)


def mask_source(mask_img: Any) -> str:
    """Say where the mask comes from."""
    if mask_img is None:
        return "background"
    return (
        str(mask_img)
        if not hasattr(mask_img, "dataobj")
        else str(mask_img.get_filename() or "image in memory")
    )


def seed_facts(
    seeds: Sequence[Seed | SeriesSeed], weights: Sequence[SeedWeights], grid: Space
) -> tuple[SeedFacts, ...]:
    """Describe the seeds as they fall on a grid; refuse those that miss its mask.

    Raises
    ------
    SeedError
        If a seed has no voxel in the mask.
    """
    rest, facts = iter(weights), []
    for seed in seeds:
        if isinstance(seed, SeriesSeed):
            facts.append(SeedFacts(seed.name, seed.definition, None, 0, float("nan")))
            continue
        listens = next(rest)
        coverage = float(listens.weights[grid.mask.ravel()[listens.voxels]].sum())
        if coverage == 0:
            raise SeedError(_outside(seed, listens, grid))
        center = seed.center if isinstance(seed, Sphere) else _center(listens, grid)
        definition = f"{seed.definition} ({listens.note})" if listens.note else seed.definition
        facts.append(SeedFacts(seed.name, definition, center, listens.voxels.size, coverage))
    return tuple(facts)


def warn_of_low_coverage(facts: Sequence[SeedFacts]) -> None:
    """Warn of seeds that lie partly outside the mask: of each, or of very many once."""
    low = sorted((s for s in facts if s.coverage < LOW_COVERAGE), key=lambda s: s.coverage)
    if len(low) > MANY_WARNINGS:
        shown = ", ".join(f"{seed.name!r} ({seed.coverage:.0%})" for seed in low[:MANY_WARNINGS])
        msg = (
            f"{len(low)} of {len(facts)} seeds lie partly outside the mask, which adds signal from "
            f"outside the brain: {shown}, ...; check their coordinates, or shrink them"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)
        return
    for seed in low:
        msg = (
            f"seed {seed.name!r}: only {seed.coverage:.0%} of it lies in the mask; the rest adds "
            "signal from outside the brain. Check its coordinates, or shrink it"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)


def _outside(seed: Seed, listens: SeedWeights, space: Space) -> str:
    """Say that a seed misses the mask, and by how much where that is known."""
    center, how_far = _center(listens, space), ""
    if center is not None:
        distance = np.linalg.norm(space.coordinates() - np.array(center), axis=1)
        how_far = f"; the nearest sample is {np.nanmin(distance):.1f} mm from its centre"
    return (
        f"seed {seed.name!r}: none of its {listens.voxels.size} voxels ({seed.definition}) lies in the "
        f"mask{how_far}. Are the coordinates in the space of the run?"
    )


def _center(listens: SeedWeights, space: Space) -> tuple[float, float, float] | None:
    """Return the centre of mass of a seed [mm]; None where its places are not known."""
    center: Array = listens.weights @ space.places(listens.voxels)
    if not np.isfinite(center).all():
        return None
    return tuple(float(value) for value in np.round(center, 2))  # type: ignore[return-value]
