"""Smoothing along a surface has the width that is asked for, and stays within its borders."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

from seedmap.errors import OptionError
from seedmap.images import Grayordinates, Mesh, Part, Surface
from seedmap.spatial import distances_from, smoother_of, vertex_areas
from seedmap.spatial.geodesic import edges_of
from seedmap.spatial.parts_smoothing import PartsSmoother
from seedmap.spatial.standard import STANDARD_VERTICES, standard_surfaces


def measured_fwhm(surface, noise):
    """Estimate the width of smoothed white noise from how alike neighbours are [mm].

    Forman et al. (1995), doi:10.1002/mrm.1910330508, as Hagler et al. (2006) have it on surfaces.
    """
    triangles = surface.triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.linalg.norm(np.diff(surface.coordinates[edges], axis=1)[:, 0], axis=1)
    change = np.mean((noise[edges[:, 0]] - noise[edges[:, 1]]) ** 2)
    alike = 1 - change / (2 * noise.var())
    step = np.sqrt(np.mean(length**2))
    return step * np.sqrt(-2 * np.log(2) / np.log(alike))


@pytest.mark.parametrize("fwhm", [4.0, 6.0, 10.0])
def test_the_width_is_that_which_is_asked_for(ball, one_ball, fwhm):
    noise = np.random.default_rng(1).standard_normal((one_ball.n_samples, 40))

    smooth = PartsSmoother(one_ball, fwhm).smooth(noise)

    widths = [measured_fwhm(ball, column) for column in smooth.T]
    assert np.mean(widths) == pytest.approx(fwhm, rel=0.1)


def test_the_width_holds_on_the_folds_of_fsaverage5():
    """Where triangles are of all sizes and shapes."""
    size = STANDARD_VERTICES
    mesh = Mesh.whole((Part("left", "surface", np.arange(size), size),))
    surface = standard_surfaces(mesh)["left"]
    space = mesh.with_surfaces({"left": surface})
    noise = np.random.default_rng(1).standard_normal((size, 40))

    smooth = PartsSmoother(space, 8.0).smooth(noise)

    widths = [measured_fwhm(surface, column) for column in smooth.T]
    assert np.mean(widths) == pytest.approx(8, rel=0.1)


def test_a_point_becomes_a_gaussian_of_the_distance(ball, one_ball):
    """Not only as wide: also as high, and of the same shape."""
    point = np.zeros((one_ball.n_samples, 1))
    point[700] = 1
    away = distances_from(ball, np.ones(len(point), dtype=bool), np.array([700]), 15.0)
    near = away < 15
    variance = 8.0**2 / (8 * np.log(2))
    area = vertex_areas(ball)[700]

    smooth = PartsSmoother(one_ball, 8.0).smooth(point)[:, 0]

    wanted = area * np.exp(-(away[near] ** 2) / (2 * variance)) / (2 * np.pi * variance)
    np.testing.assert_allclose(smooth[near], wanted, atol=0.1 * wanted.max())
    assert np.abs(smooth[~near]).max() < 0.01 * wanted.max()


def test_slivers_and_lone_vertices_do_no_harm(ball):
    """A triangle without area, two vertices in one place, and a vertex without a triangle."""
    points = np.vstack([ball.coordinates, ball.coordinates[5], [500.0, 0, 0]])
    last = len(points) - 1
    first = ball.triangles[0]
    slivers = [[first[0], first[1], first[0]], [5, last - 1, int(first[2])]]
    surface = Surface(points, np.vstack([ball.triangles, slivers]), "odd ball")
    part = Part("left", "surface", np.arange(len(points)), len(points), surface=surface)
    smoother = PartsSmoother(Mesh.whole((part,)), 6.0)
    values = np.random.default_rng(4).standard_normal((len(points), 2))

    smooth = smoother.smooth(values)

    np.testing.assert_allclose(smoother.smooth(np.ones_like(values)), 1, atol=2e-5)
    np.testing.assert_allclose(smooth[last], values[last], rtol=1e-6)
    assert np.abs(smooth).max() < np.abs(values).max() + 1e-6


@pytest.fixture(scope="module")
def walled(one_ball):
    """A ball with a wall around its waist."""
    height = one_ball.parts[0].surface.coordinates[:, 2]
    return one_ball.within(np.abs(height) > 3), height


def test_constants_stay_constant_and_totals_stay_total(one_ball, walled):
    for space in (one_ball, walled[0]):
        smoother = PartsSmoother(space, 8.0)
        values = np.random.default_rng(2).standard_normal((space.n_samples, 3))
        area = vertex_areas(space.parts[0].surface)[space.mask]

        smooth = smoother.smooth(values)

        np.testing.assert_allclose(smoother.smooth(np.ones_like(values)), 1, atol=2e-5)
        np.testing.assert_allclose(
            area @ smooth, area @ values, atol=2e-4 * np.abs(area).sum() / 50
        )


def test_nothing_crosses_the_wall(walled):
    space, height = walled
    above = (height > 3)[space.mask]
    values = np.where(above, 1.0, 0.0)[:, None]

    smooth = PartsSmoother(space, 20.0).smooth(values)[:, 0]

    assert (smooth[~above] == 0).all()
    np.testing.assert_allclose(smooth[above], 1, atol=2e-5)


def test_nothing_crosses_between_hemispheres_or_structures(ball):
    """All four parts lie in one place, and share nothing but it."""
    size = len(ball.coordinates)
    voxels = np.argwhere(np.ones((8, 8, 8)))
    affine = np.diag([2.0, 2, 2, 1])
    parts = (
        Part("left", "surface", np.arange(size), size, surface=ball),
        Part("right", "surface", np.arange(size), size, surface=ball),
        Part("THALAMUS_LEFT", "voxels", voxels, affine=affine),
        Part("THALAMUS_RIGHT", "voxels", voxels, affine=affine),
    )
    space = Grayordinates.whole(parts)
    smoother = PartsSmoother(space, 8.0)
    for name, span in space.slices.items():
        values = np.zeros((space.n_samples, 1))
        values[span] = 1

        smooth = smoother.smooth(values)

        np.testing.assert_allclose(smooth[span], 1, atol=2e-5, err_msg=name)
        smooth[span] = 0
        assert not smooth.any(), name


def test_voxels_of_a_structure_get_a_gaussian():
    """In the middle of a large structure, far from its border."""
    shape = (31, 31, 31)
    part = Part(
        "CEREBELLUM_LEFT", "voxels", np.argwhere(np.ones(shape)), affine=np.diag([2.0, 2, 2, 1])
    )
    space = Grayordinates.whole((part,))
    point = np.zeros(shape)
    point[15, 15, 15] = 1

    smooth = PartsSmoother(space, 6.0).smooth(point.reshape(-1, 1)).reshape(shape)

    half = np.interp(3.0, np.arange(0, 32, 2.0), smooth[15, 15, 15:] / smooth[15, 15, 15])
    assert half == pytest.approx(0.5, abs=0.05)  # linear between voxels of 2 mm
    assert smooth.sum() == pytest.approx(1, abs=1e-5)


def test_rows_are_smoothed_alike_on_any_number_of_threads(one_ball):
    series = np.random.default_rng(3).standard_normal((37, one_ball.n_samples)).astype(np.float32)
    wanted = PartsSmoother(one_ball, 5.0).smooth(series.T.astype(np.float64)).T
    for n_jobs in (1, 3):
        rows = series.copy()
        PartsSmoother(one_ball, 5.0).smooth_rows(rows, n_jobs)
        np.testing.assert_allclose(rows, wanted, atol=1e-5)


def test_distances_are_those_of_a_search_through_the_whole_graph(ball):
    size = len(ball.coordinates)
    kept = np.ones(size, dtype=bool)
    kept[2000:2500] = False
    ends, lengths = edges_of(ball, kept)
    graph = sparse.coo_array((lengths, ends.T), shape=(size, size)).tocsr()
    for sources in (np.array([1990]), np.flatnonzero(kept)[::611]):
        wanted = csgraph.dijkstra(graph, False, sources, limit=9.0, min_only=True)

        found = distances_from(ball, kept, sources, 9.0)

        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_distances_on_a_ball_are_those_along_it(ball):
    """Never shorter than the chord, and at most 5 percent longer than the arc."""
    away = distances_from(ball, np.ones(len(ball.coordinates), dtype=bool), np.array([0]), 30.0)
    near = np.isfinite(away) & (away > 0)
    cosine = ball.coordinates @ ball.coordinates[0] / 50**2
    arc = 50 * np.arccos(np.clip(cosine, -1, 1))

    assert (away[near] > 0.99 * arc[near]).all()
    assert (away[near] < 1.05 * arc[near]).all()
    assert near[(arc > 0) & (arc < 28)].all()


def test_areas_add_up_to_that_of_the_ball(ball):
    assert vertex_areas(ball).sum() == pytest.approx(4 * np.pi * 50**2, rel=0.01)


def test_smoothing_without_a_known_surface_is_refused_before_reading(one_ball):
    bare = replace(one_ball, parts=(replace(one_ball.parts[0], surface=None),))
    with pytest.raises(OptionError, match=r"left: smoothing was asked for.*--surface-left"):
        smoother_of(bare, 6.0)
    assert smoother_of(bare, None)  # nothing to be known
    with pytest.raises(OptionError, match="a surface has no axes"):
        smoother_of(one_ball, (6.0, 6.0, 4.0))
    parcels = Grayordinates.whole((Part("parcels", "parcels", np.arange(5)),))
    with pytest.raises(OptionError, match="parcels have no neighbours"):
        smoother_of(parcels, 6.0)


def test_vertices_may_come_in_any_order(one_ball):
    part = one_ball.parts[0]
    order = np.random.default_rng(0).permutation(part.size)
    shuffled = Mesh.whole((replace(part, places=order),))
    values = np.random.default_rng(1).standard_normal((part.size, 2))

    smooth = PartsSmoother(shuffled, 5.0).smooth(values[order])

    np.testing.assert_allclose(
        smooth, PartsSmoother(one_ball, 5.0).smooth(values)[order], atol=1e-6
    )
