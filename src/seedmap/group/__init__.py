"""The group step: from participants' maps to what is true of people."""

from seedmap.group.maps import GroupMaps
from seedmap.group.options import Question, Shuffles
from seedmap.group.pipeline import Group, group_maps, members_of, run_group
from seedmap.group.plan import GroupPlan, plan_group

__all__ = [
    "Group",
    "GroupMaps",
    "GroupPlan",
    "Question",
    "Shuffles",
    "group_maps",
    "members_of",
    "plan_group",
    "run_group",
]
