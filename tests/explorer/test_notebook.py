"""The page in the frame of a notebook: on this machine, and through jupyter-server-proxy."""

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from seedmap.explorer import Explorer, ServerOptions

BASE = "/user/me/"


class Notebook(BaseHTTPRequestHandler):
    """Serves a page with the frame in it, and forwards as jupyter-server-proxy does."""

    def do_GET(self):
        explorer = self.server.explorer
        prefix = f"{BASE}proxy/{explorer.port}"
        if self.path.startswith(prefix + "/"):
            self.forward(explorer.port, self.path.removeprefix(prefix))
            return
        page = f"<!doctype html><body data-base-url='{BASE}'>{explorer._repr_html_()}</body>"
        if self.server.remote:  # a hub: not under the name of this machine
            page = page.replace("location.hostname", "'hub.example'")
        body = page.encode() if self.path == "/" else b""
        self.reply(200 if body else 404, {"Content-Type": "text/html"}, body)

    def do_POST(self):
        port = self.server.explorer.port
        self.forward(port, self.path.removeprefix(f"{BASE}proxy/{port}"))

    def forward(self, port, path):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as line:
            line.request(self.command, path, body, dict(self.headers))
            answer = line.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() != "content-length"}
            body = answer.read()
        with contextlib.suppress(ConnectionError):  # the page may be gone by now
            self.reply(answer.status, kept, body)

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Waits for its threads when it closes, so that none is left with an open line."""

    daemon_threads = False


@pytest.fixture
def notebook(explorer):
    """Start a notebook server around an explorer that may be framed."""
    framed = Explorer(explorer.session, ServerOptions(), framed=True).start()
    server = Server(("127.0.0.1", 0), Notebook)
    server.explorer, server.remote = framed, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
    framed._server.should_exit = framed._server.force_exit = True  # the session is shared
    framed._thread.join(timeout=10)
    framed._socket.close()


@pytest.mark.parametrize(
    ("name", "remote"), [("localhost", False), ("127.0.0.1", False), ("localhost", True)]
)
def test_the_page_works_in_a_frame(chromium, notebook, name, remote):
    notebook.remote = remote
    page = chromium.new_page()
    page.goto(f"http://{name}:{notebook.server_port}/")
    frame = page.frame_locator("iframe")
    frame.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
    assert frame.locator("#value").inner_text() != ""
    inner = next(frame for frame in page.frames if frame != page.main_frame)
    assert inner.evaluate("seedmap.ready")
    assert "token" not in inner.url
    assert (BASE in inner.url) == remote
    page.close()


def test_a_page_may_be_opened_by_a_file(chromium, explorer):
    """As the browser is opened: the cookie must come along although the file is of another site."""
    with explorer.address_file() as file:
        page = chromium.new_page()
        page.goto(file.as_uri())
        page.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
        assert "token" not in page.url
        page.reload()
        page.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
        page.close()


def test_another_site_cannot_frame_the_page(chromium, explorer, notebook):
    policy = dict(explorer._app._headers)[b"content-security-policy"].decode()
    assert "frame-ancestors 'none'" in policy
