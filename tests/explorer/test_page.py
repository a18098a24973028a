"""The page in a real browser: what a user does, and what the numbers are then."""

import json
import shlex
import warnings

import nibabel as nib
import numpy as np
import pytest

from seedmap import Cleaning, Sphere, seed_maps
from seedmap.cli import main

PCC, MPFC, MOTOR = (0, -52, 18), (1, 55, -3), (-40, -24, 56)
CLOSE = 2e-4


@pytest.fixture(scope="module")
def truth(phantom, options):
    """Return the map that `seed_maps` makes of a sphere."""

    def make(place, radius=8.0, **changed):
        seed = Sphere("s", tuple(place), radius)
        return seed_maps(phantom.func[0], [seed], **(options | changed), uncertainty=None)

    return make


def r_at(maps, place):
    voxel = np.floor(maps.space.to_voxels([place])[0] + 0.5).astype(int)
    return float(maps.space.unmask(maps.r[0])[tuple(voxel)])


def same_map(window, maps):
    """Whether the whole map on the page is that of `seed_maps`."""
    found = np.array(window.read("Array.from(seedmap.r)"), dtype=float)
    found[found == -32768] = np.nan
    np.testing.assert_allclose(found / 32767, maps.r[0], rtol=0, atol=CLOSE)


def test_a_click_gives_the_map_of_seed_maps(look, truth):
    window = look()
    window.type_seed((30, -30, 18))
    window.click(PCC)
    assert window.seed() == list(PCC)
    assert window.value_at(MPFC) == pytest.approx(r_at(truth(PCC), MPFC), abs=CLOSE)
    same_map(window, truth(PCC))


def test_the_value_under_the_pointer_and_at_the_crosshair(look, truth):
    window = look()
    window.type_seed(PCC)
    window.page.uncheck("#follow")
    window.click((1, 55, 18))
    wanted = r_at(truth(PCC), (1, 55, 18))
    shown = window.page.inner_text("#value").replace("\N{MINUS SIGN}", "-")
    assert window.seed() == list(PCC)
    assert float(shown) == pytest.approx(wanted, abs=6e-4)
    window.page.mouse.move(*window.point((0, -52, 18)))
    window.until("document.getElementById('pointer').textContent.startsWith('pointer')")


def test_typed_coordinates_and_radius(look, truth):
    window = look()
    window.type_seed((-40.5, -24, 56))
    window.page.fill("#radius", "12")
    window.at_rest()
    same_map(window, truth((-40.5, -24, 56), 12.0))
    window.page.fill("#x", "far")
    window.page.press("#x", "Enter")
    assert "number in mm" in window.page.inner_text("#trouble")
    assert window.seed() == [-40.5, -24, 56]


def test_a_seed_outside_the_brain_is_refused_with_a_sentence(look):
    window = look()
    window.type_seed((0, -52, 190))
    assert "outside the image" in window.page.inner_text("#trouble")
    assert window.seed() != [0, -52, 190]
    window.type_seed(PCC)
    assert window.page.inner_text("#trouble") == ""
    window.complaints.clear()  # the browser itself notes the refusal


def test_a_click_outside_the_brain_moves_the_crosshair_alone(look):
    window = look()
    window.type_seed(PCC)
    window.click((70, 60, 18))
    assert window.seed() == list(PCC)
    assert window.read("seedmap.state.at") == [70, 60, 18]
    assert window.page.inner_text("#value") == "\N{EN DASH}"


def test_looking_again_at_the_same_map_is_not_counted(look, explorer):
    window = look()
    window.type_seed((12, -60, 20))
    window.until("document.getElementById('looked').textContent")
    before = explorer.session.looked_at
    window.page.click("#here")
    window.page.click("#jump")
    window.type_seed((12, -60, 20))
    assert explorer.session.looked_at == before


