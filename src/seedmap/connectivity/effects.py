"""What is true of people, at every sample: ordinary least squares and weighted random effects.

Maps are Fisher transforms of the participants, shape (people, samples), NaN where a participant
has no value there; variances are the squares of their standard errors. Weights are
``1 / (v + tau2)`` at each sample, with tau2 the variance between people that the first level's
errors do not explain. Standard errors of weighted effects are Knapp and Hartung's, which are
scaled by how far people in truth lie apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import Fit, Floats, SplitDesign, backward, fit, forward, gram, present
from seedmap.connectivity.tails import f_test, t_test

__all__ = [
    "Effect",
    "between_people",
    "hedges_g",
    "ols",
    "partial_r",
    "predicted_gain",
    "random_effects",
]

Method = Literal["REML", "PM", "DL"]
Maps = NDArray[np.floating]
# Basis, values, variances and who is there, of a block, to tau2.
Estimator = Callable[[Floats, Floats, Floats, Floats], Floats]

# Samples at once: the working arrays of 100 people stay below 20 MB.
BLOCK = 4096
# Rounds until tau2 is settled; it takes 3 to 12, and some hundred where REML is almost flat.
ROUNDS, SETTLED = 200, 1e-10
# Of the sum of squares: what is left below this is rounding, and the sample has no variance.
NO_VARIANCE = 1e-13


@dataclass(frozen=True, eq=False)
class Effect:
    """A contrast at every sample; all of shape (samples,), NaN where it cannot be estimated.

    Attributes
    ----------
    effect : ndarray
        Value of the contrast in the unit of the maps; NaN for an F.
    se : ndarray
        Its standard error; NaN for an F.
    stat : ndarray
        t, or F where several contrasts are tested together.
    z : ndarray
        Normal score with the same p, by the sample's own degrees of freedom.
    p : ndarray
        Two-sided p.
    dof : ndarray
        Residual degrees of freedom.
    n : ndarray
        Participants with a value.
    sd : ndarray
        Residual standard deviation between people; for weighted effects sqrt(tau2).
    tau2, i2 : ndarray or None
        Variance between people, and its share of the whole (0 to 1); None for `ols`.
    """

    effect: Floats
    se: Floats
    stat: Floats
    z: Floats
    p: Floats
    dof: Floats
    n: Floats
    sd: Floats
    tau2: Floats | None = None
    i2: Floats | None = None


def ols(maps: Maps, tested: SplitDesign) -> Effect:
    """Estimate a contrast by ordinary least squares.

    Parameters
    ----------
    maps
        Shape (people, samples); NaN where somebody has no value: that person is left out there.
    tested
        The design and the contrast (`split_design`).

    Returns
    -------
    Effect
        NaN where the contrast cannot be estimated from those present, where fewer than one
        degree of freedom is left, or where the values do not vary.
    """
    return _blockwise(maps.shape[1], lambda block: _ols(maps[:, block], tested))


def _ols(maps: Maps, tested: SplitDesign) -> Effect:
    values, there = present(maps)
    found = fit(tested.basis, values, there)
    n = np.full(values.shape[1], float(len(values))) if there is None else there.sum(axis=0)
    left = _sum_of_squares(found.residual, there)
    nothing = left <= NO_VARIANCE * (values**2).sum(axis=0)
    variance = _per_dof(left, n - found.rank, nothing)
    return _effect(found, tested, variance, n, np.sqrt(variance))


def random_effects(
    maps: Maps, variances: Maps, tested: SplitDesign, method: Method = "REML"
) -> Effect:
    """Estimate a contrast with weights from the participants' own standard errors.

    Parameters
    ----------
    maps
        Shape (people, samples).
    variances
        Squares of their standard errors, shape (people, samples). A participant without one (NaN)
        counts as absent.
    tested
        The design and the contrast.
    method
        Estimator of tau2: ``"REML"``, ``"PM"`` (Paule-Mandel: the generalised Q equals its degrees
        of freedom) or ``"DL"`` (DerSimonian-Laird, in closed form).

    Returns
    -------
    Effect
        With Knapp-Hartung standard errors.

    References
    ----------
    Knapp and Hartung (2003), doi:10.1002/sim.1482; Paule and Mandel (1982),
    doi:10.6028/jres.087.022; DerSimonian and Laird (1986), doi:10.1016/0197-2456(86)90046-2.
    """
    return _blockwise(
        maps.shape[1],
        lambda block: _weighted(maps[:, block], variances[:, block], tested, method),
    )


def _weighted(maps: Maps, variances: Maps, tested: SplitDesign, method: Method) -> Effect:
    values, v, there = _observed(maps, variances)
    tau2 = ESTIMATORS[method](tested.basis, values, v, there)
    weights = there / (v + tau2)
    found = fit(tested.basis, values, weights)
    n = there.sum(axis=0)
    left = (weights * found.residual**2).sum(axis=0)
    nothing = left <= NO_VARIANCE * (weights * values**2).sum(axis=0)
    variance = _per_dof(left, n - found.rank, nothing)
    effect = _effect(found, tested, variance, n, np.sqrt(tau2))
    bare = there / v
    total = bare.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        typical = (n - 1) * total / (total**2 - (bare**2).sum(axis=0))
        shown = np.where(np.isnan(effect.stat), np.nan, tau2)
        return Effect(**{**_named(effect), "tau2": shown, "i2": shown / (shown + typical)})


def between_people(maps: Maps, variances: Maps, basis: Floats, method: Method = "PM") -> Floats:
    """Return tau2, the variance between people around a model, shape (samples,).

    With the null model's basis (`SplitDesign.null`) this gives the weights of the weighted shuffle
    test: for a mean, ``sum w y^2 = n`` does not change when signs of people are flipped.

    Parameters
    ----------
    maps, variances
        Shape (people, samples).
    basis
        Orthonormal, shape (people, columns); it may have no columns.
    method
        As in `random_effects`.
    """
    tau2 = np.empty(maps.shape[1])
    for block in _blocks(maps.shape[1]):
        tau2[block] = ESTIMATORS[method](basis, *_observed(maps[:, block], variances[:, block]))
    return tau2


def predicted_gain(variances: Maps, tau2: Floats, tested: SplitDesign) -> Floats:
    """Return how many times smaller the weighted standard error is expected to be than that of OLS.

    From the variances alone, whatever the effect: sqrt(Var OLS / Var weighted), 1 or more.

    Parameters
    ----------
    variances
        Shape (people, samples); NaN where somebody is absent.
    tau2
        Variance between people, shape (samples,).
    tested
        The design and one contrast.

    Returns
    -------
    ndarray, shape (samples,)
        NaN where tau2 is. Its median over samples is what a run reports.
    """
    gain = np.full(tau2.shape, np.nan)
    for block in _blocks(tau2.size):
        v, there = present(variances[:, block])
        total = v + tau2[block]
        there = np.ones_like(v) if there is None else there
        plain = fit(tested.basis, total, there)
        weighted = fit(tested.basis, total, there / np.where(there > 0, total, 1))
        gain[block] = np.sqrt(_ols_variance(plain, tested, total * there)) * weighted.diagonal[-1]
    return gain


def _ols_variance(plain: Fit, tested: SplitDesign, total: Floats) -> Floats:
    """Variance of the tested OLS coefficient where people have other variances than it believes."""
    row = np.zeros_like(plain.scores)
    row[-1] = 1 / plain.diagonal[-1]
    row = backward(plain.factor, row)
    return ((tested.basis @ row) ** 2 * total).sum(axis=0)


def hedges_g(effect: Effect) -> Floats:
    """Return the contrast in residual standard deviations, corrected for small samples (`ols`)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (1 - 3 / (4 * effect.dof - 1)) * effect.effect / effect.sd


