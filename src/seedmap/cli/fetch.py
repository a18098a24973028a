"""``seedmap fetch``: bring or make data to try seedmap on."""

from pathlib import Path
from typing import Literal

from seedmap.cli.screen import Screen
from seedmap.datasets import fetch_development

__all__ = ["fetch"]


def fetch(
    dataset: Literal["development"],  # noqa: ARG001  the only one so far
    /,
    *,
    n_subjects: int = 1,
    data_dir: Path | None = None,
) -> None:
    """Download a data set, or find it where an earlier download left it.

    ``development`` is the data set of nilearn's examples: films watched by 155 children and
    adults, at 4 mm. A broken download is taken up where it ended. Example:

        seedmap fetch development --n-subjects 1

    Parameters
    ----------
    dataset
        Which data set.
    n_subjects
        How many subjects, one run each.
    data_dir
        Where the files are kept; nilearn's own folder if not given.
    """
    screen = Screen()
    found = fetch_development(n_subjects=n_subjects, data_dir=data_dir, verbose=1)
    rows = []
    for bold, table in zip(found.func, found.confounds, strict=True):
        rows += [("Run", str(bold)), ("Confounds", str(table))]
    rows.append(("Next", f"seedmap run {found.func[0]} --seed PCC=0,-52,18 --t-r {found.t_r:g} \\"))
    rows.append(("", f"  --confounds {found.confounds[0]}"))
    screen.facts(rows)
