"""Maskers that make one series of many voxels: of spheres, of an atlas' labels, of maps."""

import nilearn.maskers
from typing_extensions import override

from seedmap.maskers.base import Streamed

__all__ = ["NiftiLabelsMasker", "NiftiMapsMasker", "NiftiSpheresMasker"]


class NiftiSpheresMasker(Streamed, nilearn.maskers.NiftiSpheresMasker):  # type: ignore[misc]
    """Average the voxels of spheres around seeds.

    Options, attributes and methods are those of :class:`nilearn.maskers.NiftiSpheresMasker`. Averages
    of integers are not truncated.

    Parameters
    ----------
    seeds : list of three floats
        Centres of the spheres [mm].
    radius : float, optional
        Radius [mm]; None takes the nearest voxel.
    mask_img : path or image, optional
        Only voxels where this is not zero count. It is resampled to the images where their
        grids differ.
    allow_overlap : bool, default=False
        Accept voxels that lie in several spheres.
    smoothing_fwhm : float, optional
        Full width at half maximum [mm] of the Gaussian that smooths each volume first. None for
        no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    high_variance_confounds : bool, default=False
        Also regress out the five leading time courses of the most variable voxels.
    detrend : bool, default=False
        Remove mean and straight line.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
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
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    clean_args_ : dict
        Further options of the cleaning that are in use.
    mask_img_ : nibabel image or None
        The mask that was given.
    memory_ : joblib.Memory
        The cache.
    n_elements_ : int
        Number of spheres.
    seeds_ : list of list of float
        The centres [mm].

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """

    @override
    def _can_wait(self) -> bool:
        # With a mask, nilearn resamples the frame of the report before it keeps it.
        return self.mask_img_ is None and super()._can_wait()


class NiftiLabelsMasker(Streamed, nilearn.maskers.NiftiLabelsMasker):  # type: ignore[misc]
    """Reduce the voxels of each label of an atlas to one value a frame.

    Options, attributes and methods are those of :class:`nilearn.maskers.NiftiLabelsMasker`.

    Parameters
    ----------
    labels_img : path or image
        The atlas: one whole number a region.
    labels : list of str, optional
        Names of the regions; not together with ``lut``.
    lut : path or DataFrame, optional
        Table with the columns ``index`` and ``name``.
    background_label : int or float, default=0
        The number that is no region.
    mask_img : path or image, optional
        Only voxels where this is not zero count. It is resampled to the images where their
        grids differ.
    smoothing_fwhm : float, optional
        Full width at half maximum [mm] of the Gaussian that smooths each volume first. None for
        no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    high_variance_confounds : bool, default=False
        Also regress out the five leading time courses of the most variable voxels.
    detrend : bool, default=False
        Remove mean and straight line.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
    dtype : numpy dtype or "auto", optional
        Type of the result. None keeps float64 and gives float32 for other voxels; float64 also
        computes in float64.
    resampling_target : "data", "labels" or None, default="data"
        Whose grid is used; None refuses images that lie on different ones.
    memory : path or joblib.Memory, optional
        Where results are cached. A changed file is never served from an old entry.
    memory_level : int, default=1
        0 caches nothing, 1 and more cache results; 0 counts as 1 where ``memory`` is given.
    verbose : int, default=0
        How much is printed.
    strategy : str, default="mean"
        ``"mean"``, ``"median"``, ``"sum"``, ``"minimum"``, ``"maximum"``,
        ``"standard_deviation"`` or ``"variance"``.
    keep_masked_labels : bool, default=False
        Keep regions that the mask has emptied, as zeros. On its way out in nilearn.
    reports : bool, default=True
        Keep what a report needs.
    cmap : str, optional
        Colours of the report.
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    clean_args_ : dict
        Further options of the cleaning that are in use.
    labels_img_ : nibabel image
        The atlas on the grid that is used.
    lut_ : DataFrame
        Number and name of each region.
    mask_img_ : nibabel image or None
        The mask that was given.
    memory_ : joblib.Memory
        The cache.

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """


class NiftiMapsMasker(Streamed, nilearn.maskers.NiftiMapsMasker):  # type: ignore[misc]
    """Fit maps to each frame by least squares.

    Options, attributes and methods are those of :class:`nilearn.maskers.NiftiMapsMasker`.

    Parameters
    ----------
    maps_img : path or image
        The maps, one a volume.
    mask_img : path or image, optional
        Only voxels where this is not zero count. It is resampled to the images where their
        grids differ.
    allow_overlap : bool, default=True
        Accept maps that share voxels.
    smoothing_fwhm : float, optional
        Full width at half maximum [mm] of the Gaussian that smooths each volume first. None for
        no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    high_variance_confounds : bool, default=False
        Also regress out the five leading time courses of the most variable voxels.
    detrend : bool, default=False
        Remove mean and straight line.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
    dtype : numpy dtype or "auto", optional
        Type of the result. None keeps float64 and gives float32 for other voxels; float64 also
        computes in float64.
    resampling_target : "data", "mask", "maps" or None, default="data"
        Whose grid is used; None refuses images that lie on different ones.
    keep_masked_maps : bool, default=False
        Keep maps that the mask has emptied, as zeros. On its way out in nilearn.
    memory : path or joblib.Memory, optional
        Where results are cached. A changed file is never served from an old entry.
    memory_level : int, default=0
        0 caches nothing, 1 and more cache results; 0 counts as 1 where ``memory`` is given.
    verbose : int, default=0
        How much is printed.
    reports : bool, default=True
        Keep what a report needs.
    cmap : str, default="CMRmap_r"
        Colours of the report.
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    clean_args_ : dict
        Further options of the cleaning that are in use.
    maps_img_ : nibabel image
        The maps on the grid that is used.
    mask_img_ : nibabel image or None
        The mask that was given.
    memory_ : joblib.Memory
        The cache.
    n_elements_ : int
        Number of maps.

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """
