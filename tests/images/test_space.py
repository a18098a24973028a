"""A grid knows where its samples lie."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.masking import apply_mask, unmask

from seedmap.errors import ImageError, SpaceMismatch
from seedmap.images import Grid
from seedmap.testing import SpaceTests

OBLIQUE = np.array([[-2.0, 0.3, 0, 40], [0.2, 3, -0.4, -60], [0.1, 0.5, 2.5, 20], [0, 0, 0, 1]])


def some_mask(shape=(6, 5, 4), share=0.4, rng=0):
    return np.random.default_rng(rng).random(shape) < share


class TestObliqueGrid(SpaceTests):
    def make(self):
        return Grid(OBLIQUE, some_mask())

    def gather(self, space, filled):
        return filled[space.mask]


class TestWholeGrid(SpaceTests):
    def make(self):
        return Grid.whole(np.eye(4), (3, 1, 4))

    def gather(self, space, filled):
        return filled.ravel()


def test_samples_stand_as_nilearn_has_them():
    mask = some_mask()
    grid = Grid(OBLIQUE, np.asfortranarray(mask))
    mask_img = nib.Nifti1Image(mask.astype(np.uint8), OBLIQUE)
    data = np.random.default_rng(0).random((6, 5, 4, 3)).astype(np.float32)
    samples = apply_mask(nib.Nifti1Image(data, OBLIQUE), mask_img)
    assert np.array_equal(
        grid.unmask(samples), unmask(samples, mask_img).get_fdata(dtype=np.float32)
    )


@given(st.integers(0, 1000))
def test_millimetres_and_voxels_are_two_names_of_one_place(seed):
    random = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3] = random.normal(0, 3, (3, 4)) + 4 * np.eye(3, 4)
    if abs(np.linalg.det(affine[:3, :3])) < 1:
        return
    grid, voxels = Grid.whole(affine, (5, 5, 5)), random.normal(0, 20, (7, 3))
    np.testing.assert_allclose(grid.to_voxels(grid.to_mm(voxels)), voxels, atol=1e-8)
    np.testing.assert_allclose(
        grid.to_mm(voxels), nib.affines.apply_affine(affine, voxels), atol=1e-10
    )


def test_voxels_have_sizes_and_a_volume():
    grid = Grid.whole(OBLIQUE, (2, 2, 2))
    np.testing.assert_allclose(grid.voxel_sizes, nib.affines.voxel_sizes(OBLIQUE))
    assert grid.voxel_volume == pytest.approx(abs(np.linalg.det(OBLIQUE[:3, :3])))
    assert grid.shape == (2, 2, 2)
    assert grid.n_samples == 8


def test_grids_are_the_same_whatever_their_masks():
    grid = Grid.whole(OBLIQUE, (6, 5, 4))
    assert grid.same_grid(grid.within(some_mask()))
    assert grid.same_grid(Grid.whole(OBLIQUE.astype(np.float32), (6, 5, 4)))
    assert not grid.same_grid(Grid.whole(OBLIQUE, (6, 5, 5)))
    moved = OBLIQUE.copy()
    moved[0, 3] += 0.01
    assert not grid.same_grid(Grid.whole(moved, (6, 5, 4)))


def test_nothing_can_be_written_and_nothing_is_shared():
    affine, mask = np.eye(4), some_mask()
    grid = Grid(affine, mask)
    affine[0, 0], mask[:] = 9, True
    assert grid.affine[0, 0] == 1
    assert not grid.mask.all()
    for array in (grid.affine, grid.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.eye(3), r"shape \(3, 3\)"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([1.0, 0, 1, 1]), "onto a plane"),
    ],
)
def test_an_affine_that_is_none_is_refused(affine, words):
    with pytest.raises(ImageError, match=words):
        Grid.whole(affine, (2, 2, 2))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(
        SpaceMismatch, match=r"\(2, 2, 2\) does not fit a grid of shape \(3, 3, 3\)"
    ):
        Grid.whole(np.eye(4), (3, 3, 3)).within(np.ones((2, 2, 2), dtype=bool))


def test_masks_of_numbers_are_masks():
    grid = Grid.whole(np.eye(4), (2, 2, 2)).within(np.array([0, 2] * 4).reshape(2, 2, 2))
    assert grid.n_samples == 4


@pytest.mark.parametrize("at", [(0, 1), (2, 0), (1, 1)])
def test_an_affine_with_axes_that_nearly_coincide_is_refused(at):
    affine = np.eye(4)
    affine[at] = 1e30
    with pytest.raises(ImageError, match="onto a plane"):
        Grid.whole(affine, (2, 3, 4))
