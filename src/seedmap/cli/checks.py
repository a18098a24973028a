"""Options of the checks that go with the maps of a run, and what is printed of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from seedmap.analysis import (
    KindOfChange,
    RobustnessSettings,
    SeedMaps,
    SeedRobustness,
    kind_words,
    map_run,
    map_run_with_degree,
    robust_run,
    robust_store,
    stored_maps,
)
from seedmap.cli.options import Many
from seedmap.errors import OptionError
from seedmap.report.degree import describe_degree
from seedmap.seeds import Seed
from seedmap.store import open_stored

__all__ = ["CheckOptions", "check_rows", "moved_rows"]


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What is checked of the maps."""

    seed_robustness: Annotated[bool, Parameter(negative=())] = False
    """Compare the map of each seed with those of seeds that could have been chosen instead (64 with centres within 4 and 8 mm, 4 of other sizes, 64 halves of its voxels) and of the halves of the run: a table, maps of survival and seed error, a section of the page."""

    other_strategies: Annotated[tuple[str, ...], Many] = ()
    """With --seed-robustness: strategies whose maps are compared, too; with --from-store, other stored runs of the same images."""

    degree: Annotated[bool, Parameter(negative=())] = False
    """Make the map of degree, too (mean correlation with all samples: the map of the global signal), and say how much of each seed's map it explains, beside spheres at random places: a check of the cleaning."""

    def __post_init__(self) -> None:
        if self.other_strategies and not self.seed_robustness:
            msg = "--other-strategies is given without --seed-robustness; give that, too"
            raise OptionError(msg)

    def mapper(self) -> Callable[..., SeedMaps]:
        """Return what maps a run, called as `seedmap.analysis.map_run`."""
        if not self.seed_robustness:
            return map_run_with_degree if self.degree else map_run
        return partial(
            robust_run,
            settings=RobustnessSettings(),
            strategies=self.other_strategies,
            degree=self.degree,
        )

    def of_store(self, path: Path, seeds: list[Seed], uncertainty: Any) -> SeedMaps:
        """Map seeds of a stored run."""
        if not self.seed_robustness:
            return stored_maps(path, seeds, uncertainty=uncertainty, degree=self.degree)
        if uncertainty != "operator":
            msg = "--seed-robustness needs --uncertainty operator: its unit is the standard error"
            raise OptionError(msg)
        stored, others = open_stored(path), self.other_strategies
        return robust_store(stored, seeds, RobustnessSettings(), others, degree=self.degree)


def check_rows(found: SeedMaps) -> list[tuple[str, str]]:
    """Say what the checks found; nothing where none was asked for."""
    words = describe_degree(found)
    rows = [("Degree", "\n".join(words))] if words else []
    return [*rows, *(_moves(found) if isinstance(found, SeedRobustness) else [])]


def _moves(found: SeedRobustness) -> list[tuple[str, str]]:
    """Say for each seed how far its map moves, with what that means to a reader."""
    rows = []
    for seed in found.seeds:
        lines = [_line(row) for row in found.rows if row.seed == seed]
        rows.append((f"{seed} moves", "\n".join([*lines, found.reading(seed)]).rstrip("\n")))
    return rows


def moved_rows(rows: Sequence[KindOfChange], name: str) -> list[tuple[str, str]]:
    """Say how far the map of a contrast moves with its seed; nothing where that was not looked at."""
    return [(f"{name} moves", "\n".join(map(_line, rows)))] if rows else []


def _line(row: KindOfChange) -> str:
    """Write one kind of change on a line."""
    if not row.number:
        return f"{kind_words(row.kind)}: {row.note}"
    note = f" ({row.note})" if row.note else ""
    return f"{row.error:4.2f} se, {kind_words(row.kind)}{note}"
