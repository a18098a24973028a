"""Shows figures that were made without pyplot on the pages of the gallery.

sphinx-gallery finds figures by asking pyplot, which knows nothing of ours. This scraper takes the
value of a block's last line, as a notebook does, and saves it where it is a figure.
"""

import ast
from typing import Any

from sphinx_gallery.scrapers import figure_rst

DOTS = 200  # an inch: sharp on a screen with two pixels a point


def save_last_figure(block: tuple[Any, ...], block_vars: dict[str, Any], conf: Any) -> str:
    """Save the figure that a block ends with; return the reST that shows it."""
    from matplotlib.figure import Figure

    value = block_vars["example_globals"].get("___")  # sphinx-gallery's name for the last value
    is_managed = getattr(getattr(value, "canvas", None), "manager", None) is not None
    if not isinstance(value, Figure) or is_managed or not _ends_with_value(block[1]):
        return ""
    path = next(block_vars["image_path_iterator"])
    value.savefig(path, dpi=DOTS, metadata={"Software": None})
    titles = [text.get_text() for text in value.texts] or [ax.get_title() for ax in value.axes]
    return figure_rst([path], conf["src_dir"], next(filter(None, titles), ""))


def _ends_with_value(code: str) -> bool:
    body = ast.parse(code).body
    return bool(body) and isinstance(body[-1], ast.Expr)


def _get_sg_image_scraper() -> Any:
    """Name for sphinx-gallery what to call; it looks for this name."""
    return save_last_figure
