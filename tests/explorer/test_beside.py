"""Two explorers side by side: one crosshair, one seed and one scale, and each its own numbers."""

import json
import shlex
import time

import nibabel as nib
import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.analysis.options import Inputs, Method
from seedmap.errors import ImageError, OptionError, SeedmapWarning
from seedmap.explorer import begin_beside, begin_session, open_source

PCC, MPFC, MOTOR = (0.0, -52.0, 18.0), (1.0, 55.0, -3.0), (-38.0, -22.0, 56.0)
CLOSE = 2e-5 + 0.5 / 32767


def settings_of(side, options):
    """Return how the run is cleaned on a side: on the right no confounds are regressed out."""
    return options if side == 0 else {**options, "confounds": None}


@pytest.fixture
def two(two_on, beside_explorer):
    """Open windows on both; none may complain."""
    windows = []

    def open_window(path="", **context):
        windows.append(two_on(beside_explorer.url + path, **context))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [text for window in windows for text in window.complaints] == []


def check_maps(window, phantom, options, places):
    """Compare the map of each side with that of `seed_maps`."""
    for side, (values, place) in enumerate(zip(window.both("[...app.r]"), places, strict=True)):
        given = settings_of(side, options)
        maps = seed_maps(phantom.func[0], [Sphere("s", place)], uncertainty=None, **given)
        shown = np.array(values, dtype=float)
        good = shown != -32768
        np.testing.assert_allclose(shown[good] / 32767, maps.r[0][good], rtol=0, atol=CLOSE)


def test_each_side_follows_the_other_and_keeps_its_own_numbers(two, phantom, options):
    window = two()
    assert window.page.locator("iframe").count() == 2
    window.type_seed("left", MPFC)
    assert window.both("app.state.seed") == [list(MPFC)] * 2
    check_maps(window, phantom, options, [MPFC, MPFC])
    window.click("right", (*MOTOR[:2], MPFC[2]))
    left, right = window.both("app.state.seed")
    assert left == right != list(MPFC)
    assert window.both("app.state.at") == [left, left]
    check_maps(window, phantom, options, [left, left])
    here = window.both("app.valueAt(app.state.at)")
    other = window.both(f"app.valueAt({list(PCC)})")
    assert here[0] > 0.5
    assert here[1] > 0.5
    assert abs(other[0] - other[1]) > 0.01
    # the readings of each side are its own
    window.until("pair.sides.every(({ app }) => app.panel.readings?.seedSeries)")
    series = window.both("app.panel.readings.seedSeries")
    assert np.abs(np.subtract(*series)).max() > 0.1


def test_one_scale_by_keys_alone(two, phantom, options):
    window = two()
    window.page.keyboard.press("Tab")  # the three boxes, the link, and then the left page
    focused = "document.activeElement"
    assert window.page.evaluate(f"{focused}.value") == "crosshair"
    for _ in range(8):
        window.page.keyboard.press("Tab")
    assert window.page.evaluate(f"{focused}.id") == "left"
    window.pane("right", 1).focus()
    window.page.keyboard.press("+")
    window.at_rest()
    assert window.both("app.look.threshold") == [0.35, 0.35]
    before = window.both("app.state.at")
    window.page.keyboard.press("ArrowUp")
    window.at_rest()
    after = window.both("app.state.at")
    assert after[0] == after[1] == [before[0][0], before[0][1], before[0][2] + 8]
    assert window.both("app.state.seed") == after
    frame = window.page.frame_locator("#left")
    frame.locator("input[name=stat][value=z]").check(force=True)
    window.until("pair.sides.every(({ app }) => app.shown.stat === 'z')")
    numbers = window.both("app.valueAt(app.state.at)")
    assert all(number > 3 for number in numbers)
    assert numbers[0] != numbers[1]
    frame.locator("#threshold").fill("4.5")
    window.until("pair.sides.every(({ app }) => app.look.threshold === 4.5)")
    frame.locator("#theme").click()
    dark = "document.documentElement.classList.contains('dark')"
    window.until(f"{dark} && pair.sides.every(({{ app }}) => app.painter.dark)")


