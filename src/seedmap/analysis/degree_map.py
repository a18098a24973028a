"""`Degree`: the map of the global standardised signal, and how much of the seeds' maps it explains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Degree"]


@dataclass(frozen=True, eq=False)
class Degree:
    """The mean correlation of each sample with all samples, and what it explains of the maps.

    Attributes
    ----------
    values : ndarray of float32, shape (samples,)
        Mean correlation of a sample's cleaned series with those of all samples, itself among them:
        weighted degree, or global brain connectivity. NaN where a sample is constant or not finite.
    norm : float
        Norm of the mean of all samples' series of unit norm; the mean of ``values`` is its square.
    r2 : dict of str to float
        For each seed the share of the variance of atanh(r) away from the seed that degree explains.
    random : dict of str to tuple of float
        For each seed 5, 50 and 95 % of the same share of 300 spheres of its size at random places;
        NaN where its size is not known.
    """

    values: NDArray[np.float32]
    norm: float
    r2: Mapping[str, float]
    random: Mapping[str, tuple[float, ...]]

    @property
    def spread(self) -> float:
        """Standard deviation of the map over samples."""
        return float(np.nanstd(self.values))

    def entries(self, seed: str) -> dict[str, Any]:
        """Say in a sidecar how much of a seed's map degree explains."""
        shares = zip(("0.05", "0.5", "0.95"), self.random[seed], strict=True)
        return {
            "DegreeR2": _short(self.r2[seed]),
            "DegreeR2Random": {name: _short(value) for name, value in shares},
            "DegreeMean": _short(self.norm**2),
        }


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