def test_a_drag_ends_on_the_right_map_and_drops_stale_answers(look, truth):
    window = look()
    path = np.linspace((-30, -60), (10, 40), 30).round()
    asked, drawn, dropped = window.drag(path, 18)
    assert window.seed() == [10, 40, 18]
    same_map(window, truth((10, 40, 18)))
    assert asked > 25
    assert asked == drawn + dropped


def test_a_drag_through_a_large_run_is_coarse_until_the_pointer_rests(look, truth):
    window = look()
    window.type_seed(PCC)
    window.read(
        """{
        seedmap.run.preview = true;
        window.shown = [];
        const draw = seedmap.maps.draw;
        seedmap.maps.draw = (values, facts, query) => {
            shown.push(facts.preview);
            draw(values, facts, query);
        };
    }"""
    )
    window.page.mouse.move(*window.point((-30, -60, 18)))
    window.page.mouse.down()
    window.until("shown.length === 1")  # a click is a whole map at once
    for x in range(-29, 11):
        window.page.mouse.move(*window.point((x, -60, 18)))
    window.until("shown.length > 1")
    window.page.mouse.up()
    window.at_rest()
    shown = window.read("shown")
    assert (shown[0], shown[1], shown[-1]) == (False, True, False)
    same_map(window, truth((10, -60, 18)))


def test_the_threshold_hides_and_the_fade_shows(look):
    window = look()
    window.type_seed(PCC)

    def coloured():
        return window.read(
            """{
            seedmap.painter.now();
            const { data } = seedmap.panes[2].slice.image;
            let count = 0;
            for (let i = 0; i < data.length; i += 4) count += Math.abs(data[i] - data[i + 2]) > 60;
            return count;
        }"""
        )

    window.page.uncheck("#fade")
    many = coloured()
    window.page.fill("#threshold", "0.7")
    few = coloured()
    assert 0 < few < many / 2
    window.page.fill("#opacity", "0")
    assert coloured() == 0


def test_undo_and_redo(look, truth):
    window = look()
    window.type_seed(PCC)
    window.type_seed(MOTOR)
    window.page.click("#undo")
    window.at_rest()
    assert window.seed() == list(PCC)
    same_map(window, truth(PCC))
    window.page.locator(".pane canvas").first.focus()
    window.page.keyboard.press("Control+Shift+Z")
    window.at_rest()
    assert window.seed() == list(MOTOR)
    window.page.select_option("#history", index=1)
    window.at_rest()
    assert window.seed() == list(PCC)


def test_saved_maps_are_those_of_run(look, explorer, phantom, truth):
    window = look()
    window.page.fill("#name", "my PCC")
    window.type_seed(PCC)
    window.page.click("#save")
    window.until("seedmap.panel.saved")
    folder = explorer.session.out
    (path,) = folder.glob("*_seed-myPCC_stat-r_statmap.nii.gz")
    maps = truth(PCC)
    np.testing.assert_allclose(
        nib.load(path).get_fdata()[maps.space.mask], maps.r[0], rtol=0, atol=1e-6
    )
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["Seed"]["center"] == list(PCC)
    assert sidecar["Exploration"]["SeedsLookedAt"] == explorer.session.looked_at > 0
    assert "looked at" in sidecar["Exploration"]["Note"]
    log = (folder / f"{explorer.session.stem}_exploration.jsonl").read_text().splitlines()
    assert len(log) == explorer.session.looked_at
    assert json.loads(log[-1])["seed"] == list(PCC)


