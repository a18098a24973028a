"""Small charts as SVG, and carpets as PNG: drawn without a plotting library, sharp at any size.

Each returns text for a page; the colours come from the page's style.
"""

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep, middle

__all__ = ["Bar", "bars", "carpet", "histogram", "scatter", "trace"]

WIDTH, LEFT, RIGHT = 720.0, 58.0, 8.0
PLOT = WIDTH - LEFT - RIGHT
# A carpet's grey runs from this many standard deviations below to as many above the mean.
CARPET_RANGE = 2.5


def trace(
    values: Array,
    keep: Keep,
    t_r: float | None,
    *,
    name: str,
    threshold: float | None = None,
) -> str:
    """Draw a line over time, censored frames shaded, as SVG.

    Parameters
    ----------
    values
        Shape (frames,); NaN where there is none.
    keep
        Frames that stay, shape (frames,).
    t_r
        Repetition time [s]; None counts frames.
    name
        What is drawn, with its unit.
    threshold
        Where a dashed line is drawn.
    """
    height, top = 96.0, 24.0
    low, high = 0.0, float(np.nanmax(values, initial=threshold or 0.0)) * 1.05 or 1.0
    x = LEFT + (np.arange(values.size) + 0.5) / values.size * PLOT
    y = top + height * (1 - (values - low) / (high - low))
    parts = [_shade(keep, top, height), _frame(top, height)]
    parts += [f'<polyline class="line" points="{points}"/>' for points in _pieces(x, y)]
    if threshold is not None:
        at = top + height * (1 - threshold / high)
        parts.append(
            f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
    parts += [
        _label(LEFT - 6, top + 10, f"{high:.2g}", "end"),
        _label(LEFT - 6, top + height, "0", "end"),
    ]
    end = f"{values.size * t_r:.0f} s" if t_r else f"{values.size} frames"
    parts += [
        _label(LEFT, top + height + 16, "0"),
        _label(WIDTH - RIGHT, top + height + 16, end, "end"),
    ]
    censored = int(np.count_nonzero(~keep))
    finite = values[np.isfinite(values)]
    mean = f"mean {finite.mean():.3g}" if finite.size else "no values"
    alt = f"{name} over time: {mean}; {censored} of {keep.size} frames censored."
    return _svg(top + height + 22, alt, [*parts, _label(LEFT, top - 8, name)])


def histogram(before: Array, after: Array, *, name: str) -> str:
    """Draw two distributions of correlations as outlines over each other, as SVG."""
    height, top = 140.0, 8.0
    edges = np.linspace(-1, 1, 81)
    counts = [np.histogram(v[np.isfinite(v)], edges, density=True)[0] for v in (before, after)]
    tallest = max(float(c.max(initial=0.0)) for c in counts) or 1.0
    x = LEFT + (edges + 1) / 2 * PLOT
    parts = [_frame(top, height)]
    for kind, values in zip(("before", "after"), counts, strict=True):
        y = top + height * (1 - values / tallest * 0.95)
        steps = " ".join(
            f"{a:.1f},{h:.1f} {b:.1f},{h:.1f}" for a, b, h in zip(x[:-1], x[1:], y, strict=True)
        )
        parts.append(f'<polyline class="{kind}" points="{steps}"/>')
    parts += [
        _label(LEFT + (tick + 1) / 2 * PLOT, top + height + 16, _minus(tick), "middle")
        for tick in (-1, -0.5, 0, 0.5, 1)
    ]
    spread = [middle(v) for v in (before, after)]
    alt = f"{name}: median {spread[0]:.2f} before cleaning, {spread[1]:.2f} after."
    parts += [
        _label(LEFT + 10, top + 18, "before", kind="before-text"),
        _label(LEFT + 10, top + 36, "after", kind="after-text"),
    ]
    return _svg(top + height + 22, alt, parts)


def scatter(x: Array, y: Array, *, name: str, across: str) -> str:
    """Draw points of y in [-1, 1] over x with the means of ten equal parts, as SVG."""
    height, top = 180.0, 8.0
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    far = float(x.max(initial=1.0)) or 1.0
    px, py = LEFT + x / far * PLOT, top + height * (1 - y) / 2
    parts = [_frame(top, height)]
    middle = top + height / 2
    parts.append(
        f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle}" y2="{middle}"/>'
    )
    parts += [
        f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="2"/>'
        for a, b in zip(px, py, strict=True)
    ]
    order = np.array_split(np.argsort(x), 10) if x.size >= 10 else []
    means = " ".join(f"{px[part].mean():.1f},{py[part].mean():.1f}" for part in order)
    parts.append(f'<polyline class="after" points="{means}"/>')
    parts += [
        _label(LEFT - 6, top + 10, "1", "end"),
        _label(LEFT - 6, middle + 4, "0", "end"),
        _label(LEFT - 6, top + height, _minus(-1), "end"),
        _label(LEFT, top + height + 16, "0"),
        _label(WIDTH - RIGHT, top + height + 16, f"{far:.0f} mm {across}", "end"),
    ]
    return _svg(top + height + 22, f"{name} over {across}, {x.size} points.", parts)


