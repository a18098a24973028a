"""A cleaning applied to blocks of samples, in single precision."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, project_out

__all__ = ["BlockCleaner", "Cleaner", "Remover"]


class Cleaner(Protocol):
    """Cleans blocks of samples from which a reference was subtracted, and whole seeds."""

    def clean(self, part: slice, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Clean the samples in ``part``, of which ``raw`` (kept, block) lacks the reference."""

    def clean_seeds(self, seed_series: Array) -> Array:
        """Clean uncleaned seeds (kept, seeds), nothing subtracted, in double precision."""


class BlockCleaner:
    """Multiplies by a cleaning of shape (rows, kept)."""

    def __init__(self, cleaning: Array, reference: Array) -> None:
        self._exact, self._cleaning = cleaning, cleaning.astype(np.float32)
        self._reference = reference
        answer = cleaning.sum(axis=1)  # to a constant: nothing, as a rule
        self._answer = answer.astype(np.float32) if np.abs(answer).max() > 1e-9 else None

    def clean(self, part: slice, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Clean the samples in ``part``, of which ``raw`` (kept, block) lacks the reference."""
        cleaned = self._cleaning @ raw
        if self._answer is not None:
            cleaned += np.outer(self._answer, self._reference[part].astype(np.float32))
        return cleaned

    def clean_seeds(self, seed_series: Array) -> Array:
        """Clean uncleaned seeds (kept, seeds); returns (rows, seeds)."""
        cleaned: Array = self._exact @ seed_series
        return cleaned


class Remover:
    """Takes a few orthonormal directions (kept, n), the mean among them, out of samples."""

    def __init__(self, directions: Array) -> None:
        self._exact, self._directions = directions, directions.astype(np.float32)

    def clean(self, part: slice, raw: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ARG002
        """Clean samples ``raw`` (kept, block), whichever they are."""
        return project_out(self._directions, raw)

    def clean_seeds(self, seed_series: Array) -> Array:
        """Clean uncleaned seeds (kept, seeds)."""
        return project_out(self._exact, seed_series)
