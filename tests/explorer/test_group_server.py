"""The explorer of a group over HTTP: its addresses, what they answer, and who is let in."""

import concurrent.futures
import json
import shlex
import shutil
import threading
import time

import nibabel as nib
import numpy as np
import pytest

from seedmap import Sphere
from seedmap.cli import main
from seedmap.errors import ImageError
from seedmap.explorer import Explorer, ServerOptions, begin_group, choose_half
from seedmap.explorer.engine.people import PeopleMaps
from seedmap.group import Question
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice

pytestmark = pytest.mark.filterwarnings("ignore:.*of it lies outside the mask")

PLACE = "x=0&y=-52&z=18&radius=12"
HERE = "ax=0&ay=-52&az=18"
PCC = Sphere("seed", (0, -52, 18), 12.0)


def routes_of(explorer):
    """Return all addresses of an explorer, with a method of each."""
    return [(route.path, sorted(route.methods)[0]) for route in explorer._app._app.routes]


def decoded(answer, body):
    """Return what a map holds, and what is said of it."""
    facts = json.loads(answer.headers["X-Map"])
    count, found = facts["samples"], {}
    if facts["part"] == "slices":
        found["which"], body = np.frombuffer(body[: 4 * count], "<u4"), body[4 * count :]
    for name, full in (("effect", "effectFull"), ("stat", "statFull")):
        steps, body = np.frombuffer(body[: 2 * count], "<i2").astype(float), body[2 * count :]
        steps[steps == -32768] = np.nan
        found[name] = steps / 32767 * facts[full]
    found["n"] = np.frombuffer(body, "<u2") if body else np.full(count, facts["people"])
    return found, facts


@pytest.mark.parametrize(
    ("explored", "others"),
    [
        ("run", ["/api/map", "/api/about"]),
        ("group", ["/api/group/map", "/api/group/about", "/api/group/line"]),
        ("beside", ["/"]),
        ("surface", ["/api/map", "/api/sheet", "/api/positions"]),
    ],
    indirect=["explored"],
)
def test_every_address_has_the_guard_before_it(explored, others, client_of):
    """All routes there are, of all pages: token, host, origin, other sites, policy, one sentence."""
    client = client_of(explored)
    routes = routes_of(client.explorer)
    assert len(routes) > 18
    under = "/right" if others == ["/"] else ""
    wanted = {f"{under}/", f"{under}/api/run", f"{under}/static/main.js", f"{under}/api/save"}
    assert {path for path, _ in routes} >= {*wanted, *others}
    for path, method in routes:
        port = client.explorer.port
        assert client.status(path, method=method, cookie=False) == 403
        stolen = {"Cookie": f"seedmap-{port}=no"}
        assert client.status(path, method=method, cookie=False, **stolen) == 403
        assert client.status(path, method=method, Host="evil.example") == 400
        assert client.status(path, method=method, Origin="http://evil.example") == 403
        assert client.status(path, method=method, Origin=f"http://127.0.0.1:{port + 1}") == 403
        for site in ("cross-site", "same-site"):
            assert (
                client.status(path, method=method, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors")
                == 403
            )
        for other in {"GET", "POST", "PUT", "DELETE"} - {method}:
            assert client.status(path, method=other) == 405
        answer, body = client.ask(path, method=method)
        assert answer.status in (200, 422)
        if answer.status == 422:
            assert "\n" not in json.loads(body)["error"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "x=nan&y=0&z=0",
        "x=0&y=0&z=0&radius=1e9",
        f"{PLACE}&contrast=3",
        f"{PLACE}&contrast=-1",
        f"{PLACE}&contrast=nan",
        f"{PLACE}&off=10",
        f"{PLACE}&off=sub-01",
        f"{PLACE}&off=1,",
        f"{PLACE}&off=0,1,2,3,4,5,6,7,8,9",
        f"{PLACE}&part=none",
        f"{PLACE}&part=slices",
        f"{PLACE}&part=slices&ax=0&ay=0&az=inf",
        f"{PLACE}&stat=F",
        f"{PLACE}&n=-1",
        f"{PLACE}&lx=0",
        f"{PLACE}&lx=0&ly=-80&lz=8",
        f"{PLACE}&lx=0&ly=-80&lz=8&lradius=nan",
        "x=500&y=0&z=0",
        "x=80&y=62&z=70&radius=1",
    ],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(group_client, query):
    addresses = ["map"] if "part" in query or "stat" in query else ["map", "about"]
    for address in addresses:
        answer, body = group_client.ask(
            f"/api/group/{address}?{query}&{HERE if 'part' not in query else ''}"
        )
        assert answer.status == 422
        assert json.loads(body)["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"x": 0}',
        b'{"x":0,"y":-52,"z":18,"contrast":true}',
        b'{"x":0,"y":-52,"z":18,"off":[99]}',
        b'{"x":0,"y":-52,"z":18,"off":{"a":1}}',
        b'{"x":0,"y":-52,"z":18,"off":["sub-01"]}',
    ],
)
def test_bodies_are_checked(group_client, body):
    for page in ("look", "save"):
        answer, said = group_client.ask(
            f"/api/{page}", "POST", body, Content_Type="application/json"
        )
        assert answer.status == 422
        assert json.loads(said)["error"]


