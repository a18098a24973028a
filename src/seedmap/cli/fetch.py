"""``seedmap fetch``: bring or make data to try seedmap on."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seedmap.cli.console import Screen
from seedmap.datasets import Output, Study, fetch_development, make_study
from seedmap.report.words import count

__all__ = ["fetch"]


def fetch(  # noqa: PLR0913  options of two data sets
    dataset: Literal["development", "phantom-study"],
    /,
    *,
    n_subjects: int | None = None,
    data_dir: Path | None = None,
    faults: Annotated[bool, Parameter(negative=())] = False,
    voxel_size: float = 4.0,
    frames: int = 168,
    outputs: Annotated[
        tuple[Output, ...], Parameter(negative_iterable=(), consume_multiple=True)
    ] = ("volume",),
) -> None:
    """Download a data set, or find it where an earlier download left it; or make one.

    ``development`` is the data set of nilearn's examples: films watched by 155 children and
    adults, at 4 mm. A broken download is taken up where it ended. Example:

        seedmap fetch development --n-subjects 1

    ``phantom-study`` is made here, not downloaded: participants in the layout of fMRIPrep, each
    with a planted default mode network, for `seedmap bids`. Example:

        seedmap fetch phantom-study --n-subjects 12 --faults

    Parameters
    ----------
    dataset
        Which data set.
    n_subjects
        How many participants; 1 if not given, 12 for phantom-study. One run each.
    data_dir
        Where the files are kept; nilearn's own folder, or phantom-study here, if not given.
    faults
        Let one participant's series be truncated and another's confounds be missing.
    voxel_size
        Edge of the phantoms' voxels [mm].
    frames
        Frames of each phantom run.
    outputs
        Forms of each phantom run: volume, surface (fsaverage5), cifti (91k grayordinates).
    """
    screen = Screen()
    if dataset == "phantom-study":
        folder = data_dir or Path("phantom-study")
        with screen.progress("Making a phantom study"):
            study = make_study(
                folder,
                12 if n_subjects is None else n_subjects,
                faults=faults,
                outputs=outputs,
                voxel_size=voxel_size,
                n_frames=frames,
            )
        _say_study(screen, study, outputs)
        return
    found = fetch_development(n_subjects=n_subjects or 1, data_dir=data_dir, verbose=1)
    rows = []
    for bold, table in zip(found.func, found.confounds, strict=True):
        rows += [("Run", str(bold)), ("Confounds", str(table))]
    rows.append(("Next", f"seedmap run {found.func[0]} --seed PCC=0,-52,18 --t-r {found.t_r:g} \\"))
    rows.append(("", f"  --confounds {found.confounds[0]}"))
    screen.facts(rows)


def _say_study(screen: Screen, study: Study, outputs: tuple[Output, ...]) -> None:
    """Say what was made and how to analyse it."""
    rows = [("Made", f"{count(len(study.phantom.func), 'participant')} in {study.folder}")]
    if study.broken:
        rows.append(
            ("Faults", f"sub-{study.broken} truncated, sub-{study.incomplete} no confounds")
        )
    screen.facts(rows)
    form = {"volume": "0,-52,18", "surface": "-5,-52,24 --space fsaverage5"}
    seed = form.get(outputs[0], "-5,-52,24 --space fsLR")
    screen.line(
        "Next",
        f"seedmap bids {study.folder} results participant --seed PCC={seed} --strategy simple",
    )
