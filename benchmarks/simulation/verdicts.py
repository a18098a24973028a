"""Whether `seedmap verify` finds the rate of false positives that a run truly has.

Runs with bursts, with a silent half and with a frame of garbage are drawn. The truth is counted over
many runs of each kind. `verify` is given one of them, and draws nulls of its own. Both try our test,
and the same test as if the variance were the same throughout: that one errs, and must not come out
as right.
"""

from unittest.mock import patch

import numpy as np

from seedmap.connectivity import noise_autocovariance, noise_tables, run_variance
from seedmap.verify.simulation import null_rates
from seedmap.verify.verification import MOST_FALSE
from simulation.pairs import Scenario, batches, draw_run, ours

FIVE = ("AR.5", "AR.5")
KINDS = [
    Scenario(name=says, says=says, frames=200, noise=FIVE, scale=scale)
    for says, scale in (
        ("bursts, band", "bursts x 4"),
        ("half silent, band", "half silent"),
        ("frame of 60 sd, band", "one frame of 60 sd"),
    )
]
SAMPLES = 600  # of the run that is verified


def truth(scenario: Scenario, pairs: int, rng: np.random.Generator, *, steady: bool) -> float:
    """Count false positives at .05 in percent, in a new run for every 500 pairs."""
    found = []
    for size in batches(pairs):
        made, _, (x, y) = draw_run(scenario, rng, size)
        found.append(ours(made, x, y, steady=steady)[0].p < 0.05)
    return 100 * float(np.mean(np.concatenate(found)))


def verified(
    scenario: Scenario, pairs: int, rng: np.random.Generator, *, steady: bool
) -> tuple[float, bool]:
    """Let `verify` count them for one run, in percent; also whether it calls them too many."""
    made, _, (seeds, series) = draw_run(scenario, rng, SAMPLES)
    tables = noise_tables(made, run_variance(made, series), intervals=False)
    noise = tuple(noise_autocovariance(tables, made.residuals(one)) for one in (seeds, series))
    if steady:
        with patch("seedmap.verify.simulation.run_variance", lambda _, one: np.ones(len(one))):
            rates = null_rates(made, tables, noise, pairs, rng)
    else:
        rates = null_rates(made, tables, noise, pairs, rng)
    (one,) = (one for one in rates if one.method == "operator")
    rate, low, _ = one.rates[0.05]
    return 100 * rate, low > MOST_FALSE


def verdicts(pairs: int, seed: int) -> list[dict[str, object]]:
    """Try all kinds of run with both tests."""
    rows = []
    for scenario in KINDS:
        for steady in (True, False):
            rng = np.random.default_rng([seed, steady, *scenario.says.encode()])
            true = truth(scenario, pairs, rng, steady=steady)
            found, refused = verified(scenario, pairs, rng, steady=steady)
            rows.append(
                {
                    "says": scenario.says,
                    "test": "as if steady" if steady else "ours",
                    "truth": true,
                    "found": found,
                    "refused": refused,
                    "good": refused == (true > 100 * MOST_FALSE),
                }
            )
    return rows
