"""Effects of people against closed formulas, statsmodels, nilearn and published meta-analyses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedmap._linear import split_design
from seedmap.connectivity.effects import (
    between_people,
    hedges_g,
    ols,
    partial_r,
    predicted_gain,
    random_effects,
)
from seedmap.connectivity.tails import f_test, t_test, t_threshold
from seedmap.errors import OptionError

# The 13 trials of BCG vaccine: cases and others among vaccinated and controls, latitude.
BCG = np.array(
    [
        [4, 119, 11, 128, 44],
        [6, 300, 29, 274, 55],
        [3, 228, 11, 209, 42],
        [62, 13536, 248, 12619, 52],
        [33, 5036, 47, 5761, 13],
        [180, 1361, 372, 1079, 44],
        [8, 2537, 10, 619, 19],
        [505, 87886, 499, 87892, 13],
        [29, 7470, 45, 7232, 27],
        [17, 1699, 65, 1600, 42],
        [186, 50448, 141, 27197, 18],
        [5, 2493, 3, 2338, 33],
        [27, 16886, 29, 17825, 33],
    ],
    dtype=float,
)


@pytest.fixture
def bcg():
    a, b, c, d, latitude = BCG.T
    y = np.log(a / (a + b) / (c / (c + d)))
    return y[:, None], (1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))[:, None], latitude


def mean_of(people):
    return split_design(np.ones((people, 1)), [1])


def two_groups(rng, people, covariates=2):
    group = (np.arange(people) < people // 3).astype(float)
    return np.column_stack([1 - group, group, rng.normal(size=(people, covariates))])


@pytest.mark.parametrize("contrast", [[1, -1, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, -1]])
def test_t_effect_and_se_are_those_of_statsmodels(contrast):
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    x, y = two_groups(rng, 24), rng.normal(size=(24, 5))
    ours = ols(y, split_design(x, contrast))
    single = ols(y.astype(np.float32), split_design(x, contrast))
    for sample in range(5):
        theirs = sm.OLS(y[:, sample], x).fit().t_test(contrast)
        assert ours.effect[sample] == pytest.approx(theirs.effect.item(), abs=1e-10)
        assert ours.se[sample] == pytest.approx(theirs.sd.item(), abs=1e-10)
        assert ours.stat[sample] == pytest.approx(theirs.tvalue.item(), abs=1e-10)
        assert ours.p[sample] == pytest.approx(theirs.pvalue.item(), abs=1e-10)
        assert single.stat[sample] == pytest.approx(theirs.tvalue.item(), rel=2e-6, abs=2e-6)


def test_f_is_that_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    x, y = two_groups(rng, 24), rng.normal(size=(24, 5))
    contrast = np.array([[1, -1, 0, 0], [0, 0, 1, 0], [1, -1, 1, 0]])  # the third adds nothing
    ours = ols(y, split_design(x, contrast))
    for sample in range(5):
        theirs = sm.OLS(y[:, sample], x).fit().f_test(contrast[:2])
        assert ours.stat[sample] == pytest.approx(float(theirs.fvalue), abs=1e-10)
        assert ours.p[sample] == pytest.approx(float(theirs.pvalue), abs=1e-10)
    assert np.isnan(ours.effect).all()


def test_t_maps_are_those_of_nilearn():
    from nilearn.mass_univariate import permuted_ols

    rng = np.random.default_rng(2)
    y = rng.normal(0.2, 1, size=(30, 200))
    x = two_groups(rng, 30)
    one = permuted_ols(np.ones((30, 1)), y, n_perm=0)
    two = permuted_ols(x[:, 1:2], y, x[:, 2:], n_perm=0)
    np.testing.assert_allclose(ols(y, mean_of(30)).stat, one["t"][0], atol=1e-5)
    ours = ols(y, split_design(x, [-1, 1, 0, 0])).stat
    np.testing.assert_allclose(ours, two["t"][0], atol=1e-5)


def test_absent_people_are_left_out_of_their_samples_only():
    rng = np.random.default_rng(3)
    x, y = two_groups(rng, 24), rng.normal(size=(24, 40))
    holed = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    holed[:, 0] = y[:, 0]
    tested = split_design(x, [1, -1, 0, 0])
    ours = ols(holed, tested)
    assert ours.stat[0] == pytest.approx(ols(y, tested).stat[0], abs=1e-12)
    for sample in range(40):
        there = np.isfinite(holed[:, sample])
        alone = ols(y[there, sample][:, None], split_design(x[there], [1, -1, 0, 0]))
        assert ours.stat[sample] == pytest.approx(alone.stat[0], abs=1e-9)
        assert (ours.n[sample], ours.dof[sample]) == (there.sum(), there.sum() - 4)


def test_samples_without_answer_are_nan():
    y = np.random.default_rng(4).normal(size=(12, 4))
    group = np.arange(12) < 6
    y[:, 1] = 0.3
    y[group, 2] = np.nan
    y[2:, 3] = np.nan
    ours = ols(y, split_design(np.column_stack([group, ~group]).astype(float), [1, -1]))
    np.testing.assert_array_equal(np.isnan(ours.stat), [False, True, True, True])
    for field in (ours.effect, ours.se, ours.z, ours.p, ours.dof, ours.sd):
        np.testing.assert_array_equal(np.isnan(field), np.isnan(ours.stat))
    np.testing.assert_array_equal(ours.n, [12, 12, 6, 2])


@pytest.mark.parametrize(
    ("method", "tau2", "estimate", "wald"),
    [
        ("DL", 0.3088, -0.7141, 0.1787),
        ("PM", 0.3181, -0.7150, 0.1809),
        ("REML", 0.3132, -0.7145, 0.1798),
    ],
)
def test_published_random_effects_of_the_bcg_trials(bcg, method, tau2, estimate, wald):
    y, v, _ = bcg
    ours = random_effects(y, v, mean_of(13), method)
    assert ours.tau2[0] == pytest.approx(tau2, abs=5e-5)
    assert ours.effect[0] == pytest.approx(estimate, abs=5e-5)
    assert np.sum(1 / (v + ours.tau2)) ** -0.5 == pytest.approx(wald, abs=5e-5)
    if method == "REML":
        assert ours.se[0] == pytest.approx(0.1808, abs=5e-5)
        assert ours.stat[0] == pytest.approx(-3.952, abs=5e-4)
        assert ours.p[0] == pytest.approx(0.0019, abs=5e-5)
        assert ours.i2[0] == pytest.approx(0.9222, abs=5e-5)


def test_published_meta_regression_on_latitude(bcg):
    y, v, latitude = bcg
    x = np.column_stack([np.ones(13), latitude])
    slope = random_effects(y, v, split_design(x, [0, 1]))
    assert slope.tau2[0] == pytest.approx(0.07635, abs=5e-6)
    assert slope.effect[0] == pytest.approx(-0.0291, abs=5e-5)
    weighted = x / np.sqrt(v + slope.tau2)
    wald = np.sqrt(np.linalg.inv(weighted.T @ weighted)[1, 1])
    assert wald == pytest.approx(0.0072, abs=5e-5)
    assert random_effects(y, v, split_design(x, [1, 0])).effect[0] == pytest.approx(
        0.2515, abs=5e-5
    )


@pytest.mark.parametrize("method", ["REML", "PM", "DL"])
def test_equal_variances_give_the_t_of_ols(method):
    rng = np.random.default_rng(5)
    x, y = two_groups(rng, 20), rng.normal(size=(20, 30))
    tested = split_design(x, [1, -1, 0, 0])
    equal = random_effects(y, np.full_like(y, 0.2), tested, method)
    np.testing.assert_allclose(equal.stat, ols(y, tested).stat, rtol=1e-8)
    nothing = random_effects(y, np.full_like(y, 1e-12), tested, method)
    np.testing.assert_allclose(nothing.tau2, ols(y, tested).sd ** 2, rtol=1e-8)


def test_reml_maximises_the_restricted_likelihood():
    rng = np.random.default_rng(6)
    x, v = two_groups(rng, 16), rng.uniform(0.1, 2, size=(16, 20))
    y = rng.normal(size=v.shape) * np.sqrt(v + 0.5)
    found = random_effects(y, v, split_design(x, [1, -1, 0, 0])).tau2

    def likelihood(tau2, sample):
        w = 1 / (v[:, sample] + tau2)
        gram = (x * w[:, None]).T @ x
        e = y[:, sample] - x @ np.linalg.solve(gram, x.T @ (w * y[:, sample]))
        return (np.log(w).sum() - np.linalg.slogdet(gram)[1] - (w * e**2).sum()) / 2

    for sample in range(20):
        best = likelihood(found[sample], sample)
        grid = np.linspace(0, 6, 2000)
        assert best >= max(likelihood(t, sample) for t in grid) - 1e-9


def test_absent_people_weigh_nothing():
    rng = np.random.default_rng(7)
    v = rng.uniform(0.1, 2, size=(16, 12))
    y = rng.normal(0.5, 1, size=v.shape)
    holed = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    ours = random_effects(holed, v, mean_of(16))
    for sample in range(12):
        there = np.isfinite(holed[:, sample])
        few = random_effects(y[there, sample, None], v[there, sample, None], mean_of(there.sum()))
        assert ours.stat[sample] == pytest.approx(few.stat[0], rel=1e-6)
        assert ours.i2[sample] == pytest.approx(few.i2[0], rel=1e-6)


def test_weights_of_the_null_model_do_not_change_when_people_are_flipped():
    rng = np.random.default_rng(8)
    v = rng.uniform(0.1, 2, size=(15, 50))
    y = rng.normal(0.5, 1, size=v.shape)
    signs = rng.choice([-1, 1], size=(15, 1))
    nothing = mean_of(15).null
    plain, flipped = (between_people(maps, v, nothing) for maps in (y, signs * y))
    np.testing.assert_allclose(1 / (v + flipped), 1 / (v + plain), rtol=1e-12)
    np.testing.assert_allclose((y**2 / (v + plain)).sum(axis=0)[plain > 0], 15, rtol=1e-8)


def test_the_predicted_gain_is_that_of_the_standard_errors():
    rng = np.random.default_rng(9)
    v = rng.uniform(0.02, 1, size=(30, 3))
    tau2 = np.array([0.0, 0.1, 3.0])
    gain = predicted_gain(v, tau2, mean_of(30))
    total = v + tau2
    direct = np.sqrt(total.sum(axis=0) / 30**2 * (1 / total).sum(axis=0))
    np.testing.assert_allclose(gain, direct, rtol=1e-12)
    x = two_groups(rng, 30)
    c = np.array([1, -1, 0.0, 0])
    plain = np.linalg.pinv(x)
    for sample, weights in enumerate(1 / total.T):
        ours = predicted_gain(v, tau2, split_design(x, c))[sample]
        ols_variance = c @ plain @ np.diag(1 / weights) @ plain.T @ c
        best = c @ np.linalg.inv((x * weights[:, None]).T @ x) @ c
        assert ours == pytest.approx(np.sqrt(ols_variance / best), rel=1e-10)
    assert predicted_gain(np.full((30, 1), 0.3), np.array([0.1]), mean_of(30))[0] == pytest.approx(
        1
    )


def test_sizes_of_effects():
    y = np.random.default_rng(10).normal(0.4, 1, size=(20, 3))
    mean = ols(y, mean_of(20))
    direct = (1 - 3 / (4 * 19 - 1)) * y.mean(axis=0) / y.std(axis=0, ddof=1)
    np.testing.assert_allclose(hedges_g(mean), direct, rtol=1e-12)
    x = np.random.default_rng(11).normal(size=20)
    slope = ols(y, split_design(np.column_stack([np.ones(20), x]), [0, 1]))
    r = [np.corrcoef(x, column)[0, 1] for column in y.T]
    np.testing.assert_allclose(partial_r(slope), r, rtol=1e-12)


def test_many_samples_are_done_in_blocks():
    y = np.random.default_rng(12).normal(size=(6, 9000))
    ours = ols(y, mean_of(6))
    np.testing.assert_allclose(ours.stat, stats.ttest_1samp(y, 0).statistic, rtol=1e-10)
    v = np.full_like(y, 0.1)
    np.testing.assert_allclose(random_effects(y, v, mean_of(6)).stat, ours.stat, rtol=1e-8)


@given(st.floats(-300, 300), st.floats(1, 2000))
def test_z_of_t_has_the_p_of_t(t, dof):
    z, p = t_test(t, dof)
    assert float(p) == pytest.approx(2 * stats.t.sf(abs(t), dof), rel=1e-6, abs=1e-250)
    assert np.isfinite(z)
    assert z * t >= 0
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(float(p), rel=1e-6, abs=1e-250)


@given(st.floats(0, 400), st.integers(1, 9), st.integers(2, 500))
def test_z_of_f_has_the_p_of_f(f, q, dof):
    z, p = f_test(f, q, dof)
    assert float(p) == pytest.approx(stats.f.sf(f, q, dof), rel=1e-6, abs=1e-250)
    assert 2 * stats.norm.sf(z) == pytest.approx(float(p), rel=1e-6, abs=1e-250)


def test_far_tails_and_thresholds():
    z, _ = t_test(1e3, 400)
    assert np.isfinite(z)
    assert float(t_test(1e3, 400)[0]) == pytest.approx(float(f_test(1e6, 1, 400)[0]), rel=1e-12)
    assert float(t_threshold(0.001, 39)) == pytest.approx(stats.t.isf(0.0005, 39), rel=1e-10)
    assert np.isnan(t_test(np.nan, 10)[0])


@pytest.mark.parametrize(
    ("contrast", "said"),
    [([1, 0, 0], "3 weights"), ([0, 0, 0, 0], "no weight"), ([1, 0, 0, 0], "cannot be estimated")],
)
def test_contrasts_that_make_no_sense_are_refused(contrast, said):
    x = np.column_stack([np.ones(9), np.arange(9) < 4, np.arange(9) >= 4, np.arange(9) ** 2])
    with pytest.raises(OptionError, match=said):
        split_design(x, contrast)


def test_a_design_without_degrees_of_freedom_is_refused():
    with pytest.raises(OptionError, match="as many independent columns as people"):
        split_design(np.eye(4), [1, 0, 0, 0])


def test_the_null_model_is_not_a_choice_of_columns():
    """Two slopes: what they have in common stays in the null model of their difference."""
    rng = np.random.default_rng(13)
    group, age = np.arange(40) < 12, rng.normal(size=40)
    x = np.column_stack([group, ~group, group * age, ~group * age]).astype(float)
    tested = split_design(x, [0, 0, 1, -1])
    common = x[:, 2] + x[:, 3]
    assert np.abs(common - tested.null @ (tested.null.T @ common)).max() < 1e-12
    assert np.abs(tested.null.T @ tested.part).max() < 1e-12
    assert tested.constant_in_null
    assert not mean_of(9).constant_in_null
