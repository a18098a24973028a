"""What the tests of one run share: a tiny phantom, as a file and in memory."""

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A run of 100 frames of 12 mm voxels, with its mask, table and atlas."""
    return sm.datasets.make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=100)


@pytest.fixture
def bold(phantom):
    return phantom.func[0]


@pytest.fixture(scope="session")
def stored(phantom):
    """The values of the run, read-only, shape (x, y, z, frames)."""
    values = np.asarray(nib.load(phantom.func[0]).dataobj)
    values.setflags(write=False)
    return values


@pytest.fixture(scope="session")
def affine(phantom):
    return nib.load(phantom.func[0]).affine


@pytest.fixture(scope="session")
def table(phantom):
    """The confounds, read-only, shape (frames, confounds)."""
    values = np.loadtxt(phantom.confounds[0], skiprows=1)
    values.setflags(write=False)
    return values


@pytest.fixture(scope="session")
def pcc():
    """A seed of a few of these large voxels."""
    return sm.Sphere("PCC", (0, -52, 18), radius=14)
