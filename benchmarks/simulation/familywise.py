"""How often a map of nothing has a significant sample or cluster, and how often a planted one has."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse, special

from seedmap.connectivity import (
    NullMaps,
    corrected_p,
    draw_noise,
    effective_dof,
    frame_variance,
    largest_cluster,
    noise_autocovariance,
    noise_tables,
    quick_z,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.correlation import unit_seeds
from seedmap.temporal import Cleaning, CleaningOperator, cleaning_operator
from simulation.noises import NOISE, SCALES, censor
from simulation.pairs import BAND, HIGH_PASS, NO_FILTER

Array = NDArray[np.float64]

SIDE, FWHM = 14, 3.5  # voxels along each edge; smoothness in voxels
PLANTED = 60  # voxels that follow the seed, where something is planted
SHARED = 0.3  # of the brain's variance: a global signal
FORMING = 3.2905  # p < .001


class Setting(NamedTuple):
    """One kind of run."""

    says: str
    cleaning: Cleaning
    kind: str = "AR.5"
    scale: str = ""
    censored: float = 0.0
    effect: float = 0.4
    """What is planted, over the standard deviation of the brain."""


SETTINGS = [
    Setting("no filter", NO_FILTER),
    Setting("band", BAND, effect=0.65),
    Setting("band, bursts", BAND, scale="bursts x 4", effect=0.9),
    Setting("high-pass, censored", HIGH_PASS, "AR(4)", censored=0.15, effect=0.45),
]


class Found(NamedTuple):
    """What was found in one map."""

    fwe: float
    cluster: float
    power: float
    bonferroni: float


def neighbours() -> Any:
    """Give the graph of voxels that share faces in a cube."""
    number = np.arange(SIDE**3).reshape(SIDE, SIDE, SIDE)
    pairs = [
        np.stack([np.delete(number, end, axis).ravel() for end in (-1, 0)]) for axis in range(3)
    ]
    edges = np.hstack(pairs)
    graph = sparse.coo_array((np.ones(edges.shape[1], np.int8), edges), shape=(SIDE**3, SIDE**3))
    return (graph + graph.T).tocsr()


def draw_brain(
    rng: np.random.Generator, setting: Setting, effect: float
) -> tuple[CleaningOperator, NDArray[np.float32], Array]:
    """Draw a run of 200 frames with a global signal, and a seed that only planted voxels follow."""
    keep = censor(rng, 200, setting.censored)
    made = cleaning_operator(setting.cleaning, keep, 2.0, NOISE["AR.9"](rng, 200, 14))
    scale = SCALES[setting.scale](rng, 200)[:, None]
    own = NOISE[setting.kind](rng, 200, SIDE**3).reshape(200, SIDE, SIDE, SIDE)
    own = ndimage.gaussian_filter(own, (0, *(FWHM / 2.355,) * 3), mode="wrap").reshape(200, -1)
    shared, seed = NOISE[setting.kind](rng, 200, 2).T[:, :, None]
    brain = np.sqrt(1 - SHARED) * own / own.std() + np.sqrt(SHARED) * shared
    brain[:, :PLANTED] += effect * seed
    on = made.keep
    return made, (scale * brain)[on].astype(np.float32), (scale * seed)[on]


def try_one(
    rng: np.random.Generator, setting: Setting, draws: int, graph: Any, effect: float = 0.0
) -> Found:
    """Draw a run and a seed; correct the seed's map over the brain."""
    made, brain, seed = draw_brain(rng, setting, effect)
    residuals = made.residuals(brain)
    tables = noise_tables(
        made, frame_variance(residuals[:, ::3], made.noise_basis), intervals=False
    )
    cleaned = made.rows.astype(np.float32) @ brain
    cleaned /= np.linalg.norm(cleaned, axis=0)
    noise = noise_autocovariance(tables, made.residuals(seed))
    nulls = draw_noise(rng, tables, np.repeat(noise, draws, axis=1))
    maps = NullMaps(
        unit_seeds(made.rows @ nulls, nulls).astype(np.float32),
        seed_kernels(tables, seed_lags(tables, made.rows, nulls)),
        FORMING,
        np.ones(SIDE**3, dtype=bool),
    )
    maps.add(slice(0, SIDE**3), cleaned, residuals)
    dof = effective_dof(seed_kernels(tables, seed_lags(tables, made.rows, seed)), residuals).dof
    r = unit_seeds(made.rows @ seed, seed).astype(np.float32).T @ cleaned
    z = quick_z(r, np.minimum(dof, np.float32(tables.rank)))[0]
    ones = np.ones(SIDE**3)
    largest = max(
        largest_cluster(graph, ones, np.flatnonzero(sign * z > FORMING)) for sign in (1, -1)
    )
    p = corrected_p(np.abs(z), maps.largest_z)
    bonferroni = 2 * special.ndtr(-np.abs(z)) * SIDE**3
    return Found(
        fwe=p.min(),
        cluster=float(
            corrected_p(largest, maps.largest_clusters(graph.indptr, graph.indices, ones))
        ),
        power=float(np.mean(p[:PLANTED] < 0.05)),
        bonferroni=float(np.mean(bonferroni[:PLANTED] < 0.05)),
    )


def familywise(maps: int, draws: int, seed: int) -> list[dict[str, object]]:
    """Try all settings: null maps, and a tenth as many with something planted."""
    graph, rows = neighbours(), []
    for setting in SETTINGS:
        rng = np.random.default_rng([seed, *setting.says.encode()])
        nothing = [try_one(rng, setting, draws, graph) for _ in range(maps)]
        planted = [
            try_one(rng, setting, draws, graph, setting.effect) for _ in range(max(maps // 10, 1))
        ]
        fwe, cluster = (
            100 * float(np.mean([getattr(one, name) < 0.05 for one in nothing]))
            for name in ("fwe", "cluster")
        )
        power, bonferroni = (
            100 * float(np.mean([getattr(one, name) for one in planted]))
            for name in ("power", "bonferroni")
        )
        good = all(2.5 <= rate <= 7.5 for rate in (fwe, cluster)) and power > bonferroni
        rows.append(
            {
                "says": setting.says,
                "fwe": fwe,
                "cluster": cluster,
                "power": power,
                "bonferroni": bonferroni,
                "good": good,
            }
        )
    return rows