@dataclass(frozen=True)
class Bar:
    """A bar of `bars`.

    Attributes
    ----------
    name : str
        What it is of.
    value : float
        Its length.
    usual : tuple of float
        5, 50 and 95 % of what is usual; NaN where that is not known.
    """

    name: str
    value: float
    usual: tuple[float, float, float]


def bars(shown: Sequence[Bar], *, name: str) -> str:
    """Draw bars in standard errors, a line at 1 and the usual range behind each, as SVG."""
    left, right, step, top = 190.0, 44.0, 34.0, 26.0
    plot, height = WIDTH - left - right, step * len(shown)
    far = max(
        [1.15, *(value for one in shown for value in (one.value, one.usual[2]) if value == value)]
    )
    across = [left + value / far * plot for value in (0.0, 1.0)]
    parts = [f'<rect class="box" x="{left}" y="{top}" width="{plot}" height="{height}"/>']
    for at, one in enumerate(shown):
        middle = top + step * (at + 0.5)
        parts += _usual(one.usual, left, plot / far, middle)
        parts += [
            f'<rect class="bar" x="{left}" y="{middle - 5:.1f}" width="{one.value / far * plot:.1f}" height="10"/>',
            _label(left - 10, middle + 5, one.name, "end"),
            _label(left + one.value / far * plot + 6, middle + 5, f"{one.value:.2f}", kind="value"),
        ]
    parts += [
        f'<line class="limit" x1="{across[1]:.1f}" x2="{across[1]:.1f}" y1="{top}" y2="{top + height}"/>',
        _label(across[0], top + height + 16, "0"),
        _label(across[1], top + height + 16, "1 standard error of the map", "middle"),
        _label(left, top - 9, _legend(shown)),
    ]
    words = "; ".join(f"{one.name} {one.value:.2f}" for one in shown)
    return _svg(top + height + 22, f"{name}, in its own standard errors: {words}.", parts)


def _legend(shown: Sequence[Bar]) -> str:
    """Say what bars and bands are; nothing of bands where there are none."""
    if any(np.isfinite(one.usual[1]) for one in shown):
        return "Bars: this seed. Bands: spheres at random places, 5 to 95 %, and their median"
    return "Bars: this seed"


def _usual(usual: tuple[float, float, float], left: float, unit: float, middle: float) -> list[str]:
    """Draw the band of what is usual, and its median."""
    low, half, high = (left + value * unit for value in usual)
    if not np.isfinite(half):
        return []
    return [
        f'<rect class="usual" x="{low:.1f}" y="{middle - 12:.1f}" width="{high - low:.1f}" height="24"/>',
        f'<line class="median" x1="{half:.1f}" x2="{half:.1f}" y1="{middle - 12:.1f}" y2="{middle + 12:.1f}"/>',
    ]


def carpet(series: Array, keep: Keep) -> str:
    """Draw a carpet as a data URI: samples downward, frames to the right, censored frames white.

    Parameters
    ----------
    series
        Shape (kept, samples); each sample is centred and scaled here.
    keep
        Frames that stay, shape (frames,).
    """
    centred = series - series.mean(axis=0)
    spread = centred.std(axis=0)
    scaled = centred / np.where(spread > 0, spread, 1.0)
    grey = np.clip((scaled / CARPET_RANGE + 1) * 127.5, 0, 255).astype(np.uint8)
    picture = np.full((series.shape[1], keep.size), 255, dtype=np.uint8)
    picture[:, keep] = grey.T
    return f"data:image/png;base64,{base64.b64encode(_png(picture)).decode()}"


def _png(grey: NDArray[np.uint8]) -> bytes:
    """Write an 8-bit grey picture (rows, columns) as PNG."""
    rows, columns = grey.shape
    lines = b"".join(b"\0" + row.tobytes() for row in grey)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines, 9))
        + chunk(b"IEND", b"")
    )


def _pieces(x: Array, y: Array) -> list[str]:
    """Write a line's points, broken where there is no value."""
    pieces, finite = [], np.isfinite(y)
    for part in np.split(np.arange(x.size), np.flatnonzero(~finite)):
        shown = part[finite[part]]
        if shown.size:
            pieces.append(" ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in shown))
    return pieces


def _shade(keep: Keep, top: float, height: float) -> str:
    """Shade censored frames, each stretch as one box."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], keep, [True]]).astype(np.int8)))
    step = PLOT / keep.size
    return "".join(
        f'<rect class="gone" x="{LEFT + a * step:.1f}" y="{top}" width="{(b - a) * step:.1f}" height="{height}"/>'
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def _frame(top: float, height: float) -> str:
    return f'<rect class="box" x="{LEFT}" y="{top}" width="{PLOT}" height="{height}"/>'


def _label(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _minus(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _svg(height: float, alt: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(alt)}">'
        f"<title>{escape(alt)}</title>{''.join(parts)}</svg>"
    )
