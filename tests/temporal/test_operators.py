"""Every operator of time is linear, is its matrix, and refuses what it cannot do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.signal import butter, detrend, sosfiltfilt

from seedmap.errors import OptionError, TooFewFrames
from seedmap.temporal import (
    Butterworth,
    Censor,
    Composed,
    Detrend,
    FillCensored,
    Nuisance,
    cosine_drift,
)
from seedmap.testing import TimeOperatorTests

FRAMES = 60


def kept(*dropped, frames=FRAMES):
    keep = np.ones(frames, dtype=bool)
    keep[list(dropped)] = False
    keep.setflags(write=False)
    return keep


def orthonormal(frames, columns, rng=0):
    basis = np.linalg.qr(np.random.default_rng(rng).standard_normal((frames, columns)))[0]
    basis.setflags(write=False)
    return basis


class TestCensor(TimeOperatorTests):
    def make(self):
        return Censor(kept(0, 7, 8, 59))


class TestFillLinear(TimeOperatorTests):
    def make(self):
        return FillCensored(kept(1, 7, 8, 9, 58))


class TestFillSpline(TimeOperatorTests):
    def make(self):
        return FillCensored(kept(1, 7, 8, 9, 58), "spline")


class TestFillNothing(TimeOperatorTests):
    def make(self):
        return FillCensored(kept())


class TestNuisance(TimeOperatorTests):
    def make(self):
        return Nuisance(orthonormal(FRAMES, 5))


class TestNuisanceOfNothing(TimeOperatorTests):
    def make(self):
        return Nuisance(np.empty((FRAMES, 0)))


class TestDetrend(TimeOperatorTests):
    def make(self):
        return Detrend(np.flatnonzero(kept(3, 4, 20)).astype(float))


class TestBandPass(TimeOperatorTests):
    def make(self):
        return Butterworth(FRAMES, 2.0, 0.01, 0.1)


class TestHighPass(TimeOperatorTests):
    def make(self):
        return Butterworth(FRAMES, 2.0, 0.01, None)


class TestLowPassWithEvenEdges(TimeOperatorTests):
    def make(self):
        return Butterworth(FRAMES, 2.0, None, 0.1, order=3, edges="even")


class TestComposed(TimeOperatorTests):
    def make(self):
        keep = kept(7, 8, 30)
        band = Butterworth(FRAMES, 2.0, 0.01, 0.1)
        left = Nuisance(orthonormal(int(keep.sum()), 4))
        return left @ Censor(keep) @ band @ Detrend(np.arange(60.0)) @ FillCensored(keep)


def operators():
    """Any operator on a few frames."""
    frames = st.integers(4, 30)
    numbers = st.integers(0, 1000)

    def censoring(size, seed):
        keep = np.random.default_rng(seed).random(size) > 0.3
        keep[[0, 1, -1]] = True
        return keep

    return st.one_of(
        st.builds(lambda n, s: Censor(censoring(n, s)), frames, numbers),
        st.builds(
            lambda n, s, how: FillCensored(censoring(n, s), how),
            frames,
            numbers,
            st.sampled_from(["linear", "spline"]),
        ),
        st.builds(lambda n, s: Nuisance(orthonormal(n, min(n, 3), s)), frames, numbers),
        st.builds(lambda n: Detrend(np.arange(float(n))), frames),
        st.builds(
            lambda n, order, edges: Butterworth(n + 40, 2.0, 0.02, 0.1, order, edges),
            frames,
            st.integers(1, 5),
            st.sampled_from(["odd", "even"]),
        ),
    )


@given(operators(), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 1000))
def test_a_sum_of_multiples_becomes_the_same_sum_of_multiples(operator, a, b, seed):
    one, two = np.random.default_rng(seed).standard_normal((2, operator.frames_in, 2))
    apart = a * operator.apply(one) + b * operator.apply(two)
    together = operator.apply(a * one + b * two)
    matrix = operator.matrix()
    size = (abs(a) + abs(b) + 1) * np.abs(matrix).sum(axis=1).max() * 10
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(together, matrix @ (a * one + b * two), rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize(
    "projection", [Nuisance(orthonormal(FRAMES, 7)), Detrend(np.arange(60.0) ** 1.1)]
)
def test_projecting_twice_is_projecting_once(projection):
    once = projection.matrix()
    np.testing.assert_allclose(once @ once, once, atol=1e-13)
    np.testing.assert_allclose(once, once.T, atol=1e-13)


def test_steps_whose_frames_do_not_meet_are_refused():
    with pytest.raises(ValueError, match=r"Detrend takes 60 frames, but Censor .* gives 58"):
        Detrend(np.arange(60.0)) @ Censor(kept(1, 2))


def test_a_product_reads_from_right_to_left():
    keep = kept(5)
    steps = Detrend(np.arange(59.0)) @ Censor(keep)
    assert isinstance(steps, Composed)
    assert (steps.frames_in, steps.frames_out) == (60, 59)
    series = np.random.default_rng(0).standard_normal((60, 2))
    np.testing.assert_allclose(steps.apply(series), detrend(series[keep], axis=0), atol=1e-13)


@pytest.mark.parametrize("dropped", [(0,), (59,), (0, 59)])
def test_nothing_is_extrapolated(dropped):
    with pytest.raises(ValueError, match="never extrapolates"):
        FillCensored(kept(*dropped))


def test_a_straight_line_bridges_a_gap():
    keep = kept(10, 11, 12, 40)
    series = np.random.default_rng(0).standard_normal((FRAMES, 3))
    filled = FillCensored(keep).apply(series)
    frames = np.arange(FRAMES)
    for column, source in zip(filled.T, series.T, strict=True):
        np.testing.assert_allclose(column, np.interp(frames, frames[keep], source[keep]))


def test_a_spline_bridges_a_gap_as_scipy_does():
    keep = kept(10, 11, 12, 40)
    series = np.random.default_rng(0).standard_normal((FRAMES, 3))
    filled = FillCensored(keep, "spline").apply(series)
    frames = np.arange(FRAMES)
    np.testing.assert_allclose(
        filled[~keep], CubicSpline(frames[keep], series[keep])(frames[~keep]), atol=1e-12
    )
    assert np.array_equal(filled[keep], series[keep])


def test_what_stands_in_a_censored_frame_is_never_read():
    keep = kept(10, 11)
    series = np.random.default_rng(0).standard_normal((FRAMES, 2))
    wanted = FillCensored(keep).apply(series)
    series[[10, 11]] = np.nan, np.inf
    assert np.array_equal(FillCensored(keep).apply(series), wanted)


def test_detrending_removes_a_line_over_uneven_times():
    times = np.array([0.0, 1, 2, 5, 6, 9])
    line = 4.0 - 3.0 * times
    np.testing.assert_allclose(Detrend(times).apply(line[:, None]), 0, atol=1e-13)


def test_detrending_at_one_moment_removes_the_mean():
    found = Detrend(np.zeros(4)).apply(np.arange(4.0)[:, None])
    np.testing.assert_allclose(found[:, 0], np.arange(4) - 1.5)


def test_whole_numbers_are_not_cut():
    series = np.arange(12).reshape(6, 2) ** 2
    found = Detrend(np.arange(6.0)).apply(series)
    np.testing.assert_allclose(found, detrend(series.astype(float), axis=0), atol=1e-12)


BANDS = [(0.01, 0.1, "bandpass"), (0.01, None, "highpass"), (None, 0.1, "lowpass")]


@pytest.mark.parametrize(("high_pass", "low_pass", "kind"), BANDS)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6])
def test_odd_edges_are_scipys_own_defaults(high_pass, low_pass, kind, order):
    operator = Butterworth(90, 2.0, high_pass, low_pass, order)
    series = np.random.default_rng(0).standard_normal((90, 3))
    cut_offs = [edge for edge in (high_pass, low_pass) if edge]
    sections = butter(
        order, cut_offs if len(cut_offs) > 1 else cut_offs[0], kind, output="sos", fs=0.5
    )
    np.testing.assert_allclose(
        operator.apply(series), sosfiltfilt(sections, series, axis=0), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(("high_pass", "low_pass", "kind"), BANDS)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_the_fewest_frames_are_those_of_scipy(high_pass, low_pass, kind, order):
    fewest = Butterworth(500, 2.0, high_pass, low_pass, order).padding + 1
    Butterworth(fewest, 2.0, high_pass, low_pass, order).matrix()
    with pytest.raises(TooFewFrames, match=f"needs at least {fewest}"):
        Butterworth(fewest - 1, 2.0, high_pass, low_pass, order)


@pytest.mark.parametrize(("high_pass", "low_pass", "kind"), BANDS)
def test_even_edges_mirror_the_whole_series(high_pass, low_pass, kind):
    series = np.random.default_rng(0).standard_normal((80, 2))
    operator = Butterworth(80, 2.0, high_pass, low_pass, edges="even")
    assert operator.padding == 79
    mirrored = np.concatenate([series[:0:-1], series, series[-2::-1]])
    cut_offs = [edge for edge in (high_pass, low_pass) if edge]
    sections = butter(5, cut_offs if len(cut_offs) > 1 else cut_offs[0], kind, output="sos", fs=0.5)
    wanted = sosfiltfilt(sections, mirrored, axis=0, padtype=None)[79 : 79 + 80]
    np.testing.assert_allclose(operator.apply(series), wanted, rtol=0, atol=1e-12)


def test_even_edges_need_as_many_frames_as_odd_ones():
    with pytest.raises(TooFewFrames, match="needs at least 34"):
        Butterworth(33, 2.0, 0.01, 0.1, edges="even")
    assert Butterworth(34, 2.0, 0.01, 0.1, edges="even").padding == 33


@pytest.mark.parametrize(
    ("edges", "name"),
    [((0.01, 0.25), "low_pass=0.25"), ((0.3, None), "high_pass=0.3"), ((None, 5.0), "low_pass=5")],
)
def test_a_cut_off_at_or_above_nyquist_is_refused(edges, name):
    with pytest.raises(OptionError, match=rf"{name} Hz lies outside 0 to 0.25 Hz, the Nyquist"):
        Butterworth(200, 2.0, *edges)


@pytest.mark.parametrize("edge", [0.0, -0.1])
def test_a_cut_off_of_nothing_is_refused(edge):
    with pytest.raises(OptionError, match="high_pass"):
        Butterworth(200, 2.0, edge, 0.1)


def test_a_slow_wave_passes_and_a_fast_one_does_not():
    seconds = 2.0 * np.arange(300)
    waves = np.sin(2 * np.pi * np.outer(seconds, [0.002, 0.04, 0.2]))
    passed = Butterworth(300, 2.0, 0.01, 0.1).apply(waves)
    ratio = passed[60:-60].std(axis=0) / waves[60:-60].std(axis=0)
    assert ratio[1] == pytest.approx(1, abs=1e-2)
    assert ratio[0] < 0.01
    assert ratio[2] < 0.01


def test_cosines_are_those_of_the_discrete_cosine_transform():
    from scipy.fft import dct

    basis = cosine_drift(50, 2.0, 0.02)
    assert basis.shape == (50, 4)  # floor(2 * 50 * 0.02 * 2.0)
    np.testing.assert_allclose(basis, dct(np.eye(50), axis=1, norm="ortho")[:, 1:5], atol=1e-13)


def test_cosines_are_those_of_nilearn():
    from nilearn.glm.first_level.design_matrix import create_cosine_drift

    theirs = create_cosine_drift(0.01, 1.5 * np.arange(111))  # the constant comes last
    np.testing.assert_allclose(cosine_drift(111, 1.5, 0.01), theirs[:, :-1], atol=1e-13)


@pytest.mark.parametrize(("high_pass", "columns"), [(0.0001, 0), (10.0, 19)])
def test_there_are_never_more_cosines_than_fit(high_pass, columns):
    assert cosine_drift(20, 2.0, high_pass).shape == (20, columns)
