"""`clean` beside nilearn's, and where it differs on purpose."""

import warnings

import nilearn.signal
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.exceptions import AllVolumesRemovedError

from seedmap.errors import SeedmapWarning
from seedmap.signal import clean, high_variance_confounds

FRAMES, T_R = 80, 2.0
FILTERS = {
    "none": {},
    "low": {"low_pass": 0.1},
    "high": {"high_pass": 0.01},
    "band": {"low_pass": 0.1, "high_pass": 0.01},
    "order 2, even": {
        "low_pass": 0.1,
        "butterworth__order": 2,
        "butterworth__padtype": "even",
        "butterworth__padlen": 7,
    },
    "cosine": {"filter": "cosine", "high_pass": 0.01},
    "off": {"filter": False},
}
MASKS = {
    "all": None,
    "inside": np.setdiff1d(np.arange(FRAMES), [3, 10, 11, 40]),
    "both ends": np.setdiff1d(np.arange(FRAMES), [0, 1, 10, 77]),
}


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(0)
    made = rng.normal(size=(FRAMES, 20)).cumsum(axis=0) + 100 * rng.normal(size=20)
    made = made.astype(np.float32).astype(np.float64)
    made.setflags(write=False)
    return made


@pytest.fixture(scope="module")
def confounds():
    made = np.random.default_rng(1).normal(size=(FRAMES, 3)) + np.arange(3)
    made.setflags(write=False)
    return made


def theirs(signals, sample_mask=None, **options):
    sample_mask = None if sample_mask is None else sample_mask.copy()
    return nilearn.signal.clean(signals, sample_mask=sample_mask, t_r=T_R, **options)


@pytest.mark.parametrize("band", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("sample_mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("standardize", [None, "zscore_sample", "psc"])
@pytest.mark.parametrize("detrend", [True, False])
@pytest.mark.filterwarnings("ignore:When confounds are provided")
def test_parity(signals, confounds, band, sample_mask, standardize, detrend):
    for standardize_confounds, table in ((True, None), (True, confounds), (False, confounds)):
        options = {
            **band,
            "standardize": standardize,
            "detrend": detrend,
            "confounds": table,
            "standardize_confounds": standardize_confounds,
        }
        expected = theirs(signals, sample_mask, **options)
        found = clean(signals, sample_mask=sample_mask, t_r=T_R, **options)
        size = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, atol=1e-9 * size)
        in_float32 = clean(signals.astype(np.float32), sample_mask=sample_mask, t_r=T_R, **options)
        its = theirs(signals.astype(np.float32), sample_mask, **options)
        assert in_float32.dtype == its.dtype == np.float32
        error = np.abs(in_float32 - expected).max()
        assert error <= max(np.abs(its - expected).max(), 2e-6 * size)


@pytest.mark.parametrize("extrapolate", [True, False])
def test_extrapolation(signals, confounds, extrapolate):
    options = {**FILTERS["band"], "confounds": confounds, "extrapolate": extrapolate}
    mask = MASKS["both ends"]
    found = clean(signals, sample_mask=mask, t_r=T_R, **options)
    np.testing.assert_allclose(found, theirs(signals, mask, **options), atol=1e-8)


@given(st.sets(st.integers(0, FRAMES - 1), max_size=25), st.sampled_from(sorted(FILTERS)))
def test_censored_frames_leave_no_trace(censored, band):
    rng = np.random.default_rng(5)
    signals, confounds = rng.normal(size=(FRAMES, 4)), rng.normal(size=(FRAMES, 2))
    keep = np.ones(FRAMES, dtype=bool)
    keep[list(censored)] = False
    spoilt, spoilt_confounds = signals.copy(), confounds.copy()
    spoilt[~keep], spoilt_confounds[~keep] = np.nan, np.inf
    found = [
        clean(data, confounds=table, sample_mask=keep, t_r=T_R, **FILTERS[band])
        for data, table in ((signals, confounds), (spoilt, spoilt_confounds))
    ]
    assert found[0].shape == (keep.sum(), 4)
    np.testing.assert_array_equal(*found)


@pytest.mark.filterwarnings("ignore:.*repeat each other:seedmap.errors.SeedmapWarning")
def test_redundant_confounds_count_once(signals, confounds):
    more = np.hstack([confounds, confounds[:, :2] + 3, np.full((FRAMES, 1), 7.0)])
    for options in FILTERS.values():
        few = clean(signals, confounds=confounds, t_r=T_R, **options)
        np.testing.assert_allclose(
            clean(signals, confounds=more, t_r=T_R, **options), few, atol=1e-8
        )


def test_runs_honour_all_options(signals, confounds):
    labels = np.where(np.arange(FRAMES) % 2, "b", "a")
    data = signals.copy()
    data[5, 0] = np.nan
    options = {
        "butterworth__order": 2,
        "low_pass": 0.1,
        "ensure_finite": True,
        "standardize_confounds": False,
        "extrapolate": True,
        "t_r": T_R,
    }
    masks = [np.arange(1, 40), np.arange(0, 38)]
    found = clean(data, runs=labels, confounds=confounds, sample_mask=masks, **options)
    alone = [
        clean(data[labels == run], confounds=confounds[labels == run], sample_mask=mask, **options)
        for run, mask in zip("ab", masks, strict=True)
    ]
    np.testing.assert_allclose(found, np.vstack(alone), atol=1e-12)


def test_runs_as_nilearn_where_it_honours_them(signals, confounds):
    runs = np.repeat([0, 1], 40)
    options = {"confounds": confounds, "detrend": True, "runs": runs, "standardize": "psc"}
    np.testing.assert_allclose(clean(signals, **options), theirs(signals, **options), atol=1e-7)


def test_masks_are_never_modified(signals):
    mask = np.arange(4, 76, dtype=np.int32)
    given_mask = mask.copy()
    clean(signals, sample_mask=given_mask, low_pass=0.1, t_r=T_R)
    np.testing.assert_array_equal(given_mask, mask)
    given_mask.setflags(write=False)
    clean(signals, sample_mask=given_mask, low_pass=0.1, t_r=T_R)


def test_frames_in_another_order(signals, confounds):
    order = np.array([5, 3, 9, 3, 20, 21])
    options = {"detrend": True, "standardize": None, "confounds": confounds[:, :1]}
    np.testing.assert_allclose(
        clean(signals, sample_mask=order, **options), theirs(signals, order, **options), atol=1e-9
    )
    with pytest.raises(ValueError, match="strictly increasing"):
        clean(signals, sample_mask=order, low_pass=0.1, t_r=T_R)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, np.float64, np.uint8])
