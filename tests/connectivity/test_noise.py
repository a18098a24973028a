"""The effective degrees of freedom against slow, dense ways of working them out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats
from scipy.signal import lfilter

from seedmap.connectivity.inference import infer, infer_naively
from seedmap.connectivity.noise import (
    effective_dof,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    second_order,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.variance import frame_variance
from seedmap.errors import TooFewFrames
from seedmap.temporal import Cleaning, CleaningOperator, cleaning_operator


def toeplitz(acf, size):
    """Covariance of a stationary series, zero past the lags given."""
    return linalg.toeplitz(np.append(acf, np.zeros(max(size - len(acf), 0)))[:size])


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

    def __init__(self):
        self.keep = np.ones(60, bool)
        self.keep[[0, 1, 14, 15, 16, 33, 59]] = False
        rng = np.random.default_rng(5)
        self.made = cleaning_operator(
            Cleaning(high_pass=0.01, low_pass=0.06, order=2),
            self.keep,
            6.0,
            rng.normal(size=(60, 3)),
        )
        self.scale = np.zeros(60)
        self.scale[self.keep] = np.sqrt(rng.uniform(0.2, 3, size=self.keep.sum()))
        self.tables = noise_tables(self.made, self.scale[self.keep] ** 2)
        self.raw = rng.normal(size=(60, 40))[self.keep]
        self.residuals = self.made.residuals(self.raw)
        self.lags = seed_lags(self.tables, self.made.rows, self.raw[:, :3])
        self.kernels = seed_kernels(self.tables, self.lags, self.residuals[:, :3])

    def covariance(self, acf):
        """Give the raw noise's covariance: D Toeplitz(g) D."""
        return self.scale[:, None] * toeplitz(acf, 60) * self.scale

    def centred(self):
        return self.made.L - self.made.L.mean(axis=0)


@pytest.fixture(scope="module")
def run():
    return Run()


def test_tables_equal_dense_traces(run):
    centred = run.centred() * run.scale
    passing = centred.T @ centred
    wanted = [np.trace(shift(60, k) @ passing) for k in range(run.tables.lags)]
    np.testing.assert_allclose(run.tables.passed, wanted, rtol=1e-8, atol=1e-8 * wanted[0])


def test_nu_is_the_dense_variance_given_the_seed(run):
    """1 / Var(r) of independent noise of known covariance with a seed as it is."""
    acf = 0.6 ** np.arange(run.tables.lags)
    covariance = run.centred() @ run.covariance(acf) @ run.centred().T
    seeds = run.centred()[:, run.keep] @ run.raw[:, :3]
    seeds /= np.linalg.norm(seeds, axis=0)
    first = np.trace(covariance) / np.einsum("ts,tu,us->s", seeds, covariance, seeds)
    found = pair_dof(run.tables, run.lags, np.tile(acf[:, None], (1, 3)))
    np.testing.assert_allclose(found, second_order(first), rtol=1e-8)


def test_autocovariance_is_unbiased(run):
    """Put the expected lagged products of known noise in: the noise itself comes out."""
    g = 0.7 ** np.arange(run.tables.lags)
    maker = np.zeros((60, 60))
    maker[run.keep] = run.made.R
    covariance = maker @ run.covariance(g) @ maker.T
    expected = np.array([np.trace(covariance, k) for k in range(run.tables.lags)])
    np.testing.assert_allclose(run.tables.inverse @ expected, g, atol=1e-9)


def test_lags_are_true_distances_between_kept_frames(run):
    full = np.zeros((60, run.residuals.shape[1]))
    full[run.keep] = run.residuals
    products = [np.sum(full[: 60 - k] * full[k:], axis=0) for k in range(run.tables.lags)]
    slow = run.tables.taper[:, None] * (run.tables.inverse @ products)
    np.testing.assert_allclose(noise_autocovariance(run.tables, run.residuals), slow, atol=1e-11)


def test_fast_form_equals_lag_form(run):
    fast = effective_dof(run.kernels, run.residuals).dof
    noise = noise_autocovariance(run.tables, run.residuals)
    for seed in range(3):
        slow = pair_dof(run.tables, run.lags[:, [seed]], noise)
        np.testing.assert_allclose(fast[seed], slow, rtol=1e-10)


def test_float32_is_near_and_stays_float32(run):
    single = effective_dof(run.kernels, run.residuals.astype(np.float32))
    double = effective_dof(run.kernels, run.residuals)
    assert single.dof.dtype == single.se_ratio.dtype == np.float32
    np.testing.assert_allclose(single.dof, double.dof, rtol=2e-5)
    itself = np.eye(*double.se_ratio.shape, dtype=bool)  # r = 1: all but a thousandth cancels
    for some, within in ((~itself, 5e-5), (itself, 5e-3)):
        np.testing.assert_allclose(single.se_ratio[some], double.se_ratio[some], rtol=within)


