"""One contrast over people at many samples, in single precision and without a solve a sample.

People who have no value at a sample are absent there. Those present form few patterns over the
brain; for each, the design is made orthonormal once, the tested part last. A sample then takes the
product of its values with the rows of its pattern: scores s = H z and residuals e = z - H's, of which
t = s_last / sqrt(e'e / dof), or of q tested rows F = s_last's_last / q / (e'e / dof). The numbers are
those of `seedmap.connectivity.ols`.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import SplitDesign, cholesky, forward, gram

__all__ = ["PatternedTest", "Patterns", "contrast_maps", "find_patterns", "patterned_test"]

Floats = NDArray[np.float32]

# Of the sum of squares: what is left below this is rounding of float32, and there is no variance.
NO_VARIANCE = np.float32(1e-11)
LARGEST = np.float32(1 - 1e-6)


@dataclass(frozen=True, eq=False)
class Patterns:
    """Which columns of a table are present together.

    Attributes
    ----------
    of : ndarray of int32, shape (samples,)
        Pattern of each sample.
    rows : ndarray of bool, shape (patterns, columns)
        Who is present.
    most : int
        The pattern of most samples.
    """

    of: NDArray[np.int32]
    rows: NDArray[np.bool_]
    most: int


def find_patterns(present: NDArray[np.bool_]) -> Patterns:
    """Find the patterns of a table, shape (samples, columns)."""
    packed = np.packbits(present, axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    return Patterns(of.astype(np.int32), present[first], int(np.bincount(of).argmax()))


@dataclass(frozen=True, eq=False)
class PatternedTest:
    """A contrast, for each pattern of people present.

    Attributes
    ----------
    rows : ndarray of float32, shape (patterns, columns, people)
        Orthonormal rows that span the design of those present, the tested part last.
    present : ndarray of float32, shape (patterns, people)
        1 for people present, 0 for others.
    scale : ndarray of float32, shape (patterns,)
        The contrast's value is this times the last score; NaN where it is not tested, or has several
        rows.
    dof : ndarray of float32, shape (patterns,)
        Residual degrees of freedom; NaN where the contrast is not tested.
    n : ndarray of int, shape (patterns,)
        People present.
    part : ndarray of float32, shape (people, q)
        The tested part of the whole design, for the robust statistic.
    robust : bool
        Whether each person's own squared residual stands for the variance.
    """

    rows: Floats
    present: Floats
    scale: Floats
    dof: Floats
    n: NDArray[np.int64]
    part: Floats
    robust: bool

    @property
    def q(self) -> int:
        """Rows that are tested together: 1 gives t, more give F."""
        return self.part.shape[1]


def patterned_test(
    tested: SplitDesign, present: NDArray[np.bool_], *, fewest: int = 1, robust: bool = False
) -> PatternedTest:
    """Prepare a contrast for patterns of people.

    Parameters
    ----------
    tested
        The design and the contrast.
    present
        Who is present in each pattern, shape (patterns, people).
    fewest
        People that a sample must have to be tested.
    robust
        See `PatternedTest`.
    """
    weights = present.T.astype(np.float64)
    factor = cholesky(gram(tested.basis, weights))
    right = tested.basis.T[:, :, None] * weights[None]
    rows = np.nan_to_num(forward(factor[:, :, None, :], right))
    diagonal = np.einsum("jjs->js", factor)
    n = present.sum(axis=1)
    dof = (n - np.isfinite(diagonal).sum(axis=0)).astype(np.float64)
    known = np.isfinite(diagonal[-tested.q :]).all(axis=0) & (dof >= 1) & (n >= fewest)
    with np.errstate(invalid="ignore"):
        scale = np.where(known, tested.scale / diagonal[-1], np.nan)
    return PatternedTest(
        rows=np.ascontiguousarray(rows.transpose(2, 0, 1), dtype=np.float32),
        present=present.astype(np.float32),
        scale=scale.astype(np.float32),
        dof=np.where(known, dof, np.nan).astype(np.float32),
        n=n,
        part=tested.part.astype(np.float32),
        robust=robust,
    )


def contrast_maps(
    values: Floats, of: NDArray[np.int32], most: int, test: PatternedTest
) -> tuple[Floats, Floats]:
    """Estimate and test the contrast at some samples.

    Parameters
    ----------
    values
        Shape (samples, people); any finite number where a person is absent.
    of
        Pattern of each sample.
    most
        The pattern of most samples.
    test
        The contrast.

    Returns
    -------
    effect, t : ndarray of float32, shape (samples,)
        NaN where the contrast is not tested, or people do not vary. Of several rows no effect, and F.
    """
    rows = test.rows[most]
    there = values if test.n[most] == rows.shape[1] else values * test.present[most]
    scores = there @ rows.T
    residual = there - scores @ rows
    others = np.flatnonzero(of != most)
    if others.size:
        patterns = of[others]
        there = values[others] * test.present[patterns]
        scores[others], residual[others] = _one_by_one(there, test.rows[patterns])
    return _statistics(scores, residual, of, test)


def _one_by_one(there: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return the scores and the residuals of samples with rows of their own."""
    scores = np.matmul(rows, there[:, :, None])
    explained = np.matmul(scores.transpose(0, 2, 1), rows)[:, 0]
    return scores[:, :, 0], there - explained


def _statistics(
    scores: Floats, residual: Floats, of: NDArray[np.int32], test: PatternedTest
) -> tuple[Floats, Floats]:
    tested, dof = scores[:, -test.q :], test.dof[of]
    effect = test.scale[of] * tested[:, -1]
    left = np.einsum("sp,sp->s", residual, residual)
    with np.errstate(invalid="ignore", divide="ignore"):
        nothing = left <= NO_VARIANCE * (left + np.einsum("sc,sc->s", scores, scores))
        if test.robust:
            t = _robust(tested, residual, of, test)
        elif test.q == 1:
            t = tested[:, 0] / np.sqrt(left / dof)
        else:
            t = np.einsum("sq,sq->s", tested, tested) / test.q / (left / dof)
    t[nothing] = np.nan
    effect[nothing | ~np.isfinite(dof)] = np.nan
    return effect, t


def _robust(tested: Floats, residual: Floats, of: NDArray[np.int32], test: PatternedTest) -> Floats:
    """Return t, or F, of the score test of residuals of the null model."""
    null = residual
    for number in range(test.q):
        null = null + tested[:, number, None] * test.rows[of, number - test.q]
    n, dof, scores = test.n[of], test.dof[of], null @ test.part
    squares = np.square(null, out=null)
    if test.q == 1:
        spread = squares @ (test.part[:, 0] ** 2) * n
        r = np.clip(scores[:, 0] / np.sqrt(spread), -LARGEST, LARGEST)
        return (r * np.sqrt(dof / (1 - r * r))).astype(np.float32)
    matrix = np.empty((test.q, test.q, len(null)), np.float32)
    for j, k in combinations_with_replacement(range(test.q), 2):
        matrix[j, k] = matrix[k, j] = squares @ (test.part[:, j] * test.part[:, k]) * n
    solved = forward(cholesky(matrix), scores.T)
    share = np.minimum(np.einsum("qs,qs->s", solved, solved), LARGEST * LARGEST)
    return (share / test.q * dof / (1 - share)).astype(np.float32)
