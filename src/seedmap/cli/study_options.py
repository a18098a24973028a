"""Options of ``seedmap bids``, grouped; each field is a flag and its text the help.

The names are those that users of BIDS Apps know.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seedmap._files import check_there
from seedmap.analysis import Measure, Method, Uncertainty
from seedmap.bids import Filters, read_filter_file
from seedmap.cli.options import check_threshold, read_threshold
from seedmap.clusters import Threshold
from seedmap.denoising import Strategy, strategy_of
from seedmap.errors import OptionError, SeedError
from seedmap.parallel import ClusterKind, Pool
from seedmap.participants.combine import Weighting
from seedmap.participants.recipe import Combine
from seedmap.participants.seeds import StudySeed, atlas_seeds, read_seed_table, study_seed
from seedmap.participants.stored import only_strategy
from seedmap.seeds import DEFAULT_RADIUS, parse_seed
from seedmap.spatial import DEFAULT_FWHM

__all__ = [
    "AnalysisOptions",
    "CallOptions",
    "ChoiceOptions",
    "DenoiseOptions",
    "PoolOptions",
    "StudySeedOptions",
]


DEFAULT_STRATEGY = "36P"


def many(*names: str) -> Parameter:
    """Take several values after one flag."""
    return Parameter(name=list(names), negative_iterable=(), consume_multiple=True)


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions:
    """Which participants and runs."""

    participant_label: Annotated[tuple[str, ...], many("--participant-label")] = ()
    """Participants, without sub-; all if not given."""

    session_id: Annotated[tuple[str, ...], many("--session-id", "--session-label")] = ()
    """Sessions, without ses-."""

    task_id: Annotated[tuple[str, ...], many("--task-id", "--task-label", "-t")] = ()
    """Tasks, without task-."""

    run: Annotated[tuple[str, ...], many("--run", "--run-id")] = ()
    """Runs, as their names have them (1, or 01)."""

    space: str | None = None
    """The space of the runs, such as MNI152NLin2009cAsym or MNIInfant:cohort-1; needed where there are several."""

    desc: str | None = None
    """Which of the series, by their desc, such as denoised; none for those without. If not given, the one that the strategy cleans: preproc, mostly."""

    res: str | None = None
    """The resolution of the runs, as their names have it; needed where there are several."""

    bids_filter_file: Path | None = None
    """JSON that chooses runs by any entity, as fMRIPrep takes it: what it says of bold is used."""

    def filters(self, desc: str) -> Filters:
        """Put the choice together."""
        chosen = [
            (key, values)
            for key, values in (("ses", self.session_id), ("task", self.task_id), ("run", self.run))
            if values
        ]
        space, *entities = (self.space or "").split(":")  # with its cohort, as fMRIPrep has it
        wanted = [
            ("space", space or None),
            *(_entity(text) for text in entities),
            ("res", self.res),
        ]
        for key, value in wanted:
            if value is not None:
                chosen.append((key, () if value == "none" else (value,)))
        strip = [(key, tuple(v.removeprefix(f"{key}-") for v in values)) for key, values in chosen]
        more = read_filter_file(self.bids_filter_file) if self.bids_filter_file else ()
        desc = desc if self.desc is None else self.desc.removeprefix("desc-")
        return Filters(
            participants=self.participant_label,
            desc="" if desc == "none" else desc,
            entities=(*strip, *more),
        )


def _entity(text: str) -> tuple[str, str]:
    """Read an entity that follows a space, such as ``cohort-1``."""
    key, found, value = text.partition("-")
    if not (found and key and value):
        msg = f"--space: {text!r} after the colon is no entity; write it as in MNIInfant:cohort-1"
        raise OptionError(msg)
    return key, value


@dataclass(frozen=True, kw_only=True)
class StudySeedOptions:
    """What the brain is compared with."""

    seed: Annotated[tuple[str, ...], many("--seed")] = ()
    """Seeds: NAME=x,y,z in mm (PCC=0,-52,18), with its own radius (PCC=0,-52,18:6), NAME=mask.nii.gz, or NAME=atlas.nii.gz#31; on surfaces also NAME=lh:vertex:1234 and labels (NAME=atlas.dlabel.nii#PCC)."""

    seeds_file: Path | None = None
    """Table of seeds: TSV or JSON with name, x, y, z, and perhaps radius and space."""

    radius: float = DEFAULT_RADIUS
    """Radius of spheres that state none [mm]."""

    seed_space: str = ""
    """The space of seeds that state none."""

    seeds_atlas: Path | None = None
    """Label image of which each region is a seed."""

    seeds_region: Annotated[tuple[str, ...], many("--seeds-region")] = ()
    """Regions of --seeds-atlas, by name (* stands for anything) or number; all if not given."""

    allow_space_mismatch: Annotated[bool, Parameter(negative=())] = False
    """Take seeds of another space as they are; the sidecars say so."""

    def placed(self) -> tuple[StudySeed, ...]:
        """Read the seeds."""
        found = [study_seed(parse_seed(text, self.radius)) for text in self.seed]
        if self.seeds_file is not None:
            found += read_seed_table(self.seeds_file, self.radius)
        if self.seeds_atlas is not None:
            found += atlas_seeds(self.seeds_atlas, self.seeds_region)
        elif self.seeds_region:
            msg = "--seeds-region is given without --seeds-atlas; name the image, too"
            raise OptionError(msg)
        if not found:
            msg = "no seed is given; give --seed PCC=0,-52,18, --seeds-file or --seeds-atlas"
            raise SeedError(msg)
        return tuple(replace(one, space=one.space or self.seed_space) for one in found)