def test_projection_of_white_noise_gives_its_rank():
    operator = projecting(90, 12)
    tables = noise_tables(operator)
    assert tables.rank == 90 - 13
    lags = seed_lags(tables, operator.rows, np.random.default_rng(0).normal(size=(90, 4)))
    white = np.eye(1, tables.lags).T
    np.testing.assert_allclose(tables.passed @ white / (lags.T @ white)[:, 0], 77, rtol=1e-9)
    assert infer(0.1, pair_dof(tables, lags, white), tables.rank).dof == pytest.approx(77)


def test_r_of_projected_white_noise_is_beta_distributed():
    rng = np.random.default_rng(11)
    operator = projecting(60, 20)
    x, y = (operator.L @ rng.normal(size=(2, 60, 20_000))).copy()
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    rank = noise_tables(operator).rank
    assert stats.kstest(r**2, stats.beta(0.5, (rank - 1) / 2).cdf).pvalue > 0.001


def exact_variance(covariance):
    """Var(r) of two independent series of one covariance, by its eigenvalues.

    sum (p m)^2, p their shares, m_i = int (1 + 2 p_i s)^-1 prod_j (1 + 2 p_j s)^-1/2 ds.
    """
    shares = np.linalg.eigvalsh(covariance)
    shares = shares[shares > 1e-9 * shares[-1]] / shares.sum()
    s, step = np.exp(np.linspace(-12, 14, 4000)), 26 / 3999
    joint = np.exp(-0.5 * np.log1p(2 * np.outer(s, shares)).sum(axis=1))
    m = np.sum((joint * s * step)[:, None] / (1 + 2 * np.outer(s, shares)), axis=0)
    return np.sum((shares * m) ** 2)


@pytest.mark.parametrize("phi", [0.7, 0.8, 0.9])
def test_the_second_order_is_nearer_to_the_exact_variance_than_the_first(phi):
    """AR(1) noise of 40 frames, where nu is 6 to 16."""
    centring = np.eye(40) - 1 / 40
    covariance = centring @ toeplitz(phi ** np.arange(40), 40) @ centring
    first = np.trace(covariance) ** 2 / np.sum(covariance**2)
    exact = 1 / exact_variance(covariance)
    assert first < exact
    assert abs(second_order(first) - exact) < 0.7 * (exact - first)


@pytest.mark.parametrize(("frames", "t_r", "low_pass"), [(168, 2.0, 0.1), (300, 0.8, 0.1)])
def test_white_noise_through_an_even_edged_filter_has_twice_band_times_time(frames, t_r, low_pass):
    """Davey (2013): N_eff = 2 BW TR T for an ideal filter."""
    made = cleaning_operator(
        Cleaning(high_pass=0.01, low_pass=low_pass, edges="even", order=12, detrend=False),
        np.ones(frames, bool),
        t_r,
    )
    assert made.white_dof == pytest.approx(2 * (low_pass - 0.01) * t_r * frames, rel=0.03)


def autoregressive(rng, phi, frames, pairs):
    return lfilter([1], [1, -phi], rng.normal(size=(frames + 200, pairs)), axis=0)[200:]


def pairs_in_run(made, raw, variance):
    """Test cleaned pairs of raw series on kept frames; also their correlations."""
    x, y = ((made.on_kept @ one) for one in raw)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    r = np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    tables = noise_tables(made, variance)
    noise = noise_autocovariance(tables, made.residuals(raw[1]))
    nu = pair_dof(tables, seed_lags(tables, made.rows, raw[0]), noise)
    return r, infer(r, nu, tables.rank)


@pytest.mark.parametrize(("phi", "censored"), [((0.5, 0.5), 0), ((0.3, 0.8), 30)])
def test_null_correlations_are_significant_as_often_as_they_should(phi, censored):
    """Band-passed runs with 14 confounds; `make verify-statistics` does this at length."""
    rng = np.random.default_rng(14)
    keep = np.ones(200, bool)
    keep[rng.choice(200, censored, replace=False)] = False
    made = cleaning_operator(Cleaning(), keep, 2.0, rng.normal(size=(200, 14)))
    raw = [autoregressive(rng, f, 200, 8000)[made.keep] for f in phi]
    r, ours = pairs_in_run(made, raw, None)
    naive = infer_naively(r, int(made.keep.sum()))
    assert 0.038 < np.mean(ours.p < 0.05) < 0.062
    assert np.mean(ours.p < 0.001) < 0.002
    assert np.mean(naive.p < 0.05) > 0.25


@pytest.mark.parametrize("cleaning", [Cleaning(), Cleaning(filter=None)], ids=["band", "no filter"])
@pytest.mark.parametrize("bad", ["bursts", "frame", "drift"])
def test_uneven_variance_is_allowed_for(cleaning, bad):
    rng = np.random.default_rng(4)
    scale = np.linspace(0.5, 1.5, 200) if bad == "drift" else np.ones(200)
    if bad == "bursts":
        scale[np.add.outer(rng.choice(195, 5, replace=False), np.arange(4)).ravel()] = 4
    if bad == "frame":
        scale[77] = 10
    made = cleaning_operator(cleaning, np.ones(200, bool), 2.0, rng.normal(size=(200, 14)))
    raw = [scale[:, None] * autoregressive(rng, 0.5, 200, 6000) for _ in "xy"]
    variance = frame_variance(made.residuals(raw[1][:, :600]), made.noise_basis)
    even, uneven = (pairs_in_run(made, raw, v)[1].p for v in (None, variance))
    assert np.mean(even < 0.05) > (0.055 if bad == "drift" else 0.15)
    assert (0.01 if bad == "frame" else 0.038) < np.mean(uneven < 0.05) < 0.062
    assert np.mean(uneven < 0.001) < 0.002


