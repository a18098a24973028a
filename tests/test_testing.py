"""The conformance tests pass what is right and catch what is wrong."""

import numpy as np
import pytest

from seedmap.images import Grid
from seedmap.seeds import Sphere
from seedmap.spatial import SeedWeights
from seedmap.temporal import Detrend, TimeOperator
from seedmap.testing import SeedTests, SpaceTests, TimeOperatorTests

AFFINE = np.diag([3.0, 3, 3, 1])


class TestDetrendConforms(TimeOperatorTests):
    def make(self):
        return Detrend(np.arange(20.0))


class TestSphereConforms(SeedTests):
    def make(self):
        return Sphere("ball", (9, 9, 9), 5)

    def space(self):
        return Grid.whole(AFFINE, (7, 7, 7))


class TestGridConforms(SpaceTests):
    def make(self):
        return Grid(AFFINE, np.random.default_rng(0).random((5, 4, 3)) > 0.5)

    def gather(self, space, filled):
        return filled[space.mask]


class Wrong(TimeOperator):
    """Takes six frames and applies a function to them."""

    def __init__(self, does, frames_out=6):
        self._does, self._frames_out = does, frames_out

    @property
    def frames_in(self):
        return 6

    @property
    def frames_out(self):
        return self._frames_out

    def apply(self, series):
        return self._does(series)


def overwriting(series):
    if series.flags.writeable:
        series[0] = 0.0
    return 1.0 * series


WRONG_OPERATORS = {
    "test_apply_gives_the_frames_that_it_promises": Wrong(lambda x: x[:-1], 6),
    "test_apply_is_the_product_with_its_matrix": Wrong(np.abs),
    "test_it_is_linear": Wrong(lambda x: x**2),
    "test_samples_do_not_know_each_other": Wrong(lambda x: x - x.mean(axis=1, keepdims=True)),
    "test_what_is_given_stays_as_it_was": Wrong(overwriting),
    "test_it_composes": Wrong(lambda x: x + np.random.default_rng().random()),
}


@pytest.mark.parametrize(("name", "operator"), WRONG_OPERATORS.items())
def test_an_operator_that_breaks_a_promise_is_caught(name, operator):
    class Suite(TimeOperatorTests):
        def make(self):
            return operator

    with pytest.raises((AssertionError, ValueError)):
        getattr(Suite(), name)()


class OddSeed:
    name, definition, source = "odd", "an odd seed", ""

    def __init__(self, voxels, weights):
        self._found = SeedWeights(np.array(voxels), np.array(weights))

    def weights(self, space):
        return self._found


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("test_weights_sum_to_one", OddSeed([1, 2], [0.5, 0.6])),
        ("test_weights_sum_to_one", OddSeed([1, 2], [1.5, -0.5])),
        ("test_each_voxel_is_listed_once_and_lies_in_the_box", OddSeed([2, 2], [0.5, 0.5])),
        ("test_each_voxel_is_listed_once_and_lies_in_the_box", OddSeed([1, 9999], [0.5, 0.5])),
    ],
)
def test_a_seed_that_breaks_a_promise_is_caught(name, seed):
    class Suite(SeedTests):
        def make(self):
            return seed

        def space(self):
            return Grid.whole(AFFINE, (3, 3, 3))

    Suite().test_it_is_a_seed()
    with pytest.raises(AssertionError):
        getattr(Suite(), name)()


def test_a_seed_that_minds_the_mask_is_caught():
    class Shy(OddSeed):
        def weights(self, space):
            inside = np.flatnonzero(space.mask)[:2]
            return SeedWeights(inside, np.full(inside.size, 1 / max(inside.size, 1)))

    class Suite(SeedTests):
        def make(self):
            return Shy([0], [1.0])

        def space(self):
            return Grid.whole(AFFINE, (3, 3, 3))

    with pytest.raises(AssertionError):
        Suite().test_the_mask_of_the_space_does_not_matter()


def test_a_space_that_mixes_up_its_samples_is_caught():
    class Mixed(Grid):
        def unmask(self, values, outside=0.0):
            return super().unmask(np.asarray(values)[..., ::-1], outside)

    class Suite(SpaceTests):
        def make(self):
            return Mixed(AFFINE, np.random.default_rng(0).random((5, 4, 3)) > 0.5)

        def gather(self, space, filled):
            return filled[space.mask]

    with pytest.raises(AssertionError):
        Suite().test_what_is_put_back_can_be_taken_out()
