"""Draw the figures of "How sure is a correlation?" and write its table.

    python benchmarks/verify_statistics.py --json numbers.json
    python docs/scripts/draw_uncertainty.py numbers.json

Draws the false positives of the simulations of benchmarks/verify_statistics.py, and puts their
tables between the marks of docs/explanation/uncertainty.md. With real data (the environment variable
SEEDMAP_TEST_DATA names their folder) also the map of degrees of freedom is drawn anew.
"""

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

import seedmap as sm
from seedmap.analysis import Inputs, Method, prepare, read
from seedmap.connectivity import noise_autocovariance, noise_tables, run_variance

DOCS = Path(__file__).resolve().parents[1]
IMAGES, PAGE = DOCS / "images", DOCS / "explanation" / "uncertainty.md"
INK, QUIET = "#222222", "#6b6b6b"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "seedmap",
}
METHODS = {
    "naive": ("as if frames were independent", "#D55E00", "s"),
    "xdf": ("xDF", "#E69F00", "^"),
    "ours": ("seedmap", "#0072B2", "o"),
}
RUN = "volume/sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"


def draw_false_positives(rows: list[dict[str, Any]]) -> Any:
    """Draw one line a scenario, one mark a test."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.9), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    axes.axvspan(3.8, 6.2, color="#0072B2", alpha=0.12, lw=0)
    axes.axvline(5, color=QUIET, lw=0.8)
    for method, (name, colour, marker) in METHODS.items():
        rates = [row[f"{method}_05"] for row in rows]
        axes.plot(rates, places, marker, color=colour, ms=6, label=name)
    axes.set_xscale("log")
    axes.set_xlim(2.5, 100)
    ticks = [3, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(places, [f"{row['scenario']}  {row['says']}, {row['noise']}" for row in rows])
    axes.tick_params(length=0)
    axes.grid(axis="y", color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("null correlations called significant at p < .05")
    figure.legend(ncols=3, frameon=False, loc="outside upper right")
    return figure


def draw_dof(folder: Path) -> Any:
    """Draw, of a real run, the memory of the noise, the degrees of freedom, and one by the other."""
    from matplotlib.figure import Figure

    run = folder / RUN
    mask = run.with_name(run.name.replace("preproc_bold", "brain_mask"))
    cleaning = sm.Cleaning(low_pass=None)
    maps = sm.seed_maps(run, "PCC=0,-52,18", mask_img=mask, cleaning=cleaning)
    inputs, method = Inputs(run, mask_img=mask), Method(cleaning=cleaning)
    prepared = prepare(inputs, "PCC=0,-52,18", method)
    operator, raw = prepared.operator, read(prepared).series
    tables = noise_tables(operator, run_variance(operator, raw))
    noise = noise_autocovariance(tables, operator.residuals(raw))
    memory = 1 + 2 * np.sum((noise[1:] / noise[0]) ** 2, axis=0)
    dof = maps.dof[0]
    figure = Figure(figsize=(7.6, 2.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    level = int(np.round(maps.space.to_voxels([[0, 0, 18]])[0, 2]))
    top = float(np.nanquantile(memory, 0.98))
    for axes, values, title, limits in (
        (left, memory, "memory of the noise [frames]", (1, top)),
        (middle, dof, "degrees of freedom", (0, float(np.nanquantile(dof, 0.98)))),
    ):
        cut = maps.space.unmask(values.astype(float), outside=np.nan)[:, :, level].T
        shown = axes.imshow(cut, origin="lower", cmap="viridis", vmin=limits[0], vmax=limits[1])
        axes.set_title(title, size=9)
        axes.set_axis_off()
        figure.colorbar(shown, ax=axes, shrink=0.75, pad=0.02).outline.set_visible(False)
    right.hexbin(
        memory, dof, gridsize=45, mincnt=1, bins="log", cmap="Blues", extent=(1, top, 0, 240)
    )
    right.set_xlabel("memory of the noise [frames]")
    right.set_ylabel("degrees of freedom")
    return figure


def save(figure: Any, name: str) -> None:
    """Write a figure; the same figure gives the same bytes."""
    path = IMAGES / name
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, metadata=metadata, facecolor="white", dpi=150)
    print(path)


def write_table(text: str, name: str) -> None:
    """Put a table between its marks on the page."""
    page = PAGE.read_text(encoding="utf-8")
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    PAGE.write_text(
        re.sub(marks, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL),
        encoding="utf-8",
    )
    print(PAGE)


def _rates(row: dict[str, Any], method: str) -> str:
    return f"{row[f'{method}_05']:.1f} ({row[f'{method}_001']:.2f})"


def _run(row: dict[str, Any]) -> str:
    frames = "" if "frames" in row["says"] else f"{row['frames']} frames, "
    length = f"{frames}{row['confounds']} confounds"
    return f"{row['says']}, {length}; {row['noise']}"


def steady_table(rows: list[dict[str, Any]], pairs: int) -> str:
    """Write the rows of steady noise for readers."""
    lines = ["| | run; noise of the two series | dof | seedmap | xDF | naive |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for row in rows:
        rates = " | ".join(_rates(row, method) for method in reversed(METHODS))
        lines.append(f"| {row['scenario']} | {_run(row)} | {row['nu']:.0f} | {rates} |")
    lines.append("")
    lines.append(
        f"Percent of {pairs:,} null pairs called significant at p < .05 (at p < .001). dof: median "
        "effective degrees of freedom."
    )
    return "\n".join(lines)


def hard_table(rows: list[dict[str, Any]]) -> str:
    """Write the rows of noise that is hard for readers."""
    lines = ["| run; noise of the two series | dof | seedmap | before | no answer |"]
    lines.append("|---|--:|--:|--:|--:|")
    for row in rows:
        before = "" if row["before"] is None else f"{row['before']:g}"
        lines.append(
            f"| {_run(row)} | {row['nu']:.0f} | {_rates(row, 'ours')} | {before} "
            f"| {row['no_answer']:.0f} % |"
        )
    lines.append("")
    lines.append(
        "As above. Before: % at p < .05 of the version that took the noise as stationary. No answer: "
        "fewer than 3 degrees of freedom are left."
    )
    return "\n".join(lines)


def familywise_table(rows: list[dict[str, Any]]) -> str:
    """Write the family-wise errors for readers."""
    lines = ["| run | false maps, by voxel | by cluster | planted voxels found | by Bonferroni |"]
    lines.append("|---|--:|--:|--:|--:|")
    lines += [
        f"| {row['says']} | {row['fwe']:.1f} % | {row['cluster']:.1f} % | {row['power']:.0f} % "
        f"| {row['bonferroni']:.0f} % |"
        for row in rows
    ]
    return "\n".join(lines)


def interval_table(rows: list[dict[str, Any]]) -> str:
    """Write how often intervals hold the true correlation for readers."""
    lines = ["| seed and sample | 95 % intervals that hold it | wanted |", "|---|--:|--:|"]
    for row in rows:
        what, _, says = row["says"].partition(", ")
        if what == "95 % interval":
            lines.append(f"| {says} | {row['found']:.1f} % | {row['wanted']} |")
    return "\n".join(lines)


def people_table(rows: list[dict[str, Any]]) -> str:
    """Write what real people showed for readers."""
    lines = ["| seeds, brain, cleaning | confounds | seedmap | naive |", "|---|--:|--:|--:|"]
    lines += [
        f"| {row['says']} | {row['confounds']} | {_rates(row, 'ours')} | {row['naive_05']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def verdict_table(rows: list[dict[str, Any]]) -> str:
    """Write what `verify` says beside what is true for readers."""
    lines = ["| run | test | truth | verify counts | verify says |", "|---|---|--:|--:|---|"]
    for row in rows:
        says = "more than there should be" if row["refused"] else "not too many"
        lines.append(
            f"| {row['says']} | {row['test']} | {row['truth']:.1f} % | {row['found']:.1f} % | {says} |"
        )
    return "\n".join(lines)


def measured(numbers: dict[str, Any]) -> str:
    """Say by what command, when and where everything was found."""
    machine = "; ".join(f"{name} {value}" for name, value in numbers["machine"].items())
    return (
        f"Made by `python benchmarks/verify_statistics.py` on {numbers['date']}: {numbers['pairs']:,} "
        f"pairs a row, {numbers['maps']} null maps a setting. Machine: {machine}."
    )


def main() -> None:
    """Draw everything that can be drawn."""
    import matplotlib as mpl

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", type=Path, help="what verify_statistics.py --json wrote")
    numbers = json.loads(parser.parse_args().numbers.read_text())
    IMAGES.mkdir(exist_ok=True)
    write_table(steady_table(numbers["rows"], numbers["pairs"]), "table")
    write_table(hard_table(numbers["hard"]), "hard table")
    write_table(familywise_table(numbers["familywise"]), "familywise table")
    write_table(interval_table(numbers["controls"]), "interval table")
    if numbers["people"]:
        write_table(people_table(numbers["people"]), "people table")
    write_table(verdict_table(numbers["verdicts"]), "verdict table")
    write_table(measured(numbers), "measured")
    with mpl.rc_context(STYLE):
        save(draw_false_positives(numbers["rows"]), "false-positives.svg")
        folder = os.environ.get("SEEDMAP_TEST_DATA")
        if folder:
            save(draw_dof(Path(folder)), "dof.png")
        else:
            print("SEEDMAP_TEST_DATA is not set: dof.png stays as it is")


if __name__ == "__main__":
    main()
