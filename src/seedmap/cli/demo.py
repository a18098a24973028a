"""``seedmap demo``: the main job on a run that is made here, with a known answer."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from seedmap.analysis import SeedMaps
from seedmap.cli.console import Screen
from seedmap.cli.help import group
from seedmap.cli.options import OutputOptions, RunOptions, SeedOptions
from seedmap.cli.run import analyse, clusters_of, write
from seedmap.datasets import Phantom, make_phantom
from seedmap.images import staged_folder, write_text
from seedmap.temporal import Cleaning

__all__ = ["demo"]

SEED = "PCC=0,-52,18"
DEFAULT = OutputOptions(out=Path("demo-output"))


def demo(
    *, output: Annotated[OutputOptions, Parameter(name="*", group=group("Output"))] = DEFAULT
) -> None:
    """Make a small run with a known answer, find its default mode network, write everything.

    Needs no network and no data of your own. Example:

        seedmap demo --out demo-output
    """
    screen = Screen(output.quiet, output.verbose)
    with screen.progress("Making a phantom run"):
        phantom = make_phantom(output.out / "phantom")
    bold, table = phantom.func[0], phantom.confounds[0]
    kept = phantom.folder / "kept-volumes.txt"
    write_text(kept, "\n".join(str(int(stays)) for stays in phantom.truth.sample_masks[0]) + "\n")
    options = RunOptions(confounds=(table,), sample_mask=kept)
    command = ["seedmap", "run", bold, "--seed", SEED, "--confounds", table, "--sample-mask", kept]
    line = shlex.join([*map(str, command), "--out", str(output.out)])
    maps = analyse(bold, SeedOptions(seed=(SEED,)), options, Cleaning(), screen)
    assert isinstance(maps, SeedMaps)
    maps = replace(maps, provenance=replace(maps.provenance, command=line))
    screen.maps(maps)
    screen.facts([("", ""), *recovery(maps, phantom), ("", "")])
    with staged_folder(output.out) as stage:
        paths = write(maps, clusters_of(maps, output), output, stage)
    screen.end(output.out, paths)
    screen.line("Same by", line)


def recovery(maps: SeedMaps, phantom: Phantom) -> list[tuple[str, str]]:
    """Compare what was planted with what was found, region by region."""
    truth = phantom.truth
    found = maps.space.unmask(maps.values("PCC", "r"))
    rows = [("Region", "planted  expected  found   (expected: planted, less the voxels' noise)")]
    errors = []
    for region in truth.regions[1:]:
        planted, r = truth.planted_r("PCC", region.name), truth.region_mean(found, region.name)
        expected = truth.expected_r("PCC", region.name)
        errors.append(abs(r - expected))
        # Adding zero after rounding turns a negative zero into a plain one.
        rounded = [round(value, 2) + 0.0 for value in (planted, expected, r)]
        rows.append((region.name, "{:7.2f}  {:8.2f}  {:5.2f}".format(*rounded)))
    rows.append(
        ("Error", f"mean |found - expected| {np.mean(errors):.3f}, largest {max(errors):.3f}")
    )
    return rows
