"""Null pairs through a run's cleaning, tested by several methods."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seedmap.connectivity import (
    Inference,
    frame_variance,
    infer,
    infer_by_xdf,
    infer_naively,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    seed_lags,
    worst_frames,
)
from seedmap.temporal import Cleaning, CleaningOperator, cleaning_operator
from simulation.noises import NOISE, SCALES, censor

Array = NDArray[np.float64]

PAIRS_TOGETHER = 500
BAND = Cleaning()
HIGH_PASS = Cleaning(low_pass=None)
NO_FILTER = Cleaning(filter=None)
COSINE = Cleaning(filter="cosine", low_pass=None)
METHODS = ("naive", "xdf", "xdf_tukey", "ours")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of run; ``limits`` are percent at .05 that ours must lie in, None for no judgement."""

    name: str
    says: str
    frames: int
    noise: tuple[str, str]
    cleaning: Cleaning = BAND
    confounds: int = 14
    censored: float = 0.0
    t_r: float = 2.0
    scale: str = ""
    runs: int = 1
    """Runs of a pair, combined by degrees of freedom."""

    before: float | None = None
    """Percent at .05 that the version before the variance in time had, where it was measured."""

    limits: tuple[float, float] | None = (3.8, 6.2)
    most_001: float = 0.3
    named: bool = False
    """Whether the bad frame must be named."""

    compared: bool = False
    """Whether xDF is tried, too."""


@dataclass
class Count:
    """What was counted over the pairs of a scenario."""

    p: dict[str, list[Array]] = field(default_factory=dict)
    z: dict[str, list[Array]] = field(default_factory=dict)
    dof: list[Array] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)

    def add(self, method: str, result: Inference) -> None:
        """Add one batch of one method."""
        self.p.setdefault(method, []).append(result.p)
        self.z.setdefault(method, []).append(result.z)
        if method == "ours":
            self.dof.append(result.dof)


def batches(pairs: int) -> Iterator[int]:
    """Split the pairs into batches of at most 500."""
    for start in range(0, pairs, PAIRS_TOGETHER):
        yield min(PAIRS_TOGETHER, pairs - start)


def correlation(x: Array, y: Array) -> Array:
    """Correlate columns, pair by pair."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)


def ours(
    made: CleaningOperator, x: Array, y: Array, *, steady: bool = False
) -> tuple[Inference, Array]:
    """Test raw pairs (kept, pairs), the first of each being the seed; also the variance in time.

    ``steady`` tests as if the variance were the same throughout, as earlier versions did.
    """
    residuals = made.residuals(y)
    variance = frame_variance(residuals, made.noise_basis)
    tables = noise_tables(made, None if steady else variance, intervals=False)
    noise = noise_autocovariance(tables, residuals)
    nu = pair_dof(tables, seed_lags(tables, made.rows, x), noise)
    return infer(correlation(made.on_kept @ x, made.on_kept @ y), nu, tables.rank), variance


def draw_run(
    scenario: Scenario, rng: np.random.Generator, pairs: int
) -> tuple[CleaningOperator, Array, list[Array]]:
    """Draw a run: its cleaning, its standard deviation in time, raw pairs on the kept frames."""
    keep = censor(rng, scenario.frames, scenario.censored)
    confounds = NOISE["AR.9"](rng, scenario.frames, scenario.confounds)
    made = cleaning_operator(scenario.cleaning, keep, scenario.t_r, confounds)
    scale = SCALES[scenario.scale](rng, scenario.frames)
    raw = [scale[:, None] * NOISE[kind](rng, scenario.frames, pairs) for kind in scenario.noise]
    return made, scale[made.keep], [one[made.keep] for one in raw]


def simulate(scenario: Scenario, pairs: int, seed: int) -> Count:
    """Draw, clean and test the pairs of one scenario; confounds are new for every 500."""
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    count = Count()
    for size in batches(pairs):
        if scenario.runs > 1:
            count.add("ours", _combined(scenario, rng, size))
            continue
        made, scale, (x, y) = draw_run(scenario, rng, size)
        result, variance = ours(made, x, y)
        count.add("ours", result)
        count.named.append(bool(np.isin(np.argmax(scale), worst_frames(variance))))
        cleaned = made.on_kept @ x, made.on_kept @ y
        count.add("naive", infer_naively(correlation(*cleaned), len(x)))
        if scenario.compared:
            count.add("xdf", infer_by_xdf(*cleaned, "adaptive"))
            count.add("xdf_tukey", infer_by_xdf(*cleaned, "tukey"))
    return count


def _combined(scenario: Scenario, rng: np.random.Generator, pairs: int) -> Inference:
    """Combine several runs of every pair by degrees of freedom, as `participants.combine` does."""
    weights, sums = np.zeros(pairs), np.zeros(pairs)
    for _ in range(scenario.runs):
        made, _, (x, y) = draw_run(scenario, rng, pairs)
        result, _ = ours(made, x, y)
        weight = np.nan_to_num(result.dof - 2)
        fisherz = np.arctanh(correlation(made.on_kept @ x, made.on_kept @ y))
        weights, sums = weights + weight, sums + weight * fisherz
    with np.errstate(invalid="ignore", divide="ignore"):
        return infer(np.tanh(sums / weights), 2 + weights)


def summary(scenario: Scenario, count: Count) -> dict[str, object]:
    """Turn counts into a row: percent false positives, sd(z), degrees of freedom."""
    row: dict[str, object] = {
        "scenario": scenario.name,
        "says": scenario.says,
        "noise": "/".join(scenario.noise),
        "frames": scenario.frames,
        "confounds": scenario.confounds,
        "before": scenario.before,
        "limits": scenario.limits,
    }
    for method in count.p:
        p, z = np.concatenate(count.p[method]), np.concatenate(count.z[method])
        row[f"{method}_05"] = 100 * float(np.mean(p < 0.05))
        row[f"{method}_001"] = 100 * float(np.mean(p < 0.001))
        row[f"{method}_sd_z"] = float(np.nanstd(z))
    dof = np.concatenate(count.dof)
    row["nu"] = float(np.nanmedian(dof)) if np.isfinite(dof).any() else float("nan")
    row["no_answer"] = 100 * float(np.mean(np.isnan(dof)))
    row["named"] = bool(np.all(count.named)) if scenario.named else None
    good = not scenario.named or bool(row["named"])
    if scenario.limits is not None:
        low, high = scenario.limits
        good &= low <= row["ours_05"] <= high and row["ours_001"] <= scenario.most_001
    row["good"] = good
    return row
