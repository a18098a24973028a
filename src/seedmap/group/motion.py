"""Motion against effect: how mean FD goes along with people's maps, before and after the model."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seedmap._arrays import columns_of
from seedmap._linear import Floats, fit
from seedmap.group.maps import GroupMaps
from seedmap.group.model import Covariate, Factor
from seedmap.group.pipeline import Group
from seedmap.report.study import MotionEffect, motion_effect
from seedmap.report.words import number

__all__ = ["Motion", "changed_words", "motion_of"]

FD = "mean_fd"
# Samples that are looked at, spread over all.
MOST = 2000


@dataclass(frozen=True)
class Motion:
    """What the page says of motion.

    Attributes
    ----------
    sentences : tuple of str
        Mean FD of people, and how it goes along with their maps.
    chart : str
        The correlations over the distance from the seed, as SVG; empty where that is not known.
    """

    sentences: tuple[str, ...]
    chart: str


def motion_of(group: Group) -> Motion | None:
    """Correlate mean FD with the maps over people; None where FD is not known of ten people or more.

    References
    ----------
    Ciric et al. (2017), doi:10.1016/j.neuroimage.2017.03.020.
    """
    moved = _mean_fd(group)
    known = np.isfinite(moved)
    whole = np.ones(group.loaded.maps.shape[1], dtype=bool)
    for person in np.flatnonzero(known):
        whole &= np.isfinite(group.loaded.maps[person])
    there = np.flatnonzero(whole)
    some = there[:: max(1, there.size // MOST)]
    maps = columns_of(group.loaded.maps, some)[known].astype(np.float64)
    moved = moved[known]
    place = next(iter(group.maps.values())).place
    distance = np.zeros(some.size)
    if place is not None:
        distance = np.linalg.norm(group.loaded.space.coordinates()[some] - place, axis=1)
    before = motion_effect("the maps", moved, maps, distance)
    if before is None:
        return None
    said = [_fd_words(group, moved, known), _before_words(before)]
    return Motion((*said, *_after_words(group, moved, maps, known)), before.chart if place else "")


def _mean_fd(group: Group) -> Floats:
    """Return the mean FD of people [mm]: of the model, else what the first level recorded."""
    plan = group.plan
    column = plan.design.variables.get(FD)
    if isinstance(column, Covariate):
        return column.values + column.mean
    return plan.beside.get(FD, np.full(len(plan.labels), np.nan))


def _fd_words(group: Group, moved: Floats, known: Floats) -> str:
    middle, low, high = (number(float(one)) for one in (moved.mean(), moved.min(), moved.max()))
    said = f"Mean FD is {middle} mm, {low} to {high} mm"
    for name, factor in group.plan.design.variables.items():
        if isinstance(factor, Factor):
            values = factor.values[known]
            means = [
                f"{level} {number(float(moved[values == at].mean()))}"
                for at, level in enumerate(factor.levels)
                if (values == at).any()
            ]
            said += f"; by {name}: {', '.join(means)} mm"
    return f"{said}."


def _before_words(effect: MotionEffect) -> str:
    return (
        f"Over people it correlates with the maps by |r| = {number(effect.median)} at the median sample "
        f"({number(effect.by_chance)} by chance); {effect.share:.0%} of the samples have an uncorrected p below .05."
    )


def _after_words(group: Group, moved: Floats, maps: Floats, known: Floats) -> Iterator[str]:
    """Say what of it the model leaves."""
    design = group.plan.design.matrix[known]
    if FD in group.plan.design.variables:
        yield "The model has mean_fd, so nothing that is linear in it is left."
        return
    basis, _ = np.linalg.qr(design)
    left = fit(basis, np.column_stack([moved, maps])).residual
    effect = motion_effect("the residuals", left[:, 0], left[:, 1:], np.zeros(maps.shape[1]))
    if effect is not None:
        by_chance = 0.6745 / np.sqrt(max(len(moved) - design.shape[1], 1))
        yield (
            f"In what the model leaves it is {number(effect.median)} ({number(float(by_chance))} by chance); "
            "with + mean_fd in the model it would be 0."
        )


def changed_words(group: Group, maps: GroupMaps, y: Floats) -> str:
    """Say what a peak's least squares effect would be with mean FD in the model, or without it.

    Parameters
    ----------
    group, maps
        The group, and the contrast.
    y
        People's values at the peak, shape (people,).

    Returns
    -------
    str
        Empty where mean FD is not known of all people, or is what the contrast tests.
    """
    design, weights = group.plan.design, maps.contrast.weights[0]
    moved, there = _mean_fd(group), np.isfinite(y)
    has = np.array([FD in column.split(":") for column in design.columns])
    if not np.isfinite(moved).all() or np.ptp(moved[there]) == 0 or weights[has].any():
        return ""
    x, c = design.matrix[there], weights
    if has.any():
        other, against = x[:, ~has], c[~has]
    else:
        other, against = np.column_stack([x, (moved - moved.mean())[there]]), np.append(c, 0.0)
    if np.linalg.matrix_rank(other) < other.shape[1]:
        return ""
    now, then = (
        float(row @ np.linalg.lstsq(columns, y[there], rcond=None)[0])
        for columns, row in ((x, c), (other, against))
    )
    word = "Without" if has.any() else "With"
    given = f"{number(then)} in place of {number(now)}"
    return f"{word} mean_fd in the model, least squares would give {given} (Fisher z)."