@dataclass(frozen=True, kw_only=True)
class DenoiseOptions:
    """Which confounds and frames."""

    strategy: Annotated[
        tuple[str, ...],
        many("--strategy", "--denoise-strategy", "--nuisance-regressors", "-p"),
    ] = ()
    """Strategies by name (none 6P 9P 24P 27P 36P acompcor simple scrubbing compcor ica_aroma; with _gsr or _scrub behind), or YAML files of one's own. Several cost one read. 36P if not given; with --from-store the one that is stored."""

    fd_thresh: Annotated[float | None, Parameter(name=["--fd-thresh", "--fd-threshold"])] = None
    """Drop frames with a framewise displacement above this [mm], in every strategy; 0 drops none."""

    dummy_scans: int = 0
    """Drop this many frames at the beginning of every run."""

    min_time: float = 0.0
    """Refuse runs of which less than this stays [min]."""

    confound_columns: Annotated[tuple[str, ...], many("--confound-columns")] = ()
    """Columns of the tables by name, * standing for anything, in place of a strategy; called columns in the names of files."""

    def strategies(self, store: Path | None = None) -> tuple[Strategy, ...]:
        """Read the strategies; without any, take the one that is stored, or 36P."""
        named: tuple[str | Strategy, ...] = self.strategy
        if self.confound_columns:
            named = (
                *named,
                Strategy(name="columns", columns=self.confound_columns, cosines="without"),
            )
        stored = (only_strategy(store),) if store is not None and not named else ()
        given = named or stored or (DEFAULT_STRATEGY,)
        return tuple(strategy_of(one).with_fd_threshold(self.fd_thresh) for one in given)


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """What is made of each run."""

    smoothing_fwhm: Annotated[float | None, Parameter(name=["--smoothing-fwhm", "--smoothing"])] = (
        DEFAULT_FWHM
    )
    """Smoothing of the brain, full width at half maximum [mm]; none for no smoothing."""

    measure: Measure = Method.measure
    """What r is: correlation, partial, semipartial, regression, spearman or lagged."""

    uncertainty: Uncertainty | None = Method.uncertainty
    """How sure the maps are: operator, xdf, naive, or none."""

    mask_img: Annotated[str | None, Parameter(name=["--mask-img", "--mask"])] = None
    """A mask or a rule (background, epi, whole-brain-template, ...) in place of the brain mask beside each run."""

    t_r: float | None = None
    """Repetition time [s] in place of what JSON and header say."""

    seed_robustness: Annotated[bool, Parameter(negative=())] = False
    """Compare the map of each seed with those of seeds that could have been chosen instead, of the halves of the run and of the other strategies: a table, maps of survival and seed error, bars on the page."""

    degree: Annotated[bool, Parameter(negative=())] = False
    """Make the map of degree of each run (mean correlation with all samples: the map of the global signal), and say how much of each seed's map it explains, beside spheres at random places: a check of the cleaning."""

    combine_runs: Combine = "none"
    """Also combine the runs of a session, or of a participant."""

    combine_by: Weighting = "dof"
    """How runs are combined: means of Fisher transforms weighted by dof (degrees of freedom) or frames; or concatenated, the correlation over the frames of all runs, each cleaned and standardised."""

    store: Annotated[bool, Parameter(negative=())] = False
    """Also keep the cleaned runs, from which maps of new seeds cost nearly nothing."""

    from_store: Path | None = None
    """Make maps from the cleaned runs that an earlier call kept in this folder of results; no image is read."""

    surface_left: Path | None = None
    """Where the vertices of left hemispheres lie: .surf.gii. Needed to place coordinates on, smooth and draw surface and CIFTI runs, but those on fsaverage5."""

    surface_right: Path | None = None
    """The same for right hemispheres."""

    threshold: str | None = None
    """What is outlined in figures and listed as clusters: 'r>0.5' (or 0.5), 'z>3.1' or 'q<0.05', in quotes; both signs count. q<0.05 if not given, r>0.3 where there are no error bars. The files hold all values."""

    min_cluster: int = 0
    """Least number of voxels or vertices of the clusters that are listed."""

    atlas: Path | None = None
    """Image of numbered regions that names the clusters, in the space of the runs; names come from a TSV (columns index and name) of the same name beside it. (--seeds-atlas takes regions as seeds.)"""

    figures: bool = True
    """Draw the maps on the participants' pages."""

    def parsed(self) -> Threshold | None:
        """Read the threshold; None takes the default of the maps."""
        return None if self.threshold is None else read_threshold(self.threshold)

    def naming(self) -> str:
        """Return where the atlas lies that names clusters; empty where none is given."""
        if self.atlas is None:
            return ""
        path = self.atlas.expanduser().absolute()
        check_there(path, "atlas")
        return str(path)

    def surfaces(self) -> dict[str, Path]:
        """Return the surfaces by hemisphere."""
        sides = {"left": self.surface_left, "right": self.surface_right}
        return {side: path.resolve() for side, path in sides.items() if path is not None}

    def __post_init__(self) -> None:
        check_threshold(self.parsed(), self.uncertainty, self.measure)


