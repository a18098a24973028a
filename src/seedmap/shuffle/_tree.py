# ruff: noqa: ANN001, ANN202, PLR0913 - types are numba's, and its arrays come one by one
# mypy: disable-error-code="no-untyped-def"
"""TFCE of many maps, compiled by numba: components of a map above each height, from the highest down.

The samples of one sign are visited from the highest down. A sample joins the components that it
touches, or begins one. From the height of its newest sample down to that of the next a component has
one size, so that its members gain ``size^E`` times the integral of h^H between the two heights. What
its best member has gained is carried along with a component, and two that meet keep the better.

For a whole map the tree is kept: the sample that joins a component is the *father* of that
component's newest sample, and TFCE follows from the lowest sample up.

Components are few, since only local maxima begin one. Each name that a component ever had leads to
its present name in one step: of two that meet, that with fewer names takes the name of the other.
Name 0 stands for samples that were not visited yet.
"""

import numpy as np
from numba import njit

DIGIT, PASSES = 11, 3  # a float32 without its sign in three passes of 11 bits
BUCKETS = 1 << DIGIT
LOW = 0xFFFFFFFF
SIZE = 0x7FFFFFFF
ONE, NONE = np.uint32(1), np.uint32(LOW)
INFINITE = 0x7F800000  # bits of inf; those of NaN are larger
AHEAD = 128  # samples whose neighbours are fetched together, so that the memory's delays overlap


@njit(nogil=True, cache=True)
def _pack(bits, negative, packed):
    """Put finite samples of one sign into words: the height's bits, then the sample."""
    n = 0
    for v in range(bits.size):
        height = bits[v] & SIZE
        packed[n] = np.int64(height) << 32 | v
        n += ((bits[v] >> 31) == negative) & (height > 0) & (height < INFINITE)
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
def _power(base, exponent):
    if exponent == 0.5:
        return np.sqrt(base)
    return base if exponent == 1.0 else base**exponent


@njit(nogil=True, cache=True)
def _volume(height, H):
    """Return the integral of h^H up to a height, times H + 1."""
    h = np.float64(height)
    return h * h * h if H == 2.0 else h ** (H + 1)


@njit(nogil=True, cache=True)
def _fetch(words, graph, near, sizes, volumes):
    """Fetch neighbours, sizes and volumes of some samples."""
    table, all_sizes, _, _, H = graph
    heights = np.empty(AHEAD, np.uint32)
    for i in range(words.size):
        heights[i] = words[i] >> 32
        v = words[i] & LOW
        sizes[i] = all_sizes[v]
        for j in range(table.shape[1]):
            near[i, j] = table[v, j]
    for i in range(words.size):
        volumes[i] = _volume(heights.view(np.float32)[i], H)


@njit(nogil=True, cache=True)
def _gain(size, power, low, volume):
    """Return what the members of a component gain between two heights."""
    return _power(size, power) * (low - volume)


@njit(nogil=True, cache=True)
def _touched(near, i, component, name):
    """Return the least and the largest name of the components that a sample touches, less 1 and 0."""
    least, most = NONE, np.uint32(0)
    for j in range(near.shape[1]):
        c = name[component[near[i, j]]]
        least, most = min(least, np.uint32(c - ONE)), max(most, c)
    return least, most


@njit(nogil=True, cache=True)
def _begin(c, kind, parts):
    """Begin a component of no size yet."""
    name, after, names, kinds, size, _, best, _ = parts
    name[c], after[c], names[c], kinds[c], size[c], best[c] = c, c, 1, kind, 0.0, 0.0


@njit(nogil=True, cache=True)
def _meet(touched, top, rank, volume, component, powers, parts, father):
    """Join the components that a sample touches with one of them; return the one that stays."""
    name, _, names, kind, size, low, best, newest = parts
    for v in touched:
        c = name[component[v]]
        if c == 0 or c == top:
            continue
        best[c] += _gain(size[c], powers[kind[c]], low[c], volume)
        if father.size:
            father[newest[c]] = rank
        if names[c] > names[top]:
            c, top = top, c
        _rename(c, top, parts)
        size[top] += size[c]
        best[top] = max(best[top], best[c])
    return top


@njit(nogil=True, cache=True)
def _rename(c, new, parts):
    """Give all names of a component to another, and join the rings that they are linked in."""
    name, after, names, _, _, _, _, _ = parts
    for _ in range(names[c]):
        name[c] = new
        c = after[c]
    after[new], after[c] = after[c], after[new]
    names[new] += names[c]