def test_types(signals, dtype):
    data = np.abs(signals).astype(dtype)
    for standardize in (None, "zscore_sample"):
        options = {"standardize": standardize}
        found, expected = clean(data, t_r=T_R, **options), theirs(data, **options)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_values_that_are_not_finite(signals):
    data = signals.copy()
    data[3, 2], data[4, 5] = np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = clean(data, t_r=T_R)
        expected = theirs(data)
    np.testing.assert_array_equal(np.isnan(found).all(axis=0), np.isnan(expected).all(axis=0))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found).all(axis=0)), [2, 5])
    found = clean(data, t_r=T_R, ensure_finite=True)
    np.testing.assert_allclose(found, theirs(data, ensure_finite=True), atol=1e-9)


def test_constants_are_zero_in_any_type():
    data = np.tile(np.array([0.0, 3.7, 1e6], dtype=np.float32), (FRAMES, 1))
    for options in FILTERS.values():
        np.testing.assert_array_equal(clean(data, t_r=T_R, **options), 0)


def test_nothing_to_do_gives_a_copy(signals):
    same = clean(signals, detrend=False, standardize=None)
    np.testing.assert_array_equal(same, signals)
    assert not np.shares_memory(same, signals)
    kept = clean(signals, detrend=False, standardize=None, sample_mask=np.array([4, 2]))
    np.testing.assert_array_equal(kept, signals[[4, 2]])


def test_a_single_frame(signals):
    with pytest.warns(UserWarning, match="would lead to zero values"):
        np.testing.assert_array_equal(clean(signals[:1]), signals[:1])


def test_a_vector(signals):
    np.testing.assert_allclose(
        clean(signals[:, 0], low_pass=0.1, t_r=T_R),
        clean(signals[:, :1], low_pass=0.1, t_r=T_R)[:, 0],
    )


