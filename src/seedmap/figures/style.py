"""What all figures share: the style, the colour bar, and writing them as files."""

import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedmap._arrays import Array
from seedmap.images import Statistic, atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "MARKER",
    "NOTHING",
    "QUIET",
    "Scale",
    "colour_bar",
    "in_style",
    "limit_of",
    "load_early",
    "save_figure",
]

INK, QUIET, MARKER = "#222222", "#6b6b6b", "#00c853"
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure looks alike everywhere
    "font.size": 9.0,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titley": 1.0,  # where titles stand, so that no place is sought among the ticks
    "lines.linewidth": 1.1,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a seed's name is a dollar sign
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "pdf.fonttype": 42,  # TrueType: text in the PDF stays text, which journals ask for
    "ps.fonttype": 42,  # read for PDFs too: as 3, a minus sign becomes a font of its own
}
# Fixed so that the same figure gives the same bytes.
METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
DPI = 150
# Tables of a font: ligatures, kerning, kinds of glyphs, and names in many languages.
TYPESETTING = ("GSUB", "GPOS", "GDEF", "kern", "BASE", "JSTF")
COLOURS = "RdBu_r"
NOTHING = 1e-6  # zeros, which fill the image outside the mask, are never drawn


def save_figure(
    figure: "Figure", path_without_suffix: Path | str, kinds: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write a figure as PNG and as PDF, each whole or not at all.

    The PNG has 150 dots an inch; the PDF keeps text as text. The same figure gives the same
    bytes: no date is stored.

    Parameters
    ----------
    figure
        A matplotlib figure.
    path_without_suffix
        Where to, without ``.png`` or ``.pdf``; the folder must exist.
    kinds
        Which of the two.

    Returns
    -------
    list of Path
        The PNG and the PDF, or what was asked for.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    stem = Path(path_without_suffix)
    paths = []
    for kind in kinds:
        path = stem.with_name(f"{stem.name}.{kind}")  # with_suffix would eat a name's last dot
        more: Any = {"pil_kwargs": {"compress_level": 4}} if kind == "png" else {}
        fonts = _small_fonts() if kind == "pdf" else nullcontext()
        with in_style(), fonts, atomic_file(path) as file:
            figure.savefig(file, format=kind, dpi=DPI, metadata=METADATA[kind], **more)
        paths.append(path)
    return paths


def load_early() -> threading.Thread:
    """Import matplotlib, with what it writes files by, in a thread beside other work.

    That takes about as long as reading a small run; who will draw afterwards waits less.
    """

    def load() -> None:
        for name in ("figure", "collections", "backends.backend_agg", "backends.backend_pdf"):
            importlib.import_module(f"matplotlib.{name}")

    thread = threading.Thread(target=load, name="seedmap-figures")
    thread.start()
    return thread


@contextmanager
def _small_fonts() -> Iterator[None]:
    """Embed fonts without the tables that only a typesetter reads.

    A PDF places each glyph itself. To reduce those tables to the letters in use takes longer than
    to draw the figure.
    """
    from fontTools import subset

    class Options(subset.Options):  # type: ignore[misc]  # fontTools has no types
        def __init__(self, **wished: Any) -> None:
            super().__init__(**wished)
            self.drop_tables: list[str] = [*self.drop_tables, *TYPESETTING]

    whole = subset.Options
    subset.Options = Options
    try:
        yield
    finally:
        subset.Options = whole


@contextmanager
def in_style() -> Iterator[None]:
    """Draw in our style and from matplotlib's own defaults, and leave no trace of either."""
    import matplotlib as mpl

    with mpl.rc_context():
        # The backend is the user's: naming it here could open a display.
        mpl.rcParams.update({k: v for k, v in mpl.rcParamsDefault.items() if "backend" not in k})
        mpl.rcParams.update(STYLE)
        yield


def limit_of(values: Array, shown: Statistic, threshold: float) -> float:
    """Return the end of the colour bar: the statistic's own, or one that 99.9 % fit below."""
    if shown.limit is not None:
        return shown.limit
    sizes = np.abs(values[values != 0])
    largest = max(float(np.quantile(sizes, 0.999)) if sizes.size else 0.0, 1.25 * threshold)
    if largest <= 0:
        return 1.0
    unit = 10.0 ** np.floor(np.log10(largest))
    steps = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]) * unit
    return float(f"{steps[steps >= largest * (1 - 1e-9)][0]:.2g}")


def colour_bar(
    figure: "Figure",
    place: tuple[float, float, float, float],
    scale: "Scale",
    shades: Array | None = None,
) -> None:
    """Add a colour bar, by default blank where the map is.

    Parameters
    ----------
    figure
        Where to.
    place
        Left, bottom, width and height, as parts of the figure.
    scale
        Colours and their ends.
    shades
        Colours (n, 4) from end to end, in place of the scale's own.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    limit, threshold = scale.limit, scale.threshold
    if shades is None:
        values = np.linspace(scale.low, limit, 512)
        shades = colormaps[scale.colours]((values + limit) / (2 * limit))
        hidden = np.abs(values) <= threshold
        shades[hidden] = (0.93, 0.93, 0.93, 1.0)
    axes = figure.add_axes(place)
    colours = ScalarMappable(Normalize(scale.low, limit), ListedColormap(shades))
    ticks = [tick for tick in _ticks(limit, threshold) if tick >= scale.low]
    bar = figure.colorbar(colours, cax=axes, ticks=ticks, format=_tick)
    bar.outline.set_visible(False)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # as cells, some PDF viewers draw seams between them
    axes.tick_params(length=0, pad=4)
    axes.set_title(scale.symbol, size=9, pad=6)


@dataclass(frozen=True)
class Scale:
    """Colours of a map.

    Attributes
    ----------
    colours : str
        Name of the colours, of which 0 has the middle one.
    limit, threshold : float
        Where they end on either side, and where they begin.
    symbol : str
        What they stand for.
    signed : bool
        Whether the colour bar has negative values.
    """

    colours: str
    limit: float
    threshold: float
    symbol: str
    signed: bool = True

    @property
    def low(self) -> float:
        """Lower end of the colour bar."""
        return -self.limit if self.signed else 0.0


def _tick(value: float, _: int) -> str:
    """Write a tick of the colour bar with a true minus sign; longer ones would not fit."""
    return f"{value:{'.2g' if abs(value) < 1 else '.3g'}}".replace("-", "\N{MINUS SIGN}")


def _ticks(limit: float, threshold: float) -> list[float]:
    """Mark 0, the ends, and the thresholds where their labels do not run into a neighbour's."""
    inner = (-threshold, threshold) if 0.1 * limit <= threshold <= 0.9 * limit else ()
    return sorted({-limit, 0.0, limit, *inner})
