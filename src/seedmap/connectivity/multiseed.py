"""What each of several seeds adds: partial and semipartial correlation, multiple regression.

All come from the bivariate correlations c of seeds with samples and the correlations G of the
seeds with each other (their Gram matrix), without touching the series again. With P = G^-1 and
its diagonal d:

    standardised regression   B = P c            variance explained  R2 = sum_j c_j B_j
    semipartial_j = B_j / sqrt(d_j)              partial_j = B_j / sqrt(d_j (1 - R2) + B_j^2)

A partial correlation is the correlation after the other seeds joined the confounds. So its
degrees of freedom come from the same tables as any other's, made for the cleaning that
`CleaningOperator.without` gives; they hold for the semipartial correlation and for the regression weight too, for
all three are zero together and share the t of the partial correlation.

References
----------
Marrelec et al. (2006), doi:10.1016/j.neuroimage.2005.12.057 (partial correlation in fMRI).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import ROUNDING, Array
from seedmap.errors import SeedError, SeedmapWarning

__all__ = [
    "SeedGram",
    "explained",
    "in_data_units",
    "partial",
    "regression",
    "seed_gram",
    "semipartial",
]

# Below this share of the largest eigenvalue of G, one seed is a sum of the others.
SAME = 1e-8
# Custom in regression: a weight's variance is five times what it would be alone.
LARGEST_VIF = 5.0
LARGEST_CONDITION = 30.0


@dataclass(frozen=True, eq=False)
class SeedGram:
    """How the seeds of a run resemble each other; built by `seed_gram`."""

    names: tuple[str, ...]
    """Names of the seeds."""

    correlation: NDArray[np.float64]
    """G, correlations of the cleaned seeds, shape (seeds, seeds)."""

    inverse: NDArray[np.float64]
    """P = G^-1, shape (seeds, seeds)."""

    sizes: NDArray[np.float64]
    """Standard deviation (ddof=1) of each cleaned seed, shape (seeds,), in the data's unit."""

    @property
    def vif(self) -> NDArray[np.float64]:
        """Variance inflation factor of each seed, 1 or more; 1 if it resembles no other."""
        return np.diagonal(self.inverse)

    @property
    def condition(self) -> float:
        """Condition number of G."""
        return float(np.linalg.cond(self.correlation))


def seed_gram(seed_series: Array, names: Sequence[str]) -> SeedGram:
    """Correlate the seeds of a run with each other.

    Parameters
    ----------
    seed_series
        Cleaned seeds, shape (frames, seeds).
    names
        One name a seed.

    Returns
    -------
    SeedGram

    Raises
    ------
    SeedError
        If a seed is constant, or is a sum of others, so that what it adds has no meaning.

    Warns
    -----
    SeedmapWarning
        If seeds resemble each other so much (VIF above 5, condition number above 30) that
        their weights are poorly known.
    """
    centred = seed_series - seed_series.mean(axis=0, dtype=np.float64)
    size = np.linalg.norm(centred, axis=0)
    flat = size <= ROUNDING * np.linalg.norm(np.asarray(seed_series, dtype=np.float64), axis=0)
    if flat.any():
        msg = (
            f"nothing is left of {_listed(names, flat)} after cleaning; seeds of a joint analysis "
            "must vary; leave it out"
        )
        raise SeedError(msg)
    unit = centred / size
    gram = unit.T @ unit
    _refuse_sums(gram, names)
    made = SeedGram(tuple(names), gram, np.linalg.inv(gram), size / np.sqrt(len(unit) - 1))
    _warn_where_alike(made)
    return made


def regression(gram: SeedGram, r: Array) -> Array:
    """Regress each sample on all seeds at once.

    Parameters
    ----------
    gram
        The seeds.
    r
        Correlations of seeds with samples, shape (seeds, samples).

    Returns
    -------
    ndarray, shape (seeds, samples)
        Standardised weights: standard deviations of the sample for one of the seed. See
        `in_data_units`. NaN where r is NaN.
    """
    return gram.inverse @ np.asarray(r, dtype=np.float64)


