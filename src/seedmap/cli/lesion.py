"""``seedmap lesion``: lesions of patients through the stored runs of healthy people."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seedmap.cli.console import Screen
from seedmap.cli.group_options import RunChoice
from seedmap.cli.help import group
from seedmap.cli.invocation import command_line, write_log
from seedmap.errors import SeedmapWarning
from seedmap.images import check_writable
from seedmap.lesions import lesion_maps
from seedmap.lesions.files import save_lesions
from seedmap.lesions.page import lesion_page, likeness, result_words
from seedmap.parallel import Pool, core_count

__all__ = ["lesion"]


@dataclass(frozen=True, kw_only=True)
class LesionChoice:
    """Lesions, and what is asked of them."""

    lesions: Path
    """Table of patients with the columns participant_id, lesion (path of a mask) and the score."""

    score: str = ""
    """Column of numbers that connectivity may go with."""

    against: str = ""
    """In place of a score: COLUMN=LEVEL of the control lesions, such as group=control."""

    covariates: str = ""
    """Columns of numbers in the model, separated by spaces; lesion size always is."""

    null: Literal["matched", "none"] = "none"
    """Compare the mean map with random sets of lesions of the same shapes (matched), or not."""

    prior: Path | None = None
    """For --null matched: image of how often lesions have their centre at each voxel; all alike without it."""

    grey_matter: Path | None = None
    """Image of shares of grey matter on the grid of the runs; the MNI152 template's if not given."""

    shuffles: int = 5000
    """Shuffles of patients, and sign flips of people."""

    random_seed: int = 0
    """Seed of the generator of shuffles and random sets."""


@dataclass(frozen=True, kw_only=True)
class LesionOutput:
    """What is written and printed."""

    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None
    """Folder for the results; STORES/lesion if not given."""

    maps: Annotated[bool, Parameter(negative=())] = False
    """Write every lesion's own maps, too: r, fisherz and t over people."""

    n_jobs: Annotated[int | None, Parameter(name=["--n-jobs", "--nprocs", "--n-cpus"])] = None
    """Threads; all cores if not given. The results do not depend on them."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False
    """Print nothing but errors."""


def lesion(
    stores: Path,
    /,
    *,
    asked: Annotated[LesionChoice, Parameter(name="*", group=group("Lesions"))],
    choice: Annotated[RunChoice, Parameter(name="*", group=group("Which runs"))] = RunChoice(),  # noqa: B008
    output: Annotated[LesionOutput, Parameter(name="*", group=group("Output"))] = LesionOutput(),
) -> None:
    """See the lesions of patients through the runs of healthy people, and what goes with a score.

    Not for decisions about a patient. Example:

        seedmap lesion derivatives/seedmap --lesions lesions.tsv --score aphasia --covariates age

    Parameters
    ----------
    stores
        The folder that seedmap bids --store wrote for healthy people.
    """
    screen = Screen(output.quiet)
    out = output.out or stores / "lesion"
    with screen.progress("Packing") as progress:
        study = lesion_maps(
            stores,
            asked.lesions,
            choice=choice.choice(),
            on_done=progress,
            score=asked.score,
            against=asked.against,
            covariates=tuple(asked.covariates.split()),
            null=asked.null,
            prior=asked.prior,
            grey_matter=asked.grey_matter,
            shuffles=asked.shuffles,
            seed=asked.random_seed,
            n_jobs=Pool(nprocs=output.n_jobs).nprocs or core_count(),
            t=output.maps,
        )
    check_writable(out)
    for label, reason in study.patients.dropped.items():
        warnings.warn(f"sub-{label} is left out: it {reason}", SeedmapWarning, stacklevel=2)
    page = lesion_page(study, command_line())
    paths = save_lesions(study, out, page=page, each=output.maps, command=command_line())
    rows = [
        ("Lesions", f"{len(study.patients.labels)} used, {len(study.patients.dropped)} left out"),
        ("People", f"{len(study.people)} used, {len(study.dropped_people)} left out"),
        ("Found", result_words(study)),
        ("Expected", f"r = {likeness(study):.2f} of the mean map with that of the lesions' places"),
    ]
    if study.predicted is not None:
        rows.append(("Gain", f"R2 {study.predicted.gain:.3f} over the baseline, p = {study.predicted.p:.3f}"))  # fmt: skip
    screen.facts(rows)
    screen.end(out, paths)
    write_log(out)
