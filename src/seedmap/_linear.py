"""The linear model at every sample at once: what a contrast tests, and least squares.

A design of few columns meets maps of many samples, and each sample may have weights of its own
(people who are absent weigh 0). So the small matrices are factorised for all samples together,
with the samples along the last axis. The basis of a design has the tested part last: then the
last entries of the factorised right side are all that a test needs.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap.errors import OptionError

__all__ = ["Fit", "SplitDesign", "cholesky", "fit", "forward", "present", "split_design"]

Floats = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.floating[Any])

# Directions of a design below this share of its largest do not count: columns repeat each other.
DEPENDENT = 1e-9
# A pivot below this share of its diagonal is rounding: the column depends on those before it.
SMALLEST_PIVOT = 1e-10


@dataclass(frozen=True, eq=False)
class SplitDesign:
    """A design split by a contrast: what the null model keeps, and what is tested.

    Attributes
    ----------
    null : ndarray, shape (people, columns)
        Orthonormal basis of the null model; may have no columns.
    part : ndarray, shape (people, q)
        Orthonormal basis of what the design has beyond the null model. For one contrast it is
        one unit vector, whose sign is the contrast's.
    scale : float
        The contrast's value is this times the coefficient of `part`; NaN for several contrasts.
    """

    null: Floats
    part: Floats
    scale: float

    @property
    def people(self) -> int:
        """Number of participants."""
        return len(self.part)

    @property
    def q(self) -> int:
        """Number of directions tested together; 1 gives a t, more give an F."""
        return self.part.shape[1]

    @property
    def basis(self) -> Floats:
        """Orthonormal basis of the whole design, the tested part last."""
        return np.hstack([self.null, self.part])

    @property
    def dof(self) -> int:
        """Residual degrees of freedom where all are present."""
        return self.people - self.null.shape[1] - self.q

    @property
    def constant_in_null(self) -> bool:
        """Whether the null model has a constant, so that people can be exchanged under it."""
        ones = np.full(self.people, self.people**-0.5)
        return bool(1 - ((self.null.T @ ones) ** 2).sum() < DEPENDENT)


def split_design(design: ArrayLike, contrast: ArrayLike) -> SplitDesign:
    """Split a design into the null model of a contrast and what the contrast tests.

    The null model is spanned by ``X b`` with ``C b = 0``; it is not a choice of columns, since
    a contrast of two slopes leaves what they have in common in it.

    Parameters
    ----------
    design
        X, shape (people, columns).
    contrast
        C, shape (columns,) or (contrasts, columns).

    Returns
    -------
    SplitDesign

    Raises
    ------
    OptionError
        If the contrast is empty, fits another number of columns or cannot be estimated, or if
        no degrees of freedom are left.

    Examples
    --------
    >>> groups = np.repeat(np.eye(2), 3, axis=0)
    >>> split_design(groups, [1, -1]).part[:, 0].round(3)
    array([ 0.408,  0.408,  0.408, -0.408, -0.408, -0.408])
    """
    x = np.asarray(design, dtype=np.float64)
    c = np.atleast_2d(np.asarray(contrast, dtype=np.float64))
    if c.shape[1] != x.shape[1]:
        msg = f"the contrast has {c.shape[1]} weights and the design {x.shape[1]} columns; give one each"
        raise OptionError(msg)
    norms = np.linalg.norm(x, axis=0)
    norms[norms == 0] = 1
    u, s, vt = np.linalg.svd(x / norms, full_matrices=False)
    rank = int((s > DEPENDENT * s[0]).sum())
    u, s, vt = u[:, :rank], s[:rank], vt[:rank]
    weights = c / norms
    _check_estimable(weights, vt, len(x) - rank)
    raw = u @ ((vt @ weights.T) / s[:, None])
    part, scale = _tested_part(raw)
    rest, _, _ = np.linalg.svd(u - part @ (part.T @ u), full_matrices=False)
    return SplitDesign(rest[:, : rank - part.shape[1]], part, scale)


def _check_estimable(weights: Floats, vt: Floats, dof: int) -> None:
    """Refuse a contrast that the design does not determine, or that leaves nothing over."""
    if not weights.any():
        msg = "the contrast has no weight other than 0; name a column or a difference of levels"
        raise OptionError(msg)
    outside = weights - weights @ vt.T @ vt
    if np.abs(outside).max() > 1e-6 * np.abs(weights).max():
        msg = (
            "the contrast cannot be estimated, since columns of the design repeat each other; take "
            "one of them out"
        )
        raise OptionError(msg)
    if dof < 1:
        msg = (
            "the design has as many independent columns as people; use fewer columns or more people"
        )
        raise OptionError(msg)


def _tested_part(raw: Floats) -> tuple[Floats, float]:
    """Make the tested columns orthonormal; one keeps its sign and its length."""
    if raw.shape[1] == 1:
        length = float(np.linalg.norm(raw))
        return raw / length, length
    u, s, _ = np.linalg.svd(raw, full_matrices=False)
    return u[:, s > DEPENDENT * s[0]], np.nan


@dataclass(frozen=True, eq=False)
class Fit:
    """Least squares at many samples; columns that cannot be determined have coefficient 0.

    Attributes
    ----------
    factor : ndarray, shape (columns, columns, samples)
        Lower Cholesky factor L of the weighted Gram matrix; a diagonal of inf marks a column that
        depends on those before it.
    scores : ndarray, shape (columns, samples)
        ``L^-1 B'Wy``: the squares of the last q sum to what the last q columns explain.
    residual : ndarray, shape (people, samples)
        ``y - B b``, at all people.
    """

    factor: Floats
    scores: Floats
    residual: Floats

    @property
    def diagonal(self) -> Floats:
        """Diagonal of the factor, shape (columns, samples)."""
        return np.einsum("jjs->js", self.factor)

    @property
    def rank(self) -> NDArray[np.int64]:
        """Columns that are determined, shape (samples,)."""
        return np.isfinite(self.diagonal).sum(axis=0)


def fit(basis: Floats, values: Floats, weights: Floats | None = None) -> Fit:
    """Fit a basis to every sample.

    Parameters
    ----------
    basis
        Shape (people, columns); orthonormal where there are no weights.
    values
        Shape (people, samples), finite.
    weights
        Shape (people, samples), 0 or more; None weighs all alike.
    """
    columns, samples = basis.shape[1], values.shape[1]
    if weights is None:
        scores = basis.T @ values
        factor = np.broadcast_to(np.eye(columns)[:, :, None], (columns, columns, samples))
        # One column is spread by broadcasting: the product has no fast way for it.
        explained = basis * scores if columns == 1 else basis @ scores
        return Fit(factor, scores, values - explained)
    factor = cholesky(gram(basis, weights))
    scores = forward(factor, basis.T @ (weights * values))
    return Fit(factor, scores, values - basis @ backward(factor, scores))


def gram(basis: Floats, weights: Floats) -> Floats:
    """Return B'WB of every sample, shape (columns, columns, samples)."""
    people, columns = basis.shape
    products = (basis[:, :, None] * basis[:, None, :]).reshape(people, columns**2)
    return (products.T @ weights).reshape(columns, columns, weights.shape[1])


