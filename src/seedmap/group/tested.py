"""One contrast, from the maps of people to its statistics."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import columns_of
from seedmap._linear import Floats, fit
from seedmap.connectivity import q_values
from seedmap.connectivity.effects import (
    Effect,
    between_people,
    hedges_g,
    ols,
    partial_r,
    predicted_gain,
    random_effects,
)
from seedmap.connectivity.tails import f_test, t_test
from seedmap.errors import OptionError, SeedmapWarning
from seedmap.group.loading import Loaded
from seedmap.group.model import Contrast
from seedmap.group.options import Question, Shuffles
from seedmap.images import Grid, Space
from seedmap.shuffle import (
    Found,
    Graph,
    Null,
    Plan,
    Robust,
    Scores,
    Shuffling,
    Skewed,
    Statistic,
    Weighted,
    found,
    observed_r,
    pooled,
)
from seedmap.spatial import adjacency, can_cluster

__all__ = ["Prepared", "Tested", "conclude_contrast", "graph_of", "prepare_contrast"]

# TFCE's power of extent on surfaces and in volumes.
SURFACE, VOLUME = 1.0, 0.5
WORTH, SKEWED = 1.05, 0.4
# p below which residuals are said to spread with a covariate.
SPREADS = 0.01
# |t| below which an effect is too near 0 to divide by it.
NEAR_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class Tested:
    """What came of a contrast.

    Attributes
    ----------
    arrays : dict of str to ndarray of float32, shape (samples,)
        Maps by statistic.
    maxima : dict of str to ndarray
        The nulls.
    family : int
        Samples tested together.
    threshold : float or None
        Scores beyond which clusters are formed.
    compared : str
        What samples are compared by: ``t``, ``root F`` or ``z``.
    statistic : str
        ``pooled``, ``robust``, ``weighted`` or ``skewed``.
    gain : float
        How many times smaller the weighted standard error would be; NaN where that is not known.
    notes : tuple of str
        What a user should know.
    """

    arrays: dict[str, NDArray[np.float32]]
    maxima: dict[str, Floats]
    family: int
    threshold: float | None
    compared: str
    statistic: str
    gain: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A contrast that is estimated and can be tested.

    Attributes
    ----------
    contrast : Contrast
        What is tested.
    arrays : dict of str to ndarray, shape (samples,)
        Maps of the estimate by statistic.
    family : ndarray of bool, shape (samples,)
        Samples that are tested together.
    statistic : str
        ``pooled``, ``robust``, ``weighted`` or ``skewed``.
    test : Shuffling or None
        The test; None without shuffles.
    """

    contrast: Contrast
    arrays: dict[str, Any]
    family: NDArray[np.bool_]
    statistic: str
    test: Shuffling | None


def graph_of(space: Space) -> Graph | None:
    """Return the graph that clusters and TFCE need; None where it is not known what is adjacent."""
    if not can_cluster(space):
        return None
    found = adjacency(space)
    if isinstance(space, Grid):
        return Graph.of(*found.csr, found.sizes)
    surface = np.concatenate([np.full(part.size, part.kind == "surface") for part in space.parts])
    surface = surface[space.mask]
    if surface.all() or not surface.any():
        return Graph.of(*found.csr, found.sizes, None, (SURFACE if surface.all() else VOLUME,))
    return Graph.of(*found.csr, found.sizes, np.where(surface, 0, 1), (SURFACE, VOLUME))


def prepare_contrast(
    contrast: Contrast, plan: Plan | None, loaded: Loaded, question: Question, graph: Graph | None
) -> Prepared:
    """Estimate a contrast at every sample, and put its test together.

    Parameters
    ----------
    contrast, plan
        What is tested, and the shuffles; None for none.
    loaded
        The maps.
    question
        How.
    graph
        Neighbours of samples; None for no clusters.
    """
    effect = _estimate(contrast, loaded, question)
    fewest = int(np.ceil(question.min_participants * len(loaded.maps) - 1e-9))
    family = (effect.n >= fewest) & np.isfinite(effect.stat)
    if contrast.mean_of_maps and loaded.near is not None:
        family &= ~loaded.near
    if not family.any():
        msg = (
            f"contrast {contrast.text!r}: no sample has a value of {fewest} people or more; lower "
            "--min-participants"
        )
        raise OptionError(msg)
    arrays = _effect_maps(effect, contrast, enough=effect.n >= fewest)
    name, shuffles, test = _statistic_name(contrast, question), question.inference, None
    if plan is not None and shuffles is not None:
        scores = Scores(np.where(family, effect.dof, np.nan), contrast.tested.q)
        test = _shuffling(_statistic(name, contrast, plan, loaded, scores), plan, graph, shuffles)
        if name == "robust":
            _take_robust(arrays, test, contrast)
    return Prepared(contrast, arrays, family, name, test)


