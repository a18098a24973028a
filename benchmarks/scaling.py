"""How time and memory grow with volumes, voxels and seeds, nilearn's beside it.

Measures each point in fresh processes, draws the curves and writes them with a page for the
documentation.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --curves seeds --no-nilearn
    python benchmarks/scaling.py --trial              tiny runs, to see that it works
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.fresh import HERE, Samples, machine, make_data, run_job
from harness.tables import markdown

ROOT = HERE.parent.parent
FACTS = ("bold", "confounds", "mask", "frame_bytes")
# Each curve: run, options and whether nilearn is asked, too.
CURVES = {
    "volumes": [("4mm-84", 1, True), ("4mm", 1, True), ("4mm-336", 1, True), ("4mm-672", 1, False)],
    "voxels": [
        ("8mm-168", 1, True),
        ("6mm-168", 1, True),
        ("4mm", 1, True),
        ("3mm-168", 1, True),
        ("2mm-168", 1, False),
    ],
    "seeds": [("4mm", 1, True), ("4mm", 10, True), ("4mm", 100, True), ("4mm", 1000, False)],
}
TRIAL = {
    "volumes": [("tiny", 1, False), ("tiny-120", 1, False)],
    "voxels": [("tiny", 1, False), ("8mm-60", 1, False)],
    "seeds": [("tiny", 1, False), ("tiny", 5, False)],
}
BOUNDS = {
    "volumes": """**Volumes.** Time grows with the file. One core inflates it while the others smooth, and
on two cores both take about as long, so the run is bound by either. Memory grows by four bytes a
volume and voxel of the mask, the one array that is held, on top of what Python and its libraries
take; `max_memory` moves that array to a file. nilearn is bound by its filter, voxel after voxel.""",
    "voxels": """**Voxels.** The same: time is inflating and smoothing, memory the mask's voxels times
volumes. The smallest runs are bound by what does not depend on them: tables are read, the cleaning
is written out, threads are started.""",
    "seeds": """**Seeds.** The run is read once for all of them. What grows is the search for their voxels
(a tenth of a millisecond or two a seed), extracting them from every volume, and the maps: the
product of seeds and samples, and the first touch of the maps' memory, four bytes a seed and voxel.
With hundreds of seeds at 2 mm the maps bound both time and memory.""",
}
PAGE = """# How it scales

Measured as on [the page of benchmarks](benchmarks.md): the work of both maskers and the
correlation, imports excluded, each point the median over fresh processes (nilearn's are measured
once). nilearn is beside it where it runs in reasonable time and memory. The run is the phantom of
4 mm and 168 volumes where nothing else is said; both axes are logarithmic.

![Time and memory against volumes, voxels and seeds]({picture})

{bounds}

{tables}

Measured on {date} on {processor}, {cores} cores, {memory}.
"""


def main() -> int:
    """Measure, draw, write."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    warm_up = {fact: make_data(options.work, "tiny")[fact] for fact in FACTS} | {"seeds": 1}
    plan = TRIAL if options.trial else CURVES
    points, curves, start = {}, {}, time.monotonic()
    for name in options.curves:
        for point in plan[name]:
            status = f"{time.monotonic() - start:4.0f} s  {name}: {point[0]}, seeds: {point[1]}"
            print(status, "..." if point not in points else "(known)", file=sys.stderr)
            if point not in points:
                points[point] = measure_point(*point, warm_up, options)
            curves.setdefault(name, []).append(points[point])
    results = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "curves": curves}
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    picture = options.page.with_suffix(".svg")
    options.page.write_text(page(results, picture.name))
    draw(curves, picture)
    print(options.page.read_text())
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", nargs="+", default=list(CURVES), choices=list(CURVES))
    parser.add_argument("--trial", action="store_true", help="tiny runs, to see that it works")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of ours")
    parser.add_argument("--no-nilearn", action="store_true", help="leave nilearn out")
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / "work")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "scaling.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks-scaling.md")
    return parser.parse_args()


