"""Figures: a map on the anatomy, series over time, and both as files.

The one door to matplotlib and `nilearn.plotting`, both imported when a figure is asked for.
Figures are made as objects, without pyplot: no display is needed, no window is left open and
nobody's style is changed. They take arrays and images and know nothing of where those come from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array, Keep
from seedmap.images import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from nibabel.spatialimages import SpatialImage
    from nilearn.plotting.displays import OrthoSlicer

__all__ = ["plot_map", "plot_sample_series", "plot_series", "save_figure"]

# Okabe & Ito's colours, told apart by colour-blind readers too (jfly.uni-koeln.de/color).
LINES = ("#0072B2", "#D55E00", "#009E73")
INK, QUIET, BAND, MARKER = "#222222", "#6b6b6b", "#e6e6e6", "#00c853"
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure looks alike everywhere
    "font.size": 9.0,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "lines.linewidth": 1.1,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a seed's name is a dollar sign
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "pdf.fonttype": 42,  # TrueType: text in the PDF stays text, which journals ask for
}
# Fixed so that the same figure gives the same bytes.
METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
DPI = 150
SHARED_AXES = len(LINES)  # more lines than these in one panel cannot be told apart
SHARED_LETTERS = 80  # longer names do not fit beside each other
LEGEND = {"ncols": SHARED_AXES, "frameon": False, "borderpad": 0.1, "borderaxespad": 0.0}
COLOURS = "RdBu_r"
NOTHING = 1e-6  # zeros, which fill the image outside the mask, are never drawn
# How a statistic is called in a title, and its symbol beside the threshold and the colour bar.
NAMES = {"r": ("r", "r"), "fisherz": ("Fisher z", "atanh r")}


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
        Where to cut and to mark the seed [mm]; None marks nothing and cuts through the
        strongest part of the map.
    threshold
        Values no further from zero than this are not drawn; None draws all.
    stat
        What the values are: ``"r"`` gets a colour bar from -1 to 1, others one that nearly all
        values fit in.
    background
        Image beneath the map; None takes nilearn's MNI152 template.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    from matplotlib.figure import Figure

    image = _finite(image)
    threshold = max(abs(float(threshold or 0.0)), NOTHING)
    limit = _limit(np.asarray(image.dataobj), stat, threshold)
    name, symbol = NAMES.get(stat, (stat, stat))
    drawn = bool(_drawn(image, threshold).any())
    beyond = f" (|{symbol}| > {threshold:g}{'' if drawn else ': no voxel'})"
    beyond = beyond if threshold > NOTHING else ""
    with _style():
        figure = Figure(figsize=(7.6, 2.85), facecolor="white")
        display = _anatomy(figure, _cuts(image, center, threshold), background)
        if drawn:  # nilearn warns of an empty overlay
            display.add_overlay(image, threshold, vmin=-limit, vmax=limit, cmap=COLOURS)
        if center is not None:
            _mark(display, center)
        figure.text(0.012, 0.975, f"{seed}: {name}{beyond}", size=11, va="top")
        _colour_bar(figure, limit, threshold, symbol)
    return figure


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


def save_figure(figure: "Figure", path_without_suffix: Path | str) -> list[Path]:
    """Write a figure as PNG and as PDF, each whole or not at all.

    The PNG has 150 dots an inch; the PDF keeps text as text. The same figure gives the same
    bytes: no date is stored.

    Parameters
    ----------
    figure
        A matplotlib figure.
    path_without_suffix
        Where to, without ``.png`` or ``.pdf``; the folder must exist.

    Returns
    -------
    list of Path
        The PNG and the PDF.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    stem = Path(path_without_suffix)
    paths = []
    for kind, metadata in METADATA.items():
        path = stem.with_name(f"{stem.name}.{kind}")  # with_suffix would eat a name's last dot
        with _style(), atomic_file(path) as file:
            figure.savefig(file, format=kind, dpi=DPI, metadata=metadata)
        paths.append(path)
    return paths


@contextmanager
def _style() -> Iterator[None]:
    """Draw in our style and from matplotlib's own defaults, and leave no trace of either."""
    import matplotlib as mpl

    with mpl.rc_context():
        # The backend is the user's: naming it here could open a display.
        mpl.rcParams.update({k: v for k, v in mpl.rcParamsDefault.items() if "backend" not in k})
        mpl.rcParams.update(STYLE)
        yield


def _finite(image: "SpatialImage") -> "SpatialImage":
    """Return a copy of the image in float32, with zeros for what is not finite."""
    values = np.nan_to_num(np.asarray(image.dataobj, dtype=np.float32), posinf=0.0, neginf=0.0)
    return type(image)(values, image.affine)


def _drawn(image: "SpatialImage", threshold: float) -> NDArray[np.bool_]:
    """Return which voxels lie beyond the threshold."""
    return np.abs(np.asarray(image.dataobj)) > threshold


def _limit(values: Array, stat: str, threshold: float) -> float:
    """Return the end of the colour bar: 1 for r, else a round number that 99.9 % fit below."""
    if stat == "r":
        return 1.0
    sizes = np.abs(values[values != 0])
    largest = max(float(np.quantile(sizes, 0.999)) if sizes.size else 0.0, 1.25 * threshold)
    if largest <= 0:
        return 1.0
    unit = 10.0 ** np.floor(np.log10(largest))
    steps = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]) * unit
    return float(f"{steps[steps >= largest * (1 - 1e-9)][0]:.2g}")


