"""The explorer as a web application: its addresses, the page's own files, and the guard before them."""

from functools import cache
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seedmap.explorer.beside import SIDES, AnySession, Beside
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.web.answers import Endpoint, Pages, answering
from seedmap.explorer.web.cortex_pages import CortexGroupPages, CortexPages
from seedmap.explorer.web.group_pages import GroupPages
from seedmap.explorer.web.guard import Guard, Policy
from seedmap.explorer.web.run_pages import RunPages
from seedmap.images import Grid

__all__ = ["make_app"]

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}


def make_app(session: AnySession | Beside, policy: Policy) -> Guard:
    """Build the application around what is shown: routes, and the guard before them."""
    if isinstance(session, Beside):
        routes = _files("", "beside.html")
        for side in SIDES:
            routes += _files(f"/{side}", "index.html")
            routes += _answers(f"/{side}", getattr(session, side))
    else:
        routes = _files("", "index.html") + _answers("", session)
    return Guard(Starlette(routes=routes), policy)


def _answers(under: str, session: AnySession) -> list[Route]:
    """Return what is answered of a session."""
    return [
        Route(f"{under}/api/{path}", answering(endpoint), methods=[method])
        for path, (endpoint, method) in _pages_of(session).addresses().items()
    ]


def _pages_of(session: AnySession) -> Pages:
    if isinstance(session, GroupSession):
        flat = isinstance(session.grid, Grid)
        return GroupPages(session) if flat else CortexGroupPages(session)
    return RunPages(session) if isinstance(session.source.grid, Grid) else CortexPages(session)


def _files(under: str, page: str) -> list[Route]:
    """Return a page and the files that it may ask for."""
    scripts = [
        Route(f"{under}/static/{name}", _sending(name, content))
        for name, content in _static_files().items()
        if not name.endswith(".html")
    ]
    return [Route(f"{under}/", _sending(page, _static_files()[page])), *scripts]


@cache
def _static_files() -> dict[str, bytes]:
    """Read our own files, once; no request can name another."""
    folder = files("seedmap.explorer.web") / "static"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.rsplit(".", 1)[-1] in TYPES
    }


def _sending(name: str, content: bytes) -> Endpoint:
    media_type = TYPES[name.rsplit(".", 1)[-1]]

    async def send(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return send
