"""One sitting before one run: what is shown, what is being cleaned, what has been looked at.

The session is all that the page's requests can reach. It knows nothing of HTTP.
"""

import json
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seedmap.analysis import save_maps
from seedmap.bids import label_of, source_stem
from seedmap.errors import OptionError, OutputError, SeedmapError
from seedmap.explorer.anatomy import Surroundings, Underlay, space_underlay
from seedmap.explorer.command import Command
from seedmap.explorer.engine import (
    Cleaned,
    Explorable,
    Scores,
    Settings,
    Superseded,
    scores_of,
)
from seedmap.explorer.regions import Chosen, RegionSeed
from seedmap.images import Space
from seedmap.seeds import Seed, Sphere, VertexPatch

__all__ = ["CAUTION", "PCC", "Busy", "Job", "Latest", "Session", "place_words", "write_look"]

# The posterior cingulate: the middle of the default mode network, which every resting run shows.
PCC = Sphere("PCC", (0.0, -52.0, 18.0))
# While new settings are cleaned the old rows stay, if both together are no larger than this;
# otherwise the old are let go first, and clicks wait.
MOST_FOR_TWO = 1 << 30
REMEMBERED = 64  # windows whose newest request is known
CERTAIN = 4  # z maps that are kept
CAUTION = (
    "This seed was chosen while exploring: {n} seeds were looked at in this session. What is found "
    "by looking needs to be confirmed in other data."
)


class Busy(Exception):
    """The run is being cleaned and there is nothing to ask yet."""


@dataclass
class Job:
    """Something that takes a while: how far it is, and how it ended."""

    what: str
    done: int = 0
    total: int = 0
    error: str = ""
    running: bool = True
    files: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what the page shows."""
        return asdict(self)


def write_look(folder: Path, stem: str, entry: dict[str, Any]) -> None:
    """Append a look to the log of a session.

    Raises
    ------
    OutputError
        If the log cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{stem}_exploration.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
    except OSError as error:
        msg = f"{folder}: the log of seeds cannot be written ({error.strerror}); give --out"
        raise OutputError(msg) from error


