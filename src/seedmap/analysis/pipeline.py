"""One run, from files to maps: open, smooth, clean, correlate."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array, Keep, zscored
from seedmap.analysis.familywise import NullSeeds
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.measures import Measured, SampledSeries, measure_of
from seedmap.analysis.options import (
    FWHM,
    NULL_SEEDS,
    Inputs,
    Limits,
    Measure,
    Method,
    Uncertainty,
    refuse_misplaced,
)
from seedmap.analysis.prepare import Preflight, Prepared, prepare, read
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.quality import quality_of
from seedmap.analysis.uncertainty import (
    Certainty,
    ErrorBars,
    warn_of_certainty,
)
from seedmap.connectivity import correlate
from seedmap.denoising import Strategy
from seedmap.errors import SeedError, SeedmapWarning, TooFewFrames
from seedmap.seeds import (
    AnySeed,
    PlacedSeed,
    SeedFacts,
    SeriesSeed,
    near_each,
    warn_of_low_coverage,
)
from seedmap.spatial import Extracted
from seedmap.temporal import Cleaning

__all__ = ["map_run", "maps_of", "seed_maps"]

# A few samples whose cleaned series are kept for a look at the data.
LOOK_AT = 5
# Samples, spread over all, that the noise's autocorrelation is estimated from.
SEEN = 2000


def seed_maps(  # noqa: PLR0913  the one call that does the whole job
    bold: Any,
    seeds: AnySeed | Sequence[AnySeed],
    *,
    confounds: Any = None,
    strategy: Strategy | str | Path | None = None,
    confound_columns: Sequence[str] = (),
    sample_mask: ArrayLike | None = None,
    mask_img: Any = None,
    t_r: float | None = None,
    surfaces: Mapping[str, Any] | None = None,
    cleaning: Cleaning | None = None,
    smoothing_fwhm: FWHM = Method.smoothing_fwhm,
    measure: Measure = Method.measure,
    max_lag: float = Method.max_lag,
    uncertainty: Uncertainty | None = Method.uncertainty,
    fwe: bool | int = False,
    forming: float = Method.forming,
    degree: bool = False,
    n_jobs: int | None = None,
    max_memory: float | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_ready: Callable[[Preflight], None] | None = None,
    **misplaced: Any,
) -> SeedMaps:
    """Correlate seeds with every voxel of a run.

    The run is read once. Seeds are extracted from it as it is; the brain is smoothed; both are
    cleaned by the same operator and correlated over the frames that stay.

    Parameters
    ----------
    bold
        Path of a 4-D image, nibabel image, list of 3-D ones, surfaces by hemisphere as
        ``{"left": path, "right": path}``, a CIFTI series, or an opened `Run`: see `open_run`.
    seeds
        One seed or several: `Sphere`, `MaskSeed`, `Region`, `SeriesSeed`, or text as
        `parse_seed` reads it.
    confounds
        Nuisance series to regress out, one row a frame: path of a table, array, data frame, a
        list of these, or None.
    strategy
        Which columns of fMRIPrep's table are regressed out and which frames stay: a name as
        ``"36P"`` or ``"24P_gsr_scrub"`` (see `seedmap.denoising.named`), a YAML file, or a
        `seedmap.denoising.Strategy`. It chooses from ``confounds`` if these are given, else from
        the table beside the run; ``"none"`` takes nothing. Frames that ``sample_mask`` leaves out
        stay out.
    confound_columns
        Names of the columns that are taken of the confounds, else of the table beside the run, or
        of what the strategy chose, ``*`` standing for anything; all of the confounds where none
        is given.
    sample_mask
        Frames that stay, as booleans of shape (frames,) or as indices; None keeps all. Never
        modified.
    mask_img
        Voxels to correlate with: path or image on the run's grid; ``"background"``, ``"epi"``,
        ``"whole-brain-template"``, ``"gm-template"`` or ``"wm-template"``. None takes the
        brain mask that fMRIPrep writes beside a run, else ``"background"``, nilearn's default.
    t_r
        Repetition time [s]. None takes that of the JSON beside the run, else of its header.
    surfaces
        Where the vertices of a surface run lie, by hemisphere: surface files or nilearn's meshes.
        Needed to smooth on a surface and for seeds by coordinates; None knows fsaverage5's.
    cleaning
        How the run is cleaned; None is ``Cleaning()``, the reference example's.
    smoothing_fwhm
        Full width at half maximum of the Gaussian that smooths the brain [mm]; None or 0 for none.
    measure
        What ``r`` holds. ``"correlation"``, Pearson's; ``"spearman"``, that of ranks;
        ``"partial"``, Pearson's after the other seeds were projected out of seed and samples;
        ``"semipartial"``, ... out of the seed only; ``"regression"``, the partial correlation,
        with the weights of all seeds together as ``beta`` (standardised) and ``b`` (unit of the
        samples over unit of the seed); ``"lagged"``, the strongest correlation at a delay, with
        the delay as ``lag`` (no p belongs to the best of many lags).
    max_lag
        The longest delay either way that ``measure="lagged"`` looks at [s].
    uncertainty
        How sure the maps are: ``"operator"`` follows the noise of every voxel through the
        cleaning; ``"xdf"`` (Afyouni et al. 2019) and ``"naive"`` (as if frames were independent)
        are there for comparison and are too sure of themselves after a filter; None gives r and
        fisherz only.
    fwe
        Whether to correct for the whole map: True draws 1000 null seeds for each seed, a number so
        many. Gives the map ``pfwe`` and `p_cluster` of clusters beyond ``forming``.
    forming
        ``|z|`` beyond which samples belong to clusters that have a ``p_cluster``; 3.29 is p < .001.
    degree
        Whether to make the map of degree, too: each sample's mean correlation with all samples, with
        the share of each seed's map that it explains (``maps.degree``).
    n_jobs
        Threads that may be busy at once; None or -1 for as many as there are processors.
    max_memory
        Most memory that the process should take: bytes, or text such as ``"2GB"``. A run whose
        series would not fit is held in a temporary file, with the same numbers; None sets no limit.
    progress
        Called as ``progress(done, total)`` while frames are read, from any thread.
    on_ready
        Called once with what the analysis will leave and cost, before the run is read; what it
        raises stops the analysis.
    **misplaced
        None: options of the cleaning that are given here are refused, with where they belong.

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
    refuse_misplaced(misplaced)
    inputs = Inputs(
        bold,
        confounds=confounds,
        strategy=strategy,
        confound_columns=confound_columns,
        sample_mask=sample_mask,
        mask_img=mask_img,
        t_r=t_r,
        surfaces=surfaces,
    )
    method = Method(
        cleaning=cleaning or Method.cleaning,
        smoothing_fwhm=smoothing_fwhm,
        measure=measure,
        max_lag=max_lag,
        uncertainty=uncertainty,
        fwe=NULL_SEEDS if fwe is True else int(fwe),
        forming=forming,
    )
    limits = Limits(n_jobs=n_jobs, max_memory=max_memory)
    mapper = map_run
    if degree:
        from seedmap.analysis.degree import map_run_with_degree as mapper
    return mapper(inputs, seeds, method, limits, progress=progress, on_ready=on_ready)


