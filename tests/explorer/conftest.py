"""A phantom that is explored, and a browser to look at it with."""

import http.client
import time

import nibabel as nib
import numpy as np
import pytest
from cyclopts import App

from seedmap import Sphere, seed_maps
from seedmap.analysis.options import Inputs
from seedmap.datasets import make_grayordinate_phantom, make_phantom, make_surface_phantom
from seedmap.explorer import (
    Explorer,
    ServerOptions,
    begin_beside,
    begin_group,
    begin_session,
    open_source,
)
from seedmap.explorer.command import Command
from seedmap.group import Question
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.report import write_report


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A small run with a default mode network, in MNI space."""
    folder = tmp_path_factory.mktemp("phantom")
    return make_phantom(folder, voxel_size=8, n_frames=100, rng=0)


@pytest.fixture(scope="session")
def options(phantom):
    """How it is cleaned."""
    keep = phantom.truth.sample_masks[0]
    return {"confounds": phantom.confounds[0], "sample_mask": keep, "mask_img": phantom.masks[0]}


@pytest.fixture(scope="session")
def parcels(phantom, tmp_path_factory):
    """Twenty parcels of the phantom's brain on voxels of 4 mm, with a table of names."""
    folder = tmp_path_factory.mktemp("parcels")
    mask = nib.load(phantom.masks[0])
    affine = mask.affine @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 2.0
    inside = np.argwhere(np.asarray(mask.dataobj).repeat(2, 0).repeat(2, 1).repeat(2, 2))
    middles = inside[np.linspace(0, len(inside) - 1, 20).astype(int)]
    away = np.linalg.norm(inside[:, None] - middles[None], axis=2)
    labels = np.zeros(2 * np.array(mask.shape), np.int16)
    labels[tuple(inside.T)] = 10 * (1 + away.argmin(axis=1))
    nib.save(nib.Nifti1Image(labels, affine), folder / "parcels.nii.gz")
    rows = [f"{10 * number}\tparcel {number}" for number in range(1, 21)]
    (folder / "parcels.tsv").write_text("\n".join(["index\tname", *rows, ""]))
    return folder / "parcels.nii.gz"


@pytest.fixture(scope="session")
def explorer(phantom, options, tmp_path_factory):
    """A server that runs while the tests last."""
    source = open_source(Inputs(phantom.func[0], **options))
    mask = ("--mask-img", str(phantom.masks[0]))
    command = Command(str(phantom.func[0]), (str(phantom.confounds[0]),), mask)
    out = tmp_path_factory.mktemp("out") / "results"
    session = begin_session(source, out=out, command=command, anatomy=phantom.masks[0])
    with Explorer(session, ServerOptions()).start() as running:
        yield running


@pytest.fixture(scope="session")
def report_of_maps(phantom, tmp_path_factory):
    """The report of two seeds, with slices that move."""
    seeds = [Sphere("PCC", (0, -52, 18)), Sphere("LM", (-36, -25, 57))]
    maps = seed_maps(phantom.func[0], seeds, mask_img=phantom.masks[0])
    *_, path = write_report(maps, tmp_path_factory.mktemp("slices") / "report")
    return path


@pytest.fixture(scope="session")
def with_parcels(phantom, parcels, tmp_path_factory):
    """A server of the phantom with an atlas of twenty parcels."""
    given = {"confounds": phantom.confounds[0], "mask_img": phantom.masks[0]}
    session = begin_session(
        open_source(Inputs(phantom.func[0], **given)),
        out=tmp_path_factory.mktemp("out"),
        command=Command.of_call(Inputs(phantom.func[0], **given)),
        anatomy=phantom.masks[0],
        atlas=parcels,
    )
    with Explorer(session, ServerOptions()).start() as running:
        yield running


@pytest.fixture(scope="session")
def beside_explorer(phantom, options, tmp_path_factory):
    """A server of one run cleaned in two ways, side by side: on the right without confounds."""

    def begin(number, out):
        given = {**options, "confounds": None} if number else options
        source = open_source(Inputs(phantom.func[0], **given))
        return begin_session(source, out=out, anatomy=phantom.masks[0])

    session = begin_beside(begin, tmp_path_factory.mktemp("out") / "beside-results")
    with Explorer(session, ServerOptions()).start() as running:
        yield running


