"""``seedmap explore``: click a place in the brain, and its map is there.

This verb is loaded when it is called, since it needs the extra ``seedmap[explore]``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seedmap.analysis import Inputs, Method
from seedmap.cli.console import Screen
from seedmap.cli.group_options import ModelOptions, entities
from seedmap.cli.help import group
from seedmap.cli.options import Repeated, RunOptions, SurfaceOptions, changed_flags
from seedmap.errors import OptionError
from seedmap.explorer import (
    AnySession,
    Beside,
    Command,
    Explorable,
    GroupSession,
    ServerOptions,
    Session,
    begin_beside,
    begin_group,
    begin_session,
    by_hemisphere,
    choose_half,
    is_stored,
    open_source,
    recall,
    serve,
)
from seedmap.group import Question
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.images import open_run
from seedmap.seeds import Sphere, VertexPatch, parse_seed
from seedmap.temporal import Cleaning

__all__ = ["ExploreOptions", "explore"]


@dataclass(frozen=True, kw_only=True)
class StudyOptions(ModelOptions):
    """What is asked of the people of a study; with --group."""

    group: Annotated[bool, Parameter(negative=())] = False
    """Explore all participants of a study at once: BOLD is then the folder that seedmap bids --store wrote."""

    task_id: Annotated[str | None, Parameter(name=["--task-id", "-t"])] = None
    """Task of the stored runs, without task-; needed where there are several."""

    session_id: str | None = None
    """Session of the stored runs, without ses-."""

    space: str | None = None
    """Space of the stored runs; needed where there are several."""

    keep_back: Literal["half"] | None = None
    """Keep half of the participants back, balanced over the factors of the model: the page never shows anything of them, and Confirm tests there what was found."""

    def question(self) -> Question:
        """Put together what is asked."""
        return Question(
            seed="",
            model=self.model,
            contrasts=self.contrast or ("mean",),
            estimator=self.estimator,
            variance=self.variance,
            inference=None,
            min_participants=self.min_participants,
        )

    def choice(self, strategy: str) -> Choice:
        """Return which runs are meant."""
        return Choice(
            "", strategy, entities(task=self.task_id, ses=self.session_id, space=self.space)
        )


@dataclass(frozen=True, kw_only=True)
class ExploreOptions:
    """What the page shows, and where it is."""

    seed: str | None = None
    """Seed to begin with: NAME=x,y,z in mm, or NAME=lh:vertex:1234 on a surface; without it the posterior cingulate, or the middle."""

    anatomy: Path | None = None
    """Image to draw under the maps; without it the MNI152 template for runs in MNI space, else the mean of the run."""

    atlas: Annotated[tuple[Path, ...], Repeated] = ()
    """Label image whose regions are outlined, named and taken as seeds, with a table (TSV: index, name) of the same name beside it; on surfaces .label.gii or .annot, one a hemisphere (repeat), or a dlabel."""

    port: int = 0
    """Port to listen on; 0 takes one that is free."""

    allow_host: Annotated[tuple[str, ...], Repeated] = ()
    """Further host name under which the page is reached, such as that of a proxy. Repeat for more."""

    idle_minutes: float | None = None
    """Stop when nothing was asked for this long [minutes]; without it, run until Ctrl+C."""

    browser: bool = True
    """Open the browser."""

    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("seedmap-results")
    """Folder for what is saved, and for the log of the seeds that were looked at."""

    def start(self) -> Sphere | VertexPatch | None:
        """Read the seed to begin with; only a sphere or a vertex is a place to begin at."""
        seed = parse_seed(self.seed) if self.seed else None
        return seed if isinstance(seed, Sphere | VertexPatch) else None


@dataclass(frozen=True)
class Given:
    """A run and how it is cleaned, as they are given."""

    bold: Path | None
    options: RunOptions
    cleaning: Cleaning
    surface: SurfaceOptions


def explore(
    *bold: Path,
    options: Annotated[RunOptions, Parameter(name="*", group=group("Run"))] = RunOptions(),  # noqa: B008
    cleaning: Annotated[Cleaning, Parameter(name="*", group=group("Cleaning"))] = Cleaning(),
    surface: Annotated[
        SurfaceOptions, Parameter(name="*", group=group("Surfaces"))
    ] = SurfaceOptions(),  # noqa: B008
    study: Annotated[StudyOptions, Parameter(name="*", group=group("Group"))] = StudyOptions(),
    page: Annotated[ExploreOptions, Parameter(name="*", group=group("Page"))] = ExploreOptions(),
) -> None:
    """Explore a run in the browser: click a place, and its map is there.

    The run is cleaned once. The page is served on this machine alone. Example:

        seedmap explore sub-01_desc-preproc_bold.nii.gz --confounds sub-01_desc-confounds_timeseries.tsv

    All participants of a study at once, of the folder that seedmap bids --store wrote:

        seedmap explore derivatives/seedmap --group --design participants.tsv
        --model "group + age" --contrast "patient - control"

    Two runs or two studies side by side, with one crosshair, one seed and one scale:

        seedmap explore sub-01/func/..._bold.zarr sub-02/func/..._bold.zarr

    Parameters
    ----------
    bold
        The run: a 4-D NIfTI image or a CIFTI dtseries (surfaces by --left and --right); or a folder of results of `seedmap run`, whose run is explored as it was cleaned there, its seeds listed; or a stored run of `seedmap bids --store`, a folder ..._bold.zarr. Two are shown side by side; all options then hold for both, but --confounds is one table for each, and maps and logs are saved in left/ and right/ of --out.
    """
    server = ServerOptions(
        port=page.port, allow_host=page.allow_host, idle_minutes=page.idle_minutes
    )
    screen = Screen()
    begin = _group if study.group else _run
    if len(bold) > 2:
        msg = f"{len(bold)} runs are given; one is explored, or two side by side"
        raise OptionError(msg)
    given = Given(bold[0] if bold else None, options, cleaning, surface)
    session: AnySession | Beside
    if len(bold) < 2:
        session = begin(screen, given, page, study)
    else:
        sides = _sides(given, bold[1])
        session = begin_beside(
            lambda number, out: begin(screen, sides[number], replace(page, out=out), study),
            page.out,
        )
    serve(
        session,
        server,
        browser=page.browser,
        say=lambda address: screen.line("Explorer", f"{address}   (Ctrl+C ends it)"),
    )


def _sides(run: Given, beside: Path) -> tuple[Given, Given]:
    """Give each of two runs what is meant for it."""
    tables, other = run.options.confounds, replace(run, bold=beside)
    if not tables or (len(tables) == 1 and run.bold == beside):
        return run, other
    if len(tables) != 2:
        msg = (
            f"{beside}: {len(tables)} --confounds for two runs; give one table for each, in the same "
            "order, or --strategy"
        )
        raise OptionError(msg)
    own = [replace(run.options, confounds=(table,)) for table in tables]
    return replace(run, options=own[0]), replace(other, options=own[1])


def _run(screen: Screen, run: Given, page: ExploreOptions, study: StudyOptions) -> Session:
    """Begin to explore a run."""
    if given := list(changed_flags(study)):
        msg = f"{', '.join(given)} given without --group; give that, too, to explore a study"
        raise OptionError(msg)
    source, command, before = _opened(run)
    with screen.progress("Reading and cleaning") as progress:
        return begin_session(
            source,
            out=page.out,
            command=command,
            anatomy=page.anatomy,
            atlas=by_hemisphere(page.atlas),
            start=page.start(),
            before=before,
            progress=progress,
        )


def _group(screen: Screen, run: Given, page: ExploreOptions, study: StudyOptions) -> GroupSession:
    """Begin to explore the people of a study; their runs are packed if need be."""
    root, options, start = run.bold, run.options, page.start()
    if root is None:
        msg = "--group: no folder is given; name the one that seedmap bids --store wrote"
        raise OptionError(msg)
    chosen = replace(options, strategy=None)
    if given := list(changed_flags(chosen, run.cleaning, run.surface)):
        msg = (
            f"{root}: {', '.join(given)} given, but stored runs were cleaned before; leave that out"
        )
        raise OptionError(msg)
    question, choice = study.question(), study.choice(options.strategy or "")
    held = frozenset[str]()
    if study.keep_back:
        held = choose_half(root, choice, question, study.design)
    with screen.progress("Packing", later=True) as progress:
        packed = pack_study(root, choice, progress, held, options.limits().memory)
    if packed.why:
        screen.line("Packed", packed.why)
    return begin_group(
        root,
        packed,
        choice,
        question,
        design=study.design,
        out=page.out,
        anatomy=page.anatomy,
        atlas=by_hemisphere(page.atlas),
        start=start,
        n_jobs=options.n_jobs,
        held=held,
    )


def _opened(run: Given) -> tuple[Explorable, Command, tuple[Sphere | VertexPatch, ...]]:
    """Open a run, a stored run, or the run behind a folder of results with its seeds."""
    bold, options, surface = run.bold, run.options, run.surface
    if bold is not None and bold.is_dir():
        return _reopened(bold, run)
    inputs = options.inputs(open_run(surface.given(bold), options.t_r, surface.surfaces()))
    method = Method(
        cleaning=run.cleaning,
        smoothing_fwhm=options.smoothing_fwhm,
        uncertainty=options.uncertainty,
    )
    source = open_source(inputs, method, options.limits())
    words = ["--mask-img", inputs.mask_img] if inputs.mask_img else []
    words += ["--strategy", options.strategy] if options.strategy else []
    words += ["--fd-thresh", f"{options.fd_thresh:g}"] if options.fd_thresh is not None else []
    words += ["--sample-mask", str(options.sample_mask)] if options.sample_mask else []
    words += ["--t-r", f"{options.t_r:g}"] if options.t_r is not None else []
    tables = tuple(map(str, options.confounds))
    command = Command(
        "" if bold is None else str(bold),
        tables,
        tuple(words),
        not options.confound_columns,
        surfaces=surface.words(bold),
    )
    return source, command, ()


def _reopened(
    folder: Path, run: Given
) -> tuple[Explorable, Command, tuple[Sphere | VertexPatch, ...]]:
    if given := list(changed_flags(run.options, run.cleaning, run.surface)):
        msg = (
            f"{folder}: {', '.join(given)} given, but this run was cleaned before and is explored "
            "as it was; leave that out, or give the run itself"
        )
        raise OptionError(msg)
    uncertainty, limits = run.options.uncertainty, run.options.limits()
    if is_stored(folder):
        source = open_source(Inputs(folder), Method(uncertainty=uncertainty), limits)
        return source, Command(str(folder), stored=True), ()
    recalled = recall(folder)
    source = open_source(recalled.inputs, replace(recalled.method, uncertainty=uncertainty), limits)
    return source, recalled.command, recalled.seeds
