"""A sphere holds the voxels that nilearn's holds."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff
from nilearn.maskers.nifti_spheres_masker import apply_mask_and_get_affinity

from seedmap.images import Grid
from seedmap.spatial import sphere_voxels

FOUR_MM = np.array([[4.0, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])


def nilearns(grid, center, radius):
    """Voxels of nilearn's sphere on the image stored as RAS; none where it refuses."""
    image = nib.Nifti1Image(np.zeros((*grid.shape, 1), np.float32), grid.affine)
    image, mask_img = nib.as_closest_canonical(image), None
    numbers = np.arange(grid.mask.size, dtype="f4").reshape(grid.shape)
    numbers = nib.as_closest_canonical(nib.Nifti1Image(numbers, grid.affine)).get_fdata()
    mask = np.ones(numbers.shape, dtype=bool)
    if not grid.mask.all():
        mask_img = nib.Nifti1Image(grid.mask.astype(np.uint8), grid.affine)
        mask_img = nib.as_closest_canonical(mask_img)
        mask = np.asarray(mask_img.dataobj) > 0
    try:
        _, affinity = apply_mask_and_get_affinity([center], image, radius, True, mask_img)
    except ValueError as error:
        if "empty" not in str(error):
            raise
        return np.empty((0, 3), dtype=int)
    found = np.sort(numbers[mask][affinity.rows[0]]).astype(int)
    return np.column_stack(np.unravel_index(found, grid.shape))


def affine_of(random, kind):
    sizes = random.uniform(1.5, 5, 3)
    matrix = np.diag(sizes * random.choice([-1, 1], 3))
    if kind == "oblique":
        turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
        small = np.eye(3) + 0.1 * random.standard_normal((3, 3))
        matrix = (turn if random.random() < 0.5 else small) @ matrix
    if kind == "whole":
        matrix = matrix.round()
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = random.uniform(-30, 30, 3)
    return affine.round() if kind == "whole" else affine


@pytest.mark.full
@settings(max_examples=150)
@given(
    seed=st.integers(0, 100_000),
    kind=st.sampled_from(["straight", "oblique", "whole"]),
    radius=st.one_of(st.none(), st.sampled_from([0.0, 2, 4, 5, 8, 12]), st.floats(0.1, 15)),
    masked=st.booleans(),
    whole_center=st.booleans(),
)
def test_a_sphere_holds_nilearns_voxels(seed, kind, radius, masked, whole_center):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(3, 11, 3))
    grid = Grid.whole(affine_of(random, kind), shape)
    if masked:
        mask = random.random(shape) < 0.6
        mask[0, 0, 0] = True
        grid = grid.within(mask)
    center = grid.to_mm(random.uniform(-1.5, np.array(shape) + 0.5))
    center = center.round() if whole_center else center
    ours = sphere_voxels(grid, center, radius)
    theirs = nilearns(grid, tuple(center), 0.0 if radius is None else radius)
    assert np.array_equal(ours, theirs)


def test_the_seed_examples_sphere_has_33_voxels():
    grid = Grid.whole(FOUR_MM, (50, 59, 50))
    center = grid.to_mm([24, 20, 22])
    assert len(sphere_voxels(grid, center, 8)) == 33
    assert np.array_equal(sphere_voxels(grid, center, None), [[24, 20, 22]])


@pytest.mark.full
@pytest.mark.parametrize(("center", "radius"), [((0, -52, 18), 8), ((2, -50, 20), 4.0)])
def test_spheres_of_a_whole_head_are_nilearns(center, radius):
    grid = Grid.whole(FOUR_MM, (50, 59, 50))
    assert np.array_equal(sphere_voxels(grid, center, radius), nilearns(grid, center, radius))


def test_the_surface_counts():
    grid = Grid.whole(np.eye(4), (7, 7, 7))
    assert len(sphere_voxels(grid, (3, 3, 3), 1.0)) == 7
    assert len(sphere_voxels(grid, (3, 3, 3), 0.999)) == 1
    assert len(sphere_voxels(grid, (3, 3, 3), 2.0)) == 33


def test_voxels_stand_in_c_order():
    found = sphere_voxels(Grid.whole(FOUR_MM, (50, 59, 50)), (0, -52, 18), 12)
    positions = np.ravel_multi_index(tuple(found.T), (50, 59, 50))
    assert np.all(np.diff(positions) > 0)


@pytest.mark.parametrize("center", [(500, 0, 0), (0, -500, 0), (0, 0, 90_000)])
def test_a_sphere_far_outside_is_empty(center):
    assert sphere_voxels(Grid.whole(FOUR_MM, (50, 59, 50)), center, 8).shape == (0, 3)


def test_only_samples_are_listed():
    mask = np.zeros((50, 59, 50), dtype=bool)
    assert len(sphere_voxels(Grid(FOUR_MM, mask), (0, -52, 18), 8)) == 0
    mask[24, 20, 22] = True
    found = sphere_voxels(Grid(FOUR_MM, mask), Grid(FOUR_MM, mask).to_mm([24, 20, 22]), 8)
    assert found.tolist() == [[24, 20, 22]]


@pytest.mark.parametrize("center", [(0.4, 0.4, 0.4), (-0.7, 0.9, 0.2), (2.3, -2.6, 0.0)])
def test_the_voxel_of_the_same_whole_millimetres_counts_however_far(center):
    """About zero, a cell of whole millimetres is two wide: many small voxels."""
    affine = np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] = -4.1
    grid = Grid.whole(affine, (17, 17, 17))
    found = sphere_voxels(grid, center, None)
    assert len(found) == 2
    assert np.array_equal(found, nilearns(grid, center, 0.0))


def orientations():
    """All 48 ways to store a box of voxels."""
    return [
        np.column_stack([axes, signs])
        for axes in itertools.permutations(range(3))
        for signs in itertools.product([1, -1], repeat=3)
    ]


def stored_as(volume, affine, orientation):
    turned = affine @ inv_ornt_aff(orientation, volume.shape)
    return apply_orientation(volume, orientation), turned.astype(np.float32)  # as a header has it


@given(
    size=st.sampled_from([0.4, 1, 2.4, 3, 4]),
    half=st.tuples(*[st.integers(-3, 16)] * 3),
    radius=st.sampled_from([None, 0, 3]),
    corner=st.sampled_from([-0.9, -7.0, -31.2]),
)
def test_no_order_of_storage_changes_a_sphere(size, half, radius, corner):
    """Also midway between voxels: the centre is a multiple of half a voxel along each axis."""
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = corner
    affine = affine.astype(np.float32).astype(np.float64)
    center = np.array(half) * size / 2 + corner
    radius = None if radius is None else radius * size * 0.7
    numbers = np.arange(7 * 6 * 5).reshape(7, 6, 5)
    grid = Grid.whole(affine, numbers.shape)
    wanted = set(numbers[tuple(sphere_voxels(grid, center, radius).T)])
    for orientation in orientations():
        turned, its_affine = stored_as(numbers, affine, orientation)
        found = sphere_voxels(Grid.whole(its_affine, turned.shape), center, radius)
        assert set(turned[tuple(found.T)]) == wanted


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
def test_midway_the_voxel_is_that_of_nilearn_on_ras(size):
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = [-3 * size, -2 * size, -5]
    grid = Grid.whole(affine, (7, 6, 5))
    for half in itertools.product([3, 5, 6], repeat=3):
        center = np.array(half) * size / 2 + affine[:3, 3]
        assert np.array_equal(sphere_voxels(grid, center, None), nilearns(grid, center, 0.0))
