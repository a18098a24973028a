"""False positives of null correlations, by simulation: naive, xDF and ours.

Each scenario draws pairs of independent noise series, cleans them as a run would be cleaned, and
counts how often each test calls their correlation significant. Confounds and censored frames are
drawn anew for every 500 pairs. Prints a table; leaves with exit code 1 if ours misses the limits
(scenarios A-F and H-J: 3.8 to 6.0 % at .05, below .2 % at .001) or a control misses its theory.

    python benchmarks/verify_statistics.py --pairs 10000 --markdown table.md --json table.json
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special

from seedmap.connectivity.inference import Inference, infer, infer_naively
from seedmap.connectivity.noise import NoiseTables, noise_autocovariance, noise_tables, pair_dof
from seedmap.connectivity.xdf import infer_by_xdf
from seedmap.temporal import Cleaning, cleaning_operator

Array = NDArray[np.float64]

PAIRS_TOGETHER = 500
BURN_IN = 500
LIMITS_05 = (3.8, 6.0)  # percent
LIMIT_001 = 0.2
METHODS = ("naive", "xdf", "xdf_tukey", "ours")

BAND = Cleaning()
HIGH_PASS = Cleaning(low_pass=None)
NO_FILTER = Cleaning(filter=None)
COSINE = Cleaning(filter="cosine", low_pass=None)


def _known(percent: object) -> str:
    """Write a figure that may not be known."""
    return "" if percent is None else f"{percent:.1f}"


def autoregressive(*phi: float) -> Callable[[np.random.Generator, int, int], Array]:
    """Make a generator of Gaussian AR noise, shape (frames, pairs)."""

    def draw(rng: np.random.Generator, frames: int, pairs: int) -> Array:
        white = rng.standard_normal((frames + BURN_IN, pairs))
        return signal.lfilter([1.0], [1.0, *(-np.array(phi))], white, axis=0)[BURN_IN:]

    return draw


def long_memory(rng: np.random.Generator, frames: int, pairs: int) -> Array:
    """Draw fractionally integrated noise, d = .35 (power ~ 1/f^.7)."""
    k = np.arange(1, 4 * frames)
    response = np.cumprod(np.append(1.0, (k - 1 + 0.35) / k))
    white = rng.standard_normal((frames + len(response) - 1, pairs))
    return signal.fftconvolve(white, response[:, None], mode="valid", axes=0)


NOISE = {
    "white": autoregressive(),
    "AR.2": autoregressive(0.2),
    "AR.3": autoregressive(0.3),
    "AR.5": autoregressive(0.5),
    "AR.8": autoregressive(0.8),
    "AR.9": autoregressive(0.9),
    # Like grey matter at TR 2: a steep start, a long tail.
    "AR(4)": autoregressive(0.45, 0.15, 0.1, 0.08),
    "long memory": long_memory,
}


@dataclass(frozen=True)
class Scenario:
    """One kind of run."""

    name: str
    says: str
    frames: int
    noise: tuple[str, str]
    cleaning: Cleaning = BAND
    confounds: int = 14
    censored: float = 0.0
    t_r: float = 2.0
    earlier: float | None = None
    """False positives at .05 that a prototype with a shorter window had, in percent."""

    judged: bool = True
    """Whether ours must lie inside the limits."""


@dataclass
class Count:
    """What was counted over the pairs of a scenario."""

    p: dict[str, list[Array]] = field(default_factory=dict)
    z: dict[str, list[Array]] = field(default_factory=dict)
    nu: list[Array] = field(default_factory=list)

    def add(self, method: str, result: Inference) -> None:
        """Add one batch of one method."""
        self.p.setdefault(method, []).append(result.p)
        self.z.setdefault(method, []).append(result.z)
        if method == "ours":
            self.nu.append(result.dof)


FIVE, EIGHT, NINE = ("AR.5", "AR.5"), ("AR.8", "AR.8"), ("AR.9", "AR.9")
FOUR, LONG = ("AR(4)", "AR(4)"), ("long memory", "long memory")
SCENARIOS = [
    Scenario("A", "no filter", 200, FIVE, NO_FILTER, earlier=5.2),
    Scenario("B", "band .01-.1", 168, ("white", "white"), earlier=4.7),
    Scenario("C", "band .01-.1", 168, FIVE, earlier=4.9),
    Scenario("D", "band .01-.1", 168, FOUR, earlier=4.9),
    Scenario("E", "band, censored", 300, ("AR.3", "AR.8"), BAND, 24, 0.15, earlier=4.7),
    Scenario("F", "high-pass, censored", 300, ("AR(4)", "AR.8"), HIGH_PASS, 24, 0.15, earlier=4.2),
    Scenario("G", "band, fast", 300, NINE, BAND, 36, t_r=0.8, earlier=3.2, judged=False),
    Scenario("H", "trend only", 200, NINE, NO_FILTER, 0, earlier=5.7),
    Scenario("I", "high-pass, censored", 300, LONG, HIGH_PASS, 24, 0.15, earlier=4.8),
    Scenario("J", "band, censored", 300, LONG, BAND, 24, 0.15, earlier=4.4),
    Scenario("K", "cosine high-pass", 200, FIVE, COSINE),
]


def censor(rng: np.random.Generator, frames: int, share: float) -> NDArray[np.bool_]:
    """Draw frames that stay; the others fall in bursts of one to three."""
    keep = np.ones(frames, dtype=bool)
    while keep.mean() > 1 - share:
        start = rng.integers(frames)
        keep[start : start + rng.integers(1, 4)] = False
    return keep


def batches(pairs: int) -> Iterator[int]:
    """Split the pairs into batches of at most 500."""
    for start in range(0, pairs, PAIRS_TOGETHER):
        yield min(PAIRS_TOGETHER, pairs - start)


def correlation(x: Array, y: Array) -> Array:
    """Correlate columns, pair by pair."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)


