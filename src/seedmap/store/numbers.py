"""Numbers in few bytes: whole numbers of 12 to 20 bits, on a scale of each sample's own.

A run's values are noise, which no compression makes smaller; but a correlation to 1e-5 does not
need the 24 bits of a float. In n coordinates the largest of a sample's is about ``3.5 / sqrt(n)``
of its norm, and rounding to b bits changes its correlation with anything by that times
``2**-b / sqrt(3)``, so that four times the coordinates need one bit less. `enough` keeps that
below 8e-7, five times which is still well within 1e-5.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.connectivity import BLOCK

__all__ = ["Bits", "Packed", "enough", "pack"]

Bits = Literal[12, 16, 17, 18, 20]
BYTE = 8


@dataclass(frozen=True, eq=False)
class Packed:
    """Values of samples as whole numbers.

    Attributes
    ----------
    coarse : ndarray of int8 or int16, shape (samples, n)
        The whole numbers, without what ``fine`` says.
    scale : ndarray of float32, shape (samples,)
        What they are multiplied by; NaN where a sample has no values.
    fine : ndarray of uint8, shape (samples, ...)
        What is to be added, in parts of ``2**fine_bits``; several to a byte, those of the first
        numbers in its lowest bits.
    fine_bits : int
        How many bits that takes: 1, 2 or 4, or 0 for none.
    """

    coarse: NDArray[Any]
    scale: NDArray[np.float32]
    fine: NDArray[np.uint8]
    fine_bits: int

    def numbers(self, which: Any) -> NDArray[np.float32]:
        """Return the numbers of some samples, without their scale, shape (some, n)."""
        found: NDArray[np.float32] = self.coarse[which].astype(np.float32)
        if not self.fine_bits:
            return found
        fine, part = self.fine[which], np.float32(0.5**self.fine_bits)
        for columns, shift in _shares(found.shape[1], self.fine_bits):
            some = found[:, columns]
            bits = (fine[:, : some.shape[1]] >> shift) & ((1 << self.fine_bits) - 1)
            some += np.multiply(bits, part, dtype=np.float32)
        return found

    def values(self, which: Any) -> Array:
        """Return the values of some samples, float64, shape (some, n)."""
        return np.multiply(self.numbers(which), self.scale[which][:, None], dtype=np.float64)

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the parts under the names that `of` asks for."""
        return {name: self.coarse, f"{name}_scale": self.scale, f"{name}_fine": self.fine}

    @classmethod
    def of(cls, name: str, read: Callable[[str], Any], fine_bits: int) -> "Packed":
        """Put together what `arrays` gave, ``read`` being asked for each part."""
        return cls(read(name), read(f"{name}_scale"), read(f"{name}_fine"), fine_bits)


def enough(coordinates: int) -> Bits:
    """Say how many bits the numbers of samples take that have so many coordinates."""
    if coordinates < 100:
        return 20
    return 18 if coordinates < 400 else 17


def pack(values: Array, bits: Bits) -> Packed:
    """Write values as whole numbers.

    Parameters
    ----------
    values
        Shape (n, samples). Where a sample is not finite, its scale is NaN.
    bits
        How many each number takes.

    Returns
    -------
    Packed
        Samples first, so that those of a seed lie together.
    """
    kind, whole = (np.int8, 127) if bits == 12 else (np.int16, 32767)
    fine_bits = bits - BYTE * np.dtype(kind).itemsize
    count, samples = values.shape
    coarse = np.empty((samples, count), dtype=kind)
    fine = np.zeros((samples, -(-count * fine_bits // BYTE)), dtype=np.uint8)
    scale = np.empty(samples, dtype=np.float32)
    for at in range(0, samples, BLOCK):
        part = slice(at, at + BLOCK)
        some = values[:, part]
        largest = np.abs(some).max(axis=0, initial=0.0)
        step = np.where(largest > 0, largest / whole, 1.0).astype(np.float32)
        good = np.isfinite(some).all(axis=0)
        scale[part] = np.where(good, step, np.nan)
        numbers = np.where(good, some / np.where(good, step, 1), 0).T
        steps = np.rint(numbers * (1 << fine_bits)).astype(np.int32)
        coarse[part] = steps >> fine_bits
        below = (steps & ((1 << fine_bits) - 1)).astype(np.uint8)
        for columns, shift in _shares(count, fine_bits):
            one = below[:, columns]
            fine[part, : one.shape[1]] |= one << shift
    return Packed(coarse, scale, fine, fine_bits)


def _shares(count: int, fine_bits: int) -> Iterator[tuple[slice, int]]:
    """Yield which numbers share a place in the bytes, and where that is."""
    width = -(-count * fine_bits // BYTE)
    for part in range(BYTE // fine_bits if fine_bits else 0):
        yield slice(part * width, (part + 1) * width), part * fine_bits
