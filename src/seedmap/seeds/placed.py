"""Seeds on a space: parsed and named once, each with its weights there and what follows from them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.bids import label_of
from seedmap.errors import SeedError, SeedmapWarning
from seedmap.images import Space
from seedmap.seeds.common import Seed, SeriesSeed
from seedmap.seeds.parse import parse_seed
from seedmap.seeds.volume import Sphere
from seedmap.spatial import Neighbourhoods, SeedWeights

__all__ = [
    "AnySeed",
    "PlacedSeed",
    "SeedFacts",
    "near_each",
    "parse_seeds",
    "place_seeds",
    "warn_of_low_coverage",
]

# A seed of which less than this share lies in the mask may say little of its region.
LOW_COVERAGE = 0.8
# More seeds than this are warned of together.
MANY_WARNINGS = 5

AnySeed = Seed | SeriesSeed | str | tuple[float, float, float]


@dataclass(frozen=True)
class SeedFacts:
    """One seed as it was used.

    Attributes
    ----------
    name : str
        Its name.
    definition : str
        In words, such as ``"sphere of 8 mm at (0, -52, 18) mm"``.
    center : tuple of float or None
        Where to cut and to mark it [mm]: its centre of mass; None for a time course.
    voxels : int
        Voxels that it averages; 0 for a time course.
    coverage : float
        Share of its weight that lies in the mask, 0 to 1; NaN for a time course.
    source : str
        The file that defines it; empty if none does.
    """

    name: str
    definition: str
    center: tuple[float, float, float] | None
    voxels: int
    coverage: float
    source: str = ""


@dataclass(frozen=True, eq=False)
class PlacedSeed:
    """A seed on the space of a run.

    Attributes
    ----------
    seed : Seed or SeriesSeed
        The seed.
    weights : SeedWeights or None
        Its voxels there and their weights; None for a time course.
    """

    seed: Seed | SeriesSeed
    weights: SeedWeights | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.seed.name

    @property
    def voxels(self) -> NDArray[np.int64]:
        """Its voxels, as flat positions in the space; none for a time course."""
        return np.empty(0, dtype=np.int64) if self.weights is None else self.weights.voxels

    def coverage(self, space: Space) -> float:
        """Return the share of its weight that lies in the mask of a space; NaN for a time course.

        Raises
        ------
        SeedError
            If nothing of it does.
        """
        if self.weights is None:
            return float("nan")
        share = float(self.weights.weights[space.mask.ravel()[self.voxels]].sum())
        if share == 0:
            center, how_far = _center(self.weights, space), ""
            if center is not None:
                distance = np.linalg.norm(space.coordinates() - np.array(center), axis=1)
                how_far = f"; the nearest sample is {np.nanmin(distance):.1f} mm from its centre"
            msg = (
                f"seed {self.name!r}: none of its {self.voxels.size} voxels ({self.seed.definition}) lies "
                f"in the mask{how_far}. Are the coordinates in the space of the run?"
            )
            raise SeedError(msg)
        return share

    def facts(self, space: Space) -> SeedFacts:
        """Describe it as it falls on a space with a mask.

        Raises
        ------
        SeedError
            If it has no voxel in the mask.
        """
        seed, weights, coverage = self.seed, self.weights, self.coverage(space)
        if weights is None:
            return SeedFacts(self.name, seed.definition, None, 0, coverage)
        center = seed.center if isinstance(seed, Sphere) else _center(weights, space)
        definition = f"{seed.definition} ({weights.note})" if weights.note else seed.definition
        return SeedFacts(self.name, definition, center, self.voxels.size, coverage, seed.source)


def parse_seeds(
    seeds: AnySeed | Sequence[AnySeed], frames: int | None = None
) -> tuple[Seed | SeriesSeed, ...]:
    """Return seeds as objects, with names that differ also as file names.

    Parameters
    ----------
    seeds
        One seed or several, as objects, as text that `parse_seed` reads, or as three numbers
        (x, y, z) [mm]: a sphere of the default radius, named after them.
    frames
        Frames of the run; None for a stored run, which knows no time courses.

    Raises
    ------
    SeedError
        If there is none, one is no seed, two have one name, or a time course does not fit.
    """
    alone = isinstance(seeds, Seed | SeriesSeed | str) or _is_place(seeds)
    given = [seeds] if alone else list(seeds)  # type: ignore[arg-type]
    chosen: tuple[Any, ...] = tuple(_as_seed(seed) for seed in given)
    if not chosen:
        msg = "no seed is given; name at least one, as in PCC=0,-52,18"
        raise SeedError(msg)
    _check_kinds(chosen)
    seen: dict[str, str] = {}
    for seed in chosen:
        label = label_of(seed.name)
        key = label.lower()  # some disks do not distinguish case
        if key in seen:
            msg = (
                f"seeds {seen[key]!r} and {seed.name!r} would both be called {label!r} in file names; "
                "give them names that differ in letters or digits"
            )
            raise SeedError(msg)
        seen[key] = seed.name
        if isinstance(seed, SeriesSeed):
            _check_length(seed, frames)
    return chosen


def _is_place(seed: object) -> bool:
    """Whether something is three numbers."""
    if not isinstance(seed, tuple | list | np.ndarray):
        return False
    return len(seed) == 3 and all(isinstance(value, int | float | np.number) for value in seed)


def _as_seed(seed: Any) -> Any:
    """Read text and places; an object stays what it is."""
    if isinstance(seed, str):
        return parse_seed(seed)
    if not _is_place(seed):
        return seed
    x, y, z = (float(value) for value in seed)
    parts = (f"{axis}{value:g}" for axis, value in zip("xyz", (x, y, z), strict=True))
    # Signs and points cannot stand in a file name's label.
    name = "".join(parts).replace("-", "minus").replace(".", "point")
    return Sphere(name, (x, y, z))


def place_seeds(seeds: Sequence[Seed | SeriesSeed], space: Space) -> tuple[PlacedSeed, ...]:
    """Find the voxels of seeds on a space.

    Raises
    ------
    SeedError
        If a seed cannot lie there.
    """
    return tuple(
        PlacedSeed(seed, None if isinstance(seed, SeriesSeed) else seed.weights(space))
        for seed in seeds
    )


def warn_of_low_coverage(facts: Sequence[SeedFacts]) -> None:
    """Warn of seeds that lie partly outside the mask: of each, or of very many once."""
    low = sorted((s for s in facts if s.coverage < LOW_COVERAGE), key=lambda s: s.coverage)
    if len(low) > MANY_WARNINGS:
        shown = ", ".join(f"{seed.name!r} ({seed.coverage:.0%})" for seed in low[:MANY_WARNINGS])
        msg = (
            f"{len(low)} of {len(facts)} seeds lie partly outside the mask, which adds signal from "
            f"outside the brain: {shown}, ...; check their coordinates, or shrink them"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)
        return
    for seed in low:
        msg = (
            f"seed {seed.name!r}: only {seed.coverage:.0%} of it lies in the mask; the rest adds "
            "signal from outside the brain. Check its coordinates, or shrink it"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=3)


def _check_kinds(chosen: Sequence[Any]) -> None:
    """Refuse what is no seed."""
    for kind, one in {type(seed): seed for seed in chosen}.items():  # asking each takes long
        if not isinstance(one, Seed | SeriesSeed):
            msg = (
                f"a seed is a {kind.__name__}; give a Sphere, MaskSeed, Region, SeriesSeed or text"
            )
            raise SeedError(msg)


def _check_length(seed: SeriesSeed, frames: int | None) -> None:
    """Refuse a time course of another length than the run, or where only places are known."""
    if frames is None:
        msg = (
            f"seed {seed.name!r} is a time course, and a stored run has places only; give time courses "
            "with the images"
        )
        raise SeedError(msg)
    if seed.values.size != frames:
        msg = (
            f"seed {seed.name!r}: {seed.values.size} values for the {frames} frames of the run; give "
            "one raw value a frame, censored frames included"
        )
        raise SeedError(msg)


def _center(weights: SeedWeights, space: Space) -> tuple[float, float, float] | None:
    """Return the centre of mass of a seed [mm]; None where its places are not known."""
    center = weights.weights @ space.places(weights.voxels)
    if not np.isfinite(center).all():
        return None
    return tuple(float(value) for value in np.round(center, 2))  # type: ignore[return-value]


def near_each(
    seeds: Sequence[PlacedSeed],
    space: Space,
    smoothing_fwhm: float | Sequence[float | None] | None,
    beyond: float = 0.0,
) -> Neighbourhoods:
    """List each seed's own neighbourhood: its voxels, and one smoothing width and ``beyond`` [mm] around."""
    widths = smoothing_fwhm if isinstance(smoothing_fwhm, Sequence) else [smoothing_fwhm]
    reach = max((width or 0.0 for width in widths), default=0.0)
    return Neighbourhoods(space, [seed.voxels for seed in seeds], float(reach) + beyond)
