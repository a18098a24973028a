"""Who is compared, by which design and contrasts; worked out anew for any choice of the people."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seedmap.group import GroupPlan, Question, plan_group
from seedmap.group.model import Contrast
from seedmap.group.people import Member
from seedmap.group.tables import People

__all__ = ["GroupModel"]

# Choices of people whose designs are kept.
KEPT = 32


@dataclass(eq=False)
class GroupModel:
    """The model of a group, for the people of a study or some of them.

    Parameters
    ----------
    members
        The people, with what the first level recorded of them.
    question
        The model and its contrasts.
    table
        The participants' table; None where the model needs none.
    """

    members: Sequence[Member]
    question: Question
    table: People | None = None
    _plans: dict[tuple[str, ...], GroupPlan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.question = replace(self.question, inference=None)
        self.all = self.plan(tuple(one.label for one in self.members))

    @property
    def min_participants(self) -> float:
        """Share of the people who must have a value where a sample is tested."""
        return self.question.min_participants

    def plan(self, labels: tuple[str, ...]) -> GroupPlan:
        """Make the design of some people, those without a complete row of the table left out.

        Raises
        ------
        OptionError
            If the model does not fit these people.
        """
        if labels not in self._plans:
            members = [one for one in self.members if one.label in labels]
            self._plans[labels] = plan_group(members, self.question, self.table)
            while len(self._plans) > KEPT:
                self._plans.pop(next(iter(self._plans)))
        return self._plans[labels]

    def contrast(self, labels: tuple[str, ...], number: int) -> Contrast:
        """Return a contrast of the design of some people."""
        return self.plan(labels).contrasts[number]

    def robust(self, contrast: Contrast) -> bool:
        """Whether a contrast's t or F is the robust one, as in ``seedmap group``."""
        variance = self.question.variance
        return variance == "robust" or (variance == "auto" and contrast.of_factor)