def test_the_command_makes_the_same_map(look, phantom, tmp_path, options):
    window = look()
    window.type_seed((-4, -52, 18))
    window.until("seedmap.panel.readings && seedmap.panel.readings.command.includes('-4,-52,18')")
    words = shlex.split(window.page.input_value("#command"))
    assert words[:2] == ["seedmap", "run"]
    mask = tmp_path / "keep.tsv"
    mask.write_text("keep\n" + "\n".join(str(int(kept)) for kept in options["sample_mask"]) + "\n")
    further = [
        "--sample-mask",
        str(mask),
        "--out",
        str(tmp_path / "out"),
        "--no-figures",
        "--quiet",
    ]
    assert main([*words[1:], *further]) == 0
    (path,) = (tmp_path / "out").glob("*_stat-r_statmap.nii.gz")
    found = np.array(window.read("Array.from(seedmap.r)"), dtype=float) / 32767
    brain = nib.load(phantom.masks[0]).get_fdata() > 0
    np.testing.assert_allclose(found, nib.load(path).get_fdata()[brain], rtol=0, atol=CLOSE)


def test_a_link_brings_back_the_same_state(look):
    window = look()
    window.page.fill("#name", "mine")
    window.type_seed(MOTOR)
    window.page.uncheck("#follow")
    window.page.fill("#threshold", "0.45")
    window.page.click("#side")
    window.page.click("#pin")
    window.until("seedmap.panel.pins.cards.length === 1 && seedmap.view.radiological")
    window.at_rest()
    window.click((0, -52, 56))
    window.until("location.hash.includes('threshold=0.45') && location.hash.includes('at=0%2C-52')")
    state = window.read("seedmap.state")
    window.page.reload()
    window.until("window.seedmap && seedmap.ready")
    window.at_rest()
    again = window.read("seedmap.state")
    for key in ("seed", "at", "radius", "name", "follow", "stat", "look", "radiological", "pins"):
        assert again[key] == state[key], key
    assert "token" not in window.page.url


def test_everything_by_keyboard_alone(look, truth):
    window = look()
    window.type_seed(PCC)
    keys = window.page.keyboard
    for _ in range(40):
        keys.press("Shift+Tab")
        if window.read("document.activeElement.closest('.pane')?.dataset.axis") == "2":
            break
    assert window.read("document.activeElement.closest('.pane').dataset.axis") == "2"
    keys.press("f")
    for key in ("ArrowRight", "ArrowUp", "PageUp"):
        keys.press(key)
    assert window.read("seedmap.state.at") == [8, -44, 26]
    assert window.seed() == list(PCC)
    keys.press("Enter")
    window.at_rest()
    assert window.seed() == [8, -44, 26]
    same_map(window, truth((8, -44, 26)))
    keys.press("ArrowLeft")
    keys.press("Home")
    assert window.read("seedmap.state.at") == [8, -44, 26]
    keys.press("+")
    assert window.read("seedmap.state.look.r.threshold") == 0.35
    keys.press("k")
    window.until("document.querySelectorAll('#pins article').length === 1")
    keys.press("Control+z")
    window.at_rest()
    assert window.seed() == list(PCC)
    window.until("document.getElementById('live').textContent.includes('millimetres')")


def test_shift_control_click_sets_the_seed(look):
    window = look()
    window.type_seed(PCC)
    window.page.uncheck("#follow")
    window.click((20, 20, 18), modifiers=("Shift", "Control"))
    assert window.seed() == [20, 20, 18]
    window.click((-20, 20, 18))
    assert window.seed() == [20, 20, 18]


def test_kept_seeds_stand_side_by_side(look, truth):
    window = look()
    window.type_seed(PCC)
    window.page.click("#pin")
    window.type_seed(MOTOR)
    window.page.click("#pin")
    window.until("seedmap.panel.pins.cards.length === 2")
    values = window.read(f"seedmap.panel.pins.cards.map((card) => card.valueAt({list(MPFC)}))")
    wanted = [r_at(truth(PCC), MPFC), r_at(truth(MOTOR), MPFC)]
    assert values == pytest.approx(wanted, abs=CLOSE)
    window.page.locator("#pins .go").first.click()
    window.at_rest()
    assert window.seed() == list(PCC)
    window.page.locator("#pins .drop").first.click()
    window.until("seedmap.panel.pins.cards.length === 1")


