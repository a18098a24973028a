"""Surfaces and grayordinates in a real browser: pixels, vertices, keys, and maps of `seed_maps`."""

import json
import math

import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.cli import main
from seedmap.explorer import Explorer, ServerOptions, begin_session, open_source, recall
from seedmap.seeds import VertexPatch

CLOSE = 2e-5


@pytest.fixture
def look_at_cortex(window_on, cortex_explorer):
    """Open windows on it; none may complain."""
    windows = []

    def open_window(path="", **context):
        windows.append(window_on(cortex_explorer.url + path, **context))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [text for window in windows for text in window.complaints] == []


def pixel_of(window, pane, vertex):
    """Return where on the page a vertex is drawn."""
    x, y = window.read(f"seedmap.panes[{pane}].toPixel({vertex})")
    box = window.page.locator(".pane.cortex canvas").nth(pane).bounding_box()
    return box["x"] + x, box["y"] + y


def visible(window, pane, count=8):
    """Return vertices with data that a view shows, far apart in number."""
    return window.page.evaluate(
        """([pane, count]) => {
        const { raster, sheet } = seedmap.panes[pane], found = [];
        for (let v = 500; v < sheet.count && found.length < count; v += 701) {
          const seen = sheet.position[v] >= 0 && seedmap.inside[sheet.position[v]] && raster.sees(v);
          if (seen && raster.pick(raster.x[v], raster.y[v]) === v) found.push(v);
        }
        return found;
    }""",
        [pane, count],
    )


def shown(window):
    """Return the map on the page, r by sample."""
    found = np.array(window.read("Array.from(seedmap.r)"), dtype=float)
    found[found == -32768] = np.nan
    return found / 32767


def test_a_click_on_a_vertex_gives_the_map_of_seed_maps(look_at_cortex, cortex):
    window = look_at_cortex()
    for pane, side in ((0, "left"), (3, "right")):
        vertex = visible(window, pane)[-1]
        window.page.mouse.click(*pixel_of(window, pane, vertex))
        window.at_rest()
        assert window.read("seedmap.seedQuery()")["vertex"] == vertex
        seed = VertexPatch("s", side, vertex, 8.0)
        maps = seed_maps(cortex.func[0], seed, confounds=cortex.confounds[0], uncertainty=None)
        np.testing.assert_allclose(shown(window), maps.r[0], rtol=0, atol=CLOSE)
        assert f"{side} {vertex}" in window.page.inner_text("#at")
    window.until("document.getElementById('command').value.includes('rh:vertex:')")
    assert "--left" in window.page.input_value("#command")


def test_pixels_have_the_colours_of_their_values(look_at_cortex):
    """At three vertices the canvas shows the grey of the fold under the colour of the map."""
    window = look_at_cortex()
    window.read("(seedmap.state.at = [0, 0, 0], seedmap.painter.now())")
    seen, wanted = window.page.evaluate(
        """async (vertices) => {
        const { table } = await import("./static/colors.js");
        const { compose } = await import("./static/volume.js");
        const pane = seedmap.panes[1], { raster } = pane, { width, height } = raster;
        const picture = pane.context.getImageData(0, 0, width, height).data;
        const colors = table(seedmap.look, seedmap.full), seen = [], wanted = [];
        for (const vertex of vertices) {
          const pixel = Math.floor(raster.y[vertex]) * width + Math.floor(raster.x[vertex]);
          const t = raster.triangle[pixel], corners = [...raster.sheet.triangles.subarray(t, t + 3)];
          const v = raster.second[pixel], w = raster.third[pixel], shares = [1 - v - w, v, w];
          const values = corners.map((corner) => seedmap.row[raster.sheet.position[corner]]);
          const value = values.reduce((sum, one, n) => sum + one * shares[n], 0);
          const out = new Uint32Array(1), grey = raster.grey.subarray(pixel, pixel + 1);
          compose(grey, Int16Array.of(Math.round(value)), colors, out, seedmap.painter.ink().pane);
          seen.push([...picture.subarray(4 * pixel, 4 * pixel + 3)]);
          wanted.push([0, 8, 16].map((bits) => (out[0] >> bits) & 255));
        }
        return [seen, wanted];
    }""",
        visible(window, 1)[:3],
    )
    assert seen == wanted
    assert len({tuple(color) for color in seen}) == 3


