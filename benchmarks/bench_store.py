"""What stored runs cost: time for maps of new seeds beside that from images, and disk space.

``python benchmarks/bench_store.py speed [FOLDER]`` computes r and z of 100 new seeds over 12
participants, from the images and from the store, in processes of their own whose whole time counts,
start and imports included; nothing is written. ``... sizes [FOLDER]`` stores runs of
several lengths, with and without a low-pass filter. Data are made in the folder, or a temporary
one. Processor time is printed, too: it is what an otherwise busy machine leaves comparable.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.fresh import as_installed

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROUNDS = 3
FRAMES = (168, 300, 600, 1200)
SHORTEST = 200  # s; of less, 36 confounds leave nothing in the passband


def speed(folder: Path) -> None:
    """Print the processor time of both ways, and how far their numbers differ."""
    import numpy as np

    from seedmap.datasets import make_study

    if not (folder / "study").is_dir():
        make_study(folder / "study", 12)
    if not (folder / "stored").is_dir():
        _keep(folder / "study", folder / "stored", 0.1)
    _spheres(folder)
    ways = ("images", "store")
    rounds = [[_call(way, folder) for way in ways] for _ in range(ROUNDS)]
    (images_took, images_busy), (store_took, store_busy) = np.median(rounds, axis=0)
    images, store = (np.load(folder / f"{way}.npz") for way in ("images", "store"))
    away = {stat: float(np.nanmax(np.abs(images[stat] - store[stat]))) for stat in ("r", "z")}
    print(
        f"r and z of 100 new seeds, 12 participants at 4 mm, 168 frames, whole process: images "
        f"{images_took:.2f} s, store {store_took:.2f} s, {images_took / store_took:.1f} times "
        f"(processor time {images_busy:.2f} and {store_busy:.2f} s, {images_busy / store_busy:.1f} "
        f"times); r within {away['r']:.1e}, z within {away['z']:.1e}"
    )


def sizes(folder: Path) -> None:
    """Print what runs of several lengths take, as a multiple of one float32 series."""
    from seedmap.datasets import make_phantom
    from seedmap.store import open_stored

    print(
        "| frames | 0.01 to 0.1 Hz, 2 s | from 0.01 Hz, 2 s | 0.01 to 0.1 Hz, 0.8 s |\n|---|---|---|---|"
    )
    for frames in FRAMES:
        found = []
        for t_r, low_pass in ((2.0, 0.1), (2.0, None), (0.8, 0.1)):
            if frames * t_r < SHORTEST:
                found.append(float("nan"))
                continue
            study = folder / f"study-{frames}-{t_r}"
            if not study.is_dir():
                make_phantom(study, n_frames=frames, t_r=t_r, layout="bids")
            out = folder / f"stored-{frames}-{t_r}-{low_pass}"
            _keep(study, out, low_pass)
            (path,) = (out / "store").glob("*.zarr")
            run = open_stored(path)
            found.append(run.size / (4 * run.keep.sum() * run.space.n_samples))
        print("| " + " | ".join([str(frames), *(f"{one:.2f}" for one in found)]) + " |", flush=True)


def _call(way: str, folder: Path) -> tuple[float, float]:
    """Run one way in a process of its own; return its time and its processor's [s], without writing."""
    command = [sys.executable, __file__, way, str(folder)]
    started = time.time()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=as_installed())
    ended, busy = map(float, done.stdout.split()[-2:])
    return ended - started, busy


def images(folder: Path) -> None:
    """Compute r and z from the images."""
    from seedmap.bids import Filters, find_participants
    from seedmap.participants.run import clean_run, open_work

    recipe, found = _recipe(folder / "study", _spheres(folder)), []
    for participant in find_participants(folder / "study", Filters()):
        (done,) = clean_run(recipe, open_work(recipe, participant.runs[0]))
        found.append((done.maps.r, done.maps.z))
    _end(folder / "images.npz", found)


def store(folder: Path) -> None:
    """Compute r and z from the stored runs, which lie on one grid."""
    from seedmap.store import open_stored

    found, weights, box = [], [], None
    for path in sorted((folder / "stored" / "store").glob("*.zarr")):
        run = open_stored(path)
        if box is None or not box.same_grid(run.space):
            box = run.space
            weights = [seed.weights(box) for seed in _spheres(folder)]
        maps = run.maps(weights)
        found.append((maps.r, maps.z))
    _end(folder / "store.npz", found)


def _end(path: Path, found) -> None:
    """Print the time until now, then write what was found."""
    print(time.time(), sum(os.times()[:2]))
    import numpy as np

    np.savez(path, r=[r for r, _ in found], z=[z for _, z in found])


def _spheres(folder: Path):
    """Draw seeds inside the brain, once for both ways."""
    import json

    from seedmap.seeds import Sphere

    path = folder / "seeds.json"
    if not path.is_file():
        path.write_text(json.dumps(_places(folder)))
    return [Sphere(f"s{n}", tuple(place)) for n, place in enumerate(json.loads(path.read_text()))]


def _places(folder: Path) -> list[list[float]]:
    import nibabel as nib
    import numpy as np
    from scipy.ndimage import binary_erosion

    image = nib.load(next((folder / "study").glob("sub-01/func/*mask.nii.gz")))
    inside = np.argwhere(binary_erosion(np.asarray(image.dataobj) > 0, iterations=3))
    chosen = np.random.default_rng(0).choice(inside, 100, replace=False)
    return (chosen @ image.affine[:3, :3].T + image.affine[:3, 3]).tolist()


def _recipe(root: Path, seeds, **options):
    from seedmap.denoising import named
    from seedmap.participants.recipe import Recipe
    from seedmap.participants.seeds import StudySeed

    return Recipe(
        seeds=tuple(StudySeed(seed) for seed in seeds),
        strategies=(named("36P"),),
        root=root,
        figures=False,
        **options,
    )


def _keep(study: Path, out: Path, low_pass: float | None) -> None:
    """Store the runs of a study."""
    from seedmap import Cleaning, Sphere
    from seedmap.analysis import Method
    from seedmap.bids import Filters, find_participants
    from seedmap.parallel import Pool
    from seedmap.participants.study import plan_study, run_study

    method = Method(cleaning=Cleaning(low_pass=low_pass))
    recipe = _recipe(study, [Sphere("PCC", (0, -52, 18))], store=True, method=method)
    plan = plan_study(recipe, find_participants(study, Filters()), out, Pool(nprocs=1))
    done = run_study(recipe, plan, out, Pool(nprocs=1))
    assert all(one.state in ("done", "unchanged") for one in done)


WAYS = {"speed": speed, "sizes": sizes, "images": images, "store": store}

if __name__ == "__main__":
    WAYS[sys.argv[1]](Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()))
