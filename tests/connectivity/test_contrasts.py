"""Contrasts at many samples at once: the numbers of `ols`, of SciPy and of the robust test."""

import numpy as np
import pytest
import scipy

from seedmap._linear import split_design
from seedmap.connectivity.contrasts import contrast_maps, find_patterns, patterned_test
from seedmap.connectivity.effects import ols
from seedmap.connectivity.packed import compile_products, packed_products
from seedmap.shuffle import Robust, Scores, Shuffling, observed_r, plan_shuffles

PEOPLE, SAMPLES = 24, 700


def made(absent, seed=0):
    """Make values of people, who is there, and a design of mean, group and age."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.3, 0.2, (SAMPLES, PEOPLE)).astype(np.float32)
    there = np.ones(values.shape, bool)
    if absent:
        some = rng.permutation(SAMPLES)[: SAMPLES // 5]
        there[some] = rng.random((some.size, PEOPLE)) > 0.25
    group = np.arange(PEOPLE) % 3 == 0
    age = rng.normal(size=PEOPLE)
    design = np.column_stack([np.ones(PEOPLE), np.where(group, 1, -1), age - age.mean()])
    return values, there, design


CONTRASTS = {"mean": [1, 0, 0], "group": [0, 2, 0], "age": [0, 0, 1], "mixed": [1, -0.5, 0.3]}


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_effect_and_t_are_those_of_least_squares(absent, contrast):
    values, there, design = made(absent)
    patterns = find_patterns(there)
    tested = split_design(design, CONTRASTS[contrast])
    test = patterned_test(tested, patterns.rows)
    effect, t = contrast_maps(values, patterns.of, patterns.most, test)
    wanted = ols(np.where(there, values, np.nan).T.astype(np.float64), tested)
    np.testing.assert_allclose(effect, wanted.effect, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(t, wanted.stat, rtol=5e-5, atol=1e-5)
    np.testing.assert_array_equal(test.n[patterns.of], wanted.n)
    np.testing.assert_array_equal(test.dof[patterns.of], wanted.dof)


def test_a_mean_alone_is_that_of_scipy():
    values, there, _ = made(absent=False)
    patterns = find_patterns(there)
    test = patterned_test(split_design(np.ones((PEOPLE, 1)), [1]), patterns.rows)
    effect, t = contrast_maps(values, patterns.of, patterns.most, test)
    wanted = scipy.stats.ttest_1samp(values.astype(np.float64), 0, axis=1).statistic
    np.testing.assert_allclose(t, wanted, rtol=1e-5)
    np.testing.assert_allclose(effect, values.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("absent", [False, True])
def test_the_robust_t_is_that_of_the_shuffled_test(absent):
    values, there, design = made(absent, 1)
    patterns = find_patterns(there)
    tested = split_design(design, CONTRASTS["group"])
    test = patterned_test(tested, patterns.rows, robust=True)
    _, t = contrast_maps(values, patterns.of, patterns.most, test)
    dof = test.dof[patterns.of].astype(np.float64)
    maps = np.where(there, values, np.nan).T
    scores = Scores(dof)
    r = observed_r(Shuffling(Robust(maps, tested, scores), plan_shuffles(tested, 10)))
    r = r.astype(np.float64)
    known = np.isfinite(dof)
    wanted = (r * np.sqrt(dof / (1 - r**2)))[known]
    np.testing.assert_allclose(t[known], wanted, rtol=1e-4, atol=1e-5)


def test_where_nothing_can_be_tested_is_nan():
    values, there, design = made(absent=False)
    there[0, design[:, 1] > 0] = False  # one group only: no difference
    there[1, 10:] = False
    values[2] = 0.25
    values[3, 5] = 9.0
    there[3, 5] = False
    patterns = find_patterns(there)
    tested = split_design(design, CONTRASTS["group"])
    test = patterned_test(tested, patterns.rows, fewest=12)
    effect, t = contrast_maps(values, patterns.of, patterns.most, test)
    assert np.flatnonzero(np.isnan(effect)).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(np.isnan(t), np.isnan(effect))


def test_people_whose_row_of_the_design_is_zero_count():
    design = np.array([[0.0], [1], [2], [-1], [0]])
    values = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    there = np.ones(values.shape, bool)
    there[0, 1] = False
    patterns, tested = find_patterns(there), split_design(design, [1])
    _, t = contrast_maps(values, patterns.of, patterns.most, patterned_test(tested, patterns.rows))
    wanted = ols(np.where(there, values, np.nan).T.astype(np.float64), tested)
    np.testing.assert_allclose(t, wanted.stat, rtol=1e-4)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("count", [1, 4, 67, 150])
def test_products_are_those_of_float64(compiled, count, monkeypatch):
    if compiled:
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr("seedmap.connectivity.packed.find_spec", lambda _name: None)
    compile_products()
    rng = np.random.default_rng(0)
    rows = rng.integers(-32767, 32768, (150, 7, 32), dtype=np.int16)
    scale = rng.random((150, 7)).astype(np.float32) * 1e-5
    seeds = rng.normal(size=(7, 32)).astype(np.float32)
    which = np.sort(rng.permutation(150)[:count])
    found = packed_products(rows, scale, seeds, which)
    wanted = np.einsum("vrk,rk->vr", rows[which].astype(float), seeds.astype(float)) * scale[which]
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
