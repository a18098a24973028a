"""What is planted in a phantom, and the map that should be found.

The phantom holds nine regions. Each has one time course, and the correlations between these
are planted exactly: after the recommended cleaning of `Truth` the time courses of a run have
the correlation matrix ``Truth.realised[run]``, which is the planted one unless the run is so
short that cleaning leaves too few dimensions. What a map shows is a little lower, because voxels
are noisy. How much lower follows from the variances by a formula, not from a measurement.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.datasets.anatomy import Anatomy
from seedmap.errors import SeedError
from seedmap.seeds import DEFAULT_RADIUS
from seedmap.spatial import DEFAULT_FWHM

__all__ = ["REGIONS", "PlantedRegion", "Truth", "planted_correlation", "region_weights"]


@dataclass(frozen=True)
class PlantedRegion:
    """A ball of brain that shares one time course."""

    name: str
    """Short name, letters only."""

    network: str
    """The network that it belongs to."""

    coordinates: tuple[float, float, float]
    """Centre in MNI space, mm."""

    radius: float = 10.0
    """Inside this distance in mm the time course has full weight; then it fades out."""


# The default mode and motor coordinates are those that the field's tutorials use.
REGIONS = (
    PlantedRegion("PCC", "default", (0, -52, 18)),
    PlantedRegion("mPFC", "default", (1, 55, -3)),
    PlantedRegion("LIPL", "default", (-46, -68, 32)),
    PlantedRegion("RIPL", "default", (46, -68, 32)),
    PlantedRegion("LMotor", "motor", (-36, -25, 57)),
    PlantedRegion("RMotor", "motor", (36, -25, 57)),
    PlantedRegion("Visual", "visual", (0, -88, 0)),
    PlantedRegion("LIPS", "attention", (-26, -60, 56)),
    PlantedRegion("RIPS", "attention", (26, -60, 56)),
)

# Pairs that are not named are planted at exactly zero.
CORRELATIONS = {
    ("PCC", "mPFC"): 0.80,
    ("PCC", "LIPL"): 0.75,
    ("PCC", "RIPL"): 0.70,
    ("mPFC", "LIPL"): 0.60,
    ("mPFC", "RIPL"): 0.60,
    ("LIPL", "RIPL"): 0.65,
    ("LMotor", "RMotor"): 0.85,
    ("LIPS", "RIPS"): 0.70,
    ("PCC", "LIPS"): -0.40,
    ("PCC", "RIPS"): -0.40,
    ("mPFC", "LIPS"): -0.30,
    ("mPFC", "RIPS"): -0.30,
    ("LIPL", "LIPS"): -0.30,
    ("LIPL", "RIPS"): -0.30,
    ("RIPL", "LIPS"): -0.30,
    ("RIPL", "RIPS"): -0.30,
}

FADE = 5.0  # mm over which a region's weight falls from one to zero: anatomy has no sharp edges
HALF_DIAGONAL = 0.87  # of a cubic voxel: so the voxel that holds the centre has full weight

# Noise of neighbouring voxels is alike: each axis has this kernel, scaled to keep the variance.
NOISE_KERNEL = np.array([0.12, 1.0, 0.12]) / np.sqrt(1.0 + 2 * 0.12**2)


def planted_correlation() -> NDArray[np.float64]:
    """Return the planted correlations between `REGIONS`, shape (regions, regions)."""
    names = [region.name for region in REGIONS]
    matrix = np.eye(len(names))
    for (one, other), value in CORRELATIONS.items():
        i, j = names.index(one), names.index(other)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def region_weights(anatomy: Anatomy, voxel_size: float) -> NDArray[np.float32]:
    """Return the weight of each region in each sample, 0 to 1, shape (regions, samples)."""
    weights = np.empty((len(REGIONS), len(anatomy.coordinates)), dtype=np.float32)
    for row, region in zip(weights, REGIONS, strict=True):
        distance = np.linalg.norm(anatomy.coordinates - region.coordinates, axis=1)
        full = max(region.radius, HALF_DIAGONAL * voxel_size)
        row[:] = 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - full) / FADE, 0, 1))
    return weights


@dataclass(frozen=True, eq=False)
class Truth:
    """What was planted, and what a right map of it shows.

    The recommended cleaning, for which the numbers hold: all of ``columns`` as confounds,
    linear detrending, a band-pass from 0.01 to 0.1 Hz, and ``sample_masks`` to censor.
    Lists have one entry a run, in the order of ``Phantom.func``.
    """

    regions: tuple[PlantedRegion, ...]
    """The planted regions; their order is that of every matrix here."""

    correlation: NDArray[np.float64]
    """Planted correlations between the time courses, shape (regions, regions)."""

    columns: tuple[str, ...]
    """Names of the confounds that explain every artefact in the data."""

    signals: list[NDArray[np.float64]]
    """Time courses of the regions, shape (frames, regions); unit variance when cleaned."""

    realised: list[NDArray[np.float64]]
    """Correlations of the cleaned time courses, shape (regions, regions)."""

    noise: list[float]
    """Variance of one voxel's cleaned noise, as a share of a region's cleaned signal."""

    bad_frames: list[NDArray[np.intp]]
    """Frames with a sudden movement, to be censored; indices."""

    sample_masks: list[NDArray[np.bool_]]
    """The other frames: True stays, shape (frames,)."""

    weights: NDArray[np.float32]
    """The weight of each region in each sample, 0 to 1, shape (regions, samples)."""

    labels: NDArray[np.int16]
    """On the grid: 1 + the index of the region that has full weight there, else 0."""

    brain: NDArray[np.bool_]
    """True inside the brain, shape of the grid; samples stand in its C order."""

    affine: NDArray[np.float64]
    """From voxel indices to millimetres, shape (4, 4)."""

    def planted_r(self, seed: str, target: str) -> float:
        """Return the planted correlation of two regions, by name."""
        return float(self.correlation[self._index(seed), self._index(target)])

    def expected_r(
        self,
        seed: str,
        target: str,
        *,
        smoothing_fwhm: float = DEFAULT_FWHM,
        radius: float = DEFAULT_RADIUS,
        run: int = 0,
    ) -> float:
        """Return the correlation that a right map shows on average in a region.

        The mean of a map over a region lies near this, not on it: noise of a run of 168 frames
        moves it by about 0.03 (one standard deviation).

        Parameters
        ----------
        seed, target
            Names of regions.
        smoothing_fwhm
            Smoothing of the map's voxels in mm; the seed is extracted from unsmoothed data.
        radius
            Radius of the seed's sphere in mm.
        run
            Which run, as an index into the phantom's files.
        """
        volume = self.expected_map(seed, smoothing_fwhm=smoothing_fwhm, radius=radius, run=run)
        return self.region_mean(volume, target)

    def expected_map(
        self,
        seed: str,
        *,
        smoothing_fwhm: float = DEFAULT_FWHM,
        radius: float = DEFAULT_RADIUS,
        run: int = 0,
    ) -> NDArray[np.float64]:
        """Return the map that a long run would show, from the variances alone.

        Every sample is a sum of the regions' time courses and noise. Sphere and smoothing are
        weighted sums of samples. So the correlation of the two is a ratio of sums of known
        variances; the noise that a smoothed voxel shares with the seed is in it.

        Parameters
        ----------
        seed
            Name of the region in which the seed's sphere lies.
        smoothing_fwhm
            Smoothing of the map's voxels in mm.
        radius
            Radius of the sphere in mm.
        run
            Which run, as an index into the phantom's files.

        Returns
        -------
        ndarray, shape of the grid
            Expected correlations; 0 outside the brain, NaN where nothing varies. The
            variance of the noise is overestimated close to the brain's edge.
        """
        sphere = self._sphere(seed, radius)
        sampled = self.weights @ sphere[self.brain]
        regions = [self._smooth(self._volume(row), smoothing_fwhm) for row in self.weights]
        smoothed = np.stack([region[self.brain] for region in regions])
        mixed = self.realised[run] @ smoothed
        seed_noise = _correlated(np.where(self.brain, sphere, 0.0))
        shared = self._smooth(_correlated(seed_noise), smoothing_fwhm)[self.brain]
        level = self.noise[run]
        covariance = sampled @ mixed + level * shared
        variance = np.einsum("rs,rs->s", smoothed, mixed) + level * self._noise_left(smoothing_fwhm)
        seed_variance = sampled @ self.realised[run] @ sampled + level * (seed_noise**2).sum()
        scale = np.sqrt(variance * seed_variance)
        empty = np.full_like(scale, np.nan)
        return self._volume(np.divide(covariance, scale, out=empty, where=scale > 0))

    def region_mean(self, volume: NDArray[Any], target: str) -> float:
        """Return the mean of a map over the voxels that have the region's full weight."""
        return float(np.asarray(volume)[self.labels == self._index(target) + 1].mean())

    def _index(self, name: str) -> int:
        names = [region.name for region in self.regions]
        if name not in names:
            msg = f"no planted region {name!r}; the phantom holds {', '.join(names)}"
            raise SeedError(msg)
        return names.index(name)

    def _volume(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        volume = np.zeros(self.brain.shape)
        volume[self.brain] = samples
        return volume

    def _sphere(self, seed: str, radius: float) -> NDArray[np.float64]:
        """Weights of a sphere's mean, shape of the grid; the nearest voxel always belongs."""
        centre = np.array(self.regions[self._index(seed)].coordinates, dtype=float)
        voxels = np.moveaxis(np.indices(self.brain.shape), 0, -1)
        distance = np.linalg.norm(
            voxels @ self.affine[:3, :3].T + self.affine[:3, 3] - centre, axis=-1
        )
        inside = (distance <= radius) | (distance == distance.min())
        return inside / inside.sum()

    def _smooth(self, volume: NDArray[np.float64], fwhm: float) -> NDArray[np.float64]:
        from scipy import ndimage

        sigma = fwhm / (np.sqrt(8 * np.log(2)) * abs(self.affine[0, 0]))
        return ndimage.gaussian_filter(volume, sigma, mode="constant") if fwhm else volume

    def _noise_left(self, fwhm: float) -> float:
        """Variance of unit noise after smoothing, deep inside the brain."""
        impulse = np.zeros((33, 33, 33))
        impulse[16, 16, 16] = 1.0
        return float((_correlated(self._smooth(impulse, fwhm)) ** 2).sum())


def _correlated(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the spatial kernel of the noise along each axis."""
    from scipy import ndimage

    for axis in range(3):
        volume = ndimage.convolve1d(volume, NOISE_KERNEL, axis=axis, mode="constant")
    return volume
