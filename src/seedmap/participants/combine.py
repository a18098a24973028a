"""Several runs of one participant as one: maps averaged with weights.

The Fisher transforms of the runs are averaged, each voxel's weights being what its correlation is
worth in each run (dof - 2, the inverse of the squared standard error) or the frames that stayed.
Runs where a voxel has no value do not count there. Runs must lie on one grid.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.analysis import SeedMaps
from seedmap.analysis.certainty import Certainty
from seedmap.connectivity import fisherz
from seedmap.errors import OptionError, SpaceMismatch
from seedmap.images import Grid, Space

__all__ = ["combine_maps"]


def combine_maps(runs: Sequence[SeedMaps], name: str, *, by_frames: bool = False) -> SeedMaps:
    """Average the maps of runs.

    Parameters
    ----------
    runs
        Maps of the same seeds and measure.
    name
        What the combination is called: stands for the name of a run.
    by_frames
        Weigh by frames; otherwise by degrees of freedom where they are known.

    Returns
    -------
    SeedMaps
        With the mask of all runs together; ``dof`` is 2 plus the sum of the runs' dof - 2, so
        that the standard error is that of the weighted mean.

    Raises
    ------
    SpaceMismatch
        If the runs' grids differ.
    OptionError
        If the measure is not a correlation that can be averaged.
    """
    first = runs[0]
    if first.provenance.measure not in ("correlation", "partial", "spearman"):
        msg = f"measure={first.provenance.measure!r} cannot be combined over runs; combine none"
        raise OptionError(msg)
    for run in runs[1:]:
        if not _same(run.space, first.space):
            msg = (
                f"{run.provenance.source}: its grid differs from that of {first.provenance.source}, so "
                "the runs cannot be combined; choose runs of one --space and --res"
            )
            raise SpaceMismatch(msg)
    grid = first.space.within(np.any([run.space.mask for run in runs], axis=0))
    worth = [_worth(run, by_frames=by_frames) for run in runs]
    z = np.stack([_onto(fisherz(run.r), run.space, grid) for run in runs])
    weights = np.stack([_onto(w, run.space, grid) for w, run in zip(worth, runs, strict=True)])
    weights = np.where(np.isfinite(z) & np.isfinite(weights), weights, 0.0)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.sum(weights * np.nan_to_num(z), axis=0) / total
    return _as_maps(runs, grid, np.tanh(mean), name)


def _same(one: Space, other: Space) -> bool:
    """Whether two spaces have the same samples, whatever their masks."""
    if isinstance(one, Grid) and isinstance(other, Grid):
        return one.same_grid(other)
    return type(one) is type(other) and one.shape == other.shape


def _worth(run: SeedMaps, *, by_frames: bool) -> Array:
    """Say what each correlation of a run is worth, (seeds, samples)."""
    if by_frames or run.certainty is None:
        return np.full(run.r.shape, float(run.provenance.kept))
    return _dof(run) - 2.0


def _dof(run: SeedMaps) -> Array:
    return np.stack([run.values(seed, "dof") for seed in run.seeds]).astype(np.float64)


def _onto(values: Array, space: Space, grid: Space) -> NDArray[np.float64]:
    """Bring (seeds, samples) of one mask onto another of the same grid, NaN where it has none."""
    volume = space.unmask(np.asarray(values, dtype=np.float64), outside=np.nan)
    return np.ascontiguousarray(volume[grid.mask].T)


def _as_maps(runs: Sequence[SeedMaps], grid: Space, r: Array, name: str) -> SeedMaps:
    """Put the combined correlations where maps of a run would be."""
    first, certainty = runs[0], None
    if all(run.certainty is not None for run in runs):
        parts = np.stack([_onto(_dof(run) - 2.0, run.space, grid) for run in runs])
        dof = 2.0 + np.nansum(np.where(np.isfinite(parts), parts, 0.0), axis=0)
        known = [run.certainty for run in runs if run.certainty is not None]
        certainty = Certainty(
            method=known[0].method,
            dof=dof.astype(np.float32),
            rank=sum(one.rank for one in known),
            white_dof=float(sum(one.white_dof for one in known)),
            noise_autocorrelation=(),
        )
    box = np.full(grid.shape, -1, dtype=np.int64)
    box[grid.mask] = np.arange(grid.n_samples)
    near = [
        np.unique(np.concatenate([box[run.space.mask][run.near[seed]] for run in runs]))
        for seed in range(len(first.seeds))
    ]
    return replace(
        first,
        space=grid,
        r=r.astype(np.float32),
        seed_series=np.concatenate([run.seed_series for run in runs]),
        sample_series=np.empty((sum(len(run.seed_series) for run in runs), 0)),
        sample_indices=np.empty(0, dtype=np.int64),
        near=tuple(near),
        certainty=certainty,
        provenance=replace(
            first.provenance,
            source=name,
            keep=np.concatenate([run.provenance.keep for run in runs]),
            constant=int(np.isnan(r).all(axis=0).sum()),
            unusable=0,
        ),
    )
