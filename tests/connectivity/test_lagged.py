"""Lagged correlation against pairs of frames picked one by one, and known delays."""

import numpy as np
import pytest

from seedmap.connectivity.correlation import pearson
from seedmap.connectivity.lagged import lagged, peak
from seedmap.errors import OptionError

KEEP = np.ones(120, bool)
KEEP[[0, 7, 8, 40, 41, 42, 90, 119]] = False


def slow(keep, seed, sample, lag):
    """Pearson over the pairs of kept frames `lag` apart."""
    full_seed, full_sample = np.full((2, keep.size), np.nan)
    full_seed[keep], full_sample[keep] = seed, sample
    pairs = [
        (full_seed[t], full_sample[t + lag])
        for t in range(keep.size)
        if 0 <= t + lag < keep.size and keep[t] and keep[t + lag]
    ]
    return np.corrcoef(np.array(pairs).T)[0, 1]


@pytest.fixture
def noise():
    series = np.random.default_rng(1).normal(size=(KEEP.sum(), 6))
    series.setflags(write=False)
    return series


def test_every_lag_equals_pearson_over_true_distances(noise):
    r = lagged(noise[:, 2:] + 30, noise[:, :2] * 5, KEEP, 4)
    assert r.shape == (9, 2, 4)
    for lag in range(-4, 5):
        wanted = [[slow(KEEP, noise[:, s], noise[:, 2 + v], lag) for v in range(4)] for s in (0, 1)]
        np.testing.assert_allclose(r[lag + 4], wanted, atol=1e-6)


def test_lag_zero_is_pearson(noise):
    r = lagged(noise[:, 1:].astype(np.float32), noise[:, :1], KEEP, 0)
    np.testing.assert_allclose(r[0], pearson(noise[:, 1:], noise[:, :1]), atol=1e-6)


@pytest.mark.parametrize("delay", [-3.1, -0.4, 0.0, 1.0, 2.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_delay_between_frames_is_found(delay, sign):
    """Band-limited signals sampled at 2 s; the sample repeats the seed `delay` seconds later."""
    times = 2.0 * np.arange(KEEP.size)
    rng = np.random.default_rng(7)
    waves = zip(rng.uniform(0.01, 0.08, 40), rng.uniform(0, 7, 40), strict=True)
    waves = list(waves)

    def signal(t):
        return sum(np.cos(2 * np.pi * f * t + phase) for f, phase in waves)

    seed, sample = signal(times)[KEEP], sign * signal(times - delay)[KEEP]
    found = peak(lagged(sample[:, None], seed[:, None], KEEP, 4), 2.0)
    assert found.lag[0, 0] == pytest.approx(delay, abs=0.1)
    assert found.r[0, 0] == pytest.approx(sign, abs=0.02)


def test_parabola_peak_is_exact_for_a_parabola():
    lags = np.arange(-3, 4)
    r = (0.8 - 0.05 * (lags - 0.7) ** 2)[:, None, None]
    found = peak(r, 2.0)
    assert found.lag[0, 0] == pytest.approx(1.4)
    assert found.r[0, 0] == pytest.approx(0.8)


def test_no_peak_within_the_lags_has_no_lag():
    r = np.linspace(-0.2, 0.7, 7)[:, None, None]
    found = peak(r, 2.0)
    assert np.isnan(found.lag[0, 0])
    assert found.r[0, 0] == pytest.approx(0.7)


def test_one_lag_only_is_its_own_peak():
    found = peak(np.array([[[0.3, np.nan]]]), 2.0)
    np.testing.assert_array_equal(found.lag, [[0.0, np.nan]])
    np.testing.assert_array_equal(found.r, [[0.3, np.nan]])


def test_constant_samples_and_seeds_give_nan(noise):
    series, seeds = np.array(noise[:, :3]), np.array(noise[:, 3:5])
    series[:, 1], seeds[:, 1] = 5.0, 2.0
    found = peak(lagged(series, seeds, KEEP, 3), 2.0)
    np.testing.assert_array_equal(np.isnan(found.r), [[False, True, False], [True] * 3])
    assert np.isnan(found.lag[:, 1]).all()


def test_lags_longer_than_the_run_allows_are_refused(noise):
    with pytest.raises(OptionError, match=r"pairs of kept frames are .* shorter longest lag"):
        lagged(noise, noise[:, :1], KEEP, 115)
    with pytest.raises(ValueError, match="the mask keeps 112"):
        lagged(noise[1:], noise[1:, :1], KEEP, 2)
