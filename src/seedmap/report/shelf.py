"""Where the templates of pages are taken from."""

import base64
from functools import cache
from typing import Any

from seedmap.report.pictures import Picture
from seedmap.report.words import true_minus

__all__ = ["environment"]


@cache
def environment() -> Any:
    """Return the shelf of templates, which compiles each but once; text is escaped, a missing value is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    shelf = Environment(
        loader=PackageLoader("seedmap.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shelf.filters |= {"data_uri": _data_uri, "true_minus": true_minus}
    return shelf


def _data_uri(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