def conclude_contrast(
    prepared: Prepared,
    nulls: Sequence[Null],
    loaded: Loaded,
    question: Question,
) -> Tested:
    """Turn the null of a contrast into corrected p, and say what a user should know.

    Parameters
    ----------
    prepared
        The contrast.
    nulls
        Its own null, then those of the contrasts that p are corrected over, too; none without shuffles.
    loaded, question
        The maps, and how they were tested.
    """
    contrast, family, arrays = prepared.contrast, prepared.family, dict(prepared.arrays)
    threshold, compared = None, "t" if contrast.tested.q == 1 else "F"
    maxima: dict[str, Floats] = {}
    if prepared.test is not None and question.inference is not None:
        result = found(
            prepared.test, nulls[0], tail=question.inference.tail, others=tuple(nulls[1:])
        )
        arrays, maxima = arrays | _corrected(result), result.maxima
        threshold = prepared.test.cluster_threshold
        compared = prepared.test.statistic.scores.kind
    arrays["q"] = q_values(arrays["p"], family)
    gain = _gain(contrast, loaded, family)
    notes = (
        *_notes(contrast, loaded, family),
        *_spread_note(prepared, loaded),
        *_gain_note(contrast, question, gain),
    )
    ordered = {stat: arrays[stat].astype(np.float32) for stat in ORDER if stat in arrays}
    return Tested(
        ordered, maxima, int(family.sum()), threshold, compared, prepared.statistic, gain, notes
    )


def _estimate(contrast: Contrast, loaded: Loaded, question: Question) -> Effect:
    if question.estimator == "ols":
        return ols(loaded.maps, contrast.tested)
    if loaded.variances is None:
        msg = "estimator 'weighted' needs standard errors of all people (stat-se beside their maps); use ols"
        raise OptionError(msg)
    return random_effects(loaded.maps, loaded.variances, contrast.tested)


def _gain_note(contrast: Contrast, question: Question, gain: float) -> Iterator[str]:
    if gain > WORTH and question.estimator == "ols":
        yield (
            f"contrast {contrast.text!r}: with --estimator weighted its standard error would be "
            f"{1 - 1 / gain:.0%} smaller at the median sample, since people's maps differ in how sure they are"
        )


def _spread_note(prepared: Prepared, loaded: Loaded) -> Iterator[str]:
    """Say where people's residuals spread more the further they are in a tested covariate."""
    contrast = prepared.contrast
    if contrast.has_mean or contrast.of_factor or prepared.statistic != "pooled":
        return
    z = np.where(prepared.family, prepared.arrays["z"], 0)
    peaks = np.unique([np.argmax(z), np.argmin(z)])
    for column in contrast.tested.part.T:
        far = np.abs(column - np.median(column))
        for maps in columns_of(loaded.maps, peaks).astype(np.float64).T:
            there = np.isfinite(maps)
            basis, _ = np.linalg.qr(contrast.tested.basis[there])
            size = np.abs(fit(basis, maps[there, None]).residual[:, 0])
            r, dof = np.corrcoef(size, far[there])[0, 1], there.sum() - 2
            if np.isfinite(r) and t_test(r * np.sqrt(dof / (1 - r**2)), dof)[1] < SPREADS:
                yield (
                    f"contrast {contrast.text!r}: people far from the median differ more (|residual| and distance "
                    f"correlate by {r:.2f} at a peak), so its p may be too small or too large; give --variance robust"
                )
                return


ORDER = (
    "effect", "se", "t", "f", "z", "p", "q", "pfwe", "tfce", "ptfce", "pextent", "pmass",
    "n", "dof", "g", "r", "tau2", "i2",
)  # fmt: skip


