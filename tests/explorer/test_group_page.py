"""The page of a group in a real browser: what a user does, and what the numbers are then."""

import json
import shlex
import time
from pathlib import Path

import numpy as np
import pytest

from seedmap import Sphere
from seedmap.explorer.engine.people import SeedDifference

PCC, VISUAL, OTHER = (0, -52, 18), (0, -82, 8), (30, -30, 18)
RADIUS = 8.0


@pytest.fixture
def truth(group_explorer):
    """Return what the engine makes of a seed."""
    return lambda place, *asked, **more: group_explorer.session.live.maps(
        Sphere("s", tuple(place), RADIUS), *asked, **more
    )


def same_map(window, answer, stat="t"):
    """Whether the whole map on the page is the engine's."""
    name, values = ("effect", np.tanh(answer.effect)) if stat == "effect" else ("tested", answer.t)
    found = np.array(window.read(f"Array.from(seedmap.r.{name})"), dtype=float)
    found[found == -32768] = np.nan
    full = window.read("seedmap.facts.effectFull") if stat == "effect" else 60
    inside = ~(np.abs(values) >= full)
    np.testing.assert_allclose(
        found[inside] / 32767 * full, values[inside], rtol=0, atol=full / 32767
    )


def looked_at(window):
    return window.read("seedmap.looked ?? 0")


def test_a_click_gives_the_map_of_the_group(look_at_group, truth):
    window = look_at_group()
    window.type_seed(OTHER)
    window.click(PCC)
    assert window.seed() == list(PCC)
    same_map(window, truth(PCC))
    same_map(window, truth(PCC), "effect")
    place = (1, 55, -3)
    live = truth(PCC)
    assert window.value_at(place) == pytest.approx(
        live.t[window.read(f"seedmap.places.indexOf(seedmap.map.at({list(place)}))")], abs=2e-3
    )
    assert "10 of 10" in window.page.inner_text("#used")
    assert window.page.is_hidden("#confirm")  # nobody is kept back


def test_slices_come_first_and_the_rest_at_rest(look_at_group, truth):
    window = look_at_group()
    window.type_seed(OTHER)
    window.read(
        """{
        window.parts = [];
        const draw = seedmap.draw.bind(seedmap);
        seedmap.draw = (values, facts, query) => {
            draw(values, facts, query);
            const shown = seedmap.map.data.reduce((n, v) => n + (v !== -32768), 0);
            parts.push([facts.part, shown, facts.samples]);
        };
    }"""
    )
    window.page.mouse.move(*window.point(PCC))
    window.page.mouse.down()
    window.until("parts.length === 2")
    window.page.mouse.up()
    window.at_rest()
    (first, some, sent), (second, every, _) = window.read("parts")[:2]
    assert (first, second) == ("slices", "all")
    assert 0 < some <= sent  # no colour of the seed before is left
    assert some < every / 1.5
    same_map(window, truth(PCC))


def test_a_drag_ends_on_the_right_map_and_drops_stale_answers(look_at_group, truth):
    window = look_at_group()
    path = np.linspace((-30, -60), (10, 40), 30).round()
    asked, drawn, dropped = window.drag(path, 18)
    assert window.seed() == [10, 40, 18]
    same_map(window, truth((10, 40, 18)))
    assert asked > 25
    assert asked == drawn + dropped


def test_contrasts_and_statistics_are_switched(look_at_group, truth):
    window = look_at_group()
    window.type_seed(PCC)
    window.page.select_option("#contrast", "2")
    window.at_rest()
    answer = truth(PCC, 2)
    same_map(window, answer)
    at = int(np.nanargmax(np.where(np.abs(answer.t) < 50, np.abs(answer.t), 0)))
    read = f"seedmap.map.data[seedmap.places[{at}]] / 32767 * seedmap.full"
    for stat, wanted in (("effect", answer.effect), ("n", answer.n), ("t", answer.t)):
        window.page.check(f"input[name=stat][value={stat}]", force=True)
        window.at_rest()
        assert window.read(read) == pytest.approx(float(wanted[at]), rel=2e-3, abs=2e-3)
    window.page.check("input[name=stat][value=z]", force=True)
    window.at_rest()
    assert 0 < abs(window.read(read)) < abs(float(answer.t[at]))
    assert window.page.input_value("#against") == "1"
    assert "seedmap group" in window.page.inner_text(".command")


