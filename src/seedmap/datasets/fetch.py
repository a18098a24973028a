"""The reference data set: children and adults who watched a film, brought through nilearn."""

from pathlib import Path

from seedmap.datasets.layout import Dataset
from seedmap.errors import NotFetched, OptionError, OutputError

__all__ = ["fetch_development"]

HOST = "osf.io"


def fetch_development(
    n_subjects: int = 1,
    data_dir: str | Path | None = None,
    *,
    reduce_confounds: bool = True,
    age_group: str = "both",
    verbose: int = 1,
) -> Dataset:
    """Download runs of the data set that nilearn's examples use, or find them on the disk.

    Films watched by 155 children and adults, on a grid of 4 mm. nilearn downloads what is
    not there yet, shows a progress bar, and takes up a broken download where it ended.

    Parameters
    ----------
    n_subjects
        How many subjects, one run each; at most 155.
    data_dir
        Where the files are kept; None for nilearn's own folder (``~/nilearn_data``).
    reduce_confounds
        Keep the 15 confounds of the examples; otherwise all that fMRIPrep wrote.
    age_group
        ``"adults"``, ``"child"`` or ``"both"``.
    verbose
        0 downloads in silence.

    Returns
    -------
    Dataset
        ``func``, ``confounds``, ``t_r`` (2 s) and ``description``.

    Raises
    ------
    NotFetched
        If the files are not on the disk and cannot be downloaded.
    OptionError
        If the number of subjects is not positive, or the age group unknown.
    OutputError
        If the folder cannot be written to.

    References
    ----------
    Richardson et al. (2018), Nat. Commun. 9, 1027, doi:10.1038/s41467-018-03399-2.
    """
    if n_subjects < 1:
        msg = f"n_subjects={n_subjects}; at least 1 was wanted; give a number up to 155"
        raise OptionError(msg)
    if age_group not in ("adults", "child", "both"):
        msg = f"age_group={age_group!r}; adults, child or both was wanted; choose one of these"
        raise OptionError(msg)
    from nilearn.datasets import fetch_development_fmri
    from requests.exceptions import RequestException

    where = "nilearn's data folder" if data_dir is None else str(data_dir)
    try:
        found = fetch_development_fmri(
            n_subjects=n_subjects,
            reduce_confounds=reduce_confounds,
            data_dir=data_dir,
            verbose=verbose,
            age_group=age_group,
        )
    except RequestException as error:
        msg = (
            f"development data set: {n_subjects} subject(s) not all in {where}, and {HOST} did "
            f"not deliver them ({type(error).__name__}); check the network and try again (what "
            "came is kept), or use `seedmap demo`, which needs no network"
        )
        raise NotFetched(msg) from error
    except OSError as error:
        msg = (
            f"development data set: {error.strerror or error} ({error.filename or where}); "
            "a folder to write to was wanted; give another data_dir"
        )
        raise OutputError(msg) from error
    return Dataset(
        func=[Path(path) for path in found.func],
        confounds=[Path(path) for path in found.confounds],
        t_r=float(found.t_r),
        description=str(found.description),
    )