def test_the_rasteriser_on_a_known_mesh(look_at_cortex):
    """Of two triangles the nearer is seen; a click goes to the nearest corner; values are linear."""
    window = look_at_cortex()
    found = window.page.evaluate(
        """async () => {
        const { Raster, Sheet } = await import("./static/raster.js");
        const { NOTHING } = await import("./static/volume.js");
        // A right triangle in the plane y, z at x = 0, and a small one before its middle at x = 5.
        const points = [0, 0, 0, 0, 80, 0, 0, 0, 80, 5, 20, 20, 5, 30, 20, 5, 20, 30];
        const bytes = new ArrayBuffer(24 * 6 + 12 * 2 + 6);
        new Float32Array(bytes, 0, 18).set(points);
        new Float32Array(bytes, 72, 18).set(points);
        new Uint32Array(bytes, 144, 6).set([0, 1, 2, 3, 4, 5]);
        new Uint8Array(bytes, 168, 6).fill(200);
        const part = { name: "left", start: 0, vertices: 6, triangles: 2 };
        const sheet = new Sheet(part, bytes, Int32Array.from([0, 1, 2, 3, 4, 5]));
        const raster = new Raster(sheet, 0, 0, 96, 96); // from x: y to the right, z upwards, 1 mm a pixel
        const at = (y, z) => [8 + y, 88 - z];
        sheet.values.set([0, 8000, 16000, 1, 1, 1]);
        const steps = raster.sample(sheet.values);
        const value = (y, z) => steps[Math.floor(88 - z) * 96 + Math.floor(8 + y)];
        sheet.values[0] = NOTHING;
        return {
          scale: raster.scale,
          near: raster.pick(...at(22, 22)), corners: [[3, 4], [70, 3], [3, 70]].map((p) => raster.pick(...at(...p))),
          outside: [raster.pick(...at(70, 70)), raster.pick(-1, 5), raster.pick(96, 5)],
          values: [value(40.5, 10.5), value(10.5, 50.5)], front: value(22.5, 22.5),
          back: new Raster(sheet, 180, 0, 96, 96).pick(96 - 8 - 22, 88 - 22),
          sees: [raster.sees(3), raster.sees(1)],
          gap: [...raster.sample(sheet.values)][Math.floor(84) * 96 + 12],
        };
    }"""
    )
    assert found["scale"] == pytest.approx(1)
    assert found["near"] == 3
    assert found["corners"] == [0, 1, 2]
    assert found["outside"] == [-1, -1, -1]
    assert found["values"] == pytest.approx(
        [100 * 40.5 + 200 * 10.5, 100 * 10.5 + 200 * 50.5], abs=1
    )
    assert found["front"] == 1
    assert found["back"] == 0  # from behind the large triangle hides the small one
    assert found["sees"] == [True, True]
    assert found["gap"] == -32768


def test_a_closed_surface_is_drawn_alike_whichever_way_its_triangles_turn(look_at_cortex):
    """Triangles seen from within are left out where the surface has no end, and only there."""
    found = look_at_cortex().page.evaluate(
        """async () => {
        const { Raster, Sheet } = await import("/static/raster.js");
        const points = [-1, 0, 0, 1, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, -1, 0, 0, 1].map((one) => 40 * one);
        const faces = []; // of an octahedron
        for (const x of [0, 1]) for (const y of [2, 3]) for (const z of [4, 5]) {
          faces.push((x + y + z) % 2 ? [x, z, y] : [x, y, z]);
        }
        const drawn = (triangles) => {
          const flat = triangles.flat(), bytes = new ArrayBuffer(144 + 4 * flat.length + 6);
          new Float32Array(bytes, 0, 18).set(points);
          new Uint32Array(bytes, 144, flat.length).set(flat);
          const part = { name: "left", start: 0, vertices: 6, triangles: triangles.length };
          const sheet = new Sheet(part, bytes, Int32Array.from([0, 1, 2, 3, 4, 5]));
          const raster = new Raster(sheet, 20, 30, 96, 96);
          const seen = (t) => (t < 0 ? "" : [...sheet.triangles.slice(t, t + 3)].sort().join());
          return [sheet.outside, Array.from(raster.triangle, seen)];
        };
        const turned = faces.map(([a, b, c]) => [a, c, b]);
        return [faces, turned, [turned[0], ...faces.slice(1)], faces.slice(0, -1)].map(drawn);
    }"""
    )
    (one, whole), (other, turned), (mixed, also), (opened, without) = found
    assert {one, other} == {-1, 1}
    assert mixed == opened == 0
    assert whole == turned == also
    nearest, behind = "1,3,5", {f"0,{y},{z}" for y in "23" for z in "45"}
    assert nearest in whole
    assert not behind & set(whole)
    assert nearest not in without  # the hole shows what is seen from within
    assert behind & set(without)


