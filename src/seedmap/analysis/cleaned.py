"""A cleaned run in which any seeds can be sampled: from its images, or from the store.

What is asked of both is the same: cleaned series of unit norm of seeds that are extracted from
the unsmoothed run, and of the smoothed samples block by block, over the whole run and over each
of its halves. Correlations are products of these.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, Array
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.options import Inputs, Limits, Method
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import Preflight, Prepared, prepare, read
from seedmap.connectivity import in_blocks, split_halves, unit_seeds
from seedmap.errors import SeedmapWarning
from seedmap.images import Space
from seedmap.seeds import AnySeed, PlacedSeed, SeriesSeed
from seedmap.spatial import Extracted, SeedWeights, certain_mask
from seedmap.store import StoredRun
from seedmap.temporal import BlockCleaner, Cleaner

__all__ = ["Block", "CleanedRun", "ImagedSeeds", "StoredSeeds", "read_with"]

# Directions weaker than this share of the strongest say nothing in single precision.
NEGLIGIBLE = 1e-7
# Seeds extracted from a store at once.
TOGETHER = 200


@dataclass(frozen=True, eq=False)
class Block:
    """Some smoothed samples, cleaned; NaN where one is constant or not finite.

    Attributes
    ----------
    whole : ndarray of float32, shape (rows, some)
        Of unit norm over the whole run.
    halves : tuple of two ndarrays of float32, shape (rows, some)
        Of unit norm over each half; none where the halves are not asked for or too short.
    """

    whole: NDArray[np.float32]
    halves: tuple[NDArray[np.float32], ...]


class CleanedRun(Protocol):
    """A cleaned run in which seeds can be sampled."""

    @property
    def maps(self) -> SeedMaps:
        """The maps of the seeds themselves."""

    @property
    def drawn(self) -> Array:
        """Further seeds, cleaned: unit norm, shape (rows, seeds); NaN where nothing is left."""

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of the kept frames that lie in each half."""

    def original(self) -> tuple[Array, ...]:
        """Return the seeds of the maps as `Block` has samples: over the whole run and each half."""

    def walk(self, on_block: Callable[[int, slice, Block], None], *, halves: bool) -> int:
        """Call for every block of samples, with its number, from any thread; return how many."""


