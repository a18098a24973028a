"""Every kind of page before axe: no fault, nothing cut off at 390 pixels, nothing from elsewhere."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.report import write_report

axe_of = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")

PCC = "PCC=0,-52,18"
ALONE = {"resultTypes": ["violations"], "iframes": False}  # each frame is a page of its own
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
LOCAL = ("file:", "data:", "blob:")
DOCS = Path(__file__).parents[2] / "docs" / "_build" / "html" / "index.html"


def call(*words):
    assert main([*map(str, words), "-q"]) == 0


def run_report(folder, request):
    """Return the report of two seeds, with the slices that move."""
    phantom, options = (request.getfixturevalue(name) for name in ("phantom", "options"))
    seeds = [Sphere("PCC", (0, -52, 18)), Sphere("LM", (-36, -25, 57))]
    return write_report(seed_maps(phantom.func[0], seeds, **options), folder)[-1]


def participant(folder, _request):
    """Return a page of the call for a study, with the part on robustness."""
    study = make_study(folder / "study", 1, voxel_size=10, n_frames=100).folder
    asked = ("--seed", PCC, "--seed-robustness", "--degree", "--strategy", "6P", "--nprocs", 1)
    call("bids", study, folder / "out", "participant", *asked)
    return folder / "out" / "sub-01.html"


def index(_folder, request):
    """Return the index of that call."""
    return request.getfixturevalue("written")("participant").with_name("index.html")


def group_page(folder, request):
    """Return the page of two groups that are compared, and of three sites by an F."""
    study = request.getfixturevalue("stored_study")
    head, *rows = study.table.read_text().splitlines()
    sites = [f"{row}\t{'abc'[n % 3]}" for n, row in enumerate(rows)]
    table = folder / "participants.tsv"
    table.write_text("\n".join([f"{head}\tsite", *sites]) + "\n")
    asked = ("--design", table, "--model", "group + site", "--contrast", "patient - control")
    also = ("--contrast", "site")
    how = ("--shuffles", 99, "--no-tfce", "--seed-robustness", "--degree", "--n-jobs", 1)
    call("group", study.root, "--from-store", "--seed", PCC, *asked, *also, *how, "-o", folder)
    return next(folder.glob("*_report.html"))


def lesion_page(folder, request):
    """Return the page of lesions of one to three voxels' width."""
    study, random = request.getfixturevalue("stored_study"), np.random.default_rng(5)
    mask = nib.load(study.phantom.masks[0])
    rows = ["participant_id\tlesion\taphasia"]
    for number in range(24):
        at = random.choice(np.argwhere(mask.get_fdata() > 0))
        image = np.zeros(mask.shape, np.uint8)
        image[tuple(slice(a - 1, a + 1 + number % 3) for a in at)] = 1
        nib.Nifti1Image(image, mask.affine).to_filename(folder / f"{number}.nii.gz")
        rows.append(f"sub-P{number:02d}\t{number}.nii.gz\t{random.normal():.3f}")
    table = folder / "lesions.tsv"
    table.write_text("\n".join(rows) + "\n")
    how = ("--shuffles", 99, "--null", "matched", "--n-jobs", 1, "-o", folder)
    call("lesion", study.root, "--lesions", table, "--score", "aphasia", *how)
    return next(folder.glob("*.html"))


def verification(folder, request):
    """Return the page of a check of the error bars."""
    phantom = request.getfixturevalue("phantom")
    asked = ("--seed", PCC, "--confounds", phantom.confounds[0], "--pairs", 1000)
    call("verify", phantom.func[0], *asked, "-o", folder)
    return next(folder.glob("*_verification.html"))


def documentation(_folder, _request):
    """Return the first page of the documentation, if ``make docs`` has made it."""
    if not DOCS.exists():
        pytest.skip("the documentation is not built: make docs")
    return DOCS


PAGES = {
    "run": run_report,
    "participant": participant,
    "index": index,
    "group": group_page,
    "lesions": lesion_page,
    "verification": verification,
    "documentation": documentation,
}


@pytest.fixture(scope="module")
def written(request, tmp_path_factory):
    """Return what writes a kind of page, once."""
    known = {}

    def path_of(kind):
        if kind not in known:
            known[kind] = PAGES[kind](tmp_path_factory.mktemp(kind), request)
        return known[kind]

    return path_of


def faults_of(page):
    """Return what axe finds, serious or not, in one line a fault."""
    found = []
    for frame in page.frames:
        found += axe_of.Axe().run(frame, options=ALONE).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node.get('failureSummary', '')}"
        for one in found
        for node in one["nodes"]
    ]


def looked_over(page):
    """Return the faults at both widths, in light and in dark, with all details open."""
    faults = []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 860})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(100)
            faults += [f"{width} {scheme} {fault}" for fault in faults_of(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        faults += [f"{wide} wide at {width}"] if wide > width else []
    return faults


def test_what_is_wrong_is_found(chromium):
    page = chromium.new_page()
    page.set_content(
        "<html lang=en><title>t</title><main><h1>h</h1><p style='color:#bbb'>pale</p><input>"
        "<p style='width:2000px'>wide</p></main>"
    )
    faults = {fault.partition(" (")[0] for fault in looked_over(page)}
    page.close()
    looks = [f"{width} {scheme}" for width in WIDTHS for scheme in SCHEMES]
    wanted = {f"{look} {rule}" for look in looks for rule in ("label", "color-contrast")}
    assert faults == wanted | {f"{2008} wide at {width}" for width in WIDTHS}


@pytest.mark.full
@pytest.mark.parametrize("kind", PAGES)
def test_a_written_page(chromium, written, kind):
    page, asked = chromium.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written(kind).as_uri())
    faults = looked_over(page)
    page.close()
    assert not faults, "\n".join(faults)
    assert [url for url in asked if not url.startswith(LOCAL)] == []


@pytest.mark.full
@pytest.mark.parametrize(
    "explored", ["run", "regions", "group", "surface", "grayordinates"], indirect=True
)
def test_an_explorer(window_on, explored):
    """With a seed kept; then with a mosaic of slices, where there is one."""
    asked, origin = [], f"http://127.0.0.1:{explored.port}/"
    window = window_on(explored.url)
    window.page.on("request", lambda request: asked.append(request.url))
    window.page.click("#pin")
    window.at_rest()
    faults = looked_over(window.page)
    if window.page.is_visible("#mosaic"):
        window.page.click("#mosaic")
        window.at_rest()
        faults += looked_over(window.page)
    assert window.complaints == []
    window.context.close()
    assert not faults, "\n".join(faults)
    assert [url for url in asked if not url.startswith((origin, *LOCAL))] == []


@pytest.mark.full
def test_two_explorers_side_by_side(chromium, beside_explorer):
    page, asked, origin = chromium.new_page(), [], f"http://127.0.0.1:{beside_explorer.port}/"
    page.on("request", lambda request: asked.append(request.url))
    page.goto(beside_explorer.url)
    page.frame_locator("#right").locator("#live", has_text="r =").wait_for(state="attached")
    faults = looked_over(page)
    page.close()
    assert not faults, "\n".join(faults)
    assert [url for url in asked if not url.startswith((origin, *LOCAL))] == []
