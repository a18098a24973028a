"""What every explorer must do in a real browser: thirty moves a second, no WebGL, keys, names."""

import threading
import time

import pytest

NO_WEBGL = """
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  if (kind !== "2d") throw new Error(`a context that is not 2d: ${kind}`);
  return get.call(this, kind, ...rest);
};
for (const name of ["WebGLRenderingContext", "WebGL2RenderingContext", "GPU"]) delete globalThis[name];
"""
ASKED_AGAIN = """async () => {
  const { mapOf } = await import("/static/net.js");
  const whole = seedmap.run.kind === "group" ? { part: "all" } : {};
  const { values } = await mapOf(seedmap, { ...seedmap.question(), ...whole, n: 1, w: "again" });
  const flat = (one) => (one.tested ? [...one.effect, ...one.tested] : [...one]);
  return flat(values).join() === flat(seedmap.r).join();
}"""
pytestmark = pytest.mark.full

MOVES, SECOND, SLOW = 30, 1.0, 0.06

in_each = pytest.mark.parametrize("explored", ["run", "group", "surface"], indirect=True)


@pytest.fixture
def slowed(explored, monkeypatch):
    """Make every map take 60 ms; return how many were in work at once, at each of them."""
    session, at_work, most = explored.session, [], []
    live = session.live if hasattr(session, "live") else session.cleaned.live
    name = "_in_pieces" if hasattr(live, "_in_pieces") else "payload"
    before, lock = getattr(type(live), name), threading.Lock()

    def slow(self, *asked):
        with lock:
            at_work.append(asked)
            most.append(len(at_work))
        time.sleep(SLOW)
        try:
            return before(self, *asked)
        finally:
            with lock:
                at_work.remove(asked)

    monkeypatch.setattr(type(live), name, slow)
    return most


@in_each
def test_thirty_moves_in_a_second_drop_stale_maps_and_end_on_the_last(window_on, explored, slowed):
    window = window_on(explored.url)
    box = window.page.locator(".pane canvas").first.bounding_box()
    places = [
        (box["x"] + box["width"] * (0.3 + 0.4 * n / MOVES), box["y"] + 0.45 * box["height"])
        for n in range(MOVES + 1)
    ]
    window.page.mouse.move(*places[0])
    window.page.mouse.down()
    window.until("seedmap.maps.idle && !seedmap.wholly")
    before, seed = window.read("({...seedmap.maps.counts})"), window.seed()
    del slowed[:]
    started = time.monotonic()
    for n, place in enumerate(places[1:], 1):
        window.page.mouse.move(*place)
        time.sleep(max(0.0, started + n * SECOND / MOVES - time.monotonic()))
    window.page.mouse.up()
    window.at_rest()
    asked, drawn, dropped = (
        window.read("({...seedmap.maps.counts})")[key] - before[key]
        for key in ("asked", "drawn", "dropped")
    )
    assert window.seed() != seed
    assert asked == drawn + dropped
    assert drawn >= 2
    assert dropped >= 5
    assert max(slowed) == 1
    assert len(slowed) < MOVES  # what nobody waits for is not worked out
    assert window.page.evaluate(ASKED_AGAIN)
    assert window.complaints == []
    window.context.close()


@pytest.mark.parametrize("explored", ["run", "group", "surface", "grayordinates"], indirect=True)
def test_no_webgl_is_needed(window_on, explored):
    window = window_on(explored.url, script=NO_WEBGL)
    for canvas in window.page.locator(".pane canvas").all():
        drawn = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        assert canvas.evaluate(drawn) > 20
    assert window.page.evaluate(ASKED_AGAIN)
    assert window.complaints == []
    window.context.close()


@pytest.mark.parametrize("explored", ["run", "group", "surface", "grayordinates"], indirect=True)
def test_a_screen_reader_is_given_names_places_and_values(window_on, explored):
    window = window_on(explored.url)
    canvases = window.page.locator(".pane canvas").all()
    labels = [canvas.get_attribute("aria-label") for canvas in canvases]
    assert len(set(labels)) == len(labels) >= 3
    assert all("Arrow keys move the crosshair" in label for label in labels)
    assert {canvas.get_attribute("role") for canvas in canvases} == {"application"}
    live = window.page.locator("#live")
    assert live.get_attribute("aria-live") == "polite"
    for key in ("ArrowRight", "ArrowUp"):
        canvases[0].press(key)
        window.at_rest()
        place, value = window.page.evaluate(
            "[seedmap.whereText(seedmap.state.at), seedmap.written(seedmap.valueAt(seedmap.state.at))]"
        )
        place = place.replace("mm", "millimetres")
        text = "document.getElementById('live').textContent"
        window.until(f"{text}.startsWith({place!r}) && {text}.endsWith({value!r})")
    assert window.complaints == []
    window.context.close()


def test_a_surface_by_keys_alone(window_on, cortex_explorer):
    """Views, seed, threshold and kept seeds: each is reached by Tab and used by keys."""
    window = window_on(cortex_explorer.url)
    keys, active = window.page.keyboard, "document.activeElement"

    def tab_to(truth):
        for _ in range(80):
            keys.press("Tab")
            if window.read(truth):
                return
        pytest.fail(f"not reached by Tab: {truth}")

    tab_to(f"{active} === seedmap.panes[0].canvas")
    before = window.seed()
    keys.press("ArrowUp")
    window.at_rest()
    assert window.seed() != before
    azimuth = window.read("seedmap.panes[0].azimuth")
    keys.press("Shift+ArrowLeft")
    assert window.read("seedmap.panes[0].azimuth") == azimuth + 15
    tab_to(f"{active}.tagName === 'SELECT' && {active}.closest('.pane')")
    view = window.read("seedmap.panes[0].view")
    keys.press("ArrowDown")
    window.until(f"seedmap.panes[0].view !== {view!r}")
    tab_to(f"{active} === seedmap.panes[3].canvas")
    keys.press("PageDown")
    window.at_rest()
    assert window.read("seedmap.seedQuery().hemisphere") == window.read(
        "seedmap.panes[3].sheet.name"
    )
    threshold = window.read("seedmap.look.threshold")
    tab_to(f"{active}.id === 'threshold'")
    keys.press("ArrowRight")
    assert window.read("seedmap.look.threshold") > threshold
    tab_to(f"{active}.id === 'save'")
    tab_to(f"{active} === seedmap.panes[1].canvas")
    keys.press("k")
    window.until("document.querySelectorAll('#pins article').length === 1")
    keys.press("Control+z")
    window.at_rest()
    assert window.page.evaluate(ASKED_AGAIN)
    assert window.complaints == []
    window.context.close()
