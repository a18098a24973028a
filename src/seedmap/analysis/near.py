"""What is near each seed, found when it is asked for: maps of r alone never ask."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.analysis.options import FWHM
from seedmap.images import Space
from seedmap.seeds import PlacedSeed
from seedmap.spatial import neighbourhood

__all__ = ["Neighbourhoods", "near_each"]


class Neighbourhoods(Sequence[NDArray[np.int64]]):
    """The samples around each of several seeds, ascending; found at the first look and kept.

    Parameters
    ----------
    space
        Where the samples lie.
    voxels
        Each seed's places, as flat positions in the space, C order. Near none is nothing.
    reach
        Distance [mm], as for `seedmap.spatial.neighbourhood`.
    """

    def __init__(self, space: Space, voxels: Sequence[NDArray[np.int64]], reach: float) -> None:
        self._space, self._voxels, self._reach = space, tuple(voxels), reach
        self._found: dict[int, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self._voxels)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(len(self))[at])
        which = range(len(self))[at]
        if which not in self._found:
            self._found[which] = self._find(self._voxels[which])
        return self._found[which]

    def _find(self, voxels: NDArray[np.int64]) -> NDArray[np.int64]:
        if not voxels.size:
            return np.empty(0, dtype=np.int64)
        return neighbourhood(self._space, voxels, self._reach)


def near_each(seeds: Sequence[PlacedSeed], space: Space, smoothing_fwhm: FWHM) -> Neighbourhoods:
    """List each seed's own neighbourhood: its voxels and one smoothing width around them."""
    widths = smoothing_fwhm if isinstance(smoothing_fwhm, Sequence) else [smoothing_fwhm]
    reach = max((width or 0.0 for width in widths), default=0.0)
    return Neighbourhoods(space, [seed.voxels for seed in seeds], float(reach))
