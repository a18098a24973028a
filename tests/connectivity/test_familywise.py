"""Null seeds and what is kept of their maps, against slow ways of working them out."""

import numpy as np
import pytest
from scipy import sparse

from seedmap.connectivity import (
    NullMaps,
    compressed_graph,
    corrected_p,
    draw_noise,
    effective_dof,
    infer,
    largest_cluster,
    noise_tables,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.correlation import unit_seeds
from seedmap.temporal import Cleaning, cleaning_operator

FRAMES, SAMPLES, DRAWS = 120, 90, 40


@pytest.fixture(scope="module")
def made():
    keep = np.ones(FRAMES, bool)
    keep[[3, 40, 41]] = False
    return cleaning_operator(Cleaning(), keep, 2.0, np.random.default_rng(1).normal(size=(120, 4)))


def chain(samples):
    """Each sample is adjacent to the next."""
    ones = np.ones(samples - 1)
    graph = sparse.diags_array([ones, ones], offsets=[-1, 1]).tocsr()
    return graph.indptr, graph.indices


def test_drawn_noise_has_the_covariance_that_was_asked_for(made):
    """D Toeplitz(g) D on the kept frames."""
    scale = np.linspace(0.5, 2, made.keep.sum())
    tables = noise_tables(made, scale**2)
    noise = 0.7 ** np.arange(tables.lags)
    drawn = draw_noise(np.random.default_rng(0), tables, np.repeat(noise[:, None], 20_000, axis=1))
    times = np.flatnonzero(made.keep)
    distance = np.abs(np.subtract.outer(times, times))
    wanted = 0.7**distance * np.outer(scale, scale)
    found = drawn @ drawn.T / drawn.shape[1]
    # the standard error of a variance is sqrt(2 / 20,000) = 1 % of it; five of them
    np.testing.assert_allclose(found, wanted, atol=0.05 * scale.max() ** 2)


def test_what_is_kept_of_null_maps_is_what_whole_maps_hold(made):
    rng = np.random.default_rng(5)
    tables = noise_tables(made, intervals=False)
    brain = rng.normal(size=(made.keep.sum(), SAMPLES)).cumsum(axis=1)  # neighbours resemble
    seeds = rng.normal(size=(made.keep.sum(), DRAWS))
    residuals = made.residuals(brain)
    kernels = seed_kernels(tables, seed_lags(tables, made.rows, seeds))
    unit, cleaned = (unit_seeds(made.rows @ one, one) for one in (seeds, brain))
    searched = np.arange(SAMPLES) % 10 != 0
    maps = NullMaps(unit.astype(np.float32), kernels, 1.0, searched)
    for start in (60, 0, 30):  # blocks come in any order
        part = slice(start, start + 30)
        maps.add(part, cleaned[:, part].astype(np.float32), residuals[:, part].astype(np.float32))
    z = infer(unit.T @ cleaned, effective_dof(kernels, residuals).dof, tables.rank).z
    z[:, ~searched] = 0
    np.testing.assert_allclose(maps.largest_z, np.abs(z).max(axis=1), atol=2e-3)
    graph, sizes = chain(SAMPLES), rng.uniform(1, 2, SAMPLES)
    wanted = [
        max(
            largest_cluster(compressed_graph(*graph), sizes, np.flatnonzero(sign * row > 1.0))
            for sign in (1, -1)
        )
        for row in z
    ]
    np.testing.assert_allclose(maps.largest_clusters(*graph, sizes), wanted, rtol=1e-12)


def test_largest_cluster_adds_sizes_of_connected_samples():
    graph = compressed_graph(*chain(8))
    sizes = np.array([1, 2, 4, 8, 16, 32, 64, 128.0])
    assert largest_cluster(graph, sizes, np.array([0, 1, 3, 4, 6])) == 64
    assert largest_cluster(graph, sizes, np.array([3, 4, 5, 6])) == 120
    assert largest_cluster(graph, sizes, np.array([], int)) == 0


def test_p_is_never_zero_and_counts_ties():
    largest = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(corrected_p([0.5, 2.0, 2.5, 9.0], largest), [1, 0.8, 0.6, 0.2])
    assert np.isnan(corrected_p(np.nan, largest))


def test_nothing_looked_at_leaves_nothing(made):
    tables = noise_tables(made, intervals=False)
    seeds = np.random.default_rng(2).normal(size=(made.keep.sum(), 5))
    kernels = seed_kernels(tables, seed_lags(tables, made.rows, seeds))
    unit = unit_seeds(made.rows @ seeds, seeds).astype(np.float32)
    maps = NullMaps(unit, kernels, 3.0, np.zeros(8, bool))
    maps.add(slice(0, 8), np.ones((len(unit), 8), np.float32), np.ones((117, 8), np.float32))
    np.testing.assert_array_equal(maps.largest_z, 0)
    np.testing.assert_array_equal(maps.largest_clusters(*chain(8), np.ones(8)), 0)