def map_run(
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method,
    limits: Limits,
    *,
    progress: Callable[[int, int], None] | None = None,
    on_ready: Callable[[Preflight], None] | None = None,
) -> SeedMaps:
    """Do what `seed_maps` does, with the options put together."""
    # Threads of BLAS would fight with ours, and on small matrices cost more than they bring.
    with threadpool_limits(1, user_api="blas"):
        prepared = prepare(inputs, seeds, method, limits)
        if on_ready is not None:
            on_ready(prepared.preflight())
        for note in prepared.notes:
            warnings.warn(note, SeedmapWarning, stacklevel=3)
        return maps_of(prepared, read(prepared, progress, for_one_use=True))


def maps_of(prepared: Prepared, extracted: Extracted) -> SeedMaps:
    """Clean, correlate and test what was read; what was read for one use is used up."""
    seeds, grid = prepared.seeds, extracted.grid
    facts = tuple(seed.facts(grid) for seed in seeds)
    warn_of_low_coverage(facts)
    raw = _raw_seed_series(seeds, extracted, prepared.operator.keep)
    cleaned_seeds = prepared.operator.on_kept @ raw
    sampled = SampledSeries(extracted.series, SEEN)
    near = near_each(seeds, grid, prepared.method.smoothing_fwhm)
    with threadpool_limits(1, user_api="blas"):  # for whoever does not come by `map_run`
        nulls = _null_seeds(prepared, extracted, raw, near)
        found, certainty, constant = _found(prepared, extracted, raw, sampled, nulls)
    shown = np.linspace(0, sampled.columns.size - 1, LOOK_AT + 2).astype(np.int64)[1:-1]
    samples = sampled.columns[shown]
    few = sampled.series[:, shown] + extracted.reference[samples]
    maps = SeedMaps(
        seeds=tuple(seed.name for seed in seeds),
        space=grid,
        r=found.r,
        seed_series=zscored(cleaned_seeds),
        sample_series=zscored(prepared.operator.on_kept @ few),
        sample_indices=samples,
        provenance=_provenance(prepared, facts, extracted, constant, found),
        near=near,
        certainty=certainty,
        extra=found.extra,
        familywise=None if nulls is None else nulls.end(grid),
        quality=quality_of(prepared, extracted, sampled),
    )
    if certainty is not None:
        warn_of_certainty(certainty, prepared.operator.keep, maps.seeds)
    return maps


