"""How often 95 % intervals hold the true correlation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from seedmap.connectivity import effective_dof, infer, noise_tables, seed_kernels, seed_lags
from seedmap.temporal import Cleaning, CleaningOperator, cleaning_operator
from simulation.noises import NOISE
from simulation.pairs import BAND, NO_FILTER, correlation

Array = NDArray[np.float64]

MEMORY = {"white": 0.0, "AR.5": 0.5, "AR.8": 0.8, "AR.9": 0.9}
PAIRS_TOGETHER = 200


class Planted(NamedTuple):
    """Pairs that share a part; ``own`` are the shares of variance that are each one's own."""

    says: str
    shared: str
    noise: tuple[str, str]
    own: tuple[float, float]
    cleaning: Cleaning = NO_FILTER
    confounds: int = 6
    least: float = 92.0
    before: float | None = None


NINES, WHITES = ("AR.9", "AR.9"), ("white", "white")
PLANTED = [
    Planted("run C, rho 0", "AR.5", ("AR.5", "AR.5"), (1.0, 1.0), BAND, 14, 93.5),
    Planted("run C, rho .3", "AR.5", ("AR.5", "AR.5"), (0.0, 0.91), BAND, 14, 93.5),
    Planted("run C, rho .7", "AR.5", ("AR.5", "AR.5"), (0.0, 0.51), BAND, 14, 93.5),
    Planted("white on AR.9, rho .71", "white", NINES, (0.0, 0.5), NO_FILTER, 0, before=76.0),
    Planted("white on AR.9, 6 confounds", "white", NINES, (0.0, 0.5), least=89.0),
    Planted("white on AR.9, both", "white", NINES, (0.3, 0.3), NO_FILTER, 0, 90.0),
    Planted("white on AR.9, both, band", "white", NINES, (0.3, 0.3), BAND, 14),
    Planted("AR.9 on white, rho .71", "AR.9", WHITES, (0.0, 0.5)),
    Planted("AR.9 on white, both", "AR.9", WHITES, (0.15, 0.15)),
    Planted("AR.8 on AR.5, both, band", "AR.8", ("AR.5", "AR.5"), (0.4, 0.4), BAND, 14),
]


def coverage(case: Planted, pairs: int, seed: int) -> float:
    """Give the share of 95 % intervals that hold the true correlation, in percent."""
    rng = np.random.default_rng([seed, *case.says.encode()])
    inside: list[Array] = []
    while sum(map(len, inside)) < pairs:
        confounds = NOISE["AR.9"](rng, 200, case.confounds)
        made = cleaning_operator(case.cleaning, np.ones(200, dtype=bool), 2.0, confounds)
        common = NOISE[case.shared](rng, 200, PAIRS_TOGETHER)
        x, y = (
            np.sqrt(1 - own) * common + np.sqrt(own) * NOISE[kind](rng, 200, PAIRS_TOGETHER)
            for kind, own in zip(case.noise, case.own, strict=True)
        )
        r = correlation(made.L @ x, made.L @ y)
        error = np.abs(np.arctanh(r) - np.arctanh(true_correlation(case, made)))
        inside.append(error < special.ndtri(0.975) * standard_errors(made, r, x, y))
    return 100 * float(np.mean(np.concatenate(inside)))


def standard_errors(made: CleaningOperator, r: Array, x: Array, y: Array) -> Array:
    """Give the standard error of every pair: the diagonal of all seeds with all samples."""
    tables = noise_tables(made)
    kernels = seed_kernels(tables, seed_lags(tables, made.rows, x), made.residuals(x))
    dof, ratio = (np.diagonal(one) for one in effective_dof(kernels, made.residuals(y)))
    return infer(r, dof, tables.rank, ratio).se


def true_correlation(case: Planted, made: CleaningOperator) -> float:
    """Give the correlation of the cleaned series, from their covariances."""
    passing = made.rows.T @ made.rows

    def size(kind: str) -> float:
        return float(np.sum(passing * linalg.toeplitz(MEMORY[kind] ** np.arange(len(passing)))))

    shared = size(case.shared)
    total = [
        (1 - own) * shared + own * size(kind)
        for kind, own in zip(case.noise, case.own, strict=True)
    ]
    both = np.prod([1 - own for own in case.own])
    return float(np.sqrt(both / np.prod(total)) * shared)


def intervals(pairs: int, seed: int) -> list[dict[str, object]]:
    """Try all cases."""
    rows = []
    for case in PLANTED:
        found = coverage(case, pairs, seed)
        rows.append(
            {
                "says": f"95 % interval, {case.says}",
                "found": found,
                "wanted": f">= {case.least:g}",
                "before": case.before,
                "good": found >= case.least,
            }
        )
    return rows
