"""The run that is explored: opened, checked, and cleaned by whatever recipe is wished.

`open_source` parses what the user gives, once, by the same door as `seedmap.seed_maps`.
`Source.clean` walks through the run and returns it cleaned, in memory.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._checks import Array, Keep, parse_sample_mask
from seedmap.analysis import SeedMaps, seed_maps
from seedmap.analysis.certainty import Uncertainty, check_uncertainty
from seedmap.analysis.door import check_timing, find_mask, parse_n_jobs
from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.errors import ImageError
from seedmap.explorer.engine.live import LiveRun
from seedmap.explorer.engine.recipe import Recipe, confound_groups
from seedmap.explorer.engine.walk import Walk
from seedmap.images import Grid, Run, open_run
from seedmap.seeds import DEFAULT_RADIUS, Sphere
from seedmap.spatial import fwhm_to_sigma
from seedmap.temporal import Cleaning, CleaningMatrices, cleaning_matrices, own_coordinates

__all__ = ["Cleaned", "Source", "open_source"]

# Seeds hear voxels outside the mask up to here [mm]: a sphere of the default radius is heard
# whole wherever its centre lies in the mask.
AROUND = DEFAULT_RADIUS
# All rows together may have this many times the bytes of the run in float32.
MOST_MEMORY = 2.35
# ... but they may always have this much [bytes].
SMALL = 4 << 20


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A run cleaned by one recipe.

    Attributes
    ----------
    live : LiveRun
        Answers questions.
    recipe : Recipe
        How it was cleaned.
    matrices : CleaningMatrices
        The same, written out.
    table : ConfoundTable or None
        The confounds that were regressed out.
    rank : int
        Directions that the cleaning leaves.
    mean : ndarray, shape (x, y, z)
        Mean of the run.
    """

    live: LiveRun
    recipe: Recipe
    matrices: CleaningMatrices
    table: ConfoundTable | None
    rank: int
    mean: Array


