"""Options of the command line, grouped; each field is a flag and its text the help."""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from seedmap._arrays import parse_sample_mask
from seedmap.analysis import (
    Inputs,
    Limits,
    Measure,
    Method,
    Uncertainty,
)
from seedmap.clusters import Threshold, parse_threshold
from seedmap.confounds import read_confounds
from seedmap.denoising import Strategy, strategy_of
from seedmap.errors import OptionError, SeedmapError
from seedmap.images import Run
from seedmap.seeds import DEFAULT_RADIUS, Seed, parse_seed
from seedmap.spatial import DEFAULT_FWHM

__all__ = [
    "MeasureOptions",
    "OutputOptions",
    "RunOptions",
    "SeedOptions",
    "SurfaceOptions",
    "changed_flags",
    "check_threshold",
    "read_threshold",
]

# What may still be chosen of a run that was cleaned before; all else was when it was.
STILL_OPEN = ("uncertainty", "n_jobs", "max_memory", "force")

Many = Parameter(negative_iterable=(), consume_multiple=True)
Repeated = Parameter(negative_iterable=())


@dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """What the brain is compared with."""

    seed: Annotated[tuple[str, ...], Repeated]
    """A seed: NAME=x,y,z in mm (PCC=0,-52,18), with its own radius (PCC=0,-52,18:6), NAME=mask.nii.gz, or NAME=atlas.nii.gz#31; on surfaces also NAME=lh:vertex:1234 (lh or rh) and atlases as .label.gii, .annot or dlabel. Repeat for more."""

    radius: float = DEFAULT_RADIUS
    """Radius of spheres, and of patches along a surface [mm]."""

    def parsed(self) -> list[Seed]:
        """Read the seeds."""
        return [parse_seed(text, self.radius) for text in self.seed]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What belongs to the run, beside its cleaning."""

    confounds: Annotated[tuple[Path, ...], Many] = ()
    """Table(s) of confounds to regress out: TSV or CSV, one row a volume."""

    strategy: str | None = None
    """Strategy that chooses columns and frames from fMRIPrep's table beside the run, or from --confounds: none 6P 9P 24P 27P 36P acompcor simple scrubbing compcor ica_aroma; with _gsr or _scrub behind; or a YAML file."""

    fd_thresh: Annotated[float | None, Parameter(name=["--fd-thresh", "--fd-threshold"])] = None
    """With --strategy: drop frames with a framewise displacement above this [mm]; 0 drops none."""

    confound_columns: Annotated[tuple[str, ...], Many] = ()
    """Columns to take of --confounds, else of the table beside the run, or of what the strategy chose; * stands for anything (csf white_matter). All of --confounds if not given."""

    sample_mask: Path | None = None
    """Volumes that stay: a table with 1 or 0 a volume, or the numbers of the volumes from 0."""

    mask_img: Annotated[str | None, Parameter(name=["--mask-img", "--mask"])] = None
    """Brain mask: an image, or background, epi, whole-brain-template, gm-template, wm-template. Without it, the desc-brain_mask beside the run, else background."""

    t_r: float | None = None
    """Repetition time [s]; without it that of the JSON beside the run, else of the header."""

    smoothing_fwhm: float | None = DEFAULT_FWHM
    """Smoothing of the brain, full width at half maximum [mm]; none for no smoothing."""

    uncertainty: Uncertainty | None = Method.uncertainty
    """How sure the maps are: operator (follows the noise of every voxel through the cleaning), xdf, naive, or none for r and its Fisher transform alone."""

    config_file: Path | None = None
    """YAML table of options (low-pass: 0.08); those of the command line come before those of the file."""

    n_jobs: int | None = None
    """Threads that may be busy at once; all processors if not given."""

    max_memory: str | None = None
    """Most memory to take, such as 2GB; a longer run is held in a temporary file. No limit if not given."""

    def inputs(self, run: Run) -> Inputs:
        """Put together a run and what is given with it."""
        return Inputs(
            run,
            confounds=list(self.confounds),
            strategy=self.chosen_strategy(),
            confound_columns=self.confound_columns,
            sample_mask=self.kept(run),
            mask_img=self.mask_img,
        )

    def limits(self) -> Limits:
        """Say what the work may take of the machine."""
        return Limits(n_jobs=self.n_jobs, max_memory=self.max_memory)

    def chosen_strategy(self) -> Strategy | None:
        """Read the strategy."""
        if self.strategy is None:
            if self.fd_thresh is None:
                return None
            msg = "--fd-thresh is given without --strategy; name the strategy, such as 36P, too"
            raise OptionError(msg)
        return strategy_of(self.strategy).with_fd_threshold(self.fd_thresh)

    def kept(self, run: Run) -> Any:
        """Read the volumes that stay: booleans, or numbers of volumes; None for all."""
        if self.sample_mask is None:
            return None
        table = read_confounds(self.sample_mask, "sample mask")
        values = np.ravel(table.values if table else [])
        if not np.isfinite(values).all():
            msg = f"{self.sample_mask}: the sample mask has empty cells; give 1 or 0, or numbers of volumes"
            raise OptionError(msg)
        is_bool = values.size == run.frames and np.isin(values, (0, 1)).all()
        try:
            return parse_sample_mask(values.astype(bool) if is_bool else values, run.frames)
        except SeedmapError as error:
            msg = f"{self.sample_mask}: {error}"
            raise type(error)(msg) from error


