"""Maps as a notebook shows them: in words, drawn, and as a table of clusters."""

import base64
import html
import io
from typing import TYPE_CHECKING, Any

from seedmap.figures import can_draw, in_style
from seedmap.spatial import can_cluster

if TYPE_CHECKING:
    from seedmap.analysis.base import Maps

__all__ = ["page_of"]

MOST_SEEDS, MOST_CLUSTERS = 3, 8
SHOWN = ("x_mm", "y_mm", "z_mm", "r", "z", "q", "size_mm3", "size_mm2", "region")


def page_of(maps: "Maps") -> str:
    """Return HTML with a figure and the largest clusters of each of the first seeds."""
    parts = [f"<pre>{html.escape(repr(maps))}</pre>"]
    for seed in maps.seeds[:MOST_SEEDS]:
        if can_draw(maps.space):
            name = html.escape(f"Map of {seed}", quote=True)
            shown = f"data:image/png;base64,{_png(maps.plot(seed))}"
            parts.append(f'<img alt="{name}" style="max-width:100%" src="{shown}">')
        if can_cluster(maps.space):
            found = maps.clusters(seed)
            kept = [name for name in SHOWN if (found[name].notna() & (found[name] != "")).any()]
            none = f"<p>No cluster with {html.escape(maps.default_threshold.words)}.</p>"
            table = found[kept].head(MOST_CLUSTERS).round(3).to_html(index=False, border=0)
            parts.append(table if len(found) else none)
    if len(maps.seeds) > MOST_SEEDS:
        parts.append(f"<p>and {len(maps.seeds) - MOST_SEEDS} more seeds</p>")
    return "\n".join(parts)


def _png(figure: Any) -> str:
    """Write a figure as PNG in base64."""
    file = io.BytesIO()
    with in_style():
        figure.savefig(file, format="png", dpi=100)
    return base64.b64encode(file.getvalue()).decode("ascii")
