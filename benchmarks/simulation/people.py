"""Seeds of one person on the brain of another: real noise, and nothing to find.

Both rested, at different times, in different scanners: no sample of one can follow the other. What
is called significant is false, whatever the noise of real brains is like.
"""

from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedmap.connectivity import (
    effective_dof,
    frame_variance,
    infer,
    infer_naively,
    noise_tables,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.correlation import unit_seeds
from seedmap.temporal import Cleaning, cleaning_operator
from simulation.pairs import BAND, HIGH_PASS, NO_FILTER

Array = NDArray[np.float64]

VOLUME = "volume/sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"
SURFACE = "surface/sub-02_task-rest_hemi-{}_space-fsaverage5_bold.func.gii"
SEEDS, SAMPLES = 150, 3000
FILTERS = {"band": BAND, "high-pass": HIGH_PASS, "no filter": NO_FILTER}
CONFOUNDS = (0, 5, 10)


class Person(NamedTuple):
    """One resting run: samples (frames, samples) that vary, components of confounds, seconds."""

    says: str
    series: NDArray[np.float32]
    confounds: Array
    t_r: float


def load(folder: Path) -> list[Person]:
    """Read the two people of the development data, as many frames of each as both have."""
    bold = nib.load(folder / VOLUME)
    mask = folder / VOLUME.replace("preproc_bold", "brain_mask")
    inside = np.asarray(nib.load(mask).dataobj) > 0
    one = np.asarray(bold.dataobj, dtype=np.float32)[inside].T
    sides = [nib.load(folder / SURFACE.format(side)) for side in "LR"]
    other = np.hstack([np.stack([part.data for part in side.darrays]) for side in sides])
    frames = min(len(one), len(other))
    tables = [
        folder / f"{kind}/sub-0{number}_task-rest_desc-confounds_timeseries.tsv"
        for kind, number in (("volume", 1), ("surface", 2))
    ]
    return [
        Person(says, _varying(series[:frames]), _components(table, frames), t_r)
        for says, series, table, t_r in zip(
            ("volume", "surface"), (one, other), tables, (1.5, 1.4), strict=True
        )
    ]


def _varying(series: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(series[:, np.ptp(series, axis=0) > 0], dtype=np.float32)


def _components(table: Path, frames: int) -> Array:
    """Give the first principal components of the confounds, standardised, (frames, 10)."""
    values = pd.read_csv(table, sep="\t").iloc[:frames].fillna(0.0).to_numpy(dtype=np.float64)
    values = values[:, np.ptp(values, axis=0) > 0]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return np.linalg.svd(values, full_matrices=False)[0][:, : max(CONFOUNDS)]


def try_one(
    seeds: Array, brain: Person, samples: NDArray[np.float32], cleaning: Cleaning, confounds: int
) -> tuple[float, float, float]:
    """Count p < .05, p < .001, and naive p < .05, in percent of all pairs."""
    keep = np.ones(len(seeds), dtype=bool)
    made = cleaning_operator(cleaning, keep, brain.t_r, brain.confounds[:, :confounds])
    residuals = made.residuals(samples - samples[:1])
    variance = frame_variance(residuals[:, ::5], made.noise_basis)
    tables = noise_tables(made, variance, intervals=False)
    dof = effective_dof(seed_kernels(tables, seed_lags(tables, made.rows, seeds)), residuals).dof
    x, y = (unit_seeds(made.rows @ one, one) for one in (seeds, samples.astype(np.float64)))
    p = infer(x.T @ y, dof, tables.rank).p
    naive = infer_naively(x.T @ y, len(seeds)).p
    return tuple(100 * float(np.mean(one)) for one in (p < 0.05, p < 0.001, naive < 0.05))


def people(folder: Path, seed: int) -> list[dict[str, object]]:
    """Try every filter and number of confounds, each person being the brain once."""
    rng = np.random.default_rng([seed, 3])
    rows = []
    both = load(folder)
    for source, brain in (both, both[::-1]):
        seeds = source.series[:, rng.choice(source.series.shape[1], SEEDS, replace=False)]
        some = brain.series[:, rng.choice(brain.series.shape[1], SAMPLES, replace=False)]
        for says, cleaning in FILTERS.items():
            for confounds in CONFOUNDS:
                rates = try_one(seeds.astype(np.float64), brain, some, cleaning, confounds)
                rows.append(
                    {
                        "says": f"seeds of the {source.says}, brain of the {brain.says}, {says}",
                        "confounds": confounds,
                        **dict(zip(("ours_05", "ours_001", "naive_05"), rates, strict=True)),
                        "good": 3.8 <= rates[0] <= 6.2 and rates[1] <= 0.3,
                    }
                )
    return rows
