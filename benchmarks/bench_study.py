"""How a study scales: two workers beside one, the cost of scheduling, and the store.

Run with ``python benchmarks/bench_study.py``; numbers count on a quiet machine only. The folder for
the data is the first argument, a fresh temporary one without it.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from seedmap.datasets import make_study
from seedmap.participants.find import Filters, find_participants
from seedmap.participants.onerun import clean_run, open_inputs
from seedmap.participants.presets import named
from seedmap.participants.recipe import Recipe
from seedmap.participants.schedule import Pool, Share, run_each
from seedmap.participants.seedlist import PlacedSeed
from seedmap.participants.study import plan_study, run_study
from seedmap.seeds import Sphere
from seedmap.store import open_stored

MANY = 1000
SEEDS = 100


def main(folder: Path) -> None:
    """Print a line a question."""
    study = folder / "study"
    if not study.is_dir():
        make_study(study, 12)
    participants = find_participants(study, Filters())
    print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    workers(folder, study, participants)
    queue()
    store(folder, study, participants)


def recipe_of(study, seeds, **options):
    """Make the same recipe for all questions."""
    return Recipe(
        seeds=tuple(PlacedSeed(seed) for seed in seeds),
        strategies=(named("36P"),),
        root=study,
        figures=False,
        **options,
    )


def workers(folder, study, participants):
    """Time the same study with one process of one thread, and with two."""
    recipe = recipe_of(study, [Sphere("PCC", (0, -52, 18))])
    took = {}
    for count in (1, 2):
        out = folder / f"out-{count}"
        shutil.rmtree(out, ignore_errors=True)
        pool = Pool(nprocs=count)
        plan = plan_study(recipe, participants, out, pool)
        plan = type(plan)(plan.todo, (), plan.memory, Share(count, 1, plan.share.memory))
        started = time.perf_counter()
        results = run_study(recipe, plan, out, pool)
        took[count] = time.perf_counter() - started
        assert all(one.state == "done" for one in results)
    print(
        f"12 participants at 4 mm, 168 frames: one worker {took[1]:.1f} s, two {took[2]:.1f} s "
        f"(with their start), {took[1] / took[2]:.2f} times; estimate {plan.memory / 1e6:.0f} MB a run"
    )


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


def store(folder, study, participants):
    """Time r and z of 100 new seeds over all participants, from images and from the store."""
    seeds = spheres(participants)
    recipe = recipe_of(study, seeds)
    stored = folder / "stored"
    if not stored.is_dir():
        keep = recipe_of(study, seeds[:1], store=True)
        plan = plan_study(keep, participants, stored, Pool(nprocs=1))
        run_study(keep, plan, stored, Pool(nprocs=1))
    paths = sorted((stored / "store").glob("*.zarr"))
    warm = open_stored(paths[0])
    warm.maps([seeds[0].weights(warm.space)])  # brings zarr in
    started, busy = time.perf_counter(), time.process_time()
    images = [image_maps(recipe, one) for one in participants]
    from_images, images_busy = time.perf_counter() - started, time.process_time() - busy
    started, busy = time.perf_counter(), time.process_time()
    found = []
    for path in paths:
        run = open_stored(path)
        maps = run.maps([seed.weights(run.space) for seed in seeds])
        found.append((maps.r, maps.z))
    from_store, store_busy = time.perf_counter() - started, time.process_time() - busy
    r, z = (
        max(float(np.nanmax(np.abs(a[part] - b[part]))) for a, b in zip(images, found, strict=True))
        for part in (0, 1)
    )
    run = open_stored(paths[0])
    size = run.size / (4 * run.keep.sum() * run.space.n_samples)
    print(
        f"r and z of {SEEDS} new seeds, 12 participants: images {from_images:.1f} s, store "
        f"{from_store:.2f} s, {from_images / from_store:.1f} times (processor time {images_busy:.1f} and "
        f"{store_busy:.2f} s, {images_busy / store_busy:.1f} times); r within {r:.1e}, z within "
        f"{z:.1e}; size {size:.2f} of one float32 series a run"
    )


def image_maps(recipe, participant):
    """Make r and z of one participant from the image."""
    (done,) = clean_run(recipe, open_inputs(recipe, participant.runs[0]))
    return done.maps.r, np.stack([done.maps.values(seed, "z") for seed in done.maps.seeds])


def spheres(participants):
    """Draw seeds inside the brain."""
    import nibabel as nib
    from scipy.ndimage import binary_erosion

    image = nib.load(participants[0].runs[0].mask)
    inside = np.argwhere(binary_erosion(np.asarray(image.dataobj) > 0, iterations=3))
    chosen = np.random.default_rng(0).choice(inside, SEEDS, replace=False)
    places = chosen @ image.affine[:3, :3].T + image.affine[:3, 3]
    return [Sphere(f"s{n}", tuple(place)) for n, place in enumerate(places)]


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="seedmap-bench-"))
    )
