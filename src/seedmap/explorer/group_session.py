"""One sitting before a group: what is asked of the people of a study, and what was looked at.

Like `seedmap.explorer.session` it is all that the page's requests can reach, and knows nothing of HTTP.
"""

import shutil
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from seedmap.connectivity.packed import compile_products
from seedmap.errors import ImageError, OptionError, SeedmapError
from seedmap.explorer.anatomy import Surroundings, Underlay, space_underlay
from seedmap.explorer.command import GroupCommand, seed_text
from seedmap.explorer.engine.group import LiveGroup
from seedmap.explorer.engine.people import SeedDifference, Wanted
from seedmap.explorer.regions import Chosen
from seedmap.explorer.session import CAUTION, Job, Latest, place_words, write_look
from seedmap.group import Shuffles, plan_group, run_group
from seedmap.group.files import save_group
from seedmap.group.page import group_page
from seedmap.group.people import Choice, leave_out
from seedmap.group.stored import stored_members
from seedmap.images import Space
from seedmap.parallel import Pool
from seedmap.seeds import Sphere, VertexPatch

__all__ = ["GroupSession"]

CONFIRMED = "confirmed"
DIFFERENCE = "# a difference of two seeds: seedmap group has one seed; ask for each of them"
INDEPENDENT = (
    "The seed was chosen while exploring {n} other people, none of whom is used here: seed and "
    "participants are independent."
)
SHUFFLES = Shuffles.number  # of what is saved: as many as the command takes


@dataclass
class Looks:
    """How many maps were looked at."""

    count: int = 0