def _cuts(
    image: "SpatialImage", center: tuple[float, float, float] | None, threshold: float
) -> tuple[float, ...]:
    """Return where to cut [mm]: the seed, else the strongest cluster, else the middle."""
    from nilearn.plotting import find_xyz_cut_coords

    values = np.asarray(image.dataobj)
    if center is not None:
        return tuple(float(c) for c in center)
    if _drawn(image, threshold).any():
        return tuple(map(float, find_xyz_cut_coords(image, activation_threshold=threshold)))
    drawn = np.argwhere(values != 0)
    middle = drawn.mean(axis=0) if drawn.size else (np.array(values.shape) - 1) / 2
    return tuple(map(float, image.affine[:3, :3] @ middle + image.affine[:3, 3]))


def _anatomy(
    figure: "Figure", cuts: tuple[float, ...], background: "SpatialImage | None"
) -> "OrthoSlicer":
    """Draw the anatomy in three cuts on white; return nilearn's display."""
    from nilearn.plotting import plot_anat

    options = {
        "figure": figure,
        "axes": (0.005, 0.01, 0.885, 0.9),
        "cut_coords": cuts,
        "annotate": False,
        "black_bg": False,
        "colorbar": False,
        "draw_cross": False,
    }
    if background is None:
        display = plot_anat(**options)
    else:
        background = _finite(background)
        bright = float(np.quantile(np.asarray(background.dataobj), 0.98))
        # What is darker than a tenth of the brain is air: left white.
        shades = {"threshold": 0.1 * bright, "vmin": -0.4 * bright, "vmax": 1.2 * bright}
        display = plot_anat(background, **shades, **options)
    display.annotate(size=9)
    return display


def _mark(display: "OrthoSlicer", center: tuple[float, float, float]) -> None:
    """Mark the seed by a green dot, as nilearn's example does, rimmed to stand on any colour."""
    place = np.asarray([center], dtype=float)
    display.add_markers(place, marker_color="white", marker_size=70)
    display.add_markers(place, marker_color=INK, marker_size=52)
    display.add_markers(place, marker_color=MARKER, marker_size=34)


def _colour_bar(figure: "Figure", limit: float, threshold: float, symbol: str) -> None:
    """Add a symmetric colour bar that is blank where the map is."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    shades = colormaps[COLOURS](np.linspace(0, 1, 512))
    hidden = np.abs(np.linspace(-limit, limit, 512)) <= threshold
    shades[hidden] = (0.93, 0.93, 0.93, 1.0)
    axes = figure.add_axes((0.905, 0.12, 0.018, 0.66))
    colours = ScalarMappable(Normalize(-limit, limit), ListedColormap(shades))
    ticks = sorted({-limit, -threshold, 0.0, threshold, limit})
    bar = figure.colorbar(colours, cax=axes, ticks=_apart(ticks, limit), format=_tick)
    bar.outline.set_visible(False)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # as cells, some PDF viewers draw seams between them
    axes.tick_params(length=0, pad=4)
    axes.set_title(symbol, size=9, pad=6)


def _tick(value: float, _: int) -> str:
    """Write a tick of the colour bar with a true minus sign, as those of other axes have."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _apart(ticks: list[float], limit: float) -> list[float]:
    """Leave out the thresholds where their labels would run into a neighbour's."""
    inner = [t for t in ticks if 0.1 * limit <= abs(t) <= 0.9 * limit]
    return sorted({-limit, 0.0, limit, *inner})


def _series_figure(
    series: Array,
    names: Sequence[str],
    keep: Keep,
    t_r: float | None,
    *,
    title: str,
    panels: list[list[int]] | None = None,
) -> "Figure":
    """Draw columns of ``series`` in panels beneath each other; one a panel where none are given."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels = panels or [[column] for column in range(len(names))]
    times, series = _over_time(np.asarray(series, dtype=float), np.asarray(keep, dtype=bool), t_r)
    height = 2.3 if len(panels) == 1 else 0.95 + 0.85 * len(panels)
    with _style():
        figure = Figure(figsize=(7.6, height), facecolor="white", layout="constrained")
        rows = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, columns in zip(rows, panels, strict=True):
            _shade(axes, times, keep)
            _draw_lines(axes, times, series[:, columns], [names[c] for c in columns])
        rows[0].set_xlim(times[0] - _half(times), times[-1] + _half(times))
        for axes in rows[:-1]:
            axes.tick_params(axis="x", length=0)
        rows[0].yaxis.set_major_locator(MaxNLocator(4, integer=True))
        rows[-1].set_xlabel("time [s]" if t_r else "frame")
        figure.supylabel("cleaned signal [SD]", size=9)
        censored = "" if np.all(keep) else "; censored frames in grey"
        figure.suptitle(f"{title}{censored}", size=11, x=0.012, ha="left")
    return figure


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


def _draw_lines(axes: "Axes", times: Array, series: Array, names: Sequence[str]) -> None:
    """Draw one line a series, a dot where a frame stands alone between censored ones, and names."""
    axes.axhline(0, color=QUIET, lw=0.4, zorder=1)
    lines = []
    for values, colour in zip(series.T, LINES, strict=False):
        shown = np.isfinite(values)
        beside = np.pad(shown, 1)
        alone = shown & ~beside[:-2] & ~beside[2:]
        lines += axes.plot(times, values, color=colour, zorder=2)
        axes.plot(times[alone], values[alone], ".", ms=3, color=colour, zorder=2)
    if len(names) == 1:
        axes.set_title(names[0], size=9, loc="left", pad=3)
    else:
        axes.legend(lines, names, loc="lower left", bbox_to_anchor=(0.0, 0.99), **LEGEND)