def _found(
    prepared: Prepared,
    extracted: Extracted,
    raw: Array,
    sampled: SampledSeries,
    nulls: NullSeeds | None,
) -> tuple[Measured, Certainty | None, NDArray[np.bool_]]:
    """Go through the samples once: the measure, how sure it is, and which are constant."""
    method, operator, t_r = prepared.method, prepared.operator, prepared.run.timing.t_r
    measure = measure_of(method, operator, [seed.name for seed in prepared.seeds], t_r)
    kind = method.estimates
    measure.begin(raw, extracted.reference)
    bars = None
    if kind is not None:
        bars = ErrorBars(kind, operator, extracted.series, joint=method.joint)
        bars.begin(raw, extracted.reference)
    present = [one for one in (measure, bars, nulls, sampled) if one is not None]

    def on_block(part: slice, series: NDArray[np.float32]) -> None:
        for one in present:
            one.block(part, series)

    found = correlate(
        operator.cleaner(extracted.reference),
        extracted.series,
        raw,
        prepared.limits.threads,
        on_block,
        extracted.buffer,
    )
    found.r[:, extracted.unusable] = np.nan
    _check_left(prepared, found.r, found.constant | extracted.unusable)
    result = measure.end(found)
    certainty = None if bars is None else bars.end(result.tested, sampled.series)
    return result, certainty, found.constant


def _null_seeds(
    prepared: Prepared, extracted: Extracted, raw: Array, near: Sequence[NDArray[np.int64]]
) -> NullSeeds | None:
    """Draw the null seeds if family-wise error is asked for; samples not finite are not looked at."""
    method = prepared.method
    if not method.fwe:
        return None
    nulls = NullSeeds(
        *(prepared.operator, extracted.series, method.fwe, method.forming), joint=method.joint
    )
    unusable = np.flatnonzero(extracted.unusable)
    nulls.begin(raw, extracted.reference, [np.union1d(one, unusable) for one in near])
    return nulls


def _check_left(prepared: Prepared, r: Array, constant: NDArray[np.bool_]) -> None:
    """Refuse maps without one finite value: cleaning left nothing of the seed or of the brain."""
    likely = np.argmin(constant)  # looking at one sample first spares a walk through all maps
    for seed, values in zip(prepared.seeds, r, strict=True):
        if not (np.isfinite(values[likely]) or np.isfinite(values).any()):
            kept, rank = int(prepared.operator.keep.sum()), prepared.operator.confound_rank
            msg = (
                f"{prepared.run.source}: cleaning leaves nothing to correlate with seed {seed.name!r} "
                f"({kept} frames kept, {rank} directions of confounds); use fewer confounds, a wider "
                "band or a longer run, and no confound that is the seed itself"
            )
            raise TooFewFrames(msg)


def _raw_seed_series(seeds: Sequence[PlacedSeed], extracted: Extracted, keep: Keep) -> Array:
    """Put the seeds' uncleaned series side by side, (kept, seeds), in the seeds' order.

    Raises
    ------
    SeedError
        If one is constant, or not finite in a kept frame.
    """
    sampled = zip(extracted.seed_series.T, extracted.seed_gaps.tolist(), strict=True)
    columns = []
    for seed in seeds:
        own = seed.seed.values[keep] if isinstance(seed.seed, SeriesSeed) else None
        column, missing = next(sampled) if own is None else (own, 0)
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


def _provenance(
    prepared: Prepared,
    facts: tuple[SeedFacts, ...],
    extracted: Extracted,
    constant: NDArray[np.bool_],
    found: Measured,
) -> Provenance:
    run, table, operator = prepared.run, prepared.table, prepared.operator
    method = prepared.method
    return Provenance(
        source=run.source,
        t_r=run.timing.t_r,
        t_r_source=run.timing.source,
        keep=operator.keep,
        cleaning=method.cleaning,
        smoothing_fwhm=method.smoothing_fwhm,
        confounds=table.names if table else (),
        confounds_source=table.source if table else "",
        confound_rank=operator.confound_rank,
        rank=operator.rank,
        mask_source=prepared.mask_source,
        seeds=facts,
        constant=int(np.count_nonzero(constant & ~extracted.unusable)),
        unusable=int(np.count_nonzero(extracted.unusable)),
        codes=run.codes,
        measure=method.measure,
        max_lag=method.max_lag if method.measure == "lagged" else None,
        vif=() if found.gram is None else tuple(float(v) for v in found.gram.vif),
        condition=None if found.gram is None else found.gram.condition,
        others=run.others,
        strategy=prepared.strategy,
        notes=prepared.notes,
    )
