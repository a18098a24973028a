"""Cleaned runs on disk, in their own coordinates, so that maps of new seeds cost nearly nothing.

Correlations see a cleaned run only through inner products, so a run is kept as its coordinates
``S W' x`` (see `seedmap.temporal.own_coordinates`), cut off where no correlation changes by 1e-5:
smoothed and of unit norm for the voxels that seeds are compared with, unsmoothed for the voxels
that seeds listen to. For the error bars the noise autocovariance of each smoothed voxel is kept,
and of the unsmoothed ones the coordinates that the cleaning takes away, in half precision: only
the noise of seeds is told by them.

A stored run is a Zarr group. The only file that knows Zarr.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import LARGEST_R, Array, Keep
from seedmap.connectivity import (
    BlockCleaner,
    NoiseTables,
    noise_autocovariance,
    noise_tables,
)
from seedmap.errors import ImageError, MissingFile, SeedError
from seedmap.images import Grid
from seedmap.spatial import Extracted, SeedWeights
from seedmap.temporal import CleaningMatrices, own_coordinates

__all__ = ["StoredMaps", "StoredRun", "open_stored", "quick_z", "write_stored"]

FORMAT = 1
# Of a sample's energy after cleaning, the most that may be cut off: changes an r by less than this.
CUT_OFF = 3e-6
# As in `seedmap.connectivity.correlate`: of less than this share of a series nothing is left.
NOTHING_LEFT = 1e-6
BLOCK = 8192
# What is needed less exactly is kept as whole numbers, scaled by sample: these are the largest.
LARGEST = {"int8": 127, "int16": 32767}
# What a stored run may take before the rest is kept still less exactly, in series of its size.
BUDGET = 1.25
AT_ONCE = 1 << 15  # scores worked out together, so that they stay in the processor's cache


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


def quick_z(r: Array, dof: Array) -> NDArray[np.float32]:
    """Turn correlations into scores, to 1e-3 and in single precision.

    Student's t with ``dof - 1`` degrees of freedom as a normal score.

    Parameters
    ----------
    r, dof
        Any shape, broadcast against each other.

    Returns
    -------
    ndarray of float32
        NaN where r is, or dof is below 3.

    References
    ----------
    Hill (1970), Commun. ACM 13, 617, doi:10.1145/355598.362775.
    """
    r, dof = np.broadcast_arrays(np.asarray(r, np.float32), np.asarray(dof, np.float32))
    z: NDArray[np.float32] = np.empty(r.shape, dtype=np.float32)
    flat, flat_r, flat_dof = z.reshape(-1), r.reshape(-1), dof.reshape(-1)
    for at in range(0, z.size, AT_ONCE):
        part = slice(at, at + AT_ONCE)
        flat[part] = _quick_z(flat_r[part], flat_dof[part])
    return z


def _quick_z(r: NDArray[np.float32], dof: NDArray[np.float32]) -> NDArray[np.float32]:
    r = np.clip(r, -LARGEST_R, LARGEST_R)
    n = dof - 1
    with np.errstate(invalid="ignore"):
        n = np.where(n >= 2, n, np.float32(np.nan))
        a = n - np.float32(0.5)
        b = 48 * a * a
        w = -a * np.log1p(-r * r)
        above = ((np.float32(-0.4) * w - np.float32(3.3)) * w - 24) * w - np.float32(85.5)
        factor = (above / (np.float32(0.8) * w * w + 100 + b) + w + 3) / b + 1
        z: NDArray[np.float32] = np.copysign(factor * np.sqrt(w), r)
    return z


def write_stored(
    path: Path,
    matrices: CleaningMatrices,
    smooth: Extracted,
    plain: Extracted,
    t_r: float | None,
    facts: Mapping[str, Any],
) -> None:
    """Write a cleaned run.

    Parameters
    ----------
    path
        The group; it must not exist. It is not whole until this returns: write it into a hidden
        folder and move that.
    matrices
        The cleaning.
    smooth, plain
        The same kept frames and mask, smoothed and not.
    t_r
        Repetition time [s]; None where no filter needs it.
    facts
        What else should be known; JSON.
    """
    grid = smooth.grid
    if not isinstance(grid, Grid):
        msg = "runs on surfaces cannot be stored yet; leave out --store"
        raise ImageError(msg)
    directions, strength = _directions(matrices)
    cuts = [_coordinates(directions, part) for part in (smooth, plain)]
    used = max(_needed(cut * strength[:, None]) for cut in cuts)
    directions, strength = directions[:, :used], strength[:used]
    clean = cuts[0][:used] * strength[:, None].astype(np.float32)
    size = np.sqrt(np.einsum("ij,ij->j", clean, clean))
    size[size <= NOTHING_LEFT * np.sqrt(np.einsum("ij,ij->j", smooth.series, smooth.series))] = (
        np.nan
    )
    size[smooth.unusable] = np.nan
    others = _others(directions, matrices)
    rest, scale = _rest(others, plain, used)
    tables = noise_tables(matrices.L, matrices.R, matrices.keep, t_r or np.inf)
    arrays: dict[str, NDArray[Any]] = {
        "smooth": clean / size,
        "plain": cuts[1][:used],
        "rest": rest,
        "rest_scale": scale,
        "noise": _noise(tables, matrices, smooth),
        "spread": size,
        "unusable": plain.unusable,
        "mask": grid.mask,
        "keep": matrices.keep,
    }
    small: dict[str, dict[str, NDArray[Any]]] = {
        "over_time": {
            "directions": directions.astype(np.float32),
            "others": others.astype(np.float32),
            "noise_basis": matrices.noise_basis.astype(np.float32),
            "back": (matrices.on_kept @ directions).astype(np.float32),
        },
        "over_lags": {
            "strength": strength,
            "taper": tables.taper,
            "inverse": tables.inverse,
            "passed": tables.passed,
            "shared": tables.shared,
        },
    }
    for name, parts in small.items():
        arrays[name] = np.concatenate([part.ravel() for part in parts.values()])
    about = {
        "format": FORMAT,
        "tables": {
            name: {key: list(part.shape) for key, part in parts.items()}
            for name, parts in small.items()
        },
        "affine": grid.affine.tolist(),
        "t_r": t_r,
        "rank": tables.rank,
        "white_dof": tables.white_dof,
        "facts": json.loads(json.dumps(facts)),
    }
    _write_group(path, arrays, about)


def _write_group(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write arrays, each as one chunk: floats are noise and do not pack, whole numbers do."""
    import zarr
    from zarr.codecs import BloscCodec

    group = zarr.open_group(path, mode="w-")
    group.attrs.update({"seedmap": dict(about)})
    for name, values in arrays.items():
        stored = np.ascontiguousarray(values)
        pack = (
            BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
            if stored.dtype.kind in "bi"
            else None
        )
        group.create_array(name, data=stored, chunks=stored.shape, compressors=pack)


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


