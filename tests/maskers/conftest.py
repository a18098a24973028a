"""A tiny run in every type that images come in, and what belongs to it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE, FRAMES, T_R = (12, 13, 11), 60, 2.0
AFFINE = np.array([[4.0, 0, 0, -20], [0, 4, 0, -24], [0, 0, 4, -18], [0, 0, 0, 1]])


def make_values():
    rng = np.random.default_rng(3)
    values = np.zeros((*SHAPE, FRAMES))
    inside = (slice(2, -2),) * 3
    part = values[inside]
    part += 800 + 300 * rng.random(part.shape[:3])[..., None]
    drift = rng.normal(size=FRAMES).cumsum()
    part += 3 * drift * rng.random(part.shape[:3])[..., None] + 10 * rng.normal(size=part.shape)
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def values():
    made = make_values()
    made.setflags(write=False)
    return made


@pytest.fixture(scope="session")
def images(values, tmp_path_factory) -> dict[str, Path]:
    """Paths of one run as float32, float64, int16 and int16 with a scale."""
    folder = tmp_path_factory.mktemp("images")
    made = {}
    for name, dtype in (("float32", np.float32), ("float64", np.float64), ("int16", np.int16)):
        image = nib.Nifti1Image(values.astype(dtype), AFFINE)
        image.header.set_zooms((4, 4, 4, T_R))
        made[name] = folder / f"{name}_bold.nii.gz"
        image.to_filename(made[name])
    scaled = nib.Nifti1Image(values, AFFINE)
    scaled.set_data_dtype(np.int16)
    made["scaled"] = folder / "scaled_bold.nii.gz"
    scaled.to_filename(made["scaled"])
    return made


@pytest.fixture(scope="session")
def confounds():
    made = np.random.default_rng(4).normal(size=(FRAMES, 4)).cumsum(axis=0)
    made.setflags(write=False)
    return made


@pytest.fixture(scope="session")
def mask_img():
    mask = np.zeros(SHAPE, dtype=np.int8)
    mask[3:-2, 2:-3, 3:-3] = 1
    return nib.Nifti1Image(mask, AFFINE)


@pytest.fixture(scope="session")
def labels_img():
    labels = np.zeros(SHAPE, dtype=np.int16)
    labels[2:5, 2:6, 2:9] = 1
    labels[5:9, 3:9, 3:6] = 4
    labels[6:10, 4:10, 6:9] = 7
    return nib.Nifti1Image(labels, AFFINE)


@pytest.fixture(scope="session")
def maps_img():
    rng = np.random.default_rng(5)
    maps = np.zeros((*SHAPE, 3), dtype=np.float32)
    for number in range(3):
        maps[2 + number : 7 + number, 3:9, 3:8, number] = rng.random((5, 6, 5))
    return nib.Nifti1Image(maps, AFFINE)