@pytest.mark.parametrize("contrast", [0, 1, 2])
def test_a_map_is_that_of_the_engine(group_client, group_explorer, contrast):
    answer, body = group_client.ask(f"/api/group/map?{PLACE}&part=all&contrast={contrast}")
    found, facts = decoded(answer, body)
    wanted = group_explorer.session.live.maps(PCC, contrast)
    effect = np.tanh(wanted.effect) if contrast == 0 else wanted.effect
    step = facts["effectFull"] / 32767
    np.testing.assert_allclose(found["effect"], effect, rtol=0, atol=step)
    inside = np.abs(wanted.t) < 60
    np.testing.assert_allclose(found["stat"][inside], wanted.t[inside], rtol=0, atol=60 / 32767)
    np.testing.assert_array_equal(found["n"], wanted.n)
    assert facts["unit"] == ("r" if contrast == 0 else "z\N{PRIME}")
    assert facts["statistic"] == ("robust" if contrast == 1 else "pooled")
    assert facts["used"] == 10


def test_slices_are_those_samples_of_the_whole_map(group_client):
    answer, body = group_client.ask(f"/api/group/map?{PLACE}&part=slices&{HERE}&contrast=2&stat=z")
    some, facts = decoded(answer, body)
    every, whole = decoded(*group_client.ask(f"/api/group/map?{PLACE}&part=all&contrast=2&stat=z"))
    which = some["which"]
    assert 50 < which.size < every["stat"].size / 2
    np.testing.assert_array_equal(some["stat"], every["stat"][which])
    np.testing.assert_array_equal(some["n"], every["n"][which])
    step = max(facts["effectFull"], whole["effectFull"]) / 32767
    np.testing.assert_allclose(some["effect"], every["effect"][which], rtol=0, atol=step)


def test_an_older_request_is_dropped(group_client):
    where = f"/api/group/map?{PLACE}&part=all&w=order"
    assert group_client.status(f"{where}&n=5") == 200
    answer, body = group_client.ask(f"{where}&n=4")
    assert answer.status == 204
    assert body == b""
    assert json.loads(answer.headers["X-Map"])["dropped"]


