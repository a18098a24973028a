"""Which samples are adjacent, against definitions that take every pair in turn."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from seedmap.errors import OptionError
from seedmap.images import Grid
from seedmap.images.parts import Grayordinates, Mesh, Part, Surface
from seedmap.spatial import adjacency, can_cluster

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 3.0
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)
masks = arrays.arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)).filter(np.any)


def grid_of(mask):
    return Grid(np.eye(4), mask)


@given(masks, st.sampled_from([6, 18, 26]))
def test_voxels_are_adjacent_where_few_coordinates_differ_by_one(mask, neighbours):
    places = np.argwhere(mask)
    steps = {6: 1, 18: 2, 26: 3}[neighbours]
    wanted = {
        (i, j)
        for i, j in itertools.combinations(range(len(places)), 2)
        if np.abs(places[i] - places[j]).max() == 1 and np.abs(places[i] - places[j]).sum() <= steps
    }
    graph = adjacency(grid_of(mask), neighbours)
    assert sorted(map(tuple, np.sort(graph.pairs, axis=1).tolist())) == sorted(wanted)
    assert (graph.sizes == 1).all()


@given(masks, st.integers(0, 3))
def test_components_are_those_of_scipy(mask, rng):
    grid = grid_of(mask)
    chosen = np.random.default_rng(rng).random(grid.n_samples) < 0.6
    numbered, count = ndimage.label(grid.unmask(chosen))
    found = adjacency(grid).components(chosen)
    assert len(found) == count
    in_mask = numbered[mask]
    for members in found:
        assert len(np.unique(in_mask[members])) == 1
        assert (np.diff(members) > 0).all()
    assert sum(map(len, found)) == chosen.sum()


def octahedron(places=range(6), surface=True):
    mesh = Surface(OCTAHEDRON, FACES) if surface else None
    part = Part("left", "surface", np.array(places), vertices=6, surface=mesh)
    return Mesh((part,), np.ones(len(places), dtype=bool))


def test_vertices_are_adjacent_along_edges_and_share_the_area():
    graph = adjacency(octahedron())
    assert len(graph.pairs) == 12
    opposite = {(0, 1), (2, 3), (4, 5)}
    assert not opposite & set(map(tuple, graph.pairs.tolist()))
    side = 3 * np.sqrt(2)
    assert graph.sizes == pytest.approx(np.full(6, 8 * np.sqrt(3) / 4 * side**2 / 6))


def test_rows_hold_every_neighbour_in_both_directions():
    starts, neighbours = adjacency(octahedron()).csr
    rows = [set(neighbours[a:b].tolist()) for a, b in itertools.pairwise(starts)]
    assert all(i in rows[j] for i in range(6) for j in rows[i])
    assert [len(row) for row in rows] == [4] * 6


def test_a_surface_without_its_mesh_has_no_known_neighbours():
    assert not can_cluster(octahedron(surface=False))
    with pytest.raises(OptionError, match="give the surfaces"):
        adjacency(octahedron(surface=False))


def test_parts_are_not_adjacent_to_each_other_and_the_medial_wall_to_nothing():
    surface = octahedron(places=range(5)).parts[0]  # the sixth vertex is no place of the run
    voxels = np.array([[3, 0, 0], [4, 0, 0], [4, 1, 0], [9, 9, 9]])
    box = Part("thalamus", "voxels", voxels, affine=np.diag([2.0, 2, 2, 1]))
    space = Grayordinates((surface, box), np.array([True, True, True, True, False, *[True] * 4]))
    faces, edges = adjacency(space), adjacency(space, 18)
    around = {(0, 2), (1, 2), (1, 3), (0, 3)}
    assert set(map(tuple, faces.pairs.tolist())) == around | {(4, 5), (5, 6)}
    assert set(map(tuple, edges.pairs.tolist())) == around | {(4, 5), (5, 6), (4, 6)}
    assert faces.sizes[:4] == pytest.approx(np.full(4, 8 * np.sqrt(3) / 4 * 18 / 6))
    assert faces.sizes[4:].tolist() == [1, 1, 1, 1]
    members = [one.tolist() for one in faces.components(np.ones(8, dtype=bool))]
    assert members == [[0, 1, 2, 3], [4, 5, 6], [7]]


def test_an_empty_mask_has_no_neighbours():
    graph = adjacency(Grid(np.eye(4), np.zeros((3, 3, 3), dtype=bool)))
    assert (graph.pairs.shape, graph.sizes.shape) == ((0, 2), (0,))
    assert graph.components(np.zeros(0, dtype=bool)) == []
