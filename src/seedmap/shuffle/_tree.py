# ruff: noqa: ANN001, ANN202, PLR0913 - types are numba's, and its arrays come one by one
# mypy: disable-error-code="no-untyped-def"
"""TFCE of many maps, compiled by numba: the component tree by union-find.

The samples of one sign are ranked, and visited from the highest down. A sample becomes the father
of the components that it touches; what a component's size is then, it was at all heights between
its own last sample and this father. So TFCE follows from the lowest sample up, in closed form: that
of the father, and ``size^E (h^(H+1) - h_father^(H+1)) / (H+1)``.

Samples are called by their ranks while the tree grows. The smaller of two components is hung below
the larger, so that ways to a root are short; ``newest`` is the lowest sample of a root's component.
"""

import numpy as np
from numba import njit

DIGIT, PASSES = 11, 3  # a float32 without its sign in three passes of 11 bits
BUCKETS = 1 << DIGIT
LOW = 0xFFFFFFFF
SIZE = 0x7FFFFFFF
INFINITE = 0x7F800000  # bits of inf; those of NaN are larger


@njit(nogil=True, cache=True)
def _pack(bits, negative, packed):
    """Put finite samples of one sign into words: the height's bits, then the sample."""
    n = 0
    for v in range(bits.size):
        height = bits[v] & SIZE
        if (bits[v] >> 31) == negative and 0 < height < INFINITE:
            packed[n] = np.int64(height) << 32 | v
            n += 1
    return n


@njit(nogil=True, cache=True)
def _sort(words, spare):
    """Sort words by their heights, the largest first; the result lies in either array."""
    places = np.zeros((PASSES, BUCKETS), np.int32)
    for word in words:
        for turn in range(PASSES):
            places[turn, BUCKETS - 1 - ((word >> (32 + DIGIT * turn)) & (BUCKETS - 1))] += 1
    for turn in range(PASSES):
        before = 0
        for bucket in range(BUCKETS):
            count = places[turn, bucket]
            places[turn, bucket] = before
            before += count
    for turn in range(PASSES):
        for word in words:
            bucket = BUCKETS - 1 - ((word >> (32 + DIGIT * turn)) & (BUCKETS - 1))
            spare[places[turn, bucket]] = word
            places[turn, bucket] += 1
        words, spare = spare, words
    return words


@njit(nogil=True, cache=True)
def _grow(words, indptr, indices, sizes, ranks, root, newest, father, size):
    """Build the tree of ranked samples: the father of each, and the size of what closes with it."""
    near = np.empty(1 + np.diff(indptr).max(), np.int32)
    ranks[:] = -1
    for r in range(words.size):
        v = words[r] & LOW
        ranks[v], root[r], father[r] = r, r, -1
        found = 0
        for j in range(indptr[v], indptr[v + 1]):
            q = ranks[indices[j]]
            near[found] = q
            found += q >= 0
        top, grown = r, sizes[v]
        for j in range(found):
            q = near[j]
            while root[q] != q:  # path halving
                root[q] = root[root[q]]
                q = root[q]
            if q == top:
                continue
            child = newest[q]
            father[child] = r
            if size[child] >= grown:
                root[top], top = q, q
            else:
                root[q] = top
            grown += size[child]
        size[r], newest[top] = grown, r


@njit(nogil=True, cache=True)
def _power(base, exponent):
    if exponent == 0.5:
        return np.sqrt(base)
    return base if exponent == 1.0 else base**exponent


@njit(nogil=True, cache=True)
def _integrate(words, heights, kinds, powers, H, father, size, out):
    """Add up from the lowest sample to the highest; ``out`` of fathers is known by then."""
    for r in range(words.size - 1, -1, -1):
        low, start = 0.0, 0.0
        if father[r] >= 0:
            low, start = np.float64(heights[father[r]]), out[father[r]]
        h = np.float64(heights[r])
        volume = h * h * h - low * low * low if H == 2.0 else h ** (H + 1) - low ** (H + 1)
        out[r] = start + _power(size[r], powers[kinds[words[r] & LOW]]) * volume / (H + 1)


@njit(nogil=True, cache=True)
def _one_sign(values, negative, graph, whole, whole_numbers, fractions):
    """Return the ranked samples of one sign, as words; their TFCE is the last of ``fractions``."""
    indptr, indices, sizes, kinds, powers, H = graph
    n = _pack(values.view(np.uint32), negative, whole[0])
    words = _sort(whole[0, :n], whole[1, :n])
    ranks, root, newest, father, heights = whole_numbers
    size, out = fractions
    _grow(words, indptr, indices, sizes, ranks, root, newest, father, size)
    for r in range(n):
        heights[r] = words[r] >> 32
    heights = heights.view(np.float32)
    _integrate(words, heights, kinds, powers, H, father, size, out)
    return words


@njit(nogil=True, cache=True)
def _working(n):
    ranks, root, newest = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    numbers = (ranks, root, newest, np.empty(n, np.int32), np.empty(n, np.uint32))
    return np.empty((2, n), np.int64), numbers, (np.empty(n, np.float64), np.empty(n, np.float64))


@njit(nogil=True, cache=True)
def tfce_map(values, graph):
    """Return the signed TFCE of one map."""
    whole, numbers, fractions = _working(values.size)
    result = np.zeros(values.size, np.float64)
    for negative in range(2):
        words = _one_sign(values, negative, graph, whole, numbers, fractions)
        for r in range(words.size):
            result[words[r] & LOW] = (1 - 2 * negative) * fractions[1][r]
    return result


@njit(nogil=True, cache=True)
def tfce_maxima(maps, graph):
    """Return the largest TFCE of either sign of each map, by kind, shape (maps, kinds)."""
    kinds, powers = graph[3], graph[4]
    maxima = np.zeros((maps.shape[0], powers.size))
    whole, numbers, fractions = _working(maps.shape[1])
    for k in range(maps.shape[0]):
        for negative in range(2):
            words = _one_sign(maps[k], negative, graph, whole, numbers, fractions)
            for r in range(words.size):
                kind = kinds[words[r] & LOW]
                maxima[k, kind] = max(maxima[k, kind], fractions[1][r])
    return maxima