def test_keys_walk_over_the_mesh_turn_views_and_change_sides(look_at_cortex):
    window = look_at_cortex()
    start = visible(window, 0)[1]
    window.page.mouse.click(*pixel_of(window, 0, start))
    window.at_rest()
    window.page.keyboard.press("ArrowRight")
    window.at_rest()
    vertex = window.read("seedmap.seedQuery()")["vertex"]
    assert vertex in window.read(f"[...seedmap.panes[0].sheet.neighbours({start})]")
    left, right = (pixel_of(window, 0, one)[0] for one in (start, vertex))
    assert right > left
    window.page.keyboard.press("PageUp")
    window.at_rest()
    assert (
        pixel_of(window, 0, window.read("seedmap.seedQuery()")["vertex"])[1]
        < pixel_of(window, 0, vertex)[1]
    )
    x = window.read("seedmap.state.at[0]")
    window.page.keyboard.press("h")
    window.at_rest()
    assert window.read("seedmap.seedQuery()")["hemisphere"] == "right"
    assert window.read("seedmap.state.at[0]") == pytest.approx(-x, abs=4)
    assert window.read("document.activeElement === seedmap.panes[1].canvas")
    window.page.keyboard.press("Shift+ArrowLeft")
    assert window.read("seedmap.panes[1].azimuth") == 15
    window.page.keyboard.press("s")
    window.page.locator(".pane.cortex select").nth(1).select_option("dorsal")
    assert window.read("seedmap.panes[1].elevation") == 90
    assert (
        "right hemisphere, dorsal"
        in window.page.locator(".pane.cortex canvas").nth(1).get_attribute("aria-label").lower()
    )
    window.until("document.getElementById('live').textContent.startsWith('right ')")


def test_shift_drag_and_two_fingers_turn_and_a_click_beside_does_nothing(look_at_cortex):
    window = look_at_cortex()
    box = window.page.locator(".pane.cortex canvas").nth(0).bounding_box()
    before = window.seed()
    window.page.mouse.click(box["x"] + 3, box["y"] + box["height"] - 3)
    assert window.seed() == before
    window.page.keyboard.down("Shift")
    window.page.mouse.move(box["x"] + 100, box["y"] + 100)
    window.page.mouse.down()
    window.page.mouse.move(box["x"] + 140, box["y"] + 100)
    window.page.mouse.up()
    window.page.keyboard.up("Shift")
    assert window.read("seedmap.panes[0].azimuth") == pytest.approx(160)
    assert window.seed() == before
    window.page.evaluate("""() => {
        const { canvas } = seedmap.panes[1];
        const fire = (kind, pointerId, clientX) =>
          canvas.dispatchEvent(new PointerEvent(kind, { pointerId, clientX, clientY: 50, bubbles: true }));
        canvas.setPointerCapture = () => {};
        fire("pointerdown", 1, 3);
        fire("pointerdown", 2, 60);
        fire("pointermove", 2, 100);
        fire("pointerup", 2, 100);
        fire("pointerup", 1, 3);
    }""")
    assert window.read("seedmap.panes[1].azimuth") == pytest.approx(-10)
    window.at_rest()


def test_links_typed_places_peaks_and_kept_seeds(look_at_cortex):
    window = look_at_cortex()
    vertex = visible(window, 2)[2]
    window.page.mouse.click(*pixel_of(window, 2, vertex))
    window.at_rest()
    window.page.click("#pin")
    window.until("seedmap.panel.pins.cards.length === 1")
    window.until("location.hash.includes('pin=')")
    link = window.read("location.hash")
    window.type_seed((-40, -24, 50))
    assert window.read("seedmap.seedQuery()")["hemisphere"] == "left"
    assert math.dist(window.seed()[:3], (-40, -24, 50)) < 10
    window.until("seedmap.panel.readings && seedmap.panel.readings.peaks.length")
    window.page.locator("#peaks tbody tr").first.click()
    window.at_rest()
    assert window.read("seedmap.state.at.length") == 4
    other = look_at_cortex(link)
    assert other.read("seedmap.seedQuery()")["vertex"] == vertex
    other.until("seedmap.panel.pins.cards.length === 1")


