"""Clusters against nilearn's measures."""

import numpy as np
import pytest
from nilearn.mass_univariate._utils import calculate_cluster_measures
from scipy.ndimage import generate_binary_structure

from seedmap.shuffle import beyond, cluster_maxima, find_clusters

SHAPE = (9, 8, 7)


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0, 9.0])
def test_extent_and_mass_are_those_of_nilearn(grid, smooth_noise, threshold):
    maps = smooth_noise(np.random.default_rng(0), 20, SHAPE)
    extent, mass = cluster_maxima(beyond(maps, threshold), 20, grid)
    sizes, masses = calculate_cluster_measures(
        np.moveaxis(maps.reshape(20, *SHAPE), 0, 3),
        threshold,
        generate_binary_structure(3, 1),
        two_sided_test=True,
    )
    np.testing.assert_array_equal(extent[:, 0], sizes)
    np.testing.assert_allclose(mass[:, 0], masses, rtol=1e-6)


def test_samples_of_other_sign_or_other_map_are_no_neighbours(make_graph):
    line = make_graph(np.array([[0, 1], [1, 2], [2, 3]]), 4)
    maps = np.array([[3.0, 4, -5, -3.5], [0, 0, 0, 3.5], [3.5, 0, np.nan, 0]])
    found = find_clusters(beyond(maps, 3.0), line)
    np.testing.assert_array_equal(found.cluster, [0, 1, 1, 2, 3])
    np.testing.assert_array_equal(found.of_map, [0, 0, 1, 2])
    np.testing.assert_array_equal(found.extent, [1, 2, 1, 1])
    np.testing.assert_allclose(found.mass, [1, 2.5, 0.5, 0.5])


def test_sizes_weigh_extent_and_mass_and_kinds_are_apart(make_graph):
    pairs = np.array([[0, 1], [2, 3]])
    graph = make_graph(
        pairs, 4, sizes=[2.0, 3.0, 1.0, 1.0], kinds=[0, 0, 1, 1], extent_powers=(1.0, 0.5)
    )
    extent, mass = cluster_maxima(beyond(np.array([[4.0, 5.0, 4.0, 0.0]]), 3.0), 1, graph)
    np.testing.assert_array_equal(extent, [[5, 1]])
    np.testing.assert_allclose(mass, [[2 * 1 + 3 * 2, 1]])


def test_no_cluster_is_of_size_none(grid):
    extent, mass = cluster_maxima(beyond(np.zeros((3, grid.samples)), 1.0), 3, grid)
    assert (extent.max(), mass.max()) == (0, 0)
