"""What is done to every run of a study: one frozen record that travels to the workers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seedmap.analysis import Method
from seedmap.clusters import Threshold
from seedmap.denoising import Strategy
from seedmap.errors import OptionError, SeedError
from seedmap.participants.combine import Weighting
from seedmap.participants.seeds import StudySeed

__all__ = ["STORED", "Combine", "Recipe"]

STORED = "_stored"  # after the label, in the ledger of what is made from stored runs
Combine = Literal["none", "session", "participant"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done to every run."""

    seeds: tuple[StudySeed, ...]
    """What the brain is compared with."""

    strategies: tuple[Strategy, ...]
    """How it is denoised; each gives its own maps."""

    root: Path
    """The data set that the runs are from."""

    method: Method = Method()
    """How maps are made of each run."""

    mask_img: str | None = None
    """A rule for the mask in place of the brain mask beside each run."""

    t_r: float | None = None
    """Repetition time [s] in place of what JSON and header say."""

    dummy_scans: int = 0
    """Frames dropped at the beginning of every run."""

    min_minutes: float = 0.0
    """Least time that must stay of a run after censoring [min]."""

    other_space: bool = False
    """Take seeds that are in another space than the run as they are."""

    combine: Combine = "none"
    """Also combine runs: those of a session, or all of a participant."""

    combine_by: Weighting = "dof"
    """How runs are combined: see `seedmap.participants.combine.combine_maps`."""

    store: bool = False
    """Also keep the cleaned runs, from which maps of new seeds cost little."""

    from_store: bool = False
    """Make maps from stored runs; ``root`` is then the folder of these results."""

    seed_robustness: bool = False
    """Also compare each map with those of seeds that could have been chosen instead."""

    degree: bool = False
    """Also make the map of degree, and say how much of each map it explains."""

    figures: bool = True
    """Draw the maps."""

    threshold: Threshold | None = None
    """What is outlined, and listed as clusters; None takes the default of the maps."""

    min_cluster: int = 0
    """Least number of samples of the clusters that are listed."""

    atlas: str = ""
    """Image of numbered regions that names the clusters, an absolute path; empty takes known points."""

    command: str = ""
    """The command line."""

    n_jobs: int = 1
    """Threads of one participant."""

    def __post_init__(self) -> None:
        if not self.strategies:
            msg = "no strategy is given; choose one with --strategy, such as 36P or simple"
            raise OptionError(msg)
        _check_unlike([strategy.label for strategy in self.strategies], "strategies", OptionError)
        _check_unlike([seed.label for seed in self.seeds], "seeds", SeedError)
        if self.from_store and self.method.measure != "correlation":
            msg = f"measure={self.method.measure!r}: stored runs give correlations only; map the images instead"
            raise OptionError(msg)
        if self.seed_robustness and (self.method.measure, self.method.uncertainty) != (
            "correlation",
            "operator",
        ):
            msg = (
                "--seed-robustness is known for --measure correlation and --uncertainty operator; leave "
                "these out"
            )
            raise OptionError(msg)
        if self.degree and self.method.measure != "correlation":
            msg = f"--degree with --measure {self.method.measure}; it is known for the correlation"
            raise OptionError(msg)
        descs = {strategy.desc for strategy in self.strategies}
        if len(descs) > 1:
            msg = (
                f"the strategies are meant for different series ({', '.join(sorted(descs))}), which are "
                "different files; use them in separate calls"
            )
            raise OptionError(msg)

    def key(self, participant: str) -> str:
        """Return under which name a participant stands in the ledger."""
        return f"{participant}{STORED}" if self.from_store else participant

    @property
    def desc(self) -> str:
        """Which of fMRIPrep's series is analysed."""
        return self.strategies[0].desc


def _check_unlike(labels: list[str], what: str, error: type[Exception]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        msg = f"two {what} are called {twice[0]!r} in file names; give them different names"
        raise error(msg)