def test_two_seeds_under_one_crosshair_and_the_link_of_both(two, phantom, options):
    window = two()
    window.type_seed("left", PCC)
    window.page.uncheck("input[value=seed]")
    window.page.frame_locator("#right").locator("#follow").uncheck()
    window.type_seed("right", MOTOR)
    assert window.both("app.state.seed") == [list(PCC), list(MOTOR)]
    assert window.both("app.state.at") == [list(MOTOR)] * 2
    check_maps(window, phantom, options, [PCC, MOTOR])
    window.until("location.hash.includes('apart=seed')")
    window.until("decodeURIComponent(location.hash).split('right=')[1].includes('seed=-38')")
    address = window.page.url
    window.page.goto("about:blank")
    window.open(address)
    assert window.both("app.state.seed") == [list(PCC), list(MOTOR)]
    assert not window.page.is_checked("input[value=seed]")
    window.page.check("input[value=seed]")
    window.at_rest()
    seeds = window.both("app.state.seed")
    assert seeds[0] == seeds[1]


@pytest.mark.full
def test_drags_reach_the_other_side_and_stale_maps_do_not(two):
    window = two()
    window.type_seed("left", PCC)
    box = window.pane("left").bounding_box()
    window.page.mouse.move(box["x"] + 100, box["y"] + 120)
    window.page.mouse.down()
    for step in range(30):
        window.page.mouse.move(box["x"] + 100 + 2 * step, box["y"] + 120 + step)
    window.page.mouse.up()
    window.at_rest()
    left, right = window.both("app.state.seed")
    assert left == right != list(PCC)
    assert window.both("app.shown.state.seed") == [left, left]
    asked, drawn = window.both("app.maps.counts.asked"), window.both("app.maps.counts.drawn")
    assert asked[1] <= asked[0] + 3
    assert 0 < drawn[1] <= asked[1]


def test_on_a_phone_they_lie_below_each_other(two):
    window = two(viewport={"width": 390, "height": 844})
    window.until("pair.sides.every(({ frame }) => frame.clientHeight > 1200)")
    left, right = (window.page.locator(f"#{side}").bounding_box() for side in ("left", "right"))
    assert right["y"] >= left["y"] + left["height"]
    assert left["width"] <= 390
    assert window.page.evaluate("document.documentElement.scrollWidth") == 390
    assert window.both("frame.contentDocument.documentElement.scrollWidth") == [390, 390]
    tall = window.both("frame.clientHeight")
    time.sleep(0.3)
    assert window.both("frame.clientHeight") == tall  # and stays so
    window.click("left", (10.0, -30.0, window.both("app.state.at")[0][2]))
    assert window.both("app.state.seed[1]") == [window.both("app.state.seed[1]")[0]] * 2


def test_only_the_page_itself_may_frame_the_two(client_of, beside_explorer):
    client = client_of(beside_explorer)
    for path in ("/", "/left/", "/right/api/run"):
        headers = client.ask(path)[0].headers
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in policy
        assert "frame-src 'self'" in policy
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
    frame = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    assert client.status("/left/", Sec_Fetch_Site="same-origin", **frame) == 200
    assert client.status("/left/", Sec_Fetch_Site="same-site", **frame) == 403
    assert client.status("/left/", Sec_Fetch_Site="cross-site", **frame) == 403
    # the token is for the page, not for a side
    token = client.token()
    assert client.status(f"/left/?token={token}", cookie=False) == 403
    assert client.status(f"/?token={token}", cookie=False) == 200
    left, right = (json.loads(client.ask(f"/{side}/api/run")[1]) for side in ("left", "right"))
    assert left["groups"] != right["groups"] == {}
    assert (left["out"].split("/")[-1], right["out"].split("/")[-1]) == ("left", "right")


def test_what_fails_on_the_right_ends_the_left(phantom, options, tmp_path):
    closed = []

    def begin(number, out):
        if number:
            msg = "there is no second run"
            raise ImageError(msg)
        session = begin_session(open_source(Inputs(phantom.func[0], **options)), out=out)
        close = session.close
        session.close = lambda: (closed.append(out), close())
        return session

    with pytest.raises(ImageError, match="no second"):
        begin_beside(begin, tmp_path)
    assert closed == [tmp_path / "left"]


def test_two_spaces_are_warned_of(phantom, tmp_path):
    image = nib.load(phantom.func[0])
    native = nib.Nifti1Image(image.dataobj, image.affine, image.header)
    native.set_sform(image.affine, code=1)
    native.set_qform(image.affine, code=1)
    nib.save(native, tmp_path / "native.nii.gz")

    def begin(number, out):
        bold = tmp_path / "native.nii.gz" if number else phantom.func[0]
        source = open_source(Inputs(bold, mask_img=phantom.masks[0]), Method(uncertainty=None))
        return begin_session(source, out=out)

    with pytest.warns(SeedmapWarning, match="on the right is not said to be in MNI space"):
        begin_beside(begin, tmp_path).close()


