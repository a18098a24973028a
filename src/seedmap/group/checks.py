"""Checks of a design: what is refused, and what is said."""

from collections.abc import Iterator, Sequence

import numpy as np

from seedmap._linear import Floats
from seedmap.errors import OptionError
from seedmap.group.model import Contrast, Design, Factor, repeated_columns

__all__ = ["check_contrast", "check_design", "concerns", "inflation"]

MOST_VIF, MOST_CONDITION, FEW_DOF, HIGH_LEVERAGE, TIED = 5.0, 30.0, 8, 3.0, 0.3


def check_design(design: Design) -> None:
    """Refuse a design that nothing can be estimated from.

    Raises
    ------
    OptionError
        If columns repeat each other, or as many columns as people are left.
    """
    people, columns = design.matrix.shape
    repeated = repeated_columns(design)
    if repeated and people > columns:
        msg = (
            f"model {design.formula.text!r}: columns {', '.join(repeated)} repeat each other over these "
            f"{people} people; take one of them out"
        )
        raise OptionError(msg)
    if people - columns < 1:
        msg = (
            f"model {design.formula.text!r}: {columns} columns for {people} people; at least one more person "
            "than columns is wanted; use a smaller model or more people"
        )
        raise OptionError(msg)


def check_contrast(contrast: Contrast, design: Design) -> None:
    """Refuse to test a level that one person has.

    Raises
    ------
    OptionError
        If there is such a level in it.
    """
    for name, level in contrast.levels:
        factor = design.variables[name]
        assert isinstance(factor, Factor)
        have = np.flatnonzero(factor.values == factor.levels.index(level))
        if have.size == 1:
            msg = (
                f"contrast {contrast.text!r}: only sub-{design.people[have[0]]} is {level!r} in {name}; "
                "a level that is tested needs two people"
            )
            raise OptionError(msg)


def inflation(design: Design) -> dict[str, float]:
    """Return the variance inflation of each column but the intercept."""
    found = {}
    for at, name in enumerate(design.columns):
        column = design.matrix[:, at]
        if name == "intercept":
            continue
        others = np.delete(design.matrix, at, axis=1)
        left = column - others @ np.linalg.lstsq(others, column, rcond=None)[0]
        centred = column - column.mean() if "intercept" in design.columns else column
        total, remains = float((centred**2).sum()), float((left**2).sum())
        found[name] = total / remains if remains > 0 else np.inf
    return found


def concerns(
    design: Design, contrasts: Sequence[Contrast], beside: dict[str, Floats]
) -> Iterator[str]:
    """Say what a user should know of a design, one line each.

    Parameters
    ----------
    design, contrasts
        What is tested.
    beside
        Further facts of the people, such as ``mean_fd`` and the mean ``se``, shape (people,), NaN
        where not known.
    """
    people, columns = design.matrix.shape
    if people - columns < FEW_DOF:
        plural = "" if columns == 1 else "s"
        yield (
            f"{people} people and {columns} column{plural} leave {people - columns} degrees of freedom; "
            f"{FEW_DOF} or more are wanted for a trustworthy test"
        )
    high = {name: vif for name, vif in inflation(design).items() if vif > MOST_VIF}
    if high:
        said = ", ".join(f"{name} {vif:.1f}" for name, vif in high.items())
        yield f"columns explain each other (variance inflation {said}; above {MOST_VIF:g} is much)"
    norms = np.linalg.norm(design.matrix, axis=0)
    condition = float(np.linalg.cond(design.matrix / np.where(norms > 0, norms, 1)))
    if condition > MOST_CONDITION:
        yield f"the design's condition number is {condition:.0f}; above {MOST_CONDITION:g} is much"
    yield from _leverage(design)
    for contrast in contrasts:
        yield from _tied(contrast, beside)
    if "mean_fd" in beside and "mean_fd" not in design.variables:
        yield "mean_fd is not in the model; motion changes connectivity: add + mean_fd to see what it does"


def _leverage(design: Design) -> Iterator[str]:
    people, columns = design.matrix.shape
    q, _ = np.linalg.qr(design.matrix)
    leverage = (q**2).sum(axis=1)
    far = np.flatnonzero(leverage > HIGH_LEVERAGE * columns / people)
    if far.size:
        said = ", ".join(f"sub-{design.people[i]}" for i in far)
        yield f"{said}: far from the others in the model's columns (leverage above 3 p / n)"


def _tied(contrast: Contrast, beside: dict[str, Floats]) -> Iterator[str]:
    """Say which facts of the people go along with the tested column."""
    if contrast.tested.q > 1 or contrast.has_mean:
        return
    column = contrast.tested.part[:, 0]
    for name, values in beside.items():
        known = np.isfinite(values)
        if known.sum() < 3 or np.ptp(values[known]) == 0 or np.ptp(column[known]) == 0:
            continue
        r = float(np.corrcoef(column[known], values[known])[0, 1])
        if abs(r) > TIED:
            yield f"contrast {contrast.text!r} goes along with {name} over people (r = {r:.2f})"
