"""Conformance tests that a new operator of time, seed or space inherits.

A class that inherits one of these, in a file that pytest collects, and says how to make the thing
is a full set of tests of what the rest of seedmap relies on::

    class TestMyOperator(TimeOperatorTests):
        def make(self):
            return MyOperator(frames=40)

Knows pytest's habits, but imports only NumPy. The topmost layer: nothing imports it.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Grid
from seedmap.seeds import Seed
from seedmap.temporal import TimeOperator

__all__ = ["SeedTests", "Space", "SpaceTests", "TimeOperatorTests"]

TOLERANCE = 1e-10  # relative, of float64 arithmetic over some hundred frames


class Space(Protocol):
    """What every space can do, whatever its samples are."""

    @property
    def n_samples(self) -> int:
        """Number of samples."""

    def coordinates(self) -> Array:
        """Centres of the samples [mm], shape (samples, 3)."""

    def unmask(self, values: Array, outside: float = 0.0) -> NDArray[Any]:
        """Put samples (..., samples) back to where they come from."""


def _random(rows: int, columns: int, rng: int = 0) -> Array:
    """Draw a read-only series: what a caller gives is never written to."""
    series = np.random.default_rng(rng).standard_normal((rows, columns))
    series.setflags(write=False)
    return series


def _close(found: Array, wanted: Array) -> bool:
    size = max(float(np.abs(wanted).max(initial=0.0)), 1.0)
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= TOLERANCE * size)


class TimeOperatorTests(ABC):
    """What every operator of time must do."""

    @abstractmethod
    def make(self) -> TimeOperator:
        """Return the operator under test."""

    def test_apply_gives_the_frames_that_it_promises(self) -> None:
        """``apply`` turns (frames_in, samples) into (frames_out, samples)."""
        operator = self.make()
        assert operator.apply(_random(operator.frames_in, 3)).shape == (operator.frames_out, 3)

    def test_apply_is_the_product_with_its_matrix(self) -> None:
        """``apply`` and ``matrix`` are one map."""
        operator = self.make()
        series, matrix = _random(operator.frames_in, 4), operator.matrix()
        assert matrix.shape == (operator.frames_out, operator.frames_in)
        assert matrix.dtype == np.float64
        assert _close(operator.apply(series), matrix @ series)

    def test_it_is_linear(self) -> None:
        """A sum of multiples becomes the same sum of multiples."""
        operator = self.make()
        one, two = _random(operator.frames_in, 2, 1), _random(operator.frames_in, 2, 2)
        apart = 3.0 * operator.apply(one) - 0.5 * operator.apply(two)
        assert _close(operator.apply(3.0 * one - 0.5 * two), apart)

    def test_samples_do_not_know_each_other(self) -> None:
        """One sample alone gives what it gives among others."""
        operator = self.make()
        series = _random(operator.frames_in, 5)
        assert _close(operator.apply(series[:, 2:3]), operator.apply(series)[:, 2:3])

    def test_what_is_given_stays_as_it_was(self) -> None:
        """The series is not modified, and no part of the answer is a window into it."""
        operator = self.make()
        series = np.array(_random(operator.frames_in, 3))
        before = series.copy()
        operator.apply(series)[...] = 7.0
        assert np.array_equal(series, before)

    def test_it_composes(self) -> None:
        """A product with the operator does what both do, one after the other."""
        operator = self.make()
        series = _random(operator.frames_in, 2)
        twice = _Half(operator.frames_out) @ operator
        assert twice.frames_in == operator.frames_in
        assert twice.frames_out == operator.frames_out
        assert _close(twice.apply(series), operator.apply(series) / 2)


class _Half(TimeOperator):
    """The plainest of operators: half of everything."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    @property
    def frames_in(self) -> int:
        return self._frames

    def apply(self, series: Array) -> Array:
        return series / 2


class SeedTests(ABC):
    """What every seed that lies in space must do."""

    @abstractmethod
    def make(self) -> Seed:
        """Return a seed that reaches the space of `space`."""

    @abstractmethod
    def space(self) -> Grid:
        """Return the space that it samples."""

    def test_it_is_a_seed(self) -> None:
        """It has what the protocol asks for."""
        assert isinstance(self.make(), Seed)

    def test_it_says_what_it_is(self) -> None:
        """Name and definition are words of one line."""
        seed = self.make()
        for text in (seed.name, seed.definition):
            assert text
            assert text == text.strip()
            assert "\n" not in text
        assert isinstance(seed.source, str)

    def test_weights_sum_to_one(self) -> None:
        """The seed's mean of a constant image is that constant."""
        found = self.make().weights(self.space())
        assert found.weights.shape == found.voxels.shape
        assert abs(found.weights.sum() - 1.0) < TOLERANCE
        assert np.all(found.weights > 0)

    def test_each_voxel_is_listed_once_and_lies_in_the_box(self) -> None:
        """Voxels are positions in C order of the whole box, ascending."""
        space = self.space()
        voxels = self.make().weights(space).voxels
        assert voxels.dtype.kind == "i"
        assert np.all(np.diff(voxels) > 0)
        assert voxels[0] >= 0
        assert voxels[-1] < np.prod(space.shape)

    def test_the_mask_of_the_space_does_not_matter(self) -> None:
        """Seeds sample outside the mask, too."""
        space, seed = self.space(), self.make()
        whole = seed.weights(Grid.whole(space.affine, space.shape))
        empty = seed.weights(space.within(np.zeros(space.shape, dtype=bool)))
        assert np.array_equal(whole.voxels, empty.voxels)
        assert np.array_equal(whole.weights, empty.weights)


class SpaceTests(ABC):
    """What every space must do."""

    @abstractmethod
    def make(self) -> Space:
        """Return a space with two samples or more."""

    @abstractmethod
    def gather(self, space: Any, filled: NDArray[Any]) -> NDArray[Any]:
        """Take the samples of ``space`` out of what its ``unmask`` gave, in their order."""

    def test_samples_have_coordinates(self) -> None:
        """One finite triplet of millimetres a sample, no two the same."""
        space = self.make()
        coordinates = space.coordinates()
        assert coordinates.shape == (space.n_samples, 3)
        assert np.isfinite(coordinates).all()
        assert len(np.unique(coordinates.round(6), axis=0)) == space.n_samples

    def test_what_is_put_back_can_be_taken_out(self) -> None:
        """``unmask`` puts every sample where it belongs and keeps the type."""
        space = self.make()
        values = np.arange(1, space.n_samples + 1, dtype=np.float32)
        values.setflags(write=False)
        filled = space.unmask(values)
        assert filled.dtype == values.dtype
        assert np.array_equal(self.gather(space, filled), values)

    def test_elsewhere_is_what_was_asked_for(self) -> None:
        """Nothing but samples differs from ``outside``."""
        space = self.make()
        filled = space.unmask(np.ones(space.n_samples), outside=-5.0)
        assert np.count_nonzero(filled != -5.0) == space.n_samples

    def test_several_rows_are_put_back_at_once(self) -> None:
        """Rows (n, samples) come back along a new last axis."""
        space = self.make()
        rows = np.arange(3.0)[:, None] + np.arange(1.0, space.n_samples + 1)
        filled = space.unmask(rows)
        assert filled.shape[-1] == 3
        for number, row in enumerate(rows):
            assert np.array_equal(filled[..., number], space.unmask(row))