def begin_study(study, out):
    """Begin to explore the people of the stored study."""
    question = Question(
        seed="", model="group + age", contrasts=("mean", "patient - control", "age"), inference=None
    )
    return begin_group(
        study.root,
        pack_study(study.root, Choice("")),
        Choice(""),
        question,
        design=study.table,
        out=out,
        anatomy=study.phantom.masks[0],
        n_jobs=2,
    )


@pytest.fixture(scope="session")
def group_explorer(stored_study, tmp_path_factory):
    """A server of a group that runs while the tests last."""
    session = begin_study(stored_study, tmp_path_factory.mktemp("out") / "group-results")
    with Explorer(session, ServerOptions()).start() as running:
        yield running


@pytest.fixture(scope="session")
def two_groups(stored_study, tmp_path_factory):
    """A server of the same group twice, side by side."""
    out = tmp_path_factory.mktemp("out") / "two-groups"
    session = begin_beside(lambda _number, folder: begin_study(stored_study, folder), out)
    with Explorer(session, ServerOptions()).start() as running:
        yield running


@pytest.fixture
def served(monkeypatch):
    """Call the verb; return the session that it would serve, and how."""
    sessions = []

    def serve(session, options, *, browser, say):
        sessions.append(session)
        call_verb.options, call_verb.browser = options, browser
        say("http://here")

    def call_verb(words):
        app = App()
        app.command("seedmap.cli.explore:explore")
        app(words, result_action="return_value", print_error=False, exit_on_error=False)
        return sessions[-1]

    monkeypatch.setattr("seedmap.cli.explore.serve", serve)
    yield call_verb
    for session in sessions:
        session.close()


@pytest.fixture(scope="session")
def cortex(tmp_path_factory):
    """A short run on fsaverage5."""
    return make_surface_phantom(tmp_path_factory.mktemp("cortex"), n_frames=80)


@pytest.fixture(scope="session")
def dense(tmp_path_factory):
    """A short run of 91,282 grayordinates."""
    return make_grayordinate_phantom(tmp_path_factory.mktemp("dense"), n_frames=80, t_r=2.0)


def serve_surfaces(run, folder):
    """Return a server of a run on surfaces."""
    inputs = Inputs(run.func[0], confounds=run.confounds[0], surfaces=run.surfaces)
    session = begin_session(open_source(inputs), out=folder, command=Command.of_call(inputs))
    return Explorer(session, ServerOptions()).start()


@pytest.fixture(scope="session")
def cortex_explorer(cortex, tmp_path_factory):
    """A server of it that runs while the tests last."""
    with serve_surfaces(cortex, tmp_path_factory.mktemp("out")) as running:
        yield running


@pytest.fixture(scope="session")
def dense_explorer(dense, tmp_path_factory):
    """A server of grayordinates that runs while the tests last."""
    with serve_surfaces(dense, tmp_path_factory.mktemp("out")) as running:
        yield running


EXPLORERS = {
    "run": "explorer",
    "group": "group_explorer",
    "beside": "beside_explorer",
    "regions": "with_parcels",
    "surface": "cortex_explorer",
    "grayordinates": "dense_explorer",
}


@pytest.fixture
def explored(request):
    """Return the explorer of a kind of data."""
    return request.getfixturevalue(EXPLORERS[request.param])


class Client:
    """Asks the explorer over HTTP, with a cookie or without."""

    def __init__(self, explorer):
        self.explorer = explorer
        self.cookie = {}
        answer, _ = self.ask(f"/?token={self.token()}")
        self.cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

    def token(self):
        return self.explorer.url.split("token=")[1]

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


@pytest.fixture
def group_client(group_explorer):
    return Client(group_explorer)


def numbers(place):
    """Write a place as JavaScript knows it."""
    return [float(value) for value in place]


# What a page has still to do.
BUSY = " || ".join(
    f"seedmap.{what}" for what in ("moved", "painter.wanted", "noting", "showing", "wholly")
)


