"""Degree over people: the mean map of the global signal, and how much of a group's map it explains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seedmap._arrays import Array
from seedmap.analysis import explained, global_signal
from seedmap.connectivity import BLOCK
from seedmap.group.people import Choice
from seedmap.group.pipeline import Group
from seedmap.group.robustness import StoredSample, open_runs, sampled_of_all, samples_of
from seedmap.report.words import number, percent
from seedmap.seeds import (
    PlacedSeed,
    equal_radius,
    near_each,
    parse_seed,
    place_seeds,
    random_spheres,
)
from seedmap.store import StoredRun

__all__ = ["GroupDegree", "degree_words", "with_degree"]

# Spheres at random places, and samples of their maps that are looked at.
RANDOM, FEW = 100, 4000
SHARES = (5, 50, 95)


@dataclass(frozen=True, eq=False)
class GroupDegree:
    """The mean over people of each sample's mean correlation with all samples.

    Attributes
    ----------
    values : ndarray of float32, shape (samples,)
        The map; NaN where somebody has no value.
    r2 : float
        Share of the variance of the mean of atanh(r) over people, away from the seed, that it explains.
    random : tuple of float
        5, 50 and 95 % of the same share for spheres of the seed's size at random places.
    removed : bool
        Whether the global signal was regressed out of anybody's run.
    """

    values: NDArray[np.float32]
    r2: float
    random: tuple[float, ...]
    removed: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What the sidecar of the map says."""
        shares = zip(("0.05", "0.5", "0.95"), self.random, strict=True)
        return {
            "DegreeR2": self.r2,
            "DegreeR2Random": dict(shares),
            "GlobalSignalRemoved": self.removed,
        }


def with_degree(group: Group, root: Path, choice: Choice) -> Group:
    """Add the mean map of degree to a group whose maps were made of stored runs.

    Parameters
    ----------
    group
        The result.
    root, choice
        Where the stored runs are, and which; the seed as it was written: ``PCC=0,-52,18``.
    """
    stored, space = open_runs(group, root, choice), group.loaded.space
    (placed,) = place_seeds([parse_seed(choice.seed)], space)
    assert placed.weights is not None
    radius = equal_radius(placed, space)
    spheres: Sequence[PlacedSeed] = ()
    if radius is not None:
        spheres = random_spheres(sampled_of_all(stored, space), radius, RANDOM, 0)
    weights = [one.weights for one in spheres if one.weights is not None] or [placed.weights]
    with threadpool_limits(1, user_api="blas"):
        people = [
            samples_of(stored[label], placed.weights, weights, space) for label in group.people
        ]
        values = np.mean([_of_person(runs) for runs in people], axis=0).astype(np.float32)
        some = np.unique(np.linspace(0, space.n_samples - 1, FEW).astype(np.int64))
        maps = np.mean(
            [np.sum([run.fisherz(some) for run in runs], axis=0) for runs in people], axis=0
        )
    runs = [one for each in stored.values() for one in each]
    fwhm = runs[0].facts["smoothing_fwhm"]
    (own_near,) = near_each([placed], space, fwhm)
    mean = group.loaded.maps.mean(axis=0, dtype=np.float64)
    shares = [
        explained(z, values[some], np.flatnonzero(np.isin(some, near)))
        for z, near in zip(maps, near_each(spheres, space, fwhm), strict=False)
    ]
    known = np.array(shares)[np.isfinite(shares)]
    usual = np.percentile(known, SHARES).tolist() if known.size else [np.nan] * len(SHARES)
    removed = any(global_signal(one.facts["confounds"]) for one in runs)
    found = GroupDegree(values, explained(mean, values, own_near), tuple(usual), removed)
    return replace(group, degree=found)


def _of_person(runs: Sequence[StoredSample]) -> Array:
    """Return the degree of a person at the group's samples, runs averaged as their maps are."""
    total: Array = np.sum([run.product(_mean_sample(run.stored)) for run in runs], axis=0)
    return total


def _mean_sample(stored: StoredRun) -> Array:
    """Return the mean of all samples of unit norm, shape (coordinates,)."""
    total, count = 0.0, 0
    for start in range(0, stored.space.n_samples, BLOCK):
        rows = stored.smoothed(slice(start, start + BLOCK))
        known = np.isfinite(rows).all(axis=1)
        total = total + rows[known].sum(axis=0, dtype=np.float64)
        count += int(np.count_nonzero(known))
    mean: Array = np.asarray(total) / count
    return mean


def degree_words(group: Group) -> str:
    """Say how much of the mean over people degree explains; empty where that was not looked at."""
    degree = group.degree
    if degree is None or not np.isfinite(degree.r2):
        return ""
    if degree.removed:
        spread = number(float(np.nanstd(degree.values)), 3)
        return (
            "The global signal was regressed out of people's runs: the standard deviation of degree is "
            f"{spread}, and what it explains of a map says nothing."
        )
    usual = ""
    if np.isfinite(degree.random[1]):
        low, middle, high = (percent(share) for share in degree.random)
        usual = f" (spheres at random places: {middle}, {low} to {high})"
    return (
        f"The mean map of the global signal (degree) explains {percent(degree.r2)} of the variance of the "
        f"mean map{usual}. A large share says that the cleaning left the global signal in the runs."
    )