def _effect_maps(effect: Effect, contrast: Contrast, enough: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the maps of an effect, NaN where too few people have a value; of an F the test alone."""
    stat = "t" if contrast.tested.q == 1 else "f"
    maps = {stat: effect.stat, "z": effect.z, "p": effect.p, "dof": effect.dof}
    if stat == "t":
        r = np.tanh(effect.effect) if contrast.mean_of_maps else partial_r(effect)
        maps |= {"effect": effect.effect, "se": effect.se, "g": hedges_g(effect), "r": r}
    if effect.tau2 is not None and effect.i2 is not None:
        maps |= {"tau2": effect.tau2, "i2": effect.i2}
    maps = {name: np.where(enough, values, np.nan) for name, values in maps.items()}
    return {**maps, "n": effect.n}


def _statistic_name(contrast: Contrast, question: Question) -> str:
    if question.inference is None:
        return "weighted" if question.estimator == "weighted" else "pooled"
    if question.inference.skew and contrast.has_mean:
        return "skewed"
    if question.estimator == "weighted":
        return "weighted"
    robust = question.variance == "robust" or (question.variance == "auto" and contrast.of_factor)
    return "robust" if robust else "pooled"


def _statistic(
    name: str, contrast: Contrast, plan: Plan, loaded: Loaded, scores: Scores
) -> Statistic:
    tested, maps = contrast.tested, loaded.maps
    if name == "skewed":
        return Skewed(maps, tested, scores)
    if name == "robust":
        return Robust(maps, tested, scores)
    if name == "weighted" and loaded.variances is not None:
        tau2 = between_people(maps, loaded.variances, tested.null)
        flips = plan.flips and not plan.permutes
        return Weighted(maps, loaded.variances, tau2, tested, scores, flips)
    return pooled(maps, tested, plan, scores)


def _shuffling(
    statistic: Statistic, plan: Plan, graph: Graph | None, shuffles: Shuffles
) -> Shuffling:
    if graph is None:
        if shuffles.tfce or shuffles.cluster_p is not None:
            msg = "which samples are adjacent is not known, so there are no clusters and no TFCE; give the surfaces"
            warnings.warn(msg, SeedmapWarning, stacklevel=3)
        return Shuffling(statistic, plan)
    threshold = (
        None if shuffles.cluster_p is None else statistic.scores.threshold(shuffles.cluster_p)
    )
    return Shuffling(statistic, plan, graph, shuffles.tfce, threshold)


def _take_robust(arrays: dict[str, Any], test: Shuffling, contrast: Contrast) -> None:
    """Put the robust statistic in place of the pooled one: t or F, z, p and the standard error."""
    q, known = contrast.tested.q, test.statistic.scores.tested
    r, dof = observed_r(test).astype(np.float64), arrays["dof"]
    r = np.where(known, np.clip(r, -1 + 1e-9, 1 - 1e-9), np.nan)
    if q == 1:
        t = r * np.sqrt(dof / (1 - r**2))
        arrays["t"], (arrays["z"], arrays["p"]) = t, t_test(t, dof)
        far = np.abs(t) > NEAR_ZERO
        arrays["se"] = np.where(far, np.abs(arrays["effect"] / np.where(far, t, 1)), arrays["se"])
        arrays["r"] = t / np.sqrt(t**2 + dof)
    else:
        f = r**2 / q * dof / (1 - r**2)
        arrays["f"], (arrays["z"], arrays["p"]) = f, f_test(f, q, dof)


def _corrected(result: Found) -> dict[str, Any]:
    maps = {
        "pfwe": result.p_fwe,
        "tfce": result.tfce,
        "ptfce": result.p_tfce,
        "pextent": result.p_extent,
        "pmass": result.p_mass,
    }
    return {name: values for name, values in maps.items() if values is not None}


def _gain(contrast: Contrast, loaded: Loaded, family: NDArray[np.bool_]) -> float:
    """Return the median gain of weighting, over some samples of the family."""
    if contrast.tested.q > 1:
        return float("nan")
    some = np.flatnonzero(family)[:: max(1, int(family.sum()) // 4000)]
    maps, variances = columns_of(loaded.maps, some), loaded.variances_at(some)
    if variances is None:
        return float("nan")
    tau2 = between_people(maps, variances, contrast.tested.basis)
    return float(np.nanmedian(predicted_gain(variances, tau2, contrast.tested)))


def _notes(contrast: Contrast, loaded: Loaded, family: NDArray[np.bool_]) -> Iterator[str]:
    """Say where a mean's test may mislead."""
    if not contrast.has_mean:
        return
    if loaded.near is None and contrast.mean_of_maps:
        yield (
            f"contrast {contrast.text!r}: which samples are near the seed is not known (no stat-q beside the "
            "maps), so they are part of the family and may feed clusters; judge what adjoins the seed with care"
        )
    some = np.flatnonzero(family)[:: max(1, int(family.sum()) // 4000)]
    maps = columns_of(loaded.maps, some).astype(np.float64)
    maps = maps[:, np.isfinite(maps).all(axis=0)]
    if maps.shape[1]:
        left = fit(contrast.tested.basis, maps).residual
        third, second = (left**3).mean(axis=0), (left**2).mean(axis=0)
        skewness = float(np.median(np.abs(third / np.where(second > 0, second, np.inf) ** 1.5)))
        by_chance = 0.67 * np.sqrt(6 / len(maps))
        if skewness > max(SKEWED, 1.3 * by_chance):
            yield (
                f"contrast {contrast.text!r}: people's values are skewed (median |skewness| {skewness:.2f}), which "
                "sign flips do not bear well; --statistic skew corrects for it"
            )