def test_thirty_moves_at_once_leave_one_map_in_work_and_the_last_is_right(
    group_client, group_explorer, monkeypatch
):
    live, most, at_work = group_explorer.session.live, [], []
    before, lock = PeopleMaps._worked_out, threading.Lock()

    def counted(self, placed, which):
        with lock:
            at_work.append(placed)
            most.append(len({id(one) for one in at_work}))
        time.sleep(0.001)
        found = before(self, placed, which)
        with lock:
            at_work.remove(placed)
        return found

    monkeypatch.setattr(PeopleMaps, "_worked_out", counted)
    places = [(x, -52, 18) for x in range(-30, 30, 2)]

    def ask(number):
        time.sleep(number / 30)
        x, y, z = places[number]
        return group_client.ask(
            f"/api/group/map?x={x}&y={y}&z={z}&radius=8&part=all&n={number}&w=drag"
        )

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(30)))
    assert {answer.status for answer, _ in answers} <= {200, 204}
    assert max(most) == 1
    found, _ = decoded(*answers[-1])
    wanted = live.maps(Sphere("s", places[-1], 8.0))
    np.testing.assert_allclose(found["effect"], np.tanh(wanted.effect), rtol=0, atol=4e-5)


def test_about_lists_people_peaks_and_the_command(group_client, group_explorer, stored_study):
    where = f"{PLACE}&{HERE}&contrast=1&off=3,4"
    about = json.loads(group_client.ask(f"/api/group/about?{where}&threshold=1")[1])
    live = group_explorer.session.live
    assert len(about["values"]) == 10
    assert about["here"]["n"] == 8
    assert about["peaks"]
    assert about["lacking"] == []
    words = shlex.split(about["command"])
    assert words[:4] == ["seedmap", "group", str(stored_study.root), "--from-store"]
    assert words[words.index("--leave-out") + 1 :][:2] == ["04", "05"]
    outside = json.loads(group_client.ask(f"/api/group/about?{PLACE}&ax=80&ay=60&az=70")[1])
    assert outside["values"] is None
    run = json.loads(group_client.ask("/api/run")[1])
    assert run["kind"] == "group"
    assert [one["label"] for one in run["people"]] == list(live.people)
    assert [one["text"] for one in run["contrasts"]] == ["mean", "patient - control", "age"]
    assert [one["against"] for one in run["contrasts"]] == ["", "group", "age"]
    assert {one["name"] for one in run["columns"]} == {"group", "age"}


def test_looks_are_recorded_once_each(group_client, group_explorer):
    def look(**more):
        body = json.dumps({"x": 0, "y": -52, "z": 18, "radius": 12, **more}).encode()
        answer, said = group_client.ask("/api/look", "POST", body, Content_Type="application/json")
        assert answer.status == 200
        return json.loads(said)["looked"]

    first = look(contrast=1)
    assert look(contrast=1) == first
    assert look(contrast=2) == first + 1
    assert look(contrast=2, off=[0]) == first + 2
    log = group_explorer.session.out / "group_exploration.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert entries[-1]["contrast"] == "age"
    assert entries[-1]["model"] == "group + age"
    assert entries[-1]["participants"] == 9
    assert entries[-1]["switched_off"] == ["01"]
    assert entries[-1]["numbers"] == "int16"
    assert sum("seed" in entry for entry in entries) == first + 2  # others are of lines


def test_the_corrected_line_counts_looks_and_is_recorded(group_client, group_explorer):
    first = json.loads(group_client.ask(f"/api/group/line?{PLACE}&contrast=1&off=2")[1])
    again = json.loads(group_client.ask(f"/api/group/line?{PLACE}&contrast=1&off=2")[1])
    assert again["looks"] == first["looks"] == group_explorer.session.looked_at
    assert first["ofLooks"] is None or first["ofLooks"] >= first["alone"] > 1
    log = group_explorer.session.out / "group_exploration.jsonl"
    look, line, line_again = [json.loads(one) for one in log.read_text().splitlines()[-3:]]
    assert look["switched_off"] == ["03"]
    assert line["corrected_line"]["alone"] == first["alone"]
    assert line["number"] == line_again["number"] == look["number"]
    assert group_client.status(f"/api/group/line?{PLACE}&contrast=9") == 422


