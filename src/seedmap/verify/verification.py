"""The steps of a verification: the user's run, nulls like it, planted signals, nilearn's r."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seedmap._arrays import Array, middle
from seedmap.analysis import Inputs, Limits, Method, Prepared, SeedMaps, maps_of, prepare, read
from seedmap.connectivity import (
    NoiseTables,
    critical_r,
    noise_autocovariance,
    noise_tables,
    run_variance,
)
from seedmap.errors import OptionError, TooFewFrames
from seedmap.seeds import AnySeed, SeriesSeed
from seedmap.spatial import Extracted
from seedmap.verify.halves import Halves, compare_halves
from seedmap.verify.parity import Parity, compare_with_nilearn
from seedmap.verify.simulation import LEVELS, Planted, Rates, null_rates, planted

__all__ = ["MOST_FALSE", "Smallest", "Verification", "verify_run"]

VOXELS = 2000  # whose noise the nulls take after
RHO = 0.4
FEWEST_PAIRS = 100
# Beyond these a run's z, p and intervals are not to be believed: the false positives at p < .05
# (the lower end of their interval), the coverage of 95 % intervals where correlations are planted,
# and the difference of the halves in standard errors.
MOST_FALSE, LEAST_COVERED, MOST_ERROR = 0.062, 0.88, 1.3


@dataclass(frozen=True)
class Smallest:
    """The weakest correlation of a seed that is called significant.

    Attributes
    ----------
    seed : str
        Name of the seed.
    dof : float
        Median effective degrees of freedom of its map.
    r : dict of float to float
        For each level the smallest significant ``|r|`` at these degrees of freedom.
    naive : dict of float to float
        The same if every frame counted.
    """

    seed: str
    dof: float
    r: dict[float, float]
    naive: dict[float, float]


@dataclass(frozen=True, eq=False)
class Verification:
    """What `verify_run` found.

    Attributes
    ----------
    maps : SeedMaps
        The maps of the run.
    rates : tuple of Rates
        How naive, xDF and our test do on null pairs like this run's.
    planted : Planted
        What our test makes of a planted correlation.
    smallest : tuple of Smallest
        One a seed.
    parity : Parity
        How far r is from nilearn's.
    halves : Halves
        How the two halves of the run differ, in standard errors.
    """

    maps: SeedMaps
    rates: tuple[Rates, ...]
    planted: Planted
    smallest: tuple[Smallest, ...]
    parity: Parity
    halves: Halves

    @property
    def checks(self) -> dict[str, bool]:
        """What was checked, in a few words, and whether it held."""
        (ours,) = (one for one in self.rates if one.method == "operator")
        checks = {
            f"false positives at most {MOST_FALSE:.1%}": ours.rates[LEVELS[0]][1] <= MOST_FALSE,
            f"95 % intervals hold in {LEAST_COVERED:.0%} or more": self.planted.covered
            >= LEAST_COVERED,
            f"the halves differ by at most {MOST_ERROR:g} standard errors": not (
                self.halves.error > MOST_ERROR
            ),
        }
        if self.parity.samples:
            checks["r is nilearn's"] = self.parity.same
        return checks

    @property
    def passed(self) -> bool:
        """Whether everything that was checked held."""
        return all(self.checks.values())


def verify_run(
    inputs: Inputs,
    seeds: AnySeed | Sequence[AnySeed],
    method: Method = Method(),
    limits: Limits = Limits(),
    *,
    pairs: int = 10_000,
    rng: np.random.Generator | int = 0,
) -> Verification:
    """Check on a run, with its own options, that z and p mean what they say.

    Parameters
    ----------
    inputs, seeds, method, limits
        As for `seed_maps`, put together; the measure is the correlation, with our error bars.
    pairs
        Null pairs to draw. 10,000 know a false-positive rate of 5 % to half a percent.
    rng
        Source of chance, or its seed.

    Returns
    -------
    Verification

    Raises
    ------
    SeedmapError
        As `seed_maps`.
    TooFewFrames
        If the cleaning leaves no direction to test anything in.
    """
    if pairs < FEWEST_PAIRS:
        msg = f"pairs={pairs}; at least {FEWEST_PAIRS} are needed to estimate a rate (--pairs)"
        raise OptionError(msg)
    method = Method(cleaning=method.cleaning, smoothing_fwhm=method.smoothing_fwhm)
    prepared = prepare(inputs, seeds, method, limits)
    refusal = prepared.preflight().refusal()
    if refusal:
        raise TooFewFrames(refusal.replace(" (--force goes on without z and p)", ""))
    extracted = read(prepared)
    maps = maps_of(prepared, extracted)
    return _verified(prepared, extracted, maps, pairs, np.random.default_rng(rng))


def _verified(
    prepared: Prepared,
    extracted: Extracted,
    maps: SeedMaps,
    pairs: int,
    rng: np.random.Generator,
) -> Verification:
    operator = prepared.operator
    variance = run_variance(operator, extracted.series)
    tables = noise_tables(operator, variance, intervals=False)
    usable = np.flatnonzero(np.isfinite(maps.r[0]))
    some = usable[:: max(1, usable.size // VOXELS)]
    noise = (
        _noise(prepared, tables, _seed_series(prepared, extracted)),
        _noise(prepared, tables, extracted.series[:, some].astype(np.float64)),
    )
    return Verification(
        maps=maps,
        rates=null_rates(operator, tables, noise, pairs, rng),
        planted=planted(operator, tables, noise, RHO, max(pairs // 5, FEWEST_PAIRS), rng),
        smallest=tuple(_smallest(maps, seed) for seed in maps.seeds),
        parity=compare_with_nilearn(prepared),
        halves=compare_halves(operator, extracted.series[:, some], prepared.run.timing.t_r, rng),
    )


def _seed_series(prepared: Prepared, extracted: Extracted) -> Array:
    """Return the uncleaned seeds (kept, seeds) that lie in space, else the time courses."""
    if extracted.seed_series.shape[1]:
        return extracted.seed_series - extracted.seed_series[:1]
    courses = [one.seed for one in prepared.seeds if isinstance(one.seed, SeriesSeed)]
    return np.stack([seed.values[prepared.operator.keep] for seed in courses], axis=1)


def _noise(prepared: Prepared, tables: NoiseTables, raw: Array) -> Array:
    """Estimate noise autocovariances (lags, series) of uncleaned series; those without are dropped.

    Where removing the bias of an autocovariance leaves no variance, the biased one stands in.
    """
    residuals = prepared.operator.residuals(raw)
    noise = noise_autocovariance(tables, residuals)
    biased = replace(tables, inverse=np.eye(tables.lags))
    noise = np.where(tables.passed @ noise > 0, noise, noise_autocovariance(biased, residuals))
    return noise[:, tables.passed @ noise > 0]


def _smallest(maps: SeedMaps, seed: str) -> Smallest:
    """Find the weakest significant correlation at the median degrees of freedom of a map."""
    dof = middle(maps.values(seed, "dof"))
    frames = maps.provenance.kept
    return Smallest(
        seed=seed,
        dof=dof,
        r={level: critical_r(dof, level) for level in LEVELS},
        naive={level: critical_r(frames - 1, level) for level in LEVELS},
    )
