"""From a partial correlation to what samples are compared by, with their own degrees of freedom.

Every statistic comes as a partial correlation r (for an F its square root of the explained share,
0 or more). Where all samples have the same degrees of freedom, comparing r is comparing t. Where
people are absent in some samples, they are compared by normal scores: else samples with few people
rule the maximum. Wallace's formula for t and Paulson's for F cost one logarithm or cube root.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import NDArray

__all__ = ["Scores"]

Floats = NDArray[np.floating]

# r of 1 would be an infinite t; float32 has few numbers between this and 1.
LARGEST = np.float32(1 - 1e-6)


@dataclass(frozen=True, eq=False)
class Scores:
    """How r of each sample is compared.

    Attributes
    ----------
    dof : ndarray of float64, shape (samples,)
        Residual degrees of freedom; where it is not finite the sample is not tested.
    q : int
        Directions tested together.

    References
    ----------
    Wallace (1959), doi:10.1214/aoms/1177706100; Paulson (1942), doi:10.1214/aoms/1177731608.
    """

    dof: NDArray[np.float64]
    q: int = 1

    @cached_property
    def tested(self) -> NDArray[np.bool_]:
        """Samples that are tested."""
        return np.isfinite(self.dof)

    @cached_property
    def common(self) -> float | None:
        """The degrees of freedom of all tested samples, or None if they differ."""
        dof = self.dof[self.tested]
        return float(dof[0]) if dof.size and (dof == dof[0]).all() else None

    @property
    def kind(self) -> str:
        """What maps and maxima are: ``"t"``, ``"root F"`` or ``"z"``."""
        if self.common is None:
            return "z"
        return "t" if self.q == 1 else "root F"

    def of(self, r: Floats, dof: Floats | float | None = None) -> Floats:
        """Return t, the square root of F, or z (see `kind`), with the sign of r.

        Parameters
        ----------
        r
            Shape (..., samples).
        dof
            Of these samples; by default the common one or that of all samples.
        """
        common = self.common
        inside = np.clip(r, -LARGEST, LARGEST)
        squared = inside * inside
        if common is not None:
            return inside * np.sqrt(np.asarray(common / self.q, r.dtype) / (1 - squared))
        given = self.dof if dof is None else dof
        nu = np.where(np.isfinite(given), given, 1).astype(r.dtype)
        if self.q == 1:
            factor = (8 * nu + 1) / (8 * nu + 3) * np.sqrt(nu)
            return np.copysign(factor * np.sqrt(-np.log1p(-squared)), r)
        return self._paulson(squared * nu / (self.q * (1 - squared)), nu)

    def r_of(self, score: float) -> float:
        """Return the r of a score, where all samples have the same degrees of freedom."""
        assert self.common is not None
        return float(np.sqrt(score**2 / (score**2 + self.common / self.q)))

    def threshold(self, p: float) -> float:
        """Return the score beyond which p of a sample is below ``p`` (two-sided, or of F)."""
        common, tail = self.common, p / 2 if self.q == 1 else p
        if common is None:
            return float(-scipy.special.ndtri(tail))
        if self.q == 1:
            return float(-scipy.special.stdtrit(common, tail))
        return float(np.sqrt(scipy.special.fdtri(self.q, common, 1 - tail)))

    def _paulson(self, f: Floats, nu: Floats) -> Floats:
        """Return the normal score of F; the lower half, which no test looks at, is 0."""
        root, a, b = np.cbrt(f), 2 / (9 * nu), 2 / (9 * self.q)
        z = ((1 - a) * root - (1 - b)) / np.sqrt(a * root * root + b)
        return np.maximum(z, 0).astype(f.dtype)
