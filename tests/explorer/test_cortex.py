"""How surfaces and grayordinates are drawn: inflated hemispheres, folds, boxes of voxels."""

import numpy as np
import pytest

from seedmap.datasets.grayordinates import ellipsoid
from seedmap.explorer.cortex import folds, inflated, name_of, sheets_of, voxel_box
from seedmap.explorer.regions import Named, Regions
from seedmap.images import Grayordinates, Mesh, Part, Surface
from seedmap.spatial import Atlas, standard_surfaces, vertex_areas

SIZE = 10242


@pytest.fixture(scope="module")
def fsaverage():
    parts = tuple(Part(side, "surface", np.arange(SIZE), SIZE) for side in ("left", "right"))
    mesh = Mesh.whole(parts)
    return mesh.with_surfaces(standard_surfaces(mesh))


def test_inflating_keeps_area_and_middle_and_smooths(fsaverage):
    surface = fsaverage.part("left").surface
    ball = inflated(surface)
    assert vertex_areas(ball).sum() == pytest.approx(vertex_areas(surface).sum(), rel=1e-9)
    np.testing.assert_allclose(
        ball.coordinates.mean(axis=0), surface.coordinates.mean(axis=0), atol=1e-6
    )
    assert np.abs(folds(ball)).mean() < 0.7 * np.abs(folds(surface)).mean()
    assert np.array_equal(ball.triangles, surface.triangles)


def test_folds_agree_with_the_depth_that_freesurfer_found(fsaverage):
    from seedmap.spatial import standard_shade

    depth = standard_shade(fsaverage)["left"]
    found = folds(fsaverage.part("left").surface)
    assert np.corrcoef(found, depth)[0, 1] > 0.6


def test_triangles_of_sheets_point_outwards(fsaverage):
    surface = ellipsoid("left", 8)
    inwards = Surface(surface.coordinates, surface.triangles[:, ::-1])
    size = len(surface.coordinates)
    for one in (surface, inwards):
        sheet = sheets_of(
            Mesh.whole((Part("left", "surface", np.arange(size), size, surface=one),))
        )["left"]
        corners = sheet.surface.coordinates[sheet.surface.triangles]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outwards = corners.mean(axis=1) - sheet.surface.coordinates.mean(axis=0)
        assert ((across * outwards).sum(axis=1) > 0).all()
        np.testing.assert_allclose(sheet.places, surface.coordinates)
    assert sheets_of(fsaverage)["right"].surface.source == "fsaverage5 inflated"


def test_the_box_holds_every_voxel_where_it_lies():
    affine = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    voxels = np.array([[40, 50, 30], [41, 50, 30], [40, 53, 35]])
    parts = (
        Part("left", "surface", np.arange(4), 4),
        Part("THALAMUS_LEFT", "voxels", voxels[:2], affine=affine),
        Part("PUTAMEN_LEFT", "voxels", voxels[2:], affine=affine),
    )
    space = Grayordinates.of_places(parts, b"")
    box = voxel_box(space)
    assert box.grid.shape == (2, 4, 6)
    assert box.flat[:4].tolist() == [-1] * 4
    np.testing.assert_allclose(box.grid.places(box.flat[4:]), space.places(np.arange(4, 7)))
    volume = box.volume(np.arange(7.0))
    assert sorted(volume[volume > 0]) == [4, 5, 6]
    assert box.grid.mask.sum() == 3
    assert voxel_box(Mesh.whole(parts[:1])) is None


def test_regions_of_an_atlas_are_named_by_position():
    space = Mesh.whole((Part("left", "surface", np.arange(4), 4),))
    atlas = Atlas(np.array([0, 1, 2, 2]), {1: "V1"})
    named = (Named(atlas, 1, "V1"), Named(atlas, 2, "2"))
    regions = Regions(space, atlas.labels.astype(np.uint16), named)
    assert [name_of(regions, space, n) for n in (0, 1, 2, 9)] == ["", "V1", "2", ""]
    assert name_of(None, space, 1) == ""
