"""Who may come in: a token once, then a cookie; this host only; this page only.

The explorer listens on this machine alone, but every page that is open in the same browser can
send it requests, and every user of the machine can connect to it. So the first link carries a
token, which becomes a cookie that scripts cannot read and other sites cannot send; the Host header
is checked against DNS rebinding; requests from other origins are refused; and the page may load
and run nothing but its own files.
"""

import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "Policy"]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors {ancestors}",
    )
)
KNOCK = (
    "This explorer opens with the address that was printed when it was started (it ends in "
    "?token=...). Copy the whole of it.\n"
)


@dataclass(frozen=True)
class Policy:
    """Who may come in.

    Attributes
    ----------
    token : str
        What the first link carries.
    cookie : str
        Name of the cookie; several explorers on one host need several.
    hosts : tuple of str
        Further names under which the explorer is reached, such as that of a proxy.
    framed : bool
        Whether a notebook may show the page in a frame.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    cookie: str = "seedmap"
    hosts: tuple[str, ...] = ()
    framed: bool = False

    def security_policy(self) -> str:
        """Return the Content-Security-Policy."""
        ancestors = "'none'"
        if self.framed:
            local = ("http://localhost:*", "http://127.0.0.1:*", "https://localhost:*")
            ancestors = " ".join(["'self'", *local, *(f"https://{host}" for host in self.hosts)])
        return POLICY.format(ancestors=ancestors)


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app, self._policy = app, policy
        headers = {
            "Content-Security-Policy": policy.security_policy(),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Cache-Control": "no-store",
        }
        if not policy.framed:
            headers["X-Frame-Options"] = "DENY"
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        self.last_request = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it at the door; stamp every answer."""
        if scope["type"] != "http":
            return  # no WebSockets here, and nothing to start or stop
        self.last_request = time.monotonic()
        started = time.perf_counter()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = f"total;dur={1e3 * (time.perf_counter() - started):.2f}"
                timing = (b"server-timing", took.encode())
                message["headers"] = [*message["headers"], *self._headers, timing]
            await send(message)

        answer = self._at_the_door(scope)
        await (self._app if answer is None else answer)(scope, receive, stamped)

    def _at_the_door(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let in; None for those that are."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(f"not served under the name {host[:80]!r}\n", 400)
        if not _same_origin(headers, host):
            return PlainTextResponse("requests from other sites are refused\n", 403)
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if tokens and scope["path"] == "/":
            return self._with_token(tokens[0])
        if not self._has_cookie(headers.get("cookie", "")):
            return PlainTextResponse(KNOCK, 403)
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name.lower() in (*LOCAL, *self._policy.hosts)

    def _with_token(self, token: str) -> Response:
        """Exchange the token for a cookie, and the address for one without it."""
        if not secrets.compare_digest(token.encode(), self._policy.token.encode()):
            return PlainTextResponse(KNOCK, 403)
        answer = RedirectResponse("./", status_code=303)
        cookie = f"{self._policy.cookie}={self._policy.token}; HttpOnly; SameSite=Strict"
        answer.headers.append("Set-Cookie", cookie)
        return answer

    def _has_cookie(self, cookies: str) -> bool:
        found = False
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self._policy.cookie:
                found |= secrets.compare_digest(value.encode(), self._policy.token.encode())
        return found


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether a request comes from our page, or from no page at all."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower()
    if headers.get("sec-fetch-site") == "cross-site":
        return headers.get("sec-fetch-mode") == "navigate"
    return True
