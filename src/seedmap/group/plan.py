"""Before any map is read: who is used, the design, what is tested and how people can be shuffled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import Floats
from seedmap.errors import OptionError
from seedmap.group.checks import check_contrast, check_design, concerns
from seedmap.group.formula import parse_formula
from seedmap.group.model import Contrast, Design, build_design, read_contrast
from seedmap.group.options import Question, Shuffles
from seedmap.group.people import RECORDED, Member, cells_of, choose_people
from seedmap.group.tables import People
from seedmap.shuffle import Plan, check_tfce, plan_shuffles

__all__ = ["GroupPlan", "plan_group"]


@dataclass(frozen=True, eq=False)
class GroupPlan:
    """What will be done.

    Attributes
    ----------
    question : Question
        What is asked.
    members : tuple of Member
        The people used, in the order of the design's rows.
    dropped : dict of str to str
        Who is left out, and why.
    design : Design
        The model's numbers.
    contrasts : tuple of Contrast
        What is tested.
    plans : tuple of Plan or None
        The shuffles of each contrast; None without.
    notes : tuple of str
        What a user should know.
    beside : dict of str to ndarray, shape (people,)
        What the first level recorded, NaN where that is not known.
    """

    question: Question
    members: tuple[Member, ...]
    dropped: Mapping[str, str]
    design: Design
    contrasts: tuple[Contrast, ...]
    plans: tuple[Plan | None, ...]
    notes: tuple[str, ...]
    beside: Mapping[str, Floats]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the people."""
        return tuple(one.label for one in self.members)


def plan_group(
    members: Sequence[Member],
    question: Question,
    table: People | None = None,
    dropped: Mapping[str, str] | None = None,
) -> GroupPlan:
    """Match people and table, build the design, and check all of it.

    Parameters
    ----------
    members
        Who has maps.
    question
        What is asked.
    table
        The participants' table; None where the model needs none.
    dropped
        Who is left out already, and why.

    Raises
    ------
    OptionError
        If model, contrasts, table and people do not fit together, or nothing can be tested.
    """
    shuffles, formula = question.inference, parse_formula(question.model)
    wanted = [*formula.columns, *_blocks_column(shuffles)]
    used = choose_people(members, table, list(dict.fromkeys(wanted)), dict(dropped or {}))
    by_label = {one.label: one for one in members}
    chosen = tuple(by_label[label] for label in sorted(used.labels))
    labels = [one.label for one in chosen]
    design = build_design(formula, lambda name: cells_of(name, chosen, table), labels)
    check_design(design)
    contrasts = tuple(
        replace(read_contrast(text, design), of_change=bool(question.within))
        for text in question.contrasts or ("mean",)
    )
    _check_labels(contrasts)
    for contrast in contrasts:
        check_contrast(contrast, design)
    blocks = None
    for column in _blocks_column(shuffles):
        blocks = np.array(cells_of(column, chosen, table))
    plans = tuple(_plan(one, shuffles, blocks) for one in contrasts)
    if shuffles is not None and shuffles.correct_over == "contrasts":
        plans = _alike(contrasts, plans)
    if shuffles is not None and shuffles.tfce:
        check_tfce()
    beside = dict(_beside(chosen))
    notes = tuple(concerns(design, contrasts, beside))
    return GroupPlan(question, chosen, used.dropped, design, contrasts, plans, notes, beside)


def _blocks_column(shuffles: Shuffles | None) -> list[str]:
    return [shuffles.blocks] if shuffles is not None and shuffles.blocks else []


def _check_labels(contrasts: Sequence[Contrast]) -> None:
    labels = [one.label for one in contrasts]
    for one in contrasts:
        if labels.count(one.label) > 1:
            msg = (
                f"contrast {one.text!r}: two contrasts would be called {one.label!r} in names of files; "
                f"write NAME={one.text}"
            )
            raise OptionError(msg)


def _plan(
    contrast: Contrast, shuffles: Shuffles | None, blocks: NDArray[np.str_] | None
) -> Plan | None:
    if shuffles is None:
        return None
    try:
        return plan_shuffles(
            contrast.tested,
            shuffles.number,
            kind=shuffles.kind,
            seed=shuffles.seed,
            blocks=blocks,
            mode=shuffles.blocks_mode,
        )
    except OptionError as error:
        msg = f"contrast {contrast.text!r}: {error}"
        raise OptionError(msg) from error


def _alike(contrasts: Sequence[Contrast], plans: Sequence[Plan | None]) -> tuple[Plan | None, ...]:
    """Give all contrasts the shuffles of the first, which are theirs: the rows of the design are the same."""
    first = plans[0]
    assert first is not None
    for contrast, plan in zip(contrasts, plans, strict=True):
        assert plan is not None
        if (plan.permutes, plan.flips) != (first.permutes, first.flips):
            msg = (
                f"contrasts {contrasts[0].text!r} and {contrast.text!r} are shuffled in other ways (a mean by signs, "
                "all else by permutations), so p cannot be corrected over both; ask for them in two calls, or "
                "give kind 'both'"
            )
            raise OptionError(msg)
    return (first,) * len(plans)


def _beside(members: Sequence[Member]) -> Iterable[tuple[str, Floats]]:
    """Yield what the first level recorded of most people."""
    for name in RECORDED:
        values = np.array([one.facts.get(name, np.nan) for one in members])
        if np.isfinite(values).sum() >= max(3, len(values) / 2):
            yield name, values
