"""What many tests share: the real data, if they are there, and tiny runs."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("seedmap", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("seedmap")


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data, which the project does not contain."""
    folder = os.environ.get("SEEDMAP_TEST_DATA")
    if not folder:
        pytest.skip("no real data: the environment variable SEEDMAP_TEST_DATA names no folder")
    if not Path(folder).is_dir():
        pytest.skip(f"no real data: SEEDMAP_TEST_DATA={folder} is not there")
    return Path(folder)


@pytest.fixture
def tiny_run(tmp_path):
    """Make small runs: a noisy box of brain in a background of zeros, written as a file."""

    def make(
        name="run.nii.gz",
        *,
        shape=(7, 6, 5),
        frames=12,
        dtype=np.float32,
        slope=None,
        inter=0.0,
        affine=None,
        t_r=2.0,
        endian="<",
        image_class=nib.Nifti1Image,
        rng=0,
    ):
        random = np.random.default_rng(rng)
        box = np.zeros((*shape, frames))
        inside = (slice(2, -2), slice(2, -2), slice(2, -1))
        box[inside] = 100 + 15 * random.standard_normal(box[inside].shape)
        stored = np.clip(box.round(), 0, 255) if np.dtype(dtype).kind in "iu" else box
        if affine is None:
            affine = np.array([[4.0, 0, 0, -9], [0, 4, 0, -12], [0, 0, 4, -5], [0, 0, 0, 1]])
        stored = stored.astype(np.dtype(dtype).newbyteorder(endian))
        image = image_class(stored, affine, header=image_class.header_class(endianness=endian))
        image.header.set_data_dtype(stored.dtype)
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
        path = tmp_path / name
        if slope is not None:
            # with a slope in the header nibabel writes the values as they are
            image.header.set_slope_inter(slope, inter)
        nib.save(image, path)
        return path

    return make
