"""Ranks and Spearman's correlation against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from seedmap.connectivity.ranks import ranks, spearman
from seedmap.errors import TooFewFrames

small = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 1.0, 2.5, -3.0, 1e9, float("inf")]),
)


@given(small)
def test_ranks_equal_scipys_with_ties(series):
    np.testing.assert_array_equal(ranks(series), stats.rankdata(series, axis=0))


def test_spearman_equals_scipys():
    rng = np.random.default_rng(2)
    series, seeds = rng.normal(size=(60, 9)).round(1), rng.normal(size=(60, 2))
    for array in (series, seeds):
        array.setflags(write=False)
    slow = [[stats.spearmanr(x, y).statistic for y in series.T] for x in seeds.T]
    np.testing.assert_allclose(spearman(series, seeds), slow, atol=1e-12)


def test_any_rising_transform_changes_nothing():
    rng = np.random.default_rng(3)
    series, seeds = rng.normal(size=(40, 5)), rng.normal(size=(40, 1))
    np.testing.assert_array_equal(spearman(np.exp(series), seeds), spearman(series, seeds**3))


def test_constant_and_nan_samples_give_nan():
    series = np.random.default_rng(4).normal(size=(30, 3))
    series[:, 0], series[4, 1] = 2.0, np.nan
    np.testing.assert_array_equal(np.isnan(spearman(series, series[:, 2:])), [[True, True, False]])


def test_wrong_shapes_are_refused():
    series = np.random.default_rng(5).normal(size=(30, 3))
    with pytest.raises(ValueError, match=r"30 frames .* and 29"):
        spearman(series, series[1:])
    with pytest.raises(TooFewFrames):
        spearman(series[:2], series[:2])