def test_peaks_lead_to_places(look):
    window = look()
    window.type_seed(PCC)
    window.until("document.querySelectorAll('#peaks tbody tr').length > 2")
    window.until("seedmap.panel.readings.peaks[0].value > 0.9")
    window.page.uncheck("#follow")
    window.page.locator("#peaks tbody tr").nth(1).click()
    assert window.read("seedmap.state.at") == window.read("seedmap.panel.readings.peaks[1].at")


def test_switches_clean_anew_and_back(look, truth, explorer):
    window = look()
    window.type_seed(PCC)
    before = explorer.session.version
    window.page.fill("#smoothing", "10")
    window.page.fill("#low", "0.08")
    window.page.press("#low", "Tab")
    window.until("seedmap.run.settings.smoothing === 10 && seedmap.run.settings.low === 0.08")
    window.at_rest()
    assert explorer.session.version > before
    cleaning = Cleaning(low_pass=0.08)
    same_map(window, truth(PCC, cleaning=cleaning, smoothing_fwhm=10))
    window.page.uncheck("#groups input >> nth=0")
    window.until(
        "seedmap.run.settings.groups.length === Object.keys(seedmap.run.groups).length - 1"
    )
    window.page.check("#groups input >> nth=0")
    window.page.fill("#smoothing", "6")
    window.page.fill("#low", "0.1")
    window.page.press("#low", "Tab")
    window.until("seedmap.run.settings.smoothing === 6 && seedmap.run.settings.low === 0.1")
    window.until("seedmap.run.settings.groups.length === Object.keys(seedmap.run.groups).length")
    window.at_rest()
    same_map(window, truth(PCC))


def test_of_two_quick_switches_the_later_counts_though_the_earlier_is_slow(look):
    window = look()
    script = """(async () => {
        const { seedmap, fetch } = window, before = { ...seedmap.run.settings };
        let delay = 500;
        window.fetch = async (path, ...more) => {
            if (String(path).includes("settings")) {
                const wait = delay;
                delay = 0;
                await new Promise((done) => setTimeout(done, wait));
            }
            return fetch(path, ...more);
        };
        const switches = [8, 9].map((smoothing) => seedmap.switchSettings({ ...before, smoothing }));
        await Promise.all(switches);
        const ask = async (path) => (await fetch(path)).json();
        while ((await ask("api/job")).job?.running) await new Promise((done) => setTimeout(done, 20));
        const { smoothing } = (await ask("api/run")).settings;
        await seedmap.switchSettings(before);
        return smoothing;
    })()"""
    assert window.page.evaluate(script) == 9


def test_a_wish_outlives_news_of_an_earlier_cleaning(look):
    window = look()
    script = """(async () => {
        const { seedmap } = window, before = { ...seedmap.run.settings };
        seedmap.state.settings = { ...before, smoothing: 9 };
        const switching = seedmap.switchSettings(seedmap.state.settings);
        await seedmap.renew();
        const meanwhile = seedmap.state.settings.smoothing;
        await switching;
        const after = seedmap.run.settings.smoothing;
        await seedmap.switchSettings(before);
        return [meanwhile, after];
    })()"""
    assert window.page.evaluate(script) == [9, 9]
    window.at_rest()


