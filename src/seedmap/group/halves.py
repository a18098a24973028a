"""Half of the people are kept back, so that what is found in the others can be confirmed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from seedmap.group.model import Factor
from seedmap.group.plan import GroupPlan

__all__ = ["keep_back", "kept_back_of"]


def keep_back(strata: Mapping[str, Sequence[str]], study: str) -> frozenset[str]:
    """Choose half of the people, the same in every call: by a digest, balanced over some levels.

    Parameters
    ----------
    strata
        From each person's label to the levels over which the halves are balanced.
    study
        Name of the study.

    Returns
    -------
    frozenset of str
        Half of each stratum; of strata of uneven size one more, or one less, in turn.

    Examples
    --------
    >>> half = keep_back({f"{n:02d}": "ab"[n % 2] for n in range(20)}, "study")
    >>> len(half), sum(int(label) % 2 for label in half)
    (10, 5)
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, levels in strata.items():
        groups.setdefault(tuple(levels), []).append(label)
    chosen: set[str] = set()
    more = 0
    for levels in sorted(groups):
        order = sorted(groups[levels], key=lambda label: _digest(study, label))
        count = (len(order) + more) // 2
        more = (len(order) + more) % 2
        chosen.update(order[:count])
    return frozenset(chosen)


def kept_back_of(plan: GroupPlan, root: Path) -> frozenset[str]:
    """Choose half of the people of a plan, balanced over the factors of its model.

    Parameters
    ----------
    plan
        The people and their design.
    root
        Folder of results, whose description names the study.
    """
    factors = [one for one in plan.design.variables.values() if isinstance(one, Factor)]
    strata = {
        label: [one.levels[one.values[row]] for one in factors]
        for row, label in enumerate(plan.labels)
    }
    return keep_back(strata, _name_of(root))


def _digest(study: str, label: str) -> bytes:
    return hashlib.blake2b(f"{study}\n{label}".encode()).digest()


def _name_of(root: Path) -> str:
    try:
        described = json.loads((root / "dataset_description.json").read_text(encoding="utf-8"))
        return str(described["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
