"""What the user gives, opened for exploring: by the same door as `seedmap.seed_maps`."""

from typing import Any

from numpy.typing import ArrayLike

from seedmap.analysis.certainty import Uncertainty
from seedmap.errors import OptionError
from seedmap.explorer.engine.imaged import open_images
from seedmap.explorer.engine.source import Source
from seedmap.explorer.engine.stored import is_stored, open_stored_source
from seedmap.temporal import Cleaning

__all__ = ["open_source"]


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

    ``bold`` may also be a stored run, the folder that ``seedmap bids --store`` wrote. It is
    cleaned already: what says how to clean must be left out, or be as it was.

    Raises
    ------
    SeedmapError
        If the input cannot be used: see `seedmap.errors`.
    """
    if is_stored(bold):
        given = {
            "confounds": confounds,
            "sample_mask": sample_mask,
            "mask_img": mask_img,
            "t_r": t_r,
        }
        for name, value in given.items():
            if value is not None:
                msg = f"{bold}: {name} is given, but this run was stored cleaned; leave it out"
                raise OptionError(msg)
        return open_stored_source(
            bold,
            cleaning=cleaning,
            smoothing_fwhm=smoothing_fwhm,
            n_jobs=n_jobs,
            uncertainty=uncertainty,
        )
    return open_images(
        bold,
        confounds=confounds,
        sample_mask=sample_mask,
        mask_img=mask_img,
        t_r=t_r,
        cleaning=cleaning,
        smoothing_fwhm=smoothing_fwhm,
        n_jobs=n_jobs,
        uncertainty=uncertainty,
        max_memory=max_memory,
    )
