"""Graphs of grids, and smooth noise in them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from seedmap.shuffle import Graph


def graph_of_pairs(pairs, samples, **options):
    """Build a graph of the pairs of samples that touch, each given once."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=samples))])
    return Graph.of(indptr, both[:, 1], **options)


def grid_pairs(shape):
    """Pairs of voxels that share faces."""
    index = np.arange(np.prod(shape)).reshape(shape)
    pairs = [
        np.stack([index.take(range(n - 1), axis).ravel(), index.take(range(1, n), axis).ravel()], 1)
        for axis, n in enumerate(shape)
    ]
    return np.concatenate(pairs)


def smooth(rng, people, shape, fwhm=2.5):
    """Return smooth noise of unit variance, shape (people, samples)."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    wide = rng.normal(size=(people, *(n + 12 for n in shape)))
    noise = gaussian_filter(wide, (0, *[sigma] * len(shape)))
    noise = noise[(slice(None), *[slice(6, -6)] * len(shape))].reshape(people, -1)
    return noise / noise.std()


@pytest.fixture
def grid():
    """A grid of 9 x 8 x 7 voxels, as a graph."""
    return graph_of_pairs(grid_pairs((9, 8, 7)), 9 * 8 * 7)


@pytest.fixture
def make_graph():
    return graph_of_pairs


@pytest.fixture
def pairs_of_grid():
    return grid_pairs


@pytest.fixture
def smooth_noise():
    return smooth
