"""Reading stored runs: seeds listen to them and are correlated with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array, Keep
from seedmap.connectivity import NoiseTables, noise_autocovariance
from seedmap.errors import ImageError, MissingFile, SeedError
from seedmap.images import Grid
from seedmap.spatial import SeedWeights
from seedmap.store.scores import quick_z

__all__ = ["BLOCK", "FORMAT", "NOTHING_LEFT", "StoredMaps", "StoredRun", "open_stored"]

FORMAT = 1
# As in `seedmap.connectivity.correlate`: of less than this share of a series nothing is left.
NOTHING_LEFT = 1e-6
BLOCK = 8192


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """Maps of seeds from a stored run.

    Attributes
    ----------
    r : ndarray of float32, shape (seeds, samples)
        Correlations; NaN where a sample or a seed is constant.
    dof : ndarray of float32, shape (seeds, samples), or None
        Effective degrees of freedom as estimated; None where the store does not tell.
    rank : int
        Directions that the cleaning leaves: a bound of ``dof``.
    seed_series : ndarray of float64, shape (kept, seeds)
        Cleaned seeds, not scaled.
    coverage : ndarray, shape (seeds,)
        Share of each seed's weight that lies in the mask, where the store can hear it.
    """

    r: NDArray[np.float32]
    dof: NDArray[np.float32] | None
    rank: int
    seed_series: Array
    coverage: Array

    @property
    def z(self) -> NDArray[np.float32]:
        """Score of each correlation, to 1e-3; NaN where fewer than 3 degrees are left."""
        if self.dof is None:
            return np.full(self.r.shape, np.nan, dtype=np.float32)
        return quick_z(self.r, np.minimum(self.dof, np.float32(self.rank)))


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A cleaned run on disk; arrays are read when they are asked for.

    Attributes
    ----------
    path : Path
        The Zarr group.
    space : Grid
        Its grid and mask.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    t_r : float or None
        Repetition time [s].
    facts : dict
        What the writer wanted to be known: sources, strategy, options.
    """

    path: Path
    space: Grid
    keep: Keep
    t_r: float | None
    facts: Mapping[str, Any]
    rank: int
    white_dof: float

    @cached_property
    def _group(self) -> Any:
        import zarr

        return zarr.open_group(self.path, mode="r")

    def _array(self, name: str) -> NDArray[Any]:
        return np.asarray(self._group[name][...])

    @cached_property
    def _small(self) -> dict[str, NDArray[Any]]:
        """Read the small tables, which lie together: one look at the disk, not ten."""
        found: dict[str, NDArray[Any]] = {}
        for name, shapes in self._group.attrs["seedmap"]["tables"].items():
            values, at = self._array(name), 0
            for key, shape in shapes.items():
                end = at + int(np.prod(shape))
                found[key], at = values[at:end].reshape(shape), end
        return found

    @property
    def tells_noise(self) -> bool:
        """Whether degrees of freedom can be told."""
        return "noise" in self._group

    def listen(self, seeds: Sequence[SeedWeights]) -> tuple[Array, Array, Array]:
        """Let seeds hear the unsmoothed run.

        Returns
        -------
        clean : ndarray, shape (coordinates, seeds)
            Cleaned seeds in the run's own coordinates.
        residuals : ndarray, shape (kept, seeds)
            Trend and confounds projected out.
        coverage : ndarray, shape (seeds,)
            Share of the weight that lies in the mask; the rest is not heard.

        Raises
        ------
        SeedError
            If a seed has no voxel in the mask.
        """
        weights, places, coverage = _joined(seeds, self.space, self._array("unusable"))
        clean = self._array("plain")[:, places].astype(np.float64) @ weights
        rest = self._array("rest")[:, places].astype(np.float64) * self._array("rest_scale")[places]
        small = self._small
        whole = small["directions"] @ clean + small["others"] @ (rest @ weights)
        basis = small["noise_basis"]
        residuals = whole - basis @ (basis.T @ whole)
        return small["strength"][:, None] * clean, residuals, coverage

    def maps(self, seeds: Sequence[SeedWeights]) -> StoredMaps:
        """Correlate seeds with every sample."""
        clean, residuals, coverage = self.listen(seeds)
        size = np.linalg.norm(clean, axis=0)
        size[size <= NOTHING_LEFT * np.linalg.norm(residuals, axis=0)] = np.nan
        r = (clean / size).astype(np.float32).T @ self._array("smooth")
        np.clip(r, -1.0, 1.0, out=r)
        return StoredMaps(
            r=r,
            dof=self._dof(residuals) if self.tells_noise else None,
            rank=self.rank,
            seed_series=self._small["back"] @ (clean / self._small["strength"][:, None]),
            coverage=coverage,
        )

    def _dof(self, residuals: Array) -> NDArray[np.float32]:
        """Give nu of every seed with every sample: one product of small tables."""
        tables = self.tables
        noise = noise_autocovariance(tables, residuals)
        shared = ((tables.shared @ noise) / (tables.passed @ noise)).T.astype(np.float32)
        passed = tables.passed.astype(np.float32)
        stored, nu = self._array("noise"), np.empty((len(shared), self.space.n_samples), np.float32)
        for at in range(0, nu.shape[1], BLOCK):
            part = stored[:, at : at + BLOCK].astype(np.float32)  # its scale falls out
            with np.errstate(divide="ignore", invalid="ignore"):
                np.divide(passed @ part, shared @ part, out=nu[:, at : at + BLOCK])
        return nu

    @cached_property
    def tables(self) -> NoiseTables:
        """What the cleaning does to noise."""
        return NoiseTables(
            frames_kept=np.flatnonzero(self.keep) - int(np.flatnonzero(self.keep)[0]),
            t_r=self.t_r or float("inf"),
            taper=self._small["taper"],
            inverse=self._small["inverse"],
            passed=self._small["passed"],
            shared=self._small["shared"],
            rank=self.rank,
        )

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())


