"""A shuffle as a few rows of a matrix product; nothing is fitted anew.

Maps are made residuals of the null model once; each shuffle is then one row of moved weights, or a
few, and a block of shuffles is one product with them. A statistic knows three things: its rows for
some shuffles, its data for some samples (prepared from the maps, so that no second copy of them is
needed), and how the product becomes a partial correlation r.

=========  ===================================================================================
pooled     ``x'PE / sqrt(|E|^2 - |Q'PE|^2)``: Freedman-Lane, as if the model were fitted again
robust     ``x'PE / sqrt((x^2)'P E^2)``: a score test that groups of unequal spread leave valid
weighted   the same with weights of people at each sample that come from the null model
skewed     the mean's t, corrected for skewness by Hall's cubic
=========  ===================================================================================
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import release
from seedmap._linear import SplitDesign, cholesky, fit, forward, gram, present
from seedmap.errors import OptionError
from seedmap.shuffle.draws import Moves, Plan
from seedmap.shuffle.scores import LARGEST, Scores

__all__ = ["Pooled", "Robust", "Skewed", "Statistic", "Weighted", "pooled"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

# Of the sum of squares: residuals smaller than this are rounding, and the sample is not tested.
NO_VARIANCE = 1e-13
# Samples that are prepared at once.
PREPARED = 512


class Statistic(Protocol):
    """What a test needs of a statistic."""

    @property
    def maps(self) -> NDArray[np.floating]:
        """The maps of people, shape (people, samples)."""
        ...

    @property
    def scores(self) -> Scores:
        """How samples are compared; not tested where its dof is not finite."""
        ...

    @property
    def bytes_a_sample(self) -> int:
        """What the prepared data of a sample take."""
        ...

    def rows(self, moves: Moves) -> Array:
        """Return the rows of some shuffles, shape (rows, shuffles, people)."""
        ...

    def data(self, block: slice) -> tuple[Array, ...]:
        """Prepare some samples: arrays of shape (people, samples), and single rows beside them."""
        ...

    def r(self, rows: Array, data: tuple[Array, ...], out: Array) -> Array:
        """Return r, shape (shuffles, samples), 0 where not tested.

        ``out``, of shape (rows, shuffles, samples), is overwritten; the result may lie in it.
        """
        ...


def multiply(rows: Array, data: Array, out: Array) -> Array:
    """Return rows times data, shape (rows, shuffles, samples), in ``out``."""
    count, shuffles, people = rows.shape
    flat = out.reshape(count * shuffles, data.shape[1])
    np.matmul(rows.reshape(count * shuffles, people), data, out=flat)
    return out


@dataclass(frozen=True, eq=False)
class Pooled:
    """The usual t or F, shuffled as Freedman and Lane; built by `pooled`.

    Where people are absent their residuals are 0, and r is scaled by how much of the tested part
    those present have.

    References
    ----------
    Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354; Winkler et al. (2014),
    doi:10.1016/j.neuroimage.2014.01.060.
    """

    maps: NDArray[np.floating]
    tested: SplitDesign
    scores: Scores
    nuisance: Floats
    """Directions of the null model that shuffles change, shape (columns, people)."""

    @property
    def bytes_a_sample(self) -> int:
        """What the prepared data of a sample take."""
        return 4 * (self.tested.people + 1)

    def rows(self, moves: Moves) -> Array:
        """Return the tested part and the changing nuisance, moved."""
        return moves.rows(np.vstack([self.tested.part.T, self.nuisance]))

    def data(self, block: slice) -> tuple[Array, ...]:
        """Return unit residuals, and what r is divided by where people are absent."""
        maps = self.maps[:, block]
        unit, there = _unit_residual(maps, self.tested, self.scores.tested[block])
        if there is None:
            return (unit,)
        edges = range(PREPARED, there.shape[1], PREPARED)
        parts = [_share_present(self.tested, part) for part in np.split(there, edges, axis=1)]
        share = np.concatenate(parts)
        if not len(self.nuisance):
            return ((unit / share).astype(np.float32),)
        return unit, share.astype(np.float32)

    def r(self, rows: Array, data: tuple[Array, ...], out: Array) -> Array:
        """Return r of a block."""
        q = self.tested.q
        found = multiply(rows, data[0], out)
        r = found[0] if q == 1 else np.sqrt(np.einsum("qks,qks->ks", found[:q], found[:q]))
        if len(rows) > q:
            left = found[q]
            np.multiply(left, left, out=left)
            for more in found[q + 1 :]:
                np.multiply(more, more, out=more)
                left += more
            np.subtract(np.float32(1), left, out=left)
            np.maximum(left, np.float32(1e-12), out=left)
            np.sqrt(left, out=left)
            np.divide(r, left, out=r)
        if len(data) > 1:
            r /= data[1]
        return r


def pooled(maps: NDArray[np.floating], tested: SplitDesign, plan: Plan, scores: Scores) -> Pooled:
    """Make the pooled statistic: what no shuffle of the plan can change needs no row.

    A permutation leaves the sum of what changes places, and so the product of a constant with
    residuals, at 0.
    """
    null = tested.null
    if plan.flips:
        return Pooled(maps, tested, scores, null.T)
    _, orbit = np.unique(plan.orbits, return_inverse=True)
    indicator = np.eye(orbit.max() + 1)[orbit] / np.sqrt(np.bincount(orbit))[None, :]
    _, s, vt = np.linalg.svd(indicator.T @ null, full_matrices=True)
    fixed = np.zeros(null.shape[1], dtype=bool)
    fixed[: s.size] = s > 1 - 1e-9
    return Pooled(maps, tested, scores, (null @ vt[~fixed].T).T)


@dataclass(frozen=True, eq=False)
class Robust:
    """A score test with each person's own squared residual as variance; one contrast or several.

    Valid where groups have other spreads and other numbers. Absent people are zeros, which fall
    out of both sums.

    References
    ----------
    DiCiccio and Romano (2017), doi:10.1080/01621459.2016.1202117; Chung and Romano (2013),
    doi:10.1214/13-AOS1090.
    """

    maps: NDArray[np.floating]
    tested: SplitDesign
    scores: Scores

    @property
    def bytes_a_sample(self) -> int:
        """What the prepared data of a sample take."""
        return 8 * self.tested.people

    def rows(self, moves: Moves) -> Array:
        """Return the tested part for residuals, and its products for their squares."""
        part = self.tested.part.T
        return np.concatenate([moves.rows(part), moves.rows(_products(part), signed=False)])

    def data(self, block: slice) -> tuple[Array, ...]:
        """Return unit residuals, and their squares times the number of people."""
        maps = self.maps[:, block]
        unit, there = _unit_residual(maps, self.tested, self.scores.tested[block])
        n = len(unit) if there is None else there.sum(axis=0)
        return unit, (unit * unit * n).astype(np.float32)

    def r(self, rows: Array, data: tuple[Array, ...], out: Array) -> Array:
        """Return r of a block."""
        q = self.tested.q
        score = multiply(rows[:q], data[0], out[:q])
        spread = multiply(rows[q:], data[1], out[q:])
        return _studentised(score, spread)


@dataclass(frozen=True, eq=False)
class Weighted:
    """The robust score of residuals that are weighted at each sample, around a weighted mean.

    With signs alone, no flip changes the weights, and the statistic is a mean's weighted t with
    Knapp and Hartung's standard error.

    Attributes
    ----------
    variances : ndarray, shape (people, samples)
        Squares of the maps' standard errors.
    tau2 : ndarray, shape (samples,)
        Variance between people under the null model (`connectivity.between_people`).
    flips : bool
        Whether shuffles are sign flips alone.
    """

    maps: NDArray[np.floating]
    variances: NDArray[np.floating]
    tau2: Floats
    tested: SplitDesign
    scores: Scores
    flips: bool

    def __post_init__(self) -> None:
        """Refuse what there is no formula for."""
        if self.flips and self.tested.q > 1:
            msg = "sign flips test one contrast at a time when people are weighted; ask for each"
            raise OptionError(msg)
        if not self.flips and not self.tested.constant_in_null:
            msg = "people who are weighted cannot be permuted to test a mean; use sign flips alone"
            raise OptionError(msg)

    @property
    def bytes_a_sample(self) -> int:
        """What the prepared data of a sample take."""
        return (4 if self.flips else 12) * (self.tested.people + 1)

    def rows(self, moves: Moves) -> Array:
        """Return the tested part for weighted residuals, and the rows for squares and weights."""
        part = self.tested.part.T
        if self.flips:
            return moves.rows(part)
        plain, products = moves.rows(part, signed=False), moves.rows(_products(part), signed=False)
        return np.concatenate([moves.rows(part), products, plain, plain])

    def data(self, block: slice) -> tuple[Array, ...]:
        """Return weighted residuals u; unless signs alone are flipped, also u^2, w and sum u^2."""
        edges = [*range(block.start, block.stop, PREPARED), block.stop]
        parts = [self._data(slice(start, stop)) for start, stop in pairwise(edges)]
        release(self.variances)
        return tuple(np.concatenate(same, axis=-1) for same in zip(*parts, strict=True))

    def _data(self, block: slice) -> tuple[Array, ...]:
        """Prepare few samples: what is made in float64 takes many times what comes out."""
        weighted, weights = self._weighted(block)
        if self.flips:
            part = self.tested.part[:, 0] ** 2
            squares = np.divide(weighted**2, weights, where=weights > 0, out=np.zeros_like(weights))
            size = np.sqrt((part @ weights) * squares.sum(axis=0))
            return (_divided(weighted, size).astype(np.float32),)
        n = (weights > 0).sum(axis=0)
        unit = _divided(weighted, np.sqrt((weighted**2).sum(axis=0)))
        share = _divided(weights, weights.sum(axis=0))
        squares = unit**2 * n
        arrays = unit, squares, share, squares.sum(axis=0)
        return tuple(array.astype(np.float32) for array in arrays)

    def r(self, rows: Array, data: tuple[Array, ...], out: Array) -> Array:
        """Return r of a block."""
        if self.flips:
            return multiply(rows, data[0], out)[0]
        q = self.tested.q
        pairs = q * (q + 1) // 2
        ends = np.cumsum([q, pairs, q, q])
        parts = [
            slice(stop - size, stop) for stop, size in zip(ends, (q, pairs, q, q), strict=True)
        ]
        kinds = (data[0], data[1], data[1], data[2])
        score, spread, cross, mean = (
            multiply(rows[part], kind, out[part]) for part, kind in zip(parts, kinds, strict=True)
        )
        for number, (j, k) in enumerate(combinations_with_replacement(range(q), 2)):
            spread[number] -= mean[j] * cross[k] + mean[k] * cross[j] - mean[j] * mean[k] * data[3]
        return _studentised(score, spread)

    def _weighted(self, block: slice) -> tuple[Floats, Floats]:
        """Return u = w e with e the residuals of the weighted null model, and w."""
        values, v = (array[:, block].astype(np.float64) for array in (self.maps, self.variances))
        there = np.isfinite(values) & np.isfinite(v) & (v > 0) & self.scores.tested[block]
        values[~there], v[~there] = 0, 1
        weights = there / (v + np.nan_to_num(self.tau2[block]))
        return weights * fit(self.tested.null, values, weights).residual, weights


@dataclass(frozen=True, eq=False)
class Skewed:
    """The mean's t corrected for skewness, for sign flips of a design without nuisance.

    Flips are not valid where people's values are skewed; the correction brings the error down and
    costs power where they are not.

    References
    ----------
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x.
    """

    maps: NDArray[np.floating]
    tested: SplitDesign
    scores: Scores

    def __post_init__(self) -> None:
        """Refuse designs that there is no formula for."""
        if self.tested.null.shape[1] or np.ptp(self.tested.part) > 1e-9:
            msg = "the correction for skewness is for a mean without covariates; leave one of them out"
            raise OptionError(msg)

    @property
    def bytes_a_sample(self) -> int:
        """What the prepared data of a sample take."""
        return 8 * (self.tested.people + 1)

    def rows(self, moves: Moves) -> Array:
        """Return the signs twice: for the values and for their cubes."""
        signs = moves.rows(np.ones((1, self.tested.people)))
        return np.concatenate([signs, signs])

    def data(self, block: slice) -> tuple[Array, ...]:
        """Return unit values, their cubes and the number of people."""
        maps = self.maps[:, block]
        unit, there = _unit_residual(maps, self.tested, self.scores.tested[block])
        n = np.full(unit.shape[1], len(unit)) if there is None else there.sum(axis=0)
        n = np.maximum(n, 1)
        return unit, (unit * unit * unit).astype(np.float32), n.astype(np.float32)

    def r(self, rows: Array, data: tuple[Array, ...], out: Array) -> Array:
        """Return r of a block: that of the corrected t."""
        n = data[2]
        mean = multiply(rows[:1], data[0], out[:1])[0] / n
        third = multiply(rows[1:], data[1], out[1:])[0] / n
        second = 1 / n - mean * mean
        np.maximum(second, np.float32(1e-9), out=second)
        g = (third - 3 * mean / n + 2 * mean**3) / (second * np.sqrt(second * n))
        t = mean * np.sqrt((n - 1) / second)
        t += g * t * t / 3 + g * g * t * t * t / 27 + g / 6
        return np.where(data[0].any(axis=0), t / np.sqrt(t * t + n - 1), 0).astype(np.float32)


def _studentised(score: Array, spread: Array) -> Array:
    """Return score / sqrt(spread), or the root of the quadratic form of several scores."""
    q = len(score)
    if q == 1:
        np.sqrt(np.maximum(spread[0], np.float32(1e-12), out=spread[0]), out=spread[0])
        return np.divide(score[0], spread[0], out=score[0])
    matrix = np.empty((q, q, *score.shape[1:]), dtype=np.float32)
    for number, (j, k) in enumerate(combinations_with_replacement(range(q), 2)):
        matrix[j, k] = matrix[k, j] = spread[number]
    for j in range(q):
        np.maximum(matrix[j, j], np.float32(1e-12), out=matrix[j, j])
    solved = forward(cholesky(matrix), score)
    return np.minimum(np.sqrt(np.einsum("qks,qks->ks", solved, solved)), LARGEST)


def _products(part: Floats) -> Floats:
    """Return the products of each two rows, one row each."""
    return np.array(
        [part[j] * part[k] for j, k in combinations_with_replacement(range(len(part)), 2)]
    )


def _unit_residual(
    maps: NDArray[np.floating], tested: SplitDesign, wanted: NDArray[np.bool_]
) -> tuple[Array, Floats | None]:
    """Return residuals of the null model scaled to norm 1, and who is present; None for all.

    0 for absent people, and for samples that are not wanted or do not vary. Few samples are prepared
    at once, so that what is made in float64 stays in the cache.
    """
    unit = np.empty(maps.shape, np.float32)
    presence: list[Floats | None] = []
    for at in range(0, maps.shape[1], PREPARED):
        some = slice(at, at + PREPARED)
        values, there = present(maps[:, some])
        whole = _squares(values)
        if tested.null.shape[1]:
            residual = fit(tested.null, values, there).residual
            values = residual if there is None else residual * there
        left = _squares(values)
        varies = wanted[some] & (left > NO_VARIANCE * whole)
        scale = np.divide(1, np.sqrt(left), where=varies, out=np.zeros_like(left))
        np.multiply(values, scale, out=unit[:, some], casting="same_kind")
        presence.append(there)
    if all(there is None for there in presence):
        return unit, None
    edges = np.arange(PREPARED, maps.shape[1], PREPARED)
    ones = np.split(np.ones(maps.shape), edges, axis=1)
    parts = [one if there is None else there for one, there in zip(ones, presence, strict=True)]
    return unit, np.concatenate(parts, axis=1)


def _squares(values: Floats) -> Floats:
    """Return the sum of squares of each column."""
    return np.asarray(np.einsum("ps,ps->s", values, values))


def _divided(values: Floats, size: Floats) -> Floats:
    """Divide each column; those of size 0 become 0."""
    there = size > 0
    return values * np.where(there, 1 / np.where(there, size, 1), 0)


def _share_present(tested: SplitDesign, there: Floats) -> Floats:
    """How much of the unit tested part those present have, beyond the null model: 1 for all."""
    factor = cholesky(gram(tested.basis, there))
    diagonal = np.einsum("jjs->js", factor)[-tested.q :]
    size = np.sqrt((np.where(np.isfinite(diagonal), diagonal, 1) ** 2).mean(axis=0))
    return np.where(size > 0, size, 1)
