"""The session over HTTP: routes, what a request may ask, who is let in, and the page itself."""

from seedmap.explorer.web._extra import EXTRA  # first: it says what to install
from seedmap.explorer.web.app import make_app
from seedmap.explorer.web.guard import Guard, Policy

__all__ = ["EXTRA", "Guard", "Policy", "make_app"]
