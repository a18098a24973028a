"""What the parity tests share: nilearn's seed-to-voxel example, word for word, as a function."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

PCC = (0, -52, 18)


class Reference(NamedTuple):
    """What nilearn's example has at its end."""

    r: np.ndarray  # (samples,), a factor (n - 1) / n below Pearson's
    mask: np.ndarray  # (x, y, z)
    seed_series: np.ndarray  # (frames,)


def example(
    image: Any,
    *,
    t_r: float,
    confounds: Any = None,
    smoothing_fwhm: float | None = 6,
    radius: float | None = 8,
    sample_mask: Any = None,
    mask_img: Any = None,
    **cleaning: Any,
) -> Reference:
    """Run nilearn's example: NiftiSpheresMasker, NiftiMasker and a dot product over n."""
    from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

    options = {
        "detrend": True,
        "standardize": "zscore_sample",
        "standardize_confounds": True,
        "low_pass": 0.1,
        "high_pass": 0.01,
        "t_r": t_r,
    } | cleaning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_masker = NiftiSpheresMasker([PCC], radius=radius, **options)
        brain_masker = NiftiMasker(mask_img=mask_img, smoothing_fwhm=smoothing_fwhm, **options)
        given = {"confounds": confounds, "sample_mask": sample_mask}
        seed_series = seed_masker.fit_transform(image, **given)
        brain_series = brain_masker.fit_transform(image, **given)
    r = np.dot(brain_series.T, seed_series) / seed_series.shape[0]
    mask = np.asarray(brain_masker.mask_img_.dataobj).astype(bool)
    return Reference(r[:, 0], mask, seed_series[:, 0])


@pytest.fixture(scope="session")
def nilearn_example():
    """Return nilearn's example as a function of an image and its options."""
    return example
