"""Smoothing as matrix products is SciPy's Gaussian filter."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.image import smooth_img
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from seedmap.errors import OptionError
from seedmap.spatial import fwhm_to_sigma, gaussian_matrix
from seedmap.spatial.smoothing import BoxSmoother, bounding_box


def noise(shape, dtype=np.float32, rng=0):
    volume = np.random.default_rng(rng).standard_normal(shape).astype(dtype)
    volume.setflags(write=False)
    return volume


def smoothed(volume, sigma, box=None):
    """Smooth a volume (x, y, z) and give the box, axes as (x, y, z)."""
    box = box or tuple(slice(0, size) for size in volume.shape)
    smoother = BoxSmoother(volume.shape, box, np.asarray(sigma, float), volume.dtype)
    return smoother.smooth(np.ascontiguousarray(volume[smoother.reach].T)).T.copy()


@given(st.integers(1, 40), st.just(0.0) | st.floats(1e-3, 12))
def test_the_matrix_is_scipys_filter(size, sigma):
    wanted = gaussian_filter1d(np.eye(size), sigma, axis=0) if sigma else np.eye(size)
    np.testing.assert_allclose(gaussian_matrix(size, sigma), wanted, atol=1e-13)
    np.testing.assert_allclose(gaussian_matrix(size, sigma).sum(axis=1), 1)


@pytest.mark.parametrize("shape", [(9, 8, 7), (3, 30, 50), (60, 5, 26), (25, 24, 49), (1, 1, 4)])
@pytest.mark.parametrize(
    "sigma", [(0.6, 0.6, 0.6), (2, 0.3, 1), (0, 1.5, 0), (0.05, 0, 0), (6, 4, 9)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_whole_volume_is_smoothed_as_by_scipy(shape, sigma, dtype):
    volume = noise(shape, dtype)
    wanted = gaussian_filter(volume.astype(float), sigma)
    found = smoothed(volume, sigma)
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@given(st.integers(0, 10_000), st.tuples(*[st.just(0.0) | st.floats(1e-3, 4)] * 3))
def test_any_box_is_the_part_of_the_whole(seed, sigma):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 30, 3))
    low = [random.integers(0, size) for size in shape]
    high = [random.integers(first, size) + 1 for first, size in zip(low, shape, strict=True)]
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    volume = noise(shape, np.float64, seed)
    wanted = gaussian_filter(volume, sigma)[box]
    np.testing.assert_allclose(smoothed(volume, sigma, box), wanted, rtol=0, atol=1e-12)


def test_what_lies_beyond_the_reach_is_not_read():
    box = (slice(10, 12), slice(9, 11), slice(8, 10))
    sigma = np.array([1.0, 0.5, 0])
    smoother = BoxSmoother((30, 30, 30), box, sigma)
    assert smoother.reach == (slice(6, 16), slice(7, 13), slice(8, 10))
    assert smoother.box == box


@pytest.mark.parametrize("fwhm", [6, 4.0, [3, 6, 9], [5, None, 8], [0, 6, 0]])
def test_it_is_nilearns_smoothing(fwhm):
    affine = np.array([[-2.0, 0.5, 0, 9], [0.3, 3, 0, 5], [0, 0.2, 4, 1], [0, 0, 0, 1]])
    volume = noise((14, 13, 12)) + 100
    widths = np.array([0 if w is None else w for w in fwhm]) if isinstance(fwhm, list) else fwhm
    wanted = smooth_img(nib.Nifti1Image(np.array(volume), affine), widths).get_fdata()
    sigma = fwhm_to_sigma(fwhm, nib.affines.voxel_sizes(affine))
    np.testing.assert_allclose(smoothed(volume, sigma), wanted, rtol=1e-5)


def test_a_width_becomes_standard_deviations():
    sizes = np.array([2.0, 3, 4])
    np.testing.assert_allclose(fwhm_to_sigma(6, sizes), 6 / 2.3548200450309493 / sizes)
    np.testing.assert_allclose(
        fwhm_to_sigma((6, None, 0), sizes) * sizes, [2.547965, 0, 0], rtol=1e-6
    )
    assert not fwhm_to_sigma(None, sizes).any()
    assert not fwhm_to_sigma(0, sizes).any()


@pytest.mark.parametrize(
    "width", [-1, float("nan"), float("inf"), (1, 2), (1, 2, -3), (1, 2, 3, 4)]
)
def test_a_width_that_makes_no_sense_is_refused(width):
    with pytest.raises(OptionError, match=r"smoothing_fwhm=.*give a width in mm of 0 or more"):
        fwhm_to_sigma(width, np.ones(3))


def test_the_box_holds_the_mask_and_no_more():
    mask = np.zeros((6, 7, 8), dtype=bool)
    mask[2, 3, 4] = mask[4, 3, 7] = mask[3, 0, 5] = True
    assert bounding_box(mask) == (slice(2, 5), slice(0, 4), slice(4, 8))
