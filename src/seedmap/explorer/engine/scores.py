"""The z map of a seed: from the noise that was kept, or with the error bars of whole maps."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import middle
from seedmap.analysis import Certainty, warn_of_certainty
from seedmap.connectivity import quick_z
from seedmap.explorer.engine.explorable import Cleaned, Explorable
from seedmap.explorer.engine.noise import Noise, Superseded
from seedmap.seeds import Seed, place_seeds, warn_of_low_coverage

__all__ = ["Scores", "scores_of"]


@dataclass(frozen=True, eq=False)
class Scores:
    """The z map of a seed.

    Attributes
    ----------
    z : ndarray, shape (samples,)
        Score of each correlation, to 1e-3; NaN where there is none.
    dof : float
        Effective degrees of freedom, in the middle of the samples; NaN where none are left.
    notes : tuple of str
        What there is to be warned of.
    """

    z: NDArray[np.float32]
    dof: float
    notes: tuple[str, ...]


def scores_of(
    source: Explorable, cleaned: Cleaned, seed: Seed, superseded: Callable[[], bool] = bool
) -> Scores:
    """Return the z map of a seed.

    Raises
    ------
    SeedError
        If the seed lies outside the mask, or nothing of it varies.
    Superseded
        As soon as ``superseded()`` is true.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if cleaned.noise is None:
            z, dof = _of_maps(source, cleaned, seed, superseded)
        else:
            z, dof = _of_noise(cleaned, cleaned.noise, seed, superseded)
    return Scores(z, middle(dof), tuple(str(warning.message) for warning in caught))


def _of_maps(
    source: Explorable, cleaned: Cleaned, seed: Seed, superseded: Callable[[], bool]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    def progress(_done: int, _total: int) -> None:
        if superseded():
            raise Superseded

    maps = source.certain_maps(cleaned.settings, seed, progress)
    return maps.values(seed.name, "z"), maps.values(seed.name, "dof")


def _of_noise(
    cleaned: Cleaned, noise: Noise, seed: Seed, superseded: Callable[[], bool]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    live, operator = cleaned.live, cleaned.operator
    signal = live.seed_signal(seed)
    r, dof = live.r(signal.unit, superseded), noise.dof(signal.unit, superseded)
    warn_of_low_coverage([place_seeds([seed], live.grid)[0].facts(live.grid)])
    certainty = Certainty(
        *("operator", dof[None], cleaned.rank, operator.white_dof, ()), variance=noise.variance
    )
    warn_of_certainty(certainty, operator.keep, [seed.name])
    z = quick_z(r, dof)
    return z, np.where(np.isfinite(z), dof, np.float32(np.nan))