class TestSameWarnings:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"low_pass": 1.0}, "Nyquist"),
            ({"high_pass": -1.0}, "non-negative"),
            ({"low_pass": 2.0, "high_pass": 1.0}, "returned unfiltered"),
            (
                {"filter": "cosine", "high_pass": 0.01, "low_pass": 0.1},
                "low_pass is not implemented",
            ),
            ({"filter": "cosine", "high_pass": 1e-6}, "Cosine filter was not created"),
            ({"filter": False, "low_pass": 0.1}, "No filter type selected"),
            ({"detrend": False, "standardize_confounds": False}, "When confounds are provided"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:The frequency specified")
    def test_of_options(self, signals, confounds, options, words):
        options = {"confounds": confounds, **options}
        with pytest.warns(UserWarning, match=words):
            expected = theirs(signals, **options)
        with pytest.warns(UserWarning, match=words):
            found = clean(signals, t_r=T_R, **options)
        np.testing.assert_allclose(found, expected, atol=1e-7)

    def test_cosines_that_are_there_already(self, signals):
        table = nilearn.signal.create_cosine_drift(0.01, np.arange(FRAMES) * T_R)[:, :-1]
        with pytest.warns(UserWarning, match="exist in user supplied confounds"):
            clean(signals, confounds=table, filter="cosine", high_pass=0.01, t_r=T_R)

    def test_percent_of_nothing(self, signals):
        data = signals - signals.mean(axis=0)
        data[:, 1:] += 5
        with pytest.warns(UserWarning, match="psc standardization strategy is meaningless"):
            found = clean(data, standardize="psc")
        np.testing.assert_array_equal(found[:, 0], 0)
        assert found[:, 1:].any(axis=0).all()

    def test_booleans(self, signals):
        for value, meaning in ((True, "zscore_sample"), (False, None)):
            with pytest.warns(FutureWarning, match="boolean values for 'standardize'"):
                found = clean(signals, standardize=value)
            np.testing.assert_array_equal(found, clean(signals, standardize=meaning))


class TestSameErrors:
    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"filter": "foo"}, ValueError, "not implemented"),
            ({"filter": "cosine", "t_r": None, "high_pass": 0.01}, ValueError, "Repetition time"),
            ({"low_pass": 0.1, "t_r": None}, ValueError, "Repetition time"),
            ({"low_pass": 0.01, "high_pass": 0.1}, ValueError, "High pass cutoff frequency"),
            ({"detrend": "yes"}, TypeError, "detrend"),
            ({"standardize": "foo"}, ValueError, "standardize"),
            ({"ensure_finite": None}, (TypeError, ValueError), "ensure_finite"),
            ({"confounds": 3}, TypeError, "confounds"),
            ({"confounds": [None]}, TypeError, "confound has an unhandled type"),
            ({"confounds": np.ones((2, 2, 2))}, ValueError, "number of dimensions"),
            ({"confounds": np.ones(4)}, ValueError, "incorrect length"),
            ({"confounds": np.full(FRAMES, np.nan)}, ValueError, "infs or NaNs"),
            ({"runs": np.ones(4)}, ValueError, "length of the run vector"),
            ({"sample_mask": "foo"}, TypeError, "sample_masks"),
            ({"sample_mask": np.arange(100)}, IndexError, "more timepoints"),
            ({"sample_mask": np.array([1, 90])}, IndexError, "invalid index"),
            ({"sample_mask": np.array([1, FRAMES])}, IndexError, "out of bounds"),
            ({"sample_mask": np.array([1, -1])}, ValueError, "negative"),
            ({"sample_mask": [np.arange(3), np.arange(3)]}, ValueError, "matching number of runs"),
        ],
    )
    def test_of_options(self, signals, options, error, words):
        options = {"t_r": T_R, **options}
        with pytest.raises(error, match=words):
            nilearn.signal.clean(signals, **options)
        with pytest.raises(error, match=words):
            clean(signals, **options)

    def test_too_short(self, signals):
        with pytest.raises(ValueError, match="must be greater than padlen"):
            clean(signals[:33], low_pass=0.1, high_pass=0.01, t_r=T_R)

    def test_no_frames_left(self, signals):
        from seedmap.signal.plan import _check_index

        with pytest.raises(AllVolumesRemovedError):
            _check_index(np.empty(0, dtype=int), FRAMES)


class TestHighVariance:
    @pytest.mark.parametrize("detrend", [True, False])
    @pytest.mark.parametrize("percentile", [2, 30.0])
    def test_parity(self, signals, detrend, percentile):
        data = signals * np.arange(1, 21)
        options = {"n_confounds": 3, "percentile": percentile, "detrend": detrend}
        found = high_variance_confounds(data, **options)
        expected = nilearn.signal.high_variance_confounds(data, **options)
        well_defined = 1 if percentile == 2 else 3
        overlap = np.abs(np.einsum("ij,ij->j", found, expected))[:well_defined]
        np.testing.assert_allclose(overlap, 1, atol=1e-8)
        assert high_variance_confounds(data.astype(np.float32)).dtype == np.float32

    def test_no_sample_stands_out(self):
        assert high_variance_confounds(np.ones((30, 4)), n_confounds=2).shape == (30, 2)

    def test_errors(self, signals):
        with pytest.raises(ValueError, match="range"):
            high_variance_confounds(signals, percentile=101)
        with pytest.raises(TypeError, match="detrend"):
            high_variance_confounds(signals, detrend="yes")


def test_confounds_that_repeat_each_other_are_named():
    import pandas as pd

    random = np.random.default_rng(0)
    table = pd.DataFrame(random.standard_normal((60, 3)), columns=["csf", "dvars", "trans_x"])
    series = random.standard_normal((60, 2))
    plain = clean(series, confounds=table, t_r=2.0)
    table["std_dvars"] = 0.3 * table["dvars"] + 4
    with pytest.warns(SeedmapWarning, match="confounds: dvars, std_dvars repeat each other"):
        repeated = clean(series, confounds=table, t_r=2.0)
    np.testing.assert_allclose(repeated, plain, atol=1e-9)
    with pytest.warns(SeedmapWarning, match="column 1, column 3 repeat each other"):
        clean(series, confounds=table.to_numpy(), t_r=2.0)
