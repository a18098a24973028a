"""What the arithmetic shares; masks of frames are understood in every form, and never changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap._arrays import check_same_frames, parse_sample_mask, project_out, readonly, zscored
from seedmap.errors import OptionError, TooFewFrames


def test_a_read_only_view_protects_the_view_alone():
    array = np.zeros(3)
    view = readonly(array)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    array[0] = 1
    assert view[0] == 1


def test_projecting_out_is_what_least_squares_leaves():
    rng = np.random.default_rng(0)
    columns, series = rng.normal(size=(30, 4)), rng.normal(size=(30, 6))
    fitted = columns @ np.linalg.lstsq(columns, series, rcond=None)[0]
    np.testing.assert_allclose(
        project_out(np.linalg.qr(columns)[0], series), series - fitted, atol=1e-12
    )
    single = project_out(np.eye(30, 4, dtype=np.float32), series.astype(np.float32))
    assert single.dtype == np.float32
    assert not single[:4].any()


def test_zscored_columns_have_mean_0_and_deviation_1():
    found = zscored(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(found, [[-1, 0], [0, 0], [1, 0]])


def test_series_must_have_the_same_frames():
    check_same_frames(np.zeros((3, 1)), np.zeros((3, 7)))
    with pytest.raises(ValueError, match="5 frames in one series and 6 in the other"):
        check_same_frames(np.zeros((5, 2)), np.zeros((6, 2)))
    with pytest.raises(TooFewFrames, match="2 frames; a correlation needs at least 3"):
        check_same_frames(np.zeros((2, 2)), np.zeros((2, 2)))


def test_without_a_mask_all_frames_stay():
    keep = parse_sample_mask(None, 5)
    assert keep.dtype == bool
    assert keep.tolist() == [True] * 5


@given(st.lists(st.booleans(), min_size=4, max_size=30).filter(lambda kept: sum(kept) >= 3))
def test_every_form_says_the_same(kept):
    wanted = np.array(kept)
    index = np.flatnonzero(wanted)
    shuffled = np.random.default_rng(0).permutation(index)
    forms = [
        kept,
        wanted,
        wanted[:, None],
        index,
        index.tolist(),
        shuffled,
        index.astype(np.int32),
        index.astype(np.uint8),
        index.astype(float),
        index[None, :],
    ]
    for form in forms:
        keep = parse_sample_mask(form, wanted.size)
        assert keep.dtype == bool
        assert np.array_equal(keep, wanted)
        assert not keep.flags.writeable


@pytest.mark.parametrize("given_mask", [np.arange(3, 8), np.arange(10) > 4])
def test_what_is_given_stays_as_it_was_and_is_not_shared(given_mask):
    mask = given_mask.copy()
    mask.setflags(write=False)
    keep = parse_sample_mask(mask, 10)
    assert np.array_equal(mask, given_mask)
    assert not np.shares_memory(keep, mask)


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        ([True] * 9, OptionError, "9 booleans and the run 10 frames; give one a frame"),
        ([True] * 11, OptionError, "11 booleans"),
        ([0, 1, 2, 10], OptionError, "points to frame 10, the run has frames 0 to 9"),
        ([-1, 1, 2, 3], OptionError, "points to frame -1, .* count frames from 0"),
        ([1, 2, 2, 3, 3], OptionError, "lists 2 frames twice"),
        ([1, 2, 3.5], OptionError, "holds fractions"),
        (np.ones((2, 5), bool), OptionError, r"shape \(2, 5\); give a vector of 10 booleans"),
        (3, OptionError, r"shape \(\)"),
        ([False] * 10, TooFewFrames, "keeps 0 of 10 frames; at least 3"),
        ([True, True] + [False] * 8, TooFewFrames, "keeps 2 of 10 .* the right way round"),
        ([], TooFewFrames, "keeps 0 of 10"),
        ([4, 5], TooFewFrames, "keeps 2 of 10"),
        ([0, np.nan, 3], OptionError, "no frame numbers .*give booleans or whole frame numbers"),
        ([0, np.inf, 3], OptionError, "no frame numbers"),
        (["a", "b", "c"], OptionError, "no frame numbers .<U1"),
        ([True, None, 3], OptionError, "no frame numbers"),
    ],
)
def test_what_is_no_mask_is_refused(mask, error, words):
    with pytest.raises(error, match=words) as caught:
        parse_sample_mask(mask, 10)
    assert "\n" not in str(caught.value)


def test_a_run_of_two_frames_is_too_short():
    with pytest.raises(TooFewFrames, match="keeps 2 of 2"):
        parse_sample_mask(None, 2)
