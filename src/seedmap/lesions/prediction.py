"""What the maps of lesions add to the prediction of a score, beyond size and place.

A patient's map is compared with the map of the association in the others. Both are sums over
lesions, so that their correlation follows from the products of the lesions' maps with each other:
no fold and no shuffle touches a sample again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.shuffle.philox import random_bits

__all__ = ["Predicted", "likeness_products", "predict"]

Floats = NDArray[np.float64]

FOLDS = 10


@dataclass(frozen=True, eq=False)
class Predicted:
    """Prediction of a score in patients that were left out.

    Attributes
    ----------
    score : ndarray, shape (patients,)
        As it is.
    fold : ndarray of int, shape (patients,)
        In which fold each was left out.
    size, baseline, full : ndarray, shape (patients,)
        Predicted by volume and covariates; with the likeness to the expected map; with the likeness
        to the map of the association in the others.
    p : float
        Of the gain in squared error of ``full`` over ``baseline``, by shuffled residuals of the
        baseline; NaN without shuffles.
    """

    score: Floats
    fold: NDArray[np.intp]
    size: Floats
    baseline: Floats
    full: Floats
    p: float

    def r2(self, name: str) -> float:
        """Share of the squared error of the mean of all others that a prediction takes away.

        Below 0 where the prediction is worse than that mean.
        """
        mean = np.array([self.score[self.fold != fold].mean() for fold in self.fold])
        left = ((self.score - getattr(self, name)) ** 2).sum()
        return float(1 - left / ((self.score - mean) ** 2).sum())

    @property
    def gain(self) -> float:
        """What `full` has of R2 beyond `baseline`."""
        return self.r2("full") - self.r2("baseline")


def likeness_products(
    maps: NDArray[np.floating], expected: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Return what predictions need of the maps.

    Parameters
    ----------
    maps
        Of the lesions, shape (lesions, samples), NaN where one does not count: there it is taken to
        be the mean of the others.
    expected
        The map that lesions of these places have, shape (samples,).

    Returns
    -------
    products : ndarray, shape (lesions, lesions)
        Of the maps, each with its mean over samples taken away.
    likeness : ndarray, shape (lesions,)
        Correlation over samples of each map with the expected one.
    """
    known = np.isfinite(maps).any(axis=0) & np.isfinite(expected)
    values = maps[:, known].astype(np.float64)
    values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    values -= values.mean(axis=1, keepdims=True)
    other = expected[known] - expected[known].mean()
    products = values @ values.T
    size = np.sqrt(np.diag(products)) * np.linalg.norm(other)
    return products, values @ other / np.where(size > 0, size, np.inf)


def predict(
    score: NDArray[np.floating],
    beside: NDArray[np.floating],
    products: Floats,
    likeness: Floats,
    *,
    number: int = 1000,
    seed: int = 0,
) -> Predicted:
    """Predict a score in ten folds, and test what the map of the association adds.

    Parameters
    ----------
    score
        Shape (patients,).
    beside
        Constant, volume and covariates, shape (patients, columns).
    products, likeness
        Of `likeness_products`.
    number, seed
        Shuffles, 0 for none, and the seed of their generator.

    Notes
    -----
    The patients that the map is made of are compared with the map of the others among them, since
    each is like a map that it is part of.
    """
    y = np.asarray(score, np.float64)
    base = np.column_stack([beside, likeness])
    keys, _ = random_bits(seed, np.arange(number + 1), y.size)
    fold = np.empty(y.size, np.intp)
    fold[np.argsort(keys[0])] = np.arange(y.size) % FOLDS
    fitted = base @ np.linalg.lstsq(base, y, rcond=None)[0]
    orders = np.argsort(keys, axis=1)
    orders[0] = np.arange(y.size)
    scores = fitted + (y - fitted)[orders]
    baseline = _crossed(base, scores, fold)
    full = _with_map(base, np.asarray(beside, np.float64), scores, products, fold)
    gains = ((scores - baseline) ** 2).sum(axis=1) - ((scores - full) ** 2).sum(axis=1)
    p = float((gains >= gains[0] - 1e-9 * abs(gains[0])).mean()) if number else float("nan")
    size = _crossed(np.asarray(beside, np.float64), y[None], fold)[0]
    return Predicted(y, fold, size, baseline[0], full[0], p)


def _crossed(columns: Floats, scores: Floats, fold: NDArray[np.intp]) -> Floats:
    """Predict scores (shuffles, patients) of each fold by columns, fitted in the others."""
    found = np.empty_like(scores)
    for one in range(FOLDS):
        out = fold == one
        found[:, out] = scores[:, ~out] @ np.linalg.pinv(columns[~out]).T @ columns[out].T
    return found


def _with_map(
    base: Floats, beside: Floats, scores: Floats, products: Floats, fold: NDArray[np.intp]
) -> Floats:
    """Predict scores with the likeness to the map of the association, made in each fold anew."""
    found = np.empty_like(scores)
    own = np.sqrt(np.diag(products))
    for one in range(FOLDS):
        out = fold == one
        basis, _ = np.linalg.qr(beside[~out])
        inside, across = products[np.ix_(~out, ~out)], products[np.ix_(~out, out)]
        old, size, left = _likeness_inside(basis, scores[:, ~out], inside)
        new = _divided(left @ across, size[:, None] * own[out])
        likeness = _divided(old, own[~out]), new
        found[:, out] = _fitted_with(base[~out], base[out], scores[:, ~out], likeness)
    return found


def _likeness_inside(
    basis: Floats, scores: Floats, products: Floats
) -> tuple[Floats, Floats, Floats]:
    """Compare each patient's map with that of the association in the others.

    Residual scores without patient i are e + d (h - u), with h row i of the hat matrix, u the unit
    vector and d = e_i / (1 - h_ii): nothing is fitted again.

    Returns
    -------
    likeness : ndarray, shape (shuffles, patients)
        Product of each map with the others' association, over the norm of the latter.
    size : ndarray, shape (shuffles,)
        Norm of the association of all.
    left : ndarray, shape (shuffles, patients)
        Residual scores of all.
    """
    hat = basis @ basis.T
    left = scores - scores @ hat
    step = left / np.maximum(1 - np.diag(hat), 1e-9)
    change = hat - np.eye(len(hat))
    moved = change @ products
    along = left @ products
    square = (along * left).sum(axis=1, keepdims=True)
    without = square + 2 * step * (along @ change.T) + step**2 * (moved * change).sum(axis=1)
    likeness = _divided(along + step * np.diag(moved), np.sqrt(np.maximum(without, 0)))
    return likeness, np.sqrt(np.maximum(square[:, 0], 0)), left


def _divided(values: Floats, size: Floats) -> Floats:
    """Divide, with 0 where the divisor is 0."""
    return np.divide(values, size, out=np.zeros_like(values), where=size > 0)


def _fitted_with(
    old_base: Floats, new_base: Floats, scores: Floats, likeness: tuple[Floats, Floats]
) -> Floats:
    """Predict by the base and one more column, which differs between shuffles."""
    old, new = likeness
    inverse = np.linalg.pinv(old_base)
    beyond = old - old @ inverse.T @ old_base.T
    size = (beyond**2).sum(axis=1, keepdims=True)
    slope = (beyond * scores).sum(axis=1, keepdims=True) / np.where(size > 1e-12, size, np.inf)
    return (scores - slope * old) @ inverse.T @ new_base.T + slope * new
