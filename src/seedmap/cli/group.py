"""``seedmap group``: participants' maps in, what is true of people out."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from seedmap.cli.checks import moved_rows
from seedmap.cli.console import Screen
from seedmap.cli.group_options import (
    GroupChoice,
    GroupMachine,
    GroupOutput,
    GroupTest,
    ModelOptions,
)
from seedmap.cli.help import group as titled
from seedmap.cli.invocation import command_line, write_log
from seedmap.errors import SeedmapWarning
from seedmap.group import Group, GroupMaps, GroupPlan, members_of, plan_group, run_group
from seedmap.group.cost import cost_of
from seedmap.group.degree import degree_words, with_degree
from seedmap.group.files import replaced_words, save_group
from seedmap.group.page import group_page
from seedmap.group.peaks import find_group_clusters
from seedmap.group.people import Choice, leave_out
from seedmap.group.robustness import with_robustness
from seedmap.group.stored import stored_members
from seedmap.group.tables import People, read_people
from seedmap.group.words import looked_words
from seedmap.images import check_writable, load_surface
from seedmap.parallel import Pool
from seedmap.report.words import count
from seedmap.spatial import open_atlas

__all__ = ["group"]

TOP = 5
SHOWN_ROWS = 12
# Of the design: what 80 columns leave beside its name.
WIDTH = 70
WORDS = {
    "ptfce": "TFCE p",
    "pfwe": "corrected p",
    "pmass": "cluster mass p",
    "pextent": "cluster extent p",
    "q": "q",
}


def group(
    derivatives: Path,
    /,
    *,
    choice: Annotated[GroupChoice, Parameter(name="*", group=titled("Which maps"))] = GroupChoice(),  # noqa: B008
    model: Annotated[ModelOptions, Parameter(name="*", group=titled("Model"))] = ModelOptions(),  # noqa: B008
    test: Annotated[GroupTest, Parameter(name="*", group=titled("Test"))] = GroupTest(),  # noqa: B008
    machine: Annotated[GroupMachine, Parameter(name="*", group=titled("Machine"))] = GroupMachine(),  # noqa: B008
    output: Annotated[GroupOutput, Parameter(name="*", group=titled("Output"))] = GroupOutput(),  # noqa: B008
) -> None:
    """Test over participants what their maps have in common, or how they differ.

    Example, a difference between groups with age and motion in the model:

        seedmap group derivatives/seedmap --seed PCC --design participants.tsv
        --model "group + age + mean_fd" --contrast "patient - control"

    Parameters
    ----------
    derivatives
        The folder that seedmap bids wrote; with --maps, the folder for the results.
    """
    screen = Screen(output.quiet, output.verbose)
    out, pool = output.out or derivatives / "group", machine.pool()
    table = None if model.design is None else read_people(model.design)
    planned = list(_plans(derivatives, choice, model, test, table))
    for one, _, plan in planned:
        _say_plan(screen, plan, one, dry=output.dry_run)
    if output.dry_run:
        return
    check_writable(out)
    for one, strategy, plan in planned:
        found = _tested(screen, plan, strategy, choice, pool)
        if choice.seed_robustness:
            with screen.progress("Mapping other seeds") as progress:
                found = with_robustness(found, derivatives, one, on_done=progress)
        if choice.degree:
            found = with_degree(found, derivatives, one)
        found = replace(found, looked=len(planned))
        _write(screen, found, output, out)
    if looked_words(found):
        screen.facts([("Mind", looked_words(found))])
    write_log(out)


def _plans(
    root: Path, choice: GroupChoice, model: ModelOptions, test: GroupTest, table: People | None
) -> Iterator[tuple[Choice, str, GroupPlan]]:
    """Find and check all before anything is done."""
    for one in choice.choices():
        strategy = one.strategy
        dropped: dict[str, str] = {}
        question = test.question(one, model)  # what makes no sense is said before maps are read
        if choice.from_store:
            members, dropped, seed, strategy = stored_members(root, one, one.seed)
            question = replace(question, seed=seed)
        else:
            members, dropped = members_of(choice.maps or root, one)
        members, dropped = leave_out(members, choice.leave_out, dropped)
        yield one, strategy, plan_group(members, question, table, dropped)


def _tested(
    screen: Screen, plan: GroupPlan, strategy: str, choice: GroupChoice, pool: Pool
) -> Group:
    """Test one seed with one strategy."""
    with screen.progress("Shuffling people") as progress:
        return run_group(
            plan,
            strategy=strategy,
            surfaces=_surfaces(choice),
            pool=pool,
            on_done=progress,
            command=command_line(),
        )


def _write(screen: Screen, found: Group, output: GroupOutput, out: Path) -> None:
    """Write and print what came out."""
    replaced = list(replaced_words(found, out))
    for note in [*replaced, *(note for maps in found.maps.values() for note in maps.notes)]:
        warnings.warn(note, SeedmapWarning, stacklevel=2)
    atlas = None if output.atlas is None else open_atlas(output.atlas, found.loaded.space)
    paths = save_group(found, out, atlas, group_page(found, atlas, replaced))
    if degree_words(found):
        screen.facts([("Degree", degree_words(found))])
    for text, maps in found.maps.items():
        screen.facts([(text, _found_words(maps)), *moved_rows(maps.moved, text)])
    screen.end(out, paths)


def _surfaces(choice: GroupChoice) -> dict[str, Any]:
    sides = {"left": choice.surface_left, "right": choice.surface_right}
    return {side: load_surface(path) for side, path in sides.items() if path is not None}


def _say_plan(screen: Screen, plan: GroupPlan, choice: Choice, *, dry: bool) -> None:
    """Print who is used, the design, the shuffles and what to mind."""
    people, columns = plan.design.matrix.shape
    name = f"{plan.question.seed}{f', {choice.strategy}' if choice.strategy else ''}"
    rows = [("Seed", name), ("People", f"{people} used, {len(plan.dropped)} left out")]
    rows += [(f"sub-{label}", f"left out: {why}") for label, why in plan.dropped.items()]
    rows.append(("Model", f"{plan.question.model}: {', '.join(plan.design.columns)}"))
    rows.append(
        ("Freedom", f"{people - columns} residual degrees of freedom where all have a value")
    )
    for contrast, shuffles in zip(plan.contrasts, plan.plans, strict=True):
        kind = "t" if contrast.tested.q == 1 else f"F of {contrast.tested.q} contrasts"
        how = "not shuffled"
        if shuffles is not None:
            moves = [
                w
                for w, yes in (("permuted", shuffles.permutes), ("signs flipped", shuffles.flips))
                if yes
            ]
            some = "all" if shuffles.exhaustive else f"{shuffles.number} of"
            how = f"{' and '.join(moves)}, {some} {_large(shuffles.possible)} ways"
        rows.append((contrast.text, f"{kind}; {how}"))
    screen.facts(rows)
    if dry:
        screen.facts([("Design", _design_words(plan)), ("Cost", cost_of(plan))])
    screen.facts([("Mind", note) for note in plan.notes])


def _large(number: int) -> str:
    return (
        f"{number:,}" if number < 10**9 else f"{float(number) if number < 10**300 else 1e300:.1e}"
    )


def _design_words(plan: GroupPlan) -> str:
    """Write the first rows of the design, its columns in as many tables as a narrow screen takes."""
    people = [f"sub-{label}" for label in plan.labels[:SHOWN_ROWS]]
    names = max(map(len, people))
    tables: list[list[str]] = []
    for column, values in zip(plan.design.columns, plan.design.matrix.T, strict=True):
        cells = [column, *(f"{value:.3g}" for value in values[:SHOWN_ROWS])]
        width = max(map(len, cells)) + 2
        if not tables or len(tables[-1][0]) + width > WIDTH:
            tables.append([f"{name:<{names}}" for name in ("", *people)])
        tables[-1] = [
            f"{line}{cell:>{width}}" for line, cell in zip(tables[-1], cells, strict=True)
        ]
    more = len(plan.labels) - SHOWN_ROWS
    lines = ["\n".join(table) for table in tables]
    return "\n".join([*lines, *([f"and {more} more people"] if more > 0 else [])])


def _found_words(maps: GroupMaps) -> str:
    """Say what was found, with the largest clusters."""
    share = int(maps.significant().sum())
    lines = [
        f"{share:,} of {maps.facts['SamplesInFamily']:,} {maps.space.elements} with {WORDS[maps.corrected]} <= .05"
    ]
    found = [one for one in find_group_clusters(maps) if one.name.isdigit()][:TOP]
    for one in found:
        x, y, z = one.place
        stat = "t" if "t" in one.values else "f"
        p = float(maps.arrays[maps.corrected][one.sample])
        lines.append(
            f"{x:5.0f} {y:4.0f} {z:4.0f} mm   {stat} {one.values[stat]:6.2f}   {WORDS[maps.corrected]} {p:.4f}   "
            f"{count(int(one.size), maps.space.element)}  {one.region}".rstrip()
        )
    return "\n".join(lines)