def test_z_is_that_of_run(look, phantom, options):
    window = look()
    window.type_seed(PCC)
    window.page.locator("input[name=stat][value=z]").check(force=True)
    window.until("seedmap.shown.stat === 'z'")
    seed = Sphere("s", PCC, 8.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few degrees of freedom in so short a run
        maps = seed_maps(phantom.func[0], [seed], **options)
    voxel = np.floor(maps.space.to_voxels([MPFC])[0] + 0.5).astype(int)
    wanted = maps.space.unmask(maps.z[0])[tuple(voxel)]
    assert window.value_at(MPFC) == pytest.approx(float(wanted), abs=2e-3)
    window.until("seedmap.panel.readings?.stat === 'z'")
    (first, *_) = peaks = window.read("seedmap.panel.readings.peaks")
    place = np.flatnonzero((maps.space.coordinates() == first["at"]).all(axis=1))
    assert first["value"] == pytest.approx(float(maps.z[0][place[0]]), abs=1e-3)
    assert first["value"] == pytest.approx(float(np.nanmax(np.abs(maps.z))), abs=1e-3)
    assert all(abs(one["value"]) >= 3 for one in peaks)
    assert window.page.locator("#peaks th i").inner_text() == "z"
    window.page.locator("input[name=stat][value=r]").check(force=True)
    window.until("seedmap.shown.stat === 'r'")


def test_the_picture_is_downloaded(look):
    window = look()
    window.type_seed(PCC)
    with window.page.expect_download() as download:
        window.page.click("#picture")
    path = download.value.path()
    assert path.read_bytes().startswith(b"\x89PNG")
    assert download.value.suggested_filename.endswith("_slices.png")


def test_seeds_of_before_are_in_the_history(look, explorer, monkeypatch):
    before = (Sphere("first", PCC, 6.0), Sphere("second", MOTOR, None))
    monkeypatch.setattr(explorer.session, "before", before)
    window = look("#seed=1,55,-3&name=mine")
    entries = "Array.from(document.querySelectorAll('#history option'), (o) => o.textContent)"
    assert window.read(entries) == ["mine 1,55,-3", "first 0,-52,18", "second -40,-24,56"]
    for place, radius in ((PCC, 6), (MOTOR, 0)):
        window.page.click("#undo")
        window.at_rest()
        assert window.seed() == list(place)
        assert window.read("seedmap.state.radius") == radius


def test_readings_make_way_for_a_newer_map(look):
    window = look()
    window.type_seed(PCC)
    ask = "fetch('api/about?' + new URLSearchParams({...seedmap.seedQuery(), ax: 0, ay: 0, az: 0,"
    ask += " ...seedmap.maps.turn, n: %s})).then((answer) => answer.status)"
    assert window.page.evaluate(ask % "seedmap.maps.number") == 200
    assert window.page.evaluate(ask % "seedmap.maps.number - 1") == 204


def test_a_trembling_pointer_is_no_drag(look):
    window = look()
    window.type_seed(PCC)
    x, y = window.point((20, 20, 18))
    window.page.mouse.move(x, y)
    window.page.mouse.down()
    seed = window.seed()
    window.page.mouse.move(x + 2, y - 2)
    window.page.mouse.up()
    window.at_rest()
    assert window.seed() == seed != list(PCC)


def test_two_windows_at_once(look, truth):
    first, second = look(), look()
    first.type_seed(PCC)
    second.type_seed(MOTOR)
    same_map(first, truth(PCC))
    same_map(second, truth(MOTOR))


def test_a_phone(look):
    window = look(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert window.read("document.documentElement.scrollWidth") <= 390
    x, y = window.point((10, -40, 18))
    window.page.touchscreen.tap(x, y)
    window.at_rest()
    assert np.abs(np.array(window.seed()) - (10, -40, 18)).max() <= 1


def test_sides_have_letters_and_swap(look):
    window = look()
    left = window.point((-30, 0, 18))[0]
    assert left < window.point((30, 0, 18))[0]
    window.page.click("#side")
    window.until("seedmap.view.radiological")
    assert window.point((-30, 0, 18))[0] > window.point((30, 0, 18))[0]


def test_the_policy_holds(look):
    window = look()
    blocked = window.page.evaluate(
        "() => new Promise((done) => { addEventListener('securitypolicyviolation',"
        " (event) => done(event.effectiveDirective)); "
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1';"
        " document.body.append(s); setTimeout(() => done(''), 3000); })"
    )
    assert blocked.startswith("script-src")
    assert window.read("window.broken === undefined")
    window.complaints.clear()  # this one was wanted
