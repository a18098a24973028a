"""The live page: click a place in the brain, and its map is there.

`explore` is the call for a notebook or a program; ``seedmap explore`` the one for a terminal.
Needs the extra ``seedmap[explore]``.
"""

from seedmap.explorer.beside import AnySession, Beside, begin_beside
from seedmap.explorer.command import Command
from seedmap.explorer.engine import Explorable, open_source
from seedmap.explorer.engine.stored import is_stored
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.grouping import begin_group, choose_half
from seedmap.explorer.regions import by_hemisphere
from seedmap.explorer.results import recall
from seedmap.explorer.server import (
    Explorer,
    ServerOptions,
    begin_session,
    explore,
    serve,
)
from seedmap.explorer.session import Session

__all__ = [
    "AnySession",
    "Beside",
    "Command",
    "Explorable",
    "Explorer",
    "GroupSession",
    "ServerOptions",
    "Session",
    "begin_beside",
    "begin_group",
    "begin_session",
    "by_hemisphere",
    "choose_half",
    "explore",
    "is_stored",
    "open_source",
    "recall",
    "serve",
]
