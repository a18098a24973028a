"""What a verification found, as a table of numbers (JSON) and as a page with a QQ plot."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._texts import without_folders
from seedmap.analysis import versions
from seedmap.bids import source_stem
from seedmap.images import staged_folder, write_text
from seedmap.report.rendering import render
from seedmap.verify.simulation import LEVELS, METHODS, Rates
from seedmap.verify.verification import MOST_FALSE, Verification

__all__ = ["render_verification", "verification_facts", "write_verification"]

# Of the QQ plot, in pixels: its side, and the margins for labels at the left and the bottom.
SIDE, LEFT, BOTTOM = 340, 46, 40
COLOURS = {"naive": "#D55E00", "xdf": "#E69F00", "operator": "#0072B2"}
DECADES = 4  # of p that the plot shows


def write_verification(found: Verification, folder: Path | str) -> list[Path]:
    """Write ``..._verification.json`` and ``..._verification.html``; return the paths.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    folder = Path(folder).expanduser()
    stem = source_stem(found.maps.provenance.source)
    with staged_folder(folder) as stage:
        facts = json.dumps(verification_facts(found), indent=2, ensure_ascii=False)
        write_text(stage / f"{stem}_verification.json", without_folders(facts) + "\n")
        write_text(stage / f"{stem}_verification.html", render_verification(found))
    return [folder / f"{stem}_verification.{kind}" for kind in ("html", "json")]


def verification_facts(found: Verification) -> dict[str, Any]:
    """Return all numbers as plain dictionaries."""
    source = found.maps.provenance
    known = found.maps.certainty
    return {
        "Source": source.source,
        "Frames": int(source.keep.size),
        "FramesKept": source.kept,
        "Cleaning": asdict(source.cleaning),
        "ConfoundRank": source.confound_rank,
        "CleaningRank": source.rank,
        "DofIfWhite": None if known is None else _short(known.white_dof),
        "FalsePositives": {one.method: _rate_facts(one) for one in found.rates},
        "Passed": found.passed,
        "Checks": found.checks,
        "Halves": {name: _short(value) for name, value in asdict(found.halves).items()},
        "Planted": {name: _short(value) for name, value in asdict(found.planted).items()},
        "SmallestSignificantR": {
            one.seed: {
                "MedianDof": _short(one.dof),
                "Operator": {f"p<{level:g}": _short(one.r[level]) for level in LEVELS},
                "Naive": {f"p<{level:g}": _short(one.naive[level]) for level in LEVELS},
            }
            for one in found.smallest
        },
        "Nilearn": {
            "Seed": found.parity.seed,
            "Samples": found.parity.samples,
            "LargestDifference": _short(found.parity.largest),
            "Same": found.parity.same,
            "Note": found.parity.note,
        },
        "SoftwareVersions": versions(),
        "Command": source.command,
    }


def _rate_facts(rates: Rates) -> dict[str, Any]:
    return {
        "Pairs": rates.pairs,
        **{
            f"p<{level:g}": dict(
                zip(("Rate", "Low", "High"), map(_short, rates.rates[level]), strict=True)
            )
            for level in LEVELS
        },
        "SdOfZ": _short(rates.spread),
        "WithoutAnswer": _short(rates.unanswered),
    }


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def render_verification(found: Verification, date: datetime | None = None) -> str:
    """Make the page of a verification.

    Parameters
    ----------
    found
        What was found.
    date
        Date of the page; None is now.

    Returns
    -------
    str
        HTML5 that loads nothing.
    """
    return render(
        "verification",
        date,
        title=source_stem(found.maps.provenance.source),
        verdict=verdict(found),
        found=found,
        source=found.maps.provenance,
        levels=LEVELS,
        methods=METHODS,
        colours=COLOURS,
        unanswered=any(one.unanswered for one in found.rates),
        plot=_plot(found.rates),
        versions=versions().items(),
    )


def verdict(found: Verification) -> str:
    """Say in a sentence whether p of this run may be believed."""
    (ours,) = (one for one in found.rates if one.method == "operator")
    (naive,) = (one for one in found.rates if one.method == "naive")
    level = LEVELS[0]
    rate, low, high = ours.rates[level]
    if low <= level <= high:
        fits = "as many as there should be"
    elif rate < level:
        fits = "fewer than there should be: its p are on the safe side"
    elif low <= MOST_FALSE:
        fits = "a little more than there should be"
    else:
        fits = "more than there should be: do not believe its p"
    failed = [check for check, held in found.checks.items() if not held]
    said = (
        f"Does NOT hold: {'; '.join(failed)}." if failed else "Everything that was checked holds."
    )
    return (
        f"On null pairs like this run's, seedmap calls {rate:.1%} significant at p < {level:g}, "
        f"{fits}; a test that treats frames as independent calls {naive.rates[level][0]:.0%}. {said}"
    )


def _plot(rates: tuple[Rates, ...]) -> dict[str, Any]:
    """Lay the QQ plot out: lines in pixels, ticks, and the diagonal that valid tests follow."""
    unit = SIDE / DECADES

    def place(x: float, y: float) -> str:
        right, up = min(x, DECADES) * unit, min(y, DECADES) * unit
        return f"{LEFT + right:.1f},{10 + SIDE - up:.1f}"

    lines = []
    for one in rates:
        shown = one.quantiles[one.quantiles[:, 0] <= DECADES]
        inside = shown[shown[:, 1] <= DECADES]
        points = " ".join(place(x, y) for x, y in inside)
        lines.append((COLOURS[one.method], METHODS[one.method], points))
    ticks = [
        {"label": f"1e-{k}" if k else "1", "x": LEFT + k * unit, "y": 10 + SIDE - k * unit}
        for k in range(DECADES + 1)
    ]
    return {
        "lines": lines,
        "ticks": ticks,
        "diagonal": f"{place(0, 0)} {place(DECADES, DECADES)}",
        "width": LEFT + SIDE + 12,
        "height": 10 + SIDE + BOTTOM,
        "left": LEFT,
        "bottom": 10 + SIDE,
        "side": SIDE,
    }
