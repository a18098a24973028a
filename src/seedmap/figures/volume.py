"""Figures of volumes: a map on the anatomy, in cuts, slices and a glass brain.

What is below the threshold fades and what is beyond it is outlined: nothing is hidden (Taylor et
al. 2023, doi:10.1016/j.neuroimage.2023.120138). Drawn by matplotlib alone: to import
`nilearn.plotting` takes longer than all the rest of a run. See
docs/decisions/0007-volumes-drawn-with-matplotlib-alone.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.figures.cuts import (
    Volume,
    box_of,
    cut,
    middle,
    pixel_edges,
    projection,
    straightened,
    strongest,
)
from seedmap.figures.style import (
    COLOURS,
    INK,
    MARKER,
    NOTHING,
    QUIET,
    Scale,
    colour_bar,
    in_style,
    limit_of,
)
from seedmap.images import Statistic, statistic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from nibabel.spatialimages import SpatialImage

__all__ = ["Display", "Highlight", "Look", "mni_template", "plot_map"]

# The skull-stripped MNI152 template (ICBM 2009a, 1 mm) inside nilearn's package.
TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
Display = Literal["all", "ortho", "glass", "x", "y", "z"]
# Size of a figure by what it shows [inches], and its part below the title that the panels share.
SIZES = {"all": (7.6, 3.9), "ortho": (7.6, 2.85), "glass": (7.6, 2.85)}
SLICES_SIZE, TITLE, BAR = (7.6, 1.75), 0.31, 0.92
# Where the groups of panels lie in that part: left, bottom, width, height.
BOXES = {
    "ortho": (0.0, 0.36, 0.81, 0.64),
    "glass": (0.84, 0.36, 0.16, 0.64),
    "slices": (0.0, 0.05, 1.0, 0.28),  # their places stand beneath them
    "only slices": (0.0, 0.12, 1.0, 0.88),
}
WHOLE, GAP, SLICES = (0.0, 0.0, 1.0, 1.0), 0.07, 7
# The ends of black and white in units of the anatomy's brightest: greys must not hide colours.
DARK, BRIGHT = -0.45, 1.0
FADED = 0.75  # the most that is seen of a value which is not beyond the threshold


@dataclass(frozen=True, eq=False)
class Highlight:
    """What of a map is beyond a threshold.

    Attributes
    ----------
    passed : ndarray of bool
        Which values are, in the shape of the map.
    words : str
        The threshold, as in a title.
    """

    passed: NDArray[np.bool_]
    words: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """How a map is drawn; the names are nilearn's."""

    vmax: float | None = None
    """End of the colour bar; None takes the statistic's own."""

    cmap: str = COLOURS
    """Colours, by matplotlib's name; 0 has the middle one."""

    symmetric_cbar: bool | None = None
    """Whether the colour bar goes from -vmax; None: if the statistic can be negative."""

    cut_coords: Any = None
    """Where to cut [mm]: a point, or places of slices, or how many; None finds them."""

    display_mode: Display = "all"
    """Three cuts, glass brain and slices (all), only the cuts (ortho), only glass, or slices."""

    background: "SpatialImage | None" = None
    """Image beneath the map; None takes the MNI152 template that nilearn ships."""

    axes: "Axes | None" = None
    """Axes in whose place it is drawn; None makes a figure."""

    def __post_init__(self) -> None:
        if self.display_mode not in get_args(Display):
            known = ", ".join(get_args(Display))
            msg = f"display_mode={self.display_mode!r} is not known; choose one of {known}"
            raise OptionError(msg)

    def signed(self, shown: Statistic) -> bool:
        """Whether the colour bar of a statistic has negative values."""
        return shown.signed if self.symmetric_cbar is None else self.symmetric_cbar


