"""A stored run that is explored: it was cleaned before, so it is there at once, and as it is.

`seedmap.store` says what such a run holds. Its smoothed samples are brought into memory; those
that seeds are the mean of stay on the disk. Its error bars come from its own tables of noise, and no image is
read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT, Array, Keep
from seedmap.analysis import Limits, Method, SeedMaps, stored_maps
from seedmap.confounds import ConfoundTable
from seedmap.errors import ImageError, OptionError
from seedmap.explorer.engine.explorable import Cleaned, Progress
from seedmap.explorer.engine.gathering import Gathered
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.settings import Settings
from seedmap.explorer.engine.shown import check_shown
from seedmap.images import FrameStream, Run, Space, Timing
from seedmap.seeds import Seed
from seedmap.spatial import SeedWeights
from seedmap.store import StoredRun, open_stored
from seedmap.temporal import Cleaning

__all__ = ["ExplorableStore", "is_stored", "open_stored_source"]

FIXED = "was stored cleaned, and no longer knows its images; explore the images to clean otherwise"


@dataclass(frozen=True, eq=False)
class OnDisk:
    """The unsmoothed samples of a stored run; a `seedmap.explorer.engine.unsmoothed.SeedVoxels`.

    Attributes
    ----------
    stored : StoredRun
        The run.
    mask : ndarray of bool, shape of the space
        Where its samples lie.
    finite : ndarray of bool, shape (samples,)
        False where a value was NaN or infinite in some kept frame.
    positions : ndarray of int, shape (samples,)
        The same as flat positions in the space.
    """

    stored: StoredRun
    mask: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    positions: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes in memory: they stay on the disk."""
        return 0

    def mean(self, rows: NDArray[np.integer[Any]]) -> tuple[Array, float]:
        """Average samples, cleaned."""
        weights = SeedWeights(self.positions[rows], np.full(rows.size, 1 / rows.size))
        clean, size, _ = self.stored.extract_seeds([weights])
        return clean[:, 0], NOTHING_LEFT * float(size[0])


@dataclass(frozen=True, eq=False)
class ExplorableStore:
    """A stored run; a `seedmap.explorer.engine.explorable.Explorable`.

    Attributes
    ----------
    stored : StoredRun
        What is on the disk.
    run : Run
        The run that was stored; its frames are not there.
    grid : Grid, Mesh or Grayordinates
        Its space and mask.
    settings : Settings
        How it was cleaned.
    limits : Limits
        Threads that may be busy at once.
    """

    stored: StoredRun
    run: Run
    grid: Space
    settings: Settings
    limits: Limits

    @property
    def keep(self) -> Keep:
        """Frames that stay, shape (frames,)."""
        return self.stored.keep

    @property
    def confounds(self) -> ConfoundTable | None:
        """Nothing that could still be regressed out is there."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing that is not known of the stored run."""
        return ()

    @property
    def fixed(self) -> bool:
        """The settings are those of the store."""
        return True

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """No confounds can be switched."""
        return {}

    def columns(self, settings: Settings) -> tuple[str, ...]:
        """Return the confounds that were regressed out."""
        self.operator(settings)
        return tuple(self.stored.facts["confounds"])

    def operator(self, settings: Settings) -> StoredRun:
        """Find out whether settings are those of the store.

        Raises
        ------
        OptionError
            If it is another.
        """
        if settings != self.settings:
            msg = f"{self.stored.path}: this run {FIXED}"
            raise OptionError(msg)
        return self.stored

    def clean(self, settings: Settings, progress: Progress | None = None) -> Cleaned:
        """Bring the run into memory; see `seedmap.explorer.engine.explorable.Explorable`."""
        stored = self.operator(settings)
        mask = np.array(self.grid.mask)
        rows, unusable, basis = stored.unpacked(progress)
        finite = ~unusable
        brain = Gathered(mask, rows, np.ones(len(rows), dtype=np.float32), finite)
        on_disk = OnDisk(stored, mask, finite, np.flatnonzero(mask))
        live = LiveRun.from_rows(self.grid, brain, on_disk, basis, stored.keep, self.limits.threads)
        return Cleaned(live, settings, stored, None, stored.rank, mask.astype(np.float64))

    def certain_maps(
        self, settings: Settings, seed: Seed, progress: Progress | None = None
    ) -> SeedMaps:
        """Return maps with the error bars that the store holds; no image is read."""
        stored = self.operator(settings)
        if progress is not None:
            progress(0, 1)
        return stored_maps(stored, seed, uncertainty=settings.method.uncertainty)


def is_stored(bold: Any) -> bool:
    """Whether something is the folder of a stored run."""
    return isinstance(bold, str | Path) and Path(bold).expanduser().joinpath("zarr.json").is_file()


def open_stored_source(path: str | Path, method: Method, limits: Limits) -> ExplorableStore:
    """Open a stored run; see `seedmap.explorer.engine.open_source`.

    Raises
    ------
    ImageError
        If it cannot be shown, was not written by ``seedmap bids --store``, or is damaged.
    OptionError
        If it was cleaned or smoothed otherwise than is asked for.
    """
    stored = open_stored(path)
    stored.check()  # once, and not at a click
    grid = stored.space
    check_shown(path, grid)
    facts: Any = stored.facts
    try:
        cleaned = Cleaning(**facts["cleaning"])
        done = replace(method, cleaning=cleaned, smoothing_fwhm=facts["smoothing_fwhm"] or None)
        run = _run(stored, grid)
    except (KeyError, TypeError) as error:
        msg = (
            f"{path}: the store does not state how it was cleaned ({error!r}); write it again with "
            "seedmap bids --store"
        )
        raise ImageError(msg) from error
    _check_asked(path, done, method)
    return ExplorableStore(stored, run, grid, Settings(method=done), limits)


def _check_asked(path: str | Path, done: Method, asked: Method) -> None:
    """Refuse what is neither a default nor what was done."""
    if asked.cleaning not in (Method.cleaning, done.cleaning):
        msg = f"{path}: other options of cleaning are given than were used; it {FIXED}"
        raise OptionError(msg)
    if (asked.smoothing_fwhm or None) not in (Method.smoothing_fwhm, done.smoothing_fwhm):
        msg = (
            f"{path}: smoothing_fwhm={asked.smoothing_fwhm} is given, {done.smoothing_fwhm} was used; "
            f"it {FIXED}"
        )
        raise OptionError(msg)
    if asked.uncertainty not in (None, "operator"):
        msg = f"{path}: uncertainty={asked.uncertainty!r}; a store holds 'operator' only: give that, or none"
        raise OptionError(msg)


def _run(stored: StoredRun, grid: Space) -> Run:
    """Describe the run that was stored."""
    facts: Any = stored.facts

    def no_frames(_wanted: Keep) -> FrameStream:
        msg = f"{stored.path}: the frames of this run are not stored; give its images"
        raise ImageError(msg)

    return Run(
        source=facts["file"],
        space=grid,
        frames=stored.keep.size,
        timing=Timing(stored.t_r, facts["t_r_source"]),
        dtype=np.dtype(np.float32),
        slope=1.0,
        inter=0.0,
        codes=(int(facts["codes"][0]), int(facts["codes"][1])),
        _open=no_frames,
    )
