"""A phantom: resting runs made from planted correlations, so that the right map is known.

Each run is a sum of parts that are written down one by one: the mean image of a brain, nine
regions with planted time courses, noise that is coloured in time and alike in neighbouring
voxels, slow drift, what head motion and the body add (explained by the confounds), and a few
frames spoilt by a jump of the head. Equal ``rng`` gives equal data on one machine.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from seedmap.datasets.anatomy import Anatomy, load_anatomy
from seedmap.datasets.layout import (
    Dataset,
    Dtype,
    Layout,
    RunFiles,
    name_runs,
    write_json,
    write_nifti,
    write_table,
    write_text,
)
from seedmap.datasets.scan import SIGNAL, TimeCourses, scan
from seedmap.datasets.timecourses import (
    COMPONENTS,
    MOTION,
    cleaning_projector,
    confound_table,
    draw_motion,
    further_confounds,
    noise_covariance,
    planted_signals,
)
from seedmap.datasets.truth import (
    REGIONS,
    Truth,
    planted_correlation,
    region_weights,
)
from seedmap.errors import OptionError

__all__ = ["Phantom", "PhantomOptions", "make_phantom"]

# Twelve frames allow one jump between the quiet ends.
LEAST = {"n_subjects": 1, "n_sessions": 1, "n_runs": 1, "n_frames": 12, "n_bad_frames": 0}
INT16_LIMIT = 32_767
PERCENT = 100.0  # scanner units: the mean image is near 10 000
FREEDOM_PER_REGION = 2  # half-cosines left in the band for each region before aCompCor may grow


@dataclass(frozen=True, kw_only=True)
class PhantomOptions:
    """How a phantom is made."""

    n_subjects: int = 1
    """How many subjects."""

    n_sessions: int = 1
    """How many sessions of each subject."""

    n_runs: int = 1
    """How many runs in each session."""

    n_frames: int = 168
    """Frames of each run."""

    t_r: float = 2.0
    """Repetition time, s."""

    voxel_size: float = 4.0
    """Edge of a voxel, mm."""

    layout: Layout = "run"
    """``"run"``: all files in one folder. ``"bids"``: a derivative folder as of fMRIPrep."""

    dtype: Dtype = "float32"
    """How the images are stored."""

    noise: float = 1.0
    """Standard deviation of one voxel's noise, in percent of the mean image."""

    n_bad_frames: int | None = None
    """Jumps of the head in a run; None for 3 percent of the frames."""

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                msg = f"{name}={value}; a phantom needs at least {least}; give a larger number"
                raise OptionError(msg)
        for name in ("t_r", "voxel_size"):
            if not 0 < getattr(self, name) < float("inf"):
                msg = f"{name}={getattr(self, name)}; a positive number was wanted; give one"
                raise OptionError(msg)
        if not 0 <= self.noise < float("inf"):
            msg = f"noise={self.noise}; zero or more percent was wanted; 1 is usual"
            raise OptionError(msg)
        for name, known in (("layout", get_args(Layout)), ("dtype", get_args(Dtype))):
            if getattr(self, name) not in known:
                msg = f"{name}={getattr(self, name)!r}; choose one of {', '.join(known)}"
                raise OptionError(msg)


@dataclass(frozen=True, eq=False, repr=False)
class Phantom(Dataset):
    """A data set made here, and what was planted in it."""

    masks: list[Path]
    """One brain mask a run."""

    atlas: Path
    """The planted regions as a label image; a table of the same name holds the names."""

    truth: Truth
    """What was planted, and what a right map shows."""

    folder: Path
    """Where all of it lies."""

    def __repr__(self) -> str:
        """Say what was made, and where."""
        regions = ", ".join(region.name for region in self.truth.regions)
        return f"Phantom({len(self.func)} run(s) in {self.folder}; planted: {regions})"


