"""z, p and intervals against Student's t, numbers of many digits, and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from seedmap.connectivity.inference import (
    confidence_interval,
    infer,
    infer_from_se,
    infer_naively,
)
from seedmap.errors import TooFewFrames

# (r, nu, z), z from Student's t with 60 significant digits
FAR_TAILS = [
    (0.1, 3, 0.12566134685507405),
    (0.9, 35.5, 7.522167622401005),
    (0.999, 60, 19.101583041738294),
    (0.9, 1200, 44.615007592091665),
    (1 - 1e-7, 10, 11.668291416656547),
    (1 - 1e-7, 300, 67.89201317458715),
    (1 - 1e-7, 1200, 135.9844761248523),
    (0.95, 5000, 107.87140075287795),
]


@pytest.mark.parametrize(("r", "nu", "z"), FAR_TAILS)
def test_z_is_exact_far_into_the_tails(r, nu, z):
    assert float(infer(r, nu).z) == pytest.approx(z, rel=1e-13)
    assert float(infer(-r, nu).z) == pytest.approx(-z, rel=1e-13)


def test_t_and_p_are_the_textbook_ones_for_white_noise():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 50))
    ours = infer(np.corrcoef(x, y)[0, 1], 49)
    assert float(ours.p) == pytest.approx(stats.pearsonr(x, y).pvalue, rel=1e-12)


@given(st.floats(-1, 1), st.floats(3, 3000))
def test_p_of_t_and_of_z_agree(r, nu):
    ours = infer(r, nu)
    assert float(ours.p) == pytest.approx(2 * stats.t.sf(abs(ours.t), nu - 1), rel=1e-6, abs=1e-250)
    assert float(ours.p) == pytest.approx(2 * stats.norm.sf(abs(ours.z)), rel=1e-6, abs=1e-250)
    assert np.isfinite(ours.z)
    assert ours.z * r >= 0


def test_z_grows_with_r_without_a_step_where_the_tail_formula_takes_over():
    z = infer(np.linspace(-1, 1, 20_001), 500).z
    inside = slice(1, -1)  # the ends are bounded
    assert (np.diff(z[inside]) > 0).all()
    assert np.abs(np.diff(z[inside], n=3)[50:-50]).max() < 1e-3


def test_dof_below_three_or_not_finite_is_nan_and_above_the_rank_is_the_rank():
    nu = np.array([2.99, np.nan, np.inf, -8.0, 3.0, 30.0, 500.0])
    ours = infer(np.full(7, 0.2, np.float32), nu, rank=80)
    np.testing.assert_array_equal(ours.dof, [np.nan] * 4 + [3, 30, 80])
    for field in (ours.se, ours.t, ours.z, ours.p):
        np.testing.assert_array_equal(np.isnan(field), np.isnan(ours.dof))
    np.testing.assert_allclose(ours.se[4:], 1 / np.sqrt(np.array([1, 28, 78])))


def test_nan_correlations_stay_nan():
    ours = infer([np.nan, 0.0], 40.0)
    assert np.isnan([ours.dof[0], ours.se[0], ours.t[0], ours.z[0], ours.p[0]]).all()
    assert (ours.z[1], ours.p[1]) == (0, 1)


def test_a_rank_below_three_leaves_nothing_to_say():
    assert np.isnan(infer(0.5, 40.0, rank=2).z)


def test_naive_test_is_sqrt_of_frames_less_three():
    ours = infer_naively(np.array([0.3, -0.1]), 168)
    np.testing.assert_allclose(ours.z, np.arctanh([0.3, -0.1]) * np.sqrt(165))
    np.testing.assert_allclose(ours.dof, 167)
    with pytest.raises(TooFewFrames, match="at least 4"):
        infer_naively(0.1, 3)


def test_naive_test_fails_on_slow_noise_as_theory_says():
    """Bartlett (1935): the variance of r grows by (1 + .64) / (1 - .64) for AR(1) of .8."""
    rng = np.random.default_rng(9)
    x, y = (lfilter([1], [1, -0.8], rng.normal(size=(300, 10_000)), axis=0)[100:] for _ in "xy")
    x, y = x - x.mean(0), y - y.mean(0)
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    theory = 2 * stats.norm.cdf(-1.96 / np.sqrt(1.64 / 0.36))
    assert np.mean(infer_naively(r, 200).p < 0.05) == pytest.approx(theory, abs=0.02)


def test_standard_error_that_is_no_number_gives_nan():
    ours = infer_from_se([0.3, 0.3, np.nan], [np.nan, 0.0, 0.1])
    assert np.isnan(ours.z).all()
    assert np.isnan(ours.dof).all()


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.7])
def test_interval_covers_the_truth_as_often_as_it_says(rho):
    rng = np.random.default_rng(8)
    x, e = rng.normal(size=(2, 40, 20_000))
    y = rho * x + np.sqrt(1 - rho**2) * e
    x, y = x - x.mean(0), y - y.mean(0)
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    lower, upper = confidence_interval(r, infer(r, 39).se)
    assert np.mean((lower < rho) & (rho < upper)) == pytest.approx(0.95, abs=0.006)


def test_inputs_are_left_alone():
    r, nu = np.array([0.5, np.nan, 1.0]), np.array([2.0, 50.0, 50.0])
    for array in (r, nu):
        array.setflags(write=False)
    assert infer(r, nu).z.shape == (3,)
