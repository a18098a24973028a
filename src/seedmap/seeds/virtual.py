"""Seeds that could have been chosen instead of a seed: elsewhere, of another size, half of it.

Every seed is drawn from a counter-based generator that is keyed by the number that the user gave,
the seed's name, the kind and the count: it does not depend on which other seeds are drawn.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Grid, PartedSpace, Space
from seedmap.seeds.placed import PlacedSeed
from seedmap.seeds.surface import VertexPatch, around, part_of, snap
from seedmap.seeds.volume import Sphere
from seedmap.spatial import SeedWeights, distances_from, spheres_of_one_radius

__all__ = ["Virtual", "equal_radius", "random_spheres", "virtual_seeds"]

# Radii of a sphere or patch, over its own.
FACTORS = (0.5, 0.75, 1.25, 1.5)
# A seed with less than this share of the original's coverage is drawn again, so often at most.
LEAST_COVERAGE, TRIES = 0.5, 50

Chances = Sequence[np.random.Generator]
# Draws a seed of each of some generators; None where it lies nowhere.
Draw = Callable[[Chances], list[SeedWeights | None]]


@dataclass(frozen=True, eq=False)
class Virtual:
    """Seeds of one kind that could have been chosen instead of a seed.

    Attributes
    ----------
    kind : str
        ``"centre8"`` for centres within 8 mm, ``"size"`` or ``"half"``.
    weights : tuple of SeedWeights
        The seeds; none where the kind makes no sense of the seed.
    redrawn : int
        How many were drawn again since they lay outside the mask.
    note : str
        Why there are none, or fewer than wanted.
    """

    kind: str
    weights: tuple[SeedWeights, ...]
    redrawn: int = 0
    note: str = ""


def virtual_seeds(
    placed: PlacedSeed,
    space: Space,
    centre: tuple[float, ...],
    number: int,
    rng: int,
    *,
    sizes: bool = True,
) -> tuple[Virtual, ...]:
    """Draw the virtual seeds of a seed: other centres, other sizes, halves of its voxels.

    Parameters
    ----------
    placed
        The seed.
    space
        Where it lies; its mask says what can be sampled.
    centre
        How far the centre may move [mm], a kind each.
    number
        Seeds of each drawn kind.
    rng
        Seed of the generator, 0 or more.
    sizes
        Whether other sizes are wanted, too.

    Returns
    -------
    tuple of Virtual
        A kind each; none for a time course.
    """
    if placed.weights is None:
        return ()
    drawer = _Drawer(placed, placed.weights, space, number, rng)
    kinds = [drawer.drawn(f"centre{far:g}", _moves(placed, space, far)) for far in centre]
    kinds += [_sizes(placed, placed.weights, space, drawer)] if sizes else []
    return (*kinds, _halves(placed.weights, drawer))


@dataclass(frozen=True, eq=False)
class _Drawer:
    """Draws seeds until they are covered by the mask."""

    placed: PlacedSeed
    own: SeedWeights
    space: Space
    number: int
    rng: int

    def enough(self, weights: SeedWeights) -> bool:
        """Whether a seed has half of the original's coverage."""
        least = LEAST_COVERAGE * _covered(self.own, self.space)
        return _covered(weights, self.space) >= max(least, 1e-12)

    def drawn(self, kind: str, draw: Draw | str) -> Virtual:
        """Draw seeds of a kind, or say why there are none."""
        if isinstance(draw, str):
            return Virtual(kind, (), note=draw)
        found: list[SeedWeights | None] = [None] * self.number
        redrawn = 0
        for tried in range(TRIES):
            missing = [k for k, one in enumerate(found) if one is None]
            if not missing:
                break
            redrawn += len(missing) if tried else 0
            chances = [_chance(self.rng, self.placed.name, kind, k, tried) for k in missing]
            for k, weights in zip(missing, draw(chances), strict=True):
                if weights is not None and self.enough(weights):
                    found[k] = weights
        kept = tuple(one for one in found if one is not None)
        lost = self.number - len(kept)
        note = f"{lost} of {self.number} found no place in the mask" if lost else ""
        return Virtual(kind, kept, redrawn, note)