def test_people_are_switched_off_by_list_and_by_dot(look_at_group, truth, group_explorer):
    window = look_at_group()
    window.type_seed(PCC)
    window.until("seedmap.readings || seedmap.panel.readings")
    window.page.click("#persons input[value='3']")
    window.at_rest()
    same_map(window, truth(PCC, off=frozenset({"04"})))
    window.until("document.getElementById('command').value.includes('--leave-out 04')")
    assert "9 of 10" in window.page.inner_text("#used")
    x, y, _ = window.read("seedmap.panel.dots.find(([, , n]) => n === 6)")
    box = window.page.locator("#chart canvas").bounding_box()
    window.page.mouse.click(box["x"] + x, box["y"] + y)
    window.at_rest()
    off = window.read("[...seedmap.off]")
    assert len(off) == 2
    labels = frozenset(group_explorer.session.live.people[n] for n in off)
    same_map(window, truth(PCC, off=labels))
    window.page.click("#everybody")
    window.at_rest()
    same_map(window, truth(PCC))
    values = window.read(
        "[...document.querySelectorAll('#persons small')].map((e) => e.textContent)"
    )
    assert len(values) == 10
    assert all(values)


def test_too_few_people_are_one_line_and_the_map_before_stays(look_at_group, truth):
    window = look_at_group()
    window.type_seed(PCC)
    for person in range(7):
        window.page.click(f"#persons input[value='{person}']")
        window.at_rest()
    assert "people" in window.page.inner_text("#trouble")
    off = window.read("[...seedmap.off].map(String)")
    assert 0 < len(off) < 7
    labels = frozenset(f"{int(n) + 1:02d}" for n in off)
    same_map(window, truth(PCC, off=labels))
    window.complaints.clear()  # the browser itself notes the refusal


def test_no_label_of_a_person_is_in_link_or_picture(look_at_group):
    window = look_at_group()
    window.type_seed(PCC)
    window.page.click("#persons input[value='3']")
    window.at_rest()
    window.until("seedmap.link && location.hash.length > 10")
    time.sleep(0.3)
    assert "sub" not in window.page.url
    assert "04" not in window.read("new URLSearchParams(location.hash.slice(1)).toString()")
    with window.page.expect_download() as waiting:
        window.page.click("#picture")
    assert "sub" not in waiting.value.suggested_filename


def test_a_link_brings_seed_contrast_and_statistic_back(look_at_group, truth):
    window = look_at_group(
        "#seed=30,-30,18&radius=8&name=here&contrast=1&stat=effect&threshold=0.2&range=0.6"
    )
    assert window.seed() == list(OTHER)
    answer = truth(OTHER, 1)
    same_map(window, answer)
    assert window.page.input_value("#contrast") == "1"
    assert window.read("seedmap.look.range") == 0.6
    assert window.page.input_value("#against") == "0"


def test_kept_seeds_show_their_own_map(look_at_group, truth):
    window = look_at_group()
    window.type_seed(VISUAL)
    window.page.click("#pin")
    window.type_seed(PCC)
    window.at_rest()
    window.until("seedmap.panel.pins.cards.length === 1")
    answer = truth(VISUAL)
    at = int(np.nanargmax(np.where(np.abs(answer.t) < 50, np.abs(answer.t), 0)))
    card = "seedmap.panel.pins.cards[0]"
    shown = window.read(f"{card}.map.data[seedmap.places[{at}]] / 32767 * {card}.full")
    assert shown == pytest.approx(float(answer.t[at]), abs=2e-3)


def test_the_keyboard_alone_is_enough(look_at_group, truth):
    """Slices, statistic, contrast, people: each is reached by Tab and used by keys."""
    window = look_at_group()
    window.type_seed(PCC)
    keyboard = window.page.keyboard
    window.page.focus(".pane[data-axis='2'] canvas")
    for _ in range(3):
        keyboard.press("ArrowRight")
    window.at_rest()
    assert window.seed()[0] > 0
    reached = []
    for _ in range(80):
        keyboard.press("Tab")
        reached.append(
            window.read(
                "document.activeElement.id || document.activeElement.name || document.activeElement.value"
            )
        )
        if reached[-1] == "contrast":
            keyboard.press("ArrowDown")
        if window.read(
            "document.activeElement.closest('#persons') && document.activeElement.value === '5'"
        ):
            keyboard.press("Space")
            break
    window.at_rest()
    assert {"x", "stat", "contrast", "threshold", "against"} <= set(reached)
    assert window.read("[...seedmap.off]") == [5]
    assert window.read("seedmap.state.contrast") == 1
    same_map(window, truth(window.seed(), 1, off=frozenset({"06"})))


