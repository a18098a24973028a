"""Random numbers by their place: Philox 4x32-10, for many places at once.

A counter-based generator has no state: the numbers of shuffle k follow from the seed and k, in
whatever order they are asked for.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["philox", "random_bits"]

Words = NDArray[np.uint64]

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
STEPS = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
ROUNDS = 10


def random_bits(seed: int, shuffles: ArrayLike, items: int) -> Words:
    """Return two random 64-bit numbers for each item of each shuffle.

    Parameters
    ----------
    seed
        0 or more, below 2^64.
    shuffles
        Numbers of the shuffles, shape (shuffles,).
    items
        How many items each has.

    Returns
    -------
    ndarray of uint64, shape (2, shuffles, items)
    """
    k = np.asarray(shuffles, dtype=np.uint64)[:, None]
    item = np.arange(items, dtype=np.uint64)[None, :]
    counter = np.broadcast_arrays(item, np.uint64(0), k & LOW, k >> HALF)
    a, b, c, d = philox(tuple(counter), (np.uint64(seed) & LOW, np.uint64(seed) >> HALF))
    return np.stack([a << HALF | b, c << HALF | d])


def philox(
    counter: tuple[Words, ...], key: tuple[np.uint64, np.uint64]
) -> tuple[Words, Words, Words, Words]:
    """Scramble a counter of four 32-bit words by a key of two.

    References
    ----------
    Salmon et al. (2011), doi:10.1145/2063384.2063405.
    """
    a, b, c, d = counter
    for number in range(ROUNDS):
        first, second = (
            word + np.uint64(number) * step & LOW for word, step in zip(key, STEPS, strict=True)
        )
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = right >> HALF ^ b ^ first, right & LOW, left >> HALF ^ d ^ second, left & LOW
    return a, b, c, d
