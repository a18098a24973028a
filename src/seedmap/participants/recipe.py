"""What is done to every run of a study: one frozen record that travels to the workers."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from seedmap._version import __version__
from seedmap.analysis import Method
from seedmap.bids import Participant
from seedmap.denoising import Strategy
from seedmap.errors import OptionError, SeedError
from seedmap.participants.combine import Weighting
from seedmap.participants.seedlist import StudySeed

__all__ = ["Combine", "FileState", "Recipe", "fingerprint", "state_of"]

Combine = Literal["none", "session", "participant"]

# Fields of a recipe that no number depends on.
IDLE = ("command", "root", "n_jobs")


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

    figures: bool = True
    """Draw the maps."""

    threshold: float = 0.5
    """Draw only |r| above this."""

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
        descs = {strategy.desc for strategy in self.strategies}
        if len(descs) > 1:
            msg = (
                f"the strategies are meant for different series ({', '.join(sorted(descs))}), which are "
                "different files; use them in separate calls"
            )
            raise OptionError(msg)

    def key(self, participant: str) -> str:
        """Return under which name a participant stands in the ledger."""
        return f"{participant}_stored" if self.from_store else participant

    @property
    def desc(self) -> str:
        """Which of fMRIPrep's series is analysed."""
        return self.strategies[0].desc


def _check_unlike(labels: list[str], what: str, error: type[Exception]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        msg = f"two {what} are called {twice[0]!r} in file names; give them different names"
        raise error(msg)


@dataclass(frozen=True)
class FileState:
    """A file as it was: if nothing here but the digest is asked for and equal, so is its content.

    A program can set a file's size and ``mtime`` back to what they were, as copying with times
    does, but not its ``ctime`` (Windows has none).
    """

    path: str
    size: int
    mtime_ns: int = 0
    digest: str = ""
    ctime_ns: int = 0
    inode: int = 0

    def same_as(self, other: "FileState") -> bool:
        """Whether another look at the file found it untouched."""
        return replace(self, digest="") == replace(other, digest="")


def state_of(path: Path, root: Path) -> FileState:
    """Look at a file without reading it."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    try:
        found = path.stat()
    except OSError:
        return FileState(name, -1)
    return FileState(
        name,
        found.st_size,
        found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
    )


def fingerprint(recipe: Recipe, participant: Participant, states: Iterable[FileState]) -> str:
    """Sum up all that shapes a participant's results: inputs' content, options and version."""
    options = {key: value for key, value in asdict(recipe).items() if key not in IDLE}
    options["seeds"] = [seed.facts() for seed in recipe.seeds]
    seed_files = sorted({seed.seed.source for seed in recipe.seeds} - {""})
    facts = {
        "version": __version__,
        "options": options,
        "seed files": [
            [path, _digest_once(path, state_of(Path(path), recipe.root))] for path in seed_files
        ],
        "inputs": [[state.path, state.digest] for state in states],
        "runs": [[run.name, run.space, run.t_r] for run in participant.runs],
        "problems": participant.problems,
    }
    return hashlib.blake2b(json.dumps(facts, default=_plain).encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> str:
    return repr(value)


@lru_cache(maxsize=64)
def _digest_once(path: str, state: FileState) -> str:  # noqa: ARG001  part of the key
    """Digest a file that many participants share."""
    return digest(Path(path))


def digest(path: Path) -> str:
    """Sum up a file's content; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
