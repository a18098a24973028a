"""What seed robustness and degree cost and find, for the figures of the documentation.

``python benchmarks/bench_robustness.py cost [FOLDER]`` compares the processor time of
`seed_robustness` with that of one map, from the store and from the images, on a phantom.
``... found [FOLDER]`` prints errors of seeds in the phantom, and ``... group [FOLDER]`` those of maps
of twelve phantoms, and how many of their voxels with p < .001 keep it; where ``SEEDMAP_TEST_DATA`` names the
real data, ``... real`` prints those of a real run under four cleanings, the difference of its halves
for 200 random seeds, and what degree explains.
"""

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import seedmap as sm
from seedmap.analysis import maps_of, origin_facts, prepare, read
from seedmap.analysis.options import Inputs, Method
from seedmap.spatial import Reading, extract
from seedmap.store import StoredRun, open_stored, write_stored

SEED = "PCC=0,-52,18"
PLANTED = [SEED, "mPFC=1,55,-3", "LMotor=-36,-25,57", "edge=0,-52,28", "nothing=20,10,10"]
REAL = {
    "PCC": (0, -52, 18),
    "mPFC": (1, 55, -3),
    "LIPL": (-46, -68, 32),
    "M1": (-38, -22, 56),
    "V1": (0, -88, 0),
    "thalamus": (-10, -18, 8),
    "white matter": (-26, -30, 28),
    "ventricle": (-8, 2, 18),
}
CLEANINGS = {
    "none": None,
    "white matter, CSF": ("csf", "white_matter"),
    "white matter, CSF, global signal": ("csf", "white_matter", "global_signal"),
    "aCompCor": ("a_comp_cor_*", "cosine*"),
}
ROUNDS = 5


def cost(folder: Path) -> None:
    """Print the processor time of the check as multiples of that of one map."""
    made = sm.datasets.make_phantom(folder / "phantom", voxel_size=4, n_frames=300)
    given = {"confounds": made.confounds[0], "mask_img": made.masks[0], "n_jobs": 1}
    stored = _store(made.func[0], folder / "run_bold.zarr", given)
    number = sum(row.number for row in sm.seed_robustness(stored, SEED).rows)
    ways = {
        "one map from the store": lambda: sm.stored_maps(stored, SEED),
        "the same with q": lambda: sm.stored_maps(stored, SEED).values("PCC", "q"),
        f"robustness from the store ({number} maps, 40 random spheres)": lambda: sm.seed_robustness(
            stored, SEED
        ),
        "degree from the store": lambda: sm.stored_maps(stored, SEED, degree=True),
        "one map from the images, with q": lambda: sm.seed_maps(made.func[0], SEED, **given).values(
            "PCC", "q"
        ),
        "robustness from the images": lambda: sm.seed_robustness(made.func[0], SEED, **given),
    }
    took = {name: _took(work) for name, work in ways.items()}
    one, images = took["one map from the store"], took["one map from the images, with q"]
    for name, seconds in took.items():
        times = seconds / (images if "images" in name else one)
        print(f"{name}: {1000 * seconds:.0f} ms, {times:.1f} times")


def found(folder: Path) -> None:
    """Print what is found in the phantom."""
    made = sm.datasets.make_phantom(folder / "phantom", voxel_size=4)
    keep = made.truth.sample_masks[0]
    given = {"confounds": made.confounds[0], "mask_img": made.masks[0], "sample_mask": keep}
    _table(sm.seed_robustness(made.func[0], PLANTED, **given))


def group(folder: Path) -> None:
    """Print what is found over twelve phantoms, through the command line."""
    from seedmap.cli import main

    study, out = folder / "study", folder / "out"
    if not study.is_dir():
        sm.datasets.make_study(study, 12)
        line = ["--strategy", "36P", "--store", "--no-figures", "-q"]
        main(["bids", str(study), str(out), "participant", "--seed", SEED, *line])
    for seed in PLANTED:
        line = ["group", str(out), "--seed", seed, "--from-store", "--seed-robustness", "-q"]
        main([*line, "--inference", "parametric", "--out", str(out / "group")])
        name = seed.split("=")[0]
        (table,) = out.joinpath("group").glob(f"*_seed-{name}_*_robustness.tsv")
        heads, *rows = [line.split("\t") for line in table.read_text().splitlines()]
        error, kept = heads.index("error"), heads.index("survival_95")
        found = "; ".join(f"{row[0]} {float(row[error]):.2f} ({row[kept]})" for row in rows)
        print(f"{name}, error (survives in 95 %): {found}")


def real() -> None:
    """Print what is found in a real run."""
    data = Path(os.environ["SEEDMAP_TEST_DATA"]) / "volume"
    stem = "sub-01_task-rest_space-MNI152_res-4_desc-"
    bold, mask = data / f"{stem}preproc_bold.nii.gz", data / f"{stem}brain_mask.nii.gz"
    seeds = [sm.Sphere(name, place) for name, place in REAL.items()]
    space = sm.seed_maps(bold, SEED, mask_img=mask).space
    places = space.coordinates()[np.random.default_rng(0).permutation(space.n_samples)[:200]]
    random = [sm.Sphere(f"s{k}", tuple(place)) for k, place in enumerate(places)]
    for name, columns in CLEANINGS.items():
        given = {"mask_img": mask}
        if columns:
            table = data / "sub-01_task-rest_desc-confounds_timeseries.tsv"
            given |= {"confounds": table, "confound_columns": columns}
        print(f"\n{name}")
        _table(sm.seed_robustness(bold, seeds, **given))
        halves = sm.seed_robustness(bold, random, number=2, centre=[4], **given)
        errors = [row.error for row in halves.rows if row.kind == "time"]
        print(
            "halves of 200 random seeds, 5 50 95 %:", *np.percentile(errors, [5, 50, 95]).round(2)
        )
        degree = sm.seed_maps(bold, SEED, degree=True, **given).degree
        shares = np.round(degree.random["PCC"], 3)
        print(f"degree explains {degree.r2['PCC']:.3f} of PCC, of random spheres", *shares)


def _table(made: sm.SeedRobustness) -> None:
    for seed in made.seeds:
        rows = {row.kind: row for row in made.rows if row.seed == seed}
        q = made.values(seed, "q")
        share = np.mean(q[np.isfinite(q)] < 0.05)
        errors = " ".join(f"{kind} {row.error:.2f}" for kind, row in rows.items())
        kept = " ".join(f"{rows[kind].survival_95:.2f}" for kind in ("centre4", "centre8"))
        one = rows["centre8"]
        print(
            f"{seed}: {errors}; predicted {one.predicted:.2f}; random {one.random_low:.2f} "
            f"{one.random_median:.2f} {one.random_high:.2f}; significant {share:.1%}, of it survives in "
            f"95 % (4, 8 mm) {kept}; homogeneity {one.homogeneity:.2f}"
        )


def _store(bold: Path, path: Path, given: dict) -> StoredRun:
    options = {name: value for name, value in given.items() if name != "n_jobs"}
    prepared = prepare(Inputs(bold, **options), SEED, Method())
    smooth = read(prepared)
    maps = maps_of(prepared, smooth)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    facts = {**origin_facts(maps), "file": bold.name}
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    return open_stored(path)


def _took(work) -> float:
    """Return the least processor time of some rounds [s]."""
    times = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    what = sys.argv[1] if len(sys.argv) > 1 else "cost"
    if what == "real":
        real()
    else:
        with tempfile.TemporaryDirectory() as temporary:
            {"cost": cost, "found": found, "group": group}[what](
                Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
            )
