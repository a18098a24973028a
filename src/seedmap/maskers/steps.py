"""What a masker does to an image: read, gather, clean.

The functions stand in for nilearn's of the same names and have their signatures, so that
nilearn's maskers, their caching and their reports work on top of them.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from nilearn.image import crop_img
from numpy.typing import NDArray

from seedmap import signal
from seedmap._arrays import Array
from seedmap.maskers.image import (
    MaskerImage,
    asks_for_float64,
    check_imgs,
    frame_image,
    open_masker_image,
)
from seedmap.maskers.regions import EXTRACTORS, Wishes, voxel_type
from seedmap.signal.nilearn_private import check_same_fov, find_stack_level, mask_logger
from seedmap.spatial import Extracted, mean_volume

__all__ = [
    "OnePass",
    "filter_and_extract",
    "filter_and_mask",
    "find_mask",
    "high_variance_confounds",
    "mean_of",
]


@dataclass(repr=False)
class OnePass:
    """What one call of ``fit_transform`` shares between fit and transform.

    Attributes
    ----------
    censors : bool
        Whether frames will be dropped.
    regresses : bool
        Whether there are confounds.
    middle : int or None
        The frame that the report shows, None for none.
    shown : nibabel image or None
        That frame, once it has passed by.
    extracted : Extracted or None
        Samples that were gathered while the mask was looked for.
    """

    censors: bool = False
    regresses: bool = False
    middle: int | None = None
    shown: Any = None
    extracted: Extracted | None = None

    def prepare(self, source: MaskerImage) -> Extracted | None:
        """Ask for the frame that is to be shown; return what has been gathered."""
        source.witness.wanted = self.middle
        early, self.extracted = self.extracted, None
        return early

    def remember(self, source: MaskerImage) -> None:
        """Keep the frame that is to be shown, if it has passed by."""
        if source.witness.frame is not None:
            self.shown = frame_image(source.image, source.opened, source.witness.frame)


@dataclass(frozen=True, eq=False)
class VoxelExtraction:
    """Gathers the voxels of a mask; nilearn's name for what is done next."""

    mask_img_: Any
    func_name = "nifti_masker_extractor"


def find_mask(
    imgs: Any, parameters: dict[str, Any], one_pass: OnePass | None = None, *, centred: bool = True
) -> NDArray[np.bool_]:
    """Find the background mask, and gather its samples for ``one_pass`` in the same pass.

    Raises
    ------
    ImageError
        If the mask is empty.
    """
    one_pass = OnePass() if one_pass is None else one_pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the transform says them
        source = open_masker_image(imgs, parameters)
    one_pass.prepare(source)
    dtype = voxel_type(source, wide=asks_for_float64(parameters))
    one_pass.extracted = source.gather(None, dtype, centred=centred)
    one_pass.remember(source)
    return one_pass.extracted.grid.mask


def mean_of(imgs: Any, one_pass: OnePass | None = None) -> Array:
    """Average all frames, in the type that nilearn gives the mean, and show ``one_pass`` its frame."""
    one_pass = OnePass() if one_pass is None else one_pass
    source = open_masker_image(imgs, {})
    one_pass.prepare(source)
    mean = mean_volume(source.run, np.ones(source.run.frames, dtype=bool))
    one_pass.remember(source)
    return mean.astype(np.float32) if source.value_type == np.float32 else mean


def filter_and_mask(  # noqa: PLR0913  nilearn's signature
    imgs: Any,
    mask_img_: Any,
    parameters: dict[str, Any],
    memory_level: int = 0,
    memory: Any = None,
    verbose: int = 0,
    confounds: Any = None,
    sample_mask: Any = None,
    copy: bool = True,  # noqa: FBT001, FBT002
    sklearn_output_config: Any = None,
    one_pass: OnePass | None = None,
) -> Any:
    """Extract the cleaned series of a mask's voxels; see ``filter_and_extract``."""
    image, single = check_imgs(imgs)
    if not check_same_fov(image, mask_img_):
        msg = (
            "imgs are being resampled to the mask_img resolution, which takes time; to spare it, "
            "give a target_affine equal to that of the imgs, or resample the mask beforehand"
        )
        warnings.warn(msg, UserWarning, stacklevel=find_stack_level())
        mask_img_ = crop_img(mask_img_, copy=False)
        target = {"target_shape": mask_img_.shape, "target_affine": mask_img_.affine}
        parameters = {**parameters, **target}
    signals, _ = filter_and_extract(
        image,
        VoxelExtraction(mask_img_),
        parameters,
        memory_level=memory_level,
        memory=memory,
        verbose=verbose,
        confounds=confounds,
        sample_mask=sample_mask,
        copy=copy,
        one_pass=one_pass,
    )
    return signals.squeeze() if single and sklearn_output_config is None else signals


