"""The explorer as a web application: its addresses, the page's own files, and the guard before them."""

from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import Session
from seedmap.explorer.web.answers import Pages, answering
from seedmap.explorer.web.cortex_pages import CortexPages
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


def make_app(session: Session | GroupSession, policy: Policy) -> Guard:
    """Build the application around a session: routes, and the guard before them."""
    pages = _pages_of(session)
    routes = [_static(name, content) for name, content in _static_files().items()]
    for path, (endpoint, method) in pages.addresses().items():
        routes.append(Route(f"/api/{path}", answering(endpoint), methods=[method]))
    return Guard(Starlette(routes=routes), policy)


def _pages_of(session: Session | GroupSession) -> Pages:
    if isinstance(session, GroupSession):
        return GroupPages(session)
    return RunPages(session) if isinstance(session.source.grid, Grid) else CortexPages(session)


def _static_files() -> dict[str, bytes]:
    """Read our own files, once; no request can name another."""
    folder = files("seedmap.explorer.web") / "static"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.rsplit(".", 1)[-1] in TYPES
    }


def _static(name: str, content: bytes) -> Route:
    media_type = TYPES[name.rsplit(".", 1)[-1]]

    async def send(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return Route("/" if name == "index.html" else f"/static/{name}", send)