def make_phantom(  # noqa: PLR0913 - each is an everyday choice, all but the first by keyword
    out_dir: str | Path | None = None,
    *,
    n_subjects: int = 1,
    n_sessions: int = 1,
    n_runs: int = 1,
    n_frames: int = 168,
    t_r: float = 2.0,
    voxel_size: float = 4.0,
    layout: Layout = "run",
    rng: int | np.random.Generator = 0,
    dtype: Dtype = "float32",
    noise: float = 1.0,
    n_bad_frames: int | None = None,
) -> Phantom:
    """Make resting runs with planted correlations.

    Parameters
    ----------
    out_dir
        Where to write; made if need be. None takes a fresh temporary folder.
    n_subjects, n_sessions, n_runs
        How many subjects, sessions of each, and runs of each session. All share one brain and
        the planted correlations; chance is drawn anew for each run.
    n_frames
        Frames of each run. From 200 s of data on, the planted correlations hold with and without
        censoring and confounds in the cleaning (to about 0.02); in shorter runs only for the
        recommended cleaning, and below 120 s not at all: see ``truth.realised``.
    t_r
        Repetition time in s.
    voxel_size
        Edge of a voxel in mm; 4 gives the reference data set's grid of 50 x 59 x 50.
    layout
        ``"run"``: all files in one folder, with the reference data set's confounds. ``"bids"``:
        a derivative folder as of fMRIPrep, whose tables hold more columns.
    rng
        Source of chance: a whole number, or a generator (whose state moves on).
    dtype
        ``"float32"``, or ``"int16"`` without a scale.
    noise
        Standard deviation of one voxel's noise, in percent of the mean image.
    n_bad_frames
        Jumps of the head in each run; None for 3 percent of the frames.

    Returns
    -------
    Phantom
        ``func``, ``confounds``, ``t_r``, ``description`` as of `fetch_development`, and
        ``masks``, ``atlas``, ``truth``, ``folder``.

    Raises
    ------
    OptionError
        If a number is out of its range.
    OutputError
        If the files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     phantom = make_phantom(folder, voxel_size=12, n_frames=60)
    >>> phantom.func[0].name
    'sub-01_task-rest_space-MNI152NLin2009cAsym_res-12_desc-preproc_bold.nii.gz'
    >>> phantom.truth.planted_r("PCC", "mPFC")
    0.8
    """
    options = PhantomOptions(
        n_subjects=n_subjects,
        n_sessions=n_sessions,
        n_runs=n_runs,
        n_frames=n_frames,
        t_r=t_r,
        voxel_size=voxel_size,
        layout=layout,
        dtype=dtype,
        noise=noise,
        n_bad_frames=n_bad_frames,
    )
    folder = Path(out_dir if out_dir is not None else tempfile.mkdtemp(prefix="seedmap-phantom-"))
    anatomy = load_anatomy(voxel_size)
    weights = region_weights(anatomy, voxel_size)
    files = name_runs(folder, layout, (n_subjects, n_sessions, n_runs), voxel_size)
    runs = []
    for names, stream in zip(files, np.random.default_rng(rng).spawn(len(files)), strict=True):
        run = _draw_run(stream, options)
        _write_run(names, run, anatomy, weights, options, stream)
        runs.append(run)
    truth = _truth(runs, anatomy, weights)
    atlas = _write_shared(folder, files, truth, anatomy, layout)
    return Phantom(
        func=[names.bold for names in files],
        confounds=[names.confounds for names in files],
        t_r=t_r,
        description=_describe(options),
        masks=[names.mask for names in files],
        atlas=atlas,
        truth=truth,
        folder=folder,
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """One run before it is scanned, and what cleaning will leave of it."""

    courses: TimeCourses
    table: Mapping[str, NDArray[np.float64]]
    keep: NDArray[np.bool_]
    realised: NDArray[np.float64]
    noise: float


def _draw_run(rng: np.random.Generator, options: PhantomOptions) -> _Run:
    """Draw the time courses of one run."""
    n_frames, t_r = options.n_frames, options.t_r
    motion = draw_motion(rng, n_frames, t_r, options.n_bad_frames)
    keep = np.ones(n_frames, dtype=bool)
    keep[motion.bad_frames] = False
    explained = confound_table(rng, motion, t_r, _affordable_components(n_frames, t_r))
    table = further_confounds(rng, explained, t_r) if options.layout == "bids" else explained
    strict = np.stack(list(explained.values()), axis=1)
    further = [np.nan_to_num(table[name]) for name in table if name not in explained]
    loose = np.stack(further, axis=1) if further else np.zeros((n_frames, 0))
    signals = planted_signals(rng, planted_correlation(), (strict, loose), keep, t_r)
    covariance = (options.noise * PERCENT) ** 2 * noise_covariance(n_frames, t_r)
    cleaning = cleaning_projector(strict, keep, t_r)
    noise = np.trace(cleaning @ covariance @ cleaning.T) / (keep.sum() - 1) / SIGNAL**2
    courses = TimeCourses(motion, explained, signals, covariance)
    return _Run(courses, table, keep, np.cov((cleaning @ signals).T), float(noise))


def _affordable_components(n_frames: int, t_r: float) -> int:
    """Return how many aCompCor columns leave a band wide enough for the planted regions."""
    in_band = int(2 * n_frames * t_r * (0.1 - 0.01))
    taken = len(MOTION) + len(("framewise_displacement", "csf", "white_matter"))
    return int(np.clip(in_band - taken - FREEDOM_PER_REGION * len(REGIONS), 0, len(COMPONENTS)))


def _write_run(
    names: RunFiles,
    run: _Run,
    anatomy: Anatomy,
    weights: NDArray[np.float32],
    options: PhantomOptions,
    rng: np.random.Generator,
) -> None:
    """Scan one run and write its files."""
    series = scan(rng, run.courses, anatomy, weights)
    write_nifti(
        names.bold, anatomy.brain, anatomy.affine, _stored(series, options.dtype), options.t_r
    )
    ones = np.ones((1, series.shape[1]), dtype=np.uint8)
    write_nifti(names.mask, anatomy.brain, anatomy.affine, ones)
    write_table(names.confounds, run.table)
    write_json(names.bold_json, {"RepetitionTime": options.t_r, "TaskName": "rest"})
    components = {"Mask": "combined", "Method": "aCompCor", "Retained": True}
    write_json(
        names.confounds.with_suffix(".json"),
        {name: components for name in run.table if name in COMPONENTS},
    )


def _stored(series: NDArray[np.float32], dtype: Dtype) -> NDArray[Any]:
    """Round to what is stored: whole numbers, or eighths, which pack well and lose nothing."""
    if dtype == "int16":
        return np.rint(np.clip(series, 1, INT16_LIMIT)).astype(np.int16)
    return np.rint(series * 8) / np.float32(8)


def _truth(runs: list[_Run], anatomy: Anatomy, weights: NDArray[np.float32]) -> Truth:
    """Gather what was planted."""
    labels = np.zeros(anatomy.brain.shape, dtype=np.int16)
    labels[anatomy.brain] = np.where(weights.max(axis=0) >= 1, weights.argmax(axis=0) + 1, 0)
    return Truth(
        regions=REGIONS,
        correlation=planted_correlation(),
        columns=tuple(runs[0].courses.explained),
        signals=[run.courses.signals for run in runs],
        realised=[run.realised for run in runs],
        noise=[run.noise for run in runs],
        bad_frames=[run.courses.motion.bad_frames for run in runs],
        sample_masks=[run.keep for run in runs],
        weights=weights,
        labels=labels,
        brain=anatomy.brain,
        affine=anatomy.affine,
    )


def _write_shared(
    folder: Path, files: list[RunFiles], truth: Truth, anatomy: Anatomy, layout: Layout
) -> Path:
    """Write what the runs share: the atlas of the regions, and in BIDS the folder's papers."""
    atlas = folder / "planted_dseg.nii.gz"
    write_nifti(atlas, anatomy.brain, anatomy.affine, truth.labels[anatomy.brain][None])
    rows = [f"{index}\t{region.name}" for index, region in enumerate(truth.regions, 1)]
    write_text(folder / "planted_dseg.tsv", "\n".join(["index\tname", *rows, ""]))
    if layout == "bids":
        about = {
            "Name": "seedmap phantom",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "seedmap", "Description": "made, not measured"}],
        }
        write_json(folder / "dataset_description.json", about)
        write_text(folder / ".bidsignore", "planted_dseg.*\n")
        t1 = (1000 * anatomy.t1[anatomy.brain])[None]
        for subject in sorted({names.subject for names in files}):
            name = files[0].bold.name.removeprefix(files[0].entities).replace("_bold", "_T1w")
            write_nifti(
                folder / subject / "anat" / f"{subject}{name}", anatomy.brain, anatomy.affine, t1
            )
    return atlas


def _describe(options: PhantomOptions) -> str:
    """Say in words what the phantom is."""
    return (
        f"A phantom made by seedmap: {options.n_subjects} subject(s), {options.n_sessions} "
        f"session(s), {options.n_runs} run(s) of {options.n_frames} frames, repetition time "
        f"{options.t_r:g} s, voxels of {options.voxel_size:g} mm in MNI space. The anatomy is "
        "the MNI152 template that nilearn carries; time courses are drawn by chance around "
        "planted correlations. No person was measured."
    )
