"""The group step: shuffles in seedmap beside nilearn, and beside the bare matrix product.

Milliseconds of the processor a shuffle, the median over rounds in which all take turns and the best
in brackets; 40 people, one thread, smooth noise on a grid. What nilearn does only once (the fit, the
observed maps) is measured in every round and taken off; ours is not. The floor is the product of rows
of signs with the maps, block by block as we do it, and nothing else. Two threads are how many times
faster by the clock than one, at best.

    python benchmarks/bench_group.py [--rounds 5] [--quick] [--long] [--page FILE]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import threadpoolctl
from harness.fresh import measured_on
from nibabel import Nifti1Image
from nilearn.datasets import load_mni152_brain_mask
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy.ndimage import gaussian_filter

from seedmap.shuffle import Graph, Scores, Shuffling, plan_shuffles, pooled, shuffle, split_design

PEOPLE, BLOCK, ROWS = 40, 1536, 128
SIGMA = 2.5 / 2.355  # noise of 2.5 voxels' width, as in the tests of validity
SHAPES = {"30,000 samples": (32, 31, 30), "230,000 samples": (64, 61, 59)}
# Job, whether it has covariates, TFCE, clusters; shuffles of ours and of nilearn at both sizes.
JOBS = {
    "max t": (False, False, False, (1024, 1024), (400, 60)),
    "max t, 3 covariates": (True, False, False, (512, 512), (400, 60)),
    "clusters": (False, False, True, (256, 64), (100, 30)),
    "TFCE": (False, True, False, (128, 32), (6, 3)),
}
# How many times faster than nilearn each has to be at both sizes.
WANTED = {"max t": (30, 80), "max t, 3 covariates": (8, 20), "clusters": (40, 40), "TFCE": (50, 30)}

# The command line, and then what the process took.
REPORTING = """
import sys
from seedmap.cli import main

main(sys.argv[1:])
print(open("/proc/self/status").read())
"""


class Case:
    """One job at one size, ours and nilearn's."""

    def __init__(self, shape, job, size):
        covariates, self.tfce, clusters, ours, theirs = JOBS[job]
        rng = np.random.default_rng(0)
        self.number, self.theirs = ours[size], theirs[size]
        noise = (gaussian_filter(rng.normal(size=shape), SIGMA).ravel() for _ in range(PEOPLE))
        self.maps = np.stack(list(noise)).astype(np.float32)
        self.covariates = rng.normal(size=(PEOPLE, 3)) if covariates else None
        x = np.ones((PEOPLE, 1)) if not covariates else self.design()
        tested = split_design(x, np.eye(x.shape[1])[-1])
        plan = plan_shuffles(tested, self.number)
        scores = Scores(np.full(self.maps.shape[1], float(tested.dof)))
        whole = self.tfce or clusters
        self.threshold = 0.001 if clusters else None
        self.test = Shuffling(
            pooled(self.maps, tested, plan, scores),
            plan,
            graph_of(shape) if whole else None,
            self.tfce,
            scores.threshold(0.001) if clusters else None,
        )
        mask = Nifti1Image(np.ones(shape, dtype=np.uint8), np.eye(4))
        self.masker = NiftiMasker(mask).fit() if whole else None

    def design(self):
        """Two groups, three covariates, the group last."""
        group = np.arange(PEOPLE) % 2
        return np.column_stack([np.ones(PEOPLE), self.covariates, group])

    def ours(self, threads=1):
        """Do our shuffles; the identity is one of them."""
        shuffle(self.test, (0, self.number), n_jobs=threads)

    def nilearn(self, number):
        """Do nilearn's shuffles."""
        x = np.ones((PEOPLE, 1)) if self.covariates is None else self.design()[:, -1:]
        options = {"masker": self.masker, "tfce": self.tfce, "threshold": self.threshold}
        permuted_ols(x, self.maps, self.covariates, n_perm=number, random_state=0, **options)


