"""A run of images that is explored: it is read, and cleaned, by whatever settings are wished."""

import itertools
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap.analysis import (
    Inputs,
    Limits,
    Method,
    Opened,
    SeedMaps,
    check_method,
    map_run,
    open_inputs,
    place_surfaces,
)
from seedmap.confounds import ConfoundTable
from seedmap.errors import SeedmapWarning
from seedmap.explorer.engine.explorable import Cleaned, Progress
from seedmap.explorer.engine.gathering import block_rows, block_starts, gather
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.noise import Noise, beside, lags_bytes
from seedmap.explorer.engine.settings import Settings, confound_groups
from seedmap.explorer.engine.shown import check_shown
from seedmap.explorer.engine.unsmoothed import bytes_per_voxel
from seedmap.images import Grid, Run, Space, open_run
from seedmap.seeds import DEFAULT_RADIUS, Seed
from seedmap.spatial import Reading
from seedmap.temporal import CleaningOperator, cleaning_operator

__all__ = ["ExplorableImages", "open_images"]

# Voxels outside the mask are kept up to here [mm]: a sphere of the default radius is whole wherever
# its centre lies in the mask.
AROUND = DEFAULT_RADIUS
# Rows, the seeds' voxels, and what a walk holds besides may have this many times the bytes of the run
# in float32; of the 2.5 that are promised, buffers and what the system does not get back take the rest.
MOST_MEMORY = 2.2
# Frames of the file that a walk holds: read ahead, copied, and summed up for the mean.
FRAMES_HELD = 8
# ... but rows and the seeds' voxels may always have this much [bytes].
SMALL = 96 << 20


@dataclass(frozen=True, eq=False)
class ExplorableImages:
    """A run of images and what was given with it; a `Explorable`.

    Attributes
    ----------
    opened : Opened
        The run, its frames that stay, all confounds that were given, and the mask.
    grid : Grid, Mesh or Grayordinates
        Its space.
    mask_img : object
        The mask as it was given.
    settings : Settings
        The settings to begin with.
    limits : Limits
        Threads and memory. The memory is that of maps that are saved, which read the run again;
        the rows themselves stay in memory.
    """

    opened: Opened
    grid: Space
    mask_img: Any
    settings: Settings
    limits: Limits

    @property
    def run(self) -> Run:
        """The run: its name, space and repetition time."""
        return self.opened.run

    @property
    def keep(self) -> Keep:
        """Frames that stay, shape (frames,)."""
        return self.opened.keep

    @property
    def confounds(self) -> ConfoundTable | None:
        """All confounds that were given, checked against the run."""
        return self.opened.table

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the confounds."""
        return self.opened.notes

    @property
    def fixed(self) -> bool:
        """Images can be cleaned by any settings."""
        return False

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Groups of confounds that can be switched."""
        return confound_groups(self.confounds.names) if self.confounds else {}

    def columns(self, settings: Settings) -> tuple[str, ...]:
        """Return the confounds that these settings regress out, in the order of the table."""
        wanted = {name for group in settings.groups for name in self.groups[group]}
        return (
            tuple(name for name in self.confounds.names if name in wanted) if self.confounds else ()
        )

    def chosen(self, settings: Settings) -> ConfoundTable | None:
        """Return the table of the confounds that these settings regress out; None for none."""
        names = self.columns(settings)
        if self.confounds is None or not names:
            return None
        at = [place for place, name in enumerate(self.confounds.names) if name in names]
        return ConfoundTable(self.confounds.values[:, at], names, self.confounds.source)

    def operator(self, settings: Settings) -> CleaningOperator:
        """Write the settings' cleaning out.

        Raises
        ------
        OptionError, TooFewFrames
            If the settings cannot be used on this run.
        """
        table = self.chosen(settings)
        values = table.values if table else None
        return cleaning_operator(settings.method.cleaning, self.keep, self.run.timing.t_r, values)

    def clean(self, settings: Settings, progress: Progress | None = None) -> Cleaned:
        """Read the run once and clean it.

        Parameters
        ----------
        settings
            How.
        progress
            Called as ``progress(done, total)`` from any thread; what it raises ends the reading.
        """
        operator = self.operator(settings)
        kept, numbers = int(operator.keep.sum()), itertools.count(1)
        reading = Reading(
            run=self.run,
            keep=operator.keep,
            smoothing_fwhm=settings.method.smoothing_fwhm,
            n_jobs=self.limits.threads,
            on_frame=lambda: progress(next(numbers), kept) if progress else None,
        )
        threads = self.limits.threads
        directions = beside(operator) if self._wants_noise else np.empty((0, kept))
        found = gather(
            reading,
            self.opened.mask,
            operator.coordinates,
            lambda mask: self._around(mask, kept, len(operator.coordinates)),
            directions,
        )
        basis = _basis(operator.on_kept, operator.coordinates)
        grid = self.grid.within(found.brain.mask)
        live = LiveRun.from_rows(grid, found.brain, found.unsmoothed, basis, operator.keep, threads)
        noise = None
        if self._wants_noise:
            rest = found.rest
            rest *= live.scale[:, None]
            noise = Noise(operator, live.targets, rest, directions, threads)
        table = self.chosen(settings)
        return Cleaned(live, settings, operator, table, operator.rank, found.mean, noise)

    @property
    def _wants_noise(self) -> bool:
        """Whether z may be asked for, and follows from the noise of the samples."""
        return self.settings.method.uncertainty == "operator"

    def _around(
        self, mask: NDArray[np.bool_], kept: int, coordinates: int
    ) -> tuple[NDArray[np.bool_], bool]:
        """Grow a mask by what seeds may need around it, as far as memory goes; see `gather`.

        Where not everything fits, values are rounded; and where that is not enough,
        the farthest voxels are left out.
        """
        kind, blocks = self.run.dtype, len(block_starts(kept)) - 1
        brain = int(mask.sum())
        besides = 8 * block_rows(kept) * brain + FRAMES_HELD * mask.size * kind.itemsize
        rows = 4 * coordinates * brain
        if self._wants_noise:  # its lags come when the walk's blocks are gone
            rows, besides = 4 * kept * brain, max(besides, lags_bytes(kept) * brain)
        most = max(SMALL, MOST_MEMORY * 4 * kept * brain - besides) - rows
        whole = self._reached(mask, mask.size)
        if whole.sum() * bytes_per_voxel(kind, kept, blocks, rounded=False) <= most:
            return whole, False
        return self._reached(mask, most / bytes_per_voxel(kind, kept, blocks, rounded=True)), True

    def _reached(self, mask: NDArray[np.bool_], most: float) -> NDArray[np.bool_]:
        """Grow a mask to at most so many voxels; of surfaces and structures all are taken, they are few."""
        if isinstance(self.grid, Grid):
            return grown(mask, self.grid.voxel_sizes, AROUND, most)
        return np.ones_like(mask)

    def certain_maps(
        self, settings: Settings, seed: Seed, progress: Progress | None = None
    ) -> SeedMaps:
        """Return what `seedmap run` makes of a seed, to be saved; reads the run again."""
        inputs = Inputs(
            self.run,
            confounds=self.chosen(settings),
            sample_mask=self.keep,
            mask_img=self.mask_img,
        )
        return map_run(inputs, seed, settings.method, self.limits, progress=progress)