class Latest:
    """Knows the newest request of every window, so that older ones can be dropped."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def arrive(self, window: str, number: int) -> Callable[[], bool]:
        """Note a request; return what checks whether a newer one of the same window came."""
        with self._lock:
            self._newest[window] = max(number, self._newest.get(window, -1))
            self._newest.move_to_end(window)
            while len(self._newest) > REMEMBERED:
                self._newest.popitem(last=False)
        return self.after(window, number)

    def after(self, window: str, number: int) -> Callable[[], bool]:
        """Return what checks whether a newer request of a window came."""
        return lambda: self._newest.get(window, -1) > number


@dataclass(eq=False)
class Session(Surroundings):
    """A run that is being explored.

    Attributes
    ----------
    source : Explorable
        The run.
    out : Path
        The only folder that is ever written to.
    command : Command
        How to make the same maps with ``seedmap run``.
    start : Sphere, VertexPatch or None
        Seed to begin with; None begins in the middle of the brain.
    before : tuple of Sphere or VertexPatch
        Seeds that were mapped before; the page lists them.
    """

    source: Explorable
    out: Path
    command: Command
    start: Sphere | VertexPatch | None = None
    before: tuple[Sphere | VertexPatch, ...] = ()
    latest: Latest = field(default_factory=Latest)
    job: Job | None = None
    version: int = 0
    looked_at: int = 0
    _cleaned: Cleaned | None = None
    _certain: "OrderedDict[tuple[Any, ...], Scores]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slow: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _last_look: tuple[Any, ...] = ()

    def begin(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Clean the run for the first time."""
        self._accept(self.source.clean(self.source.settings, progress))

    @property
    def cleaned(self) -> Cleaned:
        """The run as it is cleaned now.

        Raises
        ------
        Busy
            While it is being cleaned and memory did not allow to keep the old one.
        """
        cleaned = self._cleaned
        if cleaned is None:
            raise Busy
        return cleaned

    @property
    def stem(self) -> str:
        """What files are called after."""
        return source_stem(self.source.run.source)

    @property
    def grid(self) -> Space:
        """Where the samples lie."""
        return self.cleaned.live.grid

    def picture(self) -> Underlay:
        """Return what lies under the map: what was asked for, else the mean of the run."""
        return self.picture_or(lambda: space_underlay(self.cleaned.mean, self.grid))

    def switch(self, settings: Settings) -> None:
        """Clean the run anew, in the background; an unfinished cleaning is given up.

        Raises
        ------
        SeedmapError
            If the settings cannot be used: nothing changes.
        """
        self.source.operator(settings)
        job = Job(what="cleaning", total=int(self.source.keep.sum()))
        with self._lock:
            self.job, before = job, self._thread
            self._thread = threading.Thread(
                target=self._clean, args=(settings, job, before), name="seedmap-clean", daemon=True
            )
            self._thread.start()

    def _clean(self, settings: Settings, job: Job, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        old = self._cleaned
        if old is not None and 2 * old.nbytes > MOST_FOR_TWO:
            self._cleaned = None
        settings_before = old.settings if old else self.source.settings
        del old
        try:
            self._accept(self.source.clean(settings, self._counter(job)))
        except Superseded:
            pass
        except SeedmapError as error:
            job.error = str(error)
            if self._cleaned is None:
                self._accept(self.source.clean(settings_before))
        except MemoryError:
            job.error = (
                "there is not enough memory for these settings; free some, or smooth less often"
            )
        finally:
            job.running = False

    def _counter(self, job: Job) -> Callable[[int, int], None]:
        """Count frames, and give up once another job has taken over."""

        def progress(done: int, total: int) -> None:
            job.done, job.total = done, total
            if self.job is not job:
                raise Superseded

        return progress

    def _accept(self, cleaned: Cleaned) -> None:
        with self._lock:
            old, self._cleaned = self._cleaned, cleaned
            self.version += 1
        if old is not None:
            old.live.close()

    def look(self, seed: Chosen) -> int:
        """Note that a seed was looked at; return how many have been.

        Raises
        ------
        OutputError
            If the log cannot be written.
        """
        settings = self.cleaned.settings
        with self._lock:
            look = (replace(seed, name="seed"), settings)
            if look == self._last_look:  # drawn again, but not anew
                return self.looked_at
            self._last_look = look
            self.looked_at += 1
            entry = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "number": self.looked_at,
                "run": self.source.run.source,
                "seed": place_words(seed),
                "radius": seed.radius,
                "smoothing_fwhm": settings.method.smoothing_fwhm,
                "cleaning": asdict(settings.method.cleaning),
                "confounds": list(self.source.columns(settings)),
            }
            write_look(self.out, self.stem, entry)
            return self.looked_at

    def certain(self, seed: Seed, superseded: Callable[[], bool] = bool) -> Scores:
        """Return the z map of a seed; the last few are kept."""
        cleaned = self.cleaned
        key = (seed, cleaned.settings)
        with self._slow:
            if key not in self._certain:
                self._certain[key] = scores_of(self.source, cleaned, seed, superseded)
                while len(self._certain) > CERTAIN:
                    self._certain.popitem(last=False)
            return self._certain[key]

    def save(self, seed: Chosen) -> list[str]:
        """Write the maps of a seed with their sidecars into the output folder; return the names.

        They are those of ``seedmap run``: images are read again for them. Each sidecar also says
        how many seeds were looked at.

        Raises
        ------
        OptionError
            If nothing of the seed's name can stand in a file name.
        OutputError
            If the folder cannot be written to.
        """
        if not label_of(seed.name):
            msg = f"seed {seed.name!r}: a name needs letters or digits"
            raise OptionError(msg)
        settings = self.cleaned.settings
        with self._slow, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the page has shown them
            maps = self.source.certain_maps(settings, seed)
        exploration = {"SeedsLookedAt": self.looked_at, "Note": CAUTION.format(n=self.looked_at)}
        command = self.command.line(self.source, settings, seed)
        facts = {"Command": command, "Exploration": exploration}
        return [path.name for path in save_maps(maps, self.out, facts=facts)]

    def close(self) -> None:
        """End what is still being done."""
        self.job = None
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._cleaned is not None:
            self._cleaned.live.close()


def place_words(seed: Chosen) -> list[float] | str:
    """Return where a seed is: coordinates [mm], or vertex or region as the command line has it."""
    if isinstance(seed, RegionSeed):
        return f"{seed.source}#{seed.label}"
    if isinstance(seed, VertexPatch):
        return f"{seed.hemisphere[0]}h:vertex:{seed.vertex}"
    return list(seed.center)
