"""The matrix of a cleaning: nilearn's numbers, and no trace of what was to be removed."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.signal import clean

from seedmap.errors import OptionError, TooFewFrames
from seedmap.temporal import Cleaning, cleaning_operator

FRAMES, T_R = 120, 2.0
ALL = np.ones(FRAMES, dtype=bool)


def noise(columns=6, rng=0, frames=FRAMES):
    values = np.random.default_rng(rng).standard_normal((frames + 2, columns))
    values = 3.0 + (values[2:] + values[1:-1] + values[:-2]) * np.logspace(-1, 2, columns)
    values.setflags(write=False)
    return values


def kept(*dropped):
    keep = ALL.copy()
    keep[list(dropped)] = False
    keep.setflags(write=False)
    return keep


BANDS = {
    "butterworth": {"filter": "butterworth", "high_pass": 0.01, "low_pass": 0.1},
    "high": {"filter": "butterworth", "high_pass": 0.01, "low_pass": None},
    "low": {"filter": "butterworth", "high_pass": None, "low_pass": 0.1},
    "third": {"filter": "butterworth", "high_pass": 0.02, "low_pass": 0.08, "order": 3},
    "cosine": {"filter": "cosine", "high_pass": 0.01, "low_pass": None},
    "none": {"filter": None, "high_pass": None, "low_pass": None},
}
CENSORINGS = {"all": (), "bursts": (20, 21, 50, 77)}  # no two of them mirror images of each other


def nilearn_matrix(band, confounds, keep, *, detrend, standardize_confounds):
    options = dict(band)
    if "order" in options:
        options["butterworth__order"] = options.pop("order")
    options["filter"] = options["filter"] or False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clean(
            np.eye(FRAMES),
            detrend=detrend,
            standardize=None,
            standardize_confounds=standardize_confounds,
            confounds=None if confounds is None else np.array(confounds),
            sample_mask=None if keep.all() else np.flatnonzero(keep),
            t_r=T_R,
            **options,
        )


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("dropped", CENSORINGS)
@pytest.mark.parametrize("columns", [None, 1, 6])
@pytest.mark.parametrize(
    ("detrend", "standardize_confounds"),
    list(itertools.product([True, False], repeat=2)),
)
def test_the_matrix_is_nilearns_cleaning_of_the_identity(
    band, dropped, columns, detrend, standardize_confounds
):
    keep = kept(*CENSORINGS[dropped])
    confounds = None if columns is None else noise(columns)
    cleaning = Cleaning(
        detrend=detrend,
        standardize_confounds=standardize_confounds,
        fill="spline",
        **BANDS[band],
    )
    ours = cleaning_operator(cleaning, keep, T_R, confounds)
    theirs = nilearn_matrix(
        BANDS[band], confounds, keep, detrend=detrend, standardize_confounds=standardize_confounds
    )
    np.testing.assert_allclose(ours.L, theirs, rtol=0, atol=1e-10)
    assert ours.confounds_given == (columns or 0)


def test_the_default_is_the_seed_examples_cleaning():
    theirs = nilearn_matrix(
        BANDS["butterworth"], noise(), ALL, detrend=True, standardize_confounds=True
    )
    ours = cleaning_operator(Cleaning(), ALL, T_R, noise())
    np.testing.assert_allclose(ours.L, theirs, rtol=0, atol=1e-10)


EVERY_KIND = [
    {**band, "edges": edges, "fill": fill, "detrend": detrend}
    for band in BANDS.values()
    for edges, fill, detrend in [
        ("odd", "linear", True),
        ("even", "linear", False),
        ("odd", "spline", True),
    ]
]
# Bursts, pairs that mirror each other about the middle, and frames at head and tail.
LEAKS = {
    "bursts": (10, 11, 12, 60),
    "mirrored": (10, 11, 108, 109),
    "head": (0, 1, 2),
    "tail": (117, 118, 119),
    "both ends": (0, 1, 30, 118, 119),
    "mirrored ends": (0, 119),
}


@pytest.mark.parametrize("dropped", LEAKS)
@pytest.mark.parametrize("options", EVERY_KIND, ids=str)
def test_a_spike_in_a_censored_frame_changes_nothing(options, dropped):
    keep = kept(*LEAKS[dropped])
    cleaning, confounds = Cleaning(**options), np.array(noise())
    found = cleaning_operator(cleaning, keep, T_R, confounds)
    assert found.L.shape == (keep.sum(), FRAMES)
    assert np.all(found.L[:, ~keep] == 0)  # of the data
    assert np.all(found.R[:, ~keep] == 0)
    for spike in (1e6, np.nan, np.inf):  # of the confounds
        confounds[~keep] = spike
        again = cleaning_operator(cleaning, keep, T_R, confounds)
        assert np.array_equal(again.L, found.L)
        assert np.array_equal(again.R, found.R)


@given(st.integers(0, 10_000))
def test_no_pattern_of_censoring_leaves_a_trace(seed):
    random = np.random.default_rng(seed)
    keep = random.random(FRAMES) > random.uniform(0.05, 0.5)
    keep[40:80] |= random.random(40) > 0.3
    found = cleaning_operator(Cleaning(), keep, T_R, noise(3))
    assert np.all(found.L[:, ~keep] == 0)
    np.testing.assert_allclose(found.on_kept, found.L[:, keep])


@pytest.mark.parametrize("options", EVERY_KIND[::2], ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 10, 11, 108)])
def test_a_confound_that_says_nothing_new_changes_nothing(options, dropped):
    keep, confounds = kept(*dropped), noise()
    cleaning = Cleaning(**options)
    plain = cleaning_operator(cleaning, keep, T_R, confounds)
    additions = {
        "duplicate": confounds[:, [2]],
        "multiple": -1e4 * confounds[:, [0]],
        "sum": confounds.sum(axis=1, keepdims=True),
        "difference": confounds[:, [0]] - confounds[:, [5]],
        "zero": np.zeros((FRAMES, 1)),
        "several": np.hstack([confounds, confounds @ np.arange(12.0).reshape(6, 2)]),
    }
    if cleaning.standardize_confounds:
        additions["constant"] = np.full((FRAMES, 1), 7.3)
        additions["duplicate less a constant"] = confounds[:, [1]] - 1e3
    for name, extra in additions.items():
        more = cleaning_operator(cleaning, keep, T_R, np.hstack([extra, confounds]))
        np.testing.assert_allclose(more.L, plain.L, rtol=0, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(more.R, plain.R, rtol=0, atol=1e-9, err_msg=name)
        assert more.confound_rank == plain.confound_rank, name
        assert more.confounds_given == 6 + extra.shape[1]


def test_confounds_that_are_all_constant_change_nothing():
    plain = cleaning_operator(Cleaning(), ALL, T_R)
    found = cleaning_operator(Cleaning(), ALL, T_R, np.full((FRAMES, 3), [0.0, 1.0, 1e6]))
    np.testing.assert_allclose(found.L, plain.L, atol=1e-12)
    assert found.confound_rank == 0
    assert found.confounds_given == 3


@pytest.mark.parametrize("options", [{}, {"filter": None}, {"high_pass": None}], ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 10, 11, 108)])
def test_a_confound_that_an_earlier_step_removes_changes_nothing(options, dropped):
    """What rounding leaves of it is no direction of the data."""
    keep, line = kept(*dropped), 1e3 + 7.0 * np.arange(FRAMES)[:, None]
    plain = cleaning_operator(Cleaning(**options), keep, T_R, noise())
    found = cleaning_operator(Cleaning(**options), keep, T_R, np.hstack([noise(), line]))
    np.testing.assert_allclose(found.L, plain.L, rtol=0, atol=1e-9)
    assert found.confound_rank == plain.confound_rank


def test_the_unit_of_a_confound_does_not_matter():
    plain = cleaning_operator(Cleaning(), ALL, T_R, noise())
    scaled = cleaning_operator(Cleaning(), ALL, T_R, noise() * np.logspace(-6, 6, 6) + 5)
    np.testing.assert_allclose(scaled.L, plain.L, rtol=0, atol=1e-9)


@pytest.mark.parametrize("options", EVERY_KIND, ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 10, 11, 108)])
def test_nothing_of_the_cleaned_confounds_is_left(options, dropped):
    keep, confounds = kept(*dropped), noise()
    plain = cleaning_operator(Cleaning(**options), keep, T_R)
    found = cleaning_operator(Cleaning(**options), keep, T_R, confounds)
    series = np.random.default_rng(1).standard_normal((FRAMES, 20))
    cleaned, residual = unit(plain.L @ confounds), unit(found.L @ series)
    assert np.abs(residual.T @ cleaned).max() < 1e-12
    left = found.L @ confounds
    assert np.abs(left - left.mean(axis=0)).max() < 1e-12 * np.abs(confounds).max()


def unit(series):
    """Centred as every correlation does, and of unit norm."""
    centred = series - series.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=0)


def test_confounds_that_are_not_centred_are_taken_as_they_are():
    found = cleaning_operator(Cleaning(standardize_confounds=False), ALL, T_R, noise())
    cleaned = cleaning_operator(Cleaning(), ALL, T_R).L @ noise()
    assert np.abs(found.L @ noise()).max() < 1e-12 * np.abs(noise()).max()
    assert np.abs(found.L.T @ cleaned).max() < 1e-12 * np.abs(cleaned).max()


def test_trend_mean_and_confounds_are_gone_from_the_residuals():
    keep, confounds = kept(0, 10, 11, 108), noise()
    found = cleaning_operator(Cleaning(), keep, T_R, confounds)
    gone = np.column_stack([np.ones(FRAMES), np.arange(FRAMES), confounds])
    assert np.abs(found.R @ (gone / np.abs(gone).max(axis=0))).max() < 1e-12
    basis = found.noise_basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(8), atol=1e-12)
    on_kept = found.R[:, keep]
    np.testing.assert_allclose(on_kept @ on_kept, on_kept, atol=1e-12)


def test_what_is_given_stays_as_it_was():
    keep, confounds = kept(0, 10, 11, 108), noise().astype(np.float32)
    confounds.setflags(write=False)
    before = keep.tobytes(), confounds.tobytes()
    found = cleaning_operator(Cleaning(), keep, T_R, confounds)
    assert (keep.tobytes(), confounds.tobytes()) == before
    for array in (found.L, found.noise_basis):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_constant_becomes_nothing():
    found = cleaning_operator(Cleaning(), kept(5, 60), T_R, noise())
    assert np.abs(found.L.sum(axis=1)).max() < 1e-12


def test_the_trend_runs_over_true_time():
    keep = kept(*range(30, 60))
    found = cleaning_operator(Cleaning(filter=None, high_pass=None, low_pass=None), keep)
    assert np.abs(found.L @ np.arange(FRAMES)).max() < 1e-11


def test_without_filter_no_repetition_time_is_needed():
    assert not Cleaning(filter=None).needs_t_r
    assert not Cleaning(high_pass=None, low_pass=None).needs_t_r
    assert not Cleaning(filter="cosine", high_pass=None).needs_t_r
    assert Cleaning(filter="cosine").needs_t_r
    assert Cleaning(high_pass=None).needs_t_r
    assert Cleaning(low_pass=None).needs_t_r
    plain = cleaning_operator(Cleaning(detrend=False, filter=None), ALL)
    assert np.array_equal(plain.L, np.eye(FRAMES))


def test_even_edges_differ_only_near_the_ends():
    odd = cleaning_operator(Cleaning(), ALL, T_R).L
    even = cleaning_operator(Cleaning(edges="even"), ALL, T_R).L
    assert np.abs(odd - even)[:20].max() > 10 * np.abs(odd - even)[50:70, 50:70].max()


def test_cosines_count_as_directions_removed():
    found = cleaning_operator(Cleaning(filter="cosine", low_pass=None), ALL, T_R, noise(2))
    assert found.confound_rank == 2 + 4  # floor(2 * 120 * 0.01 * 2)
    assert found.confounds_given == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": "kalman"}, "filter='kalman' is not known; choose one of butterworth, cosine"),
        ({"edges": "round"}, "edges='round' is not known; choose one of odd, even"),
        ({"edges": None}, "edges=None is not known"),
        ({"fill": "zero"}, "fill='zero' is not known; choose one of linear, spline"),
        ({"high_pass": 0.0}, "high_pass=0 Hz; give a frequency above 0"),
        ({"high_pass": -0.1}, "high_pass=-0.1 Hz"),
        ({"low_pass": float("nan")}, "low_pass=nan Hz"),
        ({"low_pass": float("inf")}, "low_pass=inf Hz"),
        ({"high_pass": 0.1, "low_pass": 0.01}, "high_pass=0.1 Hz is not below low_pass=0.01 Hz"),
        ({"high_pass": 0.1, "low_pass": 0.1}, "the pass band is empty"),
        ({"order": 0}, "order=0; a Butterworth filter has an order of at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(OptionError, match=words) as caught:
        Cleaning(**options)
    assert "\n" not in str(caught.value)


def test_a_filter_needs_the_repetition_time():
    with pytest.raises(OptionError, match="needs the repetition time; give t_r"):
        cleaning_operator(Cleaning(), ALL)


def test_a_band_beyond_nyquist_is_refused():
    with pytest.raises(OptionError, match="Nyquist"):
        cleaning_operator(Cleaning(low_pass=0.3), ALL, T_R)


def test_too_few_frames_for_the_filter_are_refused():
    keep = np.zeros(FRAMES, dtype=bool)
    keep[20:53] = True
    with pytest.raises(TooFewFrames, match="33 frames; a Butterworth filter of order 5 needs"):
        cleaning_operator(Cleaning(), keep, T_R)


@pytest.mark.parametrize("columns", [FRAMES - 1, FRAMES, FRAMES + 20])
@pytest.mark.parametrize(
    "options",
    [{}, {"detrend": False}, {"filter": None}, {"filter": None, "detrend": False}],
    ids=str,
)
def test_confounds_that_leave_nothing_are_refused(options, columns):
    confounds = np.random.default_rng(0).standard_normal((FRAMES, columns))
    with pytest.raises(
        TooFewFrames, match=r"the confounds span \d+ directions and only 120 frames"
    ):
        cleaning_operator(Cleaning(**options), ALL, T_R, confounds)


def test_confounds_that_leave_a_little_are_taken():
    confounds = np.random.default_rng(0).standard_normal((FRAMES, FRAMES - 5))
    found = cleaning_operator(Cleaning(filter=None), ALL, None, confounds)
    assert np.square(found.L).sum() == pytest.approx(3)  # 120 - 115, less mean and line


def test_a_narrow_band_is_no_fault_of_the_confounds():
    narrow = Cleaning(high_pass=0.05, low_pass=0.052)
    assert np.square(cleaning_operator(narrow, ALL, T_R).L).sum() < 1.5
