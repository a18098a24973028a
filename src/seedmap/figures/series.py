"""Figures of series over time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedmap._arrays import Array, Keep
from seedmap.figures.style import QUIET, in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_sample_series", "plot_series"]

# Okabe & Ito's colours, which colour-blind readers distinguish too (jfly.uni-koeln.de/color).
LINES = ("#0072B2", "#D55E00", "#009E73")
SHARED_AXES = len(LINES)  # more lines than these in one panel cannot be distinguished
SHARED_LETTERS = 80  # longer names do not fit beside each other
LEGEND = {"ncols": SHARED_AXES, "frameon": False, "borderpad": 0.1, "borderaxespad": 0.0}
BAND = "#e6e6e6"
# Inches: of the figure, around the panels, and between them, where a panel's title stands.
WIDTH, LEFT, RIGHT, BOTTOM, TOP, BETWEEN = 7.6, 0.58, 0.04, 0.44, 0.42, 0.22


def plot_series(
    seed_series: Array, names: Sequence[str], keep: Keep, t_r: float | None = None
) -> "Figure":
    """Draw the seeds' cleaned series over time.

    Up to three seeds share a panel; more get one each. Censored frames are grey bands, and
    no line crosses them.

    Parameters
    ----------
    seed_series
        Cleaned and z-scored, shape (kept, seeds). NaN is not drawn.
    names
        The seeds' names.
    keep
        Frames that were kept, bool, shape (frames,).
    t_r
        Repetition time [s]; None numbers the frames from 0.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    shared = len(names) <= SHARED_AXES and sum(map(len, names)) <= SHARED_LETTERS
    panels = [list(range(len(names)))] if shared else None
    return _series_figure(seed_series, names, keep, t_r, title="Seed series", panels=panels)


