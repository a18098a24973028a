"""Family-wise error over the maps of one run: null seeds are mapped beside the real ones.

See `seedmap.connectivity.familywise` for what a null seed is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, Array
from seedmap.clusters import extents
from seedmap.connectivity import (
    NullMaps,
    draw_noise,
    noise_autocovariance,
    noise_tables,
    run_variance,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.correlation import unit_seeds
from seedmap.images import Space
from seedmap.spatial import adjacency, can_cluster
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = ["FamilyWise", "NullSeeds"]

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class FamilyWise:
    """The largest values of the maps of null seeds.

    Attributes
    ----------
    forming : float
        |z| beyond which samples belong to clusters.
    largest_z : ndarray of float32, shape (seeds, draws)
        Largest |z| of each null map.
    largest_cluster : ndarray of float64, shape (seeds, draws), or None
        Size of its largest cluster, as `seedmap.clusters.extents` counts; None where it is not
        known which samples are adjacent.
    """

    forming: float
    largest_z: NDArray[np.float32]
    largest_cluster: NDArray[np.float64] | None

    def of(self, seeds: slice) -> "FamilyWise":
        """Return those of some of the seeds."""
        clusters = None if self.largest_cluster is None else self.largest_cluster[seeds]
        return replace(self, largest_z=self.largest_z[seeds], largest_cluster=clusters)

    def entries(self, seed: int) -> dict[str, Any]:
        """Say in a sidecar how many null seeds there were, and what is significant."""
        z = float(np.quantile(self.largest_z[seed], 1 - LEVEL))
        entries: dict[str, Any] = {
            "NullSeeds": self.largest_z.shape[1],
            "LargestNullZ": round(z, 4),
        }
        if self.largest_cluster is not None:
            size = float(np.quantile(self.largest_cluster[seed], 1 - LEVEL))
            entries |= {"ClusterFormingZ": self.forming, "LargestNullCluster": round(size, 3)}
        return entries


class NullSeeds:
    """Maps null seeds while the run is cleaned block by block; works as a measure does.

    Parameters
    ----------
    operator
        The cleaning.
    series
        Uncleaned run, shape (kept, samples).
    draws
        Null seeds of each seed.
    forming
        |z| beyond which samples belong to clusters.
    joint
        Whether each seed is mapped with the others regressed out.
    """

    def __init__(
        self,
        operator: CleaningOperator,
        series: NDArray[np.float32],
        draws: int,
        forming: float,
        *,
        joint: bool,
    ) -> None:
        self._operator, self._series = operator, series
        self._draws, self._forming, self._joint = draws, forming, joint

    def begin(self, raw_seeds: Array, reference: Array, near: Sequence[NDArray[np.int64]]) -> None:
        """Draw the null seeds: those of a seed are the same whatever the other seeds are.

        Parameters
        ----------
        raw_seeds
            Uncleaned seeds, shape (kept, seeds).
        reference
            What was subtracted from each sample.
        near
            For each seed the samples that are not looked at.
        """
        self._each: list[tuple[CleaningOperator, BlockCleaner, NullMaps]] = []
        for seed, nearby in enumerate(near):
            others = np.delete(raw_seeds, seed, axis=1) if self._joint else raw_seeds[:, :0]
            operator = self._operator.without(others)
            searched = np.ones(reference.size, dtype=bool)
            searched[nearby] = False
            maps = self._null_maps(operator, raw_seeds[:, [seed]], searched)
            self._each.append((operator, BlockCleaner(operator.rows, reference), maps))

    def _null_maps(
        self, operator: CleaningOperator, raw: Array, searched: NDArray[np.bool_]
    ) -> NullMaps:
        """Draw the null seeds of one seed, shape (kept, 1), and clean them."""
        tables = noise_tables(operator, run_variance(operator, self._series), intervals=False)
        noise = noise_autocovariance(tables, operator.residuals(raw - raw[:1]))
        drawn = draw_noise(np.random.default_rng(0), tables, np.repeat(noise, self._draws, axis=1))
        kernels = seed_kernels(tables, seed_lags(tables, operator.rows, drawn))
        seeds = unit_seeds(operator.rows @ drawn, drawn).astype(np.float32)
        return NullMaps(seeds, kernels, self._forming, searched)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Map a block of uncleaned samples (kept, block)."""
        for operator, cleaner, maps in self._each:
            cleaned = cleaner.clean(part, raw)
            size = np.sqrt(np.einsum("ij,ij->j", cleaned, cleaned))
            size[size <= NOTHING_LEFT * np.sqrt(np.einsum("ij,ij->j", raw, raw))] = np.nan
            maps.add(part, cleaned / size, operator.residuals(raw))

    def end(self, space: Space) -> FamilyWise:
        """Give the largest values; ``space`` says which samples are adjacent."""
        largest = None
        if can_cluster(space):
            found = adjacency(space)
            largest = np.stack(
                [maps.largest_clusters(*found.csr, extents(found)) for *_, maps in self._each]
            )
        return FamilyWise(
            self._forming, np.stack([maps.largest_z for *_, maps in self._each]), largest
        )
