"""Figures of volumes: a map on the anatomy, in three cuts.

Drawn by matplotlib alone: to import `nilearn.plotting` takes longer than all the rest of a run.
See docs/decisions/0007-volumes-drawn-with-matplotlib-alone.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.figures.cuts import Volume, box_of, cut, middle, strongest
from seedmap.figures.style import (
    COLOURS,
    INK,
    MARKER,
    NOTHING,
    colour_bar,
    in_style,
    limit_of,
)
from seedmap.images import statistic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from nibabel.spatialimages import SpatialImage

__all__ = ["plot_map"]

# The skull-stripped MNI152 template (ICBM 2009a, 1 mm) inside nilearn's package.
TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
# The figure, and the part of it that the cuts share: left, bottom, width, height [inches].
SIZE, CUTS, GAP = (7.6, 2.85), (0.05, 0.04, 6.63, 2.54), 0.07
# The ends of black and white in units of the anatomy's brightest: greys must not hide colours.
DARK, BRIGHT = -0.45, 1.0


@dataclass(frozen=True, eq=False)
class _Layer:
    """One of the volumes in a cut: its colours, their ends, and what is too near 0 to be drawn."""

    volume: Volume
    colours: str
    ends: tuple[float, float]
    threshold: float

    def drawn(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which values are drawn."""
        return np.abs(values) > self.threshold


def plot_map(
    image: "SpatialImage",
    *,
    seed: str,
    center: tuple[float, float, float] | None,
    threshold: float | None = 0.5,
    stat: str = "r",
    background: "SpatialImage | None" = None,
) -> "Figure":
    """Draw a map on the anatomy in three cuts through the seed.

    Parameters
    ----------
    image
        The map, a three-dimensional nibabel image. NaN is drawn as nothing.
    seed
        Name of the seed, for the title.
    center
        Where to cut and to mark the seed [mm]; None marks nothing and cuts through the middle
        of the largest cluster.
    threshold
        Values no further from zero than this are not drawn; None draws all.
    stat
        What the values are: ``"r"`` gets a colour bar from -1 to 1, others one that nearly all
        values fit in.
    background
        Image beneath the map; None takes the MNI152 template that nilearn ships.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    from matplotlib.figure import Figure

    volume = _volume(image)
    threshold = max(abs(float(threshold or 0.0)), NOTHING)
    shown = statistic(stat)
    title, symbol = shown.title or stat, shown.symbol or stat
    limit = limit_of(volume.values, shown, threshold)
    over = _Layer(volume, COLOURS, (-limit, limit), threshold)
    drawn = bool(over.drawn(volume.values).any())
    beyond = f" (|{symbol}| > {threshold:g}{'' if drawn else ': no voxel'})"
    beyond = beyond if threshold > NOTHING else ""
    with in_style():
        figure = Figure(figsize=SIZE, facecolor="white")
        where = _cuts(volume, center, threshold)
        panels = _draw_cuts(figure, (_anatomy(background), over), where)
        if center is not None:
            _mark(panels, where)
        figure.text(0.012, 0.975, f"{seed}: {title}{beyond}", size=11, va="top")
        colour_bar(figure, limit, threshold, symbol)
    return figure


def _volume(image: "SpatialImage") -> Volume:
    """Return an image's voxels in float32, with zeros for what is not finite."""
    values = np.asarray(image.dataobj, dtype=np.float32)
    return Volume(np.nan_to_num(values, posinf=0.0, neginf=0.0), np.asarray(image.affine))


def _cuts(volume: Volume, center: tuple[float, float, float] | None, threshold: float) -> Array:
    """Return where to cut [mm]: the seed, else the largest cluster, else the middle."""
    if center is not None:
        return np.array(center, dtype=np.float64)
    found = strongest(volume, threshold)
    return middle(volume) if found is None else found


def _anatomy(background: "SpatialImage | None") -> _Layer:
    """Return what lies beneath the map: what is darker than a tenth of the brain is air."""
    if background is None:
        volume = _template()
        bright = float(volume.values.max())
        return _Layer(volume, "gray", (DARK * bright, BRIGHT * bright), 0.0)
    volume = _volume(background)
    bright = float(np.quantile(volume.values, 0.98))
    return _Layer(volume, "gray", (-0.4 * bright, 1.2 * bright), 0.1 * bright)


def _template() -> Volume:
    """Return the template: from its file, as nilearn's loader takes scikit-learn with it."""
    shipped = files("nilearn") / TEMPLATE
    if not shipped.is_file():  # another version of nilearn may keep it elsewhere
        from nilearn.datasets import load_mni152_template

        return _volume(load_mni152_template(resolution=1))
    import nibabel as nib

    with as_file(shipped) as path:
        image = nib.load(path)
        return Volume(np.asanyarray(image.dataobj), image.affine)


def _draw_cuts(figure: "Figure", layers: Sequence[_Layer], where: Array) -> list["Axes"]:
    """Draw layers over each other in three cuts, across x, y and z, all to one scale."""
    boxes = np.stack([box_of(one.volume, one.drawn(one.volume.values)) for one in layers])
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    panels = []
    for axis, place in enumerate(_places(high - low)):
        across, up = (other for other in range(3) if other != axis)
        axes = figure.add_axes(place)
        axes.set_axis_off()
        for layer in layers:
            pixels, box = cut(layer.volume, axis, float(where[axis]))
            axes.imshow(
                np.ma.masked_array(pixels, ~layer.drawn(pixels)),
                cmap=layer.colours,
                vmin=layer.ends[0],
                vmax=layer.ends[1],
                extent=(box[0, across], box[1, across], box[0, up], box[1, up]),
                origin="lower",
                interpolation="nearest",
            )
        axes.set(xlim=(low[across], high[across]), ylim=(low[up], high[up]))
        _label(axes, f"{'xyz'[axis]}={round(float(where[axis]))}", sided=axis > 0)
        panels.append(axes)
    return panels


def _places(spans: Array) -> list[tuple[float, float, float, float]]:
    """Put three cuts of a box of these spans [mm] beside each other, as parts of the figure."""
    left, bottom, width, height = CUTS
    across, up = spans[[1, 0, 0]], spans[[2, 2, 1]]
    scale = min((width - 2 * GAP) / across.sum(), height / up.max())
    start = left + (width - 2 * GAP - scale * across.sum()) / 2
    places = []
    for wide, high in zip(scale * across, scale * up, strict=True):
        base = bottom + (height - high) / 2
        places.append((start / SIZE[0], base / SIZE[1], wide / SIZE[0], high / SIZE[1]))
        start += wide + GAP
    return places


def _label(axes: "Axes", position: str, *, sided: bool) -> None:
    """Write where the cut is and, where both sides show, which is left: seen from behind or above."""
    words = [(0.0, 0.0, position, "left", "bottom")]
    words += [(0.03, 0.97, "L", "left", "top"), (0.97, 0.97, "R", "right", "top")] if sided else []
    paper = {"boxstyle": "square,pad=0.1", "facecolor": "white", "linewidth": 0}
    for x, y, word, ha, va in words:
        axes.text(x, y, word, ha=ha, va=va, transform=axes.transAxes, bbox=paper)


def _mark(panels: Sequence["Axes"], where: Array) -> None:
    """Mark the seed by a green dot, as nilearn's example does, rimmed to stand on any colour."""
    for axis, axes in enumerate(panels):
        across, up = np.delete(where, axis)
        for colour, size in (("white", 70), (INK, 52), (MARKER, 34)):
            axes.scatter(across, up, s=size, c=colour, zorder=3)
