"""Who is let in, and what is refused: by plain HTTP, as an attacker would."""

import concurrent.futures
import http.client
import json
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

PLACE = "x=0&y=-52&z=18"


class Client:
    """Asks the explorer over HTTP, with a cookie or without."""

    def __init__(self, explorer):
        self.explorer = explorer
        self.token = explorer.url.split("token=")[1]
        self.cookie = {"Cookie": f"seedmap-{explorer.port}={self.token}"}

    def ask(self, path, method="GET", body=None, cookie=True, **headers):
        given = (self.cookie if cookie else {}) | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        line = http.client.HTTPConnection("127.0.0.1", self.explorer.port, timeout=20)
        try:
            line.request(method, path, body, given)
            answer = line.getresponse()
            return answer, answer.read()
        finally:
            line.close()

    def status(self, path, **how):
        return self.ask(path, **how)[0].status


@pytest.fixture
def client(explorer):
    return Client(explorer)


def test_the_token_becomes_a_cookie_and_leaves_the_address(client):
    answer, _ = client.ask(f"/?token={client.token}", cookie=False)
    assert answer.status == 303
    assert answer.headers["Location"] == "./"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


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
    assert client.status("/api/run", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") == 403


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
    "place", ["", "&ax=0&ay=0", "&ax=0&ay=nan&az=0", "&ax=0&ay=0&az=0&threshold=7"]
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
    """Return the memory of this process, which is the server's, too; 0 where nobody tells."""
    told = Path("/proc/self/statm")
    pages = int(told.read_text().split()[1]) if told.exists() else 0
    return pages * 4096


def hang_up(client, path):
    """Ask, and leave before the answer is there."""
    with socket.create_connection(("127.0.0.1", client.explorer.port)) as line:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {client.cookie['Cookie']}\r\n\r\n"
        )
        line.sendall(request.encode())
    return 0


def test_the_address_is_this_machine_only(explorer):
    assert urlsplit(explorer.url).hostname == "127.0.0.1"
    assert explorer._socket.getsockname()[0] == "127.0.0.1"
