"""Who is let in, and what is refused: by plain HTTP, as an attacker would."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from seedmap.explorer import ServerOptions, serve
from seedmap.explorer.engine import Superseded

PLACE = "x=0&y=-52&z=18"


def test_a_token_is_good_once_and_the_cookie_is_another_secret(client):
    token = client.token()
    assert client.status(f"/?token={token}", method="HEAD", cookie=False) == 403  # nor used up
    answer, body = client.ask(f"/?token={token}", cookie=False)
    assert answer.status == 200
    assert b"<html" in body
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert token not in cookie
    assert client.status(f"/?token={token}", cookie=False) == 403
    assert client.status(f"/?token={token}") == 200  # who is in may come again
    port = client.explorer.port
    assert client.status("/", cookie=False, Cookie=f"seedmap-{port}={token}") == 403
    assert client.token() != token


def test_forgotten_tokens_do_not_pile_up(client):
    tokens = [client.explorer._app.invite() for _ in range(40)]
    assert client.status(f"/?token={tokens[0]}", cookie=False) == 403
    assert client.status(f"/?token={tokens[-1]}", cookie=False) == 200


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's temporary folder private")
def test_the_browser_is_given_a_file_that_nobody_else_can_read(client, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("seedmap.explorer.server.Explorer.close", lambda self: self._socket.close())

    def look(self):
        while not opened:
            time.sleep(0.01)
        path = Path(urlsplit(opened[0]).path)
        assert path.parent.stat().st_mode & 0o077 == 0
        opened.append(path.read_text())

    monkeypatch.setattr("seedmap.explorer.server.Explorer.run", look)
    said = []
    serve(client.explorer.session, ServerOptions(), browser=True, say=said.append)
    address, text = opened
    assert address.startswith("file://")
    assert "token" not in address
    assert "token=" in text
    assert said[0] not in text  # each opens a browser of its own
    assert not Path(urlsplit(address).path).exists()


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/static/style.css", "/api/run", "/api/mask", "/api/underlay"]
)
def test_nothing_is_served_without_the_token(client, path):
    assert client.status(path, cookie=False) == 403
    assert client.status(path, cookie=False, Cookie=f"seedmap-{client.explorer.port}=no") == 403
    assert client.status(path) == 200


def test_a_wrong_token_is_refused(client):
    assert client.status("/?token=wrong", cookie=False) == 403
    assert client.status("/?token=", cookie=False) == 403
    assert client.status("/?token=%ff%00", cookie=False) == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "[::2]:80"]
)
def test_another_host_is_refused(client, host):
    assert client.status("/api/run", Host=host) == 400


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "LOCALHOST:1"])
def test_our_own_names_are_known(client, host):
    assert client.status("/api/run", Host=host) == 200


def test_another_origin_is_refused(client):
    port = client.explorer.port
    assert client.status("/api/run", Origin="http://evil.example") == 403
    assert client.status("/api/run", Origin="null") == 403
    assert client.status("/api/run", Origin=f"http://127.0.0.1:{port + 1}") == 403
    assert client.status("/api/run", Origin=f"http://127.0.0.1:{port}") == 200
    assert client.status("/api/run", Origin="http://[") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_of_other_pages_are_refused(client, site):
    """Pages on other ports of this machine are of the same site: their requests bring the cookie."""
    for path in ("/", "/api/run", "/static/main.js", f"/api/map?{PLACE}"):
        assert client.status(path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors") == 403
        assert client.status(path, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors") == 403
    goes = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate"}
    assert client.status("/api/run", **goes, Sec_Fetch_Dest="document") == 403
    assert client.status("/", **goes, Sec_Fetch_Dest="iframe") == 403
    assert client.status("/", **goes, Sec_Fetch_Dest="document") == 200
    assert client.status("/api/run", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors") == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/static/",
        "/api/",
        "/api/map/../run",
    ],
)
def test_no_path_leads_out(client, path):
    assert client.status(path) == 404


@pytest.mark.parametrize(
    "query",
    [
        "",
        "x=0&y=0",
        "x=nan&y=0&z=0",
        "x=inf&y=0&z=0",
        "x=abc&y=0&z=0",
        "x=1e400&y=0&z=0",
        "x=0&y=0&z=0&radius=1e9",
        "x=0&y=0&z=0&radius=-1",
        "x=0&y=0&z=0&radius=nan",
        "x=900&y=0&z=0",
        f"{PLACE}&n=-1",
        f"{PLACE}&n=1e99",
        f"{PLACE}&name={'a' * 41}",
        f"{PLACE}&name=...",
    ],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(client, query):
    for page in ("map", "certain"):
        answer, body = client.ask(f"/api/{page}?{query}")
        assert answer.status == 422
        assert json.loads(body)["error"]


@pytest.mark.parametrize(
    "place", ["", "&ax=0&ay=0", "&ax=0&ay=nan&az=0", "&ax=0&ay=0&az=0&threshold=70"]
)
def test_about_checks_its_place(client, place):
    assert client.status(f"/api/about?{PLACE}{place}") == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"smoothing": -1}',
        b'{"smoothing": true}',
        b'{"smoothing": "6mm"}',
        b'{"high": 0.2, "low": 0.1}',
        b'{"low": 99}',
        b'{"groups": ["no such"]}',
        b'{"groups": "head motion"}',
        b'{"x": [1], "y": {}, "z": 0}',
        b'"' + b"a" * 70000 + b'"',
        b"[" * 60000,
        b'{"x": ' + b"[" * 30000 + b"]" * 30000 + b"}",
        b'{"x": ' + b"9" * 60000 + b"}",
        b'{"x": 0, "y": -52, "z": 18, "name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"\xff\xfe",
    ],
)
def test_bodies_are_checked(client, body):
    version = client.explorer.session.version
    for page in ("settings", "save"):
        answer, said = client.ask(f"/api/{page}", "POST", body, Content_Type="application/json")
        assert answer.status == 422
        assert json.loads(said)["error"]
    assert client.explorer.session.version == version


def test_forms_of_other_pages_cannot_post(client):
    assert client.status("/api/save", method="POST", body=b"x=0") == 422
    assert client.status("/api/save") == 405


def test_a_name_cannot_leave_the_folder(client, explorer):
    body = json.dumps({"x": 0, "y": -52, "z": 18, "name": "../../etc/evil"}).encode()
    answer, said = client.ask("/api/save", "POST", body, Content_Type="application/json")
    assert answer.status == 200
    assert all("/" not in name for name in json.loads(said)["files"])
    assert list(explorer.session.out.glob("*_seed-etcevil_stat-r_statmap.nii.gz"))


def test_every_answer_is_stamped(client):
    for path in ("/", "/api/run", f"/api/map?{PLACE}", "/nothing", "/api/map"):
        answer, _ = client.ask(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "total;dur=" in ", ".join(answer.headers.get_all("Server-Timing"))


def test_an_older_request_is_dropped(client):
    where = f"/api/map?{PLACE}&w=order"
    assert client.status(f"{where}&n=5") == 200
    answer, body = client.ask(f"{where}&n=4")
    assert answer.status == 204
    assert body == b""
    assert json.loads(answer.headers["X-Map"])["dropped"]


def test_the_payload_is_int16_of_the_mask(client, explorer):
    answer, body = client.ask(f"/api/map?{PLACE}")
    live = explorer.session.cleaned.live
    steps = np.frombuffer(body, "<i2")
    assert steps.size == live.grid.n_samples
    assert json.loads(answer.headers["X-Map"])["voxels"] > 0
    places = np.frombuffer(client.ask("/api/mask")[1], "<i4")
    assert np.array_equal(places, np.flatnonzero(live.grid.mask))


def test_many_random_requests_from_two_windows(client, explorer):
    """A thousand requests, some nonsense, some cut off: no error, no memory that grows."""
    random = np.random.default_rng(3)
    places = random.uniform(-90, 90, (1000, 3)).round(1)
    threads, before = threading.active_count(), resident()

    def one(number):
        x, y, z = places[number]
        path = f"/api/map?x={x}&y={y}&z={z}&radius={number % 35}&n={number}&w={number % 2}"
        if number % 50 == 0:
            return hang_up(client, path)
        return client.status(path)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = set(pool.map(one, range(1000)))
    assert found <= {0, 200, 204, 422}
    assert threading.active_count() - threads < 60
    assert resident() - before < 60 << 20
    assert client.status(f"/api/map?{PLACE}&n=1000&w=0") == 200


def resident():
    """Return the memory of this process, which is the server's, too; 0 where it is not known."""
    statistics = Path("/proc/self/statm")
    pages = int(statistics.read_text().split()[1]) if statistics.exists() else 0
    return pages * 4096