@dataclass(frozen=True, eq=False)
class Source:
    """A run and what was given with it.

    Attributes
    ----------
    run : Run
        The opened run.
    grid : Grid
        Its grid.
    keep : ndarray of bool, shape (frames,)
        Frames that stay.
    confounds : ConfoundTable or None
        All confounds that were given, checked against the run.
    mask : ndarray of bool, shape (x, y, z), or None
        Voxels of the brain; None finds nilearn's background mask while reading.
    mask_img : object
        The mask as it was given.
    recipe : Recipe
        The recipe to begin with.
    n_jobs : int
        Threads that may be busy at once.
    uncertainty : str or None
        How error bars are found; None for none.
    max_memory : float, str or None
        For maps with error bars, which read the run again; the rows themselves stay in memory.
    """

    run: Run
    grid: Grid
    keep: Keep
    confounds: ConfoundTable | None
    mask: NDArray[np.bool_] | None
    mask_img: Any
    recipe: Recipe
    n_jobs: int
    uncertainty: Uncertainty | None = "operator"
    max_memory: float | str | None = None

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Groups of confounds that can be switched."""
        return confound_groups(self.confounds.names) if self.confounds else {}

    def columns(self, recipe: Recipe) -> tuple[str, ...]:
        """Return the confounds that a recipe regresses out, in the order of the table."""
        wanted = {name for group in recipe.groups for name in self.groups[group]}
        return (
            tuple(name for name in self.confounds.names if name in wanted) if self.confounds else ()
        )

    def chosen(self, recipe: Recipe) -> ConfoundTable | None:
        """Return the table of the confounds that a recipe regresses out; None for none."""
        names = self.columns(recipe)
        if self.confounds is None or not names:
            return None
        at = [self.confounds.names.index(name) for name in names]
        return ConfoundTable(self.confounds.values[:, at], names, self.confounds.source)

    def matrices(self, recipe: Recipe) -> CleaningMatrices:
        """Write a recipe's cleaning out.

        Raises
        ------
        OptionError, TooFewFrames
            If the recipe cannot be used on this run.
        """
        table = self.chosen(recipe)
        values = table.values if table else None
        return cleaning_matrices(recipe.cleaning, self.keep, self.run.timing.t_r, values)

    def clean(self, recipe: Recipe, progress: Callable[[int, int], None] | None = None) -> Cleaned:
        """Walk through the run and clean it.

        Parameters
        ----------
        recipe
            How.
        progress
            Called as ``progress(done, total)`` from any thread; what it raises ends the walk.
        """
        matrices = self.matrices(recipe)
        coordinates = own_coordinates(matrices.on_kept)
        kept, numbers = int(matrices.keep.sum()), itertools.count(1)
        walk = Walk(
            run=self.run,
            grid=self.grid,
            keep=matrices.keep,
            into=coordinates.into,
            sigma=fwhm_to_sigma(recipe.smoothing_fwhm, self.grid.voxel_sizes),
            around=lambda mask: self._around(mask, coordinates.into.shape[0] / kept),
            n_jobs=self.n_jobs,
            on_frame=lambda: progress(next(numbers), kept) if progress else None,
        )
        brain, heard, mean = walk.go(self.mask)
        basis = _basis(matrices.on_kept, coordinates.into)
        grid = self.grid.within(brain.mask)
        live = LiveRun.from_rows(grid, brain, heard, basis, matrices.keep, self.n_jobs)
        return Cleaned(live, recipe, matrices, self.chosen(recipe), coordinates.rank, mean)

    def _around(self, mask: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
        """Grow a mask by what seeds may hear around it, nearest first, as far as memory goes."""
        from scipy import ndimage

        distance = ndimage.distance_transform_edt(~mask, sampling=self.grid.voxel_sizes)
        room = max(0.0, MOST_MEMORY / share - 2) * mask.sum()
        room = max(room, SMALL / (4 * share * self.keep.sum()) - 2 * mask.sum())
        levels, counts = np.unique(
            distance[(distance > 0) & (distance <= AROUND)], return_counts=True
        )
        fitting = levels[np.cumsum(counts) <= room]
        return np.asarray(distance <= fitting.max(initial=0.0), dtype=bool)

    def certain_maps(
        self, recipe: Recipe, seed: Sphere, progress: Callable[[int, int], None] | None = None
    ) -> SeedMaps:
        """Return what `seedmap run` makes of a seed, error bars included; reads the run again."""
        return seed_maps(
            self.run,
            [seed],
            confounds=self.chosen(recipe),
            sample_mask=self.keep,
            mask_img=self.mask_img,
            cleaning=recipe.cleaning,
            smoothing_fwhm=recipe.smoothing_fwhm,
            uncertainty=self.uncertainty,
            n_jobs=self.n_jobs,
            max_memory=self.max_memory,
            progress=progress,
        )


def open_source(  # noqa: PLR0913  the options of seed_maps that belong to the run
    bold: Any,
    *,
    confounds: Any = None,
    sample_mask: ArrayLike | None = None,
    mask_img: Any = None,
    t_r: float | None = None,
    cleaning: Cleaning | None = None,
    smoothing_fwhm: float | None = 6.0,
    n_jobs: int | None = None,
    uncertainty: Uncertainty | None = "operator",
    max_memory: float | str | None = None,
) -> Source:
    """Open a run for exploring; the parameters are those of `seedmap.seed_maps`.

    Raises
    ------
    SeedmapError
        If the input cannot be used: see `seedmap.errors`.
    """
    run = open_run(bold, t_r)
    if not isinstance(run.space, Grid):
        msg = f"{run.source}: a run on a surface; the explorer shows volumes: give the run in a volume"
        raise ImageError(msg)
    cleaning = cleaning or Cleaning()
    check_timing(run, cleaning)
    keep = parse_sample_mask(sample_mask, run.frames)
    given = read_confounds(confounds)
    table = None if given is None else given.for_frames(keep)
    fwhm_to_sigma(smoothing_fwhm, run.space.voxel_sizes)  # refuses what is no width
    groups = tuple(confound_groups(table.names)) if table else ()
    recipe = Recipe(cleaning=cleaning, smoothing_fwhm=smoothing_fwhm or None, groups=groups)
    return Source(
        run=run,
        grid=run.space,
        keep=keep,
        confounds=table,
        mask=find_mask(mask_img, run, keep),
        mask_img=mask_img,
        recipe=recipe,
        n_jobs=parse_n_jobs(n_jobs),
        uncertainty=check_uncertainty(uncertainty),
        max_memory=max_memory,
    )


def _basis(cleaning: Array, into: Array) -> Array:
    """Return U of Lc = U S W', shape (kept, coordinates): from coordinates back to frames."""
    centred = cleaning - cleaning.mean(axis=0)
    return (centred @ into.T) / (into**2).sum(axis=1)
