"""Charts of people, as SVG: each person's value with its error bar, and a design as a picture."""

from collections.abc import Sequence
from html import escape

import numpy as np

from seedmap._arrays import Array
from seedmap.report.charts import LEFT, WIDTH
from seedmap.report.words import number

__all__ = ["design_chart", "values_chart"]

ROW, TOP = 15.0, 26.0
# Half the width of a 95 % interval in standard errors.
HALF = 1.96
MOST_NAMED = 60


def values_chart(
    values: Array, errors: Array | None, labels: Sequence[str], groups: Sequence[str], name: str
) -> str:
    """Draw each person's value with its 95 % interval, and the mean of each group, as SVG.

    Parameters
    ----------
    values
        Fisher transforms, shape (people,); NaN where somebody has none. They are drawn as r.
    errors
        Standard errors; None where they are not known.
    labels
        Names of the people.
    groups
        Group of each person; all alike for one group.
    name
        What is drawn.
    """
    half = HALF * errors if errors is not None else np.zeros_like(values)
    low, high = np.tanh(values - half), np.tanh(values + half)
    ends = min(float(np.nanmin(low)), 0.0), max(float(np.nanmax(high)), 0.0)
    span = (ends[1] - ends[0]) or 1.0
    left, right = LEFT + 62, WIDTH - 24

    def x(r: float) -> float:
        return left + (r - ends[0]) / span * (right - left)

    parts, y = [], TOP
    for group in dict.fromkeys(groups):
        members = [i for i, one in enumerate(groups) if one == group and np.isfinite(values[i])]
        if not members:
            continue
        for i in members:
            parts += _person(labels[i], x(np.tanh(values[i])), x(low[i]), x(high[i]), y)
            y += ROW
        mean = float(np.tanh(np.mean(values[members])))
        parts.append(
            f'<path class="mean" d="M{x(mean):.1f} {y - 5:.1f} l6 6 l-6 6 l-6 -6 z"/>'
            f'<text x="{left - 8}" y="{y + 5:.1f}" text-anchor="end">{escape(group or "mean")} '
            f"{number(mean)}</text>"
        )
        y += ROW + 8
    zero = f'<line class="limit" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP - 10}" y2="{y - 6:.1f}"/>'
    ticks = [
        f'<text x="{x(value):.1f}" y="{TOP - 13}" text-anchor="middle">{number(value)}</text>'
        for value in sorted({ends[0], 0.0, ends[1]})
        if value == 0 or abs(x(value) - x(0)) > 40
    ]
    return _svg(y + 2, name, [zero, *ticks, *parts])


def _person(label: str, at: float, low: float, high: float, y: float) -> list[str]:
    return [
        f'<line class="line" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<circle class="person" cx="{at:.1f}" cy="{y:.1f}" r="3.5"/>',
        f'<text x="{LEFT + 54}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>',
    ]


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


def _svg(height: float, alt: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(alt)}">'
        f"<title>{escape(alt)}</title>{''.join(parts)}</svg>"
    )
