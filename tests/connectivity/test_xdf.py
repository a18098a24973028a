"""xDF against its published formula, written out lag by lag."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from seedmap.connectivity.xdf import infer_by_xdf, warn_where_xdf_misleads, xdf_variance
from seedmap.errors import SeedmapWarning


def correlation_at(x, y, lag):
    """Sum of products of unit series, y being `lag` frames later than x."""
    total = 0.0
    for t in range(len(x)):
        if 0 <= t + lag < len(x):
            total += x[t] * y[t + lag]
    return total


def breakpoint_of(acf, frames):
    for k, value in enumerate(acf):
        if abs(value) < math.sqrt(2) * 1.3859 / math.sqrt(frames - 2):
            return k
    return 0


def published(x, y, truncation):
    """Afyouni (2019), equation for V(r), with loops and nothing shared with the code."""
    T = len(x)
    x = (x - np.mean(x)) / math.sqrt(sum((x - np.mean(x)) ** 2))
    y = (y - np.mean(y)) / math.sqrt(sum((y - np.mean(y)) ** 2))
    r = correlation_at(x, y, 0)
    lags = range(1, T - 1)
    a = [correlation_at(x, x, k) for k in lags]
    b = [correlation_at(y, y, k) for k in lags]
    forth = [correlation_at(x, y, k) for k in lags]
    back = [correlation_at(x, y, -k) for k in lags]
    cut_a, cut_b = breakpoint_of(a, T), breakpoint_of(b, T)
    M = round(math.sqrt(T))
    total = (T - 1) * (1 - r**2) ** 2
    for i, k in enumerate(lags):
        if truncation == "tukey":
            taper = (1 + math.cos(math.pi * k / M)) / 2 if k < M else 0
            ak, bk, fk, rk = (taper * v[i] for v in (a, b, forth, back))
        else:
            ak = a[i] if i < cut_a else 0
            bk = b[i] if i < cut_b else 0
            fk, rk = (forth[i], back[i]) if i < max(cut_a, cut_b) else (0, 0)
        w = T - 1 - k
        total += r**2 * w * (ak**2 + bk**2 + fk**2 + rk**2)
        total -= 2 * r * w * (ak + bk) * (fk + rk)
        total += 2 * w * (ak * bk + fk * rk)
    return r, max(total / T**2, (1 - r**2) ** 2 / T)


def autoregressive(rng, phi, frames, pairs):
    return lfilter([1], [1, -phi], rng.normal(size=(frames + 200, pairs)), axis=0)[200:]


@pytest.fixture(scope="module")
def six():
    """Six series of 200 frames, from white to slow, sharing a signal."""
    rng = np.random.default_rng(2019)
    shared = autoregressive(rng, 0.6, 200, 1)
    own = [autoregressive(rng, phi, 200, 1) for phi in (0, 0.2, 0.5, 0.8, 0.9, -0.5)]
    series = np.hstack(own) + shared * [0, 0.5, 1, 0.3, -1, 2]
    series.setflags(write=False)
    return series


@pytest.mark.parametrize("truncation", ["adaptive", "tukey"])
def test_variance_equals_the_published_formula(six, truncation):
    for seed in (2, 3):
        others = [i for i in range(6) if i != seed]
        r, variance = xdf_variance(six[:, seed], six[:, others], truncation)
        slow = np.array([published(six[:, seed], six[:, i], truncation) for i in others]).T
        np.testing.assert_allclose(r, slow[0], rtol=1e-12)
        np.testing.assert_allclose(variance, slow[1], rtol=1e-10)


def test_z_is_fisherz_over_its_standard_error(six):
    r, variance = xdf_variance(six[:, 0], six[:, 1:])
    ours = infer_by_xdf(six[:, 0], six[:, 1:])
    np.testing.assert_allclose(ours.z, np.arctanh(r) * (1 - r**2) / np.sqrt(variance))


def test_pairs_and_one_seed_agree_over_blocks(six):
    many = np.tile(six, (1, 100))
    seeds = np.repeat(six[:, [3]], 600, axis=1)
    one, pairs = xdf_variance(six[:, 3], many), xdf_variance(seeds, many)
    np.testing.assert_allclose(one, pairs, rtol=1e-12, atol=1e-15)


def test_constant_series_give_nan(six):
    flat = np.column_stack([six[:, 1], np.full(200, 7.0)]).astype(np.float32)
    ours = infer_by_xdf(six[:, 0], flat)
    np.testing.assert_array_equal(np.isnan(ours.z), [False, True])


def test_null_z_of_autocorrelated_noise_is_nearly_standard():
    rng = np.random.default_rng(6)
    x, y = (autoregressive(rng, 0.5, 600, 4000) for _ in range(2))
    ours = infer_by_xdf(x, y)
    assert np.std(ours.z) == pytest.approx(1.01, abs=0.03)
    assert np.mean(ours.p < 0.05) == pytest.approx(0.053, abs=0.01)


def test_warning_where_cleaning_took_much_away():
    warn_where_xdf_misleads(600, 590)
    with pytest.warns(SeedmapWarning, match="leaves 80 of 168"):
        warn_where_xdf_misleads(168, 80)


def test_series_of_different_length_are_refused(six):
    with pytest.raises(ValueError, match=r"200 frames .* 199"):
        xdf_variance(six[:, 0], six[1:])