def plot_sample_series(
    sample_series: Array, labels: Sequence[str], keep: Keep, t_r: float | None = None
) -> "Figure":
    """Draw the cleaned series of a few samples over time, a panel each.

    Parameters
    ----------
    sample_series
        Cleaned and z-scored, shape (kept, few). NaN is not drawn.
    labels
        What each is called, such as its coordinates.
    keep
        Frames that were kept, bool, shape (frames,).
    t_r
        Repetition time [s]; None numbers the frames from 0.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    return _series_figure(sample_series, labels, keep, t_r, title="Sample voxels")


def _series_figure(
    series: Array,
    names: Sequence[str],
    keep: Keep,
    t_r: float | None,
    *,
    title: str,
    panels: list[list[int]] | None = None,
) -> "Figure":
    """Draw columns of ``series`` in panels beneath each other; one a panel where none are given.

    The panels are parts of one pair of axes, each shifted down: ticks and text of a pair for each
    would take several times as long to draw.
    """
    panels = panels or [[column] for column in range(len(names))]
    times, series = _over_time(np.asarray(series, dtype=float), np.asarray(keep, dtype=bool), t_r)
    ends = _ends(series)
    with in_style():
        figure, axes, step = _axes(len(panels), ends)
        _shade(axes, times, keep)
        for row, columns in enumerate(panels):
            _draw_lines(axes, times, series[:, columns] - row * step, -row * step)
            _name(axes, [names[c] for c in columns], ends[1] - row * step)
        axes.set_xlim(times[0] - _half(times), times[-1] + _half(times))
        axes.set_xlabel("time [s]" if t_r else "frame")
        _frame(axes, ends, step * np.arange(len(panels)))
        figure.text(0.006, 0.5, "cleaned signal [SD]", rotation="vertical", va="center")
        censored = "" if np.all(keep) else "; censored frames in grey"
        figure.text(
            0.012, 1 - 0.04 / figure.get_figheight(), f"{title}{censored}", size=11, va="top"
        )
    return figure


def _ends(series: Array) -> tuple[float, float]:
    """Return the lower and the upper end of every panel, a little beyond the values."""
    found = series[np.isfinite(series)]
    low, high = (float(found.min()), float(found.max())) if found.size else (-1.0, 1.0)
    spare = 0.05 * (high - low) or 0.05
    return low - spare, high + spare


def _axes(count: int, ends: tuple[float, float]) -> tuple["Figure", "Axes", float]:
    """Make a figure for panels beneath each other; return how far one lies below the other, too.

    The margins are known, so no layout is sought: that would take as long as the drawing.
    """
    from matplotlib.figure import Figure

    height = 2.3 if count == 1 else 0.95 + 0.85 * count
    panel = (height - TOP - BOTTOM - (count - 1) * BETWEEN) / count
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    left, low = LEFT / WIDTH, BOTTOM / height
    axes = figure.add_axes((left, low, 1 - RIGHT / WIDTH - left, 1 - TOP / height - low))
    step = (ends[1] - ends[0]) * (1 + BETWEEN / panel)
    axes.set_ylim(ends[0] - (count - 1) * step, ends[1])
    return figure, axes, step


def _frame(axes: "Axes", ends: tuple[float, float], shifts: Array) -> None:
    """Draw an axis on the left and at the bottom of each panel, with the ticks that all share."""
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import MaxNLocator

    ticks = np.asarray(MaxNLocator(4, integer=True).tick_values(*ends))
    ticks = ticks[(ticks >= ends[0]) & (ticks <= ends[1])]
    words = [f"{tick:.0f}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    axes.set_yticks((ticks - shifts[:, None]).ravel(), words * len(shifts))
    axes.spines["left"].set_visible(False)
    left, right = axes.get_xlim()
    corner = np.array([[left, ends[1]], [left, ends[0]], [right, ends[0]]])
    corners = corner - np.array([0.0, 1.0]) * shifts[:, None, None]
    width = axes.spines["bottom"].get_linewidth()
    axes.add_collection(
        LineCollection(list(corners), colors=QUIET, linewidths=width, clip_on=False), autolim=False
    )


def _over_time(series: Array, keep: Keep, t_r: float | None) -> tuple[Array, Array]:
    """Return times of all frames and series with NaN in the censored ones."""
    full = np.full((keep.size, series.shape[1]), np.nan)
    full[keep] = series
    return np.arange(keep.size) * (t_r or 1.0), full


def _half(times: Array) -> float:
    """Return half the time from one frame to the next."""
    return float(times[1] - times[0]) / 2 if times.size > 1 else 0.5


def _shade(axes: "Axes", times: Array, keep: Keep) -> None:
    """Lay a grey band behind every stretch of censored frames, half a frame to either side."""
    half = _half(times)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], keep, [True])).astype(int)))
    for first, after in edges.reshape(-1, 2):
        axes.axvspan(times[first] - half, times[after - 1] + half, color=BAND, lw=0, zorder=0)


def _draw_lines(axes: "Axes", times: Array, series: Array, zero: float) -> None:
    """Draw one line a series, and a dot where a frame stands alone between censored ones."""
    axes.axhline(zero, color=QUIET, lw=0.4, zorder=1)
    for values, colour in zip(series.T, LINES, strict=False):
        shown = np.isfinite(values)
        beside = np.pad(shown, 1)
        alone = shown & ~beside[:-2] & ~beside[2:]
        axes.plot(times, values, color=colour, zorder=2)
        if alone.any():
            axes.plot(times[alone], values[alone], ".", ms=3, color=colour, zorder=2)


def _name(axes: "Axes", names: Sequence[str], top: float) -> None:
    """Write the names above a panel; where several share it, with their colours."""
    from matplotlib.lines import Line2D

    if len(names) == 1:
        place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(names[0], (0.0, top), (0, 3), size=9, **place)
    else:
        lines = [Line2D([], [], color=colour) for colour in LINES[: len(names)]]
        axes.legend(lines, names, loc="lower left", bbox_to_anchor=(0.0, 0.99), **LEGEND)
