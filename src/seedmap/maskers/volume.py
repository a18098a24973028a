"""`NiftiMasker`: the series of every voxel in a mask."""

import contextlib
from typing import Any

import nilearn.maskers
from nilearn.image import check_niimg, new_img_like, resample_img
from typing_extensions import override

from seedmap.errors import ImageError
from seedmap.maskers.base import Streamed, stand_in
from seedmap.maskers.image import middle_frame
from seedmap.maskers.steps import OnePass, find_mask, mean_of
from seedmap.signal.nilearn_private import compute_middle_image, mask_logger

__all__ = ["NiftiMasker"]


class NiftiMasker(Streamed, nilearn.maskers.NiftiMasker):  # type: ignore[misc]
    """Extract the series of the voxels in a mask.

    Options, attributes and methods are those of :class:`nilearn.maskers.NiftiMasker`. With the
    background mask (the default), ``fit_transform`` reads the images once.

    Parameters
    ----------
    mask_img : path or image, optional
        Voxels that are samples. None looks for them by ``mask_strategy``. Images on another
        grid are resampled to the mask.
    runs : array of int, shape (frames,), optional
        Run of each frame; runs are cleaned one by one, with all options.
    smoothing_fwhm : float, optional
        Full width at half maximum [mm] of the Gaussian that smooths each volume first. None for
        no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    detrend : bool, default=False
        Remove mean and straight line.
    high_variance_confounds : bool, default=False
        Also regress out the five leading time courses of the most variable voxels.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
    target_affine : array, shape (3, 3) or (4, 4), optional
        Resample the images to this grid.
    target_shape : three ints, optional
        Shape of that grid.
    mask_strategy : str, default="background"
        ``"background"``, ``"epi"``, ``"whole-brain-template"``, ``"gm-template"`` or ``"wm-
        template"``.
    mask_args : dict, optional
        Options of that strategy, as of ``nilearn.masking``.
    dtype : numpy dtype or "auto", optional
        Type of the result. None keeps float64 and gives float32 for other voxels; float64 also
        computes in float64.
    memory : path or joblib.Memory, optional
        Where results are cached. A changed file is never served from an old entry.
    memory_level : int, default=1
        0 caches nothing, 1 and more cache results; 0 counts as 1 where ``memory`` is given.
    verbose : int, default=0
        How much is printed.
    reports : bool, default=True
        Keep what a report needs.
    cmap : str, default="gray"
        Colours of the report.
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    affine_ : array, shape (4, 4)
        Affine of the result's voxels.
    clean_args_ : dict
        Further options of the cleaning that are in use.
    mask_img_ : nibabel image
        The mask that is used.
    memory_ : joblib.Memory
        The cache.
    n_elements_ : int
        Number of voxels in the mask.

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """

    def _fit(self, imgs: Any) -> Any:
        needs_mean = self.mask_img_ is None and self.mask_strategy in ("background", "epi")
        if imgs is None or not needs_mean:
            return super()._fit(imgs)
        image = check_niimg(imgs)
        if len(image.shape) != 4:
            return super()._fit(imgs)
        if self._can_gather_at_once(imgs):
            with contextlib.suppress(ImageError):  # an empty mask: nilearn says it below
                return self._fit_while_gathering(imgs, image)
        one_pass = OnePass(middle=image.shape[3] // 2)
        mean = self._cache(mean_of)(image if isinstance(imgs, list) else imgs, one_pass=one_pass)
        nilearn.maskers.NiftiMasker._fit(self, new_img_like(image, mean))
        if isinstance(imgs, list):
            return self._show(*compute_middle_image(imgs))
        shown = self._cache(middle_frame)(imgs) if one_pass.shown is None else one_pass.shown
        return self._show(shown, 4)

    @override
    def _can_wait(self) -> bool:
        return super()._can_wait() and self.target_affine is None and self.target_shape is None

    def _can_gather_at_once(self, imgs: Any) -> bool:
        """Whether the mask can be found while ``fit_transform`` gathers the samples."""
        plain = self.mask_strategy == "background" and not self.mask_args
        if self._one_pass is None or self._one_pass.censors:  # the mask is that of all frames
            return False
        return plain and not isinstance(imgs, list) and self._can_wait()

    def _fit_while_gathering(self, imgs: Any, image: Any) -> Any:
        """Look for the mask and gather its samples in one pass over the image."""
        assert self._one_pass is not None
        self._one_pass.middle = image.shape[3] // 2 if self.reports else None
        ask = ("parameters", "centred")  # the mask does not depend on them
        mask = self._cache(find_mask, ignore=ask)(
            imgs, self.get_params(), centred=self._will_change_values()
        )
        mask_logger("compute_mask", verbose=self.verbose)
        self.mask_img_ = new_img_like(image, mask)
        nilearn.maskers.NiftiMasker._fit(self, stand_in(image))
        return self._show(None, 4)

    def _will_change_values(self) -> bool:
        """Whether series will be more than gathered, as far as the options show."""
        return bool(
            self.detrend
            or self.standardize
            or self.low_pass is not None
            or self.high_pass is not None
            or self.clean_args
            or (self._one_pass is not None and self._one_pass.regresses)
        )

    def _show(self, image: Any, dimensions: int) -> Any:
        """Keep what the report shows: a frame of the images, resampled as they will be."""
        if self.reports:
            self._reporting_data["images"], self._reporting_data["dim"] = image, dimensions
        if self.reports and "transform" in self._reporting_data:
            resampled = resample_img(
                image, target_affine=self.affine_, copy=False, interpolation="nearest"
            )
            self._reporting_data["transform"][0] = resampled
        return self
