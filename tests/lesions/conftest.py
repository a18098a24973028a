"""A made connectome on a small grid, and lesions in it."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter

from seedmap.lesions import Connectome
from seedmap.lesions.nulls import Places

SHAPE = (14, 16, 12)
COORDINATES = 48


@dataclass(frozen=True)
class Made:
    """A connectome, and where its samples lie."""

    connectome: Connectome
    places: Places

    @property
    def samples(self):
        return self.connectome.samples


def smoothed(values, shape, sigma=1.2):
    """Smooth rows (n, voxels) over a box."""
    boxes = values.reshape(-1, *shape)
    return np.stack([gaussian_filter(one, sigma).ravel() for one in boxes])


def unit(rows):
    """Scale rows to norm 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_connectome(people, rng=0, *, networks=12, overall=0.0, noise=1.0, shape=SHAPE, sigma=2.0):
    """Make people who share smooth networks, with noise of their own and a global signal.

    Where ``overall`` is None, the mean of all samples is regressed out of everybody's run until the
    samples, of unit norm, have none: then the degree of each is 0.
    """
    random = np.random.default_rng(rng)
    voxels = int(np.prod(shape))
    weights = smoothed(random.standard_normal((networks, voxels)), shape, sigma)
    weights /= weights.std()
    smooth, plain = [], []
    for _ in range(people):
        courses = random.standard_normal((networks, COORDINATES))
        raw = weights.T @ courses / np.sqrt(networks)
        raw += (overall or 0) * random.standard_normal(COORDINATES)
        raw += noise * random.standard_normal(raw.shape)
        soft = unit(smoothed(raw.T, shape).T)
        for _ in range(0 if overall is not None else 30):
            mean = soft.mean(axis=0)
            mean /= np.linalg.norm(mean)
            raw -= np.outer(raw @ mean, mean)
            soft = unit(soft - np.outer(soft @ mean, mean))
        smooth.append(soft)
        plain.append(raw)
    smooth, plain = (np.stack(one, axis=1).astype(np.float32) for one in (smooth, plain))
    ones = np.ones(smooth.shape[:2], np.float32)
    made = Connectome(smooth, ones, plain, ones, np.arange(people), np.ones(people))
    return Made(made, Places.of(np.ones(shape, bool)))


def ball(radius):
    """Return the voxels of a ball about 0."""
    reach = np.arange(-4, 5)
    grid = np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), -1).reshape(-1, 3)
    return grid[(grid**2).sum(axis=1) <= radius**2]


def lesion_rows(rows, samples):
    """Put lists of samples into a sparse array of lesions."""
    ends = np.cumsum([0, *map(len, rows)])
    return sp.csr_array((np.ones(ends[-1]), np.concatenate(rows), ends), shape=(len(rows), samples))


def shapes(random, number):
    """Draw balls of 7 to 123 voxels."""
    return [ball(radius) for radius in random.uniform(1.0, 3.1, number)]


@pytest.fixture(scope="session")
def made():
    return make_connectome(8, rng=1)


@pytest.fixture(scope="session")
def tools():
    """Return what makes connectomes and lesions."""
    return SimpleNamespace(
        ball=ball,
        connectome=make_connectome,
        rows=lesion_rows,
        shape=SHAPE,
        shapes=shapes,
        smoothed=smoothed,
    )
