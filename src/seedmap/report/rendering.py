"""From a template and facts to a page: one HTML file with style and pictures inside."""

import base64
from datetime import UTC, datetime
from functools import cache
from typing import Any

from seedmap._texts import without_folders
from seedmap.report.pictures import Picture
from seedmap.report.words import true_minus

__all__ = ["data_uri", "render"]


def render(template: str, date: datetime | None = None, **facts: Any) -> str:
    """Make a page of a template.

    Parameters
    ----------
    template
        Name of the template, without ``.html.j2``.
    date
        Date of the page; None is now.
    **facts
        What the template shows. Text is escaped.

    Returns
    -------
    str
        HTML5 that loads nothing.

    Raises
    ------
    jinja2.UndefinedError
        If the template shows something that is not given.
    """
    when = f"{(date or datetime.now(UTC)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    html: str = _templates().get_template(f"{template}.html.j2").render(**facts, date=when)
    return html


@cache
def _templates() -> Any:
    """Return the templates, each of which is compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("seedmap.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    templates.filters |= {"data_uri": data_uri, "true_minus": true_minus}
    return templates


def _shown(value: Any) -> Any:
    """Write a text without the folders of this machine; what is HTML already stays as it is."""
    return without_folders(value) if type(value) is str else value


def data_uri(picture: Picture) -> str:
    """Write a picture as an address that holds it."""
    from markupsafe import Markup

    address = f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
    return Markup(address)