def test_a_phone_shows_all_views_in_its_width(look_at_cortex):
    window = look_at_cortex(viewport={"width": 390, "height": 844}, has_touch=True)
    assert window.read("document.documentElement.scrollWidth") <= 390
    assert window.page.locator(".pane.cortex canvas").count() == 4
    vertex = visible(window, 0)[0]
    window.page.touchscreen.tap(*pixel_of(window, 0, vertex))
    window.at_rest()
    assert window.read("seedmap.seedQuery()")["vertex"] == vertex


def test_new_addresses_are_guarded_and_checked(cortex_explorer, client_of):
    client = client_of(cortex_explorer)
    for path in ("/api/positions", "/api/sheet?part=left"):
        assert client.status(path, cookie=False) == 403
        assert client.status(path) == 200
    for wrong in (
        "/api/sheet",
        "/api/sheet?part=../x",
        "/api/map?vertex=3",
        "/api/map?hemisphere=left&vertex=-1",
        "/api/map?hemisphere=up&vertex=3",
        "/api/map?hemisphere=left&vertex=99999",
        "/api/about?hemisphere=left&vertex=3&position=x",
    ):
        answer, body = client.ask(wrong)
        assert answer.status == 422, wrong
        assert json.loads(body)["error"]
    answer, body = client.ask("/api/sheet?part=left")
    assert len(body) == 24 * 10242 + 12 * 20480 + 10242


def test_grayordinates_have_one_crosshair_in_both_parts(window_on, dense, dense_explorer):
    given = {"confounds": dense.confounds[0], "surfaces": dense.surfaces}
    window = window_on(dense_explorer.url)
    assert window.page.locator(".pane").count() == 7
    voxel = (10.0, -18.0, 8.0)
    window.type_seed(voxel)
    seed = Sphere("s", voxel, 8.0)
    maps = seed_maps(dense.func[0], seed, **given, uncertainty=None)
    np.testing.assert_allclose(shown(window), maps.r[0], rtol=0, atol=CLOSE)
    vertex = visible(window, 0)[2]
    window.page.mouse.click(*pixel_of(window, 0, vertex))
    window.at_rest()
    patch = VertexPatch("s", "left", vertex, 8.0)
    maps = seed_maps(dense.func[0], patch, **given, uncertainty=None)
    np.testing.assert_allclose(shown(window), maps.r[0], rtol=0, atol=CLOSE)
    assert window.complaints == []
    window.context.close()


def test_results_on_surfaces_open_as_their_run_was_cleaned(window_on, cortex, tmp_path):
    """A folder of results begins at its seed, shows its map, and lists its seeds."""
    seeds = [VertexPatch("first", "left", 5000, 6.0), VertexPatch("second", "right", 700, 0)]
    given = {"confounds": cortex.confounds[0], "smoothing_fwhm": 4.0, "uncertainty": None}
    maps = seed_maps(cortex.func[0], seeds, **given)
    maps.save(tmp_path / "results")
    for recalled in (recall(tmp_path / "results"), recall(maps)):
        assert set(recalled.seeds) == set(seeds)
        assert recalled.method.smoothing_fwhm == 4.0
        assert set(recalled.inputs.bold) == {"left", "right"}
    session = begin_session(
        open_source(recalled.inputs, recalled.method),
        out=tmp_path / "out",
        command=recalled.command,
        before=recalled.seeds,
    )
    with Explorer(session, ServerOptions()).start() as running:
        window = window_on(running.url)
        window.at_rest()
        assert window.read("seedmap.seedQuery()")["vertex"] == 5000
        np.testing.assert_allclose(shown(window), maps.r[0], rtol=0, atol=CLOSE)
        assert window.page.locator("#history option").count() >= 2
        window.until("document.getElementById('command').value.includes('--left')")
        assert window.complaints == []
        window.context.close()


def test_the_command_line_opens_surfaces(cortex, monkeypatch, tmp_path):
    """--left and --right, and a vertex to begin with."""
    opened = []
    monkeypatch.setattr(
        "seedmap.cli.explore.serve", lambda session, *_, **__: opened.append(session)
    )
    sides = [word for side, file in cortex.func[0].items() for word in (f"--{side}", str(file))]
    assert main(["explore", *sides, "--seed", "here=rh:vertex:4000:6", "--out", str(tmp_path)]) == 0
    (session,) = opened
    assert session.start == VertexPatch("here", "right", 4000, 6.0)
    line = session.command.line(session.source, session.source.settings, session.start)
    assert "--seed here=rh:vertex:4000:6" in line
    assert all(word in line for word in sides)
    session.close()
