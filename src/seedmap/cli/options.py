"""Options of the command line, grouped; each field is a flag and its text the help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from seedmap._checks import parse_sample_mask
from seedmap.analysis import sibling_mask
from seedmap.analysis.certainty import Uncertainty
from seedmap.analysis.measures import Measure
from seedmap.clusters import Threshold, parse_threshold
from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.errors import MissingFile, OptionError, SeedmapError
from seedmap.images import Run
from seedmap.seeds import DEFAULT_RADIUS, MaskSeed, Region, Sphere, parse_seed

__all__ = ["MeasureOptions", "OutputOptions", "RunOptions", "SeedOptions"]

Many = Parameter(negative_iterable=(), consume_multiple=True)
Repeated = Parameter(negative_iterable=())


@dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """What the brain is compared with."""

    seed: Annotated[tuple[str, ...], Repeated]
    """A seed: NAME=x,y,z in mm (PCC=0,-52,18), with its own radius (PCC=0,-52,18:6), NAME=mask.nii.gz, or NAME=atlas.nii.gz#31. Repeat for more."""

    radius: float = DEFAULT_RADIUS
    """Radius of spheres [mm]."""

    def parsed(self) -> list[Sphere | MaskSeed | Region]:
        """Read the seeds."""
        return [parse_seed(text, self.radius) for text in self.seed]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What belongs to the run, beside its cleaning."""

    confounds: Annotated[tuple[Path, ...], Many] = ()
    """Table(s) of confounds to regress out: TSV or CSV, one row a volume."""

    confound_columns: Annotated[tuple[str, ...], Many] = ()
    """Columns to take from the tables, * standing for anything (trans_? rot_? csf); all if not given."""

    sample_mask: Path | None = None
    """Volumes that stay: a table with 1 or 0 a volume, or the numbers of the volumes from 0."""

    mask_img: Annotated[str | None, Parameter(name=["--mask-img", "--mask"])] = None
    """Brain mask: an image, or background, epi, whole-brain-template, gm-template, wm-template. Without it, the desc-brain_mask beside the run, else background."""

    t_r: float | None = None
    """Repetition time [s]; without it that of the JSON beside the run, else of the header."""

    smoothing_fwhm: float | None = 6.0
    """Smoothing of the brain, full width at half maximum [mm]; none for no smoothing."""

    uncertainty: Uncertainty | None = "operator"
    """How sure the maps are: operator (follows the noise of every voxel through the cleaning), xdf, naive, or none for r and its Fisher transform alone."""

    n_jobs: int | None = None
    """Threads that may be busy at once; all processors if not given."""

    max_memory: str | None = None
    """Most memory to take, such as 2GB; a longer run is held in a temporary file. No limit if not given."""

    def table(self) -> ConfoundTable | None:
        """Read the confounds and choose their columns."""
        table = read_confounds(list(self.confounds))
        if self.confound_columns and table is None:
            msg = "--confound-columns is given without --confounds; name the table, too"
            raise OptionError(msg)
        return table.choose(self.confound_columns) if table and self.confound_columns else table

    def mask_of(self, run: Run) -> Any:
        """Return the mask that is given, else the one beside the run, else None."""
        return self.mask_img if self.mask_img is not None else sibling_mask(run.source)

    def kept(self, run: Run) -> Any:
        """Read the volumes that stay: booleans, or numbers of volumes; None for all."""
        if self.sample_mask is None:
            return None
        if not self.sample_mask.is_file():
            msg = f"{self.sample_mask}: this sample mask is not there; check the path"
            raise MissingFile(msg)
        table = read_confounds(self.sample_mask)
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
class OutputOptions:
    """What is written and printed."""

    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("seedmap-results")
    """Folder for the results; made if it is not there."""

    threshold: str = "r>0.5"
    """What is drawn and listed as clusters: 'r>0.5' (or 0.5), 'z>3.1' or 'q<0.05', in quotes; both signs count. The files hold all values."""

    atlas: Path | None = None
    """Image of numbered regions that names the clusters, in the space of the run; names come from a TSV (columns index and name) of the same name beside it."""

    figures: bool = True
    """Draw figures and the report page."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False
    """Print nothing but errors."""

    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=())] = False
    """Print every detail."""

    def __post_init__(self) -> None:
        self.parsed()

    def parsed(self) -> Threshold:
        """Read the threshold."""
        try:
            return parse_threshold(self.threshold)
        except OptionError as error:
            msg = f"--threshold {self.threshold}: {error}"
            raise OptionError(msg) from error


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What the maps hold."""

    measure: Measure = "correlation"
    """Correlation, or what each seed adds to the others (partial, semipartial, regression), that of ranks (spearman), or the strongest at a delay (lagged)."""

    max_lag: float = 8.0
    """Longest delay either way that --measure lagged looks at [s]."""

    force: Annotated[bool, Parameter(negative=())] = False
    """Go on where cleaning leaves too few degrees of freedom for any test."""