def open_images(inputs: Inputs, method: Method, limits: Limits) -> ExplorableImages:
    """Open a run of images; see `seedmap.explorer.engine.open_source`."""
    run = place_surfaces(open_run(inputs.bold, inputs.t_r, inputs.surfaces))
    check_shown(run.source, run.space)
    run = replace(run, placed=True)  # voxels are chosen by eye
    check_method(run, method)
    opened = open_inputs(replace(inputs, bold=run, surfaces=None), method.cleaning)
    for note in opened.notes:
        warnings.warn(note, SeedmapWarning, stacklevel=4)
    method = replace(method, smoothing_fwhm=method.smoothing_fwhm or None)
    groups = tuple(confound_groups(opened.table.names)) if opened.table else ()
    return ExplorableImages(
        opened, run.space, inputs.mask_img, Settings(method=method, groups=groups), limits
    )


def grown(
    mask: NDArray[np.bool_], voxel_sizes: Array, reach: float, most: float
) -> NDArray[np.bool_]:
    """Grow a mask by all voxels within ``reach`` [mm], or fewer, so that it has no more than ``most``.

    Voxels of one distance are added together. A transform of distances takes several times as long,
    and the memory of several volumes.
    """
    margin = np.floor(reach / voxel_sizes).astype(int)
    steps = np.indices(2 * margin + 1).reshape(3, -1).T - margin
    away = np.linalg.norm(steps * voxel_sizes, axis=1)
    wide = np.pad(mask, [(m, m) for m in margin])
    core = tuple(slice(m, m + n) for m, n in zip(margin, mask.shape, strict=True))
    edge = np.flatnonzero(wide & ~_inside(wide))
    shifts = steps @ np.array([wide.shape[1] * wide.shape[2], wide.shape[2], 1])
    for distance in np.unique(away[(away > 0) & (away <= reach)]):
        wider = wide.copy()
        for shift in shifts[away == distance]:
            wider.reshape(-1)[edge + shift] = True
        if wider[core].sum() > most:
            break
        wide = wider
    return wide[core]


def _inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which voxels of a mask have all their six neighbours in it."""
    inside = mask.copy()
    for axis in range(3):
        along, of = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        along[1:] &= of[:-1]
        along[:-1] &= of[1:]
    return inside


def _basis(cleaning: Array, into: Array) -> Array:
    """Return U of Lc = U S W', shape (kept, coordinates): from coordinates back to frames."""
    centred = cleaning - cleaning.mean(axis=0)
    return (centred @ into.T) / (into**2).sum(axis=1)
