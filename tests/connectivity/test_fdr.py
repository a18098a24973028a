"""q against SciPy's Benjamini-Hochberg."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from seedmap.connectivity.fdr import q_values

p_vectors = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1))


@given(p_vectors)
def test_q_equals_scipys(p):
    np.testing.assert_allclose(q_values(p), stats.false_discovery_control(p), rtol=1e-12)


@given(p_vectors)
def test_q_is_never_below_p_and_keeps_its_order(p):
    q = q_values(p)
    assert (q >= p).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p)]) >= 0).all()


def test_nan_and_uncounted_samples_do_not_belong_to_the_family():
    p = np.array([[1e-9, 0.01, np.nan, 0.04, 0.5], [0.2, 0.2, 0.2, 0.2, np.nan]])
    p.setflags(write=False)
    counted = np.array([False, True, True, True, True])
    q = q_values(p, counted)
    np.testing.assert_allclose(q[0, [1, 3, 4]], stats.false_discovery_control(p[0, [1, 3, 4]]))
    np.testing.assert_array_equal(np.isnan(q[0]), [True, False, True, False, False])
    np.testing.assert_array_equal(np.isnan(q[1]), [True, False, False, False, True])
    np.testing.assert_allclose(q[1, 1:4], 0.2)


def test_an_empty_family_gives_nan():
    assert np.isnan(q_values([0.1, 0.2], [False, False])).all()