@pytest.mark.full
def test_what_is_saved_is_what_the_command_makes(
    group_client, group_explorer, tmp_path, monkeypatch
):
    number = 40
    monkeypatch.setattr("seedmap.explorer.group_session.SHUFFLES", number)
    body = json.dumps({"x": 0, "y": -52, "z": 18, "radius": 12, "name": "PCC", "off": [6]}).encode()
    answer, _ = group_client.ask("/api/save", "POST", body, Content_Type="application/json")
    assert answer.status == 202
    late = time.monotonic() + 60
    while (job := json.loads(group_client.ask("/api/job")[1])["job"])["running"]:
        assert time.monotonic() < late
        time.sleep(0.05)
    assert job["error"] == ""
    out = group_explorer.session.out
    names = set(job["files"])
    assert names <= {path.name for path in out.iterdir()}
    command = json.loads(group_client.ask(f"/api/group/about?{PLACE}&{HERE}&name=PCC&off=6")[1])[
        "command"
    ]
    words = [
        *shlex.split(command)[1:],
        "--shuffles",
        str(number),
        "--out",
        str(tmp_path),
        "--quiet",
    ]
    assert main(words) == 0
    maps = sorted(name for name in names if name.endswith(".nii.gz"))
    assert len(maps) > 12
    for name in maps:
        ours, theirs = (nib.load(folder / name).get_fdata() for folder in (out, tmp_path))
        np.testing.assert_array_equal(ours, theirs)
    sidecar = json.loads((out / maps[0].replace(".nii.gz", ".json")).read_text())
    assert sidecar["Exploration"]["SeedsLookedAt"] == group_explorer.session.looked_at
    assert sidecar["Participants"] == [f"sub-{n:02d}" for n in range(1, 11) if n != 7]


def test_a_damaged_pack_is_one_line_and_no_map(own_stored_study):
    study = own_stored_study
    packed = pack_study(study.root, Choice(""))
    chunk = packed.pack.path / "smooth" / "c" / "0" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[1000] ^= 1
    chunk.write_bytes(data)
    question = Question(seed="", contrasts=("mean",), inference=None)
    session = begin_group(study.root, pack_study(study.root, Choice("")), Choice(""), question)
    session.close()
    assert "array smooth" in session.damage
    with pytest.raises(ImageError, match="start the explorer again"):
        session.check()
    assert "no pack" in pack_study(study.root, Choice("")).why


def test_the_command_line_opens_a_group(stored_study, monkeypatch, tmp_path, capsys):
    begun = []
    monkeypatch.setattr(
        "seedmap.cli.explore.serve", lambda session, *_a, **_k: begun.append(session)
    )
    line = ["explore", str(stored_study.root), "--group", "--out", str(tmp_path / "out")]
    asked = [
        "--design",
        str(stored_study.table),
        "--model",
        "age",
        "--contrast",
        "age",
        "--n-jobs",
        "1",
    ]
    assert main([*line, *asked]) == 0
    session = begun[0]
    assert session.live.model.all.contrasts[0].text == "age"
    assert "--contrast=age" in session.command.line(PCC)
    session.close()
    assert main([*line, *asked, "--keep-back", "half"]) == 0
    half = begun[1]
    assert len(half.held) == len(half.live.people) == 5
    half.close()
    for wrong, said in (
        (["--model", "weight", "--contrast", "weight"], "no column is called"),
        (["--high-pass", "0.02"], "were cleaned before"),
        (["--strategy", "36P"], "no stored run fits"),
    ):
        assert main([*line, *wrong]) == 2
        error = capsys.readouterr().err
        assert said in " ".join(error.split())
    assert main(["explore", str(stored_study.root), "--model", "age"]) == 2
    assert "without --group" in capsys.readouterr().err


def kept_back(study, out):
    """Begin to explore half of a study."""
    question = Question(
        seed="", model="group + age", contrasts=("mean", "patient - control"), inference=None
    )
    held = choose_half(study.root, Choice(""), question, study.table)
    packed = pack_study(study.root, Choice(""), without=held)
    asked = {"design": study.table, "out": out, "held": held, "anatomy": study.phantom.masks[0]}
    return begin_group(study.root, packed, Choice(""), question, **asked)


