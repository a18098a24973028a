"""Whether anything has become slower: a few cheap ratios beside the stored ones.

A ratio compares the processor's time of two pieces of work that run in turns, in one thread, so
that a slow or a busy machine changes both alike. Leaves with exit code 1 if one has grown by more
than a quarter, twice.

    python benchmarks/check.py             compare with benchmarks/stored.json
    python benchmarks/check.py --store     store what is found now
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.fresh import HERE, make_data, run_job

# Before NumPy comes: threads of BLAS that wait for each other would count as work.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

STORED = HERE.parent / "stored.json"
LOSS = 1.25
REPEATS = 9


def main() -> int:
    """Measure, compare, say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", action="store_true", help="store what is found now")
    parser.add_argument("--stored", type=Path, default=STORED)
    parser.add_argument("--work", type=Path, default=HERE.parent / "work")
    parser.add_argument("--run", default="4mm", help="which run to work on")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    runs = (make_data(options.work, name) for name in (options.run, "tiny"))
    checks = ratios(*runs, options.repeats)
    found = {name: check() for name, check in checks.items()}
    if options.store:
        rounded = {name: round(value, 3) for name, value in found.items()}
        options.stored.write_text(json.dumps(rounded, indent=1) + "\n")
    stored = json.loads(options.stored.read_text())
    lost = []
    for name, value in found.items():
        if value > LOSS * stored[name]:  # once more: somebody else may have taken the machine
            value = min(value, checks[name]())
        worse = value > LOSS * stored[name]
        lost += [name] if worse else []
        print(f"{name:45} {value:8.3f}   stored {stored[name]:8.3f}   {'LOST' if worse else 'ok'}")
    return 1 if lost else 0


def ratios(case: dict, small: dict, repeats: int) -> dict[str, Callable[[], float]]:
    """Name the ratios, each a function that measures it."""
    import numpy as np
    from harness import jobs

    from seedmap.analysis.options import Inputs, Limits, Method
    from seedmap.analysis.pipeline import maps_of
    from seedmap.analysis.prepare import prepare, read
    from seedmap.temporal import Cleaning, cleaning_operator

    def work(seeds: int, uncertainty: str | None):
        objects = jobs.seed_objects(jobs.with_points({**case, "seeds": seeds}))
        inputs = Inputs(case["bold"], confounds=case["confounds"])
        return prepare(inputs, objects, Method(uncertainty=uncertainty), Limits(n_jobs=1))

    one, many, sure = work(1, None), work(100, None), work(1, "operator")
    extracted, of_many = read(one), read(many)
    matrix = np.ones((one.operator.coordinates.shape), dtype=np.float32)
    rng = np.random.default_rng(0)
    frames, keep = 300, np.ones(300, dtype=bool)
    confounds, square = rng.standard_normal((frames, 15)), rng.standard_normal((frames, frames))

    def inflate():
        jobs.floor(jobs.Clock(), case)

    def in_turn(job: Callable, beside: Callable):
        return lambda: ratio(job, beside, repeats)

    return {
        "reading and smoothing / inflating": in_turn(lambda: read(one), inflate),
        "cleaning and correlating / a matrix product": in_turn(
            lambda: maps_of(one, extracted), lambda: matrix @ extracted.series
        ),
        "100 seeds / one seed": in_turn(
            lambda: maps_of(many, of_many), lambda: maps_of(one, extracted)
        ),
        "operator / r only": in_turn(
            lambda: maps_of(sure, extracted), lambda: maps_of(one, extracted)
        ),
        "writing the cleaning out / svd": in_turn(
            lambda: cleaning_operator(Cleaning(), keep, 2.0, confounds),
            lambda: np.linalg.svd(square),
        ),
        "memory beyond the libraries / series": lambda: memory(case, small),
        "importing seed_maps / importing nibabel": lambda: imports(repeats),
    }


def ratio(job: Callable, beside: Callable, repeats: int) -> float:
    """Time two jobs in turns and compare the best of each."""
    best = [float("inf")] * 2
    for _ in range(repeats + 1):
        for at, one in enumerate((job, beside)):
            start = seconds_used()
            one()
            best[at] = min(best[at], seconds_used() - start)
    return best[0] / best[1]


def seconds_used() -> float:
    """Return the processor's time of this process and of those that it has started and ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def memory(case: dict, small: dict) -> float:
    """Compare what a run takes beyond libraries and series with the series (fresh process)."""
    facts = ("bold", "confounds", "mask", "frame_bytes")
    given, warm_up = ({fact: one[fact] for fact in facts} | {"seeds": 1} for one in (case, small))
    found = run_job("seedmap", {**given, "uncertainty": None, "warm_up": warm_up})
    held = 4 * case["frames"] * found["facts"]["voxels"]
    return (found["peak"] - found["peak_before"]) / held


def imports(repeats: int) -> float:
    """Compare the start of ``seedmap.seed_maps`` with that of nibabel, in fresh processes."""

    def start(code: str) -> Callable:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    return ratio(start("import seedmap; seedmap.seed_maps"), start("import nibabel"), repeats)


if __name__ == "__main__":
    sys.exit(main())
