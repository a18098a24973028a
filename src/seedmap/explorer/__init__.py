"""The live page: click a place in the brain, and its map is there.

`explore` is the call for a notebook or a program; ``seedmap explore`` the one for a terminal.
Needs the extra ``seedmap[explore]``.
"""

from seedmap.explorer.server import (
    Explorer,
    ServerOptions,
    begin_session,
    explore,
    serve,
)
from seedmap.explorer.source import open_source

__all__ = ["Explorer", "ServerOptions", "begin_session", "explore", "open_source", "serve"]
