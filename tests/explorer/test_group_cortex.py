"""Groups on surfaces and grayordinates: their maps are those of ``seedmap group``, and a page shows them."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from seedmap import Sphere
from seedmap.analysis import Inputs, Method, maps_of, origin_facts, prepare, read
from seedmap.cli import main
from seedmap.connectivity.effects import ols
from seedmap.datasets import make_grayordinate_phantom, make_surface_phantom
from seedmap.explorer import Explorer, ServerOptions, begin_group
from seedmap.explorer.command import seed_text
from seedmap.explorer.engine.people import SeedDifference
from seedmap.group import Question, plan_group, run_group
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.group.stored import stored_members
from seedmap.group.tables import read_people
from seedmap.parallel import Pool
from seedmap.seeds import VertexPatch
from seedmap.spatial import Reading, extract
from seedmap.store import write_stored

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")

MODEL, CONTRASTS = "group + age", ("mean", "patient - control", "[group, age]")
PATCH, OTHER = VertexPatch("here", "left", 2393, 8.0), VertexPatch("there", "right", 7000, 6.0)


@dataclass(frozen=True)
class Study:
    """A folder of stored runs, and a table of the people."""

    root: Path
    table: Path


def store(path, inputs, space):
    """Store a run as ``seedmap bids --store`` does."""
    prepared = prepare(inputs, [Sphere("s", (-4, -52, 24))], Method())
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    facts = {
        **origin_facts(maps_of(prepared, smooth)),
        "file": f"sub-01_space-{space}_bold",
        "space": space,
        "strategy": "6P",
    }
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)


def study_of(folder, people, make, space):
    root = folder / "results"
    (root / "store").mkdir(parents=True)
    rows = ["participant_id\tgroup\tage"]
    for number in range(people):
        run = make(folder / f"run{number}", n_frames=70, t_r=2.0, rng=number)
        inputs = Inputs(run.func[0], confounds=run.confounds[0], surfaces=run.surfaces or None)
        name = f"sub-ann{number}_task-rest_space-{space}_desc-6P_bold.zarr"
        store(root / "store" / name, inputs, space)
        rows.append(f"sub-ann{number}\t{'patient' if number % 2 else 'control'}\t{30 + number**2}")
    table = folder / "participants.tsv"
    table.write_text("\n".join(rows) + "\n")
    return Study(root, table)


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    """Seven people on fsaverage5."""
    return study_of(tmp_path_factory.mktemp("surfaces"), 7, make_surface_phantom, "fsaverage5")


def begin(study, out, **asked):
    question = Question(seed="", model=MODEL, contrasts=CONTRASTS, inference=None, **asked)
    packed = pack_study(study.root, Choice(""))
    return begin_group(
        study.root, packed, Choice(""), question, design=study.table, out=out, n_jobs=2
    )


@pytest.fixture(scope="module")
def group_on_surfaces(surfaces, tmp_path_factory):
    """A server of them."""
    with Explorer(begin(surfaces, tmp_path_factory.mktemp("out")), ServerOptions()).start() as one:
        yield one


def of_group(study, seed, contrast, **asked):
    """Return what ``seedmap group --from-store`` makes of a seed, by statistic."""
    members, dropped, name, _ = stored_members(study.root, Choice(""), seed_text(seed))
    question = Question(
        seed=name, model=MODEL, contrasts=(contrast,), inference=None, variance="pooled", **asked
    )
    plan = plan_group(members, question, read_people(study.table), dropped)
    return run_group(plan, pool=Pool(nprocs=1))[contrast].arrays


def check(live, study, seed, **asked):
    """Compare the maps of all contrasts, away from the seed."""
    loaded, _ = live.people_maps(seed)
    close = np.abs(np.nanmean(loaded.maps, axis=0)) < 1.5
    assert close.mean() > 0.9
    for number, contrast in enumerate(CONTRASTS):
        answer, wanted = live.maps(seed, number), of_group(study, seed, contrast, **asked)
        stat = wanted["t" if answer.rows == 1 else "f"]
        np.testing.assert_array_equal(np.isnan(answer.t), np.isnan(stat))
        # F is as a square; where a few people hardly differ, rounding is a larger part of t
        rtol = 1e-3 if answer.rows == 1 else 2e-3
        away = np.abs(answer.t - stat)[close] / np.maximum(np.abs(stat[close]), 2)
        assert np.nanquantile(away, 0.9999) < rtol
        assert np.nanmax(away) < 3 * rtol
        np.testing.assert_array_equal(answer.n, np.nan_to_num(wanted["n"]))
        if answer.rows == 1:
            means = 1 if answer.has_mean else 2  # each is exact to 2e-5
            effect = wanted["effect"][close]
            np.testing.assert_allclose(answer.effect[close], effect, rtol=0, atol=means * 2e-5)


@pytest.mark.parametrize("estimator", ["ols", "weighted"])
def test_maps_on_surfaces_are_those_of_the_group_step(surfaces, tmp_path, estimator):
    """Around a vertex, and where coordinates are nearest to a surface."""
    session = begin(surfaces, tmp_path, estimator=estimator, variance="pooled")
    for seed in (PATCH, Sphere("sphere", (-4, -52, 24), 8.0)):
        check(session.live, surfaces, seed, estimator=estimator)
    session.close()


def test_a_difference_of_vertices_and_each_persons_value(group_on_surfaces):
    live = group_on_surfaces.session.live
    answer = live.maps(SeedDifference(PATCH, OTHER))
    maps = [live.people_maps(seed)[0].maps for seed in (PATCH, OTHER)]
    wanted = ols(maps[0] - maps[1], live.model.contrast(answer.used, 0).tested)
    np.testing.assert_allclose(answer.effect, wanted.effect, rtol=1e-4, atol=2e-6)
    found = live.people_at(PATCH, 900)
    np.testing.assert_allclose(found.values, maps[0][:, 900], rtol=1e-6)
    near = live.pack.space.positions[live.near(PATCH)]
    assert 2393 in near
    assert near.size < 600


def shown(window):
    """Return the statistic on the page, by sample."""
    steps = np.array(
        window.read("seedmap.places.values().map((p) => seedmap.row[p]).toArray()"), float
    )
    steps[steps == -32768] = np.nan
    return steps / 32767 * window.read("seedmap.full")


def vertex_in(window, pane):
    """Return a vertex that a view shows, and where on the page it is."""
    vertex = window.page.evaluate(
        """(pane) => {
        const { raster, sheet } = seedmap.panes[pane];
        for (let v = 900; v < sheet.count; v += 701) {
          const seen = seedmap.inside[sheet.position[v]] && raster.sees(v);
          if (seen && raster.pick(raster.x[v], raster.y[v]) === v) return v;
        }
    }""",
        pane,
    )
    x, y = window.read(f"seedmap.panes[{pane}].toPixel({vertex})")
    box = window.page.locator(".pane.cortex canvas").nth(pane).bounding_box()
    return vertex, (box["x"] + x, box["y"] + y)


def test_the_page_of_a_group_on_surfaces(window_on, group_on_surfaces, surfaces):
    """A vertex, contrasts, a person less, a difference, the line, hatching, a link, a phone."""
    live, window = group_on_surfaces.session.live, window_on(group_on_surfaces.url)
    assert window.page.locator(".pane").count() == 4
    vertex, place = vertex_in(window, 0)
    window.page.mouse.click(*place)
    window.at_rest()
    seed = VertexPatch("s", "left", vertex, 8.0)
    np.testing.assert_allclose(shown(window), live.maps(seed).t, atol=1e-3)
    window.until("seedmap.near")
    flags = np.array(window.read("Array.from(seedmap.places, (p) => seedmap.near.flags[p])"))
    np.testing.assert_array_equal(flags == 1, live.near(seed))
    hatched = window.page.evaluate(
        """() => {
        const drawn = () => {
          seedmap.painter.now();
          return [...seedmap.panes[0].pixels];
        };
        const { near } = seedmap, hatched = drawn();
        seedmap.near = null;
        const plain = drawn();
        seedmap.near = near;
        return hatched.filter((one, n) => one !== plain[n]).length;
    }"""
    )
    assert 20 < hatched < 2000
    window.page.select_option("#contrast", "2")
    window.at_rest()
    assert window.page.inner_text("#unit") == "F"
    np.testing.assert_allclose(shown(window), live.maps(seed, 2).t, atol=5e-3)
    assert window.read("seedmap.near") is None  # the mean is not in this contrast
    assert window.page.is_hidden("input[name=stat][value=effect] + span")
    ticks = window.page.locator("#bar .ticks span").all_inner_texts()
    assert ticks[0] == "0"
    window.page.select_option("#contrast", "1")
    window.page.click("#persons input[value='3']")
    window.at_rest()
    off = frozenset({"ann3"})
    np.testing.assert_allclose(shown(window), live.maps(seed, 1, off).t, atol=1e-3)
    window.page.click("#everybody")
    window.at_rest()
    window.page.click("#pin")
    window.until("seedmap.panel.pins.cards.length === 1")
    window.page.mouse.click(*vertex_in(window, 3)[1])
    window.at_rest()
    other = window.read("seedmap.seedQuery()")["vertex"]  # the kept seed has made the views smaller
    window.page.click("#pins .less")
    window.at_rest()
    both = SeedDifference(VertexPatch("s", "right", other, 8.0), seed)
    np.testing.assert_allclose(shown(window), live.maps(both, 1).t, atol=1e-3)
    log = (group_on_surfaces.session.out / "group_exploration.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["less"] == f"lh:vertex:{vertex}"
    window.until("seedmap.link?.includes('less=')")
    link = window.read("`#${seedmap.link}`")
    window.page.click("#less button")
    window.at_rest()
    window.until("document.getElementById('command').value.includes('rh:vertex:')")
    window.page.click("#correct")
    window.until("seedmap.controls.line", seconds=60)
    assert "vertices" in window.page.inner_text("#line")
    assert not window.complaints
    window.context.close()
    again = window_on(group_on_surfaces.url + link, viewport={"width": 390, "height": 844})
    np.testing.assert_allclose(shown(again), live.maps(both, 1).t, atol=1e-3)
    assert again.read("document.documentElement.scrollWidth") <= 390
    assert not again.complaints
    again.context.close()


def test_no_label_leaves_without_the_token(group_on_surfaces, client_of, capfd):
    """Every address of the page of surfaces: refused in one sentence, and nothing is printed."""
    client = client_of(group_on_surfaces)
    routes = [
        (route.path, sorted(route.methods)[0]) for route in group_on_surfaces._app._app.routes
    ]
    assert {"/api/sheet", "/api/positions", "/api/group/map"} <= {path for path, _ in routes}
    where = "hemisphere=left&vertex=2393&radius=6&off=2&position=900"
    for path, method in routes:
        answer, body = client.ask(f"{path}?{where}", method=method, cookie=False)
        assert answer.status == 403
        assert b"ann" not in body + str(answer.headers).encode()
    answer, body = client.ask(f"/api/group/about?{where}")
    assert answer.status == 200
    assert "ann2" in json.loads(body)["command"]
    assert "ann" not in str(answer.headers)
    answer, body = client.ask(f"/api/group/map?{where}&part=all")
    assert answer.status == 200
    assert "ann" not in str(answer.headers)
    assert client.ask("/api/group/map?hemisphere=left&vertex=-1&part=all")[0].status == 422
    assert capfd.readouterr() == ("", "")


@pytest.mark.full
def test_saving_makes_surface_files_of_the_group_step(group_on_surfaces, surfaces, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.group_session.SHUFFLES", 20)
    session = group_on_surfaces.session
    names = session.write(PATCH, frozenset({"ann3"}))
    assert any("hemi-L" in name and name.endswith(".func.gii") for name in names)
    sidecar = json.loads(next(session.out.glob("*contrast-mean*stat-t*.json")).read_text())
    assert "lh:vertex:2393:8" in sidecar["Command"]


@pytest.mark.slow
def test_maps_of_grayordinates_are_those_of_the_group_step(window_on, tmp_path):
    """At the server for a vertex and a voxel; on the page, with cortex and slices, for a voxel."""
    study = study_of(tmp_path, 6, make_grayordinate_phantom, "fsLR")
    session = begin(study, tmp_path / "out", variance="pooled")
    for seed in (PATCH, Sphere("thalamus", (10, -18, 8), 5.0)):
        check(session.live, study, seed)
    with Explorer(session, ServerOptions()).start() as running:
        window = window_on(running.url)
        assert window.page.locator(".pane").count() == 7
        window.type_seed((10.0, -18.0, 8.0))
        window.at_rest()
        wanted = session.live.maps(Sphere("s", (10, -18, 8), 8.0)).t
        np.testing.assert_allclose(shown(window), wanted, atol=1e-3)
        assert not window.complaints
        window.context.close()


def test_the_command_line_begins_at_a_vertex(surfaces, monkeypatch, tmp_path):
    begun = []
    monkeypatch.setattr(
        "seedmap.cli.explore.serve", lambda session, *_, **__: begun.append(session)
    )
    line = ["explore", str(surfaces.root), "--group", "--out", str(tmp_path), "--no-browser"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([*line, "--seed", "here=lh:vertex:2393:6", "--estimator", "weighted"]) == 0
    (session,) = begun
    assert session.start == VertexPatch("here", "left", 2393, 6.0)
    assert "--estimator weighted" in session.command.line(session.start)
    session.close()
