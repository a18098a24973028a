"""Which samples touch and how large they are: what clusters and TFCE need of a space."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Graph"]


@dataclass(frozen=True, eq=False)
class Graph:
    """Neighbours of each sample, in compressed rows.

    Attributes
    ----------
    indptr, indices : ndarray of int32, shapes (samples + 1,) and (pairs,)
        Neighbours of sample i are ``indices[indptr[i]:indptr[i + 1]]``; each pair stands twice.
    sizes : ndarray of float64, shape (samples,)
        1 for voxels; mm^2 for vertices.
    kinds : ndarray of uint8, shape (samples,)
        Samples of different kinds (surface, voxels) never touch and their sizes have other units.
    extent_powers : tuple of float
        E of TFCE for each kind: 0.5 in volumes, 1 on surfaces.
    height_power : float
        H of TFCE.
    """

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    sizes: NDArray[np.float64]
    kinds: NDArray[np.uint8]
    extent_powers: tuple[float, ...] = (0.5,)
    height_power: float = 2.0

    @classmethod
    def of(
        cls,
        indptr: ArrayLike,
        indices: ArrayLike,
        sizes: ArrayLike | None = None,
        kinds: ArrayLike | None = None,
        extent_powers: tuple[float, ...] = (0.5,),
    ) -> "Graph":
        """Make a graph of arrays; by default all samples are of size 1 and of one kind."""
        samples = len(np.asarray(indptr)) - 1
        return cls(
            np.asarray(indptr, dtype=np.int32),
            np.asarray(indices, dtype=np.int32),
            np.ones(samples) if sizes is None else np.asarray(sizes, dtype=np.float64),
            np.zeros(samples, np.uint8) if kinds is None else np.asarray(kinds, dtype=np.uint8),
            extent_powers,
        )

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.sizes.size

    @cached_property
    def n_kinds(self) -> int:
        """Number of kinds."""
        return len(self.extent_powers)

    @cached_property
    def table(self) -> NDArray[np.int32]:
        """Neighbours of each sample in one row, filled up with the number of samples."""
        degree = np.diff(self.indptr)
        table = np.full((self.samples, max(1, degree.max(initial=0))), self.samples, np.int32)
        table[np.arange(table.shape[1]) < degree[:, None]] = self.indices
        return table
