"""What lesions cost: 100 lesions x 100 people x 30,000 voxels, from arrays on disk as a pack has them.

    python benchmarks/bench_lesion.py [--threads 2] [--people 100] [--null]
    python benchmarks/bench_lesion.py --person

Prints seconds of each step; ``--person`` prints processor time a person at 2 mm, in memory. The arrays are
random numbers of the pack's kind; its size is what counts.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from seedmap.images import Grid
from seedmap.lesions import (
    Connectome,
    Places,
    Times,
    compare_sets,
    design,
    direction,
    draw_set,
    group_factor,
    lesion_series,
    likeness_products,
    mean_maps,
    nuisance,
    p_patients,
    p_people,
    predict,
    random_directions,
    slopes,
)

SHAPE = (30, 40, 25)
COORDINATES, LESIONS, NULL_SETS = 112, 100, 1000
FINE, PEOPLE = (60, 70, 55), 5


def on_disk(folder, name, people, random):
    """Write random coordinates voxel by voxel, and map them."""
    shape = (int(np.prod(SHAPE)), people, COORDINATES)
    made = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.int16, shape)
    for at in range(0, shape[0], 1000):
        part = made[at : at + 1000]
        part[:] = random.integers(-9000, 9000, part.shape, dtype=np.int16)
    made.flush()
    del made
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def balls(random, largest=5):
    """Make lesions with radii of 1 voxel to the largest."""
    steps = np.arange(-largest, largest + 1)
    reach = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    size = (reach**2).sum(axis=1)
    return [reach[size <= radius**2] for radius in random.uniform(1, largest, LESIONS)]


def scales(shape):
    """Return scales with which random coordinates have about unit norm."""
    return np.full(shape, 1 / (5200 * np.sqrt(COORDINATES)), np.float32)


def one_person(random):
    """Print the processor time of 100 lesions a person at 2 mm (231,000 voxels), one thread."""
    voxels = int(np.prod(FINE))
    made = random.integers(-9000, 9000, (voxels, PEOPLE, COORDINATES), dtype=np.int16)
    scale = scales(made.shape[:2])
    connectome = Connectome(made, scale, made, scale, np.arange(PEOPLE), np.ones(PEOPLE))
    lesions = draw_set(Places.of(np.ones(FINE, bool)), balls(random, 10), 1, 0)
    weights = random.standard_normal((LESIONS, voxels))
    series = lesion_series(connectome, lesions)
    steps = {
        "series of the lesions": lambda: lesion_series(connectome, lesions),
        "mean and slopes": lambda: mean_maps(connectome, series, weights),
        "mean, slopes and t": lambda: mean_maps(connectome, series, weights, t=True),
    }
    for name, step in steps.items():
        begun = time.process_time()
        step()
        print(f"{name:<28}{(time.process_time() - begun) / PEOPLE:7.3f} s a person")


def main():
    """Time each step once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--null", action="store_true", help="random sets, too")
    parser.add_argument("--person", action="store_true", help="only a person's cost at 2 mm")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    if options.person:
        one_person(random)
        return
    with tempfile.TemporaryDirectory() as folder:
        smooth, plain = (on_disk(Path(folder), one, options.people, random) for one in "sp")
        scale = scales(smooth.shape[:2])
        people = np.arange(options.people)
        connectome = Connectome(smooth, scale, plain, scale, people, np.ones(options.people))
        space = Grid.whole(np.eye(4), SHAPE)
        places, shapes = Places.of(space.mask), balls(random)
        run(connectome, (places, shapes), options, random)


def run(connectome, lesions_of, options, random):
    """Do all that the command does beside reading images and writing."""
    places, shapes = lesions_of
    lesions = draw_set(places, shapes, 1, 0)
    beside = nuisance(np.asarray(lesions.sum(axis=1)).ravel(), np.empty((LESIONS, 0)))
    score = random.standard_normal(LESIONS)
    split = design(score, beside)
    away = ~(lesions.toarray() > 0)
    begun = last = time.perf_counter()

    def lap(name):
        nonlocal last
        now = time.perf_counter()
        print(f"{name:<28}{now - last:7.2f} s")
        last = now

    series = lesion_series(connectome, lesions)
    lap("series of the lesions")
    found = mean_maps(connectome, series, slopes(split, away), n_jobs=options.threads)
    lap("maps, means, slopes")
    family, times = away.mean(axis=0) >= 0.5, Times(5000, 0, options.threads)
    p_patients(np.where(away, found.mean, np.nan), split, family, times)
    lap("5000 permutations")
    p_people(found.people, family, times)
    lap("5000 sign flips")
    predict(score, beside, *likeness_products(found.mean, found.mean.mean(axis=0)))
    lap("prediction, 1000 shuffles")
    if options.null:
        factor = group_factor(connectome)
        lap("group factor")
        sets = random_directions(factor, places, shapes, 0, np.arange(NULL_SETS))
        compare_sets(factor, direction(factor, lesions), sets)
        lap("1000 random sets")
    print(f"{'all':<28}{time.perf_counter() - begun:7.2f} s")


if __name__ == "__main__":
    main()