def cholesky(gram: NDArray[Scalar]) -> NDArray[Scalar]:
    """Factorise many small Gram matrices, shape (columns, columns, ...)."""
    factor = np.zeros_like(gram)
    for j in range(len(gram)):
        pivot = gram[j, j] - (factor[j, :j] ** 2).sum(axis=0)
        sound = pivot > np.maximum(SMALLEST_PIVOT * gram[j, j], 0)
        factor[j, j] = np.where(sound, np.sqrt(np.maximum(pivot, 0)), np.inf)
        for i in range(j + 1, len(gram)):
            explained = (factor[i, :j] * factor[j, :j]).sum(axis=0)
            factor[i, j] = (gram[i, j] - explained) / factor[j, j]
    return factor


def forward(factor: NDArray[Scalar], right: NDArray[Scalar]) -> NDArray[Scalar]:
    """Solve L z = right, all of shape (columns, ...) beside their samples."""
    solved = np.zeros_like(right)
    for j in range(len(factor)):
        solved[j] = (right[j] - (factor[j, :j] * solved[:j]).sum(axis=0)) / factor[j, j]
    return solved


def backward(factor: Floats, right: Floats) -> Floats:
    """Solve L' b = right."""
    solved = np.zeros_like(right)
    for j in reversed(range(len(factor))):
        later = (factor[j + 1 :, j] * solved[j + 1 :]).sum(axis=0)
        solved[j] = (right[j] - later) / factor[j, j]
    return solved


def present(maps: NDArray[np.floating]) -> tuple[Floats, Floats | None]:
    """Return values with 0 for absent people, and 1 and 0 for present and absent; None if all are."""
    values, there = maps.astype(np.float64), np.isfinite(maps)
    if there.all():
        return values, None
    values[~there] = 0
    return values, there.astype(np.float64)
