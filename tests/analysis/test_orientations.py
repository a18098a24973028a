"""One run gives one map in whichever of the 48 orders its axes are stored."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

import seedmap as sm

AFFINE = np.array([[4.0, 0, 0, -14], [0, 4, 0, -18], [0, 0, 4, -10], [0, 0, 0, 1]])
FINE = np.array([[2.0, 0, 0, -15], [0, 2, 0, -19], [0, 0, 2, -11], [0, 0, 0, 1]])
SHAPE = (8, 9, 7)
ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product([1, -1], repeat=3)
]


def stored_as(values, affine, orientation):
    turned = affine @ inv_ornt_aff(orientation, values.shape[:3])
    return nib.Nifti1Image(apply_orientation(values, orientation), turned)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    data = 100 + rng.standard_normal((*SHAPE, 40)).astype("f4")
    mask = np.ones(SHAPE, "u1")
    mask[0], mask[:, -1], mask[-1, :, 0] = 0, 0, 0
    atlas = rng.integers(0, 4, (16, 18, 14)).astype("u1")
    atlas[:4], atlas[:, -4:], atlas[-4:] = 0, 0, 0
    return data, mask, atlas


def maps_of(made, orientation, other):
    data, mask, atlas = made
    found = sm.seed_maps(
        stored_as(data, AFFINE, orientation),
        [
            "tie=0,0,0:0",  # midway between eight voxels
            "edge=2,0,2:0",  # midway between two
            "ball=0,0,0:6",
            sm.Region(
                "region", stored_as(atlas, FINE, other), 2
            ),  # voxel centres lie between its own
        ],
        mask_img=stored_as(mask, AFFINE, orientation),
        t_r=2,
        cleaning=sm.Cleaning(filter=None),
        smoothing_fwhm=None,
        strategy="none",
        uncertainty=None,
    )
    volumes = (
        nib.Nifti1Image(found.space.unmask(found.values(seed)), found.space.affine)
        for seed in found.seeds
    )
    return np.stack([nib.as_closest_canonical(one).get_fdata() for one in volumes])


def test_no_order_of_storage_changes_a_map(made):
    wanted = maps_of(made, ORIENTATIONS[0], ORIENTATIONS[0])
    for orientation, other in zip(ORIENTATIONS, ORIENTATIONS[::-1], strict=True):
        found = maps_of(made, orientation, other)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
