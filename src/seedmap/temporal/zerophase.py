"""Butterworth filters as second-order sections, and filtering forwards and backwards with them.

The design and the numbers are those of ``scipy.signal.butter`` and ``sosfiltfilt``, to rounding.
They stand here because importing ``scipy.signal`` takes several times as long as reading and
cleaning a small run, and this is all of it that a cleaning needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array

__all__ = ["Sections", "butterworth", "zero_phase"]

# Frames filtered by one matrix product, measured: fewer take more products, more larger ones.
BLOCK = 32
# Numerators: both zeros at 0 Hz, both at the Nyquist frequency, one at each.
SLOW, FAST, BOTH = (1.0, -2.0, 1.0), (1.0, 2.0, 1.0), (1.0, 0.0, -1.0)


@dataclass(frozen=True, eq=False)
class Sections:
    """A recursive filter as a chain of sections of second order, run one after the other.

    Attributes
    ----------
    b : ndarray of float64, shape (sections, 3)
        Numerators: weights of an input and of the two before it.
    a : ndarray of float64, shape (sections, 2)
        Denominators after their leading 1: weights, negated, of the last two outputs.
    """

    b: Array
    a: Array


def butterworth(order: int, high_pass: float | None, low_pass: float | None) -> Sections:
    """Design a Butterworth filter.

    Parameters
    ----------
    order
        Order of the low-pass prototype; a band-pass has twice as many poles.
    high_pass, low_pass
        Cut-offs as shares of the Nyquist frequency, each between 0 and 1; one may be None.

    References
    ----------
    Butterworth (1930), Experimental Wireless 7, 536. Bilinear transform with both cut-offs
    warped, as in Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.1.
    """
    # Poles of the prototype in the upper half plane, and the real one of an odd order. The others
    # are their conjugates.
    turns = np.arange(order - 1, -1, -2) / (2 * order)
    prototype = -np.exp(-1j * np.pi * turns)
    low = None if high_pass is None else np.tan(np.pi / 2 * high_pass)
    high = None if low_pass is None else np.tan(np.pi / 2 * low_pass)
    if low is not None and high is not None:
        half = prototype * (high - low) / 2
        root = np.sqrt(half**2 - low * high)
        real = prototype.imag == 0  # both its poles are in one section
        upper = np.concatenate([half[~real] + root[~real], half[~real] - root[~real]])
        # Slow poles get the zeros at 0 Hz and fast ones those at the Nyquist frequency: no section
        # then amplifies much what another takes away.
        upper = upper[np.argsort(np.abs(upper))]
        kinds = [SLOW] * (order // 2) + [FAST] * (order // 2) + [BOTH] * (order % 2)
        first = np.concatenate([upper, (half + root)[real]])
        second = np.concatenate([upper.conj(), (half - root)[real]])
        return _sections(first, second, kinds, 2 * np.arctan(np.sqrt(low * high)))
    upper = prototype * high if high is not None else low / prototype
    kinds = [SLOW if high is None else FAST] * len(upper)
    return _sections(upper, upper.conj(), kinds, 0.0 if high is not None else np.pi)


def _sections(
    first: NDArray[np.complex128],
    second: NDArray[np.complex128],
    kinds: Sequence[tuple[float, float, float]],
    passes: float,
) -> Sections:
    """Turn pairs of analogue poles into sections that pass the angle ``passes`` unchanged."""
    b = np.array(kinds)
    alone = (b[:, 1] != 0) & (first.imag == 0)  # the real pole of an odd order
    one, other = ((1 + pole) / (1 - pole) for pole in (first, second))
    a = np.stack([-(one + other).real, (one * other).real], axis=1)
    a[alone] = np.stack([-one.real, 0 * one.real], axis=1)[alone]
    b[alone] = b[alone] / (1.0, 2.0, np.inf)
    at = np.exp(-1j * passes * np.arange(3))
    return Sections(b * np.abs((1 + a @ at[1:]) / (b @ at))[:, None], a)


def zero_phase(
    sections: Sections, series: Array, padding: int, edges: Literal["odd", "even"]
) -> Array:
    """Filter forwards and backwards, so that nothing is shifted in time.

    Parameters
    ----------
    sections
        The filter.
    series
        Shape (frames, samples).
    padding
        Frames by which the series is continued at each end, fewer than it has.
    edges
        ``"odd"`` mirrors it through its last point, ``"even"`` in time alone.

    Returns
    -------
    ndarray of float64, shape (frames, samples)

    References
    ----------
    Gustafsson (1996), IEEE Trans. Signal Process. 44, 988, doi:10.1109/78.492552.
    """
    series = np.asarray(series, dtype=np.float64)
    before, after = series[padding:0:-1], series[-2 : -padding - 2 : -1]
    if edges == "odd":
        before, after = 2 * series[:1] - before, 2 * series[-1:] - after
    steps = _Steps(sections)
    forwards = steps.run(np.concatenate([before, series, after]))
    backwards = steps.run(forwards[::-1])[::-1]
    return backwards[padding : padding + len(series)]


class _Steps:
    """A filter that does a block of frames at a time.

    With s its state, x an input and y an output, a step is ``y = C s + D x``, ``s' = A s + B x``.
    Written out over a block, states and inputs give outputs and states by one matrix.
    """

    def __init__(self, sections: Sections) -> None:
        A, B, C, D, self._rest = _state_space(sections)
        states = len(A)
        self._block = np.zeros((BLOCK + states, states + BLOCK))
        state = np.hstack([np.eye(states), np.zeros((states, BLOCK))])
        for step in range(BLOCK):
            arriving = np.zeros(states + BLOCK)
            arriving[states + step] = 1.0
            self._block[step] = C @ state + D * arriving
            state = A @ state + np.outer(B, arriving)
        self._block[BLOCK:] = state

    def run(self, series: Array) -> Array:
        """Filter (frames, samples), as if the first frame had been there for ever."""
        frames, samples = series.shape
        states = len(self._rest)
        inputs = np.zeros((states + BLOCK, samples))
        inputs[:states] = self._rest[:, None] * series[:1]
        filtered = np.empty(series.shape)
        for start in range(0, frames, BLOCK):
            count = min(BLOCK, frames - start)
            inputs[states : states + count] = series[start : start + count]
            outputs = self._block @ inputs
            filtered[start : start + count] = outputs[:count]
            inputs[:states] = outputs[BLOCK:]
        return filtered


def _state_space(sections: Sections) -> tuple[Array, Array, Array, float, Array]:
    """Write the chain as A, B, C and D, with the state that a constant input of 1 ends in."""
    states = 2 * len(sections.a)
    A, B, rest = np.zeros((states, states)), np.zeros(states), np.zeros(states)
    C, D, level = np.zeros(states), 1.0, 1.0  # what arrives at a section: C s + D x
    for at, ((b0, b1, b2), (a1, a2)) in enumerate(zip(sections.b, sections.a, strict=True)):
        row, arriving, constant = 2 * at, (C, D), level
        C, D = b0 * C, b0 * D
        C[row] = 1.0
        level = constant * (b0 + b1 + b2) / (1 + a1 + a2)
        A[row], B[row] = b1 * arriving[0] - a1 * C, b1 * arriving[1] - a1 * D
        A[row + 1], B[row + 1] = b2 * arriving[0] - a2 * C, b2 * arriving[1] - a2 * D
        A[row, row + 1] += 1.0
        rest[row + 1] = b2 * constant - a2 * level
        rest[row] = b1 * constant - a1 * level + rest[row + 1]
    return A, B, C, D, rest