def hang_up(client, path):
    """Ask, and leave before the answer is there."""
    with socket.create_connection(("127.0.0.1", client.explorer.port)) as line:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {client.cookie['Cookie']}\r\n\r\n"
        )
        line.sendall(request.encode())
    return 0


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_silent_connection_is_closed(explorer, said, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.web.connection.SILENT", 0.2)
    with socket.create_connection(("127.0.0.1", explorer.port), timeout=10) as line:
        line.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""


def test_a_connection_is_closed_after_its_last_answer(client, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.web.connection.SILENT", 1.0)
    with socket.create_connection(("127.0.0.1", client.explorer.port), timeout=10) as line:
        request = (
            f"GET /api/job HTTP/1.1\r\nHost: localhost\r\nCookie: {client.cookie['Cookie']}\r\n\r\n"
        )
        for _ in range(2):
            line.sendall(request.encode())
            answer = b""
            while not answer.endswith(b"}"):
                answer += line.recv(1 << 16)
            assert b"200 OK" in answer
        line.sendall(b"GET /api/job HTTP/1.1\r\nHost: loc")  # which ends uvicorn's own waiting
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""


def test_a_body_that_does_not_arrive_is_given_up(client, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.web.answers.BODY_WAIT", 0.2)
    line = http.client.HTTPConnection("127.0.0.1", client.explorer.port, timeout=10)
    line.putrequest("POST", "/api/look")
    line.putheader("Cookie", client.cookie["Cookie"])
    line.putheader("Content-Type", "application/json")
    line.putheader("Content-Length", "40")
    line.endheaders(b'{"x": 0')
    assert line.getresponse().status == 422
    line.close()


def test_there_are_not_too_many_connections(client, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.web.connection.MOST", 20)
    port = client.explorer.port
    lines = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(25)]
    lines[-1].sendall(b"GET / HTTP/1.1\r\n")
    with contextlib.suppress(ConnectionError):
        assert lines[-1].recv(1) == b""
    for line in lines:
        line.close()


def test_maps_with_error_bars_wait_without_holding_up_clicks(client, explorer, monkeypatch):
    """Sixty windows want a z map, and more than that of threads there are not."""
    go_on, at_work, most = threading.Event(), [], []

    def slow(seed, superseded=bool):
        at_work.append(seed)
        most.append(len(at_work))
        assert go_on.wait(20)
        at_work.pop()
        raise Superseded

    monkeypatch.setattr(explorer.session, "certain", slow)
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(client.status, f"/api/certain?{PLACE}&w={n}") for n in range(60)]
        while not most:
            time.sleep(0.01)
        assert client.status(f"/api/map?{PLACE}&w=click") == 200
        go_on.set()
        assert {one.result() for one in asked} == {204}
    assert most == [1] * 60


def test_the_address_is_this_machine_only(explorer):
    assert urlsplit(explorer.url).hostname == "127.0.0.1"
    assert explorer._socket.getsockname()[0] == "127.0.0.1"
