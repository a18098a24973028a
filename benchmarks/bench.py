"""Speed and memory beside nilearn, and beside the time it takes to read the file.

Makes its data (once), runs nilearn's seed-to-voxel example and ours alternately in fresh
processes, and prints one table. Writes the numbers as JSON and as a page of the documentation.

    python benchmarks/bench.py                    4 mm and 2 mm
    python benchmarks/bench.py --large            ... and 1200 volumes at 2 mm
    python benchmarks/bench.py --cases 4mm --repeats 9
    python benchmarks/bench.py --bars 9           what error bars take; the rest stays as measured
"""

import argparse
import json
import os
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from harness.fresh import HERE, Samples, machine, make_data, run_command, run_job
from harness.tables import MB, bar_table, page, summary

ROOT = HERE.parent.parent
LARGE = "2mm-1200"
FACTS = ("bold", "confounds", "mask", "frame_bytes")
# nilearn needs minutes and 8 GB for the 2 mm run, and more than most machines have for the large.
NILEARN_REPEATS = {"2mm": 1, LARGE: 0}
OURS = ("none", "operator")
BESIDE = ("wall", "cpu", "peak")
# Minutes more, for figures that do not depend on the voxel size; what needs all volumes at once.
SKIPPED = {
    "2mm": ("nilearn command, figures",),
    LARGE: (
        "steps",
        "seedmap many",
        "touch",
        *(f"command {way}{figures}" for way in OURS for figures in ("", ", figures")),
    ),
}


