"""Products of samples with the seeds of many runs, at the speed of memory.

The samples of all runs lie side by side as whole numbers of 16 bits (`seedmap.store.pack`). With numba
one pass over them is all there is; without it NumPy makes floats of some samples at a time, which
takes four times as long.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["compile_products", "packed_products"]

# Samples made floats at once, so that they stay in the processor's cache.
AT_ONCE = 16


def packed_products(
    rows: NDArray[np.int16] | NDArray[np.int8],
    scale: NDArray[np.float32],
    seeds: NDArray[np.float32],
    which: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Multiply some samples with a seed of each run.

    Parameters
    ----------
    rows
        Samples of all runs, shape (samples, runs, numbers).
    scale
        What each is multiplied by, shape (samples, runs).
    seeds
        Shape (runs, numbers).
    which
        Samples that are wanted, shape (some,).

    Returns
    -------
    ndarray of float32, shape (some, runs)
        ``scale * sum(rows * seeds)``: correlations where samples and seeds have unit norm, 0 where
        the scale is 0.
    """
    out = np.empty((which.size, len(seeds)), dtype=np.float32)
    if find_spec("numba") is not None:
        from seedmap.connectivity._packed import products

        products(_plain(rows), _plain(scale), seeds, which, out)
        return out
    for at in range(0, which.size, AT_ONCE):
        some = which[at : at + AT_ONCE]
        values = rows[some].astype(np.float32).transpose(1, 0, 2)
        out[at : at + AT_ONCE] = np.matmul(values, seeds[:, :, None])[..., 0].T
        out[at : at + AT_ONCE] *= scale[some]
    return out


def compile_products(kind: Any = np.int16) -> None:
    """Compile what numba compiles, which takes a second, before somebody waits for it."""
    rows, scale = np.zeros((1, 1, 16), kind), np.zeros((1, 1), np.float32)
    rows.setflags(write=False)
    for one in (scale, scale.view()):
        packed_products(rows, one, np.zeros((1, 16), np.float32), np.zeros(1, np.int64))
        scale.setflags(write=False)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return a mapped array as one that numba knows."""
    return array.view(np.ndarray)
