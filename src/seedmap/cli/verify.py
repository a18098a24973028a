"""``seedmap verify``: check the error bars on your own run."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from seedmap.analysis import Limits, Method
from seedmap.cli.console import Screen
from seedmap.cli.help import group
from seedmap.cli.invocation import command_line
from seedmap.cli.options import RunOptions, SeedOptions
from seedmap.images import check_writable, open_run
from seedmap.temporal import Cleaning
from seedmap.verify import Verification, verdict, verify_run, write_verification

__all__ = ["verify"]

NOT_HELD = 4  # exit code


def verify(  # noqa: PLR0913  each is a flag or a group of flags
    bold: Path,
    /,
    *,
    seeds: Annotated[SeedOptions, Parameter(name="*", group=group("Seeds"))],
    options: Annotated[RunOptions, Parameter(name="*", group=group("Run"))] = RunOptions(),  # noqa: B008
    cleaning: Annotated[Cleaning, Parameter(name="*", group=group("Cleaning"))] = Cleaning(),
    pairs: int = 10_000,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("seedmap-results"),
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
) -> int:
    """Check on your run that z and p mean what they say.

    Draws noise like the run's through the run's own cleaning, counts false positives, sets the
    run's halves against each other, and compares r with nilearn's. Leaves with exit code 4 if
    something does not hold. Takes the options of `seedmap run`. Example:

        seedmap verify sub-01_desc-preproc_bold.nii.gz --seed PCC=0,-52,18
        --confounds sub-01_desc-confounds_timeseries.tsv

    Parameters
    ----------
    bold
        The run: a 4-D NIfTI image.
    pairs
        Null pairs to draw.
    out
        Folder for the page and the numbers; made if it is not there.
    quiet
        Print nothing but errors.
    """
    screen = Screen(quiet)
    run = open_run(bold, options.t_r)
    check_writable(out)
    with screen.progress("Verifying"):
        found = verify_run(
            options.inputs(run),
            seeds.parsed(),
            Method(cleaning=cleaning, smoothing_fwhm=options.smoothing_fwhm),
            Limits(n_jobs=options.n_jobs),
            pairs=pairs,
        )
    found = _with_command(found)
    screen.facts(rows(found))
    screen.end(out, write_verification(found, out))
    return 0 if found.passed else NOT_HELD


def _with_command(found: Verification) -> Verification:
    command = command_line()
    source = replace(found.maps.provenance, command=command)
    return replace(found, maps=replace(found.maps, provenance=source))


def rows(found: Verification) -> list[tuple[str, str]]:
    """Say what was found, in rows of a name and a fact."""
    lines = ["           p<.05  (95 % interval)    p<.001   SD of z"]
    for one in found.rates:
        rate, low, high = (100 * value for value in one.rates[0.05])
        small = 100 * one.rates[0.001][0]
        interval = f"({low:5.2f} to {high:5.2f})"
        lines.append(f"{one.method:9} {rate:5.2f} % {interval}  {small:6.3f} %   {one.spread:5.2f}")
        if one.unanswered:
            lines.append(f"          {one.unanswered:.1%} got no answer")
    said = [(f"{found.rates[0].pairs:,} nulls", "\n".join(lines))]
    said.append(
        (
            f"Planted {found.planted.rho:g}",
            f"mean r {found.planted.r:.3f}, {found.planted.found:.0%} found at p < .05; "
            f"{found.planted.covered:.1%} of 95 % intervals hold it",
        )
    )
    for seed in found.smallest:
        needed = f"|r| above {seed.r[0.05]:.2f} at p < .05, {seed.r[0.001]:.2f} at p < .001"
        naive = f"{seed.naive[0.05]:.2f} and {seed.naive[0.001]:.2f}"
        fact = f"{needed} (dof {seed.dof:.0f}; were frames independent, {naive})"
        said.append((seed.seed, fact))
    parity = found.parity
    if parity.samples:
        same = "the same" if parity.same else "NOT the same"
        fact = f"{same} r in {parity.samples} voxels, to {parity.largest:.0e}"
        said.append(("nilearn", f"{fact} ({parity.note})" if parity.note else fact))
    else:
        said.append(("nilearn", f"not compared: {parity.note}"))
    halves = found.halves
    if np.isfinite(halves.error):
        spread = f"(5 to 95 % of seeds: {halves.low:.2f} to {halves.high:.2f})"
        said.append(
            ("Halves", f"differ by {halves.error:.2f} standard errors {spread}; 1 is right")
        )
    said.append(("Verdict", verdict(found)))
    return said