def main() -> int:
    """Measure, print, write."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.bars:
        return measure_bars(options)
    warm_up = {fact: make_data(options.work, "tiny")[fact] for fact in FACTS} | {"seeds": 1}
    names = [*options.cases, *([LARGE] if options.large else [])]
    results = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": " ".join(["python", "benchmarks/bench.py", *sys.argv[1:]]),
        "machine": machine(),
        "cases": {},
    }
    for name in names:
        case = make_data(options.work, name)
        given = {fact: case[fact] for fact in FACTS} | {"warm_up": warm_up}
        found = measure_case(name, given, options)
        results["cases"][name] = {"title": case["title"], "bytes": file_sizes(case), **found}
        options.json.write_text(json.dumps(results, indent=1) + "\n")  # minutes lie in between
    options.page.write_text(page(results))
    print(summary(results))
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=["4mm", "2mm"], help="runs to measure")
    parser.add_argument("--large", action="store_true", help="also 1200 volumes at 2 mm")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions of ours")
    parser.add_argument("--nilearn-repeats", type=int, help="of nilearn's: 3, at 2 mm 1")
    parser.add_argument("--bars", type=int, default=0, help="only error bars, so many turns")
    parser.add_argument("--seeds", type=int, default=1000, help="seeds to compare with one")
    parser.add_argument("--no-commands", action="store_true", help="leave whole commands out")
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / "work")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    return parser.parse_args()


def measure_bars(options: argparse.Namespace) -> int:
    """Measure runs without and with error bars in turns; add that to what was measured before."""
    small = make_data(options.work, "tiny")
    warm_up = {fact: small[fact] for fact in FACTS} | {"seeds": 1}
    cases = {}
    for name in options.cases:
        case = make_data(options.work, name)
        given = {fact: case[fact] for fact in FACTS} | {"warm_up": warm_up, "seeds": 1}
        turns = [
            {way: run_job("seedmap", {**given, "uncertainty": none_of(way)}) for way in OURS}
            for _ in range(options.bars)
        ]
        cases[name] = {"title": case["title"], **{what: beside(turns, what) for what in BESIDE}}
    results = json.loads(options.json.read_text())
    results["bars"] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": " ".join(["python", "benchmarks/bench.py", *sys.argv[1:]]),
        "turns": options.bars,
        "load": f"{os.getloadavg()[1]:.1f}",
        "cases": cases,
    }
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    options.page.write_text(page(results))
    print(bar_table(results))
    return 0


def beside(turns: list[dict], what: str) -> dict[str, float]:
    """Give the medians of both ways and of the ratio of each turn."""
    unit = MB if what == "peak" else 1
    medians = {way: statistics.median(turn[way][what] for turn in turns) / unit for way in OURS}
    ratios = (turn["operator"][what] / turn["none"][what] for turn in turns)
    return {**medians, "ratio": statistics.median(ratios)}


def file_sizes(case: dict) -> dict[str, int]:
    """Return the size of the file, and of what is in it."""
    return {
        "file": Path(case["bold"]).stat().st_size,
        "inflated": case["frames"] * case["frame_bytes"],
    }


def measure_case(name: str, given: dict, options: argparse.Namespace) -> dict:
    """Measure everything about one run: the work, the whole commands, many seeds, the steps."""
    nilearn = options.nilearn_repeats
    nilearn = NILEARN_REPEATS.get(name, 3) if nilearn is None else nilearn
    records: dict[str, list[dict]] = {}
    for turn in range(options.repeats):
        for kind, measure in kinds_of(given, options).items():
            if kind.startswith("nilearn") and turn >= nilearn:
                continue
            if kind in SKIPPED.get(name, ()):
                continue
            print(f"{name}: {turn + 1} of {options.repeats}: {kind} ...", file=sys.stderr)
            records.setdefault(kind, []).append(measure())
    return {kind: digest(Samples(found)) for kind, found in records.items()}


def kinds_of(given: dict, options: argparse.Namespace) -> dict:
    """Name everything that is measured of a run, in the order in which it takes turns."""
    out = str(options.work / "out")
    many = {"seeds": options.seeds, "uncertainty": None}
    jobs = {
        "floor": ("floor", {}),
        "nilearn": ("nilearn", {}),
        **{f"seedmap {way}": ("seedmap", {"uncertainty": none_of(way)}) for way in OURS},
        "seedmap many": ("seedmap", many),
        "touch": ("touch", {"seeds": options.seeds, "warm_up": None}),
        "steps": ("apart", {"out": out}),
    }
    measured = {kind: _job(job, {**given, **more}) for kind, (job, more) in jobs.items()}
    if options.no_commands:
        return measured
    commands = {
        "nilearn command": nilearn_command(given, out),
        "nilearn command, figures": [*nilearn_command(given, out), "--figures"],
    }
    for way in OURS:
        whole = seedmap_command(given, out, way)
        commands |= {f"command {way}": [*whole, "--no-figures"], f"command {way}, figures": whole}
    return measured | {kind: _command(command) for kind, command in commands.items()}


def _job(job: str, options: dict):
    return lambda: run_job(job, options)


def _command(command: list[str]):
    return lambda: run_command(command)


def none_of(way: str) -> str | None:
    """Turn the command line's word for no uncertainty into Python's."""
    return None if way == "none" else way


def nilearn_command(given: dict, out: str) -> list[str]:
    """Write nilearn's example as a command."""
    script = str(HERE / "nilearn_script.py")
    return [sys.executable, "-W", "ignore", script, given["bold"], given["confounds"], out]


def seedmap_command(given: dict, out: str, way: str) -> list[str]:
    """Write ours as a command, with the mask that nilearn takes."""
    seed, cleaning = ["--seed", "PCC=0,-52,18", "--radius", "8"], ["--uncertainty", way]
    files = ["--confounds", given["confounds"], "--mask-img", "background", "--out", out]
    command = [sys.executable, "-m", "seedmap", "run", given["bold"]]
    return [*command, *seed, *files, *cleaning, "--quiet"]


def digest(samples: Samples) -> dict:
    """Keep of the repetitions what is reported."""
    first = samples.records[0]
    kept = {
        what: samples.median(what) for what in ("wall", "cpu", "peak", "imports") if what in first
    }
    extra = {"least": samples.least("wall"), "repeats": len(samples.records)}
    facts = {"voxels": first["facts"]["voxels"]} if "voxels" in first.get("facts", {}) else {}
    return {**kept, **extra, **facts, "stages": samples.stages()}


if __name__ == "__main__":
    sys.exit(main())
