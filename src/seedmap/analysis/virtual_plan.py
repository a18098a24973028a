"""Which seeds are extracted to see how far a map moves, and their columns taken apart again."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedmap._arrays import Array
from seedmap.analysis.degree import DegreePlan
from seedmap.analysis.robust import RobustnessSettings
from seedmap.images import Space
from seedmap.seeds import PlacedSeed, Virtual, equal_radius, random_spheres, virtual_seeds
from seedmap.spatial import SeedWeights

__all__ = ["VirtualPlan", "draw_plan"]

# Spheres at random places, and virtual seeds of each kind of these: the range to compare with.
RANDOM, EACH = 40, 5
# Voxels of a seed that its homogeneity is worked out from.
MOST_VOXELS = 500


@dataclass(frozen=True, eq=False)
class VirtualPlan:
    """Which seeds are extracted beside those that were asked for, in which order.

    Attributes
    ----------
    virtual : tuple of tuple of Virtual
        For each seed its kinds.
    voxels : tuple of tuple of SeedWeights
        For each seed some of its voxels, each alone.
    random : mapping of float to tuple
        For each radius the kinds of each random sphere.
    radii : tuple of float or None
        The radius of each seed.
    degree : DegreePlan or None
        Spheres for the map of degree, if that is wanted.
    """

    virtual: tuple[tuple[Virtual, ...], ...]
    voxels: tuple[tuple[SeedWeights, ...], ...]
    random: dict[float, tuple[tuple[Virtual, ...], ...]]
    radii: tuple[float | None, ...]
    degree: DegreePlan | None

    @property
    def weights(self) -> list[SeedWeights]:
        """All seeds to be extracted."""
        kinds = itertools.chain(*self.virtual, *itertools.chain(*self.random.values()))
        singles = itertools.chain(*self.voxels)
        spheres = [] if self.degree is None else self.degree.weights
        return [*itertools.chain(*(kind.weights for kind in kinds)), *singles, *spheres]

    def apart(
        self, drawn: Array
    ) -> tuple[list[list[Array]], list[Array], dict[float, list[list[Array]]]]:
        """Take the columns of the extracted seeds (rows, seeds) apart as the plan has them."""
        at = itertools.count()
        columns = drawn.T

        def some(weights: Sequence[Any]) -> Array:
            found = columns[[next(at) for _ in weights]].T if weights else drawn[:, :0]
            return found[:, np.isfinite(found).all(axis=0)]

        virtual = [[some(kind.weights) for kind in kinds] for kinds in self.virtual]
        random = {
            radius: [[some(kind.weights) for kind in kinds] for kinds in spheres]
            for radius, spheres in self.random.items()
        }
        return virtual, [some(one) for one in self.voxels], random


def draw_plan(
    placed: Sequence[PlacedSeed],
    space: Space,
    settings: RobustnessSettings,
    *,
    degree: bool = False,
) -> VirtualPlan:
    """Draw all seeds; ``space`` has the mask of what can be sampled."""
    radii = tuple(equal_radius(seed, space) for seed in placed)
    sizes = {radius for radius in radii if radius is not None}
    return VirtualPlan(
        tuple(
            virtual_seeds(seed, space, settings.centre, settings.number, settings.rng)
            for seed in placed
        ),
        tuple(_singles(seed, space) for seed in placed),
        {
            radius: tuple(
                virtual_seeds(sphere, space, settings.centre, EACH, settings.rng, sizes=False)
                for sphere in random_spheres(space, radius, RANDOM, settings.rng)
            )
            for radius in sorted(sizes)
        },
        radii,
        DegreePlan.of(placed, space) if degree else None,
    )


def _singles(seed: PlacedSeed, space: Space) -> tuple[SeedWeights, ...]:
    """Return some places of a seed that lie in the mask, each as a seed of its own."""
    voxels = seed.voxels[space.mask.ravel()[seed.voxels]]
    spread = voxels[:: max(1, -(-voxels.size // MOST_VOXELS))]
    return tuple(SeedWeights(np.array([one]), np.ones(1)) for one in spread)
