"""Charts of people, as SVG: each person's value with its error bar, and a design as a picture."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from seedmap._arrays import Array
from seedmap.connectivity.tails import t_threshold
from seedmap.report.charts import LEFT, WIDTH
from seedmap.report.words import number

__all__ = ["design_chart", "slope_chart", "values_chart"]

ROW, TOP = 15.0, 26.0
# Charts of values are narrow, so that a phone shows them whole with words that can be read.
NARROW, NAMES = 440.0, 108.0
# Half the width of a 95 % interval in standard errors.
HALF = 1.96
MOST_NAMED = 60


def values_chart(
    values: Array,
    errors: Array | None,
    labels: Sequence[str],
    groups: Sequence[str],
    name: str,
    *,
    as_r: bool = True,
) -> str:
    """Draw each person's value with its 95 % interval, and the mean of each group with its own, as SVG.

    Parameters
    ----------
    values
        Fisher transforms, shape (people,); NaN where somebody has none.
    errors
        Standard errors; None where they are not known.
    labels
        Names of the people.
    groups
        Group of each person; all alike for one group.
    name
        What is drawn.
    as_r
        Draw correlations; else the Fisher transforms themselves.
    """
    half = HALF * errors if errors is not None else np.zeros_like(values)
    shown = np.tanh if as_r else np.asarray
    at, low, high = shown(values), shown(values - half), shown(values + half)
    ends = min(float(np.nanmin(low)), 0.0), max(float(np.nanmax(high)), 0.0)
    scale = (NARROW - 24 - NAMES) / ((ends[1] - ends[0]) or 1.0)

    def x(value: float) -> float:
        return NAMES + (value - ends[0]) * scale

    parts, y = [], TOP
    for group in dict.fromkeys(groups):
        members = [i for i, one in enumerate(groups) if one == group and np.isfinite(values[i])]
        if not members:
            continue
        for i in members:
            parts += _person(labels[i], x(at[i]), x(low[i]), x(high[i]), y)
            y += ROW
        mean, *interval = (float(shown(one)) for one in _mean(values[members]))
        sides = [min(max(x(end), NAMES), NARROW - 8) for end in interval]
        parts += _mean_mark(f"{group or 'mean'} {number(mean)}", x(mean), sides, y)
        y += ROW + 8
    zero = f'<line class="limit" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP - 10}" y2="{y - 6:.1f}"/>'
    ticks = [
        f'<text x="{x(value):.1f}" y="{TOP - 13}" text-anchor="middle">{number(value)}</text>'
        for value in sorted({ends[0], 0.0, ends[1]})
        if value == 0 or abs(x(value) - x(0)) > 40
    ]
    return _svg(y + 2, name, [zero, *ticks, *parts], NARROW)


def _mean(values: Array) -> tuple[float, float, float]:
    """Return the mean with the ends of its 95 % interval; no interval of fewer than two."""
    middle, half = float(values.mean()), 0.0
    if values.size > 1:
        half = float(t_threshold(0.05, values.size - 1) * values.std(ddof=1) / values.size**0.5)
    return middle, middle - half, middle + half


def _person(label: str, at: float, low: float, high: float, y: float) -> list[str]:
    return [
        f'<line class="line" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<circle class="person" cx="{at:.1f}" cy="{y:.1f}" r="3.5"/>',
        f'<text x="{NAMES - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>',
    ]


def _mean_mark(label: str, at: float, sides: Sequence[float], y: float) -> list[str]:
    """Draw a mean as a diamond on its interval."""
    return [
        f'<line class="interval" x1="{sides[0]:.1f}" x2="{sides[1]:.1f}" y1="{y + 1:.1f}" y2="{y + 1:.1f}"/>',
        f'<path class="mean" d="M{at:.1f} {y - 5:.1f} l6 6 l-6 6 l-6 -6 z"/>',
        f'<text x="{NAMES - 8}" y="{y + 5:.1f}" text-anchor="end">{escape(label)}</text>',
    ]


def slope_chart(  # noqa: PLR0913  two are by keyword
    values: Array,
    errors: Array | None,
    covariate: Array,
    labels: Sequence[str],
    name: str,
    *,
    slope: float,
    across: str,
) -> str:
    """Draw each person's value with its 95 % interval over a covariate, and the slope, as SVG.

    Parameters
    ----------
    values
        Fisher transforms, shape (people,); NaN where somebody has none. They are drawn as r.
    errors
        Standard errors; None where they are not known.
    covariate
        The people's values of it, shape (people,).
    labels
        Names of the people, which appear where a pointer rests.
    name
        What is drawn.
    slope
        Change of the Fisher transform a unit of the covariate; the line goes through the means.
    across
        Name of the covariate.
    """
    height, left, right = 220.0, 44.0, 12.0
    there = np.isfinite(values)
    values, covariate = values[there], covariate[there]
    half = HALF * errors[there] if errors is not None else np.zeros_like(values)
    along = np.linspace(covariate.min(), covariate.max(), 21)
    line = np.tanh(values.mean() + slope * (along - covariate.mean()))
    low, high = np.tanh(values - half), np.tanh(values + half)
    bottom, top = min(float(low.min()), 0.0), max(float(high.max()), 0.0)

    def x(value: Array) -> Array:
        return left + 8 + (value - along[0]) / (along[-1] - along[0]) * (NARROW - left - right - 16)

    def y(value: Array | float) -> Any:
        return TOP - 14 + (top - value) / ((top - bottom) or 1.0) * height

    zero = float(y(0.0))
    parts = [
        f'<line class="limit" x1="{left}" x2="{NARROW - right}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
    ]
    names = [escape(str(label)) for label in np.array(labels)[there]]
    people = zip(names, x(covariate), y(np.tanh(values)), y(low), y(high), strict=True)
    for label, right_of, at, under, over in people:
        parts += [
            f'<line class="line" x1="{right_of:.1f}" x2="{right_of:.1f}" y1="{under:.1f}" y2="{over:.1f}"/>',
            f'<circle class="person" cx="{right_of:.1f}" cy="{at:.1f}" r="3.5"><title>{label}</title></circle>',
        ]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(along), y(line), strict=True))
    foot = TOP + height + 4
    parts += [
        f'<polyline class="slope" points="{points}"/>',
        *(
            f'<text x="{left - 6}" y="{float(y(tick)) + 4:.1f}" text-anchor="end">{number(tick)}</text>'
            for tick in sorted({bottom, 0.0, top})
            if tick == 0 or abs(float(y(tick)) - zero) > ROW
        ),
        f'<text x="{left}" y="{foot:.1f}">{number(float(along[0]))}</text>',
        f'<text x="{NARROW - right}" y="{foot:.1f}" text-anchor="end">{number(float(along[-1]))}</text>',
        f'<text x="{(left + NARROW - right) / 2:.1f}" y="{foot:.1f}" text-anchor="middle">{escape(across)}</text>',
    ]
    return _svg(foot + 6, name, parts, NARROW)


def design_chart(matrix: Array, columns: Sequence[str], labels: Sequence[str]) -> str:
    """Draw a design, one row a person, each column from its smallest to its largest value, as SVG."""
    people, count = matrix.shape
    named = people <= MOST_NAMED
    step = 13.0 if named else max(2.0, 780.0 / people)
    left = LEFT + 62
    width = min(120.0, (WIDTH - left - 12) / count)
    size = np.abs(matrix).max(axis=0)
    scaled = matrix / np.where(size > 0, size, 1)
    parts = []
    for j, column in enumerate(columns):
        x = left + j * width
        short = (
            column if len(column) * 6.5 < width else column[: max(3, int(width / 6.5) - 1)] + "…"
        )
        parts.append(f'<text x="{x + 2:.1f}" y="{TOP - 8}">{escape(short)}</text>')
        for i in range(people):
            value = float(scaled[i, j])
            kind = "plus" if value >= 0 else "minus"
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{TOP + i * step:.1f}" width="{width - 2:.1f}" '
                f'height="{step - 1:.1f}" opacity="{0.08 + 0.92 * abs(value):.2f}"/>'
            )
    if named:
        parts += [
            f'<text x="{left - 8}" y="{TOP + (i + 0.8) * step:.1f}" text-anchor="end">{escape(label)}</text>'
            for i, label in enumerate(labels)
        ]
    name = f"The design: {people} people and the columns {', '.join(columns)}."
    return _svg(TOP + people * step + 6, name, parts)


def _svg(height: float, alt: str, parts: Sequence[str], width: float = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt)}">'
        f"<title>{escape(alt)}</title>{''.join(parts)}</svg>"
    )
