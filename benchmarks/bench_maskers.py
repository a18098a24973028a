"""The reference example's two masker calls: seedmap's beside nilearn's.

Prints seconds (both in one process, the best of some repeats) and the peak memory of a process
of its own for each. Runs on the phantom, which has the shape of the reference example's data,
50 x 59 x 50 voxels by 168 frames in float32, or on a run that is given.

    python benchmarks/bench_maskers.py [--bold FILE --confounds FILE --t-r 2] [--repeats 5] [--cache]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

WANTED_SPEED, WANTED_MEMORY = 40.0, 1 / 3
MEGABYTE = 1024.0  # both places count kilobytes


def two_calls(maskers, bold, confounds, t_r, cache=None):
    """Do what the reference example does; return both series."""
    options = {
        "detrend": True,
        "standardize": "zscore_sample",
        "standardize_confounds": True,
        "low_pass": 0.1,
        "high_pass": 0.01,
        "t_r": t_r,
        "memory": cache,
        "memory_level": 1,
    }
    seed = maskers.NiftiSpheresMasker([(0, -52, 18)], radius=8, **options)
    brain = maskers.NiftiMasker(smoothing_fwhm=6, **options)
    return [masker.fit_transform(bold, confounds=[confounds]) for masker in (seed, brain)]


def maskers_of(name):
    """Import one of the two."""
    if name == "seedmap":
        import seedmap.maskers as maskers
    else:
        import nilearn.maskers as maskers
    return maskers


def seconds(name, repeats, with_cache, *run):
    """Return the best time of some repeats, and the series."""
    best, series = np.inf, None
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            series = two_calls(maskers_of(name), *run, cache=folder if with_cache else None)
            best = min(best, time.perf_counter() - start)
    return best, series


def peak(name, *run):
    """Return the peak memory [MB] of a process that does it, and what it has after importing."""
    command = [sys.executable, __file__, "--measure", name, *map(str, run)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(number) for number in found.stdout.split()]


def highest():
    """Return the most memory that this process has had [MB]."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says may be the parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def measure(name, bold, confounds, t_r):
    """Print this process's memory after importing, and at its peak [MB]."""
    maskers = maskers_of(name)
    before = highest()
    two_calls(maskers, bold, confounds, float(t_r))
    print(before, highest())


def phantom(folder):
    """Write a phantom, and the 15 columns of confounds that the reference example has."""
    import pandas as pd

    from seedmap.datasets import make_phantom

    made = make_phantom(folder)
    table = pd.read_csv(made.confounds[0], sep="\t").iloc[:, :15]
    reduced = Path(folder) / "reduced.tsv"
    table.bfill().to_csv(reduced, sep="\t", index=False)
    return str(made.func[0]), str(reduced), made.t_r


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bold")
    parser.add_argument("--confounds")
    parser.add_argument("--t-r", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cache", action="store_true", help="with an empty joblib cache each time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = (asked.bold, asked.confounds, asked.t_r)
        run = given if asked.bold else phantom(folder)
        ours, mine = seconds("seedmap", asked.repeats, asked.cache, *run)
        theirs, its = seconds("nilearn", 1, asked.cache, *run)
        print(
            f"seedmap {ours:8.3f} s   nilearn {theirs:8.3f} s   {theirs / ours:5.1f} times as fast"
        )
        for one, other in zip(mine, its, strict=True):
            apart = np.abs(one - other)
            print(
                f"  {one.shape}: at most {apart.max():.1e} apart, 99.9 % {np.quantile(apart, 0.999):.1e}"
            )
        (base, top), (its_base, its_top) = peak("seedmap", *run), peak("nilearn", *run)
    share = (top - base) / (its_top - its_base)
    print(
        f"seedmap {top - base:8.0f} MB  nilearn {its_top - its_base:8.0f} MB  {share:.2f} of it (above imports)"
    )
    print(
        f"seedmap {top:8.0f} MB  nilearn {its_top:8.0f} MB  {top / its_top:.2f} of it (whole process)"
    )
    good = theirs / ours >= WANTED_SPEED and share <= WANTED_MEMORY
    print(
        "as fast and as small as wanted"
        if good
        else f"NOT {WANTED_SPEED:.0f} times as fast, or not a third"
    )
    return 0 if good else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if "--measure" in sys.argv:
        measure(*sys.argv[2:])
    else:
        sys.exit(main())
