"""Which requests are answered: a token once, then a cookie; this host only; this page only.

The explorer listens on this machine alone, but every page that is open in the same browser can
send it requests, and every user of the machine can connect to it. So the first link carries a
token, which is good once and is exchanged for a cookie that scripts cannot read and other sites
cannot send; the Host header is checked against DNS rebinding; requests of other pages are refused,
those of other ports of this machine included; and the page may load and run nothing but its own
files.
"""

import secrets
import time
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
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
        "frame-src {frames}",
        "frame-ancestors {ancestors}",
    )
)
KNOCK = (
    "This explorer opens with the address that was printed when it was started (it ends in "
    "?token=...). Copy the whole of it. An address opens one browser, once.\n"
)
MOST_PENDING = 16  # tokens that were given and not used yet; older ones are forgotten


@dataclass(frozen=True)
class Policy:
    """Which requests are answered.

    Attributes
    ----------
    cookie : str
        Name of the cookie; several explorers on one host need several.
    hosts : tuple of str
        Further names under which the explorer is reached, such as that of a proxy.
    framed : bool
        Whether a notebook may show the page in a frame.
    beside : bool
        Whether the page shows two of its own in frames.
    """

    cookie: str = "seedmap"
    hosts: tuple[str, ...] = ()
    framed: bool = False
    beside: bool = False

    def security_policy(self) -> str:
        """Return the Content-Security-Policy."""
        frames = ancestors = "'self'" if self.beside else "'none'"
        if self.framed:
            local = ("http://localhost:*", "http://127.0.0.1:*", "https://localhost:*")
            ancestors = " ".join(["'self'", *local, *(f"https://{host}" for host in self.hosts)])
        return POLICY.format(frames=frames, ancestors=ancestors)


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
            headers["X-Frame-Options"] = "SAMEORIGIN" if policy.beside else "DENY"
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        self._secret = secrets.token_urlsafe(24)
        self._pending: list[str] = []
        self.last_request = time.monotonic()

    def invite(self) -> str:
        """Return a new token, with which one browser is let in, once."""
        token = secrets.token_urlsafe(24)
        self._pending = [*self._pending[1 - MOST_PENDING :], token]
        return token

    def is_pending(self, token: str) -> bool:
        """Whether a token was not used yet."""
        return token in self._pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it before the app sees it; stamp every answer."""
        if scope["type"] != "http":
            return  # no WebSockets here, and nothing to start or stop
        started = time.perf_counter()
        refusal, headers = self._refusal(scope), self._headers
        if refusal is None and not self._has_cookie(Headers(scope=scope).get("cookie", "")):
            if self._redeems(scope):
                cookie = f"{self._policy.cookie}={self._secret}; HttpOnly; SameSite=Strict"
                headers = [*headers, (b"set-cookie", cookie.encode())]
            else:
                refusal = PlainTextResponse(KNOCK, 403)

        if refusal is None:
            self.last_request = time.monotonic()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = f"total;dur={1e3 * (time.perf_counter() - started):.2f}"
                timing = (b"server-timing", took.encode())
                message["headers"] = [*message["headers"], *headers, timing]
            await send(message)

        await (self._app if refusal is None else refusal)(scope, receive, stamped)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request under another name or of another page, else None."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(f"not served under the name {host[:80]!r}\n", 400)
        opens_page = scope["path"] == "/" and self._may_open(headers)
        if not _same_origin(headers, host) and not opens_page:
            return PlainTextResponse("requests from other sites are refused\n", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name.lower() in (*LOCAL, *self._policy.hosts)

    def _may_open(self, headers: Headers) -> bool:
        """Whether a browser goes to the page, which it may do from anywhere."""
        places = ("document", "iframe") if self._policy.framed else ("document",)
        return (
            "origin" not in headers
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") in places
        )

    def _redeems(self, scope: Scope) -> bool:
        """Whether a request for the page brings a token that is good; then it is no longer."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0].encode()
        for token in self._pending:
            if secrets.compare_digest(given, token.encode()):
                self._pending.remove(token)
                return True
        return False

    def _has_cookie(self, cookies: str) -> bool:
        found = False
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self._policy.cookie:
                found |= secrets.compare_digest(value.encode(), self._secret.encode())
        return found


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether a request comes from our page, or from no page at all.

    Pages on other ports of this machine are of the same site, so that their requests bring the
    cookie; they are of another origin.
    """
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