def open_stored(path: Path | str) -> StoredRun:
    """Open a stored run.

    Raises
    ------
    MissingFile
        If nothing is there.
    ImageError
        If it is no stored run, or of another version.
    """
    import zarr

    path = Path(path).expanduser()
    if not path.is_dir():
        msg = f"{path}: this stored run is not there; make one with seedmap bids --store"
        raise MissingFile(msg)
    try:
        group: Any = zarr.open_group(path, mode="r")
        about: Any = group.attrs["seedmap"]
        mask, keep = np.asarray(group["mask"][...]), np.asarray(group["keep"][...])
    except (KeyError, OSError, ValueError) as error:
        msg = f"{path}: not a stored run ({type(error).__name__}: {error}); give a folder that seedmap wrote"
        raise ImageError(msg) from error
    if about["format"] != FORMAT:
        msg = f"{path}: stored in format {about['format']}, {FORMAT} is wanted; write it again"
        raise ImageError(msg)
    return StoredRun(
        path=path,
        space=Grid(np.array(about["affine"]), mask),
        keep=keep,
        t_r=about["t_r"],
        facts=about["facts"],
        rank=int(about["rank"]),
        white_dof=float(about["white_dof"]),
    )


def _joined(
    seeds: Sequence[SeedWeights], grid: Grid, unusable: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.int64], Array]:
    """Put the seeds' voxels together: weights (voxels, seeds), samples (voxels,), coverage (seeds,)."""
    order = np.full(grid.mask.size, -1, dtype=np.int64)
    order[grid.mask.ravel()] = np.arange(grid.n_samples)
    found = [order[seed.voxels] for seed in seeds]
    heard = [(at >= 0) & ~unusable[np.maximum(at, 0)] for at in found]
    for number, part in enumerate(heard):
        if not part.any():
            msg = f"seed {number + 1} has no voxel in the mask of the stored run; the store holds no others"
            raise SeedError(msg)
    places = np.unique(np.concatenate([at[ok] for at, ok in zip(found, heard, strict=True)]))
    weights = np.zeros((places.size, len(seeds)))
    coverage = np.empty(len(seeds))
    for column, (seed, at, ok) in enumerate(zip(seeds, found, heard, strict=True)):
        inside = seed.weights[ok]
        coverage[column] = inside.sum()
        weights[np.searchsorted(places, at[ok]), column] = inside / inside.sum()
    return weights, places, coverage