def test_a_narrow_screen_shows_all_without_scrolling_sideways(look_at_group):
    window = look_at_group(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    window.type_seed(PCC)
    assert window.read("document.documentElement.scrollWidth") <= 390
    for name in ("#contrast", "#persons", "#save", "#against"):
        box = window.page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    window.page.tap(".pane[data-axis='2'] canvas", position={"x": 150, "y": 150})
    window.at_rest()
    assert window.seed() != list(PCC)


def test_the_corrected_line_belongs_to_one_map(look_at_group):
    window = look_at_group()
    window.type_seed(PCC)
    window.page.click("#correct")
    window.until(
        "document.getElementById('line').textContent.includes('by chance') || seedmap.controls.line"
    )
    line = window.read("seedmap.controls.line")
    assert f"{line['shuffles']} shuffles" in window.page.inner_text("#line")
    if line["ofLooks"] is not None:
        window.page.click("#use-line")
        window.at_rest()
        assert window.read("seedmap.state.stat") == line["kind"]
        assert window.read("seedmap.look.threshold") == line["ofLooks"]
        for name, value in (("alone", line["alone"]), ("looks", line["ofLooks"])):
            left = window.read(f"document.querySelector('#marks .{name}').style.left")
            most = float(window.page.get_attribute("#threshold", "max"))
            assert float(left.rstrip("%")) == pytest.approx(100 * value / most)
        assert window.page.inner_text("#line")
    window.type_seed(OTHER)
    assert window.page.inner_text("#line") == ""
    assert window.page.is_disabled("#use-line")


@pytest.mark.full
def test_saving_makes_the_maps_of_the_group_step(look_at_group, group_explorer, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.group_session.SHUFFLES", 30)
    window = look_at_group()
    window.type_seed(PCC)
    window.page.fill("#name", "found")
    window.page.press("#name", "Enter")
    window.at_rest()
    window.page.click("#save")
    window.until("seedmap.panel.saved", seconds=60)
    names = window.read("seedmap.panel.saved")
    out = group_explorer.session.out
    assert {f"contrast-{c}" for c in ("mean", "patientMinusControl", "age")} <= {
        part for name in names for part in name.split("_")
    }
    assert all((out / name).exists() for name in names)
    sidecar = json.loads(next(out.glob("*seed-found*contrast-mean*stat-t*.json")).read_text())
    assert sidecar["Exploration"]["SeedsLookedAt"] == group_explorer.session.looked_at
    command = shlex.split(window.page.input_value("#command"))
    assert command[:2] == ["seedmap", "group"]
    named = [Path(word).name if Path(word).is_absolute() else word for word in command]
    assert shlex.split(sidecar["Command"]) == named  # sidecars name no folder of this machine


def test_a_kept_seed_is_subtracted(look_at_group, group_explorer):
    window, live = look_at_group(), group_explorer.session.live
    window.type_seed(VISUAL)
    window.page.click("#pin")
    window.type_seed(PCC)
    window.page.click("#pins .less")
    window.at_rest()
    pcc, visual = (Sphere("s", tuple(place), RADIUS) for place in (PCC, VISUAL))
    same_map(window, live.maps(SeedDifference(pcc, visual)))
    assert "less" in window.page.inner_text("#less")
    window.page.check("input[name=stat][value=effect]", force=True)
    window.at_rest()
    assert window.page.inner_text("#unit") == "z\N{PRIME}"
    window.until("document.getElementById('command').value.startsWith('#')")
    window.page.click("#save")
    window.until("document.getElementById('trouble').textContent.includes('is not saved')")
    window.complaints.clear()  # the browser itself notes the refusal
    log = (group_explorer.session.out / "group_exploration.jsonl").read_text().splitlines()
    last = json.loads(log[-1])
    assert (last["less"], last["less_radius"]) == (list(VISUAL), RADIUS)
    window.until("seedmap.link?.includes('less=')")
    window.page.click("#less button")
    window.at_rest()
    same_map(window, live.maps(pcc))
