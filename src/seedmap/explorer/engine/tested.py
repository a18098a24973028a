"""How a contrast is tested at some samples: by least squares, or with people's own standard errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import SplitDesign
from seedmap.connectivity.contrasts import PatternedTest, Patterns, contrast_maps
from seedmap.connectivity.effects import random_effects
from seedmap.explorer.engine.people import PeopleMaps, Placed

__all__ = ["LeastSquares", "Test", "Values", "Weighted"]

Floats = NDArray[np.float32]
Samples = NDArray[np.int64]

# Effect, t or F, people and degrees of freedom, each of shape (some,).
Values = tuple[Floats, Floats, NDArray[np.int64], Floats]


class Test(Protocol):
    """A contrast for some people."""

    @property
    def statistic(self) -> str:
        """``pooled``, ``robust`` or ``weighted``."""

    def at(self, maps: PeopleMaps, placed: Sequence[Placed], some: Samples) -> Values:
        """Estimate and test it at some samples."""


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """People count alike; see `seedmap.connectivity.contrasts`.

    Attributes
    ----------
    test : PatternedTest
        The contrast.
    patterns : Patterns
        Which runs have a sample.
    columns : ndarray of int, or None
        The people who are used; None for all.
    """

    test: PatternedTest
    patterns: Patterns
    columns: Samples | None

    @property
    def statistic(self) -> str:
        """``pooled`` or ``robust``."""
        return "robust" if self.test.robust else "pooled"

    def at(self, maps: PeopleMaps, placed: Sequence[Placed], some: Samples) -> Values:
        """Estimate and test it at some samples."""
        values = maps.fisherz(placed, some)
        values = values if self.columns is None else values[:, self.columns]
        of = self.patterns.of[some]
        effect, t = contrast_maps(values, of, self.patterns.most, self.test)
        return effect, t, self.test.n[of], self.test.dof[of]


@dataclass(frozen=True, eq=False)
class Weighted:
    """People count by their own standard errors; who has none is absent.

    Attributes
    ----------
    tested : SplitDesign
        The contrast.
    patterns : Patterns
        Which runs have a sample.
    columns : ndarray of int
        The people who are used.
    fewest : int
        People that a sample must have to be tested.
    """

    tested: SplitDesign
    patterns: Patterns
    columns: Samples
    fewest: int

    @property
    def statistic(self) -> str:
        """``weighted``."""
        return "weighted"

    def at(self, maps: PeopleMaps, placed: Sequence[Placed], some: Samples) -> Values:
        """Estimate and test it at some samples."""
        here = maps.present(self.patterns.rows[self.patterns.of[some]], placed)[:, self.columns]
        values, variances = maps.certain_fisherz(placed[0], some)
        values = np.where(here, values[:, self.columns], np.float32(np.nan))
        found = random_effects(values.T, variances[:, self.columns].T, self.tested)
        enough = found.n >= self.fewest
        effect, t, dof = (
            np.where(enough, one, np.nan).astype(np.float32)
            for one in (found.effect, found.stat, found.dof)
        )
        return effect, t, found.n.astype(np.int64), dof
