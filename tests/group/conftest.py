"""A small study of maps with a known answer."""

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SHAPE = (12, 13, 11)
PEOPLE = 16
STEM = "task-rest_space-S_res-4_seed-PCC_stat-{stat}_desc-36P_statmap.nii.gz"


@dataclass
class Study:
    """Maps of people on disk, and what was planted.

    Patients (the first half) have 0.6 more in a block at the middle; the seed is near one corner.
    """

    folder: Path
    maps: np.ndarray
    """Shape (people, x, y, z)."""
    mask: np.ndarray
    blob: np.ndarray
    near: np.ndarray
    table: Path
    ages: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def samples(self):
        """The maps in the mask, shape (people, samples)."""
        return self.maps[:, self.mask].astype(np.float64)


def save(path, values, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(values.astype(np.float32), affine).to_filename(path)


def written_study(folder, seed=0, planted=0.6):
    """Write the maps of a study."""
    rng = np.random.default_rng(seed)
    affine = np.diag([4.0, 4, 4, 1])
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1:-1, 1:-1, 1:-1] = True
    noise = np.stack([gaussian_filter(rng.normal(size=SHAPE), 1) for _ in range(PEOPLE)])
    maps = 0.2 + 0.15 * noise / noise.std()
    blob, near = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    blob[4:8, 5:9, 4:7], near[1:3, 1:3, 1:3] = True, True
    maps[: PEOPLE // 2, blob] += planted
    maps[:, near] += 2.0
    maps[:, ~mask] = 0
    se, q = np.where(mask, 0.1, 0), np.where(mask, 0.5, 0)
    q[near] = np.nan
    for number, values in enumerate(maps, start=1):
        base = folder / f"sub-{number:02d}" / "func"
        for stat, array in (("fisherz", values), ("se", se), ("q", q)):
            save(base / f"sub-{number:02d}_{STEM.format(stat=stat)}", array, affine)
    ages = rng.normal(40, 10, PEOPLE).round(1)
    rows = [
        f"sub-{i + 1:02d}\t{'patient' if i < PEOPLE // 2 else 'control'}\t{ages[i]}\t{'ABC'[i % 3]}"
        for i in range(PEOPLE)
    ]
    table = folder / "participants.tsv"
    table.write_text("\n".join(["participant_id\tgroup\tage\tsite", *rows]) + "\n")
    kept = maps.astype(np.float32)
    return Study(folder, kept, mask, blob, near, table, ages)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Return a study that nobody changes."""
    return written_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def own_study(tmp_path):
    """Return a study that a test may change."""
    return written_study(tmp_path / "study")


@pytest.fixture
def make_study():
    """Return the function that writes a study."""
    return written_study
