"""Writing a cleaned run: its coordinates, as few and as exact as its correlations need."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, Array
from seedmap.connectivity import (
    BLOCK,
    NoiseTables,
    noise_autocovariance,
    noise_tables,
    run_variance,
)
from seedmap.spatial import Extracted
from seedmap.store.arrays import write_group
from seedmap.store.numbers import enough, pack
from seedmap.store.reading import FORMAT
from seedmap.store.spaces import describe_space
from seedmap.temporal import BlockCleaner, CleaningOperator

__all__ = ["noise_lags", "write_stored"]

# Of a sample's energy after cleaning, the most that may be cut off: changes an r by less than this.
CUT_OFF = 3e-6


def write_stored(
    path: Path,
    operator: CleaningOperator,
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
    operator
        The cleaning.
    smooth, plain
        The same kept frames and mask, smoothed and not.
    t_r
        Repetition time [s]; None where no filter needs it.
    facts
        What else should be known; JSON.
    """
    directions, strength, clean, unsmoothed = _cleaned(operator, smooth, plain)
    tables = noise_tables(operator, run_variance(operator, smooth.series), intervals=False)
    bits = enough(len(strength))
    packed = {
        "smooth": pack(_of_unit_norm(clean, smooth), bits),
        "plain": pack(unsmoothed, bits),
    }
    small = _small_tables(operator, tables, directions, strength)
    described, arrays = describe_space(smooth.grid)
    for name, one in packed.items():
        arrays |= one.arrays(name)
    for name, parts in small.items():
        arrays[name] = np.concatenate([part.ravel() for part in parts.values()])
    arrays["noise"] = _noise(tables, operator, smooth)
    arrays["noise_size"] = _noise_size(operator, plain)
    arrays |= {"unusable": plain.unusable, "keep": operator.keep}
    about = {
        "format": FORMAT,
        "tables": {
            name: {key: list(part.shape) for key, part in parts.items()}
            for name, parts in small.items()
        },
        "fine_bits": {name: one.fine_bits for name, one in packed.items()},
        "space": described,
        "t_r": t_r,
        "rank": tables.rank,
        "white_dof": operator.white_dof,
        "facts": json.loads(json.dumps(facts)),
    }
    write_group(path, arrays, about)


def _cleaned(
    operator: CleaningOperator, smooth: Extracted, plain: Extracted
) -> tuple[Array, Array, NDArray[np.float32], NDArray[np.float32]]:
    """Give the directions that are needed, their strength, and both series cleaned along them."""
    directions, strength = _directions(operator)
    cuts = [_coordinates(directions, part) for part in (smooth, plain)]
    used = max(_needed(cut, strength) for cut in cuts)
    weigh = strength[:used, None].astype(np.float32)
    return directions[:, :used], strength[:used], cuts[0][:used] * weigh, cuts[1][:used] * weigh


def _of_unit_norm(clean: NDArray[np.float32], part: Extracted) -> NDArray[np.float32]:
    """Scale cleaned samples to unit norm; NaN where nothing is left of one, or it is not finite."""
    size = np.sqrt(np.einsum("ij,ij->j", clean, clean))
    raw = np.sqrt(np.einsum("ij,ij->j", part.series, part.series))
    size[size <= NOTHING_LEFT * raw] = np.nan
    size[part.unusable] = np.nan
    scaled: NDArray[np.float32] = clean / size
    return scaled


def _small_tables(
    operator: CleaningOperator,
    tables: NoiseTables,
    directions: Array,
    strength: Array,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Collect the tables that do not grow with the brain; they are stored together."""
    return {
        "over_time": {
            "directions": directions.astype(np.float32),
            "back": (operator.on_kept @ directions).astype(np.float32),
        },
        "over_lags": {
            "strength": strength,
            "scale": tables.scale,
            "taper": tables.taper,
            "inverse": tables.inverse,
            "passed": tables.passed,
        },
    }


def _directions(operator: CleaningOperator) -> tuple[Array, Array]:
    """Return the orthonormal directions (kept, coordinates) that a cleaning sees, and how strongly."""
    into = operator.coordinates
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


def _noise(tables: NoiseTables, operator: CleaningOperator, part: Extracted) -> NDArray[np.int16]:
    """Give every sample's noise autocovariance, each on a scale of its own, (samples, lags)."""
    found = np.empty((part.series.shape[1], tables.lags), dtype=np.int16)
    for at in range(0, part.series.shape[1], BLOCK):
        found[at : at + BLOCK] = noise_lags(
            tables, operator.residuals(part.series[:, at : at + BLOCK])
        )
    return found


def noise_lags(tables: NoiseTables, residuals: Array) -> NDArray[np.int16]:
    """Give the noise autocovariance of residuals (kept, samples) in few bytes, as (samples, lags)."""
    return pack(noise_autocovariance(tables, residuals), 16).coarse


def _noise_size(operator: CleaningOperator, part: Extracted) -> NDArray[np.float32]:
    """Give the norm of every sample's residuals of trend and confounds, (samples,)."""
    found = np.empty(part.series.shape[1], dtype=np.float32)
    for at in range(0, found.size, BLOCK):
        residuals = operator.residuals(part.series[:, at : at + BLOCK])
        found[at : at + BLOCK] = np.sqrt(np.einsum("ij,ij->j", residuals, residuals))
    return found
