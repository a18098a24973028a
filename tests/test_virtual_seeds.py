"""Seeds that could have been chosen instead: where they may lie, and what they do not depend on."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from seedmap import MaskSeed, SeriesSeed, Sphere
from seedmap.images import Grid
from seedmap.seeds import equal_radius, place_seeds, random_spheres, virtual_seeds
from seedmap.spatial import sphere_voxels, spheres_of_one_radius

AFFINE = np.array([[-3.0, 0, 0, 40], [0, 3, 0, -50], [0, 0, 3, -30], [0, 0, 0, 1]])
SHAPE = (26, 30, 24)


def grid(mask=None):
    whole = Grid.whole(AFFINE, SHAPE)
    return whole if mask is None else whole.within(mask)


def drawn(seed, space, centre=(4.0, 8.0), number=20, rng=0):
    (placed,) = place_seeds([seed], space)
    return {one.kind: one for one in virtual_seeds(placed, space, centre, number, rng)}


def same(one, other):
    return all(
        np.array_equal(a.voxels, b.voxels) and np.array_equal(a.weights, b.weights)
        for a, b in zip(one.weights, other.weights, strict=True)
    )


@given(
    st.lists(st.tuples(*[st.floats(-60, 60)] * 3), min_size=1, max_size=4),
    st.sampled_from([None, 0.0, 2.0, 5.0, 9.3]),
)
def test_spheres_of_one_radius_are_the_spheres_one_by_one(centers, radius):
    space = grid()
    together = spheres_of_one_radius(space, np.array(centers), radius)
    for center, found in zip(centers, together, strict=True):
        alone = sphere_voxels(space, np.array(center), radius)
        np.testing.assert_array_equal(found, np.ravel_multi_index(tuple(alone.T), SHAPE))


def test_centres_move_no_farther_than_they_may_and_all_ways():
    space, seed = grid(), Sphere("a", (0, 0, 0), 7)
    for kind, far in (("centre4", 4.0), ("centre8", 8.0)):
        weights = drawn(seed, space, number=200)[kind].weights
        centers = np.stack([one.weights @ space.places(one.voxels) for one in weights])
        away = np.linalg.norm(centers, axis=1)
        assert away.max() < far + 0.8  # the centre of mass of voxels is not quite the centre
        assert away.mean() == pytest.approx(0.75 * far, rel=0.08)  # uniform in a ball
        assert np.abs(centers.mean(axis=0)).max() < 0.15 * far
        assert len({one.voxels.tobytes() for one in weights}) > 50


def test_they_depend_on_the_number_the_name_and_nothing_else():
    space, seed = grid(), Sphere("a", (0, 0, 0), 7)
    found = drawn(seed, space)
    for kind, one in found.items():
        assert same(one, drawn(seed, space)[kind])
        if kind != "size":
            assert not same(one, drawn(seed, space, rng=1)[kind])
            assert not same(one, drawn(Sphere("b", (0, 0, 0), 7), space)[kind])
    fewer = drawn(seed, space, number=5)
    assert same(fewer["centre4"], type(fewer["centre4"])("", found["centre4"].weights[:5]))


def test_sizes_are_the_spheres_of_these_radii_and_halves_are_halves():
    space, seed = grid(), Sphere("a", (0, 0, 0), 8)
    found = drawn(seed, space)
    for factor, one in zip((0.5, 0.75, 1.25, 1.5), found["size"].weights, strict=True):
        np.testing.assert_array_equal(
            one.voxels, Sphere("a", (0, 0, 0), 8 * factor).weights(space).voxels
        )
    own = seed.weights(space).voxels
    for one in found["half"].weights:
        assert one.voxels.size == own.size // 2
        assert np.isin(one.voxels, own).all()
        assert one.weights.sum() == pytest.approx(1)


def test_a_seed_at_the_edge_is_drawn_again_until_half_of_its_coverage_is_left():
    mask = np.zeros(SHAPE, bool)
    mask[:, :, 12:] = True  # z from 6 mm on
    space, seed = grid(mask), Sphere("edge", (0, 0, 9), 8)
    found = drawn(seed, space, number=60)["centre8"]
    (placed,) = place_seeds([seed], space)
    least = placed.coverage(space) / 2
    covered = [one.weights[mask.ravel()[one.voxels]].sum() for one in found.weights]
    assert len(covered) == 60
    assert found.redrawn > 0
    assert min(covered) >= least
    assert not found.note


def test_one_voxel_has_other_places_but_no_sizes_and_halves():
    found = drawn(Sphere("one", (0, 0, 0), 0), grid())
    assert len(found["centre4"].weights) == 20
    assert found["size"].weights == found["half"].weights == ()
    assert "no radius" in found["size"].note
    assert "no halves" in found["half"].note


def test_a_mask_moves_in_whole_voxels_and_is_eroded_and_dilated():
    values = np.zeros(SHAPE)
    values[8:14, 10:15, 9:13] = 1
    space = grid()
    seed = MaskSeed("m", nib.Nifti1Image(values.astype(np.uint8), AFFINE))
    found = drawn(seed, space)
    own = np.argwhere(values)
    for one in found["centre8"].weights:
        voxels = np.stack(np.unravel_index(one.voxels, SHAPE), axis=1)
        steps = voxels - own
        assert (steps == steps[0]).all()
        assert np.linalg.norm(steps[0] * 3) <= 8 + 3**0.5 * 1.5
    smaller, larger = (np.isin(np.arange(values.size), one.voxels) for one in found["size"].weights)
    np.testing.assert_array_equal(smaller, ndimage.binary_erosion(values).ravel())
    np.testing.assert_array_equal(larger, ndimage.binary_dilation(values).ravel())


def test_a_mask_in_a_corner_of_the_image_loses_what_leaves_it():
    values = np.zeros(SHAPE)
    values[:3, :3, :3] = 1
    seed = MaskSeed("m", nib.Nifti1Image(values.astype(np.uint8), AFFINE))
    found = drawn(seed, grid())
    for kind in found.values():
        for one in kind.weights:
            assert one.weights.sum() == pytest.approx(1)
            assert one.voxels.min() >= 0
            assert one.voxels.max() < values.size
    larger = found["size"].weights[1].voxels.size
    assert larger == ndimage.binary_dilation(values).sum()


def test_a_time_course_has_none():
    (placed,) = place_seeds([SeriesSeed("t", np.arange(9.0))], grid())
    assert virtual_seeds(placed, grid(), (4.0,), 9, 0) == ()
    assert equal_radius(placed, grid()) is None


def test_random_spheres_lie_in_the_mask_and_have_the_volume_of_a_mask():
    mask = np.zeros(SHAPE, bool)
    mask[6:20, 6:24, 5:20] = True
    space = grid(mask)
    spheres = random_spheres(space, 6.0, 30, 0)
    assert len(spheres) == 30
    assert all(one.coverage(space) >= 0.5 for one in spheres)
    assert len({one.seed.center for one in spheres}) > 25
    (placed,) = place_seeds([Sphere("s", (0, 0, 0), 8)], space)
    assert equal_radius(placed, space) == 8
    values = np.zeros(SHAPE, np.uint8)
    values[tuple(sphere_voxels(grid(), np.zeros(3), 9).T)] = 1
    (placed,) = place_seeds([MaskSeed("m", nib.Nifti1Image(values, AFFINE))], space)
    assert equal_radius(placed, space) == pytest.approx(9, rel=0.03)
