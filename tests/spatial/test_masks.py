"""Masks are nilearn's, voxel for voxel."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.masking import compute_background_mask, compute_brain_mask, compute_epi_mask
from scipy import ndimage

from seedmap.errors import ImageError
from seedmap.images import Grid
from seedmap.spatial import background_mask, epi_mask, template_mask

AFFINE = np.diag([3.0, 3, 3, 1])


def head(rng=0, background=0.0, noise=0.0, shape=(22, 25, 20)):
    """A bright blob with a rim, a bridge to a smaller blob, and speckle outside."""
    random = np.random.default_rng(rng)
    place = np.indices(shape).T / np.array(shape) - 0.5
    distance = np.sqrt((place**2).sum(axis=-1)).T
    brain = 1000 * (distance < 0.35) + 200 * random.random(shape) * (distance < 0.38)
    brain[2:5, 2:5, 2:5] = 700
    brain[5:10, 3, 3] = 650
    volume = background + brain + noise * random.standard_normal(shape)
    volume.setflags(write=False)
    return volume


def nilearns(compute, volume, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mask_img = compute(nib.Nifti1Image(np.array(volume), AFFINE), **options)
    return np.asarray(mask_img.dataobj, dtype=bool)


VOLUMES = {
    "zeros": head(),
    "other background": head(background=77.25),
    "noise": head(noise=5.0),
    "float32": head(noise=5.0).astype(np.float32),
    "whole numbers": head(noise=1.0).round(),
}
SHAPES = [
    {"connected": connected, "opening": opening}
    for connected in (False, True)
    for opening in (0, 1, 2)
]


@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_the_background_mask_is_nilearns(volume, options):
    ours = background_mask(VOLUMES[volume], **options)
    theirs = nilearns(compute_background_mask, VOLUMES[volume], **options)
    assert ours.dtype == bool
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("border_size", [1, 2, 4])
def test_the_border_is_as_thick_as_nilearns(border_size):
    volume = np.array(head(noise=1.0).round())
    ours = background_mask(volume, border_size)
    assert np.array_equal(ours, nilearns(compute_background_mask, volume, border_size=border_size))


def test_nan_in_the_border_is_the_background():
    volume = np.where(head() == 0, np.nan, head())
    ours = background_mask(volume)
    assert np.array_equal(ours, np.isfinite(volume))
    assert np.array_equal(ours, nilearns(compute_background_mask, volume))


def test_nan_elsewhere_is_not():
    volume = np.array(head())
    volume[11, 12, 10] = np.nan
    ours = background_mask(volume)
    assert ours[11, 12, 10]
    assert np.array_equal(ours, nilearns(compute_background_mask, volume))


@given(st.integers(0, 10_000), st.integers(1, 4), st.tuples(*[st.integers(5, 9)] * 3))
def test_any_volume_has_nilearns_background(seed, levels, shape):
    volume = np.random.default_rng(seed).integers(0, levels, shape).astype(np.float64)
    wanted = nilearns(compute_background_mask, volume)
    assert np.array_equal(background_mask(volume), wanted)


def test_an_empty_image_has_an_empty_mask():
    for options in SHAPES:
        assert not background_mask(np.zeros((8, 8, 8)), **options).any()


@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize(
    "cut_offs", [{}, {"lower_cutoff": 0.1, "upper_cutoff": 0.95}, {"exclude_zeros": True}], ids=str
)
def test_the_epi_mask_is_nilearns(volume, options, cut_offs):
    ours = epi_mask(VOLUMES[volume], **options, **cut_offs)
    theirs = nilearns(compute_epi_mask, VOLUMES[volume], **options, **cut_offs)
    # nilearn smooths in the volume's own type: a voxel at the very threshold may fall either way
    different = np.count_nonzero(ours != theirs)
    assert different <= (2 if VOLUMES[volume].dtype == np.float32 else 0)


def test_the_epi_mask_takes_what_is_not_finite_for_zero():
    volume = np.array(head(noise=5.0))
    volume[11, 12, 10], volume[0, 0, 0] = np.nan, np.inf
    plain = np.where(np.isfinite(volume), volume, 0)
    assert np.array_equal(epi_mask(volume), epi_mask(plain))
    assert np.isnan(volume[11, 12, 10])


def test_an_epi_mask_of_nothing_is_refused():
    with pytest.raises(ImageError, match=r"only 0 voxels .* give a mask instead"):
        epi_mask(np.zeros((6, 6, 6)), exclude_zeros=True)


def test_bridges_are_cut_and_one_part_is_left():
    whole = background_mask(head())
    tidy = background_mask(head(), connected=True, opening=1)
    assert ndimage.label(whole)[1] > 1
    assert ndimage.label(tidy)[1] == 1
    assert not tidy[3, 3, 3]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["whole-brain", "gm", "wm"])
def test_template_masks_are_nilearns(kind):
    affine = np.array([[-4.0, 0, 0, 60], [0, 4, 0.5, -80], [0, 0, 4, -40], [0, 0, 0, 1]])
    grid = Grid.whole(affine, (30, 34, 28))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = compute_brain_mask(nib.Nifti1Image(np.ones(grid.shape), affine), mask_type=kind)
        found = template_mask(grid, kind)
    assert 0.02 < found.mean() < 0.98
    assert np.array_equal(found, np.asarray(wanted.dataobj, dtype=bool))
