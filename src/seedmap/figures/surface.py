"""Figures of surfaces: a map on both hemispheres, from outside and from the middle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedmap._arrays import Array
from seedmap.figures.style import (
    INK,
    MARKER,
    NOTHING,
    Scale,
    colour_bar,
    in_style,
    limit_of,
)
from seedmap.figures.volume import Look
from seedmap.images import Surface, statistic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Side", "plot_sides"]

VIEWS = ("lateral", "medial")
CLOSER = 1.45  # matplotlib leaves much air around what is drawn in space
# Where each view is seen from, elevation and azimuth [degrees], in nilearn's words.
FROM = {
    ("left", "lateral"): (0, 180),
    ("left", "medial"): (0, 0),
    ("right", "lateral"): (0, 0),
    ("right", "medial"): (0, 180),
}


@dataclass(frozen=True, eq=False)
class Side:
    """One hemisphere of a map.

    Attributes
    ----------
    hemisphere : str
        ``"left"`` or ``"right"``.
    surface : Surface
        What it is drawn on.
    values : ndarray, shape (vertices,)
        The map; NaN is drawn as nothing.
    shade : ndarray or None
        Depth of the folds, shape (vertices,), drawn in grey beneath.
    seed : ndarray or None
        Where the seed is marked, in the coordinates of ``surface``, shape (3,).
    """

    hemisphere: str
    surface: Surface
    values: Array
    shade: Array | None = None
    seed: Array | None = None


def plot_sides(
    sides: Sequence[Side],
    *,
    seed: str,
    words: str = "",
    stat: str = "r",
    look: Look = Look(),  # noqa: B008  frozen
) -> "Figure":
    """Draw a map on the cortex, each hemisphere from outside and from the middle.

    Parameters
    ----------
    sides
        One hemisphere or two.
    seed
        Name of the seed, for the title.
    words
        The threshold that what is not 0 is beyond, for the title.
    stat
        What the values are: ``"r"`` gets a colour bar from -1 to 1, others one that nearly all
        values fit in.
    look
        Colours and ends of the colour bar; the rest is of volumes.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    from matplotlib.figure import Figure

    values = [np.nan_to_num(np.asarray(one.values, dtype=np.float64)) for one in sides]
    shown = statistic(stat)
    title, symbol = shown.title or stat, shown.symbol or stat
    sizes = np.abs(np.concatenate(values))
    drawn = sizes[sizes > NOTHING]
    scale = Scale(
        look.cmap,
        look.vmax or limit_of(np.concatenate(values), shown, NOTHING),
        float(drawn.min()) if drawn.size and words else NOTHING,
        symbol,
        look.signed(shown),
    )
    beyond = f" ({words}{'' if drawn.size else ': no vertex'})" if words else ""
    views = [(place, view) for place in range(len(sides)) for view in VIEWS]
    if len(views) == 4:  # both middles in the middle
        views = [views[0], views[1], views[3], views[2]]
    with in_style():
        figure = Figure(figsize=(7.6, 2.35), facecolor="white")
        width = 0.885 / 4
        left = 0.005 + (4 - len(views)) / 2 * width
        for column, (place, view) in enumerate(views):
            axes = figure.add_axes((left + column * width, 0.02, width, 0.8), projection="3d")
            _draw(axes, sides[place], values[place], view, scale)
            which = f"{sides[place].hemisphere}, {view}"
            figure.text(left + (column + 0.5) * width, 0.03, which, size=8, ha="center")
        figure.text(0.012, 0.975, f"{seed}: {title}{beyond}", size=11, va="top")
        colour_bar(figure, (0.905, 0.12, 0.018, 0.66), scale)
    return figure


def _draw(axes: Any, side: Side, values: Array, view: str, scale: Scale) -> None:
    """Draw one view with nilearn, and mark the seed where it faces the viewer."""
    from nilearn.plotting import plot_surf_stat_map

    plot_surf_stat_map(
        [side.surface.coordinates, side.surface.triangles],
        values,
        bg_map=side.shade,
        hemi=side.hemisphere,
        view=view,
        cmap=scale.colours,
        colorbar=False,
        threshold=NOTHING,
        vmin=-scale.limit,
        vmax=scale.limit,
        bg_on_data=False,
        axes=axes,
        figure=axes.figure,
    )
    for collection in axes.collections:
        collection.set_rasterized(True)  # tens of thousands of triangles make a huge PDF
    axes.set_box_aspect(None, zoom=CLOSER)
    if side.seed is not None and _faces(side, view):
        for colour, size in (("white", 46), (INK, 33), (MARKER, 21)):
            axes.scatter(*_lifted(side, view), s=size, c=colour, depthshade=False, zorder=1e6)


def _outwards(side: Side, view: str) -> Array:
    """Return the direction towards the viewer."""
    _, azimuth = FROM[side.hemisphere, view]
    return np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth)), 0.0])


def _faces(side: Side, view: str) -> bool:
    """Whether no part of the surface lies between the seed and the viewer."""
    assert side.seed is not None
    points, towards = side.surface.coordinates - side.seed, _outwards(side, view)
    depth = points @ towards
    beside = np.linalg.norm(points - depth[:, None] * towards, axis=1)
    return not bool(((beside < 4.0) & (depth > 20.0)).any())


def _lifted(side: Side, view: str) -> Array:
    """Return the seed's place, brought in front of everything."""
    assert side.seed is not None
    depth = (side.surface.coordinates - side.seed) @ _outwards(side, view)
    return side.seed + _outwards(side, view) * (depth.max() + 1.0)
