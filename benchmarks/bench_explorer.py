"""How fast the explorer answers: time in the server, and from a click to pixels.

Rows of noise stand for a cleaned run: for a map only their number and length matter. The browser
is headless Chromium without a graphics card, on the same processors as the server.

A click begins with the time stamp of its pointerdown event and ends when the frame that shows its
map has been passed to the compositor. The floor is the product of the same rows with a seed, in as
many threads, with no browser beside it: the memory's speed, which no server can beat. *Alone* is the
server's own time for a map when nothing draws on the same processors, as with a browser elsewhere.

    python benchmarks/bench_explorer.py [--clicks 40 | --quick] [--page FILE]
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import nibabel as nib
import numpy as np
from bench_explorer_group import section, table
from harness.fresh import measured_on
from threadpoolctl import threadpool_limits

from seedmap import Cleaning, Sphere
from seedmap.analysis import Inputs, Method
from seedmap.datasets.anatomy import affine_of, load_anatomy
from seedmap.explorer import Explorer, ServerOptions, open_source
from seedmap.explorer.anatomy import template_underlay
from seedmap.explorer.command import Command
from seedmap.explorer.engine.explorable import Cleaned
from seedmap.explorer.engine.gathering import Gathered
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.scores import scores_of
from seedmap.explorer.engine.unsmoothed import Unsmoothed
from seedmap.explorer.session import Session
from seedmap.temporal import cleaning_operator

# Frames, samples, voxel size [mm], and the medians that are promised [ms]: server, pixels.
CASES = ((168, 32_000, 4.0, 5, 50), (300, 235_000, 2.0, 15, 60), (1200, 235_000, 2.0, 60, 120))

# Frames and voxel size [mm] of runs whose z maps are measured.
Z_CASES = ((168, 4.0), (300, 2.0))

# Parts of a click [ms since it]: asked, answered, drawn, on the screen.
PARTS = ("ask", "answer", "draw", "frame")
WARM_UP = 8  # clicks that do not count: the browser compiles what is called often
QUICK = 15  # clicks
PAUSE = 0.5  # s between clicks, in which the readings beside the map are brought

WATCH = """() => {
    const app = window.seedmap, draw = app.draw.bind(app), send = window.fetch;
    let click = null;
    addEventListener("pointerdown", (event) => {
        click = { start: event.timeStamp };
        window.seen = new Promise((done) => (click.done = done));
    }, true);
    window.fetch = (address, options) => {
        if (click && address.startsWith("api/map")) click.asked ??= performance.now();
        return send(address, options);
    };
    app.maps.draw = (values, facts, query) => {
        const one = click;
        if (one && !facts.preview) [one.answered, click] = [performance.now(), null];
        draw(values, facts, query);
        if (!one || facts.preview) return;
        one.drawn = performance.now();
        requestAnimationFrame(() => setTimeout(() => {
            const times = [one.asked, one.answered, one.drawn, performance.now()];
            one.done([app.maps.last.map, ...times.map((time) => time - one.start)]);
        }));
    };
}"""

HEAD = (
    "| rows x samples | floor ms | server alone ms | ... beside the browser | 95 % "
    "| click to pixels ms | 95 % | promised | of a click, ms |\n|:--|--:|--:|--:|--:|--:|--:|--:|:--|"
)


def noise_run(frames, samples, voxel_size):
    """Return a session around rows of noise, on the phantom's brain."""
    brain = load_anatomy(voxel_size).brain.copy()
    places = np.flatnonzero(brain)
    brain.ravel()[places[samples:]] = False
    samples = int(brain.sum())
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((samples, frames), dtype=np.float32)
    one = np.ones(samples, dtype=np.float32)
    gathered = Gathered(brain, rows, one * np.sqrt(frames), one.astype(bool))
    finite, zeros = gathered.finite, np.zeros(samples)
    voxels = Unsmoothed(brain, finite, (rows,), None, None, zeros, (1.0, 0.0), np.eye(frames))
    stub = np.random.default_rng(1).standard_normal((*brain.shape, 8)).astype(np.float32)
    image = nib.Nifti1Image(stub, affine_of(voxel_size))
    image.set_sform(affine_of(voxel_size), code=4)
    cleaning = Cleaning(filter=None, high_pass=None, low_pass=None)
    source = open_source(Inputs(image, t_r=2.0), Method(cleaning=cleaning))
    keep = np.ones(frames, dtype=bool)
    live = LiveRun.from_rows(
        source.run.space.within(brain),
        gathered,
        voxels,
        np.eye(frames),
        keep,
        source.limits.threads,
    )
    operator = cleaning_operator(cleaning, keep, 2.0)
    cleaned = Cleaned(live, source.settings, operator, None, frames, np.zeros(brain.shape))
    session = Session(source, Path(tempfile.mkdtemp()), Command())
    session.underlay = template_underlay()
    session._accept(cleaned)
    return session, samples


