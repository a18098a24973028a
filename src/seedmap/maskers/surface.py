"""Maskers of cortical surfaces: the series of every vertex in a mask, or one a label."""

from typing import Any

import nilearn.maskers
import nilearn.signal
import numpy as np
from typing_extensions import override

from seedmap import signal
from seedmap.signal.nilearn_private import check_compatibility_mask_and_images, check_polymesh_equal
from seedmap.signal.nilearn_private import get_data as surface_values

__all__ = ["SurfaceLabelsMasker", "SurfaceMasker"]


class _CleansOurWay:
    """Precedes one of nilearn's maskers and cleans by one matrix a run."""

    def _cache(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        ours = signal.clean if func is nilearn.signal.clean else func
        return super()._cache(ours, *args, **kwargs)  # type: ignore[misc]


class SurfaceMasker(_CleansOurWay, nilearn.maskers.SurfaceMasker):  # type: ignore[misc]
    """Extract the series of the vertices in a mask.

    Options, attributes and methods are those of :class:`nilearn.maskers.SurfaceMasker`, smoothing
    included. Redundant confounds count once, and censored frames leave no trace. (`seed_maps`
    smooths along the surface by the distance in millimetres, which is another way.)

    Parameters
    ----------
    mask_img : SurfaceImage, optional
        Vertices that are samples. None takes all that are finite.
    smoothing_fwhm : float, optional
        Width of the smoothing [mm], by nilearn. None for no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    detrend : bool, default=False
        Remove mean and straight line.
    high_variance_confounds : bool, default=False
        Has no effect on surfaces.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
    dtype : numpy dtype or "auto", optional
        Type of the result.
    memory : path or joblib.Memory, optional
        Where results are cached.
    memory_level : int, default=1
        2 and more cache what is cleaned.
    verbose : int, default=0
        How much is printed.
    reports : bool, default=True
        Keep what a report needs.
    cmap : str
        Colours of the report.
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    clean_args_ : dict
        Further options of the cleaning that are in use.
    mask_img_ : SurfaceImage
        The mask that is used.
    memory_ : joblib.Memory
        The cache.
    n_elements_ : int
        Number of vertices in the mask.

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """


class SurfaceLabelsMasker(_CleansOurWay, nilearn.maskers.SurfaceLabelsMasker):  # type: ignore[misc]
    """Reduce the vertices of each label to one series.

    Options, attributes and methods are those of :class:`nilearn.maskers.SurfaceLabelsMasker`. Means
    and sums of all frames are one product of matrices.

    Parameters
    ----------
    labels_img : SurfaceImage
        Whole numbers, one a region.
    labels : list of str, optional
        Names of the regions.
    lut : path or DataFrame, optional
        Look-up table with the columns ``index`` and ``name``.
    background_label : number, default=0
        The label that is no region.
    mask_img : SurfaceImage, optional
        Only vertices where this is not zero count.
    smoothing_fwhm : float, optional
        Width of the smoothing [mm], by nilearn. None for no smoothing.
    standardize : "zscore_sample", "psc", None or bool, default=False
        Give each series mean 0 and standard deviation 1 (with n - 1), or percent of its mean.
        Booleans are on their way out in nilearn, and warn.
    standardize_confounds : bool, default=True
        Centre the confounds.
    detrend : bool, default=False
        Remove mean and straight line.
    high_variance_confounds : bool, default=False
        Has no effect on surfaces.
    low_pass : float, optional
        Drop faster fluctuations than this [Hz].
    high_pass : float, optional
        Drop slower fluctuations than this [Hz].
    t_r : float, optional
        Repetition time [s], which a filter needs.
    dtype : numpy dtype or "auto", optional
        Type of the result.
    memory : path or joblib.Memory, optional
        Where results are cached.
    memory_level : int, default=1
        2 and more cache what is cleaned.
    verbose : int, default=0
        How much is printed.
    strategy : str, default="mean"
        How vertices become one value: ``"mean"``, ``"sum"``, ``"median"``, ``"minimum"``,
        ``"maximum"``, ``"variance"`` or ``"standard_deviation"``.
    reports : bool, default=True
        Keep what a report needs.
    cmap : str
        Colours of the report.
    clean_args : dict, optional
        Further options of `seedmap.signal.clean`, such as ``{"filter": "cosine"}``.

    Attributes
    ----------
    clean_args_ : dict
        Further options of the cleaning that are in use.
    labels_img_ : SurfaceImage
        The regions that are used.
    lut_ : DataFrame
        Their look-up table.
    memory_ : joblib.Memory
        The cache.
    n_elements_ : int
        Number of regions.

    See Also
    --------
    seedmap.signal.clean : The cleaning.
    """

    @override
    def transform_single_imgs(
        self, imgs: Any, confounds: Any = None, sample_mask: Any = None
    ) -> Any:
        """Reduce each label to one series, shape (kept, labels)."""
        plain = all(part.ndim == 2 for part in imgs.data.parts.values())
        if self.strategy not in ("mean", "sum") or not plain:
            return super().transform_single_imgs(imgs, confounds, sample_mask)
        check_compatibility_mask_and_images(self.labels_img_, imgs)
        check_polymesh_equal(self.labels_img_.mesh, imgs.mesh)
        values = np.asarray(surface_values(self._smooth(imgs)))
        narrow = values.dtype == np.float32
        index = [label for label in self.labels_ if label != self.background_label]
        weights = _membership(np.asarray(surface_values(self.labels_img_)).ravel(), index)
        if self.strategy == "mean":
            weights = weights / np.maximum(weights.sum(axis=1), 1)[:, None]
        series = (weights @ values.astype(np.float64)).T
        series = self._clean(
            series.astype(np.float32 if narrow else np.float64), confounds, sample_mask
        )
        target = self._get_target_dtype(imgs)
        return series if target is None else series.astype(target)


def _membership(labels: Any, index: list[Any]) -> Any:
    """Say which vertex has which label, sparse of shape (labels, vertices)."""
    from scipy import sparse

    order = np.argsort(index)
    place = np.minimum(np.searchsorted(np.array(index)[order], labels), len(index) - 1)
    found = order[place]
    known = np.flatnonzero(np.array(index)[found] == labels)
    ones = np.ones(known.size)
    return sparse.csr_array((ones, (found[known], known)), shape=(len(index), labels.size))
