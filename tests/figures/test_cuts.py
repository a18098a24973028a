"""Cuts: each pixel is the voxel at its place, however the voxels are stored."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.figures.cuts import (
    Volume,
    box_of,
    cut,
    middle,
    pixel_edges,
    projection,
    straightened,
    strongest,
)

AFFINE = np.array([[4.0, 0, 0, -20], [0, 3, 0, -31], [0, 0, 5, -12], [0, 0, 0, 1]])


def a_volume(seed=0, shape=(11, 20, 7)):
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    values.setflags(write=False)
    return Volume(values, AFFINE)


def stored_otherwise(volume, order, flips):
    """The same voxels at the same places, with axes in another order and direction."""
    values, affine = volume.values, volume.affine.copy()
    for axis in np.flatnonzero(flips):
        affine[:3, 3] += (values.shape[axis] - 1) * affine[:3, axis]
        affine[:3, axis] *= -1
        values = np.flip(values, axis)
    affine[:, :3] = affine[:, :3][:, order]
    return Volume(values.transpose(order), affine)


class TestCut:
    @given(
        st.integers(0, 2),
        st.integers(0, 6),
        st.permutations(range(3)),
        st.tuples(*[st.booleans()] * 3),
    )
    def test_a_pixel_is_a_voxel(self, axis, index, order, flips):
        volume = a_volume()
        at = AFFINE[axis, axis] * index + AFFINE[axis, 3]
        pixels, box = cut(stored_otherwise(volume, list(order), flips), axis, at)
        np.testing.assert_array_equal(pixels, volume.values.take(index, axis).T)
        np.testing.assert_allclose(box, [[-22, -32.5, -14.5], [22, 27.5, 20.5]])

    def test_anywhere_within_a_voxel_cuts_that_voxel(self):
        for at, index in ((-13.9, 2), (-10.1, 2), (-9.9, 3)):
            pixels, _ = cut(a_volume(), 0, at)
            np.testing.assert_array_equal(pixels, a_volume().values[index].T)

    @pytest.mark.parametrize("at", [-500.0, 500.0])
    def test_beside_the_volume_is_nothing(self, at):
        pixels, _ = cut(a_volume(), 2, at)
        assert not pixels.any()

    @given(st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi))
    def test_turned_voxels_are_found_where_they_lie(self, about_z, about_x):
        c, s = np.cos(about_z), np.sin(about_z)
        d, t = np.cos(about_x), np.sin(about_x)
        turn = np.eye(4)
        turn[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]] @ np.array(
            [[1, 0, 0], [0, d, -t], [0, t, d]]
        )
        affine = turn @ np.diag([2.0, 2.0, 2.0, 1.0])
        affine[:3, 3] = -affine[:3, :3] @ [14.5, 14.5, 14.5]
        volume = Volume(np.empty((30, 30, 30), np.float32), affine)
        places = volume.place(np.moveaxis(np.indices((30, 30, 30)), 0, -1))
        ball = Volume((np.linalg.norm(places - [3, 1, -2], axis=-1) < 9).astype(np.float32), affine)
        pixels, box = cut(ball, 2, -2.0)
        up, across = np.argwhere(pixels).T
        widths = (box[1] - box[0])[[1, 0]] / pixels.shape
        assert box[0, 1] + (up.mean() + 0.5) * widths[0] == pytest.approx(1, abs=1)
        assert box[0, 0] + (across.mean() + 0.5) * widths[1] == pytest.approx(3, abs=1)
        assert up.size * widths.prod() == pytest.approx(np.pi * 81, rel=0.12)

    def test_pixels_are_those_of_nilearn(self):
        plotting = pytest.importorskip("nilearn.plotting")
        from matplotlib.figure import Figure

        image = nib.Nifti1Image(np.abs(a_volume().values) + 1, AFFINE)
        where = (5.0, -8.0, 4.0)
        for order, flips in itertools.product(([0, 1, 2], [2, 0, 1]), ((0, 0, 0), (1, 0, 1))):
            ours = stored_otherwise(Volume(image.get_fdata(), AFFINE), order, flips)
            theirs = plotting.plot_img(
                nib.Nifti1Image(ours.values, ours.affine), cut_coords=where, figure=Figure()
            )
            for axis, name in enumerate("xyz"):
                shown = np.ma.getdata(theirs.axes[name].ax.images[0].get_array())
                np.testing.assert_array_equal(cut(ours, axis, where[axis])[0], shown[::-1])


class TestEdges:
    def test_around_an_angle_of_three_pixels(self):
        inside = np.array([[True, True], [False, True]])  # the lowest row first
        found = {tuple(map(tuple, edge)) for edge in pixel_edges(inside).tolist()}
        assert found == {
            ((0, 0), (2, 0)),  # below
            ((2, 0), (2, 2)),  # on the right
            ((1, 2), (2, 2)),
            ((1, 1), (1, 2)),
            ((0, 1), (1, 1)),
            ((0, 0), (0, 1)),
        }

    def test_of_nothing_there_are_none(self):
        assert pixel_edges(np.zeros((3, 4), bool)).shape == (0, 2, 2)

    @given(st.integers(0, 2**32 - 1))
    def test_they_are_as_long_as_there_are_sides_between_inside_and_outside(self, seed):
        inside = np.random.default_rng(seed).random((7, 9)) < 0.5
        wide = np.pad(inside, 1).astype(int)
        sides = np.abs(np.diff(wide, axis=0)).sum() + np.abs(np.diff(wide, axis=1)).sum()
        edges = pixel_edges(inside)
        assert np.abs(edges[:, 1] - edges[:, 0]).sum() == sides


class TestBox:
    def test_of_marked_voxels(self):
        drawn = np.zeros((11, 20, 7), bool)
        drawn[2:5, 7, 6] = True
        np.testing.assert_allclose(
            box_of(a_volume(), drawn), [[-14, -11.5, 15.5], [-2, -8.5, 20.5]]
        )

    def test_of_none_is_that_of_all(self):
        volume = a_volume()
        nothing = np.zeros((11, 20, 7), bool)
        np.testing.assert_array_equal(box_of(volume, nothing), box_of(volume))


class TestWhereToCut:
    def test_in_the_largest_cluster_whatever_its_sign(self):
        values = np.zeros((11, 20, 7), np.float32)
        values[1:4, 5:8, 2] = -0.6
        values[8, 15, 5] = 0.9
        found = strongest(Volume(values, AFFINE), 0.5)
        np.testing.assert_allclose(found, [-12, -13, -2])

    def test_stronger_voxels_weigh_more(self):
        values = np.zeros((11, 20, 7), np.float32)
        values[2, 3, 1], values[3, 3, 1] = 3, 1
        np.testing.assert_allclose(strongest(Volume(values, AFFINE), 0.5), [-11, -22, -7])

    def test_nothing_beyond_the_threshold(self):
        volume = Volume(np.zeros((11, 20, 7), np.float32), AFFINE)
        assert strongest(volume, 0.5) is None
        np.testing.assert_allclose(middle(volume), [0, -2.5, 3])

    def test_middle_of_what_is_not_zero(self):
        values = np.zeros((11, 20, 7), np.float32)
        values[0, 0, 0], values[2, 0, 0] = 0.1, -0.3
        np.testing.assert_allclose(middle(Volume(values, AFFINE)), [-16, -31, -12])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
def test_straightened_is_the_same_however_it_is_stored(order, flips):
    volume = a_volume()
    straight = straightened(stored_otherwise(volume, list(order), np.array(flips)))
    np.testing.assert_array_equal(straight.values, volume.values)
    np.testing.assert_allclose(straight.affine, volume.affine)


def test_an_askew_volume_is_interpolated():
    # A plane through the world, which linear interpolation gives back exactly within the volume.
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]]
    grid = np.stack(np.indices((20, 22, 12)), axis=-1).reshape(-1, 3)
    askew = Volume(np.zeros((20, 22, 12)), turn @ AFFINE)
    places = askew.place(grid)
    plane = (places @ [0.5, -0.25, 1.0] + 300).reshape(20, 22, 12)
    straight = straightened(Volume(plane, turn @ AFFINE))
    matrix = straight.affine[:3, :3]
    assert np.array_equal(matrix, np.diag(np.diag(matrix)))
    grid = np.stack(np.indices(straight.values.shape), axis=-1)
    there = straight.place(grid.reshape(-1, 3)).reshape(grid.shape)
    back = np.linalg.inv(turn @ AFFINE)
    index = there @ back[:3, :3].T + back[:3, 3]
    inside = ((index >= 0) & (index <= np.array([19, 21, 11]))).all(axis=-1)
    assert inside.sum() > 1000
    wanted = there @ [0.5, -0.25, 1.0] + 300
    np.testing.assert_allclose(straight.values[inside], wanted[inside], rtol=1e-5)


def test_a_projection_shows_what_is_farthest_from_zero():
    values = np.zeros((3, 4, 5), np.float32)
    values[0, 1, 2], values[2, 1, 2], values[1, 3, 4] = 0.4, -0.7, 0.2
    pixels, box = projection(Volume(values, AFFINE), 0)
    assert pixels.shape == (5, 4)
    assert pixels[2, 1] == np.float32(-0.7)
    assert pixels[4, 3] == np.float32(0.2)
    assert np.count_nonzero(pixels) == 2
    np.testing.assert_allclose(box, box_of(Volume(values, AFFINE)))
