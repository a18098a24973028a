"""How sure the maps are: degrees of freedom gathered while the run is cleaned block by block.

Only the degrees of freedom of each correlation are kept; standard error, z, p and q follow from
them and from r whenever they are asked for.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.options import Uncertainty
from seedmap.connectivity import (
    Inference,
    effective_dof,
    infer,
    infer_by_xdf,
    infer_from_se,
    infer_naively,
    noise_autocovariance,
    noise_tables,
    seed_kernels,
    warn_where_xdf_misleads,
)
from seedmap.connectivity.correlation import OnBlock
from seedmap.errors import SeedmapWarning
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = [
    "FEW_DOF",
    "Certainty",
    "Estimator",
    "estimators",
    "noise_told",
    "warn_of_few_dof",
]

# Below this, a z rests on a variance that is itself poorly known.
FEW_DOF = 10.0
# Lags of the noise that are told, and samples that they are averaged over.
TOLD_LAGS = 10


@dataclass(frozen=True, eq=False)
class Certainty:
    """What is known of how sure the maps of a run are.

    Attributes
    ----------
    method : str
        ``"operator"``, ``"xdf"`` or ``"naive"``.
    dof : ndarray of float32, shape (seeds, samples)
        Effective degrees of freedom as estimated; see `seedmap.connectivity.infer`.
    rank : int
        Directions that the cleaning leaves.
    white_dof : float
        Effective degrees of freedom if the noise of the run were white.
    noise_autocorrelation : tuple of float
        Median over samples, lags 1, 2, ... frames; empty where it was not estimated.
    tested : ndarray of float32, shape (seeds, samples), or None
        The correlation that is tested where it is not the map's own r: the partial correlation
        stands for the semipartial one.
    """

    method: str
    dof: NDArray[np.float32]
    rank: int
    white_dof: float
    noise_autocorrelation: tuple[float, ...]
    tested: NDArray[np.float32] | None = None

    def infer(self, r: Array, seed: int) -> Inference:
        """Test the correlations (samples,) of one seed against none."""
        r = r if self.tested is None else self.tested[seed]
        if self.method == "operator":
            return infer(r, self.dof[seed], self.rank)
        with np.errstate(invalid="ignore", divide="ignore"):
            return infer_from_se(r, 1 / np.sqrt(self.dof[seed].astype(np.float64) - 2))


class Estimator:
    """Estimates the degrees of freedom of every seed with the samples of each block.

    ``taken`` counts series that the cleaning takes away beside trend and confounds.
    """

    def __init__(
        self, method: Uncertainty, operator: CleaningOperator, t_r: float | None, taken: int = 0
    ) -> None:
        self._method, self.operator, self._taken = method, operator, taken
        self.tables = noise_tables(operator, t_r)

    def listen(self, raw_seeds: Array, dof: NDArray[np.float32], reference: Array) -> OnBlock:
        """Return what fills ``dof`` (seeds, samples) block by block."""
        match self._method:
            case "operator":
                return self._by_operator(raw_seeds, dof)
            case "xdf":
                return self._xdf(raw_seeds, dof, reference)
            case "naive":
                dof[:] = infer_naively(0.0, len(self.operator.L) - self._taken).dof
                return lambda _part, _raw: None

    def _by_operator(self, raw_seeds: Array, dof: NDArray[np.float32]) -> OnBlock:
        kernels = seed_kernels(self.tables, self.operator.residuals(raw_seeds - raw_seeds[:1]))

        def on_block(part: slice, raw: NDArray[np.float32]) -> None:
            dof[:, part] = effective_dof(kernels, self.operator.residuals(raw))

        return on_block

    def _xdf(self, raw_seeds: Array, dof: NDArray[np.float32], reference: Array) -> OnBlock:
        cleaner = BlockCleaner(self.operator.on_kept, reference)
        cleaned_seeds = cleaner.clean_seeds(raw_seeds)

        def on_block(part: slice, raw: NDArray[np.float32]) -> None:
            cleaned = cleaner.clean(part, raw)
            for row, seed in zip(dof, cleaned_seeds.T, strict=True):
                row[part] = infer_by_xdf(seed, cleaned).dof

        return on_block


def estimators(
    method: Uncertainty, operators: Sequence[CleaningOperator], t_r: float | None
) -> tuple[Estimator, ...]:
    """Prepare the cleaning of all seeds together, or of each seed with the others taken out."""
    found = tuple(Estimator(method, one, t_r, taken=len(operators) - 1) for one in operators)
    if method == "xdf":
        warn_where_xdf_misleads(len(operators[0].L), found[0].tables.rank)
    return found


def noise_told(estimator: Estimator, series: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the median noise autocorrelation of a few uncleaned series, from lag 1 on."""
    noise = noise_autocovariance(estimator.tables, estimator.operator.residuals(series))
    with np.errstate(invalid="ignore", divide="ignore"):
        lags = np.nanmedian(noise[1 : TOLD_LAGS + 1] / noise[:1], axis=1)
    return tuple(round(float(lag), 4) for lag in lags)


def warn_of_few_dof(certainty: Certainty, seeds: Sequence[str]) -> None:
    """Warn where correlations rest on fewer than ten effective degrees of freedom."""
    for name, dof in zip(seeds, certainty.dof, strict=True):
        few = np.count_nonzero(dof < FEW_DOF)
        if few > dof.size / 100:
            msg = (
                f"seed {name!r}: {few / dof.size:.0%} of its correlations rest on fewer than "
                f"{FEW_DOF:.0f} effective degrees of freedom; their z and p are rough. A longer run, "
                "fewer confounds or a wider band gives more"
            )
            warnings.warn(msg, SeedmapWarning, stacklevel=4)