@njit(nogil=True, cache=True)
def _grow(words, graph, component, parts, father, closed):
    """Visit ranked samples; return the number of names. A tree without space is not kept.

    Arrays are taken out of their tuples before the loop: inside, each would be counted as in use.
    """
    table, _, kinds, powers, _ = graph
    name, _, _, kind, size, low, best, newest = parts
    near = np.empty((AHEAD, table.shape[1]), np.uint32)
    sizes, volumes = np.empty(AHEAD), np.empty(AHEAD)
    component[:], name[0], count, keep = 0, 0, 1, father.size > 0
    for begin in range(0, words.size, AHEAD):
        some = words[begin : begin + AHEAD]
        _fetch(some, graph, near, sizes, volumes)
        for i in range(some.size):
            rank, v, volume = begin + i, some[i] & LOW, volumes[i]
            least, top = _touched(near, i, component, name)
            if top == 0:
                top, count = np.uint32(count), count + 1
                _begin(top, kinds[v], parts)
            else:
                best[top] += _gain(size[top], powers[kind[top]], low[top], volume)
                if keep:
                    father[newest[top]] = rank
                if least + ONE < top:
                    top = _meet(near[i], top, rank, volume, component, powers, parts, father)
            size[top] += sizes[i]
            component[v], low[top], newest[top] = top, volume, rank
            if keep:
                father[rank], closed[rank] = -1, size[top]
    return count


@njit(nogil=True, cache=True)
def _integrate(words, graph, father, closed, out):
    """Add up from the lowest sample to the highest; ``out`` of fathers is known by then."""
    _, _, kinds, powers, H = graph
    heights = (words >> 32).astype(np.uint32).view(np.float32)
    for r in range(words.size - 1, -1, -1):
        low, start = 0.0, 0.0
        if father[r] >= 0:
            low, start = _volume(heights[father[r]], H), out[father[r]]
        power = _power(closed[r], powers[kinds[words[r] & LOW]])
        out[r] = start + power * (_volume(heights[r], H) - low) / (H + 1)


@njit(nogil=True, cache=True)
def _working(n):
    """Return space for words, for components of samples, and for what is known of components."""
    name, after, names = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32)
    kind, newest = np.empty(n, np.uint8), np.empty(n, np.uint32)
    size, low, best = np.empty(n, np.float64), np.empty(n, np.float64), np.empty(n, np.float64)
    parts = name, after, names, kind, size, low, best, newest
    return np.empty((2, n), np.int64), np.empty(n, np.uint32), parts


@njit(nogil=True, cache=True)
def _ranked(values, negative, words):
    """Return the samples of one sign as words, the highest first."""
    n = _pack(values.view(np.uint32), negative, words[0])
    return _sort(words[0, :n], words[1, :n])


@njit(nogil=True, cache=True)
def tfce_map(values, graph):
    """Return the signed TFCE of one map."""
    n = values.size
    space, component, parts = _working(n + 1)
    father, closed, out = np.empty(n, np.int32), np.empty(n, np.float64), np.empty(n, np.float64)
    result = np.zeros(n, np.float64)
    for negative in range(2):
        words = _ranked(values, negative, space)
        _grow(words, graph, component, parts, father, closed)
        _integrate(words, graph, father, closed, out)
        for r in range(words.size):
            result[words[r] & LOW] = (1 - 2 * negative) * out[r]
    return result


@njit(nogil=True, cache=True)
def tfce_maxima(maps, graph):
    """Return the largest TFCE of either sign of each map, by kind, shape (maps, kinds)."""
    _, _, _, powers, H = graph
    maxima = np.zeros((maps.shape[0], powers.size))
    space, component, parts = _working(maps.shape[1] + 1)
    name, _, _, kind, size, low, best, _ = parts
    father, closed = np.empty(0, np.int32), np.empty(0, np.float64)
    for k in range(maps.shape[0]):
        for negative in range(2):
            words = _ranked(maps[k], negative, space)
            for c in range(1, _grow(words, graph, component, parts, father, closed)):
                if name[c] == c:
                    most = best[c] + _gain(size[c], powers[kind[c]], low[c], 0.0)
                    maxima[k, kind[c]] = max(maxima[k, kind[c]], most / (H + 1))
    return maxima