@dataclass(frozen=True, kw_only=True)
class SurfaceOptions:
    """Runs on the cortical surface, in place of BOLD, and where its vertices lie."""

    left: Path | None = None
    """Series of the left hemisphere: .func.gii, .mgz."""

    right: Path | None = None
    """Series of the right hemisphere."""

    surface_left: Path | None = None
    """Where its vertices lie: .surf.gii, or FreeSurfer's lh.midthickness and the like; fsaverage5 is known. Also for a CIFTI run."""

    surface_right: Path | None = None
    """The same for the right hemisphere."""

    def given(self, bold: Path | None) -> Path | dict[str, Path]:
        """Return the run: one path, or one a hemisphere."""
        sides = {"left": self.left, "right": self.right}
        found = {side: path for side, path in sides.items() if path is not None}
        if bold is not None and found:
            msg = f"{bold}: a run is given, and --left or --right too; give the one or the other"
            raise OptionError(msg)
        if bold is None and not found:
            msg = "no run is given; name its file, or --left and --right for surfaces"
            raise OptionError(msg)
        return found if bold is None else bold

    def surfaces(self) -> dict[str, Path]:
        """Return the surfaces by hemisphere."""
        sides = {"left": self.surface_left, "right": self.surface_right}
        return {side: path for side, path in sides.items() if path is not None}

    def words(self, bold: Path | None) -> tuple[str, ...]:
        """Spell the run and its surfaces as they are given; empty where ``bold`` says all."""
        given = {f"--{one.name.replace('_', '-')}": getattr(self, one.name) for one in fields(self)}
        words = [
            word for flag, path in given.items() if path is not None for word in (flag, str(path))
        ]
        return (*([] if bold is None else [str(bold)]), *words) if words else ()


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is written and printed."""

    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("seedmap-results")
    """Folder for the results; made if it is not there."""

    threshold: str | None = None
    """What is outlined in figures and listed as clusters: 'r>0.5' (or 0.5), 'z>3.1' or 'q<0.05', in quotes; both signs count. q<0.05 if not given, r>0.3 where there are no error bars. The files hold all values."""

    atlas: Path | None = None
    """Image of numbered regions that names the clusters, in the space of the run; names come from a TSV (columns index and name) of the same name beside it. Without it, peaks in MNI space bear the name of the nearest of 160 well-known points."""

    min_cluster: int = 0
    """Least number of voxels or vertices of the clusters that are listed."""

    figures: bool = True
    """Draw figures and the report page."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False
    """Print nothing but errors."""

    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=())] = False
    """Print every detail."""

    def __post_init__(self) -> None:
        self.parsed()

    def parsed(self) -> Threshold | None:
        """Read the threshold; None takes the default of the maps."""
        return None if self.threshold is None else read_threshold(self.threshold)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What the maps hold."""

    measure: Measure = Method.measure
    """Correlation, or what each seed adds to the others (partial, semipartial, regression), that of ranks (spearman), or the strongest at a delay (lagged)."""

    max_lag: float = Method.max_lag
    """Longest delay either way that --measure lagged looks at [s]."""

    fwe: Annotated[bool, Parameter(negative=())] = False
    """Correct for the whole map: pfwe of every sample and p_cluster of clusters, from 1000 null seeds with the spectrum of the seed. Without --threshold, clusters of z>3.29 (p < .001) are listed."""

    force: Annotated[bool, Parameter(negative=())] = False
    """Go on where cleaning leaves too few degrees of freedom for any test."""


def read_threshold(text: str) -> Threshold:
    """Read what follows --threshold."""
    try:
        return parse_threshold(text)
    except OptionError as error:
        msg = f"--threshold {text}: {error}"
        raise OptionError(msg) from error


def check_threshold(
    threshold: Threshold | None, uncertainty: Uncertainty | None, measure: Measure
) -> None:
    """Refuse a threshold of a map that there will not be."""
    if threshold is None or threshold.stat == "r":
        return
    if uncertainty is None or measure == "lagged":
        why = "--uncertainty none" if uncertainty is None else "--measure lagged"
        msg = f"--threshold {threshold}: {why} gives no {threshold.stat}; give a threshold of r, as r>0.5"
        raise OptionError(msg)


def changed_flags(*groups: Any) -> Iterator[str]:
    """List the flags that differ from their defaults and are too late for a run cleaned before."""
    for options in groups:
        for one in fields(options):
            usual = one.default if one.default_factory is MISSING else one.default_factory()
            if one.name not in STILL_OPEN and getattr(options, one.name) != usual:
                yield f"--{one.name.replace('_', '-')}"