def floor(live, repeats=15):
    """Return the median time of the bare product [ms]."""
    rows, threads = live.targets, live.n_jobs
    ends = np.linspace(0, len(rows), threads + 1).astype(int)
    seeds = np.random.default_rng(3).standard_normal((repeats, rows.shape[1]), dtype=np.float32)
    r, times = np.empty(len(rows), dtype=np.float32), []
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        for seed in seeds:
            # As before a click: other programs have used the caches meanwhile.
            time.sleep(PAUSE / 5)
            started = time.perf_counter()
            parts = [slice(*ends[n : n + 2]) for n in range(threads)]
            list(pool.map(lambda part, seed=seed: np.dot(rows[part], seed, out=r[part]), parts))
            times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times))


def alone(explorer, repeats):
    """Return the server's median time [ms] when no browser draws on the same processors."""
    client = build_opener(HTTPCookieProcessor(CookieJar()))
    client.open(explorer.url).read()
    base, random, times = explorer.url.partition("?")[0], np.random.default_rng(4), []
    for number in range(repeats + WARM_UP):
        x, y = random.uniform((-45, -75), (45, 40)).round(1)
        time.sleep(PAUSE)
        answer = client.open(f"{base}api/map?x={x}&y={y}&z=20&radius=8&n={number}&w=alone")
        answer.read()
        times.append(float(answer.headers["Server-Timing"].partition("dur=")[2]))
    return float(np.median(times[WARM_UP:]))


def measure(session, playwright, clicks):
    """Ask without a browser, then click on places of the brain.

    Returns the server's time alone, and of each click the server's and those of `PARTS` [ms].
    """
    path = shutil.which("chromium")
    with Explorer(session, ServerOptions()).start() as explorer:
        by_itself = alone(explorer, clicks)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(explorer.url)
        wait(page, "window.seedmap && seedmap.ready && seedmap.maps.idle")
        wait(page, "seedmap.underlay.key !== 'nothing yet'")
        page.evaluate(WATCH)
        random, times = np.random.default_rng(2), []
        box = page.locator(".pane[data-axis='2'] canvas").bounding_box()
        for _ in range(clicks + WARM_UP):
            x, y = random.uniform((-45, -75), (45, 40))
            at = page.evaluate(f"seedmap.panes[2].toPixel([{x}, {y}, seedmap.state.at[2]])")
            time.sleep(PAUSE)
            page.mouse.click(box["x"] + at[0], box["y"] + at[1])
            times.append(page.evaluate("window.seen"))  # a promise: asking again and again costs
        browser.close()
    return by_itself, np.array(times)[WARM_UP:]


def written_run(frames, voxel_size, folder):
    """Write a run of noise in the phantom's brain, int16 and compressed, and its mask."""
    brain, affine = load_anatomy(voxel_size).brain, affine_of(voxel_size)
    random = np.random.default_rng(0)
    values = np.zeros((*brain.shape, frames), dtype=np.int16)
    for frame in range(frames):
        values[brain, frame] = 1000 + 40 * random.standard_normal(np.count_nonzero(brain))
    image = nib.Nifti1Image(values, affine)
    image.header.set_zooms((voxel_size, voxel_size, voxel_size, 2.0))
    image.header.set_xyzt_units("mm", "sec")
    paths = folder / "run.nii.gz", folder / "mask.nii.gz"
    nib.save(image, paths[0])
    nib.save(nib.Nifti1Image(brain.astype(np.uint8), affine), paths[1])
    return paths


