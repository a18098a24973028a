"""How sure the maps are: degrees of freedom gathered while the run is cleaned block by block.

Only the degrees of freedom of each correlation are kept; standard error, z, p and q follow from
them and from r whenever they are asked for.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.options import Uncertainty
from seedmap.connectivity import (
    Inference,
    NoiseTables,
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
from seedmap.errors import SeedmapWarning
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = [
    "FEW_DOF",
    "Certainty",
    "ErrorBars",
    "warn_of_few_dof",
]

# Below this, a z rests on a variance that is itself poorly known.
FEW_DOF = 10.0
# Lags of the noise that are reported.
REPORTED_LAGS = 10


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

    def of(self, seeds: slice) -> "Certainty":
        """Return what is known of some of the seeds."""
        tested = None if self.tested is None else self.tested[seeds]
        return replace(self, dof=self.dof[seeds], tested=tested)

    def infer(self, r: Array, seed: int) -> Inference:
        """Test the correlations (samples,) of one seed against none."""
        r = r if self.tested is None else self.tested[seed]
        if self.method == "operator":
            return infer(r, self.dof[seed], self.rank)
        with np.errstate(invalid="ignore", divide="ignore"):
            return infer_from_se(r, 1 / np.sqrt(self.dof[seed].astype(np.float64) - 2))


class ErrorBars:
    """Degrees of freedom of every seed with every sample: how sure the maps of a run are.

    Works as a measure does: see `seedmap.analysis.measures`. Seeds that are taken together are
    estimated each with the others regressed out. A new kind of error bar is one more class beside
    `ByOperator`, an entry of `KINDS` and a name in `seedmap.analysis.options.Uncertainty`.
    """

    def __init__(
        self, kind: Uncertainty, operator: CleaningOperator, t_r: float | None, *, joint: bool
    ) -> None:
        self._kind, self._operator, self._t_r, self._joint = kind, operator, t_r, joint

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Take the uncleaned seeds (kept, seeds), and what was subtracted from each sample."""
        seeds = raw_seeds.shape[1]
        self._dof = np.empty((seeds, reference.size), dtype=np.float32)
        alone = [slice(seed, seed + 1) for seed in range(seeds)]
        self._each: list[Naive] = []
        for group in alone if self._joint else [slice(0, seeds)]:
            others = np.delete(raw_seeds, group, axis=1)
            operator = self._operator.without(others)
            tables = noise_tables(operator, self._t_r)
            one = KINDS[self._kind](operator, tables, self._dof[group], others.shape[1])
            one.begin(raw_seeds[:, group], reference)
            self._each.append(one)
        if self._kind == "xdf":
            warn_where_xdf_misleads(len(self._operator.L), self._each[0].tables.rank)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Take the uncleaned series (kept, block) of some samples."""
        for one in self._each:
            one.block(part, raw)

    def end(self, tested: NDArray[np.float32] | None, few: NDArray[np.float32]) -> Certainty:
        """Give what is known.

        Parameters
        ----------
        tested
            See `Certainty`.
        few
            Uncleaned series of a few samples, (kept, few), from which the autocorrelation of the
            noise is reported.
        """
        return Certainty(
            method=self._kind,
            dof=self._dof,
            rank=min(one.tables.rank for one in self._each),
            white_dof=min(one.tables.white_dof for one in self._each),
            noise_autocorrelation=_autocorrelation(self._each[0], few),
            tested=tested,
        )


class Naive:
    """As if frames were independent.

    Parameters
    ----------
    operator
        The cleaning.
    tables
        What follows from it for noise.
    dof
        Where the degrees of freedom are put, shape (seeds, samples).
    removed
        Series that the cleaning removes beside trend and confounds.
    """

    def __init__(
        self,
        operator: CleaningOperator,
        tables: NoiseTables,
        dof: NDArray[np.float32],
        removed: int,
    ) -> None:
        self.operator, self.tables, self.dof, self.removed = operator, tables, dof, removed

    def begin(self, raw_seeds: Array, reference: Array) -> None:  # noqa: ARG002  for the others
        """Count the frames."""
        self.dof[:] = infer_naively(0.0, len(self.operator.L) - self.removed).dof

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Nothing is needed of the samples."""


class ByOperator(Naive):
    """Follows the noise of every sample through the cleaning: see `seedmap.connectivity.noise`."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:  # noqa: ARG002  for the others
        """Estimate the noise of the seeds."""
        residuals = self.operator.residuals(raw_seeds - raw_seeds[:1])
        self._kernels = seed_kernels(self.tables, residuals)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Estimate the degrees of freedom of a block."""
        self.dof[:, part] = effective_dof(self._kernels, self.operator.residuals(raw))


class ByXdf(Naive):
    """Variance from the auto- and cross-correlations: see `seedmap.connectivity.xdf`."""

    def begin(self, raw_seeds: Array, reference: Array) -> None:
        """Clean the seeds."""
        self._cleaner = BlockCleaner(self.operator.on_kept, reference)
        self._seeds = self._cleaner.clean_seeds(raw_seeds)

    def block(self, part: slice, raw: NDArray[np.float32]) -> None:
        """Estimate the degrees of freedom of a block."""
        cleaned = self._cleaner.clean(part, raw)
        for row, seed in zip(self.dof, self._seeds.T, strict=True):
            row[part] = infer_by_xdf(seed, cleaned).dof


KINDS: dict[Uncertainty, type[Naive]] = {"operator": ByOperator, "xdf": ByXdf, "naive": Naive}


def _autocorrelation(one: Naive, series: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the median noise autocorrelation of a few uncleaned series, from lag 1 on."""
    noise = noise_autocovariance(one.tables, one.operator.residuals(series))
    with np.errstate(invalid="ignore", divide="ignore"):
        lags = np.nanmedian(noise[1 : REPORTED_LAGS + 1] / noise[:1], axis=1)
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
