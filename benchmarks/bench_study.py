"""How a study scales: two workers beside one, and a thousand tiny runs.

Run with ``python benchmarks/bench_study.py``; numbers count on a quiet machine only. The folder for
the data is the first argument, a fresh temporary one without it.
"""

import logging
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from seedmap.bids import Filters, find_participants
from seedmap.cli.console import peak_memory
from seedmap.datasets import make_study
from seedmap.denoising import named
from seedmap.parallel import Pool, Share, run_each
from seedmap.participants.recipe import Recipe
from seedmap.participants.seeds import StudySeed
from seedmap.participants.study import plan_study, run_study
from seedmap.seeds import Sphere

MANY = 1000
ROUNDS = 2
PCC = Sphere("PCC", (0, -52, 18))


def main(folder: Path) -> None:
    """Print a line a question."""
    study = folder / "study"
    if not study.is_dir():
        make_study(study, 12)
    participants = find_participants(study, Filters())
    print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    workers(folder, study, participants[:8])
    queue()
    many(folder)


def recipe_of(study, seeds, **options):
    """Make the same recipe for all questions."""
    settings = {"strategies": (named("36P"),), "figures": False} | options
    return Recipe(seeds=tuple(StudySeed(seed) for seed in seeds), root=study, **settings)


def workers(folder, study, participants):
    """Time the same study with one process on one core, and with two on two, turn by turn."""
    recipe = recipe_of(study, [PCC], figures=True)
    took, busy, peaks = {1: [], 2: []}, {1: [], 2: []}, []
    for _ in range(ROUNDS):
        for count in took:
            plan, wall, processor, peak = turn(folder, recipe, participants, count)
            took[count].append(wall)
            busy[count].append(processor)
            peaks.append(peak)
    one, two = min(took[1]), min(took[2])
    print(
        f"{len(participants)} participants at 4 mm, 168 frames, with figures, best of {ROUNDS} turns: "
        f"one worker {one:.1f} s, two {two:.1f} s (a core each, their start not counted): {one / two:.2f} times; "
        f"processor time {min(busy[1]):.1f} and {min(busy[2]):.1f} s; peak of a worker "
        f"{max(peaks):.0f} MB, estimate {plan.memory / 1e6:.0f} MB"
    )


def turn(folder, recipe, participants, count):
    """Do the study once with workers that are up and have done one participant before."""
    from distributed import Client, LocalCluster

    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        for core, worker in enumerate(client.scheduler_info()["workers"]):
            client.run(stay_on, core, workers=[worker])
        pool = Pool(dask_scheduler=cluster.scheduler_address)
        # As many as there are workers, so that each has met its libraries.
        first = plan_study(recipe, participants[:count], folder / "warm", pool)
        run_study(recipe, replace(first, settled=()), folder / "warm", pool)
        shutil.rmtree(folder / "warm")
        plan = plan_study(recipe, participants, out, pool)
        before = sum(client.run(time.process_time).values())
        started = time.perf_counter()
        results = run_study(recipe, plan, out, pool)
        wall = time.perf_counter() - started
        processor = sum(client.run(time.process_time).values()) - before
        peak = max(client.run(peak_memory).values()) * (1 << 20) / 1e6
    assert all(one.state == "done" for one in results)
    return plan, wall, processor, peak


def stay_on(core):
    """Keep every thread of a process on one core: reading ahead has a thread of its own."""
    cores = sorted(os.sched_getaffinity(os.getppid()))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[core % len(cores)]})


def queue():
    """Time items that do nothing: what is left is scheduling."""
    started = time.perf_counter()
    first = None
    for _ in run_each(abs, range(MANY), Pool(nprocs=2), Share(2, 1, 1e9)):
        first = first or time.perf_counter()
    end = time.perf_counter()
    print(
        f"{MANY} runs that do nothing: {(end - first) / MANY * 1e3:.2f} ms each, after "
        f"{first - started:.1f} s of starting"
    )


def many(folder):
    """Do a study of very many tiny runs, and ask what of the time was not work on a run."""
    study, out = folder / f"study-{MANY}", folder / f"out-{MANY}"
    if not study.is_dir():
        linked_study(study)
    shutil.rmtree(out, ignore_errors=True)
    recipe, pool = recipe_of(study, [PCC], strategies=(named("6P"),)), Pool(nprocs=2)
    for call in ("first", "second"):
        marks, busy = [time.perf_counter()], time.process_time()
        participants = find_participants(study, Filters())
        marks.append(time.perf_counter())
        plan = plan_study(recipe, participants, out, pool)
        plan = replace(plan, share=Share(2, 1, plan.share.memory))
        marks.append(time.perf_counter())
        results = run_study(recipe, plan, out, pool)
        marks.append(time.perf_counter())
        busy = time.process_time() - busy
        find, look, work = np.diff(marks)
        said = f"{MANY} tiny runs, {call} call: found in {find:.1f} s, looked at in {look:.1f} s, "
        if call == "first":
            assert all(one.state == "done" for one in results)
            inside = sum(one.seconds for one in results)
            over = 2 * work - inside
            said += (
                f"done in {work:.1f} s; {inside / MANY * 1e3:.0f} ms a run, and beside it "
                f"{over / MANY * 1e3:.0f} ms ({over / (2 * work):.0%} of two workers' time, their "
                f"start included); processor time of the scheduler {busy / MANY * 1e3:.1f} ms a run"
            )
        else:
            assert all(one.state == "unchanged" for one in results)
            said += f"nothing to do in {work:.1f} s"
        print(said)


def linked_study(folder):
    """Make one tiny participant and let hard links stand for the others."""
    make_study(folder, 1, voxel_size=12, n_frames=60)
    for number in range(2, MANY + 1):
        for path in folder.glob("sub-01/func/*"):
            label = f"sub-{number:04d}"
            target = folder / label / "func" / path.name.replace("sub-01", label)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="seedmap-bench-"))
    )
