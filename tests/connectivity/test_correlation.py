"""Correlations are Pearson's, whole or in blocks, and NaN where there is nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap._arrays import LARGEST_R
from seedmap.connectivity.correlation import (
    BLOCK,
    SEEDS_TOGETHER,
    correlate,
    fisherz,
    in_blocks,
    pearson,
)
from seedmap.errors import TooFewFrames
from seedmap.temporal import (
    BlockCleaner,
    Cleaning,
    CleaningOperator,
    Remover,
    cleaning_operator,
)

WORDS = "as it was"


def noise(*shape, rng=0):
    values = np.random.default_rng(rng).standard_normal(shape)
    values.setflags(write=False)
    return values


class TestPearson:
    @given(st.integers(3, 60), st.integers(1, 20), st.integers(1, 3), st.integers(0, 1000))
    def test_it_is_numpys(self, frames, samples, seeds, rng):
        series, seed_series = noise(frames, samples, rng=rng), noise(frames, seeds, rng=rng + 1)
        wanted = np.corrcoef(seed_series, series, rowvar=False)[:seeds, seeds:]
        np.testing.assert_allclose(pearson(series, seed_series), wanted, atol=1e-12)

    @given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.integers(0, 1000))
    def test_scale_and_shift_do_not_matter(self, scale, shift, rng):
        series, seed_series = noise(30, 5, rng=rng), noise(30, 2, rng=rng + 1)
        r = pearson(series, seed_series)
        np.testing.assert_allclose(pearson(scale * (series + shift), seed_series), r, atol=1e-9)
        np.testing.assert_allclose(pearson(-scale * series, seed_series), -r, atol=1e-9)

    def test_the_order_of_samples_does_not_matter(self):
        order = np.random.default_rng(0).permutation(50)
        r = pearson(noise(30, 50), noise(30, 2, rng=1))
        np.testing.assert_allclose(
            pearson(noise(30, 50)[:, order], noise(30, 2, rng=1)), r[:, order]
        )

    def test_itself_is_one_and_never_more(self):
        r = pearson(noise(100, 40), noise(100, 40))
        np.testing.assert_allclose(np.diag(r), 1)
        assert np.abs(r).max() <= 1

    def test_constants_are_nan(self):
        series = np.array(noise(20, 4))
        series[:, 1], series[:, 2] = 0, 1e6
        r = pearson(series, series)
        assert np.isnan(r[[1, 2]]).all()
        assert np.isnan(r[:, [1, 2]]).all()
        assert np.isfinite(r[np.ix_([0, 3], [0, 3])]).all()

    def test_samples_with_nan_are_nan_alone(self):
        series = np.array(noise(20, 3))
        series[4, 1] = np.nan
        r = pearson(series, noise(20, 1, rng=1))
        assert np.isnan(r).tolist() == [[False, True, False]]

    def test_series_that_do_not_fit_are_refused(self):
        with pytest.raises(ValueError, match="20 frames in one series and 21"):
            pearson(noise(20, 3), noise(21, 3))
        with pytest.raises(TooFewFrames, match="at least 3"):
            pearson(noise(2, 3), noise(2, 3))


class TestFisher:
    def test_it_is_atanh(self):
        r = np.linspace(-0.999, 0.999, 99)
        np.testing.assert_allclose(fisherz(r), np.arctanh(r))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_it_is_finite_wherever_r_is(self, dtype):
        r = np.array([-1, 1, 0, np.nan, LARGEST_R], dtype=dtype)
        r.setflags(write=False)
        found = fisherz(r)
        assert found.dtype == dtype
        assert np.isfinite(found).tolist() == [True, True, True, False, True]
        np.testing.assert_allclose(found[1], np.arctanh(1 - 1e-7), rtol=2e-2)
        assert found[0] == -found[1]


class TestBlocks:
    @pytest.mark.parametrize("n_jobs", [1, 2, 5])
    @pytest.mark.parametrize("samples", [0, 1, 9, 10, 11, 100])
    def test_every_sample_is_visited_once(self, n_jobs, samples):
        visited = np.zeros(samples, dtype=int)

        def work(part):
            assert 0 < part.stop - part.start <= 10
            visited[part] += 1

        in_blocks(work, samples, n_jobs, block=10)
        assert np.array_equal(visited, np.ones(samples))

    @pytest.mark.parametrize("n_jobs", [1, 3])
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_what_goes_wrong_is_raised(self, n_jobs, error):
        def work(part):
            if part.start == 50:
                raise error(WORDS)

        with pytest.raises(error, match=WORDS):
            in_blocks(work, 1000, n_jobs, block=10)


FRAMES, T_R = 80, 2.0
OPTIONS = [
    {},
    {"filter": None},
    {"detrend": False, "high_pass": None},
    {"filter": None, "detrend": False},
]


def a_run(samples, constant=()):
    """Series as they are extracted: the first frame subtracted, which is the reference."""
    raw = 1000 + 50 * noise(FRAMES, samples)
    raw[:, list(constant)] = 700.0
    reference = raw[0].copy()
    series = (raw - reference).astype(np.float32)
    for array in (series, reference):
        array.setflags(write=False)
    return raw, series, reference


MEAN = np.full((FRAMES, 1), FRAMES**-0.5)


def taking(basis):
    """Return the operator that takes an orthonormal basis (frames, n) away and does no more."""
    projection = np.eye(FRAMES) - basis @ basis.T
    return CleaningOperator(projection, np.ones(FRAMES, bool), basis)


class TestRun:
    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    @pytest.mark.parametrize("n_jobs", [1, 3])
    def test_a_run_in_blocks_is_pearson_of_the_cleaned_run(self, options, n_jobs):
        keep = np.ones(FRAMES, dtype=bool)
        cleaning = cleaning_operator(Cleaning(**options), keep, T_R, noise(FRAMES, 3, rng=2))
        raw, series, reference = a_run(BLOCK + 77)
        seed_series = 900 + noise(FRAMES, 2, rng=5) + raw[:, :2]
        found = correlate(cleaning.cleaner(reference), series, seed_series, n_jobs)
        cleaned = cleaning.L @ raw
        wanted = pearson(cleaned, cleaning.L @ seed_series)
        assert found.r.dtype == np.float32
        np.testing.assert_allclose(found.r, wanted, rtol=0, atol=2e-5)
        np.testing.assert_allclose(
            found.spread, np.linalg.norm(cleaned - cleaned.mean(axis=0), axis=0), rtol=1e-4
        )
        assert not found.constant.any()

    @pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
    def test_samples_and_seeds_of_nothing_are_nan(self, options):
        keep = np.ones(FRAMES, dtype=bool)
        confounds = noise(FRAMES, 2, rng=2)
        cleaning = cleaning_operator(Cleaning(**options), keep, T_R, confounds)
        _, series, reference = a_run(30, constant=(4, 5))
        series, reference = series.copy(), reference.copy()
        explained = 100 * confounds[:, 0]  # all that this sample does is a confound
        reference[7], series[:, 7] = explained[0], explained - explained[0]
        seeds = np.column_stack([noise(FRAMES, rng=9), np.full(FRAMES, 5.0), confounds[:, 1]])
        found = correlate(cleaning.cleaner(reference), series, seeds)
        assert np.flatnonzero(found.constant).tolist() == [4, 5, 7]
        assert np.isnan(found.r[:, [4, 5, 7]]).all()
        assert np.isnan(found.spread[[4, 5, 7]]).all()
        assert np.isnan(found.r[1:]).all()
        assert np.isfinite(np.delete(found.r[0], [4, 5, 7])).all()

    @pytest.mark.parametrize("n_jobs", [1, 2, 4])
    def test_any_number_of_threads_gives_the_same_bits(self, n_jobs):
        _, series, reference = a_run(2 * BLOCK + 5)
        cleaner = taking(MEAN).cleaner(reference)
        one = correlate(cleaner, series, noise(FRAMES, 1, rng=3))
        other = correlate(cleaner, series, noise(FRAMES, 1, rng=3), n_jobs)
        assert np.array_equal(one.r, other.r)
        assert np.array_equal(one.spread, other.spread)

    @pytest.mark.parametrize("seeds", [SEEDS_TOGETHER, 2 * SEEDS_TOGETHER + 3])
    def test_many_seeds_are_each_pearsons(self, seeds):
        raw, series, reference = a_run(40)
        seed_series = noise(FRAMES, seeds, rng=4)
        found = correlate(taking(MEAN).cleaner(reference), series, seed_series, 2)
        np.testing.assert_allclose(found.r, pearson(raw, seed_series), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("n_jobs", [1, 3])
    def test_maps_may_take_the_place_of_the_series(self, n_jobs):
        _, series, reference = a_run(2 * BLOCK + 5)
        seed_series = noise(FRAMES, FRAMES + 7, rng=4)
        cleaner = taking(MEAN).cleaner(reference)
        out = np.empty((FRAMES + 7, series.shape[1]), dtype=np.float32)
        out[7:] = series
        announced = []
        found = correlate(
            *(cleaner, out[7:], seed_series, n_jobs),
            lambda part, raw: announced.append(np.array_equal(raw, series[:, part])),
            out,
        )
        assert found.r is out
        assert all(announced)
        assert np.array_equal(out, correlate(cleaner, series, seed_series).r)

    def test_taking_few_directions_away_is_the_same_cleaning(self):
        _, series, reference = a_run(BLOCK + 5)
        seed_series = noise(FRAMES, 3, rng=4)
        basis = np.linalg.qr(np.column_stack([np.ones(FRAMES), noise(FRAMES, 2, rng=5)]))[0]
        operator = taking(basis)
        cleaners = BlockCleaner(operator.coordinates, reference), operator.cleaner(reference)
        assert isinstance(cleaners[1], Remover)
        usual, quick = (correlate(one, series, seed_series) for one in cleaners)
        np.testing.assert_allclose(quick.r, usual.r, rtol=0, atol=2e-6)
        np.testing.assert_allclose(quick.spread, usual.spread, rtol=1e-5)
        assert np.array_equal(quick.constant, usual.constant)

    def test_every_block_is_announced(self):
        _, series, reference = a_run(BLOCK + 1)
        seen = {}

        def on_block(part, raw):
            seen[part.start] = raw
            assert np.shares_memory(raw, series)

        cleaner = taking(MEAN).cleaner(reference)
        correlate(cleaner, series, noise(FRAMES, 1), on_block=on_block)
        assert sorted(seen) == [0, BLOCK]
        assert np.array_equal(np.hstack([seen[0], seen[BLOCK]]), series)


def test_a_cleaning_that_answers_to_a_constant_gets_the_reference_back():
    raw, series, reference = a_run(20)
    smoothing = np.full((FRAMES, FRAMES), 1 / FRAMES) + np.eye(FRAMES)
    found = BlockCleaner(smoothing, reference).clean(slice(5, 15), series[:, 5:15])
    np.testing.assert_allclose(found, (smoothing @ raw)[:, 5:15], rtol=1e-5)
