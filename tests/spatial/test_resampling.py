"""Masks, labels and weights land on another grid as nilearn puts them."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff
from nilearn.image import resample_img

from seedmap.images import Grid
from seedmap.spatial import resample_onto


def grids(seed):
    """Two grids that overlap, turned against each other where the seed is odd."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(2):
        affine = np.eye(4)
        affine[:3, :3] = np.diag(random.uniform(1.5, 4, 3) * random.choice([-1, 1], 3))
        shape = tuple(random.integers(6, 13, 3))
        if seed % 2:
            turn = np.linalg.qr(np.eye(3) + 0.3 * random.standard_normal((3, 3)))[0]
            affine[:3, :3] = turn @ affine[:3, :3]
        affine[:3, 3] = random.uniform(-4, 4, 3) - affine[:3, :3] @ np.array(shape) / 2
        made.append(Grid.whole(affine, shape))
    return made


def nilearns(values, source, target, interpolation):
    image = nib.Nifti1Image(values, source.affine)
    return resample_img(
        image, target.affine, target.shape, interpolation, force_resample=True, copy_header=True
    ).get_fdata()


@given(st.integers(0, 10_000))
def test_labels_land_where_nilearn_puts_them(seed):
    source, target = grids(seed)
    labels = np.random.default_rng(seed).integers(0, 5, source.shape).astype(np.int16)
    labels.setflags(write=False)
    found = resample_onto(labels, source, target, "nearest")
    assert found.dtype == labels.dtype
    wanted = nilearns(labels, source, target, "nearest")
    # a voxel centre halfway between two others may go to either
    places = source.to_voxels(target.coordinates()).reshape(*target.shape, 3)
    tie = (np.abs(places % 1 - 0.5) < 1e-6).any(axis=-1)
    edge = (np.abs(places) < 1e-6).any(-1) | (np.abs(places - source.shape + 1) < 1e-6).any(-1)
    assert np.array_equal(found[~tie & ~edge], wanted[~tie & ~edge])


@given(st.integers(0, 10_000))
def test_weights_are_mixed_as_nilearn_mixes_them(seed):
    source, target = grids(seed)
    weights = np.random.default_rng(seed).random(source.shape)
    weights.setflags(write=False)
    found = resample_onto(weights, source, target, "linear")
    np.testing.assert_allclose(found, nilearns(weights, source, target, "linear"), atol=1e-6)


def test_masks_stay_masks():
    source, target = grids(3)
    mask = np.random.default_rng(0).random(source.shape) < 0.5
    mask.setflags(write=False)
    found = resample_onto(mask, source, target, "nearest")
    assert found.dtype == bool
    assert np.array_equal(
        found, resample_onto(mask.astype(np.int16), source, target, "nearest") > 0
    )


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_the_same_grid_gives_the_same_values(interpolation):
    source, _ = grids(1)
    values = np.random.default_rng(0).random(source.shape)
    assert resample_onto(values, source, source, interpolation) is values


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_beyond_the_source_is_zero(interpolation):
    source = Grid.whole(np.diag([2.0, 2, 2, 1]), (4, 4, 4))
    target = Grid.whole(np.diag([2.0, 2, 2.5, 1]), (9, 4, 4))
    found = resample_onto(np.ones(source.shape), source, target, interpolation)
    assert not found[4:].any()
    assert (found[:4, :, :3] == 1).all()


@pytest.mark.parametrize("dtype", [">i2", ">f4", "<f8", "u1", "i8", "u8"])
@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_every_type_is_taken(dtype, interpolation):
    source, target = grids(5)
    values = np.random.default_rng(0).integers(0, 5, source.shape)
    wanted = resample_onto(values.astype(np.float64), source, target, interpolation)
    found = resample_onto(values.astype(dtype), source, target, interpolation)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


@given(
    st.permutations(range(3)),
    st.permutations(range(3)),
    *[st.tuples(*[st.sampled_from([1, -1])] * 3)] * 2,
)
def test_no_order_of_storage_changes_what_is_midway(one, other, signs, others):
    """Voxels of 2 mm, asked for at centres that lie between them."""
    fine, coarse = np.diag([2.0, 2, 2, 1]), np.diag([4.0, 4, 4, 1])
    fine[:3, 3], coarse[:3, 3] = -11, -10
    labels = np.random.default_rng(0).integers(0, 90, (11, 12, 13)).astype(np.int16)
    source, target = Grid.whole(fine, labels.shape), Grid.whole(coarse, (5, 6, 4))
    wanted = resample_onto(labels, source, target, "nearest")
    turn, turn_back = np.column_stack([one, signs]), np.column_stack([other, others])
    turned = Grid.whole(
        fine @ inv_ornt_aff(turn, labels.shape), apply_orientation(labels, turn).shape
    )
    asked = apply_orientation(wanted, turn_back)
    onto = Grid.whole(coarse @ inv_ornt_aff(turn_back, target.shape), asked.shape)
    found = resample_onto(apply_orientation(labels, turn), turned, onto, "nearest")
    np.testing.assert_array_equal(found, asked)