def test_a_seed_from_outside_is_taken_as_it_is():
    """A block design as the seed: no noise model of it is needed."""
    rng = np.random.default_rng(3)
    scale = np.ones(200)
    scale[[*range(50, 55), *range(130, 145)]] = 4
    made = cleaning_operator(Cleaning(filter=None), np.ones(200, bool), 2.0)
    design = np.tile((np.arange(200) // 20 % 2).astype(float)[:, None], (1, 6000))
    raw = [design, scale[:, None] * autoregressive(rng, 0.5, 200, 6000)]
    variance = frame_variance(made.residuals(raw[1][:, :600]), made.noise_basis)
    assert 0.02 < np.mean(pairs_in_run(made, raw, variance)[1].p < 0.05) < 0.062


def test_rank_forgets_singular_values_below_a_thousandth():
    plain = projecting(40, 0)
    values, vectors = np.linalg.eigh(plain.L)
    values[-5:] = 0.5e-3
    damped = replace(plain, L=vectors * values @ vectors.T)
    assert noise_tables(damped).rank == 39 - 5
    assert damped.white_dof == pytest.approx(34, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-30, 1e30), order=st.permutations(range(8)))
def test_neither_scale_nor_company_matters(scale, order):
    run = Run()
    residuals = run.residuals[:, :8].astype(np.float32)
    lags = seed_lags(run.tables, run.made.rows, run.raw[:, :2] * 1e6)
    kernels = seed_kernels(run.tables, lags, run.residuals[:, :2] * 1e6)
    plain = effective_dof(kernels, residuals)
    changed = effective_dof(kernels, residuals[:, order] * np.float32(scale))
    np.testing.assert_allclose(changed.dof, plain.dof[:, order], rtol=1e-4)
    np.testing.assert_allclose(changed.se_ratio, plain.se_ratio[:, order], rtol=5e-3)


def test_many_samples_equal_one_at_a_time(run):
    many = np.tile(run.residuals, (1, 30))
    together = effective_dof(run.kernels, many)
    alone = effective_dof(run.kernels, many[:, [1161]])
    for one, two in zip(together, alone, strict=True):
        np.testing.assert_allclose(one[:, 1161], two[:, 0])


def test_what_has_no_noise_has_no_dof(run):
    residuals = run.residuals[:, :4].copy()
    residuals[:, 1] = 0
    residuals[3, 2] = np.nan
    residuals.setflags(write=False)
    seeds = run.raw[:, :2].copy()
    seeds[:, 1] = 7
    lags = seed_lags(run.tables, run.made.rows, seeds)
    kernels = seed_kernels(run.tables, lags, run.made.residuals(seeds))
    for found in effective_dof(kernels, residuals):
        assert np.isnan(found[:, 1:3]).all()
        assert np.isfinite(found[0, [0, 3]]).all()
    assert np.isnan(effective_dof(kernels, residuals).dof[1]).all()


def test_lags_never_seen_are_left_out():
    """Every second frame kept: odd distances do not occur."""
    operator = projecting(40, 2, keep=np.arange(80) % 2 == 0)
    tables = noise_tables(operator)
    assert np.isfinite(tables.inverse).all()
    np.testing.assert_allclose(tables.inverse[1::2], 0, atol=1e-14)
    lags = seed_lags(tables, operator.rows, np.random.default_rng(1).normal(size=(40, 1)))
    white = np.eye(1, tables.lags).T
    np.testing.assert_allclose(tables.passed @ white / (lags.T @ white), 37, rtol=1e-9)


def test_lags_reach_a_third_of_the_kept_frames():
    assert noise_tables(projecting(100, 0)).lags == 33
    assert noise_tables(projecting(40, 2, keep=np.arange(80) % 2 == 0)).lags == 13


def test_nothing_left_has_no_dof():
    operator = replace(projecting(20, 0), L=np.zeros((20, 20)))
    tables = noise_tables(operator)
    assert (tables.rank, tables.bands) == (0, None)
    lags = seed_lags(tables, operator.rows, np.random.default_rng(0).normal(size=(20, 1)))
    assert np.isnan(pair_dof(tables, lags, np.ones((tables.lags, 1)))).all()


def test_too_few_frames_are_refused():
    keep = np.arange(9) < 4
    with pytest.raises(TooFewFrames, match="4 frames are kept; at least 5"):
        noise_tables(projecting(4, 0, keep=keep))
