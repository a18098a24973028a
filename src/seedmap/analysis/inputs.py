"""The inputs of an analysis: what a user gives is parsed once, or refused with what to do."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import FEWEST_FRAMES, Array, Keep
from seedmap.analysis.nuisance import nuisance_of
from seedmap.analysis.options import Inputs, Method
from seedmap.bids import sibling_mask, space_of
from seedmap.confounds import ConfoundTable
from seedmap.denoising import Chosen
from seedmap.errors import ImageError, OptionError, SeedmapWarning, SpaceMismatch, TooFewFrames
from seedmap.images import (
    Grid,
    Mesh,
    PartedSpace,
    Run,
    file_of,
    load_on_parts,
    load_volume,
    open_run,
)
from seedmap.seeds import PlacedSeed, Sphere
from seedmap.spatial import (
    Template,
    epi_mask,
    mean_volume,
    smoother_of,
    standard_surfaces,
    template_mask,
)
from seedmap.temporal import Cleaning

__all__ = [
    "Opened",
    "check_method",
    "check_placed",
    "check_spaces",
    "find_mask",
    "mask_source",
    "open_inputs",
    "place_surfaces",
]

# Repetition times of functional imaging [s]: the fastest sequences take some 50 ms a volume.
SHORTEST, LONGEST = 0.02, 60.0

TEMPLATES: dict[str, Template] = {
    "whole-brain-template": "whole-brain",
    "gm-template": "gm",
    "wm-template": "wm",
}


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
    strategy : str
        Name of the strategy that chose confounds and frames; empty where none did.
    notes : tuple of str
        What a reader should know of the confounds.
    chosen : Chosen or None
        What the strategy took, with its reasons.
    motion : mapping of str to ndarray, shape (frames,)
        How the head moved: see `seedmap.analysis.nuisance.motion_in`.
    """

    run: Run
    keep: Keep
    table: ConfoundTable | None
    mask: NDArray[np.bool_] | None
    mask_source: str
    strategy: str = ""
    notes: tuple[str, ...] = ()
    chosen: Chosen | None = None
    motion: Mapping[str, Array] = field(default_factory=dict)


def open_inputs(inputs: Inputs, cleaning: Cleaning = Cleaning()) -> Opened:
    """Open a run and what was given with it; headers, tables and the mask are read.

    Without a mask the one beside the run is taken, which fMRIPrep writes, if there is one. A
    strategy that is to take slow drifts away looks at ``cleaning`` for whether a filter does.

    Raises
    ------
    SeedmapError
        If something cannot be read, or does not fit together.
    """
    run = place_surfaces(open_run(inputs.bold, inputs.t_r, inputs.surfaces))
    if run.frames < FEWEST_FRAMES:
        msg = f"{run.source}: the run has {run.frames} frame(s); a series of many is wanted. Is it a mean image?"
        raise TooFewFrames(msg)
    nuisance = nuisance_of(inputs, run, cleaning)
    mask_img = inputs.mask_img
    if mask_img is None and isinstance(run.space, Grid):
        mask_img = sibling_mask(run.source)
    return Opened(
        run=run,
        keep=nuisance.keep,
        table=nuisance.table,
        mask=find_mask(mask_img, run, nuisance.keep),
        mask_source=mask_source(mask_img),
        strategy=nuisance.strategy,
        notes=(*run.notes, *nuisance.notes),
        chosen=nuisance.chosen,
        motion=nuisance.motion,
    )


def check_spaces(seeds: Sequence[PlacedSeed], run: Run) -> None:
    """Warn of seeds whose file names state another space than the run's."""
    here = space_of(run.source)
    for seed in seeds:
        there = space_of(seed.seed.source)
        if here and there and here != there:
            msg = (
                f"seed {seed.name!r}: {seed.seed.source} is in space {there} and the run in {here}; "
                "templates differ by millimetres: use an image in the run's space if there is one"
            )
            warnings.warn(msg, SeedmapWarning, stacklevel=4)


def check_placed(seeds: Sequence[PlacedSeed], run: Run) -> None:
    """Refuse coordinates in millimetres on a run that does not say where it lies.

    Raises
    ------
    SpaceMismatch
        If there are some.
    """
    given = next((seed for seed in seeds if isinstance(seed.seed, Sphere)), None)
    if given is not None and not run.placed:
        msg = (
            f"seed {given.name!r}: coordinates in mm, but neither the sform nor the qform of {run.source} "
            "has a code, so they may fall anywhere; write its affine with a code into the header "
            "(nibabel: set_sform(affine, 1)), or go on with the guess (--force)"
        )
        raise SpaceMismatch(msg)


def check_method(run: Run, method: Method) -> None:
    """Refuse a method that a run cannot have; say when its repetition time is likely a default.

    Raises
    ------
    OptionError
        If a filter or lags need a repetition time and there is none, the longest lag is below a
        frame, or the smoothing does not fit the run's space.
    """
    t_r = run.timing.t_r
    if t_r is not None and (method.cleaning.needs_t_r or method.measure == "lagged"):
        _check_seconds(run, t_r)
    if method.cleaning.needs_t_r and t_r is None:
        msg = (
            f"{run.source}: the header has no repetition time and no JSON beside the run states it, "
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
        method.frames_of_lag(t_r)
    smoother_of(run.space, method.smoothing_fwhm)


def _check_seconds(run: Run, t_r: float) -> None:
    """Refuse a repetition time that no scan of a brain has: a wrong unit.

    Raises
    ------
    OptionError
        If it has.
    """
    if not SHORTEST <= t_r <= LONGEST:
        msg = (
            f"{run.source}: {run.frames} frames at {t_r:g} s are {run.frames * t_r:g} s of data; a "
            f"repetition time of {SHORTEST:g} to {LONGEST:g} s is wanted. Is it in another unit? Give "
            "t_r (--t-r) in seconds"
        )
        raise OptionError(msg)


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
    return _one_valued(values, source)


def _one_valued(values: NDArray[Any], source: str) -> NDArray[np.bool_]:
    """Return where a mask is not 0.

    Raises
    ------
    ImageError
        If it is empty, or has more than one value beside 0, or no 0 beside two.
    """
    levels = np.unique(values)
    if not levels.any():
        msg = f"{source}: the mask is empty; it should be 1 in the brain and 0 elsewhere"
        raise ImageError(msg)
    if levels.size > 2 or (levels.size == 2 and levels.all()):
        few = ", ".join(f"{level:g}" for level in levels[:4]) + (", ..." if levels.size > 4 else "")
        msg = (
            f"{source}: the mask has {levels.size} values ({few}); 0 outside and one value inside are "
            "wanted. Threshold it, or write the labels that you mean as 1 and all else as 0"
        )
        raise ImageError(msg)
    return np.asarray(values != 0)


def _mask_on_parts(mask_img: Any, space: PartedSpace) -> NDArray[np.bool_]:
    """Return a mask of surfaces or grayordinates, shape (positions,)."""
    if isinstance(mask_img, str) and mask_img in (*TEMPLATES, "epi"):
        msg = f"mask_img={mask_img!r} is a rule for volumes; give a surface map, or leave it out"
        raise OptionError(msg)
    values, _ = load_on_parts(mask_img, space, "mask")
    return _one_valued(np.nan_to_num(values), file_of(mask_img) or "the mask")


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
