"""The scanner: from time courses and a brain to the series of one run.

A run is a sum of parts, each a time course times a shape in space, plus noise that is coloured
in time and alike in neighbouring voxels, plus frames that a jump of the head has spoilt.
Values are in the scanner's arbitrary units; one percent of the mean image is about 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap.datasets.anatomy import Anatomy
from seedmap.datasets.timecourses import MOTION, Motion
from seedmap.datasets.truth import NOISE_KERNEL

__all__ = ["SIGNAL", "TimeCourses", "scan"]

SIGNAL = 100.0  # one percent of the mean, what resting networks show
CHUNK = 16  # frames of noise drawn at once: bounds the memory

# How strongly each artefact shows, for one standard deviation of its cause.
BODY = 60.0
COMPONENT = 25.0
DRIFT = 80.0
REALIGNED = 0.9  # share of the motion that realignment has already undone


@dataclass(frozen=True, eq=False)
class TimeCourses:
    """All that happens over time in one run."""

    motion: Motion
    """How the head moves."""

    explained: Mapping[str, NDArray[np.float64]]
    """The confounds that show in the data, each of shape (frames,)."""

    signals: NDArray[np.float64]
    """The planted regions, shape (frames, regions)."""

    noise_covariance: NDArray[np.float64]
    """Covariance of one voxel's noise, in squared scanner units, shape (frames, frames)."""


def scan(
    rng: np.random.Generator,
    run: TimeCourses,
    anatomy: Anatomy,
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the series of one run, shape (frames, samples).

    Parameters
    ----------
    rng
        Source of chance.
    run
        What happens over time.
    anatomy
        The brain.
    weights
        The weight of each region in each sample, shape (regions, samples).
    """
    series = _coloured_noise(rng, anatomy.brain, run.noise_covariance)
    sources, shapes = _parts(rng, run, anatomy, weights)
    series += sources.astype(np.float32) @ shapes.astype(np.float32)
    for frame in run.motion.bad_frames:
        series[frame] += _spoilt_slices(rng, anatomy)
    return series


def _coloured_noise(
    rng: np.random.Generator, brain: NDArray[np.bool_], covariance: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Noise that is coloured in time and alike in neighbours, (frames, samples)."""
    n_frames = len(covariance)
    white = np.empty((n_frames, int(brain.sum())), dtype=np.float32)
    for start in range(0, n_frames, CHUNK):
        stop = min(start + CHUNK, n_frames)
        volumes = rng.standard_normal((stop - start, *brain.shape), dtype=np.float32)
        for axis in (1, 2, 3):
            volumes = _blend(volumes, axis)
        white[start:stop] = volumes[:, brain]
    level = np.sqrt(covariance[0, 0])
    root = level * np.linalg.cholesky(covariance / level**2) if level else covariance
    return root.astype(np.float32) @ white


def _blend(volumes: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Mix each voxel with its two neighbours along an axis."""
    side, centre, _ = NOISE_KERNEL.astype(np.float32)
    mixed = centre * volumes
    lower, upper = np.moveaxis(mixed, axis, 0), np.moveaxis(volumes, axis, 0)
    lower[1:] += side * upper[:-1]
    lower[:-1] += side * upper[1:]
    return mixed


def _parts(
    rng: np.random.Generator,
    run: TimeCourses,
    anatomy: Anatomy,
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Write all but the noise as time courses times shapes: (frames, parts), (parts, samples)."""
    n_frames, n_samples = len(run.signals), weights.shape[1]
    ramp = np.linspace(-1, 1, n_frames)
    drifts = np.stack([ramp, np.cos(np.pi * (np.arange(n_frames) + 0.5) / n_frames)], axis=1)
    names = [name for name in run.explained if name not in MOTION]
    columns = np.stack([run.explained[name] for name in names], axis=1)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    motion = run.motion.parameters - run.motion.parameters[0]
    sources = [np.ones((n_frames, 1)), run.signals, drifts, motion, columns]
    shapes = [
        anatomy.base[None],
        SIGNAL * weights,
        DRIFT * rng.standard_normal((2, n_samples)),
        (1 - REALIGNED) * _shifts(anatomy),
        np.stack([_shape_of(name, anatomy, rng) for name in names]),
    ]
    return np.concatenate(sources, axis=1), np.concatenate(shapes)


def _shape_of(name: str, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.floating]:
    """Where one standard deviation of a confound shows, and how strongly, (samples,)."""
    if name == "framewise_displacement":
        return 0.5 * BODY * anatomy.edge
    if name == "csf":
        return BODY * (0.4 + anatomy.fluid)
    if name == "white_matter":
        return BODY * (0.4 + anatomy.white)
    where = 0.3 + anatomy.white + anatomy.fluid
    return COMPONENT * where * rng.standard_normal(where.size)


def _shifts(anatomy: Anatomy) -> NDArray[np.float64]:
    """Change of the image for 1 mm along, and 1 radian about, each axis, (6, samples)."""
    volume = np.zeros(anatomy.brain.shape)
    volume[anatomy.brain] = anatomy.base
    step = anatomy.affine[0, 0]
    slope = np.stack([part[anatomy.brain] for part in np.gradient(volume, step)])
    turn = np.cross(anatomy.coordinates, slope.T).T
    return -np.concatenate([slope, turn])


def _spoilt_slices(rng: np.random.Generator, anatomy: Anatomy) -> NDArray[np.floating]:
    """Draw what a jump adds to a frame: slices fade or flare, most at the edge, (samples,)."""
    slices = np.asarray(rng.uniform(-0.08, 0.03, size=anatomy.brain.shape[2]))
    return anatomy.base * slices[np.nonzero(anatomy.brain)[2]] * (0.3 + anatomy.edge)