def seconds(work):
    """Return what some work gives, and the processor time that it took [s]."""
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def z_row(frames, voxel_size):
    """Measure the z map of a run that is opened from images, and write a row of the table."""
    seeds = [Sphere(f"s{n}", (0, -52, 18 + n)) for n in range(5)]
    with tempfile.TemporaryDirectory() as folder:
        run, mask = written_run(frames, voxel_size, Path(folder))
        inputs = Inputs(run, mask_img=mask)
        opened = [open_source(inputs, Method(uncertainty=kind)) for kind in (None, "operator")]
        took = [seconds(lambda one=one: one.clean(one.settings)) for one in opened]
        source, cleaned = opened[1], took[1][0]
        z = [seconds(lambda seed=seed: scores_of(source, cleaned, seed))[1] for seed in seeds]
        again = seconds(lambda: source.certain_maps(source.settings, seeds[0]))[1]
    samples, coordinates = cleaned.live.targets.shape
    kept = cleaned.noise.nbytes / 1e6
    cells = [f"{frames} x {samples:,}, {coordinates}", *(f"{one:.2f}" for _, one in took)]
    cells += [f"{z[0]:.2f}", f"{np.median(z[1:]):.3f}", f"{again:.2f}", f"{kept:.0f}"]
    return "| " + " | ".join(cells) + " |"


Z_ABOUT = """## The z map of a run

A run of noise, int16 and compressed, smoothed and with the usual pass-band, is opened without error bars and
with them. The first z map of the run works the noise of all voxels out, those of other seeds use it.
*Again* is what reading the run for one seed takes, as for maps that are saved. Seconds of processor time in all
threads, and what is kept for z, in MB.

| frames x voxels, coordinates | opened without | opened | first z | further z | again | MB |
|:--|--:|--:|--:|--:|--:|--:|"""


def wait(page, truth):
    """Wait for an expression to be true on the page."""
    late = time.monotonic() + 30
    while not page.evaluate(f"Boolean({truth})"):
        if time.monotonic() > late:
            sys.exit(f"the page never came to: {truth}")
        time.sleep(0.05)


def main():
    """Measure all cases, print a table, and write the page if one is named."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--page", type=Path, help="also write the table here, as Markdown")
    parser.add_argument("--quick", action="store_true", help="15 clicks: under four minutes")
    options = parser.parse_args()
    options.clicks = QUICK if options.quick else options.clicks
    print(HEAD)
    rows = [HEAD]
    with sync_playwright() as playwright:
        for frames, samples, voxel_size, *promised in CASES:
            session, found = noise_run(frames, samples, voxel_size)
            least = floor(session.cleaned.live)
            by_itself, times = measure(session, playwright, options.clicks)
            rows.append(row_of(f"{frames} x {found:,}", (least, by_itself), times, promised))
            print(rows[-1], flush=True)
            del session
    of_z = [Z_ABOUT]
    for frames, voxel_size in Z_CASES:
        of_z.append(z_row(frames, voxel_size))
        print(of_z[-1], flush=True)
    group = []
    for row in table(options.clicks // 2):
        group.append(row)
        print(row, flush=True)
    if options.page:
        about = __doc__.partition("\n\n")[2].partition("\n\n    python")[0]
        text = f"# Speed of the explorer\n\n{about}\n\n" + "\n".join(rows)
        made = measured_on("benchmarks/bench_explorer.py")
        text += "\n\n" + "\n\n".join([made, "\n".join(of_z), made, section(group)])
        options.page.write_text(text)


def row_of(name, before, times, promised):
    """Write one case as a row of the table: medians, and what 95 of 100 clicks stay below."""
    half, most = np.median(times, axis=0), np.percentile(times, 95, axis=0)
    medians = np.median(np.diff(times[:, 1:], axis=1, prepend=0), axis=0)
    parts = ", ".join(f"{part} {ms:.1f}" for part, ms in zip(PARTS, medians, strict=True))
    cells = [
        name,
        *(f"{one:.1f}" for one in before),
        f"{half[0]:.1f}",
        f"{most[0]:.1f}",
        f"{half[-1]:.1f}",
    ]
    cells += [f"{most[-1]:.1f}", " / ".join(map(str, promised)), parts]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
