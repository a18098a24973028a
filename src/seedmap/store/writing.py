"""Writing a cleaned run: its coordinates, as few and as exact as its correlations need."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.connectivity import BlockCleaner, NoiseTables, noise_autocovariance, noise_tables
from seedmap.errors import ImageError
from seedmap.images import Grid
from seedmap.spatial import Extracted
from seedmap.store.reading import BLOCK, FORMAT, NOTHING_LEFT
from seedmap.temporal import CleaningMatrices, own_coordinates

__all__ = ["write_stored"]

# Of a sample's energy after cleaning, the most that may be cut off: changes an r by less than this.
CUT_OFF = 3e-6
# What is needed less exactly is kept as whole numbers, scaled by sample: these are the largest.
LARGEST = {"int8": 127, "int16": 32767}
# What a stored run may take before the rest is kept still less exactly, in series of its size.
BUDGET = 1.25


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
    used = max(_needed(cut, strength) for cut in cuts)
    directions, strength = directions[:, :used], strength[:used]
    others = _others(directions, matrices)
    tables = noise_tables(matrices.L, matrices.R, matrices.keep, t_r or np.inf)
    rest, scale = _rest(others, plain, used)
    arrays: dict[str, NDArray[Any]] = {
        "smooth": _of_unit_norm(cuts[0][:used] * strength[:, None].astype(np.float32), smooth),
        "plain": cuts[1][:used],
        "rest": rest,
        "rest_scale": scale,
        "noise": _noise(tables, matrices, smooth),
        "unusable": plain.unusable,
        "mask": grid.mask,
        "keep": matrices.keep,
    }
    small = _small_tables(matrices, tables, directions, strength, others)
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


def _of_unit_norm(clean: NDArray[np.float32], part: Extracted) -> NDArray[np.float32]:
    """Scale cleaned samples to unit norm; NaN where nothing is left of one, or it is not finite."""
    size = np.sqrt(np.einsum("ij,ij->j", clean, clean))
    raw = np.sqrt(np.einsum("ij,ij->j", part.series, part.series))
    size[size <= NOTHING_LEFT * raw] = np.nan
    size[part.unusable] = np.nan
    scaled: NDArray[np.float32] = clean / size
    return scaled


def _small_tables(
    matrices: CleaningMatrices,
    tables: NoiseTables,
    directions: Array,
    strength: Array,
    others: Array,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Collect the tables that do not grow with the brain; they are stored together."""
    return {
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


def _needed(coordinates: Array, strength: Array) -> int:
    """Count the coordinates without which some sample would lose more than may be cut off."""
    worst = np.zeros(len(coordinates))
    for at in range(0, coordinates.shape[1], BLOCK):
        energy = np.square(coordinates[:, at : at + BLOCK] * strength[:, None])
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = np.cumsum(energy[::-1], axis=0) / energy.sum(axis=0)  # by the weakest 1, 2, ...
        worst = np.maximum(worst, np.nan_to_num(lost).max(axis=1))
    return len(worst) - int(np.count_nonzero(worst <= CUT_OFF))


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
