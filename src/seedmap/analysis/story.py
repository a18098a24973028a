"""The story of one run, top to bottom: open, smooth, clean, correlate."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._checks import Array, Keep, parse_sample_mask
from seedmap.analysis.certainty import (
    Certainty,
    Estimator,
    Uncertainty,
    check_uncertainty,
    noise_told,
    warn_of_few_dof,
)
from seedmap.analysis.door import (
    AnySeed,
    check_timing,
    find_mask,
    mask_source,
    parse_n_jobs,
    parse_seeds,
    seed_facts,
    warn_of_low_coverage,
)
from seedmap.analysis.maps import Provenance, SeedFacts, SeedMaps
from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.connectivity import correlate
from seedmap.errors import SeedError, SeedmapWarning
from seedmap.images import Grid, Run, open_run
from seedmap.seeds import Seed, SeriesSeed
from seedmap.spatial import Extracted, SeedWeights, extract, fwhm_to_sigma, neighbourhood
from seedmap.temporal import Cleaning, CleaningMatrices, cleaning_matrices, own_coordinates

__all__ = ["seed_maps"]

# A few samples whose cleaned series are kept for a look at the data.
LOOK_AT = 5


def seed_maps(  # noqa: PLR0913  the one call that does the whole job
    bold: Any,
    seeds: AnySeed | Sequence[AnySeed],
    *,
    confounds: Any = None,
    sample_mask: ArrayLike | None = None,
    mask_img: Any = None,
    t_r: float | None = None,
    cleaning: Cleaning | None = None,
    smoothing_fwhm: float | Sequence[float | None] | None = 6.0,
    uncertainty: Uncertainty | None = "operator",
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SeedMaps:
    """Correlate seeds with every voxel of a run.

    The run is read once. Seeds listen to it as it is; the brain is smoothed; both are cleaned by
    the same operator and correlated over the frames that stay.

    Parameters
    ----------
    bold
        Path of a 4-D image, nibabel image, list of 3-D ones, or an opened `Run`.
    seeds
        One seed or several: `Sphere`, `MaskSeed`, `Region`, `SeriesSeed`, or text as
        `parse_seed` reads it.
    confounds
        Nuisance series to regress out, one row a frame: path of a table, array, data frame, a
        list of these, or None.
    sample_mask
        Frames that stay, as booleans of shape (frames,) or as indices; None keeps all. Never
        modified.
    mask_img
        Voxels to correlate with: path or image on the run's grid; ``"background"``, ``"epi"``,
        ``"whole-brain-template"``, ``"gm-template"`` or ``"wm-template"``; None is
        ``"background"``, nilearn's default.
    t_r
        Repetition time [s]. None takes that of the JSON beside the run, else of its header.
    cleaning
        How the run is cleaned; None is ``Cleaning()``, the reference example's.
    smoothing_fwhm
        Full width at half maximum of the Gaussian that smooths the brain [mm]; None or 0 for none.
    uncertainty
        How sure the maps are: ``"operator"`` follows the noise of every voxel through the
        cleaning; ``"xdf"`` (Afyouni et al. 2019) and ``"naive"`` (as if frames were independent)
        are there for comparison and are too sure of themselves after a filter; None gives r and
        fisherz only.
    n_jobs
        Threads that may be busy at once; None or -1 for as many as there are processors.
    progress
        Called as ``progress(done, total)`` while frames are read, from any thread.

    Returns
    -------
    SeedMaps
        One map a seed, with the seeds' cleaned series.

    Raises
    ------
    SeedmapError
        If the input cannot be used: see `seedmap.errors`. Each is also the builtin error that it
        stands for.

    References
    ----------
    Biswal et al. (1995), Magn. Reson. Med. 34, 537, doi:10.1002/mrm.1910340409.
    """
    method = check_uncertainty(uncertainty)
    run = open_run(bold, t_r)
    chosen = parse_seeds(seeds, run)
    jobs = parse_n_jobs(n_jobs)
    cleaning = cleaning or Cleaning()
    check_timing(run, cleaning)
    keep = parse_sample_mask(sample_mask, run.frames)
    given = read_confounds(confounds)
    table = None if given is None else given.for_frames(keep)
    matrices = cleaning_matrices(cleaning, keep, run.timing.t_r, table.values if table else None)
    sigma = fwhm_to_sigma(smoothing_fwhm, run.space.voxel_sizes)
    weights = [seed.weights(run.space) for seed in chosen if not isinstance(seed, SeriesSeed)]
    mask = find_mask(mask_img, run, keep)
    if mask is not None:
        seed_facts(chosen, weights, run.space.within(mask))  # refuses before anything is read
    on_frame = _counter(progress, int(keep.sum()))
    extracted = extract(
        run, keep, mask=mask, sigma=sigma, seeds=weights, n_jobs=jobs, on_frame=on_frame
    )
    facts = seed_facts(chosen, weights, extracted.grid)
    warn_of_low_coverage(facts)
    near = tuple(_near(chosen, weights, extracted.grid, smoothing_fwhm))
    prepared = _Prepared(
        run, chosen, facts, near, cleaning, smoothing_fwhm, mask_img, table, matrices, method
    )
    return _correlated(prepared, extracted, jobs)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What is known before the run is read."""

    run: Run
    seeds: tuple[Seed | SeriesSeed, ...]
    facts: tuple[SeedFacts, ...]
    near: tuple[NDArray[np.int64], ...]
    cleaning: Cleaning
    smoothing_fwhm: float | Sequence[float | None] | None
    mask_img: Any
    table: ConfoundTable | None
    matrices: CleaningMatrices
    uncertainty: Uncertainty | None


