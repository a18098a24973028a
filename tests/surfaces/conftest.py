"""Phantoms on surfaces, and small meshes."""

import shutil

import numpy as np
import pytest

from seedmap.datasets import make_grayordinate_phantom, make_surface_phantom
from seedmap.datasets.grayordinates import ellipsoid
from seedmap.images import Mesh, Part, Surface


@pytest.fixture(scope="session")
def cortex(tmp_path_factory):
    """A run on fsaverage5."""
    return make_surface_phantom(tmp_path_factory.mktemp("cortex"), n_frames=150)


@pytest.fixture(scope="session")
def dense(tmp_path_factory):
    """A run of 91,282 grayordinates."""
    return make_grayordinate_phantom(tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="session")
def wb_command():
    """Connectome Workbench."""
    found = shutil.which("wb_command")
    if found is None:
        pytest.skip("wb_command is not installed (Debian: connectome-workbench)")
    return found


@pytest.fixture(scope="session")
def ball():
    """A sphere of 50 mm radius with 12,252 vertices; edges are about 1.7 mm."""
    surface = ellipsoid("left", 35)
    points = surface.coordinates - surface.coordinates.mean(axis=0)
    points = points / np.array([32.0, 85.0, 60.0])
    points = 50 * points / np.linalg.norm(points, axis=1, keepdims=True)
    return Surface(points, surface.triangles, "ball")


@pytest.fixture(scope="session")
def one_ball(ball):
    """The ball as a space."""
    size = len(ball.coordinates)
    return Mesh.whole((Part("left", "surface", np.arange(size), size, surface=ball),))
