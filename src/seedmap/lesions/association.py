"""Does the connectivity of lesions go with a score: over patients, and over healthy people.

All lesions are seen through the runs of the same people, so that the sampling error of these is
common to all of them: a test over patients alone takes it for an effect. A test over people alone
says that healthy people agree, whatever the score is. So a sample is found where both hold: see
docs/decisions/0012-lesions-need-two-tests-and-a-map-of-their-places.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import SplitDesign, fit, split_design
from seedmap.shuffle import Robust, Scores, Shuffling, found, plan_shuffles, pooled, shuffle
from seedmap.shuffle import observed_r as r_of

__all__ = [
    "Association",
    "Times",
    "associate",
    "design",
    "family_of",
    "nuisance",
    "p_patients",
    "p_people",
    "slopes",
]

Floats = NDArray[np.float64]

# A sample is tested where this share of the lesions is away from it, and of the people has it,
FEWEST_LESIONS, FEWEST_PEOPLE = 0.5, 0.8
# and where the lesions away from it have this share of what the score says beyond the nuisance.
FEWEST_SCORE = 0.25


@dataclass(frozen=True)
class Times:
    """How a test is shuffled: how often, from which seed of the generator, in how many threads."""

    number: int = 5000
    seed: int = 0
    n_jobs: int = 1


@dataclass(frozen=True, eq=False)
class Association:
    """What goes with a score; of shape (samples,), NaN where not tested.

    Attributes
    ----------
    effect : ndarray
        Slope of the Fisher transform on the score, mean over people.
    r : ndarray
        Partial correlation with the score over patients.
    p_patients, p_people : ndarray or None
        Corrected for all samples; None where they were not asked for.
    """

    effect: Floats
    r: Floats
    p_patients: Floats | None
    p_people: Floats | None

    @property
    def p_both(self) -> Floats | None:
        """The larger p of the two."""
        if self.p_patients is None or self.p_people is None:
            return None
        return np.maximum(self.p_patients, self.p_people)


def nuisance(volumes: NDArray[np.floating], covariates: NDArray[np.floating]) -> Floats:
    """Return what is in every model: a constant, the logarithm of the volume, and covariates.

    Parameters
    ----------
    volumes
        Of the lesions, above 0, shape (lesions,).
    covariates
        Shape (lesions, columns); may have no columns.
    """
    logs = np.log(np.asarray(volumes, np.float64))
    return np.column_stack([np.ones_like(logs), logs, covariates])


def design(score: NDArray[np.floating], beside: NDArray[np.floating]) -> SplitDesign:
    """Split the design with the score as what is tested beside the nuisance."""
    matrix = np.column_stack([beside, score])
    return split_design(matrix, np.eye(matrix.shape[1])[-1])


def slopes(tested: SplitDesign, away: NDArray[np.bool_]) -> Floats:
    """Return the weights of lesions whose sum is the slope on the score, at every sample.

    Parameters
    ----------
    tested
        The design, with the score as what is tested.
    away
        Which lesions count at which samples, shape (lesions, samples).

    Returns
    -------
    ndarray, shape (lesions, samples)
        0 where a lesion does not count; 0 everywhere where the score cannot be tested.
    """
    part = tested.part
    if away.all():
        return np.broadcast_to(tested.scale * part, away.shape)
    there = away.astype(np.float64)
    left = fit(tested.null, np.broadcast_to(part, there.shape), there).residual * there
    size = (left**2).sum(axis=0)
    sound = size > FEWEST_SCORE
    return tested.scale * left / np.where(sound, size, np.inf)


def family_of(
    away: NDArray[np.bool_], weights: Floats, has: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the samples that are tested, shape (samples,).

    Parameters
    ----------
    away
        Which lesions count where, shape (lesions, samples).
    weights
        Of `slopes`.
    has
        Which people have which samples, shape (people, samples).
    """
    lesions = away.mean(axis=0) >= FEWEST_LESIONS
    return lesions & weights.any(axis=0) & (has.mean(axis=0) >= FEWEST_PEOPLE)


def associate(
    maps: NDArray[np.floating], people: NDArray[np.floating], tested: SplitDesign,
    family: NDArray[np.bool_],
) -> Association:  # fmt: skip
    """Return effect and r without any test.

    Parameters
    ----------
    maps
        Mean over people of each lesion's Fisher transforms, shape (lesions, samples), NaN where a
        lesion does not count.
    people
        Slope of each person, shape (people, samples), NaN where somebody lacks the sample.
    tested
        The design.
    family
        Samples that are tested, shape (samples,).
    """
    effect = np.full(family.shape, np.nan)
    effect[family] = np.nanmean(people[:, family].astype(np.float64), axis=0)
    test = _patients(maps, tested, family, Times(1), robust=False)
    r = np.where(family, r_of(test), np.nan).astype(np.float64)
    return Association(effect, r, None, None)


def p_patients(
    maps: NDArray[np.floating],
    tested: SplitDesign,
    family: NDArray[np.bool_],
    times: Times = Times(),
    *,
    robust: bool = False,
) -> Floats:
    """Test by permutations of patients, with residuals shuffled as Freedman and Lane do.

    Parameters
    ----------
    maps, tested, family
        As in `associate`.
    times
        How often, from which seed, in how many threads.
    robust
        Whether the statistic is studentised, for two groups of unequal spread.

    Returns
    -------
    ndarray, shape (samples,)
        p corrected by the maximum over the family; NaN outside it.
    """
    test = _patients(maps, tested, family, times, robust=robust)
    return found(test, shuffle(test, n_jobs=times.n_jobs)).p_fwe


def p_people(
    people: NDArray[np.floating],
    family: NDArray[np.bool_],
    times: Times = Times(),
) -> Floats:
    """Test by sign flips of people whether their slopes are 0 on average.

    Parameters
    ----------
    people
        As in `associate`.
    family, times
        As in `p_patients`.

    Returns
    -------
    ndarray, shape (samples,)
        p corrected by the maximum over the family; NaN outside it.
    """
    mean = split_design(np.ones((len(people), 1)), [1.0])
    plan = plan_shuffles(mean, times.number, kind="signs", seed=times.seed)
    dof = np.where(family, np.isfinite(people).sum(axis=0) - 1.0, np.nan)
    test = Shuffling(pooled(people, mean, plan, Scores(dof)), plan)
    return found(test, shuffle(test, n_jobs=times.n_jobs)).p_fwe


def _patients(
    maps: NDArray[np.floating], tested: SplitDesign, family: NDArray[np.bool_],
    times: Times, *, robust: bool,
) -> Shuffling:  # fmt: skip
    """Put the test over patients together."""
    plan = plan_shuffles(tested, times.number, kind="permutations", seed=times.seed)
    dof = np.isfinite(maps).sum(axis=0) - tested.null.shape[1] - 1.0
    scores = Scores(np.where(family, dof, np.nan))
    if robust:
        return Shuffling(Robust(maps, tested, scores), plan)
    return Shuffling(pooled(maps, tested, plan, scores), plan)
