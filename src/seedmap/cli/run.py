"""``seedmap run``: one run in, seed maps out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from seedmap.analysis import (
    NULL_SEEDS,
    Method,
    Preflight,
    SeedMaps,
    map_run,
    write_clusters,
)
from seedmap.cli.checks import CheckOptions, check_rows
from seedmap.cli.console import Screen
from seedmap.cli.help import group
from seedmap.cli.invocation import command_line, write_log
from seedmap.cli.options import (
    MeasureOptions,
    OutputOptions,
    RunOptions,
    SeedOptions,
    SurfaceOptions,
    changed_flags,
    check_threshold,
)
from seedmap.clusters import FoundClusters
from seedmap.errors import OptionError, TooFewFrames
from seedmap.figures import load_early
from seedmap.images import check_writable, open_run, staged_folder
from seedmap.report import write_report
from seedmap.spatial import open_atlas
from seedmap.temporal import Cleaning

__all__ = ["analyse", "clusters_of", "run", "write"]


def run(  # noqa: PLR0913  one group of options each
    bold: Path | None = None,
    /,
    *,
    seeds: Annotated[SeedOptions, Parameter(name="*", group=group("Seeds"))],
    from_store: Annotated[Path | None, Parameter(group=group("Run"))] = None,
    options: Annotated[RunOptions, Parameter(name="*", group=group("Run"))] = RunOptions(),  # noqa: B008
    cleaning: Annotated[Cleaning, Parameter(name="*", group=group("Cleaning"))] = Cleaning(),
    measure: Annotated[
        MeasureOptions, Parameter(name="*", group=group("Measure"))
    ] = MeasureOptions(),  # noqa: B008
    checks: Annotated[CheckOptions, Parameter(name="*", group=group("Checks"))] = CheckOptions(),  # noqa: B008
    surface: Annotated[
        SurfaceOptions, Parameter(name="*", group=group("Surfaces"))
    ] = SurfaceOptions(),  # noqa: B008
    output: Annotated[OutputOptions, Parameter(name="*", group=group("Output"))] = OutputOptions(),  # noqa: B008
) -> None:
    """Correlate seeds with every voxel or vertex of one run and write the maps.

    Example, the default mode network from the posterior cingulate cortex:

        seedmap run sub-01_desc-preproc_bold.nii.gz --seed PCC=0,-52,18
        --confounds sub-01_desc-confounds_timeseries.tsv

    Parameters
    ----------
    bold
        The run: a 4-D NIfTI image, a CIFTI dtseries or ptseries, or one hemisphere as GIFTI. Give
        both hemispheres by --left and --right.
    from_store
        Map a cleaned run that seedmap bids --store kept, in place of BOLD: a folder ..._bold.zarr. No image is read.
    """
    screen = Screen(output.quiet, output.verbose)
    check_threshold(output.parsed(), options.uncertainty, measure.measure)
    if from_store is not None:
        _check_store_alone(bold, options, cleaning, measure, surface)
    # The folder first: where it cannot be written to, that is said before the work is done.
    check_writable(output.out)
    if output.figures:
        load_early()
    if from_store is not None:
        found = checks.of_store(from_store, seeds.parsed(), options.uncertainty)
    else:
        given = surface.given(bold)
        threshold = output.parsed()
        given_z = threshold is not None and threshold.stat == "z"
        forming = threshold.value if threshold and given_z else Method.forming
        found = analyse(
            *(given, seeds, options, cleaning, screen, measure, surface.surfaces()),
            forming=forming,
            mapper=checks.mapper(),
        )
    found = _with_command(found)
    clusters = clusters_of(found, output)
    screen.maps(found)
    screen.clusters(clusters)
    screen.facts(check_rows(found))
    with staged_folder(output.out) as stage:
        paths = write(found, clusters, output, stage)
    screen.end(output.out, paths)
    write_log(output.out)


def analyse(  # noqa: PLR0913  one group of options each
    bold: Path | dict[str, Path],
    seeds: SeedOptions,
    options: RunOptions,
    cleaning: Cleaning,
    screen: Screen,
    measure: MeasureOptions = MeasureOptions(),  # noqa: B008
    surfaces: dict[str, Path] | None = None,
    forming: float = Method.forming,
    mapper: Callable[..., SeedMaps] = map_run,
) -> SeedMaps:
    """Compute the maps, with the plan before and a bar while the run is read."""
    opened = open_run(bold, options.t_r, surfaces)
    opened = replace(opened, placed=True) if measure.force else opened

    def on_ready(plan: Preflight) -> None:
        screen.plan(plan)
        refusal = plan.refusal()
        if refusal and options.uncertainty is not None and not measure.force:
            raise TooFewFrames(refusal)

    method = Method(
        cleaning=cleaning,
        smoothing_fwhm=options.smoothing_fwhm,
        measure=measure.measure,
        max_lag=measure.max_lag,
        uncertainty=options.uncertainty,
        fwe=NULL_SEEDS if measure.fwe else 0,
        forming=forming,
    )
    with screen.progress("Reading and smoothing", later=True) as progress:
        return mapper(
            options.inputs(opened),
            seeds.parsed(),
            method,
            options.limits(),
            progress=progress,
            on_ready=on_ready,
        )


def _with_command(found: SeedMaps) -> SeedMaps:
    """Note the command line in what was found."""
    return replace(found, provenance=replace(found.provenance, command=command_line()))


def _check_store_alone(bold: Path | None, *options: Any) -> None:
    """Refuse what can no longer be chosen of a run that is stored."""
    given = [str(bold)] if bold is not None else []
    given += changed_flags(*options)
    if given:
        msg = (
            f"--from-store: {', '.join(given)} given, but the stored run was read and cleaned before; "
            "leave that out, or map the images"
        )
        raise OptionError(msg)


def clusters_of(maps: SeedMaps, output: OutputOptions) -> FoundClusters:
    """Find the clusters, and open the atlas that names them if one is given."""
    atlas = None if output.atlas is None else open_atlas(output.atlas, maps.space)
    return maps.all_clusters(output.parsed(), atlas=atlas, min_cluster=output.min_cluster)


def write(
    maps: SeedMaps,
    clusters: FoundClusters,
    output: OutputOptions,
    stage: Path,
) -> list[Path]:
    """Write maps, clusters, figures and report into a stage; return where they will be."""
    paths = maps.save(stage) + write_clusters(maps, stage, clusters)
    if output.figures:
        paths += write_report(maps, stage, clusters=clusters)
    return [output.out / path.relative_to(stage) for path in paths]