def measure_point(
    run: str, seeds: int, with_nilearn: bool, warm_up: dict, options: argparse.Namespace
) -> dict:
    """Measure one run with some seeds, in turns, each time in a fresh process."""
    case = make_data(options.work, run)
    given = {fact: case[fact] for fact in FACTS} | {"seeds": seeds, "warm_up": warm_up}
    jobs = ["floor", "seedmap"] * options.repeats
    if with_nilearn and not options.no_nilearn:
        jobs.append("nilearn")
    found: dict[str, list[dict]] = {}
    for job in jobs:
        found.setdefault(job, []).append(run_job(job, given))
    samples = {job: Samples(records) for job, records in found.items()}
    return {
        "volumes": case["frames"],
        "voxels": found["seedmap"][0]["facts"]["voxels"],
        "seeds": seeds,
        "wall": {job: one.median("wall") for job, one in samples.items()},
        "peak": {job: one.median("peak") for job, one in samples.items()},
    }


def page(results: dict, picture: str) -> str:
    """Write the documentation's page."""
    curves = results["curves"]
    return PAGE.format(
        picture=picture,
        bounds="\n\n".join(BOUNDS[name] for name in curves),
        tables="\n\n".join(table(name, points) for name, points in curves.items()),
        date=results["date"],
        **{key: results["machine"][key] for key in ("processor", "cores", "memory")},
    )


def table(name: str, points: list[dict]) -> str:
    """Write a curve as a table."""
    head = (name, "inflating s", "seedmap s", "nilearn s", "seedmap MB", "nilearn MB")
    rows = []
    for point in points:
        wall, peak = point["wall"], point["peak"]
        seconds = [f"{wall[job]:.2f}" if job in wall else "" for job in JOBS]
        memory = [f"{peak[job] / 1e6:.0f}" if job in peak else "" for job in JOBS[1:]]
        rows.append((f"{point[name]:,}", *seconds, *memory))
    return markdown(head, rows)


JOBS = ("floor", "seedmap", "nilearn")
WORDS = {"floor": "inflating alone", "seedmap": "seedmap", "nilearn": "nilearn"}
LOOK = {
    "floor": {"color": "#777777", "linestyle": ":", "marker": "o", "markersize": 4},
    "seedmap": {"color": "#0072b2", "linestyle": "-", "marker": "o", "markersize": 4},
    "nilearn": {"color": "#d55e00", "linestyle": "--", "marker": "o", "markersize": 4},
}


def draw(curves: dict, path: Path) -> None:
    """Draw the curves: time above, memory below."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    plt.rcParams["svg.hashsalt"] = "seedmap"
    size = (1 + 3 * len(curves), 5)
    figure, axes = plt.subplots(
        2, len(curves), figsize=size, layout="constrained", squeeze=False, sharey="row"
    )
    for column, (name, points) in enumerate(curves.items()):
        for row, (what, unit, scale) in enumerate((("wall", "s", 1.0), ("peak", "MB", 1e6))):
            axis = axes[row, column]
            for job in JOBS if what == "wall" else JOBS[1:]:
                there = [point for point in points if job in point[what]]
                at, values = [p[name] for p in there], [p[what][job] / scale for p in there]
                axis.plot(at, values, label=WORDS[job], **LOOK[job]) if there else None
            axis.set(xscale="log", yscale="log", xlabel=name)
            if column == 0:
                axis.set_ylabel(f"{'time' if what == 'wall' else 'peak memory'} [{unit}]")
            axis.minorticks_off()
            ticks = [point[name] for point in points]
            axis.set_xticks(ticks, [short(tick) for tick in ticks])
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.grid(alpha=0.3)
    axes[0, -1].legend(frameon=False, fontsize="small", loc="center")
    figure.savefig(path, metadata={"Date": None})


def short(number: int) -> str:
    """Write a number so that it fits below an axis."""
    return f"{number}" if number < 1000 else f"{number / 1000:.3g}k"


if __name__ == "__main__":
    sys.exit(main())