@dataclass(frozen=True, eq=False)
class _Layers:
    """What is drawn over each other, all straight: anatomy, map, and what is beyond the threshold."""

    anatomy: Volume
    greys: tuple[float, float]
    air: float
    volume: Volume
    passed: Volume
    scale: Scale

    @cached_property
    def ends(self) -> Array:
        """Lower and upper ends of all that is drawn [mm], shape (2, 3)."""
        drawn = (
            box_of(self.anatomy, self.anatomy.values > self.air),
            box_of(self.volume, np.abs(self.volume.values) > NOTHING),
        )
        low, high = np.stack(drawn)[:, 0], np.stack(drawn)[:, 1]
        return np.stack([low.min(axis=0), high.max(axis=0)])

    def shades(self, grey: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the greys of the anatomy with opacity, shape (..., 4); air is not seen."""
        low, high = self.greys
        bright = np.clip((grey - low) * (255 / (high - low)), 0, 255)
        seen = np.where(grey > self.air, 255, 0)
        return np.stack([bright, bright, bright, seen], axis=-1).astype(np.uint8)

    def colours(self, values: NDArray[Any], passed: NDArray[np.bool_]) -> Array:
        """Return colours with opacity, shape (..., 4)."""
        from matplotlib import colormaps

        limit, full = self.scale.limit, self.scale.threshold
        shades = colormaps[self.scale.colours]((values + limit) / (2 * limit))
        faded = FADED * np.minimum(np.abs(values) / full, 1.0) ** 2
        shades[..., 3] = np.where(passed, 1.0, faded) * (np.abs(values) > NOTHING)
        return shades


@dataclass(frozen=True)
class _Panel:
    """One picture: across which axis, where [mm] (None looks through all), and its place."""

    axis: int
    at: float | None
    place: tuple[float, float, float, float]
    marked: bool = False


def plot_map(
    image: "SpatialImage",
    *,
    seed: str,
    center: tuple[float, float, float] | None,
    threshold: float | Highlight | None = 0.5,
    stat: str = "r",
    look: Look = Look(),
) -> "Figure":
    """Draw a map on the anatomy: three cuts through the seed, a glass brain and axial slices.

    Parameters
    ----------
    image
        The map, a three-dimensional nibabel image. NaN is drawn as nothing. Where it is askew to
        the axes of the world, it is interpolated.
    seed
        Name of the seed, for the title.
    center
        Where to cut and to mark the seed [mm]; None marks nothing and cuts through the middle
        of the largest cluster.
    threshold
        Values no further from zero than this fade, the others are outlined; or a `Highlight`,
        which says which are. None draws all.
    stat
        What the values are: ``"r"`` gets a colour bar from -1 to 1, others one that nearly all
        values fit in.
    look
        Colours, places, and what is shown.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    from matplotlib.figure import Figure

    volume = _volume(image)
    shown = statistic(stat)
    highlight = _highlight(volume, threshold, shown.symbol or stat)
    full = _full(volume, highlight, threshold)
    limit = look.vmax or limit_of(volume.values, shown, full)
    scale = Scale(look.cmap, limit, min(full, limit), shown.symbol or stat, look.signed(shown))
    layers = _layers(volume, highlight, scale, look)
    where = _point(layers, center, look)
    with in_style():
        size = SIZES.get(look.display_mode, SLICES_SIZE)
        figure: Any = (
            Figure(figsize=size, facecolor="white") if look.axes is None else look.axes.figure
        )
        frame = _frame(look)
        for panel in _panels(layers, where, look, _inner(figure, frame)):
            axes = _draw(figure, layers, panel)
            if center is not None and panel.marked:
                _mark(axes, panel.axis, np.array(center))
        none = "" if highlight.passed.any() else ": no voxel"
        words = f" ({highlight.words}{none})" if highlight.words else ""
        left, bottom, width, height = frame
        title = f"{seed}: {shown.title or stat}{words}"
        figure.text(left + 0.012 * width, bottom + 0.985 * height, title, size=11, va="top")
        bar = (left + 0.915 * width, bottom + 0.14 * height, 0.018 * width, 0.62 * height)
        colour_bar(figure, bar, scale, _bar_shades(layers))
    return figure


def _highlight(volume: Volume, threshold: float | Highlight | None, symbol: str) -> Highlight:
    """Say what is beyond the threshold, if that is a size."""
    if isinstance(threshold, Highlight):
        return threshold
    size = max(abs(float(threshold or 0.0)), NOTHING)
    words = f"|{symbol}| > {size:g}" if size > NOTHING else ""
    return Highlight(np.abs(volume.values) > size, words)


def _full(volume: Volume, highlight: Highlight, threshold: float | Highlight | None) -> float:
    """Return the size at which values have stopped fading: the smallest beyond the threshold."""
    if not isinstance(threshold, Highlight):
        return max(abs(float(threshold or 0.0)), NOTHING)
    sizes = np.abs(volume.values[highlight.passed])
    sizes = sizes[sizes > NOTHING]
    if sizes.size:
        return float(sizes.min())
    return max(float(np.abs(volume.values).max()), NOTHING)


def _bar_shades(layers: _Layers) -> Array:
    """Return the colours of the bar, on the light grey of the anatomy."""
    values = np.linspace(layers.scale.low, layers.scale.limit, 512)
    shades = layers.colours(values, np.abs(values) > layers.scale.threshold)
    alpha = shades[:, 3:]
    shades[:, :3] = shades[:, :3] * alpha + 0.85 * (1 - alpha)
    shades[:, 3] = 1.0
    return shades


def _volume(image: "SpatialImage") -> Volume:
    """Return an image's voxels in float32, with zeros for what is not finite."""
    values = np.asarray(image.dataobj, dtype=np.float32)
    return Volume(np.nan_to_num(values, posinf=0.0, neginf=0.0), np.asarray(image.affine))


def _layers(volume: Volume, highlight: Highlight, scale: Scale, look: Look) -> _Layers:
    """Bring everything to the axes of the world."""
    if look.background is None:
        anatomy = straightened(mni_template())
        bright = float(anatomy.values.max())
        greys, air = (DARK * bright, BRIGHT * bright), 0.0
    else:  # what is darker than a tenth of the brain is air
        anatomy = straightened(_volume(look.background))
        bright = float(np.quantile(anatomy.values, 0.98))
        greys, air = (-0.4 * bright, 1.2 * bright), 0.1 * bright
    passed = straightened(Volume(highlight.passed.astype(np.float32), volume.affine))
    return _Layers(anatomy, greys, air, straightened(volume), passed, scale)


def _point(layers: _Layers, center: tuple[float, float, float] | None, look: Look) -> Array:
    """Return where to cut [mm]: as wished, the seed, else the largest cluster, else the middle."""
    point = look.cut_coords if look.display_mode in ("all", "ortho") else None
    point = center if point is None else point
    if point is not None:
        if len(point) != 3:
            msg = f"cut_coords={point!r}; give x, y and z in mm for display_mode={look.display_mode!r}"
            raise OptionError(msg)
        return np.array(point, dtype=np.float64)
    found = strongest(layers.passed, 0.5)
    return middle(layers.volume) if found is None else found


@cache
def mni_template() -> Volume:
    """Return the skull-stripped MNI152 template at 1 mm.

    From its file in nilearn's package, as nilearn's loader takes scikit-learn with it.
    """
    shipped = files("nilearn") / TEMPLATE
    if not shipped.is_file():  # another version of nilearn may keep it elsewhere
        from nilearn.datasets import load_mni152_template

        return _volume(load_mni152_template(resolution=1))
    import nibabel as nib

    with as_file(shipped) as path:
        image = nib.load(path)
        values = np.asanyarray(image.dataobj)
        values.setflags(write=False)  # whoever draws next gets the same
        return Volume(values, image.affine)


Box = tuple[float, float, float, float]
Inches = tuple[Box, tuple[float, float]]  # a part of a figure, and the figure's size


def _frame(look: Look) -> Box:
    """Return the part of the figure that is drawn into; axes that are given are left empty."""
    if look.axes is None:
        return WHOLE
    look.axes.set_axis_off()
    box: Box = look.axes.get_position().bounds
    return box


def _inner(figure: "Figure", frame: Box) -> Inches:
    """Return the part below the title and left of the bar, and the figure's size [inches]."""
    size = tuple(figure.get_size_inches())
    left, bottom, width, height = frame
    title = TITLE / size[1]
    return (
        left + 0.006 * width,
        bottom + 0.01 * height,
        BAR * 0.95 * width,
        0.98 * height - title,
    ), size


def _panels(layers: _Layers, where: Array, look: Look, inner: Inches) -> Iterator[_Panel]:
    """List the pictures of a figure with their places."""
    ends = layers.ends
    mode = look.display_mode
    if mode in ("all", "ortho"):
        part = _within(inner, BOXES["ortho"] if mode == "all" else WHOLE)
        places = _row(ends, (0, 1, 2), part)
        for axis, place in enumerate(places):
            yield _Panel(axis, float(where[axis]), place, marked=True)
    if mode in ("all", "glass"):
        axes = (0, 2) if mode == "all" else (0, 1, 2)
        part = _within(inner, BOXES["glass"] if mode == "all" else WHOLE)
        places = _row(ends, axes, part, downwards=mode == "all")
        for axis, place in zip(axes, places, strict=True):
            yield _Panel(axis, None, place, marked=True)
    if mode in ("all", "x", "y", "z"):
        axis = "xyz".index(mode) if mode != "all" else 2
        found = _slices(layers, axis, None if mode == "all" else look.cut_coords)
        part = _within(inner, BOXES["slices" if mode == "all" else "only slices"])
        for at, place in zip(found, _row(ends, (axis,) * len(found), part), strict=True):
            yield _Panel(axis, at, place)


def _slices(layers: _Layers, axis: int, wished: Any) -> list[float]:
    """Return the places of slices [mm]: those that are wished, or evenly spread over the map."""
    if wished is not None and np.ndim(wished) == 1:
        return [float(value) for value in wished]
    number = SLICES if wished is None else int(wished)
    low, high = box_of(layers.volume, np.abs(layers.volume.values) > NOTHING)[:, axis]
    span = high - low
    return np.round(np.linspace(low + 0.2 * span, high - 0.12 * span, number)).tolist()


def _within(inner: Inches, box: Box) -> Inches:
    """Return a part of a part of the figure, and the figure's size."""
    (left, bottom, width, height), size = inner
    x, y, wide, high = box
    return (left + x * width, bottom + y * height, wide * width, high * height), size


def _row(ends: Array, axes: Sequence[int], inner: Inches, *, downwards: bool = False) -> list[Box]:
    """Put pictures across these axes beside each other, or below, all to one scale."""
    (left, bottom, width, height), (wide, high) = inner
    spans = ends[1] - ends[0]
    across = np.array([spans[1 if axis == 0 else 0] for axis in axes])
    up = np.array([spans[1 if axis == 2 else 2] for axis in axes])
    gaps = GAP * (len(axes) - 1)
    free = np.array([width * wide, height * high]) - (gaps, 0)[:: -1 if downwards else 1]
    total = (across.max(), up.sum()) if downwards else (across.sum(), up.max())
    scale = float(min(free / total))
    start = np.array([left * wide, bottom * high])
    start += (np.array([width * wide, height * high]) - scale * np.array(total)) / 2
    start[1 if downwards else 0] -= gaps / 2
    places = []
    order = range(len(axes))[::-1] if downwards else range(len(axes))
    for one in order:
        size = scale * np.array([across[one], up[one]])
        spare = scale * np.array([total[0] - across[one], total[1] - up[one]]) / 2
        spare[1 if downwards else 0] = 0.0
        x, y = start + spare
        places.append((x / wide, y / high, size[0] / wide, size[1] / high))
        start[1 if downwards else 0] += size[1 if downwards else 0] + GAP
    return places[::-1] if downwards else places


def _draw(figure: "Figure", layers: _Layers, panel: _Panel) -> "Axes":
    """Draw one picture: anatomy or its outline, the map, and the outline of what is beyond."""
    axis = panel.axis
    across, up = (other for other in range(3) if other != axis)
    axes = figure.add_axes(panel.place)
    axes.set_axis_off()
    ends = layers.ends
    if panel.at is None:
        grey, box = projection(layers.anatomy, axis)
        _outline(axes, grey > layers.air, box[:, [across, up]], (QUIET, 0.8))
        beyond = Volume(layers.volume.values * (layers.passed.values > 0.5), layers.volume.affine)
        pixels, area = projection(beyond, axis)
        passed = np.abs(pixels) > 0
    else:
        grey, box = cut(layers.anatomy, axis, panel.at)
        axes.imshow(layers.shades(grey), **_extent(box[:, [across, up]]))
        pixels, area = cut(layers.volume, axis, panel.at)
        passed = cut(layers.passed, axis, panel.at)[0] > 0.5
    seen = np.rint(255 * layers.colours(pixels, passed)).astype(np.uint8)
    axes.imshow(seen, **_extent(area[:, [across, up]]))
    if layers.scale.threshold > NOTHING:
        _outline(axes, passed, area[:, [across, up]], (INK, 0.7))
    axes.set(xlim=ends[:, across], ylim=ends[:, up])
    sided = axis > 0 and (panel.marked or panel.at is None)
    words = "" if panel.at is None else f"{'xyz'[axis]}={round(panel.at)}"
    _label(axes, words, sided=sided, below=not panel.marked)
    return axes


def _extent(box: Array) -> dict[str, Any]:
    """Say where a picture lies, to matplotlib."""
    extent = (*box[:, 0], *box[:, 1])
    return {"extent": extent, "origin": "lower", "interpolation": "nearest"}


def _outline(axes: "Axes", inside: NDArray[np.bool_], box: Array, line: tuple[str, float]) -> None:
    """Draw a line around the marked pixels of a picture, along their edges."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    size = (box[1] - box[0]) / np.array(inside.shape[::-1])
    edges = pixel_edges(inside) * size + box[0]
    # All in one path: as a thousand lines, they take longer to draw than everything else.
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], dtype=Path.code_type), len(edges))
    colour, width = line
    path = Path(edges.reshape(-1, 2), codes)
    patch = PathPatch(path, fill=False, edgecolor=colour, linewidth=width, capstyle="projecting")
    patch.set_transform(axes.transData)
    axes.add_artist(patch)


def _label(axes: "Axes", position: str, *, sided: bool, below: bool) -> None:
    """Write where the cut is and, where both sides show, which is left: seen from behind or above."""
    at = (
        (0.5, -0.01, position, "center", "top") if below else (0.0, 0.0, position, "left", "bottom")
    )
    words = [at] if position else []
    words += [(0.03, 0.97, "L", "left", "top"), (0.97, 0.97, "R", "right", "top")] if sided else []
    paper = {"boxstyle": "square,pad=0.1", "facecolor": "white", "linewidth": 0}
    for x, y, word, ha, va in words:
        axes.text(x, y, word, ha=ha, va=va, transform=axes.transAxes, bbox=paper)


def _mark(axes: "Axes", axis: int, where: Array) -> None:
    """Mark the seed by a green dot, as nilearn's example does, rimmed to stand on any colour."""
    across, up = np.delete(where, axis)
    scale = min(1.0, axes.get_position().height / 0.5)
    for colour, size in (("white", 70), (INK, 52), (MARKER, 34)):
        axes.scatter(across, up, s=size * scale, c=colour, zorder=3)
