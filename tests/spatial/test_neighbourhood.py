"""The neighbourhood of a seed is what is near any of its voxels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.images import Grayordinates, Grid, Part
from seedmap.spatial import neighbourhood


def by_brute_force(grid, voxels, reach):
    seed = grid.to_mm(np.stack(np.unravel_index(voxels, grid.shape), axis=1))
    distance = np.linalg.norm(grid.coordinates()[:, None] - seed, axis=-1).min(axis=1)
    return np.flatnonzero(distance <= reach + 1e-6)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 1, 2, 3, 4.5, 6, 9, 30]), st.booleans())
def test_it_is_what_brute_force_finds(seed, reach, oblique):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 9, 3))
    affine = np.diag([*random.integers(1, 5, 3) * random.choice([-1.0, 1], 3), 1])
    if oblique:
        affine[:3, :3] = affine[:3, :3] @ (np.eye(3) + 0.2 * random.standard_normal((3, 3)))
    grid = Grid(affine, random.random(shape) < 0.7)
    voxels = random.choice(
        np.prod(shape), min(np.prod(shape), random.integers(1, 6)), replace=False
    )
    found = neighbourhood(grid, np.sort(voxels), reach)
    assert found.dtype.kind == "i"
    assert np.array_equal(found, by_brute_force(grid, voxels, reach))


@pytest.mark.parametrize("size", [1, 3, 700])
def test_within_a_structure_it_is_what_brute_force_finds(size):
    random = np.random.default_rng(size)
    voxels = np.argwhere(random.random((12, 13, 14)) < 0.6)
    affine = np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    other = Part("OTHER", "voxels", voxels, affine=affine)
    space = Grayordinates.whole((Part("STRUCTURE", "voxels", voxels, affine=affine), other))
    seed = np.sort(random.choice(len(voxels), size, replace=False))
    places = space.parts[0].coordinates()
    away = np.linalg.norm(places[:, None] - places[seed], axis=2).min(axis=1)
    for reach in (0.0, 2.0, 5.0):
        found = neighbourhood(space, seed, reach)

        assert np.array_equal(found, np.flatnonzero(away <= reach))


def test_the_seeds_own_voxels_always_count():
    grid = Grid.whole(np.diag([3.0, 3, 3, 1]), (5, 5, 5))
    assert neighbourhood(grid, np.array([7, 62]), 0.0).tolist() == [7, 62]


def test_what_is_exactly_as_far_as_the_reach_counts():
    grid = Grid.whole(np.diag([0.1 * 3, 0.3, 0.3, 1]), (5, 5, 5))
    assert len(neighbourhood(grid, np.array([62]), 0.3)) == 7


@pytest.mark.parametrize("reach", [0.0, 5.0])
def test_without_samples_nearby_it_is_empty(reach):
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[8, 8, 8] = True
    found = neighbourhood(Grid(np.diag([3.0, 3, 3, 1]), mask), np.array([0]), reach)
    assert found.shape == (0,)
    assert found.dtype == np.int64