def _correlated(prepared: _Prepared, extracted: Extracted, jobs: int) -> SeedMaps:
    """Clean and correlate what was extracted."""
    matrices, seeds = prepared.matrices, prepared.seeds
    raw = _raw_seed_series(seeds, extracted, matrices.keep)
    coordinates = own_coordinates(matrices.on_kept)
    dof = np.empty((len(seeds), extracted.grid.n_samples), dtype=np.float32)
    estimator, on_block = None, None
    if prepared.uncertainty is not None:
        estimator = Estimator(prepared.uncertainty, matrices, prepared.run.timing.t_r)
        on_block = estimator.listen(raw, dof, extracted.reference)
    found = correlate(coordinates.into, extracted.series, raw, extracted.reference, jobs, on_block)
    found.r[:, extracted.unusable] = np.nan
    samples = np.linspace(0, extracted.grid.n_samples - 1, LOOK_AT + 2).astype(np.int64)[1:-1]
    few = extracted.series[:, samples] + extracted.reference[samples]
    maps = SeedMaps(
        seeds=tuple(seed.name for seed in seeds),
        space=extracted.grid,
        r=found.r,
        seed_series=_zscored(matrices.on_kept @ raw),
        sample_series=_zscored(matrices.on_kept @ few),
        sample_indices=samples,
        provenance=_provenance(prepared, coordinates.rank, extracted, found.constant),
        near=prepared.near,
        certainty=_certainty(prepared, estimator, dof, extracted),
    )
    if maps.certainty is not None:
        warn_of_few_dof(maps.certainty, maps.seeds)
    return maps


def _certainty(
    prepared: _Prepared,
    estimator: Estimator | None,
    dof: NDArray[np.float32],
    extracted: Extracted,
) -> Certainty | None:
    if estimator is None or prepared.uncertainty is None:
        return None
    return Certainty(
        method=prepared.uncertainty,
        dof=dof,
        rank=estimator.tables.rank,
        white_dof=estimator.tables.white_dof,
        noise_autocorrelation=noise_told(estimator, extracted.series),
    )


def _near(
    seeds: Sequence[Seed | SeriesSeed],
    weights: Sequence[SeedWeights],
    grid: Grid,
    smoothing_fwhm: float | Sequence[float | None] | None,
) -> Iterator[NDArray[np.int64]]:
    """List each seed's own neighbourhood: its voxels and one smoothing width around them."""
    reach = max((width or 0.0 for width in np.atleast_1d(smoothing_fwhm or 0.0)), default=0.0)
    rest = iter(weights)
    for seed in seeds:
        if isinstance(seed, SeriesSeed):
            yield np.empty(0, dtype=np.int64)
        else:
            yield neighbourhood(grid, next(rest).voxels, float(reach))


def _raw_seed_series(seeds: Sequence[Seed | SeriesSeed], extracted: Extracted, keep: Keep) -> Array:
    """Put the seeds' uncleaned series side by side, (kept, seeds), in the seeds' order.

    Raises
    ------
    SeedError
        If one is constant, or not finite in a kept frame.
    """
    heard, gaps = iter(extracted.seed_series.T), iter(extracted.seed_gaps.tolist())
    columns = []
    for seed in seeds:
        in_space = not isinstance(seed, SeriesSeed)
        column = next(heard) if in_space else seed.values[keep]
        missing = next(gaps) if in_space else 0
        if not np.isfinite(column).all():
            msg = (
                f"seed {seed.name!r}: no finite value in {np.count_nonzero(~np.isfinite(column))} of "
                f"{column.size} frames; censor these frames, or mend the seed"
            )
            raise SeedError(msg)
        if np.ptp(column) == 0:
            msg = (
                f"seed {seed.name!r}: its series is constant ({column[0]:g} in every frame), so nothing "
                "correlates with it. Does it lie in the brain?"
            )
            raise SeedError(msg)
        if missing:
            msg = f"seed {seed.name!r}: {missing} values of its voxels are not finite and were left out"
            warnings.warn(msg, SeedmapWarning, stacklevel=4)
        columns.append(column)
    return np.stack(columns, axis=1)


def _zscored(series: Array) -> Array:
    """Centre columns and divide by their standard deviation (n - 1); 0 for constants."""
    centred = series - series.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    return centred / np.where(spread > 0, spread, 1.0)


def _counter(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None] | None:
    """Turn "one more frame" into "this many of so many"."""
    if progress is None:
        return None
    numbers = itertools.count(1)
    return lambda: progress(next(numbers), total)


def _provenance(
    prepared: _Prepared, rank: int, extracted: Extracted, constant: NDArray[np.bool_]
) -> Provenance:
    run, table, matrices = prepared.run, prepared.table, prepared.matrices
    width = prepared.smoothing_fwhm
    return Provenance(
        source=run.source,
        t_r=run.timing.t_r,
        t_r_source=run.timing.source,
        keep=matrices.keep,
        cleaning=prepared.cleaning,
        smoothing_fwhm=tuple(width) if isinstance(width, Sequence) else width,
        confounds=table.names if table else (),
        confounds_source=table.source if table else "",
        confound_rank=matrices.confound_rank,
        rank=rank,
        mask_source=mask_source(prepared.mask_img),
        seeds=prepared.facts,
        constant=int(np.count_nonzero(constant & ~extracted.unusable)),
        unusable=int(np.count_nonzero(extracted.unusable)),
        codes=run.codes,
    )