def explained(gram: SeedGram, r: Array) -> Array:
    """Give the share of each sample's variance that the seeds explain together.

    Parameters
    ----------
    gram
        The seeds.
    r
        Correlations of seeds with samples, shape (seeds, samples).

    Returns
    -------
    ndarray, shape (samples,)
        R squared, 0 to 1. NaN where r is NaN.
    """
    return np.clip(np.sum(r * regression(gram, r), axis=0), 0.0, 1.0)


def semipartial(gram: SeedGram, r: Array) -> Array:
    """Correlate samples with what is each seed's own, the other seeds taken out of it.

    Parameters
    ----------
    gram
        The seeds.
    r
        Correlations of seeds with samples, shape (seeds, samples).

    Returns
    -------
    ndarray, shape (seeds, samples)
        Its square is what the seed adds to the variance explained by the others. NaN where r
        is NaN.
    """
    return np.clip(regression(gram, r) / np.sqrt(gram.vif)[:, None], -1.0, 1.0)


def partial(gram: SeedGram, r: Array) -> Array:
    """Correlate seeds with samples, the other seeds taken out of both.

    Parameters
    ----------
    gram
        The seeds.
    r
        Correlations of seeds with samples, shape (seeds, samples).

    Returns
    -------
    ndarray, shape (seeds, samples)
        NaN where r is NaN, and where the other seeds leave nothing of a sample.
    """
    weights = regression(gram, r)
    unexplained = 1 - explained(gram, r)
    with np.errstate(invalid="ignore"):
        whole = np.sqrt(gram.vif[:, None] * unexplained + weights**2)
        return np.clip(weights / whole, -1.0, 1.0)


def in_data_units(gram: SeedGram, standardised: Array, sample_sizes: Array) -> Array:
    """Express regression weights in the data's unit over the seeds' unit.

    Parameters
    ----------
    gram
        The seeds.
    standardised
        Weights of `regression`, shape (seeds, samples); or r itself, which gives the weights of
        one regression for each seed alone.
    sample_sizes
        Standard deviation (ddof=1) of each cleaned sample, shape (samples,).

    Returns
    -------
    ndarray, shape (seeds, samples)
    """
    return standardised * sample_sizes / gram.sizes[:, None]


def _refuse_sums(gram: Array, names: Sequence[str]) -> None:
    """Refuse seeds that are sums of each other, naming those that take part."""
    values, vectors = np.linalg.eigh(gram)
    if values[0] > SAME * values[-1]:
        return
    part = np.abs(vectors[:, 0])
    involved = part > 1e-3 * part.max()
    msg = (
        f"the series of {_listed(names, involved)} are sums of each other, so what each adds "
        "cannot be estimated; leave one of them out"
    )
    raise SeedError(msg)


def _warn_where_alike(gram: SeedGram) -> None:
    """Warn where weights are poorly known, naming the seeds."""
    alike = gram.vif > LARGEST_VIF
    if alike.any():
        found = f"{_listed(gram.names, alike)} resemble other seeds (VIF up to {gram.vif.max():.1f}"
    elif gram.condition > LARGEST_CONDITION:
        found = f"the seeds resemble each other (condition number {gram.condition:.0f}"
    else:
        return
    msg = (
        f"{found}; up to {LARGEST_VIF:.0f} and {LARGEST_CONDITION:.0f} are usual), so their "
        "partial correlations are poorly known; leave one out or average them"
    )
    warnings.warn(msg, SeedmapWarning, stacklevel=3)


def _listed(names: Sequence[str], chosen: NDArray[np.bool_]) -> str:
    """Quote the chosen names: seeds 'a', 'b' and 'c'."""
    quoted = [repr(name) for name, one in zip(names, chosen, strict=True) if one]
    if len(quoted) == 1:
        return f"seed {quoted[0]}"
    return f"seeds {', '.join(quoted[:-1])} and {quoted[-1]}"
