"""Joint measures against least squares and against a cleaning with the other seeds in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedmap.connectivity.correlation import pearson
from seedmap.connectivity.inference import infer
from seedmap.connectivity.multiseed import (
    explained,
    in_data_units,
    partial,
    regression,
    seed_gram,
    semipartial,
)
from seedmap.connectivity.noise import noise_tables
from seedmap.errors import SeedError, SeedmapWarning
from seedmap.temporal import Cleaning, cleaning_operator

NAMES = ("PCC", "mPFC", "insula")


def make(seed=0, frames=80, samples=7):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(frames, 1))
    seeds = 3 * rng.normal(size=(frames, 3)) * [1, 10, 0.1] + shared * [1, 10, 0.1]
    series = rng.normal(size=(frames, samples)) + shared + 0.2 * seeds[:, :1] + 500
    for array in (seeds, series):
        array.setflags(write=False)
    return seeds, series


def residual(y, design):
    design = np.column_stack([np.ones(len(y)), design])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_all_measures_equal_least_squares(seed):
    seeds, series = make(seed)
    gram, r = seed_gram(seeds, NAMES), pearson(series, seeds)
    fit = np.linalg.lstsq(np.column_stack([np.ones(80), seeds]), series, rcond=None)[0][1:]
    weights = regression(gram, r)
    sizes = series.std(axis=0, ddof=1)
    np.testing.assert_allclose(in_data_units(gram, weights, sizes), fit, rtol=1e-10, atol=1e-12)
    left = residual(series, seeds).var(axis=0) / series.var(axis=0)
    np.testing.assert_allclose(explained(gram, r), 1 - left, rtol=1e-10)
    for j in range(3):
        others = np.delete(seeds, j, axis=1)
        own = residual(seeds[:, [j]], others)
        np.testing.assert_allclose(semipartial(gram, r)[j], pearson(series, own)[0], atol=1e-10)
        np.testing.assert_allclose(
            partial(gram, r)[j], pearson(residual(series, others), own)[0], atol=1e-10
        )
        alone = residual(series, others).var(axis=0) / series.var(axis=0)
        np.testing.assert_allclose(semipartial(gram, r)[j] ** 2, alone - left, atol=1e-10)
        unexplained = residual(seeds[:, j], others).var() / seeds[:, j].var()
        np.testing.assert_allclose(gram.vif[j], 1 / unexplained, rtol=1e-10)


def test_one_regression_a_seed_gives_the_simple_slope():
    seeds, series = make()
    gram, r = seed_gram(seeds, NAMES), pearson(series, seeds)
    slope = np.polyfit(seeds[:, 1], series[:, 0], 1)[0]
    sizes = series.std(axis=0, ddof=1)
    np.testing.assert_allclose(in_data_units(gram, r, sizes)[1, 0], slope, rtol=1e-10)


def test_partial_t_is_the_t_of_the_regression_weight():
    seeds, series = make()
    gram, r = seed_gram(seeds, NAMES), pearson(series, seeds)
    design = np.column_stack([np.ones(80), seeds])
    weights, squares = np.linalg.lstsq(design, series[:, 0], rcond=None)[:2]
    error = np.sqrt(squares[0] / 76 * np.diagonal(np.linalg.inv(design.T @ design)))
    # 80 frames less mean and two other seeds leave 77 directions
    np.testing.assert_allclose(infer(partial(gram, r)[:, 0], 77).t, (weights / error)[1:])


def test_one_seed_alone_has_r_for_every_measure():
    seeds, series = make()
    gram, r = seed_gram(seeds[:, :1], NAMES[:1]), pearson(series, seeds[:, :1])
    for measure in (regression, semipartial, partial):
        np.testing.assert_allclose(measure(gram, r), r, rtol=1e-12)


def test_partial_is_a_cleaning_with_the_other_seeds_as_confounds():
    seeds, series = make(frames=120)
    keep = np.ones(120, bool)
    keep[[30, 31, 70]] = False
    cleaning = Cleaning(low_pass=0.2)
    confounds = np.random.default_rng(1).normal(size=(120, 4))
    made = cleaning_operator(cleaning, keep, 2.0, confounds)
    x, y = made.on_kept @ seeds[keep], made.on_kept @ series[keep]
    found = partial(seed_gram(x, NAMES), pearson(y, x))
    for j in range(3):
        others = np.delete(seeds, j, axis=1)
        joint = cleaning_operator(cleaning, keep, 2.0, np.hstack([confounds, others]))
        cleaned, seed = joint.on_kept @ series[keep], joint.on_kept @ seeds[keep][:, [j]]
        np.testing.assert_allclose(found[j], pearson(cleaned, seed)[0], atol=1e-10)
        beside = made.without(others[keep])
        np.testing.assert_allclose(beside.L, joint.L, atol=1e-10)
        np.testing.assert_allclose(beside.R, joint.R, atol=1e-10)
        assert beside.rank == joint.rank
        ours, theirs = noise_tables(beside), noise_tables(joint)
        np.testing.assert_allclose(ours.passed, theirs.passed, atol=1e-7)
        np.testing.assert_allclose(beside.white_dof, joint.white_dof, rtol=1e-10)
    assert made.without(others[keep][:, :0]) is made


def test_nan_samples_stay_nan_alone():
    seeds, series = make()
    r = np.array(pearson(series, seeds))
    r[:, 2] = np.nan
    for measure in (regression, semipartial, partial):
        found = measure(seed_gram(seeds, NAMES), r)
        np.testing.assert_array_equal(np.isnan(found).all(axis=0), np.arange(7) == 2)


def test_seeds_that_are_sums_of_each_other_are_refused_by_name():
    seeds, _ = make()
    sums = np.column_stack([seeds, seeds[:, 0] - 2 * seeds[:, 2]])
    with pytest.raises(SeedError, match=r"'PCC', 'insula' and 'ACC' are sums of each other"):
        seed_gram(sums, (*NAMES, "ACC"))
    with pytest.raises(SeedError, match=r"'PCC' and 'twin'"):
        seed_gram(seeds[:, [0, 1, 0]] * [1, 1, -4], ("PCC", "mPFC", "twin"))


def test_a_constant_seed_is_refused_by_name():
    seeds = np.array(make()[0])
    seeds[:, 1] = 812.3
    with pytest.raises(SeedError, match="nothing is left of seed 'mPFC'"):
        seed_gram(seeds, NAMES)


def test_seeds_much_alike_are_warned_of():
    seeds = np.array(make()[0])
    seeds[:, 1] = seeds[:, 0] + 0.3 * seeds[:, 1] / 10
    with pytest.warns(SeedmapWarning, match="seeds 'PCC' and 'mPFC' resemble other seeds"):
        gram = seed_gram(seeds, NAMES)
    assert gram.condition == pytest.approx(np.linalg.cond(np.corrcoef(seeds.T)))


def test_many_seeds_somewhat_alike_are_warned_of():
    rng = np.random.default_rng(4)
    seeds = rng.normal(size=(4000, 20)) + 1.6 * rng.normal(size=(4000, 1))
    with pytest.warns(SeedmapWarning, match="condition number"):
        gram = seed_gram(seeds, [f"s{i}" for i in range(20)])
    assert gram.vif.max() < 5