def test_the_command_line_takes_two(phantom, served, tmp_path, capsys):
    words = ["explore", *map(str, phantom.func[:1] * 2), "--out", str(tmp_path)]
    words += ["--uncertainty", "none", "--no-browser", "--mask-img", str(phantom.masks[0])]
    table = ["--confounds", str(phantom.confounds[0])]
    pair = served([*words, *table])
    for side in (pair.left, pair.right):
        assert side.source.confounds is not None
    assert pair.left.out == tmp_path / "left"
    assert pair.right.out == tmp_path / "right"
    line = shlex.split(
        pair.right.command.line(pair.right.source, pair.right.source.settings, PCC_SEED)
    )
    assert str(phantom.confounds[0]) in line
    other = tmp_path / "other.nii.gz"
    other.write_bytes(phantom.func[0].read_bytes())
    words[2] = str(other)
    with pytest.raises(OptionError, match="1 --confounds for two runs"):
        served([*words, *table])
    with pytest.raises(OptionError, match="3 runs are given"):
        served(["explore", *[str(other)] * 3])


PCC_SEED = Sphere("PCC", PCC)


@pytest.mark.full
def test_in_python_too(phantom, options, tmp_path):
    from seedmap.explorer import explore

    maps = seed_maps(phantom.func[0], [PCC_SEED], uncertainty=None, **options)
    with explore(phantom.func[0], beside=maps, mask_img=phantom.masks[0], out=tmp_path) as running:
        left, right = running.session.left, running.session.right
        assert left.source.confounds is None
        assert right.before == (PCC_SEED,)
        assert "iframe" in running._repr_html_()


def test_two_contrasts_of_a_group_side_by_side(two_on, two_groups):
    window = two_on(two_groups.url)
    window.type_seed("left", PCC)
    window.page.frame_locator("#right").locator("#contrast").select_option("2")
    window.at_rest()
    assert window.both("app.state.contrast") == [0, 2]
    assert window.both("app.state.seed") == [list(PCC)] * 2
    assert window.both("app.stat") == ["t", "t"]
    values = window.both("app.valueAt([1, 55, -3])")
    assert values[0] != values[1]
    frame = window.page.frame_locator("#left")
    frame.locator("#threshold").fill("2.5")
    window.until("pair.sides.every(({ app }) => app.look.threshold === 2.5)")
    # an effect of the mean is an r, that of a slope is not: their scales are their own
    frame.locator("input[name=stat][value=effect]").check(force=True)
    window.at_rest()
    assert window.both("app.stat") == ["effect", "effect"]
    frame.locator("#threshold").fill("0.4")
    window.at_rest()
    looks = window.both("app.look.threshold")
    assert looks[0] == 0.4 != looks[1]
    window.until("pair.sides.every(({ app }) => app.noting === null)")
    session = two_groups.session
    assert session.left.looks is session.right.looks
    assert session.left.looked_at >= 3
    assert window.complaints == []
    window.context.close()


@pytest.mark.full
def test_a_seed_outside_the_other_brain_is_said_there(two):
    window = two()
    window.type_seed("left", PCC)
    script = """([app]) => {
        const { inBrain } = app;
        app.inBrain = (place) => place[1] < 0 && inBrain.call(app, place);
    }"""
    window.page.evaluate(f"({script})(pair.sides.map(({{ app }}) => app).reverse())")
    window.type_seed("left", MPFC)
    assert window.both("app.state.seed") == [list(MPFC), list(PCC)]
    assert window.both("app.state.at") == [list(MPFC)] * 2
    trouble = window.page.frame_locator("#right").locator("#trouble")
    assert "outside the brain here" in trouble.inner_text()
    window.type_seed("left", MOTOR)
    assert window.both("app.state.seed") == [list(MOTOR)] * 2
    assert trouble.inner_text() == ""


@pytest.mark.full
def test_axe_finds_nothing_in_the_page_of_both(two):
    axe_of = pytest.importorskip("axe_playwright_python.sync_playwright")
    window = two()
    for width in (1280, 390):
        window.page.set_viewport_size({"width": width, "height": 860})
        for scheme in ("light", "dark"):
            window.page.emulate_media(color_scheme=scheme)
            window.page.wait_for_timeout(150)
            found = axe_of.Axe().run(window.page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
