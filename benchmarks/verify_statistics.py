"""False positives of null correlations, intervals, and family-wise error, by simulation.

With the development data (SEEDMAP_TEST_DATA names their folder) also those of one real person's
seeds on the brain of another.

Each scenario draws pairs of independent noise series, cleans them as a run would be cleaned, and
counts how often each test calls their correlation significant. Confounds and censored frames are
drawn anew for every 500 pairs. Scenarios A to K have stationary noise; the others do not, or have
little left. Prints tables; leaves with exit code 1 if ours misses the limits of a row or a control
misses its theory.

    python benchmarks/verify_statistics.py --pairs 10000 --markdown table.md --json table.json
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from harness.fresh import machine
from scipy import special
from simulation.familywise import familywise
from simulation.intervals import intervals
from simulation.noises import NOISE
from simulation.pairs import METHODS, correlation, simulate, summary
from simulation.people import people
from simulation.scenarios import HARD, STATIONARY
from simulation.verdicts import verdicts

from seedmap.connectivity import infer_by_xdf, infer_naively

SEED = 20261128  # the constants of the error bars were chosen on others
DATA = "SEEDMAP_TEST_DATA"


def table(rows: list[dict[str, object]], pairs: int) -> str:
    """Write the rows of stationary noise as a markdown table."""
    lines = [
        f"False positives in percent at p < .05 (p < .001), {pairs} null pairs each.",
        "",
        "| | run | noise | T | conf. | nu | naive | xDF adaptive | xDF Tukey | ours | sd(z) "
        "| no answer | before | |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        rates = " | ".join(f"{row[f'{m}_05']:.1f} ({row[f'{m}_001']:.2f})" for m in METHODS)
        lines.append(
            f"| {row['scenario']} | {row['says']} | {row['noise']} | {row['frames']} "
            f"| {row['confounds']} | {row['nu']:.0f} | {rates} | {row['ours_sd_z']:.2f} "
            f"| {row['no_answer']:.2f} | {_known(row['before'])} | {_missed(row)} |"
        )
    return "\n".join(lines)


def hard_table(rows: list[dict[str, object]]) -> str:
    """Write the rows of noise that is hard as a markdown table."""
    lines = [
        "| run | noise | T | nu | naive | before | ours | limits | no answer | |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        naive = _known(row.get("naive_05"))
        limits = "" if row["limits"] is None else "{:g}-{:g}".format(*row["limits"])
        named = {None: "", True: "frame named", False: "frame NOT named"}[row["named"]]
        lines.append(
            f"| {row['says']} | {row['noise']} | {row['frames']} | {row['nu']:.0f} | {naive} "
            f"| {_known(row['before'])} | {row['ours_05']:.1f} ({row['ours_001']:.2f}) | {limits} "
            f"| {row['no_answer']:.1f} | {named} {_missed(row)} |"
        )
    return "\n".join(lines)


def control_table(rows: list[dict[str, object]]) -> str:
    """Write controls and intervals as a markdown table."""
    lines = ["| control | before | found | wanted | |", "|---|--:|--:|--:|---|"]
    lines += [
        f"| {row['says']} | {_known(row.get('before'))} | {row['found']:.2f} | {row['wanted']} "
        f"| {_missed(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def familywise_table(rows: list[dict[str, object]], maps: int) -> str:
    """Write the family-wise errors as a markdown table."""
    lines = [
        f"Percent of {maps} null maps with a sample or a cluster of corrected p < .05 (2.5 to 7.5), "
        "and of planted voxels found.",
        "",
        "| run | sample | cluster | found | by Bonferroni | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {row['says']} | {row['fwe']:.1f} | {row['cluster']:.1f} | {row['power']:.0f} "
        f"| {row['bonferroni']:.0f} | {_missed(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def people_table(rows: list[dict[str, object]]) -> str:
    """Write what real people showed as a markdown table."""
    lines = ["| real people | confounds | naive | ours | |", "|---|--:|--:|--:|---|"]
    lines += [
        f"| {row['says']} | {row['confounds']} | {row['naive_05']:.1f} "
        f"| {row['ours_05']:.1f} ({row['ours_001']:.2f}) | {_missed(row)} |"
        for row in rows
    ]
    return "\n".join(lines) if rows else f"Real people were not tried: {DATA} is not set."


def verdict_table(rows: list[dict[str, object]]) -> str:
    """Write what `verify` says beside what is true as a markdown table."""
    lines = ["| run | test | truth | verify | it says | |", "|---|---|--:|--:|---|---|"]
    lines += [
        f"| {row['says']} | {row['test']} | {row['truth']:.1f} | {row['found']:.1f} "
        f"| {'too many' if row['refused'] else 'not too many'} | {_missed(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _known(percent: object) -> str:
    """Write a figure that may not be known."""
    return "" if percent is None else f"{percent:.1f}"


def _missed(row: dict[str, object]) -> str:
    return "" if row["good"] else "MISSED"


def controls(pairs: int, seed: int) -> list[dict[str, object]]:
    """Check what theory and the literature say of uncleaned series."""
    rng = np.random.default_rng([seed, 2])
    rows = []

    def add(says: str, found: float, wanted: float, within: float) -> None:
        good = abs(found - wanted) <= within
        text = f"{wanted:.2f} ± {within}"
        rows.append({"says": says, "found": float(found), "wanted": text, "good": bool(good)})

    x, y = (NOISE["AR.8"](rng, 200, pairs) for _ in range(2))
    theory = 200 * special.ndtr(special.ndtri(0.025) / np.sqrt((1 + 0.64) / (1 - 0.64)))
    found = np.mean(infer_naively(correlation(x, y), 200).p < 0.05)
    add("naive, AR.8/.8, T 200: % at .05", 100 * found, theory, 2.0)
    x, y = (NOISE["AR.5"](rng, 600, pairs) for _ in range(2))
    result = infer_by_xdf(x, y)
    add("xDF, AR.5/.5, T 600: sd(z)", np.std(result.z), 1.01, 0.03)
    add("xDF, AR.5/.5, T 600: % at .05", 100 * np.mean(result.p < 0.05), 5.3, 1.0)
    return rows


def main() -> int:
    """Run it all; 0 if everything is inside its limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000, help="null pairs a scenario")
    parser.add_argument("--maps", type=int, default=400, help="null maps a setting; 0 for none")
    parser.add_argument("--draws", type=int, default=400, help="null seeds a map")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="letters of the scenarios to run, as ABC")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    options = parser.parse_args()
    found = measure(options)
    text = "\n\n".join(
        [
            table(found["rows"], options.pairs),
            hard_table(found["hard"]),
            control_table(found["controls"]),
            people_table(found["people"]),
            verdict_table(found["verdicts"]),
            familywise_table(found["familywise"], options.maps),
        ]
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    judged = ("rows", "hard", "controls", "people", "verdicts", "familywise")
    return 0 if all(row["good"] for part in judged for row in found[part]) else 1


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Try everything; return the rows of every table, and where and when they were found."""
    pairs, seed, data = options.pairs, options.seed, os.environ.get(DATA)
    chosen = [s for s in STATIONARY if not options.only or s.name in options.only]
    found = {
        "pairs": pairs,
        "maps": options.maps,
        "command": " ".join(["python", "benchmarks/verify_statistics.py", *sys.argv[1:]]),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "scenarios": [asdict(s) for s in chosen],
        "rows": [summary(s, simulate(s, pairs, seed)) for s in chosen],
        "controls": controls(pairs, seed),
        **{part: [] for part in ("hard", "people", "verdicts", "familywise")},
    }
    if options.only:
        return found
    found["hard"] = [summary(s, simulate(s, pairs, seed)) for s in HARD]
    found["controls"] += intervals(pairs, seed)
    found["people"] = people(Path(data), seed) if data else []
    found["verdicts"] = verdicts(pairs, seed)
    if options.maps:
        found["familywise"] = familywise(options.maps, options.draws, seed)
    return found


if __name__ == "__main__":
    sys.exit(main())