def _directions(matrices: CleaningMatrices) -> tuple[Array, Array]:
    """Return the orthonormal directions (kept, coordinates) that a cleaning sees, and how strongly."""
    into = own_coordinates(matrices.on_kept).into
    strength = np.linalg.norm(into, axis=1)
    return into.T / strength, strength


def _coordinates(directions: Array, part: Extracted) -> NDArray[np.float32]:
    """Give all samples' coordinates along the directions, (coordinates, samples)."""
    return _blocks(BlockCleaner(directions.T, part.reference), part)


def _blocks(cleaner: BlockCleaner, part: Extracted) -> NDArray[np.float32]:
    """Apply a cleaning block by block, so that no product of the run's size is made twice."""
    blocks = [
        cleaner.clean(slice(at, at + BLOCK), part.series[:, at : at + BLOCK])
        for at in range(0, part.series.shape[1], BLOCK)
    ]
    return np.concatenate(blocks, axis=1)


def _needed(coordinates: Array) -> int:
    """Count the coordinates without which some sample would lose more than may be cut off."""
    energy = np.square(coordinates, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.cumsum(energy[::-1], axis=0) / energy.sum(axis=0)  # by the weakest 1, 2, ...
    worst = np.nan_to_num(lost).max(axis=1)
    return len(energy) - int(np.count_nonzero(worst <= CUT_OFF))


def _others(directions: Array, matrices: CleaningMatrices) -> Array:
    """Return directions (kept, n) that complete those of the cleaning.

    They span the residuals of trend and confounds, where the cleaning lies among these; where it
    does not, since it leaves the trend in, all else.
    """
    basis = matrices.noise_basis
    inside = np.abs(basis.T @ directions).max(initial=0.0) < 1e-7
    taken = np.hstack([basis, directions]) if inside else directions
    whole = np.linalg.qr(taken, mode="complete")[0]
    return np.ascontiguousarray(whole[:, taken.shape[1] :])


def _rest(others: Array, plain: Extracted, used: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Keep what the cleaning takes away from the unsmoothed samples, as exactly as there is room."""
    kept, samples = plain.series.shape
    if not others.shape[1]:
        return np.empty((0, samples), dtype=np.int8), np.ones(samples, dtype=np.float32)
    lags = min(kept / 4, 100)
    size = (2 * used + (others.shape[1] + lags) / 2) / kept
    values = _blocks(BlockCleaner(others.T, plain.reference), plain)
    return _whole_numbers(values, "int16" if size < BUDGET else "int8")


def _whole_numbers(values: Array, kind: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Write every sample's values (n, samples) as whole numbers and a scale; 0 for what is not finite."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    scale = np.abs(values).max(axis=0, initial=0.0) / LARGEST[kind]
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    return np.rint(values / scale).astype(kind), scale


def _noise(tables: NoiseTables, matrices: CleaningMatrices, part: Extracted) -> NDArray[np.int16]:
    """Give every sample's noise autocovariance, each on a scale of its own, (lags, samples)."""
    basis = matrices.noise_basis.astype(np.float32)
    found = np.empty((tables.lags, part.series.shape[1]), dtype=np.int16)
    for at in range(0, part.series.shape[1], BLOCK):
        raw = part.series[:, at : at + BLOCK]
        noise = noise_autocovariance(tables, raw - basis @ (basis.T @ raw))
        found[:, at : at + BLOCK], _ = _whole_numbers(noise, "int16")
    return found


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
