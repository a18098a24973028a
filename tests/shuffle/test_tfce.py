"""TFCE against sums of many steps, on a grid and on a mesh, and its scale."""

import sys

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from seedmap.errors import OptionError
from seedmap.shuffle import Graph, check_tfce, tfce, tfce_maxima

STEPS = 10_000


def by_steps(values, graph):
    """Sum over midpoints between 0 and the largest value, as the definition says."""
    shape = (values.size, values.size)
    whole = csr_array((np.ones(graph.indices.size), graph.indices, graph.indptr), shape=shape)
    total, step = np.zeros(values.size), values.max() / STEPS
    powers = np.array(graph.extent_powers)[graph.kinds]
    for h in (np.arange(STEPS) + 0.5) * step:
        members = np.flatnonzero(values >= h)
        label = connected_components(whole[members][:, members], directed=False)[1]
        size = np.bincount(label, weights=graph.sizes[members])[label]
        total[members] += size ** powers[members] * h**graph.height_power * step
    return total


@pytest.fixture
def mesh(make_graph):
    """A triangulated patch of 400 vertices with areas."""
    rng = np.random.default_rng(0)
    places = rng.random((400, 2))
    triangles = Delaunay(places).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    corners = places[triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    sizes = np.bincount(triangles.ravel(), weights=np.repeat(area / 3, 3), minlength=400)
    return make_graph(edges, 400, sizes=sizes * 1e4, extent_powers=(1.0,)), places


@pytest.mark.slow
def test_on_a_grid_it_is_the_limit_of_sums_over_steps(grid, smooth_noise):
    values = smooth_noise(np.random.default_rng(1), 1, (9, 8, 7))[0]
    ours = tfce(values, grid)
    for sign in (1, -1):
        theirs = by_steps(np.maximum(sign * values, 0), grid)
        np.testing.assert_allclose(np.maximum(sign * ours, 0), theirs, atol=2e-4 * theirs.max())


@pytest.mark.full
def test_on_a_mesh_it_is_the_limit_of_sums_over_steps(mesh):
    graph, places = mesh
    values = np.sin(7 * places[:, 0]) * np.cos(5 * places[:, 1]) * 3
    ours = tfce(values, graph)
    theirs = by_steps(np.maximum(values, 0), graph)
    np.testing.assert_allclose(np.maximum(ours, 0), theirs, atol=2e-4 * theirs.max())


def test_a_cone_has_the_value_of_the_formula(make_graph):
    """Heights 3, 2, 1 in a row: 1 lies below 3 voxels, 1 to 2 below 2, 2 to 3 below one."""
    line = make_graph(np.array([[0, 1], [1, 2]]), 3)
    thirds = [1 / 3, (8 - 1) / 3, (27 - 8) / 3]
    parts = np.array([np.sqrt(3) * thirds[0], np.sqrt(2) * thirds[1], thirds[2]])
    np.testing.assert_allclose(
        tfce(np.array([3.0, 2.0, 1.0]), line), np.cumsum(parts)[::-1], rtol=1e-12
    )


@pytest.mark.parametrize("power", [2.0, 1.5])
def test_twice_the_map_has_two_to_the_h_plus_one_times_the_value(grid, smooth_noise, power):
    values = smooth_noise(np.random.default_rng(2), 1, (9, 8, 7))[0]
    other = Graph(grid.indptr, grid.indices, grid.sizes, grid.kinds, (0.7,), power)
    np.testing.assert_allclose(
        tfce(2 * values, other), 2 ** (power + 1) * tfce(values, other), rtol=1e-5
    )


def test_sign_and_order_of_samples_change_nothing(grid, make_graph, pairs_of_grid, smooth_noise):
    rng = np.random.default_rng(3)
    values = smooth_noise(rng, 1, (9, 8, 7))[0]
    ours = tfce(values, grid)
    np.testing.assert_array_equal(tfce(-values, grid), -ours)
    order = rng.permutation(values.size)
    place = np.argsort(order)
    other = make_graph(place[pairs_of_grid((9, 8, 7))], values.size)
    np.testing.assert_allclose(tfce(values[order], other), ours[order], rtol=1e-5)


def test_equal_heights_make_one_cluster(make_graph):
    line = make_graph(np.array([[0, 1], [1, 2], [2, 3]]), 4)
    np.testing.assert_allclose(tfce(np.full(4, 2.0), line), np.sqrt(4) * 8 / 3)


def test_maxima_are_those_of_the_maps_by_kind(smooth_noise, make_graph, pairs_of_grid):
    rng = np.random.default_rng(4)
    kinds = np.arange(9 * 8 * 7) >= 250
    pairs = pairs_of_grid((9, 8, 7))
    pairs = pairs[kinds[pairs[:, 0]] == kinds[pairs[:, 1]]]
    graph = make_graph(pairs, kinds.size, kinds=kinds, extent_powers=(1.0, 0.5))
    maps = smooth_noise(rng, 5, (9, 8, 7))
    enhanced = np.abs([tfce(values, graph) for values in maps])
    wanted = np.stack([enhanced[:, ~kinds].max(axis=1), enhanced[:, kinds].max(axis=1)], axis=1)
    np.testing.assert_allclose(tfce_maxima(maps, graph), wanted, rtol=1e-12)


def test_nan_and_zero_are_no_height(grid):
    values = np.zeros(grid.samples)
    values[:3] = np.nan
    np.testing.assert_array_equal(tfce(values, grid), 0)


def test_without_numba_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "seedmap.shuffle._tree", raising=False)
    monkeypatch.delattr("seedmap.shuffle._tree", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'seedmap\[group\]'") as error:
        check_tfce()
    assert "\n" not in str(error.value)
