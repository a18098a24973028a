"""What is explored: a run, and how to have it cleaned.

`seedmap.explorer.engine.imaged` reads images, `seedmap.explorer.engine.stored` what was cleaned
before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from seedmap._arrays import Array, Keep
from seedmap.analysis import SeedMaps
from seedmap.confounds import ConfoundTable
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.noise import Noise
from seedmap.explorer.engine.settings import Settings
from seedmap.images import Run, Space
from seedmap.seeds import Seed
from seedmap.store import StoredRun
from seedmap.temporal import CleaningOperator

__all__ = ["Cleaned", "Explorable", "Progress"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A run cleaned by one choice of settings.

    Attributes
    ----------
    live : LiveRun
        Answers questions.
    settings : Settings
        How it was cleaned.
    operator : CleaningOperator or StoredRun
        The same, written out, or the store that knows it; both know which frames they ``keep``.
    table : ConfoundTable or None
        The confounds that were regressed out.
    rank : int
        Directions that the cleaning leaves.
    mean : ndarray, shape of the space
        Mean of the run; of a stored run, which has none, its mask.
    noise : Noise or None
        From which z follows; None where error bars come with whole maps.
    """

    live: LiveRun
    settings: Settings
    operator: CleaningOperator | StoredRun
    table: ConfoundTable | None
    rank: int
    mean: Array
    noise: Noise | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.live.nbytes + (self.noise.nbytes if self.noise else 0)


class Explorable(Protocol):
    """A run that can be explored, and what was given with it."""

    @property
    def run(self) -> Run:
        """The run: its name, space and repetition time."""

    @property
    def grid(self) -> Space:
        """Its space."""

    @property
    def keep(self) -> Keep:
        """Frames that stay, shape (frames,)."""

    @property
    def confounds(self) -> ConfoundTable | None:
        """All confounds that can be regressed out."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the confounds."""

    @property
    def settings(self) -> Settings:
        """The settings to begin with."""

    @property
    def fixed(self) -> bool:
        """Whether the settings are the only ones there are: nothing can be switched."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Groups of confounds that can be switched, and their columns."""

    def columns(self, settings: Settings) -> tuple[str, ...]:
        """Return the confounds that these settings regress out, in the order of the table."""

    def operator(self, settings: Settings) -> CleaningOperator | StoredRun:
        """Find out whether settings can be used, and what they are, written out.

        Raises
        ------
        OptionError, TooFewFrames
            If the settings cannot be used on this run.
        """

    def clean(self, settings: Settings, progress: Progress | None = None) -> Cleaned:
        """Bring the run into memory, cleaned.

        Parameters
        ----------
        settings
            How.
        progress
            Called as ``progress(done, total)`` from any thread; what it raises ends it.
        """

    def certain_maps(
        self, settings: Settings, seed: Seed, progress: Progress | None = None
    ) -> SeedMaps:
        """Return what `seedmap run` makes of a seed, error bars included."""