def graph_of(shape):
    """Return the voxels that share faces."""
    index = np.arange(np.prod(shape)).reshape(shape)
    ends = [
        (index.take(range(n - 1), axis).ravel(), index.take(range(1, n), axis).ravel())
        for axis, n in enumerate(shape)
    ]
    first, second = (np.concatenate(end) for end in zip(*ends, strict=True))
    pairs = np.stack([np.append(first, second), np.append(second, first)], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    degree = np.bincount(pairs[:, 0], minlength=index.size)
    return Graph.of(np.append(0, np.cumsum(degree)), pairs[:, 1])


def spent(work, clock=time.process_time):
    """Return the seconds that some work takes."""
    start = clock()
    work()
    return clock() - start


def bare(maps):
    """Multiply rows with the maps, block by block; return milliseconds a row."""
    blocks = [
        np.ascontiguousarray(maps[:, at : at + BLOCK]) for at in range(0, maps.shape[1], BLOCK)
    ]
    rows = np.random.default_rng(0).choice(np.float32([-1, 1]), size=(ROWS, PEOPLE))
    out = np.empty((ROWS, BLOCK), dtype=np.float32)

    def work():
        for block in blocks:
            np.matmul(rows, block, out=out[:, : block.shape[1]])

    work()
    return spent(lambda: [work() for _ in range(16)]) / 16 / ROWS * 1e3


def measured(case, rounds):
    """Return the milliseconds a shuffle of each side, one value a round."""
    case.ours()  # compiles
    found = {"nilearn": [], "seedmap": [], "product": [], "two threads": []}
    for _ in range(rounds):
        fixed = spent(lambda: case.nilearn(0))
        theirs = spent(lambda: case.nilearn(case.theirs)) - fixed
        found["nilearn"].append(theirs / case.theirs * 1e3)
        found["seedmap"].append(spent(case.ours) / case.number * 1e3)
        found["product"].append(bare(case.maps))
        one, two = (spent(lambda n=n: case.ours(n), time.perf_counter) for n in (1, 2))
        found["two threads"].append(one / two)
    return found


def row(job, size, found):
    """Write one row of the table."""
    cells = [f"{statistics.median(v):.3g} ({min(v):.3g})" for v in found.values()]
    cells[3] = f"{max(found['two threads']):.2g} x"
    ratios = [statistics.median(found["nilearn"]) / statistics.median(found["seedmap"])]
    ratios.append(min(found["nilearn"]) / min(found["seedmap"]))
    name, wanted = list(SHAPES)[size], WANTED[job][size]
    cells += [
        f"{ratios[0]:.0f} ({ratios[1]:.0f})",
        f"{wanted}",
        "yes" if ratios[0] >= wanted else "no",
    ]
    return f"| {job}, {name} | " + " | ".join(cells) + " |"


def long_job(tfce):
    """Do the shuffles of 100 people and 230,000 samples, on two cores; return facts of it."""
    shape = SHAPES["230,000 samples"]
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((100, int(np.prod(shape))), dtype=np.float32)
    tested = split_design(np.ones((100, 1)), [1])
    plan = plan_shuffles(tested, 10_000)
    scores = Scores(np.full(maps.shape[1], 99.0))
    test = Shuffling(pooled(maps, tested, plan, scores), plan, graph_of(shape), tfce)
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is what there is now
    before = most_memory()
    seconds = spent(lambda: shuffle(test, (0, 10_000), n_jobs=2), time.perf_counter)
    kind, more, load = "TFCE" if tfce else "max t", most_memory() - before, os.getloadavg()[1]
    return (
        f"10,000 shuffles of {kind}: {seconds:.0f} s, {more:.0f} MB beside the maps; load of the machine over the "
        f"last 5 minutes {load:.1f}"
    )


def whole_command(*options):
    """Run the command over 100 maps of 2 mm with standard errors; return a fact of its memory."""
    mask = load_mni152_brain_mask(resolution=2)
    inside, rng = mask.get_fdata() > 0, np.random.default_rng(0)
    lines = ["participant_id\teffect\tse"]
    with tempfile.TemporaryDirectory() as folder:
        for person in range(100):
            noise = gaussian_filter(rng.normal(size=inside.shape), SIGMA)
            for kind, values in (
                ("effect", 2 * noise),
                ("se", 0.1 + 0.1 * rng.random(noise.shape)),
            ):
                image = Nifti1Image((inside * values).astype(np.float32), mask.affine)
                image.to_filename(f"{folder}/{person}_{kind}.nii")
            lines.append(f"{person}\t{person}_effect.nii\t{person}_se.nii")
        Path(folder, "maps.tsv").write_text("\n".join(lines))
        command = [sys.executable, "-c", REPORTING, "group", "out", "--maps", "maps.tsv"]
        command += ["--seed", "PCC", "--shuffles", "256", "--nprocs", "2", "--quiet", *options]
        said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    most = int(said.stdout.split("VmHWM:")[1].split()[0]) / 1e3
    size = 4e-6 * 100 * inside.sum()
    return (
        f"The whole command{''.join(f' with {one}' for one in options)}, 100 maps of 2 mm ({size:.0f} MB in float32) "
        f"and as many standard errors: {most:.0f} MB at most"
    )


def most_memory():
    """Return the most memory that this process had since it was asked to forget [MB]."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def main():
    """Measure and print; write the page if one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="30,000 samples only")
    parser.add_argument(
        "--long", action="store_true", help="100 people, 10,000 shuffles: time, memory; 10 minutes"
    )
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    head = (
        "| | nilearn | seedmap | bare product | two threads | ratio | wanted | met |\n"
        + "|---" * 8
        + "|"
    )
    lines = [
        "# Speed of the group step",
        *__doc__.partition("\n\n")[2].partition("\n\n    ")[:1],
        head,
    ]
    print(head, flush=True)
    with threadpoolctl.threadpool_limits(1):
        for size, shape in enumerate(list(SHAPES.values())[: 1 if options.quick else 2]):
            for job in JOBS:
                lines.append(row(job, size, measured(Case(shape, job, size), options.rounds)))
                print(lines[-1], flush=True)
    if options.long:
        lines.append("\n100 people, 230,000 samples, two threads:\n")
        for tfce in (False, True):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                lines.append("- " + pool.submit(long_job, tfce).result())
                print(lines[-1], flush=True)
        for options_of_command in (("--no-tfce",), ("--tfce",), ("--estimator=weighted",)):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                lines.append("- " + pool.submit(whole_command, *options_of_command).result())
                print(lines[-1], flush=True)
    if options.page:
        text = "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])
        options.page.write_text(f"{text}\n\n{measured_on('benchmarks/bench_group.py')}\n")


if __name__ == "__main__":
    sys.exit(main())