def ours(tables: NoiseTables, r: Array, e_x: Array, e_y: Array) -> Inference:
    """Test pairs with their own effective degrees of freedom."""
    nu = pair_dof(tables, noise_autocovariance(tables, e_x), noise_autocovariance(tables, e_y))
    return infer(r, nu, tables.rank)


def simulate(scenario: Scenario, pairs: int, seed: int) -> Count:
    """Draw, clean and test the pairs of one scenario."""
    rng = np.random.default_rng([seed, ord(scenario.name)])
    count = Count()
    for size in batches(pairs):
        keep = censor(rng, scenario.frames, scenario.censored)
        confounds = NOISE["AR.9"](rng, scenario.frames, scenario.confounds)
        made = cleaning_operator(scenario.cleaning, keep, scenario.t_r, confounds)
        tables = noise_tables(made, scenario.t_r)
        raw = [NOISE[kind](rng, scenario.frames, size) for kind in scenario.noise]
        x, y = (made.L @ one for one in raw)
        r = correlation(x, y)
        count.add("naive", infer_naively(r, len(x)))
        count.add("xdf", infer_by_xdf(x, y, "adaptive"))
        count.add("xdf_tukey", infer_by_xdf(x, y, "tukey"))
        count.add("ours", ours(tables, r, *(made.R @ one for one in raw)))
    return count


def summary(scenario: Scenario, count: Count) -> dict[str, object]:
    """Turn counts into a row: percent false positives, sd(z), nu."""
    row: dict[str, object] = {
        "scenario": scenario.name,
        "says": scenario.says,
        "noise": "/".join(scenario.noise),
        "frames": scenario.frames,
        "confounds": scenario.confounds,
    }
    for method in METHODS:
        p, z = np.concatenate(count.p[method]), np.concatenate(count.z[method])
        row[f"{method}_05"] = 100 * float(np.mean(p < 0.05))
        row[f"{method}_001"] = 100 * float(np.mean(p < 0.001))
        row[f"{method}_sd_z"] = float(np.nanstd(z))
    nu = np.concatenate(count.nu)
    row["nu"] = float(np.nanmedian(nu))
    row["no_answer"] = 100 * float(np.mean(np.isnan(nu)))
    row["earlier"] = scenario.earlier
    row["good"] = not scenario.judged or (
        LIMITS_05[0] <= row["ours_05"] <= LIMITS_05[1] and row["ours_001"] < LIMIT_001
    )
    return row