class Window:
    """A page, and everything it complained of."""

    def __init__(self, browser, url, script="", **context):
        self.complaints = []
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 860}, **context}
        )
        self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.open(url)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, url):
        self.page.goto(url)
        self.until("window.seedmap && seedmap.ready === true")
        self.until("seedmap.underlay.key !== 'nothing yet'")
        self.at_rest()

    def until(self, truth, seconds=15):
        """Wait for an expression to be true; Playwright's own waiting needs a laxer policy."""
        late = time.monotonic() + seconds
        while not self.page.evaluate(f"Boolean({truth})"):
            assert time.monotonic() < late, f"never came true: {truth}"
            time.sleep(0.01)

    def at_rest(self):
        self.until(f"seedmap.maps.idle && seedmap.r && !({BUSY})")

    def read(self, expression):
        return self.page.evaluate(f"(() => {expression})()")

    def point(self, place, axis=2):
        """Return where on the page a place [mm] lies, in one of the slices."""
        x, y = self.read(f"seedmap.panes[{axis}].toPixel({numbers(place)})")
        box = self.page.locator(f".pane[data-axis='{axis}'] canvas").bounding_box()
        return box["x"] + x, box["y"] + y

    def click(self, place, axis=2, modifiers=()):
        for key in modifiers:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.point(place, axis))
        for key in modifiers:
            self.page.keyboard.up(key)
        self.at_rest()

    def drag(self, path, height):
        """Drag the seed along places of an axial slice; return how many maps were asked for and so on."""
        before = self.read("({...seedmap.maps.counts})")
        first, *others = [self.point((*place, height)) for place in path]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in others:
            self.page.mouse.move(*place)
        self.page.mouse.up()
        self.at_rest()
        after = self.read("({...seedmap.maps.counts})")
        return tuple(after[key] - before[key] for key in ("asked", "drawn", "dropped"))

    def seed(self):
        return self.read("seedmap.state.seed")

    def value_at(self, place):
        return self.read(f"seedmap.valueAt({numbers(place)})")

    def type_seed(self, place):
        for axis, value in zip("xyz", place, strict=True):
            self.page.fill(f"#{axis}", str(value))
        self.page.press("#z", "Enter")
        self.at_rest()


class Two(Window):
    """A page with two explorers side by side."""

    def open(self, url):
        self.page.goto(url)
        self.until("window.pair && pair.ready")
        self.at_rest()

    def at_rest(self):
        still = f"app.maps.idle && app.r && !({BUSY})".replace("seedmap.", "app.")
        self.until(f"pair.sides.every(({{ app }}) => {still})")

    def both(self, expression):
        """Return what an expression over `app` and its `frame` is on both sides."""
        return self.page.evaluate(f"pair.sides.map(({{ app, frame }}) => {expression})")

    def pane(self, side, axis=2):
        return self.page.frame_locator(f"#{side}").locator(f".pane[data-axis='{axis}'] canvas")

    def click(self, side, place, axis=2):
        number = ["left", "right"].index(side)
        x, y = self.page.evaluate(
            f"pair.sides[{number}].app.panes[{axis}].toPixel({numbers(place)})"
        )
        box = self.pane(side, axis).bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + y)
        self.at_rest()

    def type_seed(self, side, place):
        frame = self.page.frame_locator(f"#{side}")
        for axis, value in zip("xyz", place, strict=True):
            frame.locator(f"#{axis}").fill(str(value))
        frame.locator("#z").press("Enter")
        self.at_rest()


@pytest.fixture(scope="session")
def window_on(chromium):
    """Open a window on an address."""
    return lambda url, **context: Window(chromium, url, **context)


@pytest.fixture
def two_on(chromium):
    """Open a window with two explorers on an address."""
    return lambda url, **context: Two(chromium, url, **context)


@pytest.fixture(scope="session")
def client_of():
    """Ask an explorer over HTTP."""
    return Client


@pytest.fixture
def look(chromium, explorer):
    """Open windows on the explorer; none may complain."""
    windows = []

    def open_window(path="", **context):
        windows.append(Window(chromium, explorer.url + path, **context))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [text for window in windows for text in window.complaints] == []


@pytest.fixture
def look_at_group(chromium, group_explorer):
    """Open windows on the explorer of a group; none may complain."""
    windows = []

    def open_window(path="", **context):
        windows.append(Window(chromium, group_explorer.url + path, **context))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [text for window in windows for text in window.complaints] == []