def _chance(rng: int, name: str, kind: str, k: int, tried: int = 0) -> np.random.Generator:
    """Return the generator of one draw, or of one of its repetitions."""
    digest = hashlib.sha256(f"{rng}/{name}/{kind}/{k}/{tried}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def _covered(weights: SeedWeights, space: Space) -> float:
    """Return the share of a seed's weight that lies in the mask."""
    return float(weights.weights[space.mask.ravel()[weights.voxels]].sum())


def _moves(placed: PlacedSeed, space: Space, far: float) -> Draw | str:
    """Return what moves a seed by up to so many millimetres, or why it cannot be moved."""
    if isinstance(space, PartedSpace):
        return _moves_on_parts(placed, space, far)
    seed, weights = placed.seed, placed.weights
    assert weights is not None
    if isinstance(seed, Sphere):
        whole, center, radius = space.box, seed.center, seed.radius

        def moved(chances: Chances) -> list[SeedWeights | None]:
            centers = np.array(center) + np.stack([_in_ball(chance, far) for chance in chances])
            return [_equal(one) for one in spheres_of_one_radius(whole, centers, radius)]

        return moved
    turn = np.linalg.inv(space.affine[:3, :3])
    return lambda chances: [
        _shifted(weights, space, np.rint(turn @ _in_ball(chance, far))) for chance in chances
    ]


def _equal(voxels: NDArray[np.int64]) -> SeedWeights | None:
    """Weigh places equally; None where there are none."""
    return SeedWeights(voxels, np.full(voxels.size, 1 / voxels.size)) if voxels.size else None


def _in_ball(chance: np.random.Generator, far: float) -> Array:
    """Draw a step of at most so many millimetres, uniform in the ball, shape (3,)."""
    while True:
        step = 2 * chance.random(3) - 1
        if step @ step <= 1:
            return step * far


def _shifted(weights: SeedWeights, space: Grid, step: Array) -> SeedWeights | None:
    """Move the voxels of a seed by a step (3,) in whole voxels; those that leave the image are lost."""
    voxels = np.stack(np.unravel_index(weights.voxels, space.shape), axis=1) + step.astype(np.int64)
    inside = ((voxels >= 0) & (voxels < np.array(space.shape))).all(axis=1)
    if not inside.any():
        return None
    kept = weights.weights[inside]
    flat = np.ravel_multi_index(tuple(voxels[inside].T), space.shape)
    return SeedWeights(np.asarray(flat), kept / kept.sum())


def _moves_on_parts(placed: PlacedSeed, space: PartedSpace, far: float) -> Draw | str:
    """Return what moves a sphere or patch to another place of the same structure."""
    seed = placed.seed
    if not isinstance(seed, Sphere | VertexPatch):
        return "regions and maps on surfaces and grayordinates are not moved"
    position = _position(seed, space)
    name, span = part_of(space, position)
    part = space.part(name)
    if part.kind == "surface":
        if part.surface is None:
            return "where the vertices lie is not known"
        usable = np.zeros(part.vertices, dtype=bool)
        usable[part.places] = True
        away = distances_from(part.surface, usable, part.places[[position - span.start]], far)
        reached = np.flatnonzero(np.isfinite(away[part.places]))
    else:
        places = part.coordinates()
        distance = np.linalg.norm(places - places[position - span.start], axis=1)
        reached = np.flatnonzero(distance <= far)
    return lambda chances: [
        around(seed, space, int(span.start + reached[int(chance.integers(reached.size))]))
        for chance in chances
    ]


def _position(seed: Sphere | VertexPatch, space: PartedSpace) -> int:
    """Return the position that a sphere or patch lies about."""
    if isinstance(seed, Sphere):
        return snap(seed, space)[0]
    span = space.slices[seed.hemisphere]
    return int(span.start + np.flatnonzero(space.part(seed.hemisphere).places == seed.vertex)[0])


def _sizes(placed: PlacedSeed, weights: SeedWeights, space: Space, drawer: _Drawer) -> Virtual:
    """Make the seed of other radii, or one voxel smaller and larger."""
    seed = placed.seed
    if isinstance(seed, Sphere | VertexPatch):
        if not seed.radius:
            return Virtual("size", (), note="the seed is one place and has no radius")
        whole = space.box if isinstance(space, Grid) else space
        made = [replace(seed, radius=factor * seed.radius).weights(whole) for factor in FACTORS]
    elif isinstance(space, PartedSpace):
        note = "regions and maps on surfaces and grayordinates are not made larger or smaller"
        return Virtual("size", (), note=note)
    else:
        made = _eroded_and_dilated(weights, space)
    found = tuple(one for one in made if drawer.enough(one))
    lost = f"{len(made) - len(found)} lie outside the mask" if len(found) < len(made) else ""
    return Virtual("size", found, note=lost or ("" if made else "the seed cannot be made smaller"))


def _eroded_and_dilated(weights: SeedWeights, space: Grid) -> list[SeedWeights]:
    """Take the outermost voxels of a seed away, and add those that share a face with it."""
    voxels = np.stack(np.unravel_index(weights.voxels, space.shape), axis=1)
    corner = voxels.min(axis=0) - 1
    box = np.zeros(np.ptp(voxels, axis=0) + 3)
    box[tuple((voxels - corner).T)] = weights.weights
    beside = np.stack([np.roll(box, step, axis) for axis in range(3) for step in (-1, 1)])
    smaller = np.where((beside > 0).all(axis=0), box, 0)
    larger = np.where(box > 0, box, np.where((beside > 0).any(axis=0), weights.weights.mean(), 0))
    found = []
    for values in (smaller, larger):
        places = np.argwhere(values > 0)
        inside = ((places + corner >= 0) & (places + corner < np.array(space.shape))).all(axis=1)
        places = places[inside]
        if places.size:
            kept = values[tuple(places.T)]
            flat = np.ravel_multi_index(tuple((places + corner).T), space.shape)
            found.append(SeedWeights(np.asarray(flat), kept / kept.sum()))
    return found


def _halves(weights: SeedWeights, drawer: _Drawer) -> Virtual:
    """Draw halves of the seed's places."""
    size = weights.voxels.size
    if size < 2:
        return Virtual("half", (), note="the seed is one place and has no halves")

    def some(chance: np.random.Generator) -> SeedWeights:
        chosen = np.sort(chance.permutation(size)[: size // 2])
        kept = weights.weights[chosen]
        return SeedWeights(weights.voxels[chosen], kept / kept.sum())

    return drawer.drawn("half", lambda chances: [some(chance) for chance in chances])


def equal_radius(placed: PlacedSeed, space: Space) -> float | None:
    """Return the radius of a seed, or of the sphere of as many voxels; None where none is known."""
    if placed.weights is None:
        return None
    if hasattr(placed.seed, "radius"):
        return placed.seed.radius or 0.0
    if not isinstance(space, Grid):
        return None
    volume = placed.voxels.size * space.voxel_volume
    return round(float((volume * 3 / (4 * np.pi)) ** (1 / 3)), 2)


def random_spheres(space: Space, radius: float, number: int, rng: int) -> tuple[PlacedSeed, ...]:
    """Place spheres, or patches of a surface, about samples drawn at random.

    Parameters
    ----------
    space
        Where they lie; half of each at least is in its mask.
    radius
        Their radius [mm].
    number
        How many.
    rng
        Seed of the generator.
    """
    places = np.flatnonzero(space.mask)
    whole = space.box if isinstance(space, Grid) else space
    found: list[PlacedSeed] = []
    chance = _chance(rng, "", f"random{radius:g}", 0)
    for _ in range(TRIES * number):
        position = int(places[int(chance.integers(places.size))])
        center = space.places(np.array([position]))[0]
        name = f"random{len(found) + 1}"
        if not np.isfinite(center).all():
            continue
        seed = Sphere(name, tuple(center.tolist()), radius)
        weights = seed.weights(whole)
        if _covered(weights, space) >= LEAST_COVERAGE:
            found.append(PlacedSeed(seed, weights))
        if len(found) == number:
            break
    return tuple(found)
