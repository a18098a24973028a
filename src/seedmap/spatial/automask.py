"""The mask of a run of which none was given: guessed from its first frame, or found for certain.

Most often the first frame shows the mask, and the others, as they pass, confirm it; so the run is
read once. Where they do not, the run is read again.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap.images import FlatFrame, Grid, Run, Space, flat
from seedmap.spatial.masks import background_mask, border_values

__all__ = ["BackgroundGuess", "Guess", "certain_mask", "guess_mask", "mean_volume"]


class Guess(Protocol):
    """A mask that the first frame shows; observes the frames that follow."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which places are samples, shape of the space."""

    def look(self, frame: FlatFrame) -> None:
        """Look at one more frame; any thread may."""

    def holds(self) -> bool:
        """Say whether all frames confirm the mask."""


def guess_mask(space: Space, first: NDArray[Any]) -> Guess | None:
    """Guess a mask from the first frame, (shape of the space); None where it does not show it."""
    if isinstance(space, Grid):
        guess = BackgroundGuess(first)
        return guess if guess.mask.any() else None
    # What is 0 may lie in a medial wall.
    return _EverywhereGuess(space.shape) if first.all() and np.isfinite(first).all() else None


def certain_mask(run: Run, keep: Keep) -> NDArray[np.bool_]:
    """Find the mask from all kept frames: nilearn's background mask of their mean on a grid.

    On surfaces and grayordinates, all but the medial wall: what is zero in every kept frame, or not
    finite in one.
    """
    if isinstance(run.space, Grid):
        return background_mask(mean_volume(run, keep))
    alive: NDArray[np.bool_] = np.zeros(run.space.shape, dtype=bool)
    finite: NDArray[np.bool_] = np.ones(run.space.shape, dtype=bool)
    with run.stream(keep) as stream:
        while (frame := stream.take()) is not None:
            alive |= frame.values != 0
            finite &= np.isfinite(frame.values)
            stream.give_back(frame)
    return alive & finite


def mean_volume(run: Run, keep: Keep) -> Array:
    """Average the kept frames of a run; float64, shape (x, y, z). NaN where a frame has NaN."""
    total: Array = np.zeros(run.space.shape, order="F")
    with run.stream(keep) as stream:
        while (frame := stream.take()) is not None:
            np.add(total, frame.values, out=total)
            stream.give_back(frame)
    return total / int(keep.sum()) * run.slope + run.inter


class BackgroundGuess:
    """The background mask of the first volume, as long as it is certain to be that of the mean.

    It is, if the voxels outside never change, if they are more than half of the border (so that
    the border's median stays) and if no voxel ever lies on both sides of the background (so that
    no mean can fall on it).
    """

    def __init__(self, first: NDArray[Any]) -> None:
        self.mask = background_mask(first)
        stored, self._outside = flat(first), flat(~self.mask)
        outside = stored[self._outside]
        self._background = outside[0] if outside.size else np.nan
        self._border_outside = border_values(~self.mask).mean()
        # Most data lie above their background; the others below. Watching one side is enough.
        self._above = bool(stored.min() >= self._background)
        # Which voxels ever differed from the background, and a buffer: two arrays for each thread
        # that looks at the same time.
        self._free: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
        self._crossed = False

    def look(self, frame: FlatFrame) -> None:
        """Look at one more volume; any thread may."""
        stored = frame.stored
        try:
            ever, now = self._free.pop()
        except IndexError:
            ever, now = np.zeros(stored.size, dtype=bool), np.empty(stored.size, dtype=bool)
        np.not_equal(stored, self._background, out=now)
        np.logical_or(ever, now, out=ever)
        self._free.append((ever, now))
        farthest = stored.min() if self._above else stored.max()
        if not (farthest >= self._background if self._above else farthest <= self._background):
            self._crossed = True

    def holds(self) -> bool:
        """Say whether the volumes so far confirm the mask."""
        if np.isnan(self._background) or self._border_outside <= 0.5 or self._crossed:
            return False
        return not any(np.any(ever & self._outside) for ever, _ in self._free)


class _EverywhereGuess:
    """All places are samples, as long as all values are finite."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mask: NDArray[np.bool_] = np.ones(shape, dtype=bool)
        self._finite = True

    def look(self, frame: FlatFrame) -> None:
        if frame.missing is not None:
            self._finite = False

    def holds(self) -> bool:
        return self._finite
