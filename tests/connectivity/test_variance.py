"""The variance of noise from frame to frame, planted and found again."""

import numpy as np
import pytest

from seedmap.connectivity.variance import (
    frame_variance,
    is_uneven,
    variance_factor,
    worst_frames,
)


def noisy(scale, samples=600, seed=0):
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-3, 3, samples)  # samples differ much in size
    return scale[:, None] * rng.normal(size=(len(scale), samples)) * size


def test_planted_variance_is_found():
    scale = np.linspace(0.5, 1.5, 200)
    found = frame_variance(noisy(scale))
    assert found.mean() == pytest.approx(1)
    # the mean square of 600 normal numbers has a standard deviation of sqrt(2 / 600) = 5.8 %
    np.testing.assert_allclose(found / (scale**2 / np.mean(scale**2)), 1, atol=5 * 0.058)
    assert variance_factor(found) == pytest.approx(variance_factor(scale**2), rel=0.02)


def test_the_factor_of_even_variance_is_one_and_of_one_frame_the_number_of_frames():
    assert variance_factor(np.full(7, 3.0)) == 1
    assert variance_factor(np.eye(9)[4]) == pytest.approx(9)
    # half of the frames without noise: as good as half the frames
    assert variance_factor(np.repeat([0.0, 5.0], 30)) == pytest.approx(2)


def test_bad_frames_are_named_and_no_others():
    scale = np.ones(150)
    assert not is_uneven(frame_variance(noisy(scale)))
    assert worst_frames(frame_variance(noisy(scale))).size == 0
    scale[[20, 21, 22, 90]] = 8
    assert worst_frames(frame_variance(noisy(scale))).tolist() == [20, 21, 22, 90]


def test_one_frame_that_holds_a_twentieth_of_the_squares_is_named():
    scale = np.ones(200)
    scale[60] = np.sqrt(0.06 / 0.94 * 199)
    found = frame_variance(noisy(scale, samples=3000))
    assert is_uneven(found)
    assert worst_frames(found).tolist() == [60]


def test_a_change_over_the_whole_run_names_no_frame():
    found = frame_variance(noisy(np.repeat([0.02, 1.0], 100)))
    assert is_uneven(found)
    assert worst_frames(found).size == 0


def test_what_confounds_fit_is_no_change_of_variance():
    """A confound that is a spike takes most or all of a frame away."""
    for spike, wanted in ((1.0, 1.0), (0.8, 1.0)):
        basis = np.zeros((100, 1))
        basis[30], basis[:30] = spike, np.sqrt((1 - spike**2) / 30)
        raw = noisy(np.ones(100), samples=4000)
        residuals = raw - basis @ (basis.T @ raw)
        assert frame_variance(residuals)[30] < 0.5
        assert frame_variance(residuals, basis)[30] == pytest.approx(wanted, abs=0.15)


def test_samples_without_noise_or_not_finite_do_not_count():
    series = noisy(np.linspace(1, 2, 80))
    spoilt = np.hstack([series, np.zeros((80, 3)), np.full((80, 2), np.nan), series[:, :1]])
    spoilt[3, -1] = np.inf
    np.testing.assert_allclose(frame_variance(spoilt), frame_variance(series))
    np.testing.assert_array_equal(frame_variance(np.zeros((80, 4))), 1)
    assert not is_uneven(np.ones(5))


def test_neither_scale_nor_precision_matters():
    series = noisy(np.linspace(1, 2, 80))
    plain = frame_variance(series)
    np.testing.assert_allclose(frame_variance((series * 1e25).astype(np.float32)), plain, rtol=1e-5)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_shared_signal_is_no_change_of_variance(share):
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(250, 1))
    series = np.sqrt(share) * shared + np.sqrt(1 - share) * rng.normal(size=(250, 600))
    # of Gaussian series its squares alone vary by 2 share^2: .18 and .98
    assert variance_factor(frame_variance(series)) < 1 + 0.3 * 2 * share**2
    series[100] *= 12
    found = frame_variance(series)
    assert worst_frames(found).tolist() == [100]
    assert found[100] > 30


def test_a_bad_frame_that_is_alike_everywhere_is_found():
    series = noisy(np.ones(200))
    series[50] += 20 * series.std(axis=0)
    assert worst_frames(frame_variance(series)).tolist() == [50]
