"""The effective degrees of freedom against slow, dense ways of working them out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from seedmap.connectivity.inference import infer, infer_naively
from seedmap.connectivity.noise import (
    effective_dof,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    seed_kernels,
)
from seedmap.errors import TooFewFrames
from seedmap.temporal import Cleaning, CleaningOperator, cleaning_operator


def toeplitz(acf, size):
    """Covariance of a stationary series, zero past the lags given."""
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return np.append(acf, 0.0)[np.minimum(distance, len(acf))]


def shift(size, k):
    return toeplitz(np.eye(1, k + 1, k)[0], size)


def projecting(frames, columns, seed=0, keep=None):
    """Return an operator that projects the mean and random columns out of the kept frames."""
    basis = np.column_stack(
        [np.ones(frames), np.random.default_rng(seed).normal(size=(frames, columns))]
    )
    left = np.linalg.qr(basis)[0]
    keep = np.ones(frames, bool) if keep is None else keep
    L = np.zeros((frames, keep.size))
    L[:, keep] = np.eye(frames) - left @ left.T
    return CleaningOperator(L, keep, left)


class Run:
    """A band-passed run of 60 frames with gaps, head and tail cut, and three confounds."""

    t_r = 6.0

    def __init__(self):
        self.keep = np.ones(60, bool)
        self.keep[[0, 1, 14, 15, 16, 33, 59]] = False
        rng = np.random.default_rng(5)
        made = cleaning_operator(
            Cleaning(high_pass=0.01, low_pass=0.06, order=2),
            self.keep,
            self.t_r,
            rng.normal(size=(60, 3)),
        )
        self.L, self.R = made.L, made.R
        self.tables = noise_tables(made, self.t_r)
        self.residuals = self.R @ rng.normal(size=(60, 40))

    def embedded(self):
        full = np.zeros((60, 60))
        full[self.keep] = self.R
        return full


@pytest.fixture(scope="module")
def run():
    return Run()


def test_tables_equal_dense_traces(run):
    tables = run.tables
    centred = run.L - run.L.mean(axis=0)
    passing = centred.T @ centred
    lags = range(tables.lags)
    h = [np.trace(shift(60, k) @ passing) for k in lags]
    H = [[np.trace(shift(60, k) @ passing @ shift(60, m) @ passing) for m in lags] for k in lags]
    np.testing.assert_allclose(tables.passed, h, rtol=1e-10, atol=1e-10 * h[0])
    np.testing.assert_allclose(tables.shared, H, rtol=1e-10, atol=1e-10 * H[0][0])


def test_nu_equals_the_dense_trace_formula_for_known_noise(run):
    centred = run.L - run.L.mean(axis=0)
    g_x, g_y = 0.6 ** np.arange(run.tables.lags), (-0.3) ** np.arange(run.tables.lags)
    S_x, S_y = (centred @ toeplitz(g, 60) @ centred.T for g in (g_x, g_y))
    dense = np.trace(S_x) * np.trace(S_y) / np.trace(S_x @ S_y)
    fast = pair_dof(run.tables, g_x[:, None], g_y[:, None])
    np.testing.assert_allclose(fast, dense, rtol=1e-10)


def test_autocovariance_is_unbiased(run):
    """Put the expected lagged products of known noise in: the noise itself comes out."""
    g = 0.7 ** np.arange(run.tables.lags)
    covariance = run.embedded() @ toeplitz(g, 60) @ run.embedded().T
    expected = np.array([np.trace(covariance, k) for k in range(run.tables.lags)])
    np.testing.assert_allclose(run.tables.inverse @ expected, g, atol=1e-10)


def test_lags_are_true_distances_between_kept_frames(run):
    full = np.zeros((60, run.residuals.shape[1]))
    full[run.keep] = run.residuals
    products = [np.sum(full[: 60 - k] * full[k:], axis=0) for k in range(run.tables.lags)]
    slow = run.tables.taper[:, None] * (run.tables.inverse @ products)
    np.testing.assert_allclose(noise_autocovariance(run.tables, run.residuals), slow, atol=1e-11)


def test_fast_form_equals_lag_form(run):
    seeds = run.residuals[:, :3]
    fast = effective_dof(seed_kernels(run.tables, seeds), run.residuals)
    noise = noise_autocovariance(run.tables, run.residuals)
    for seed in range(3):
        slow = pair_dof(run.tables, noise[:, [seed]], noise)
        np.testing.assert_allclose(fast[seed], slow, rtol=1e-12)


def test_float32_is_near_and_stays_float32(run):
    kernels = seed_kernels(run.tables, run.residuals[:, :2])
    single = effective_dof(kernels, run.residuals.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, effective_dof(kernels, run.residuals), rtol=2e-5)


def test_projection_of_white_noise_gives_its_rank():
    tables = noise_tables(projecting(90, 12), 2.0)
    assert tables.rank == 90 - 13
    assert tables.white_dof == pytest.approx(tables.rank, rel=1e-9)
    white = np.eye(1, tables.lags).T
    np.testing.assert_allclose(pair_dof(tables, white, white), tables.rank, rtol=1e-9)


def test_r_of_projected_white_noise_is_beta_distributed():
    rng = np.random.default_rng(11)
    operator = projecting(60, 20)
    x, y = (operator.L @ rng.normal(size=(2, 60, 20_000))).copy()
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    rank = noise_tables(operator, 2.0).rank
    assert stats.kstest(r**2, stats.beta(0.5, (rank - 1) / 2).cdf).pvalue > 0.001


@pytest.mark.parametrize(("frames", "t_r", "low_pass"), [(168, 2.0, 0.1), (300, 0.8, 0.1)])
def test_white_noise_through_an_even_edged_filter_has_twice_band_times_time(frames, t_r, low_pass):
    """Davey (2013): N_eff = 2 BW TR T for an ideal filter."""
    made = cleaning_operator(
        Cleaning(high_pass=0.01, low_pass=low_pass, edges="even", order=12, detrend=False),
        np.ones(frames, bool),
        t_r,
    )
    tables = noise_tables(made, t_r)
    assert tables.white_dof == pytest.approx(made.white_dof, rel=1e-12)
    assert tables.white_dof == pytest.approx(2 * (low_pass - 0.01) * t_r * frames, rel=0.03)


@pytest.mark.parametrize(("phi", "censored"), [((0.5, 0.5), 0), ((0.3, 0.8), 30)])
def test_null_correlations_are_significant_as_often_as_they_should(phi, censored):
    """Band-passed runs with 14 confounds; `make verify-statistics` does this at length."""
    rng = np.random.default_rng(14)
    keep = np.ones(200, bool)
    keep[rng.choice(200, censored, replace=False)] = False
    made = cleaning_operator(Cleaning(), keep, 2.0, rng.normal(size=(200, 14)))
    tables = noise_tables(made, 2.0)
    raw = [lfilter([1], [1, -f], rng.normal(size=(400, 8000)), axis=0)[200:] for f in phi]
    x, y = ((made.L @ one) - (made.L @ one).mean(axis=0) for one in raw)
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    nu = pair_dof(tables, *(noise_autocovariance(tables, made.R @ one) for one in raw))
    ours, naive = infer(r, nu, tables.rank), infer_naively(r, int(made.keep.sum()))
    assert 0.038 < np.mean(ours.p < 0.05) < 0.06
    assert np.mean(ours.p < 0.001) < 0.002
    assert np.mean(naive.p < 0.05) > 0.25


def test_rank_forgets_singular_values_below_a_thousandth():
    plain = projecting(40, 0)
    values, vectors = np.linalg.eigh(plain.L)
    values[-5:] = 0.5e-3
    damped = replace(plain, L=vectors * values @ vectors.T)
    assert noise_tables(damped, 2.0).rank == 39 - 5
    assert noise_tables(damped, 2.0).white_dof == pytest.approx(34, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-30, 1e30), order=st.permutations(range(8)))
def test_neither_scale_nor_other_samples_matter(scale, order):
    run = Run()
    residuals = run.residuals[:, :8].astype(np.float32)
    kernels = seed_kernels(run.tables, run.residuals[:, :2] * 1e6)
    plain = effective_dof(kernels, residuals)
    changed = effective_dof(kernels, residuals[:, order] * np.float32(scale))
    np.testing.assert_allclose(changed, plain[:, order], rtol=1e-4)


def test_many_samples_equal_one_at_a_time(run):
    many = np.tile(run.residuals, (1, 30))
    kernels = seed_kernels(run.tables, run.residuals[:, :1])
    together = effective_dof(kernels, many)
    np.testing.assert_allclose(together[:, 1161], effective_dof(kernels, many[:, [1161]])[:, 0])


def test_what_has_no_noise_has_no_dof(run):
    residuals = run.residuals[:, :4].copy()
    residuals[:, 1] = 0
    residuals[3, 2] = np.nan
    residuals.setflags(write=False)
    seeds = run.residuals[:, :2].copy()
    seeds[:, 1] = 0
    nu = effective_dof(seed_kernels(run.tables, seeds), residuals)
    assert np.isnan(nu[:, 1:3]).all()
    assert np.isnan(nu[1]).all()
    assert np.isfinite(nu[0, [0, 3]]).all()


def test_lags_never_seen_are_left_out():
    """Every second frame kept: odd distances do not occur."""
    keep = np.arange(80) % 2 == 0
    tables = noise_tables(projecting(40, 2, keep=keep), 2.0)
    assert np.isfinite(tables.inverse).all()
    np.testing.assert_allclose(tables.inverse[1::2], 0, atol=1e-14)
    white = np.eye(1, tables.lags).T
    np.testing.assert_allclose(pair_dof(tables, white, white), 37, rtol=1e-9)


def test_window_follows_length_and_repetition_time():
    def lags(frames, t_r):
        return noise_tables(projecting(frames, 0), t_r).lags

    assert lags(100, 2.0) == 25  # a quarter of the run
    assert lags(300, 2.0) == 50  # 100 s
    assert lags(300, 10.0) == 34  # 2 sqrt(T)
    assert lags(300, None) == 34  # no repetition time: from the number of frames alone


def test_white_dof_is_nan_where_cleaning_leaves_nothing():
    tables = noise_tables(replace(projecting(20, 0), L=np.zeros((20, 20))), 2.0)
    assert tables.rank == 0
    assert np.isnan(tables.white_dof)


def test_too_few_frames_are_refused():
    keep = np.arange(9) < 4
    with pytest.raises(TooFewFrames, match="4 frames are kept; at least 5"):
        noise_tables(projecting(4, 0, keep=keep), 2.0)
