"""A run in its own coordinates has the correlations that it had before."""

import numpy as np
import pytest

from seedmap.connectivity.correlation import pearson
from seedmap.temporal import Cleaning, cleaning_matrices, own_coordinates

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


def matrices(options, dropped=()):
    keep = np.ones(FRAMES, dtype=bool)
    keep[list(dropped)] = False
    confounds = np.random.default_rng(5).standard_normal((FRAMES, 6)).cumsum(axis=0)
    return cleaning_matrices(Cleaning(**options), keep, T_R, confounds)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 40, 41, 109)])
def test_no_correlation_changes(options, dropped):
    found = matrices(options, dropped)
    coordinates = own_coordinates(found.on_kept)
    series = np.random.default_rng(0).standard_normal((found.keep.sum(), 300))
    cleaned = found.on_kept @ series
    inner = coordinates.into @ series
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
    found = own_coordinates(matrices({}).on_kept)
    assert found.into.shape[1] == FRAMES
    assert found.rank <= found.into.shape[0] < FRAMES
    # 0.01 to 0.1 Hz is 0.36 of the band up to 0.25 Hz: 54 directions, less 6 confounds
    # and the skirts of the filter
    assert 48 <= found.rank <= 80


def test_the_rank_of_a_projection_is_exact():
    found = matrices({"filter": None})
    coordinates = own_coordinates(found.on_kept)
    assert coordinates.rank == coordinates.into.shape[0] == FRAMES - 2 - 6


def test_the_strongest_direction_comes_first_and_nothing_is_written():
    cleaning = np.array(matrices({}).on_kept)
    cleaning.setflags(write=False)
    into = own_coordinates(cleaning).into
    size = np.linalg.norm(into, axis=1)
    assert np.all(np.diff(size) <= 1e-12)
    with pytest.raises(ValueError, match="read-only"):
        into[0] = 0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropped", [(), (0, 40, 41, 109)])
def test_what_only_removes_few_directions_names_them(options, dropped):
    found = matrices(options, dropped)
    removed = own_coordinates(found.on_kept).removed
    assert (removed is None) == (options.get("filter", "butterworth") == "butterworth")
    if removed is None:
        return
    series = np.random.default_rng(0).standard_normal((found.keep.sum(), 20))
    left = series - removed @ (removed.T @ series)
    cleaned = found.on_kept @ series
    np.testing.assert_allclose(left, cleaned - cleaned.mean(axis=0), atol=1e-9)
