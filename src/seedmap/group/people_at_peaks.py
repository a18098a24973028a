"""People at a peak: each value, who matters most, and what goes along with them."""

from collections.abc import Iterator

import numpy as np

from seedmap._arrays import columns_of
from seedmap._linear import Floats
from seedmap.group.maps import GroupMaps
from seedmap.group.model import Covariate, Factor
from seedmap.group.motion import changed_words
from seedmap.group.peaks import GroupCluster
from seedmap.group.pipeline import Group
from seedmap.report.group import PeakPart
from seedmap.report.people import slope_chart, values_chart
from seedmap.report.words import number

__all__ = ["effect_words", "leave_one_out", "people_at"]

# |r| over people of values and their standard errors from which the page says so.
TIED = 0.3


def effect_words(maps: GroupMaps, values: dict[str, float]) -> str:
    """Write an effect with its interval: a mean of maps as r, others as Fisher transforms."""
    ends = np.array([values["effect"], values["ci_low"], values["ci_high"]])
    if maps.contrast.mean_of_maps:
        ends = np.tanh(ends)
    return f"{number(ends[0])} ({number(ends[1])} to {number(ends[2])})"


def people_at(group: Group, maps: GroupMaps, one: GroupCluster) -> PeakPart:
    """Show people at a peak of a contrast."""
    y = columns_of(group.loaded.maps, one.sample).astype(np.float64)
    variances = group.loaded.variances_at(np.array([one.sample]))
    errors = None if variances is None else np.sqrt(variances[:, 0].astype(np.float64))
    place = ", ".join(number(c, 0) for c in one.place)
    title = f"People at ({place}) mm{f', {one.region}' if one.region else ''}"
    sentence = " ".join(filter(None, _sentences(group, maps, one, y, errors)))
    return PeakPart(title, sentence, *_chart(group, maps, one, y, errors, title))


def _sentences(
    group: Group, maps: GroupMaps, one: GroupCluster, y: Floats, errors: Floats | None
) -> Iterator[str]:
    if "effect" in one.values:
        unit = "as r" if maps.contrast.mean_of_maps else "in Fisher z"
        yield f"Effect {effect_words(maps, one.values)} {unit}."
        change, who = leave_one_out(group, maps, y)
        yield f"Without sub-{who} it would change by {number(change)}, more than without any other."
        yield changed_words(group, maps, y)
    for name, other in (
        ("mean FD", group.plan.beside.get("mean_fd")),
        ("its own standard error", errors),
    ):
        if other is not None:
            r = _correlation(y, other)
            if np.isfinite(r) and (name == "mean FD" or abs(r) > TIED):
                yield f"Over people, the value correlates with {name} by {number(r)}."


def _chart(
    group: Group,
    maps: GroupMaps,
    one: GroupCluster,
    y: Floats,
    errors: Floats | None,
    title: str,
) -> tuple[str, str]:
    """Draw people's values, over the covariate that is tested if it is one; return it with its caption."""
    labels = [f"sub-{label}" for label in group.people]
    within = group.plan.question.within
    what = f"{within} (Fisher z)" if within else "correlation"
    interval = "" if errors is None else " with the 95 % interval that the first level gives it"
    tested = group.plan.design.variables.get(maps.contrast.text)
    if isinstance(tested, Covariate) and "effect" in one.values and not within:
        chart = slope_chart(
            y,
            errors,
            tested.values + tested.mean,
            labels,
            f"{title}: correlations over {tested.name}",
            slope=one.values["effect"],
            across=tested.name,
        )
        others = (
            ", the rest of the model taken out" if group.plan.design.matrix.shape[1] > 2 else ""
        )
        return (
            chart,
            f"Each person's correlation{interval}, over {tested.name}; the line is the effect{others}.",
        )
    name = f"{title}: {what} of each person"
    chart = values_chart(y, errors, labels, _groups(group, maps), name, as_r=not within)
    return (
        chart,
        f"Each person's {what}{interval}; diamonds are means over people with their own 95 % intervals.",
    )


def _groups(group: Group, maps: GroupMaps) -> list[str]:
    """Return the level of each person in the first factor that the contrast names."""
    variables = group.plan.design.variables
    named = [name for name, _ in maps.contrast.levels]
    factors = [
        v
        for n, v in variables.items()
        if isinstance(v, Factor) and (n in named or n == maps.contrast.text)
    ]
    if not factors:
        return [""] * len(group.people)
    return [factors[0].levels[at] for at in factors[0].values]


def leave_one_out(group: Group, maps: GroupMaps, y: Floats) -> tuple[float, str]:
    """Return the largest change of the least squares effect when one person is left out, and who."""
    there = np.isfinite(y)
    x = group.plan.design.matrix[there]
    inverse = np.linalg.pinv(x.T @ x)
    left = y[there] - x @ (inverse @ (x.T @ y[there]))
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    sound = leverage < 1 - 1e-9
    step = np.where(sound, left / np.where(sound, 1 - leverage, 1), 0)
    changes = -(maps.contrast.weights[0] @ inverse @ x.T) * step
    most = int(np.argmax(np.abs(changes)))
    return float(changes[most]), np.array(group.people)[there][most]


def _correlation(one: Floats, other: Floats) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 4 or np.ptp(one[known]) == 0 or np.ptp(other[known]) < 1e-9:
        return float("nan")
    return float(np.corrcoef(one[known], other[known])[0, 1])
