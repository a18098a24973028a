"""``seedmap run``: one run in, seed maps out."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seedmap.analysis import SeedMaps, seed_maps, sibling_mask
from seedmap.cli.options import OutputOptions, RunOptions, SeedOptions
from seedmap.cli.screen import Screen
from seedmap.images import open_run, staged_folder
from seedmap.report import write_report
from seedmap.temporal import Cleaning

__all__ = ["analyse", "run", "write"]


def run(
    bold: Path,
    /,
    *,
    seeds: Annotated[SeedOptions, Parameter(name="*", group="Seeds")],
    options: Annotated[RunOptions, Parameter(name="*", group="Run")] = RunOptions(),  # noqa: B008
    cleaning: Annotated[Cleaning, Parameter(name="*", group="Cleaning")] = Cleaning(),  # noqa: B008
    output: Annotated[OutputOptions, Parameter(name="*", group="Output")] = OutputOptions(),  # noqa: B008
) -> None:
    """Correlate seeds with every voxel of one run and write the maps.

    Example, the default mode network from the posterior cingulate cortex:

        seedmap run sub-01_desc-preproc_bold.nii.gz --seed PCC=0,-52,18
        --confounds sub-01_desc-confounds_timeseries.tsv

    Parameters
    ----------
    bold
        The run: a 4-D NIfTI image.
    """
    screen = Screen(output.quiet, output.verbose)
    maps = analyse(bold, seeds, options, cleaning, screen)
    screen.maps(maps)
    screen.end(output.out, write(maps, output))


def analyse(
    bold: Path, seeds: SeedOptions, options: RunOptions, cleaning: Cleaning, screen: Screen
) -> SeedMaps:
    """Compute the maps, with a bar while the run is read."""
    opened = open_run(bold, options.t_r)
    mask = options.mask_img if options.mask_img is not None else sibling_mask(opened.source)
    with screen.progress("Reading and smoothing") as progress:
        maps = seed_maps(
            opened,
            seeds.parsed(),
            confounds=options.table(),
            sample_mask=options.kept(opened),
            mask_img=mask,
            cleaning=cleaning,
            smoothing_fwhm=options.smoothing_fwhm,
            n_jobs=options.n_jobs,
            progress=progress,
        )
    command = shlex.join(["seedmap", *sys.argv[1:]])
    return replace(maps, provenance=replace(maps.provenance, command=command))


def write(maps: SeedMaps, output: OutputOptions) -> list[Path]:
    """Write maps, figures and report, all or nothing; return the paths."""
    with staged_folder(output.out) as stage:
        paths = maps.save(stage)
        if output.figures:
            paths += write_report(maps, stage, threshold=output.threshold)
        return [output.out / path.relative_to(stage) for path in paths]
