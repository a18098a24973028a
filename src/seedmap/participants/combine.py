"""Several runs of one participant as one: maps averaged with weights.

Either the Fisher transforms of the runs are averaged, each voxel's weights being what its
correlation is worth in each run (dof - 2, the inverse of the squared standard error) or the frames
that stayed. Or the runs count as one long run: each cleaned by its own L, which together are one
block-diagonal L, centred and scaled to a standard deviation of 1, and put one after the other.
With n_k frames a run, the inner products of such series are ``(n_k - 1) r_k``, so the correlation
over all frames is

    r = sum_k (n_k - 1) r_k / sum_k (n_k - 1),

the mean of the correlations themselves. Not scaled, the run that is loudest would count most.

Runs are independent of each other, so in both cases the variances of what is averaged add, with
the squares of the weights: ``1 / (dof - 2)`` of a Fisher transform, ``1 / dof`` of a correlation.
Runs where a voxel has no value do not count there. Runs must lie on one grid.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis import Certainty, SeedMaps
from seedmap.connectivity import fisherz
from seedmap.errors import OptionError, SpaceMismatch
from seedmap.images import Grid, Space

__all__ = ["Weighting", "combine_maps", "combined_words"]

Weighting = Literal["dof", "frames", "concatenated"]


def combine_maps(runs: Sequence[SeedMaps], name: str, by: Weighting = "dof") -> SeedMaps:
    """Average the maps of runs, or correlate over all their frames.

    Parameters
    ----------
    runs
        Maps of the same seeds and measure.
    name
        What the combination is called: stands for the name of a run.
    by
        ``"dof"`` and ``"frames"`` average Fisher transforms, weighted by degrees of freedom where
        they are known, or by frames. ``"concatenated"`` correlates over all frames, as if the
        cleaned and standardised runs were one.

    Returns
    -------
    SeedMaps
        With the mask of all runs together; ``dof`` is that of the combination, NaN where one of
        the runs that count has none.

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
    joined = by == "concatenated"
    values = [_onto(run.r if joined else fisherz(run.r), run.space, grid) for run in runs]
    weights = [_onto(_weights(run, by), run.space, grid) for run in runs]
    counts = np.isfinite(values) & np.isfinite(weights)
    weight = np.where(counts, weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight /= weight.sum(axis=0)
    mean = np.sum(weight * np.where(counts, values, 0.0), axis=0)
    certainty = _certainty(runs, grid, weight, taken=0.0 if joined else 2.0)
    return _as_maps(runs, grid, mean if joined else np.tanh(mean), name, certainty)


def combined_words(runs: int, by: Weighting) -> str:
    """Say in a few words what a combination of some runs is."""
    if by == "concatenated":
        return f"correlation over the frames of {runs} runs, each cleaned and standardised"
    return f"mean of Fisher transforms over {runs} runs, weighted by {by}"


def _same(one: Space, other: Space) -> bool:
    """Whether two spaces have the same samples, whatever their masks."""
    if isinstance(one, Grid) and isinstance(other, Grid):
        return one.same_grid(other)
    return type(one) is type(other) and one.shape == other.shape


def _weights(run: SeedMaps, by: Weighting) -> Array:
    """Say how much each correlation of a run counts, (seeds, samples)."""
    if by == "dof" and run.certainty is not None:
        return _dof(run) - 2.0
    return np.full(run.r.shape, float(run.provenance.kept - (by == "concatenated")))


def _dof(run: SeedMaps) -> Array:
    return np.stack([run.values(seed, "dof") for seed in run.seeds]).astype(np.float64)


def _onto(values: Array, space: Space, grid: Space) -> NDArray[np.float64]:
    """Bring (seeds, samples) of one mask onto another of the same grid, NaN where it has none."""
    volume = space.unmask(np.asarray(values, dtype=np.float64), outside=np.nan)
    return np.ascontiguousarray(volume[grid.mask].T)


def _certainty(
    runs: Sequence[SeedMaps], grid: Space, weight: Array, taken: float
) -> Certainty | None:
    """Estimate how sure a weighted mean is of which run k has the variance 1 / (dof_k - taken)."""
    known = [run.certainty for run in runs if run.certainty is not None]
    if len(known) < len(runs):
        return None
    worth = np.stack([_onto(_dof(run) - taken, run.space, grid) for run in runs])
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.sum(np.where(weight == 0, 0.0, weight**2 / worth), axis=0)
        dof = taken + 1 / variance
    return Certainty(
        method=known[0].method,
        dof=dof.astype(np.float32),
        rank=sum(one.rank for one in known),
        white_dof=float(sum(one.white_dof for one in known)),
        noise_autocorrelation=(),
    )


def _as_maps(
    runs: Sequence[SeedMaps], grid: Space, r: Array, name: str, certainty: Certainty | None
) -> SeedMaps:
    """Put the combined correlations where maps of a run would be."""
    first = runs[0]
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
        quality=None,
        provenance=replace(
            first.provenance,
            source=name,
            keep=np.concatenate([run.provenance.keep for run in runs]),
            constant=int(np.isnan(r).all(axis=0).sum()),
            unusable=0,
        ),
    )
