"""The part of a participant's page that lists all maps in the folder, whichever call made them."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seedmap.report.pictures import Picture, load_picture
from seedmap.report.rendering import data_uri, render
from seedmap.report.words import number

__all__ = ["MapRow", "find_maps", "with_all_maps"]

SECTION = re.compile(r"<!-- all maps -->.*<!-- end of all maps -->\n?", re.DOTALL)
NAME = re.compile(r"(.+?)_seed-[^_]+_stat-r(_desc-[^_]+)?_statmap\.json")


@dataclass(frozen=True)
class MapRow:
    """One map of r, with what its sidecar and its neighbours show."""

    run: str
    """The run, or the combination of runs."""

    seed: str
    """Name of the seed."""

    definition: str
    """What the seed is."""

    strategy: str
    """How the run was denoised."""

    lowest: float
    """Smallest r."""

    highest: float
    """Largest r."""

    files: tuple[tuple[str, str], ...]
    """The statistics and their files, relative to the page."""

    picture: Picture | None
    """The map drawn, unless the page shows it elsewhere or nobody drew it."""


def find_maps(out: Path, fresh: Path, label: str) -> list[MapRow]:
    """List a participant's maps: those of earlier calls, and those that are about to be moved.

    Parameters
    ----------
    out
        The folder for the study's results.
    fresh
        The same of this call alone; where both have a map, this counts.
    label
        The participant, without ``sub-``.
    """
    found: dict[Path, Path] = {}
    for root in (out, fresh):
        for path in sorted(root.joinpath(f"sub-{label}").rglob("*_stat-r*_statmap.json")):
            found[path.relative_to(root)] = root
    rows = (_row(root, path, earlier=root is out) for path, root in sorted(found.items()))
    return [row for row in rows if row is not None]


def with_all_maps(page: str, rows: list[MapRow]) -> str:
    """Put the list of all maps into a page of ours, in place of the one that is in it."""
    rest = SECTION.sub("", page)
    shown = [one.picture is not None and data_uri(one.picture) in rest for one in rows]
    rows = [
        replace(row, picture=None) if is_shown else row
        for row, is_shown in zip(rows, shown, strict=True)
    ]
    section = render("all_maps", maps=rows, number=number)
    return SECTION.sub(lambda _: section, page, count=1)


def _row(root: Path, path: Path, *, earlier: bool) -> MapRow | None:
    """Describe one map; None where its sidecar is not one of ours."""
    named = NAME.fullmatch(path.name)
    try:
        facts: dict[str, Any] = json.loads((root / path).read_text(encoding="utf-8"))
        seed, definition = str(facts["Seed"]["name"]), str(facts["Seed"]["definition"])
        strategy = str(facts["Strategy"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if named is None:
        return None
    run = named[1]
    caption = f"{seed}, {strategy}, {run}: the map of r of an earlier call."
    return MapRow(
        run.partition("_")[2],
        seed,
        definition,
        strategy,
        _finite(facts.get("Minimum")),
        _finite(facts.get("Maximum")),
        tuple(_files(root, path)),
        _picture(root, path, caption) if earlier else None,
    )


def _files(root: Path, sidecar: Path) -> Iterator[tuple[str, str]]:
    """Yield the statistics of a map, each with the name of its sidecar."""
    before, _, after = sidecar.name.partition("_stat-r")
    for path in sorted((root / sidecar).parent.glob(f"{before}_stat-*{after}")):
        stat = path.name.removeprefix(f"{before}_stat-").removesuffix(after)
        if "_" not in stat:
            yield stat, path.relative_to(root).as_posix()


def _picture(root: Path, sidecar: Path, caption: str) -> Picture | None:
    folder = (root / sidecar).parent.parent / "figures"
    path = folder / f"{sidecar.name.removesuffix('.json')}.png"
    try:
        return load_picture(path, caption, caption)
    except OSError:
        return None


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
