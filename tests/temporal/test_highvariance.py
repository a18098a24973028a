"""Confounds from the most variable samples are nilearn's, up to sign."""

import numpy as np
import pytest
from nilearn.signal import high_variance_confounds as nilearns

from seedmap.errors import OptionError
from seedmap.temporal import high_variance_confounds


def run(dtype=np.float64):
    random = np.random.default_rng(0)
    sources = random.standard_normal((50, 3)).cumsum(axis=0) * (9, 3, 1)
    series = sources @ random.standard_normal((3, 400)) + random.standard_normal((50, 400))
    series = (100 + 10 * series).astype(dtype)
    series.setflags(write=False)
    return series


@pytest.mark.parametrize("detrend", [True, False])
@pytest.mark.parametrize(("n_confounds", "percentile"), [(5, 2.0), (1, 10.0), (8, 50.0)])
def test_they_are_nilearns_up_to_sign(detrend, n_confounds, percentile):
    series = run()
    ours = high_variance_confounds(series, n_confounds, percentile, detrend=detrend)
    theirs = nilearns(series, n_confounds, percentile, detrend=detrend)
    assert ours.shape == theirs.shape == (50, n_confounds)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-8)


def test_columns_are_orthonormal():
    found = high_variance_confounds(run(np.int16), 5)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-12)


def test_samples_with_nan_are_left_out():
    series = np.array(run())
    wanted = high_variance_confounds(series, 3, 10.0)
    with_nan = np.hstack([series, np.full((50, 7), np.nan)])
    found = high_variance_confounds(with_nan, 3, 10.0)
    np.testing.assert_allclose(np.abs((found * wanted).sum(axis=0)), 1, atol=1e-8)


@pytest.mark.parametrize("percentile", [-1.0, 100.5])
def test_a_share_is_between_nothing_and_all(percentile):
    with pytest.raises(OptionError, match=r"percentile=.*between 0 and 100 percent"):
        high_variance_confounds(run(), percentile=percentile)


def test_a_share_that_leaves_nothing_is_refused():
    with pytest.raises(OptionError, match=r"no sample lies above .* raise percentile"):
        high_variance_confounds(run(), percentile=0.0)