@dataclass(frozen=True, kw_only=True)
class PoolOptions:
    """Where the work is done."""

    nprocs: Annotated[
        int | None, Parameter(name=["--nprocs", "--n-cpus", "--nthreads", "--n-procs"])
    ] = None
    """Processes; as many as there are cores, and memory for, if not given. More than one needs seedmap[cluster]."""

    omp_nthreads: int | None = None
    """Accepted for other tools' sake: threads follow from cores and processes."""

    mem_gb: float | None = None
    """Memory for all processes together [GB]; what the machine has if not given."""

    mem_mb: float | None = None
    """The same in MB."""

    work_dir: Annotated[Path | None, Parameter(name=["--work-dir", "-w"])] = None
    """Folder for temporary files of the processes, and for what batch jobs print; the system's if not given."""

    dask_scheduler: str | None = None
    """Address of a Dask scheduler that is running, such as tcp://host:8786."""

    cluster: ClusterKind | None = None
    """Ask this batch system for workers: slurm, pbs, sge or lsf."""

    cluster_config: Path | None = None
    """YAML with the batch system's options (jobs, cores, memory, queue, walltime, ...): those of dask-jobqueue."""

    def pool(self) -> Pool:
        """Put the pool together."""
        if self.mem_gb is not None and self.mem_mb is not None:
            msg = "--mem-gb and --mem-mb are both given; choose one"
            raise OptionError(msg)
        return Pool(
            nprocs=self.nprocs,
            mem_gb=self.mem_mb / 1000 if self.mem_mb is not None else self.mem_gb,
            dask_scheduler=self.dask_scheduler,
            cluster=self.cluster,
            cluster_config=self.cluster_config,
            work_dir=self.work_dir,
        )


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """How the call behaves."""

    config_file: Path | None = None
    """YAML table of options (task-id: rest); those of the command line come before those of the file."""

    dry_run: Annotated[bool, Parameter(negative=())] = False
    """Say what would be done, and do nothing."""

    stop_on_first_crash: Annotated[bool, Parameter(negative=())] = False
    """Stop when the first participant fails."""

    reports_only: Annotated[bool, Parameter(negative=())] = False
    """Only write the study's page anew from what is there."""

    boilerplate_only: Annotated[bool, Parameter(negative=())] = False
    """Only print the methods text."""

    skip_bids_validation: Annotated[bool, Parameter(negative=())] = False
    """Accepted for other tools' sake: names are read as they are."""

    notrack: Annotated[bool, Parameter(negative=())] = False
    """Accepted for other tools' sake: nothing is ever sent."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False
    """Print nothing but errors."""

    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=())] = False
    """Print every detail."""
