"""Reading stored runs: seeds are extracted from them and correlated with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, Array, Keep
from seedmap.connectivity import BLOCK, NoiseTables, lags_of_cleaned, quick_dof, quick_z
from seedmap.errors import ImageError, MissingFile, SeedError
from seedmap.images import Space
from seedmap.spatial import SeedWeights
from seedmap.store.arrays import Group, open_group, read_head
from seedmap.store.numbers import Packed
from seedmap.store.spaces import recover_space

__all__ = ["FORMAT", "StoredMaps", "StoredRun", "open_stored"]

FORMAT = 4


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """Maps of seeds from a stored run.

    Attributes
    ----------
    r : ndarray of float32, shape (seeds, samples)
        Correlations; NaN where a sample or a seed is constant.
    dof : ndarray of float32, shape (seeds, samples)
        Effective degrees of freedom as estimated.
    rank : int
        Directions that the cleaning leaves: a bound of ``dof``.
    seed_series : ndarray of float64, shape (kept, seeds)
        Cleaned seeds, of mean 0 and not scaled.
    coverage : ndarray, shape (seeds,)
        Share of each seed's weight that lies in the mask, where the store has its voxels.
    """

    r: NDArray[np.float32]
    dof: NDArray[np.float32]
    rank: int
    seed_series: Array
    coverage: Array

    @property
    def z(self) -> NDArray[np.float32]:
        """Score of each correlation, to 1e-3; NaN where fewer than 3 degrees are left."""
        return quick_z(self.r, np.minimum(self.dof, np.float32(self.rank)))


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A cleaned run on disk; what is needed of it is read when it is needed.

    Attributes
    ----------
    path : Path
        The Zarr group.
    space : Grid, Mesh or Grayordinates
        Where its samples lie.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    t_r : float or None
        Repetition time [s].
    facts : dict
        What the writer wanted to be known: sources, strategy, options.
    rank : int
        Directions that the cleaning leaves.
    white_dof : float
        Effective degrees of freedom if the noise of the run were white.
    shapes : dict
        The small tables that lie together in one array, and their shapes.
    fine_bits : dict
        How exactly the large ones are kept; see `seedmap.store.numbers.Packed`.
    group : Group
        The arrays.
    """

    path: Path
    space: Space
    keep: Keep
    t_r: float | None
    facts: Mapping[str, Any]
    rank: int
    white_dof: float
    shapes: Mapping[str, Mapping[str, Sequence[int]]]
    fine_bits: Mapping[str, int]
    group: Group

    def packed(self, name: str) -> Packed:
        """Return the coordinates of the samples: ``"smooth"`` of unit norm, or ``"plain"``."""
        return Packed.of(name, self.group.arrays.__getitem__, self.fine_bits[name])

    def check(self) -> None:
        """Read all of it, and keep nothing.

        Raises
        ------
        ImageError
            If a byte is not what was written.
        """
        for array in self.group.arrays.values():
            array.check()

    @property
    def content(self) -> str:
        """A digest of all numbers."""
        return str(self.group.facts["content"])

    @cached_property
    def _small(self) -> dict[str, NDArray[Any]]:
        """Read the small tables, which lie together: one look at the disk, not ten."""
        found: dict[str, NDArray[Any]] = {}
        for name, shapes in self.shapes.items():
            values, at = self.group.whole(name), 0
            for key, shape in shapes.items():
                end = at + int(np.prod(shape))
                found[key], at = values[at:end].reshape(shape), end
        return found

    def extract_seeds(self, seeds: Sequence[SeedWeights]) -> tuple[Array, Array, Array]:
        """Extract seeds from the unsmoothed run.

        Returns
        -------
        clean : ndarray, shape (coordinates, seeds)
            Cleaned seeds in the run's own coordinates.
        size : ndarray, shape (seeds,)
            Norm of what is left of them without trend and confounds, or more.
        coverage : ndarray, shape (seeds,)
            Share of the weight that lies in the mask; the rest is not sampled.

        Raises
        ------
        SeedError
            If a seed has no voxel in the mask.
        """
        weights, places, coverage = _joined(seeds, self.space, self.group.whole("unusable"))
        clean = self.packed("plain").values(places).T @ weights
        return (
            clean,
            np.nan_to_num(self.group.arrays["noise_size"][places]) @ np.abs(weights),
            coverage,
        )

    def maps(self, seeds: Sequence[SeedWeights]) -> StoredMaps:
        """Correlate seeds with every sample."""
        clean, whole, coverage = self.extract_seeds(seeds)
        size = np.linalg.norm(clean, axis=0)
        size[size <= NOTHING_LEFT * whole] = np.nan
        return StoredMaps(
            r=self._correlate((clean / size).astype(np.float32)),
            dof=self._dof(clean / size),
            rank=self.rank,
            seed_series=self.basis @ clean,
            coverage=coverage,
        )

    def _correlate(self, seeds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Correlate seeds of unit norm (coordinates, seeds) with every sample."""
        stored = self.packed("smooth")
        r = np.empty((seeds.shape[1], self.space.n_samples), dtype=np.float32)
        for at in range(0, r.shape[1], BLOCK):
            part = slice(at, at + BLOCK)
            some = seeds.T @ stored.numbers(part).T
            np.multiply(some, stored.scale[part], out=some)
            np.clip(some, -1.0, 1.0, out=r[:, part])
        return r

    def _dof(self, unit: Array) -> NDArray[np.float32]:
        """Give nu of every seed (coordinates, seeds) with every sample: one product of small tables."""
        return quick_dof(self.passed, self.lags(unit), self.group.arrays["noise"])

    @property
    def passed(self) -> NDArray[np.float32]:
        """What the noise of a sample at each lag counts in the numerator of nu, (lags,)."""
        return self.tables.passed.astype(np.float32)

    def lags(self, unit: Array) -> NDArray[np.float64]:
        """Give what it counts in the denominator for cleaned seeds of unit norm, (lags, seeds)."""
        small = self._small
        return lags_of_cleaned(
            self.tables, small["directions"].T * small["strength"][:, None], unit
        )

    @cached_property
    def tables(self) -> NoiseTables:
        """What the cleaning does to noise."""
        return NoiseTables(
            frames_kept=np.flatnonzero(self.keep) - int(np.flatnonzero(self.keep)[0]),
            scale=self._small["scale"],
            taper=self._small["taper"],
            inverse=self._small["inverse"],
            passed=self._small["passed"],
            rank=self.rank,
        )

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of the noise at each kept frame, 1 on average."""
        found: NDArray[np.float64] = self._small["scale"] ** 2
        return found

    @cached_property
    def basis(self) -> Array:
        """From coordinates, as of cleaned seeds and samples, to frames of mean 0, (kept, coordinates)."""
        basis = self._small["back"].astype(np.float64) / self._small["strength"]
        return basis - basis.mean(axis=0)

    def series(self, samples: NDArray[np.int64]) -> Array:
        """Give cleaned series of smoothed samples, of mean 0 and norm 1, shape (kept, some).

        0 where a sample is constant or not finite.
        """
        rows = self.packed("smooth").values(samples)
        return self.basis @ np.nan_to_num(rows).T

    def smoothed(self, part: slice) -> NDArray[np.float32]:
        """Read some smoothed samples in coordinates, of unit norm, shape (some, coordinates).

        NaN where a sample is constant or not finite.
        """
        stored = self.packed("smooth")
        return stored.numbers(part) * stored.scale[part][:, None]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """Places of which seeds can be extracted, shape of the space: those in the mask, and finite."""
        places = np.zeros(self.space.mask.size, dtype=bool)
        places[np.flatnonzero(self.space.mask)] = ~self.group.whole("unusable")
        return places.reshape(self.space.mask.shape)

    def unpacked(
        self, progress: Callable[[int, int], None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], Array]:
        """Bring the smoothed samples into memory, for one who wants map after map.

        Parameters
        ----------
        progress
            Called as ``progress(done, total)``, in samples.

        Returns
        -------
        rows : ndarray of float32, shape (samples, coordinates)
            Of unit norm; zeros where a sample is constant or not finite.
        unusable : ndarray of bool, shape (samples,)
            Samples that are not finite in some kept frame.
        basis : ndarray, shape (kept, coordinates)
            From coordinates, as of rows and of `extract_seeds`, to cleaned frames of mean 0.
        """
        stored = self.packed("smooth")
        rows = np.empty(stored.coarse.shape, dtype=np.float32)
        for at in range(0, len(rows), BLOCK):
            part = slice(at, min(at + BLOCK, len(rows)))
            rows[part] = np.nan_to_num(stored.values(part))
            if progress is not None:
                progress(part.stop, len(rows))
        return rows, self.group.whole("unusable"), self.basis


def open_stored(path: Path | str) -> StoredRun:
    """Open a stored run.

    Raises
    ------
    MissingFile
        If nothing is there.
    ImageError
        If it is no stored run, or of another version.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        msg = f"{path}: this stored run is not there; make one with seedmap bids --store"
        raise MissingFile(msg)
    try:
        head = read_head(path)
        if head["format"] != FORMAT:
            msg = f"{path}: stored in format {head['format']}, {FORMAT} is wanted; write it again"
            raise ImageError(msg)
        group = open_group(path, head)
        about = group.facts
        return StoredRun(
            path=path,
            space=recover_space(about["space"], group.whole),
            keep=group.whole("keep"),
            t_r=about["t_r"],
            facts=about["facts"],
            rank=int(about["rank"]),
            white_dof=float(about["white_dof"]),
            shapes=about["tables"],
            fine_bits=about["fine_bits"],
            group=group,
        )
    except (KeyError, OSError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, ImageError):
            raise
        msg = f"{path}: not a stored run ({type(error).__name__}: {error}); give a folder that seedmap wrote"
        raise ImageError(msg) from error


def _joined(
    seeds: Sequence[SeedWeights], space: Space, unusable: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.int64], Array]:
    """Put the seeds' voxels together: weights (voxels, seeds), samples (voxels,), coverage (seeds,)."""
    order = np.full(space.mask.size, -1, dtype=np.int64)
    order[space.mask.ravel()] = np.arange(space.n_samples)
    found = [order[seed.voxels] for seed in seeds]
    inside = [(at >= 0) & ~unusable[np.maximum(at, 0)] for at in found]
    for number, part in enumerate(inside):
        if not part.any():
            msg = f"seed {number + 1} has no voxel in the mask of the stored run; the store holds no others"
            raise SeedError(msg)
    places = np.unique(np.concatenate([at[ok] for at, ok in zip(found, inside, strict=True)]))
    weights = np.zeros((places.size, len(seeds)))
    coverage = np.empty(len(seeds))
    for column, (seed, at, ok) in enumerate(zip(seeds, found, inside, strict=True)):
        kept = seed.weights[ok]
        coverage[column] = kept.sum()
        weights[np.searchsorted(places, at[ok]), column] = kept / kept.sum()
    return weights, places, coverage