def test_half_is_balanced_and_the_same_in_every_call(stored_study):
    question = Question(seed="", model="group + age", contrasts=("mean",), inference=None)
    halves = [
        choose_half(stored_study.root, Choice(""), question, stored_study.table) for _ in "ab"
    ]
    assert halves[0] == halves[1]
    assert len(halves[0]) == 5
    assert sum(int(label) % 2 for label in halves[0]) in (2, 3)
    alone = choose_half(stored_study.root, Choice(""), Question(seed="", inference=None), None)
    assert len(alone) == 5


def test_no_answer_depends_on_people_who_are_kept_back(
    own_stored_study, make_run, group_client, tmp_path
):
    """Every address, before and after their data are replaced by noise."""
    study, found = own_stored_study, []
    for turn in ("folder-one", "folder-two"):
        session = kept_back(study, tmp_path / turn)
        with Explorer(session, ServerOptions()).start() as explorer:
            client = type(group_client)(explorer)
            answers = {}
            for path, method in routes_of(explorer):
                for contrast in (0, 1):
                    query = f"{PLACE}&{HERE}&part=all&contrast={contrast}&off=1"
                    answer, body = client.ask(f"{path}?{query}", method=method)
                    timeless = json.loads(answer.headers["X-Map"] or "{}") if "map" in path else {}
                    answers[path, contrast] = (
                        answer.status,
                        body.replace(turn.encode(), b""),
                        timeless,
                    )
            assert answers["/api/group/map", 1][0] == 200
            assert b"can be shuffled in only" in answers["/api/group/line", 0][1]  # five people
            found.append(answers)
            about = json.loads(answers["/api/group/about", 1][1])
            assert set(session.held) & set(shlex.split(about["command"])) == set(session.held)
            assert not set(session.held) & set(shlex.split(about["confirm"]))
            assert not set(session.held) & set(session.live.people)
        for label in session.held:
            for path in study.store.glob(f"sub-{label}_*_bold.zarr"):
                shutil.rmtree(path)
                make_run(path, 10, smoothing_fwhm=6.0)
    assert found[0] == found[1]


def test_what_was_found_is_confirmed_in_the_others(
    stored_study, group_client, tmp_path, monkeypatch
):
    monkeypatch.setattr("seedmap.explorer.group_session.SHUFFLES", 20)
    held = frozenset(stored_study.labels[:6])
    packed = pack_study(stored_study.root, Choice(""), without=held)
    question = Question(seed="", contrasts=("mean",), inference=None)
    asked = {"out": tmp_path, "held": held, "anatomy": stored_study.phantom.masks[0]}
    session = begin_group(stored_study.root, packed, Choice(""), question, **asked)
    with Explorer(session, ServerOptions()).start() as explorer:
        client = type(group_client)(explorer)
        body = json.dumps({"x": 0, "y": -52, "z": 18, "radius": 12, "confirm": True}).encode()
        answer, _ = client.ask("/api/save", "POST", body, Content_Type="application/json")
        assert answer.status == 202
        while json.loads(client.ask("/api/job")[1])["job"]["running"]:
            time.sleep(0.05)
        job = json.loads(client.ask("/api/job")[1])["job"]
    assert job["error"] == ""
    name = next(
        one for one in job["files"] if "contrast-mean_stat-t_" in one and one.endswith("json")
    )
    sidecar = json.loads((tmp_path / name).read_text())
    assert sidecar["Participants"] == sorted(f"sub-{label}" for label in session.held)
    assert sidecar["Exploration"]["SeedIndependentOfParticipants"] is True
    log = (tmp_path / "group_exploration.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["confirmed"] == "seed=0,-52,18:12"


def test_nothing_is_confirmed_where_nobody_was_kept_back(group_client):
    body = json.dumps({"x": 0, "y": -52, "z": 18, "confirm": True}).encode()
    answer, said = group_client.ask("/api/save", "POST", body, Content_Type="application/json")
    assert answer.status == 422
    assert "--keep-back half" in json.loads(said)["error"]
