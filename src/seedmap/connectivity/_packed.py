# ruff: noqa: ANN001, ANN202 - types are numba's, and its arrays come one by one
# mypy: disable-error-code="no-untyped-def"
"""Products of samples with the seeds of many runs, compiled by numba.

Four samples at a time: the seeds then stay in the first cache, and a seed's number is read once for
four products. Numbers of 16 bits become floats in registers, so that memory is read once.
"""

import numpy as np
from numba import njit


@njit(nogil=True, fastmath=True)
def products(rows, scale, seeds, which, out):
    """Write ``scale * sum_k rows * seeds`` for the samples ``which``, shape (some, runs)."""
    some, runs, numbers = which.size, seeds.shape[0], seeds.shape[1]
    last = some - some % 4
    for i in range(0, last, 4):
        a, b, c, d = which[i], which[i + 1], which[i + 2], which[i + 3]
        for r in range(runs):
            p = q = s = t = np.float32(0)
            for k in range(numbers):
                w = seeds[r, k]
                p += np.float32(rows[a, r, k]) * w
                q += np.float32(rows[b, r, k]) * w
                s += np.float32(rows[c, r, k]) * w
                t += np.float32(rows[d, r, k]) * w
            out[i, r] = p * scale[a, r]
            out[i + 1, r] = q * scale[b, r]
            out[i + 2, r] = s * scale[c, r]
            out[i + 3, r] = t * scale[d, r]
    for i in range(last, some):
        a = which[i]
        for r in range(runs):
            p = np.float32(0)
            for k in range(numbers):
                p += np.float32(rows[a, r, k]) * seeds[r, k]
            out[i, r] = p * scale[a, r]