def partial_r(effect: Effect) -> Floats:
    """Return the partial correlation that belongs to each t."""
    return effect.stat / np.sqrt(effect.stat**2 + effect.dof)


def _observed(maps: Maps, variances: Maps) -> tuple[Floats, Floats, Floats]:
    """Return values, variances and who is there, with harmless numbers for who is not."""
    values, v = maps.astype(np.float64), variances.astype(np.float64)
    there = np.isfinite(values) & np.isfinite(v) & (v > 0)
    values[~there], v[~there] = 0, 1
    return values, v, there.astype(np.float64)


def _paule_mandel(basis: Floats, values: Floats, v: Floats, there: Floats) -> Floats:
    """Solve sum w e^2 = n - p. Newton on 1 / sum w e^2, which is concave: it never overshoots."""
    tau2 = np.zeros(values.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(ROUNDS):
            weights = there / (v + tau2)
            found = fit(basis, values, weights)
            dof = there.sum(axis=0) - found.rank
            spread = (weights * found.residual**2).sum(axis=0)
            slope = (weights**2 * found.residual**2).sum(axis=0)
            step = np.nan_to_num(spread / dof * (spread - dof) / slope, posinf=0, neginf=0)
            step = np.maximum(step, -tau2)
            tau2 += step
            if (np.abs(step) <= SETTLED * tau2).all():
                break
    return tau2


def _dersimonian_laird(basis: Floats, values: Floats, v: Floats, there: Floats) -> Floats:
    """Equate Q with what it is expected to be."""
    weights = there / v
    found = fit(basis, values, weights)
    spread = (weights * found.residual**2).sum(axis=0) - (there.sum(axis=0) - found.rank)
    return np.maximum(spread / _trace_p(basis, weights, found), 0)


def _reml(basis: Floats, values: Floats, v: Floats, there: Floats) -> Floats:
    """Maximise the restricted likelihood by Fisher scoring, from the closed form."""
    tau2 = _dersimonian_laird(basis, values, v, there)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(ROUNDS):
            weights = there / (v + tau2)
            found = fit(basis, values, weights)
            slope = (weights**2 * found.residual**2).sum(axis=0)
            step = (slope - _trace_p(basis, weights, found)) / _trace_pp(basis, weights, found)
            step = np.maximum(np.nan_to_num(step, posinf=0, neginf=0), -tau2)
            tau2 += step
            if (np.abs(step) <= SETTLED * tau2).all():
                break
    return tau2


def _inside(basis: Floats, weights: Floats, power: int, found: Fit) -> Floats:
    """Return L^-1 B'W^power B L^-T, shape (columns, columns, samples)."""
    inner = gram(basis, weights**power)
    for _ in range(2):
        inner = forward(found.factor[:, :, None], inner).transpose(1, 0, 2)
    return inner


def _trace_p(basis: Floats, weights: Floats, found: Fit) -> Floats:
    """Trace of P = W - WB (B'WB)^-1 B'W."""
    return weights.sum(axis=0) - np.einsum("jjs->s", _inside(basis, weights, 2, found))


def _trace_pp(basis: Floats, weights: Floats, found: Fit) -> Floats:
    """Trace of PP."""
    second, third = (_inside(basis, weights, power, found) for power in (2, 3))
    crossed = (second**2).sum(axis=(0, 1)) - 2 * np.einsum("jjs->s", third)
    return (weights**2).sum(axis=0) + crossed


ESTIMATORS: dict[Method, Estimator] = {
    "REML": _reml,
    "PM": _paule_mandel,
    "DL": _dersimonian_laird,
}


def _effect(found: Fit, tested: SplitDesign, variance: Floats, n: Floats, sd: Floats) -> Effect:
    """Bring a fit into words: the last q scores are all that the test needs."""
    dof = n - found.rank
    last = found.diagonal[-tested.q :]
    sound = np.isfinite(last).all(axis=0) & np.isfinite(variance)
    dof = np.where(sound, dof, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        if tested.q == 1:
            stat = np.where(sound, found.scores[-1] / np.sqrt(variance), np.nan)
            effect = np.where(sound, tested.scale * found.scores[-1] / last[0], np.nan)
            se = np.where(sound, tested.scale * np.sqrt(variance) / last[0], np.nan)
            z, p = t_test(stat, dof)
        else:
            explained = (found.scores[-tested.q :] ** 2).sum(axis=0)
            stat = np.where(sound, explained / tested.q / variance, np.nan)
            effect = se = np.full_like(stat, np.nan)
            z, p = f_test(stat, tested.q, dof)
    return Effect(effect, se, stat, z, p, dof, n, np.where(sound, sd, np.nan))


def _sum_of_squares(residual: Floats, there: Floats | None) -> Floats:
    squares = residual**2
    return squares.sum(axis=0) if there is None else (squares * there).sum(axis=0)


def _per_dof(left: Floats, dof: Floats, nothing: NDArray[np.bool_]) -> Floats:
    """Divide by the degrees of freedom; NaN without any, or without variance."""
    sound = (dof >= 1) & ~nothing
    return np.where(sound, left, np.nan) / np.where(sound, dof, 1)


def _blocks(samples: int) -> list[slice]:
    return [slice(at, min(at + BLOCK, samples)) for at in range(0, samples, BLOCK)]


def _named(effect: Effect) -> dict[str, Floats]:
    return {field.name: getattr(effect, field.name) for field in fields(effect)}


def _blockwise(samples: int, of_block: Callable[[slice], Effect]) -> Effect:
    """Work block by block of samples and join what comes out."""
    found = [_named(of_block(block)) for block in _blocks(samples)]
    return Effect(
        **{
            name: None if first is None else np.concatenate([one[name] for one in found])
            for name, first in found[0].items()
        }
    )
