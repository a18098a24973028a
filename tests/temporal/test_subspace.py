"""A run in its own coordinates has the correlations that it had before."""

import numpy as np
import pytest

from seedmap.connectivity.correlation import pearson
from seedmap.temporal import BlockCleaner, Cleaning, CleaningOperator, Remover, cleaning_operator

FRAMES, T_R = 150, 2.0
OPTIONS = [
    {},
    {"edges": "even"},
    {"high_pass": None},
    {"low_pass": None},
    {"filter": "cosine", "low_pass": None},
    {"filter": None},
    {"detrend": False},
]


def operator(options, dropped=()):
    keep = np.ones(FRAMES, dtype=bool)
    keep[list(dropped)] = False
    confounds = np.random.default_rng(5).standard_normal((FRAMES, 6)).cumsum(axis=0)
    return cleaning_operator(Cleaning(**options), keep, T_R, confounds)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 40, 41, 109)])
def test_no_correlation_changes(options, dropped):
    found = operator(options, dropped)
    series = np.random.default_rng(0).standard_normal((found.keep.sum(), 300))
    cleaned = found.on_kept @ series
    inner = found.coordinates @ series
    size = np.linalg.norm(inner, axis=0)
    r = (inner.T @ inner) / np.outer(size, size)
    wanted = np.corrcoef(cleaned, rowvar=False)
    np.testing.assert_allclose(r, wanted, rtol=0, atol=1e-5)
    # A1: r is numpy's own, and nilearn's product over n is r (n - 1) / n
    np.testing.assert_allclose(pearson(cleaned, cleaned[:, :2]), wanted[:2], atol=1e-12)
    scores = (cleaned - cleaned.mean(axis=0)) / cleaned.std(axis=0, ddof=1)
    n = len(cleaned)
    np.testing.assert_allclose(scores.T @ scores[:, 0] / n, wanted[:, 0] * (n - 1) / n, atol=1e-12)


def test_a_band_needs_fewer_rows_than_frames():
    found = operator({})
    assert found.coordinates.shape[1] == FRAMES
    assert found.rank <= len(found.coordinates) < FRAMES
    # 0.01 to 0.1 Hz is 0.36 of the band up to 0.25 Hz: 54 directions, less 6 confounds
    # and the skirts of the filter
    assert 48 <= found.rank <= 80


def test_the_rank_of_a_projection_is_exact():
    found = operator({"filter": None})
    assert found.rank == len(found.coordinates) == FRAMES - 2 - 6
    assert found.white_dof == pytest.approx(FRAMES - 2 - 6, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gains_are_the_singular_values_of_the_centred_cleaning(options):
    found = operator(options, (0, 40))
    others = np.random.default_rng(2).standard_normal((len(found.L), 3))
    for one in (found, found.without(others)):
        wanted = np.linalg.svd(one.L - one.L.mean(axis=0), compute_uv=False)
        rank = np.count_nonzero(wanted > 1e-3 * wanted[0])
        assert one.rank == rank
        np.testing.assert_allclose(one.gains[:rank], wanted[:rank], atol=1e-6)
        white = np.sum(wanted**2) ** 2 / np.sum(wanted**4)
        assert one.white_dof == pytest.approx(white, rel=1e-7)


def test_nothing_has_no_rank_and_no_degrees_of_freedom():
    nothing = CleaningOperator(np.zeros((20, 20)), np.ones(20, bool), np.eye(20)[:, :1])
    assert (nothing.rank, nothing.white_dof) == (0, 0.0)


def test_the_strongest_direction_comes_first_and_nothing_is_written():
    found = operator({})
    size = np.linalg.norm(found.coordinates, axis=1)
    assert np.all(np.diff(size) <= 1e-12)
    for array in (found.on_kept, found.coordinates, found.gains):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 40, 41, 109)])
def test_what_only_removes_few_directions_names_them(options, dropped):
    found = operator(options, dropped)
    cleaner = found.cleaner(np.zeros(20))
    removes = options.get("filter", "butterworth") != "butterworth"
    assert isinstance(cleaner, Remover if removes else BlockCleaner)
    if not removes:
        return
    series = np.random.default_rng(0).standard_normal((found.keep.sum(), 20))
    cleaned = found.on_kept @ series
    wanted = cleaned - cleaned.mean(axis=0)
    np.testing.assert_allclose(cleaner.clean_seeds(series), wanted, atol=1e-9)
    single = cleaner.clean(slice(0, 20), series.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted, atol=1e-5)
