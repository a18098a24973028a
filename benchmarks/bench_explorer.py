"""How fast the explorer answers: time in the server, and from a click to pixels.

Rows of noise stand for a cleaned run: for a map only their number and length matter. The browser
is headless Chromium without a graphics card, on the same processors as the server.

    python benchmarks/bench_explorer.py [--clicks 40]
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from seedmap import Cleaning
from seedmap.datasets.anatomy import affine_of, load_anatomy
from seedmap.explorer import Explorer, ServerOptions, open_source
from seedmap.explorer.anatomy import template_underlay
from seedmap.explorer.command import Command
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.source import Cleaned
from seedmap.explorer.engine.walk import Gathered
from seedmap.explorer.session import Session
from seedmap.temporal import cleaning_matrices

# Frames, samples, voxel size [mm], and the medians that are promised [ms]: server, pixels.
CASES = ((168, 32_000, 4.0, 5, 50), (300, 235_000, 2.0, 15, 60), (1200, 235_000, 2.0, 60, 120))

WATCH = """() => {
    const app = window.seedmap, draw = app.draw.bind(app);
    window.times = [];
    addEventListener("pointerdown", (event) => (window.pressed = event.timeStamp), true);
    app.maps.draw = (values, facts, query) => {
        draw(values, facts, query);
        if (facts.preview || window.pressed === null) return;
        const { map } = app.maps.last, started = window.pressed;
        window.pressed = null;
        requestAnimationFrame(() => setTimeout(() =>
            window.times.push([map, performance.now() - started, app.lastDraw])));
    };
}"""


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
    stub = np.random.default_rng(1).standard_normal((*brain.shape, 8)).astype(np.float32)
    image = nib.Nifti1Image(stub, affine_of(voxel_size))
    image.set_sform(affine_of(voxel_size), code=4)
    cleaning = Cleaning(filter=None, high_pass=None, low_pass=None)
    source = open_source(image, cleaning=cleaning, t_r=2.0)
    keep = np.ones(frames, dtype=bool)
    live = LiveRun.from_rows(
        source.run.space.within(brain), gathered, gathered, np.eye(frames), keep, source.n_jobs
    )
    matrices = cleaning_matrices(cleaning, keep, 2.0)
    cleaned = Cleaned(live, source.recipe, matrices, None, frames, np.zeros(brain.shape))
    session = Session(source, Path(tempfile.mkdtemp()), Command())
    session.underlay = template_underlay()
    session._accept(cleaned)
    return session, samples


def measure(session, playwright, clicks):
    """Click on places of the brain; return server, pixels and drawing times [ms]."""
    path = shutil.which("chromium")
    with Explorer(session, ServerOptions()).start() as explorer:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(explorer.url)
        wait(page, "window.seedmap && seedmap.ready && seedmap.maps.idle")
        page.evaluate(WATCH)
        random = np.random.default_rng(2)
        for number in range(clicks + 5):
            x, y = random.uniform((-45, -75), (45, 40))
            box = page.locator(".pane[data-axis='2'] canvas").bounding_box()
            at = page.evaluate(f"seedmap.panes[2].toPixel([{x}, {y}, seedmap.state.at[2]])")
            page.mouse.click(box["x"] + at[0], box["y"] + at[1])
            wait(page, f"window.times.length > {number}")
            time.sleep(0.25)
        times = np.array(page.evaluate("window.times"))[5:]
        browser.close()
    return times


def wait(page, truth):
    """Wait for an expression to be true on the page."""
    late = time.monotonic() + 30
    while not page.evaluate(f"Boolean({truth})"):
        if time.monotonic() > late:
            sys.exit(f"the page never came to: {truth}")
        time.sleep(0.005)


def main():
    """Measure all cases and print a table."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=40)
    clicks = parser.parse_args().clicks
    print("rows x samples       server ms        click to pixels ms   drawing ms  promised")
    print("                     median    p95    median    p95        median      server pixels")
    with sync_playwright() as playwright:
        for frames, samples, voxel_size, server, pixels in CASES:
            session, found = noise_run(frames, samples, voxel_size)
            times = measure(session, playwright, clicks)
            half, most = np.median(times, axis=0), np.percentile(times, 95, axis=0)
            print(
                f"{frames:5d} x {found:7,d}     {half[0]:6.1f} {most[0]:6.1f}    {half[1]:6.1f} "
                f"{most[1]:6.1f}      {half[2]:6.1f}      {server:6d} {pixels:6d}",
                flush=True,
            )
            del session


if __name__ == "__main__":
    main()