def filter_and_extract(  # noqa: PLR0913  nilearn's signature
    imgs: Any,
    extraction_function: Any,
    parameters: dict[str, Any],
    memory_level: int = 0,  # noqa: ARG001  whole results are cached, not parts of them
    memory: Any = None,  # noqa: ARG001
    verbose: int = 0,
    confounds: Any = None,
    sample_mask: Any = None,
    copy: bool = True,  # noqa: ARG001, FBT001, FBT002  nothing given is ever changed
    dtype: Any = None,  # noqa: ARG001  the masker's, which is in its parameters
    sklearn_output_config: Any = None,
    one_pass: OnePass | None = None,
) -> tuple[Any, Any]:
    """Extract cleaned series.

    Parameters
    ----------
    imgs
        Path, image or list of three-dimensional images.
    extraction_function
        nilearn's functor, which says what to extract.
    parameters
        The masker's, with ``clean_kwargs``.
    memory_level, memory, copy, dtype
        Not used; here for nilearn's signature.
    verbose
        As nilearn's.
    confounds, sample_mask
        As `seedmap.signal.clean`.
    sklearn_output_config
        Where this is set, a three-dimensional image gives one row, else a vector.
    one_pass
        What a ``fit_transform`` has already read.

    Returns
    -------
    tuple
        Series of shape (kept, elements), and what else the extraction gives.
    """
    mask_logger("load_data", imgs, verbose)
    source = open_masker_image(imgs, parameters, verbose)
    one_pass = OnePass() if one_pass is None else one_pass
    early = one_pass.prepare(source)
    mask_logger("extracting", verbose=verbose)
    frames = source.run.frames
    plan = _plan(frames, parameters, confounds, sample_mask)
    found = EXTRACTORS[extraction_function.func_name](
        extraction_function,
        source,
        Wishes(
            keep=plan.read(frames),
            wide=asks_for_float64(parameters),
            centred=not plan.only_selects,
            early=early,
        ),
    )
    one_pass.remember(source)
    mask_logger("cleaning", verbose=verbose)
    cleaned = signal.apply_plan(plan.for_read(frames), found.series, found.reference, source.n_jobs)
    cleaned = cleaned.astype(found.dtype, copy=False)
    if source.single and sklearn_output_config is None:
        cleaned = cleaned.squeeze()
    return cleaned, found.more


def _plan(
    frames: int, parameters: dict[str, Any], confounds: Any, sample_mask: Any
) -> signal.CleaningPlan:
    return signal.plan_cleaning(
        frames,
        detrend=parameters["detrend"],
        standardize=parameters["standardize"],
        standardize_confounds=parameters["standardize_confounds"],
        t_r=parameters["t_r"],
        low_pass=parameters["low_pass"],
        high_pass=parameters["high_pass"],
        confounds=confounds,
        sample_mask=sample_mask,
        runs=parameters.get("runs"),
        **parameters["clean_kwargs"],
    )


def high_variance_confounds(
    imgs: Any,
    n_confounds: int = 5,
    percentile: float = 2.0,
    detrend: bool = True,  # noqa: FBT001, FBT002
    mask_img: Any = None,  # noqa: ARG001  maskers take all voxels
) -> Array:
    """Return the leading time courses of an image's most variable voxels, shape (frames, n)."""
    source = open_masker_image(imgs, {})
    everything = np.ones(source.grid.shape, dtype=bool)
    found = source.gather(everything, np.dtype(np.float32), centred=detrend)
    series = found.series
    if detrend:
        plan = signal.plan_cleaning(len(series), standardize=None)
        series = signal.apply_plan(plan, series, found.reference, source.n_jobs)
    power = np.einsum("ij,ij->j", series, series, dtype=np.float64)
    power[found.unusable] = np.nan
    chosen = series[:, power > np.nanpercentile(power, 100.0 - percentile)].astype(np.float64)
    return np.linalg.eigh(chosen @ chosen.T)[1][:, ::-1][:, :n_confounds]