def table(rows: list[dict[str, object]], pairs: int) -> str:
    """Write the rows as a markdown table."""
    lines = [
        f"False positives in percent at p < .05 (p < .001), {pairs} null pairs each.",
        "",
        "| | run | noise | T | conf. | nu | naive | xDF adaptive | xDF Tukey | ours | sd(z) "
        "| no answer | earlier | |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        rates = " | ".join(f"{row[f'{m}_05']:.1f} ({row[f'{m}_001']:.2f})" for m in METHODS)
        lines.append(
            f"| {row['scenario']} | {row['says']} | {row['noise']} | {row['frames']} "
            f"| {row['confounds']} | {row['nu']:.0f} | {rates} | {row['ours_sd_z']:.2f} "
            f"| {row['no_answer']:.2f} | {_known(row['earlier'])} | {'' if row['good'] else 'MISSED'} |"
        )
    return "\n".join(lines)


def coverage(rho: float, noise: tuple[str, str], pairs: int, seed: int) -> float:
    """Give the share of 95 % intervals that hold the true correlation, scenario C, in percent.

    A shared part of the noise of x gives the correlation; it is found over many frames.
    """
    rng = np.random.default_rng([seed, 1])
    inside: list[Array] = []
    confounds = NOISE["AR.9"](rng, 168, 14)
    made = cleaning_operator(BAND, np.ones(168, dtype=bool), 2.0, confounds)
    tables = noise_tables(made, 2.0)
    for size in batches(pairs):
        x = NOISE[noise[0]](rng, 168, size)
        own = NOISE[noise[1]](rng, 168, size)
        y = rho * x + np.sqrt(1 - rho**2) * own
        r = correlation(made.L @ x, made.L @ y)
        se = ours(tables, r, made.R @ x, made.R @ y).se
        inside.append(np.abs(np.arctanh(r) - np.arctanh(rho)) < special.ndtri(0.975) * se)
    return 100 * float(np.mean(np.concatenate(inside)))


def controls(pairs: int, seed: int) -> list[dict[str, object]]:
    """Check what theory and the literature say of uncleaned series, and our intervals."""
    rng = np.random.default_rng([seed, 2])
    rows = []

    def add(says: str, found: float, wanted: float, within: float) -> None:
        good = abs(found - wanted) <= within
        rows.append(
            {"says": says, "found": found, "wanted": wanted, "within": within, "good": good}
        )

    x, y = (NOISE["AR.8"](rng, 200, pairs) for _ in range(2))
    theory = 200 * special.ndtr(special.ndtri(0.025) / np.sqrt((1 + 0.64) / (1 - 0.64)))
    found = np.mean(infer_naively(correlation(x, y), 200).p < 0.05)
    add("naive, AR.8/.8, T 200: % at .05", 100 * float(found), float(theory), 2.0)
    x, y = (NOISE["AR.5"](rng, 600, pairs) for _ in range(2))
    result = infer_by_xdf(x, y)
    add("xDF, AR.5/.5, T 600: sd(z)", float(np.std(result.z)), 1.01, 0.03)
    add("xDF, AR.5/.5, T 600: % at .05", 100 * float(np.mean(result.p < 0.05)), 5.3, 1.0)
    for rho in (0.0, 0.3, 0.7):
        add(f"95 % interval, run C, rho {rho}", coverage(rho, FIVE, pairs, seed), 95.0, 1.5)
    return rows


def main() -> int:
    """Run it all; 0 if everything is inside its limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000, help="null pairs a scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="letters of the scenarios to run, as ABC")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    options = parser.parse_args()
    chosen = [s for s in SCENARIOS if not options.only or s.name in options.only]
    rows = [summary(s, simulate(s, options.pairs, options.seed)) for s in chosen]
    checks = controls(options.pairs, options.seed)
    text = table(rows, options.pairs) + "\n\n| control | found | wanted | |\n|---|--:|--:|---|\n"
    text += "\n".join(
        f"| {c['says']} | {c['found']:.2f} | {c['wanted']:.2f} ± {c['within']} "
        f"| {'' if c['good'] else 'MISSED'} |"
        for c in checks
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        runs = [asdict(s) for s in chosen]
        numbers = {"pairs": options.pairs, "rows": rows, "controls": checks, "scenarios": runs}
        options.json.write_text(json.dumps(numbers, indent=1))
    return 0 if all(row["good"] for row in [*rows, *checks]) else 1


if __name__ == "__main__":
    sys.exit(main())