@dataclass(frozen=True, eq=False)
class StoredSeeds:
    """A run of the store.

    Attributes
    ----------
    stored : StoredRun
        The run.
    maps : SeedMaps
        Maps of seeds of it.
    own, more : sequence of SeedWeights
        These seeds, and further ones.
    """

    stored: StoredRun
    maps: SeedMaps
    own: Sequence[SeedWeights]
    more: Sequence[SeedWeights]

    @cached_property
    def _split(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return split_halves(self.stored.keep, self.stored.t_r)

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of the kept frames that lie in each half."""
        first, second = self._split
        return float(first.mean()), float(second.mean())

    @cached_property
    def _halves(self) -> tuple[Array, ...]:
        return tuple(_few_rows(self.stored.basis[half]) for half in self._split if half.any())

    @cached_property
    def drawn(self) -> Array:
        """The further seeds: unit norm, shape (coordinates, seeds); NaN where nothing is left."""
        firsts = range(0, len(self.more), TOGETHER)
        parts = [self._some(self.more[first : first + TOGETHER]) for first in firsts]
        return np.concatenate(parts, axis=1) if parts else self._some(self.own)[:, :0]

    def _some(self, weights: Sequence[SeedWeights]) -> Array:
        clean, whole, _ = self.stored.extract_seeds(weights)
        size = np.linalg.norm(clean, axis=0)
        size[size <= NOTHING_LEFT * whole] = np.nan
        return clean / size

    def original(self) -> tuple[Array, ...]:
        """Return the seeds of the maps, over the whole run and each half."""
        seeds = self._some(self.own)
        return (seeds, *(_unit(half @ seeds) for half in self._halves))

    def walk(self, on_block: Callable[[int, slice, Block], None], *, halves: bool) -> int:
        """Call for every block of samples, with its number; return how many."""
        over = [half.astype(np.float32) for half in self._halves] if halves else []

        def one(number: int, part: slice) -> None:
            rows = self.stored.smoothed(part).T
            on_block(number, part, Block(rows, tuple(_unit(half @ rows) for half in over)))

        return _numbered(one, self.stored.space.n_samples, 1)


@dataclass(frozen=True, eq=False)
class ImagedSeeds:
    """A run that was read from its images, with further seeds.

    Attributes
    ----------
    prepared : Prepared
        What was prepared.
    extracted : Extracted
        What was read: the samples, and the series of the seeds alone.
    maps : SeedMaps
        The maps of the seeds.
    more : ndarray, shape (kept, seeds)
        Uncleaned series of further seeds.
    """

    prepared: Prepared
    extracted: Extracted
    maps: SeedMaps
    more: Array

    @classmethod
    def of(cls, prepared: Prepared, extracted: Extracted) -> "ImagedSeeds":
        """Map the seeds of a run that was read with further ones: see `seedmap.analysis.read`."""
        own = sum(seed.weights is not None for seed in prepared.seeds)
        sampled, gaps = extracted.seed_series, extracted.seed_gaps
        alone = replace(extracted, seed_series=sampled[:, :own], seed_gaps=gaps[:own])
        return cls(prepared, alone, maps_of(prepared, alone), sampled[:, own:])

    @cached_property
    def _split(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return split_halves(self.prepared.operator.keep, self.prepared.run.timing.t_r)

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of the kept frames that lie in each half."""
        first, second = self._split
        return float(first.mean()), float(second.mean())

    @cached_property
    def _cleaners(self) -> tuple[Cleaner, ...]:
        """What cleans blocks for the whole run and for each half."""
        operator, reference = self.prepared.operator, self.extracted.reference
        halves = [operator.on_kept[half] for half in self._split if half.any()]
        centred = [_few_rows(half - half.mean(axis=0)) for half in halves]
        return (operator.cleaner(reference), *(BlockCleaner(one, reference) for one in centred))

    @cached_property
    def drawn(self) -> Array:
        """The further seeds: unit norm, shape (rows, seeds); NaN where nothing is left."""
        return self._cleaned(self.more, self._cleaners[0])

    def original(self) -> tuple[Array, ...]:
        """Return the seeds of the maps, over the whole run and each half."""
        keep, sampled = self.prepared.operator.keep, iter(self.extracted.seed_series.T)
        raw = np.stack(
            [
                one.seed.values[keep] if isinstance(one.seed, SeriesSeed) else next(sampled)
                for one in self.prepared.seeds
            ],
            axis=1,
        )
        return tuple(self._cleaned(raw, cleaner) for cleaner in self._cleaners)

    def _cleaned(self, raw: Array, cleaner: Cleaner) -> Array:
        return unit_seeds(cleaner.clean_seeds(raw), raw)

    def walk(self, on_block: Callable[[int, slice, Block], None], *, halves: bool) -> int:
        """Call for every block of samples, with its number, from any thread; return how many."""
        series, unusable = self.extracted.series, self.extracted.unusable
        cleaners = self._cleaners if halves else self._cleaners[:1]

        def one(number: int, part: slice) -> None:
            raw = series[:, part]
            least = NOTHING_LEFT * np.sqrt(np.einsum("ij,ij->j", raw, raw))
            least[unusable[part]] = np.inf
            cleaned = [_unit(cleaner.clean(part, raw), least) for cleaner in cleaners]
            on_block(number, part, Block(cleaned[0], tuple(cleaned[1:])))

        return _numbered(one, series.shape[1], self.prepared.limits.threads)


def read_with(  # noqa: PLR0913  as `map_run`, and what is read beside the seeds
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method,
    limits: Limits,
    more: Callable[[tuple[PlacedSeed, ...], Space], Sequence[SeedWeights]],
    *,
    progress: Callable[[int, int], None] | None = None,
    on_ready: Callable[[Preflight], None] | None = None,
) -> ImagedSeeds:
    """Read and map a run as `seedmap.analysis.map_run` does, with further seeds.

    These are what ``more`` returns for the seeds and the space with its mask, so that the mask is
    found before the run is read.
    """
    prepared = prepare(inputs, seeds, method, limits)
    if on_ready is not None:
        on_ready(prepared.preflight())
    for note in prepared.notes:
        warnings.warn(note, SeedmapWarning, stacklevel=4)
    mask = certain_mask(prepared.run, prepared.keep) if prepared.mask is None else prepared.mask
    prepared = replace(prepared, mask=mask)
    weights = more(prepared.seeds, prepared.run.space.within(mask))
    return ImagedSeeds.of(prepared, read(prepared, progress, more=weights))


def _numbered(work: Callable[[int, slice], None], samples: int, n_jobs: int) -> int:
    """Call for every block of samples with its number; return how many there are."""
    parts: list[slice] = []
    in_blocks(parts.append, samples)
    numbers = {part.start: number for number, part in enumerate(parts)}
    in_blocks(lambda part: work(numbers[part.start], part), samples, n_jobs)
    return len(parts)


def _few_rows(centred: Array) -> Array:
    """Return fewer rows that have the same inner products as those of a matrix (rows, columns)."""
    _, size, right = np.linalg.svd(centred, full_matrices=False)
    used = size > NEGLIGIBLE * size.max(initial=0.0)
    found: Array = size[used, None] * right[used]
    return found


def _unit(series: Array, least: Array | float = 0.0) -> Array:
    """Give columns unit norm; NaN where a norm is no more than ``least``."""
    size = np.sqrt(np.einsum("ij,ij->j", series, series))
    return series / np.where(size > least, size, np.nan).astype(series.dtype)
