"""``seedmap pack``: the stored runs of a study, put together for maps over people."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seedmap.cli.console import Screen
from seedmap.cli.group_options import RunChoice
from seedmap.cli.help import group
from seedmap.group.packs import pack_study
from seedmap.spatial import parse_memory

__all__ = ["pack"]


def pack(
    results: Path,
    /,
    *,
    choice: Annotated[RunChoice, Parameter(name="*", group=group("Which runs"))] = RunChoice(),  # noqa: B008
    max_memory: str | None = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
) -> None:
    """Put the stored runs of a study together, so that maps over people are made at once.

    `seedmap explore RESULTS --group` does this by itself where it is needed. Example:

        seedmap pack derivatives/seedmap

    Parameters
    ----------
    results
        The folder that seedmap bids --store wrote.
    max_memory
        Most memory that the pack should take, such as 2GB; a larger one has 8 bits a number and not 16. Most of the machine's if not given.
    quiet
        Print nothing but errors.
    """
    screen = Screen(quiet)
    with screen.progress("Packing") as progress:
        found = pack_study(results, choice.choice(), progress, memory=parse_memory(max_memory))
    runs = found.pack.runs
    people = len({run.person for run in runs})
    size = sum(path.stat().st_size for path in found.pack.path.rglob("*") if path.is_file())
    screen.facts(
        [
            ("Pack", f"{len(runs)} runs of {people} participants, {found.strategy}"),
            ("Samples", f"{found.pack.space.n_samples:,} {found.pack.space.elements}"),
            ("Numbers", str(found.pack.smooth.dtype)),
            ("Size", f"{size / 1e6:,.0f} MB"),
            ("Made", f"now: {found.why}" if found.why else "before, and is up to date"),
            ("File", str(found.pack.path)),
        ]
    )