@dataclass(eq=False)
class GroupSession(Surroundings):
    """A group that is being explored.

    Attributes
    ----------
    live : LiveGroup
        Answers questions.
    root : Path
        The folder of results.
    choice : Choice
        Which of its runs.
    out : Path
        The only folder that is ever written to.
    command : GroupCommand
        How to make the same maps with ``seedmap group``.
    start : Sphere, VertexPatch or None
        Seed to begin with; None begins in the middle of the brain.
    held : frozenset of str
        People who are kept back: nothing of them is shown.
    """

    live: LiveGroup
    root: Path
    choice: Choice
    out: Path
    command: GroupCommand
    start: Sphere | VertexPatch | None = None
    held: frozenset[str] = frozenset()
    latest: Latest = field(default_factory=Latest)
    job: Job | None = None
    version: int = 1
    looks: Looks = field(default_factory=Looks)
    damage: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_look: Any = None
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def grid(self) -> Space:
        """Where the samples lie."""
        return self.live.pack.space

    @property
    def looked_at(self) -> int:
        """How many maps of people were looked at, on both sides where two are shown."""
        return self.looks.count

    @property
    def stem(self) -> str:
        """What files are called after."""
        return "group"

    def begin(self) -> None:
        """Bring the pack into memory and check it, while the page already works."""
        thread = threading.Thread(target=self._check, name="seedmap-check", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _check(self) -> None:
        try:
            compile_products(self.live.pack.smooth.dtype)
            self.live.pack.check()
        except ImageError as error:
            shutil.rmtree(self.live.pack.path, ignore_errors=True)
            self.damage = f"{error}: it was removed; start the explorer again, which makes it anew"

    def check(self) -> None:
        """Refuse to answer from a pack that was found to be damaged.

        Raises
        ------
        ImageError
            If it is.
        """
        if self.damage:
            raise ImageError(self.damage)

    def picture(self) -> Underlay:
        """Return what lies under the map: what was asked for, else where people have values."""
        share = (self.live.pack.smooth_scale > 0).mean(axis=1)
        return self.picture_or(lambda: space_underlay(self.grid.unmask(share), self.grid))

    def people(self, numbers: Sequence[int]) -> frozenset[str]:
        """Return the labels of people by their numbers."""
        return frozenset(self.live.people[number] for number in numbers)

    def look(self, seed: Wanted, contrast: int, off: frozenset[str]) -> int:
        """Note that a seed was looked at; return how many maps have been.

        Raises
        ------
        OutputError
            If the log cannot be written.
        """
        with self._lock:
            one, less = _both(seed)
            look = (replace(one, name="seed"), less and replace(less, name="less"), contrast, off)
            if look == self._last_look:
                return self.looked_at
            answer = self.live.maps(seed, contrast, off, which=np.zeros(1, np.int64))
            self._last_look = look
            self.looks.count += 1
            asked = self.live.model.question
            entry = {
                "time": _now(),
                "number": self.looked_at,
                "results": str(self.root),
                "seed": place_words(one),
                "radius": one.radius,
                **({} if less is None else {"less": place_words(less), "less_radius": less.radius}),
                "model": asked.model,
                "estimator": asked.estimator,
                "contrast": self.live.model.all.contrasts[contrast].text,
                "participants": len(answer.used),
                "switched_off": sorted(off),
                "lacking_the_seed": list(answer.lacking),
                "kept_back": sorted(self.held),
                "numbers": str(self.live.pack.smooth.dtype),
            }
            write_look(self.out, self.stem, entry)
            return self.looked_at

    def corrected(self, seed: Wanted, contrast: int, off: frozenset[str]) -> dict[str, Any]:
        """Return which sizes chance alone reaches in a map, and note that this was asked for.

        Raises
        ------
        SeedmapError
            If it cannot be worked out.
        """
        self.look(seed, contrast, off)
        line = self.live.line(seed, contrast, off, self.looked_at)
        entry = {
            "time": _now(),
            "number": self.looked_at,
            "corrected_line": {"of": line.kind, "alone": line.alone, "of_looks": line.of_looks},
        }
        write_look(self.out, self.stem, entry)
        return {
            "kind": line.kind,
            "alone": line.alone,
            "ofLooks": line.of_looks,
            "looks": self.looked_at,
            "shuffles": line.maxima.size - 1,
            "samples": line.samples,
        }

    def left_out(self, off: frozenset[str], *, confirming: bool = False) -> list[str]:
        """Return who is left out of what is saved: who was switched off, and those of the other half."""
        others = frozenset(self.live.people) if confirming else off | self.held
        return sorted(others)

    def written(self, seed: Wanted, off: frozenset[str], *, confirming: bool = False) -> str:
        """Write out the command for a seed and the people who are left, or those who are kept back."""
        if isinstance(seed, SeedDifference):
            return DIFFERENCE
        return self.command.line(seed, self.left_out(off, confirming=confirming), tfce=_has_numba())

    def save(self, seed: Wanted, off: frozenset[str], *, confirming: bool = False) -> Job:
        """Begin to make the maps of a seed with the group step, from the stored runs; they are saved.

        Raises
        ------
        OptionError
            If they are to be confirmed and nobody was kept back.
        """
        if isinstance(seed, SeedDifference):
            msg = f"{seed.name}: a difference of seeds is not saved; save each, and subtract their maps"
            raise OptionError(msg)
        if confirming and not self.held:
            msg = "nobody was kept back to confirm it; start the explorer with --keep-back half"
            raise OptionError(msg)
        with self._lock:
            if self.job is None or not self.job.running:
                self.job = Job(what="saving")
                arguments = (self.job, seed, off, confirming)
                thread = threading.Thread(target=self._save, args=arguments, daemon=True)
                self._threads.append(thread)
                thread.start()
            return self.job

    def _save(self, job: Job, seed: Chosen, off: frozenset[str], confirming: bool) -> None:  # noqa: FBT001  of a thread
        def progress(done: int, total: int) -> None:
            job.done, job.total = done, total

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                names = self.write(seed, off, progress, confirming=confirming)
            job.files = tuple(names)
        except SeedmapError as error:
            job.error = str(error)
        finally:
            job.running = False

    def write(
        self,
        seed: Chosen,
        off: frozenset[str],
        progress: Any = None,
        *,
        confirming: bool = False,
    ) -> list[str]:
        """Do what the command does; return the names of the files.

        Raises
        ------
        SeedmapError
            If the maps cannot be made or written.
        """
        left_out = self.left_out(off, confirming=confirming)
        members, dropped, name, strategy = stored_members(self.root, self.choice, seed_text(seed))
        members, dropped = leave_out(members, left_out, dropped)
        model = self.live.model
        asked = replace(
            model.question, seed=name, inference=Shuffles(number=SHUFFLES, tfce=_has_numba())
        )
        plan = plan_group(members, asked, model.table, dropped)
        group = run_group(
            plan,
            strategy=strategy,
            on_done=progress,
            command=self.written(seed, off, confirming=confirming),
            pool=Pool(nprocs=self.live.n_jobs),
        )
        about = {"Exploration": self._exploration(confirming=confirming)}
        maps = {k: replace(one, facts={**one.facts, **about}) for k, one in group.maps.items()}
        group = replace(group, maps=maps)
        folder = self.out / CONFIRMED if confirming else self.out
        paths = save_group(group, folder, None, group_page(group))
        if confirming:
            entry = {"time": _now(), "number": self.looked_at, "confirmed": seed_text(seed)}
            write_look(self.out, self.stem, entry)
        return [path.relative_to(self.out).as_posix() for path in paths]

    def _exploration(self, *, confirming: bool) -> dict[str, Any]:
        """Return what sidecars say of how the seed was found."""
        looked = self.looked_at
        if not confirming:
            return {"SeedsLookedAt": looked, "Note": CAUTION.format(n=looked)}
        note = INDEPENDENT.format(n=len(self.live.people))
        return {"SeedsLookedAt": looked, "SeedIndependentOfParticipants": True, "Note": note}

    def close(self) -> None:
        """End what is still being done."""
        for thread in self._threads:
            thread.join(timeout=10)
        self.live.close()


def _both(seed: Wanted) -> tuple[Chosen, Chosen | None]:
    """Return a seed, and what is subtracted from it."""
    return (seed.seed, seed.less) if isinstance(seed, SeedDifference) else (seed, None)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _has_numba() -> bool:
    return find_spec("numba") is not None
