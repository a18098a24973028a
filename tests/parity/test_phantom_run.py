"""The phantom beside nilearn, over many options."""

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm

PCC = (0, -52, 18)
RADIUS = 14  # a few voxels of 12 mm
T_R = 2.0
AS_CLOSE = 5e-5


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return sm.datasets.make_phantom(
        tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=100, t_r=T_R
    )


@pytest.fixture(scope="module")
def table(phantom):
    return np.loadtxt(phantom.confounds[0], skiprows=1)


def both(nilearn_example, bold, *, table=None, smoothing_fwhm=6.0, mask_img=None, **options):
    """Return the map of either, with the factor between them taken out."""
    sample_mask = options.pop("sample_mask", None)
    reference = nilearn_example(
        nib.load(bold),
        t_r=T_R,
        radius=RADIUS,
        confounds=table,
        smoothing_fwhm=smoothing_fwhm,
        sample_mask=sample_mask,
        mask_img=mask_img,
        **{name: value for name, value in options.items() if name != "filter"},
        clean_args={"filter": options.get("filter", "butterworth") or False},
    )
    maps = sm.seed_maps(
        bold,
        sm.Sphere("PCC", PCC, radius=RADIUS),
        confounds=table,
        sample_mask=sample_mask,
        mask_img=mask_img,
        cleaning=sm.Cleaning(**options, fill="spline"),
        smoothing_fwhm=smoothing_fwhm,
        uncertainty=None,
    )
    kept = maps.provenance.kept
    np.testing.assert_array_equal(maps.space.mask, reference.mask)
    np.testing.assert_allclose(maps.seed_series[:, 0], reference.seed_series, atol=1e-4)
    return maps.r[0] * (kept - 1) / kept, reference.r


@pytest.mark.parametrize("with_confounds", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"high_pass": None},
        {"low_pass": None},
        {"high_pass": None, "low_pass": None},
        {"high_pass": 0.03, "low_pass": 0.2},
        {"detrend": False},
        {"filter": "cosine", "low_pass": None},
        {"filter": "cosine", "low_pass": None, "high_pass": 0.02, "detrend": False},
        {"filter": None},
        {"standardize_confounds": False},
    ],
    ids=str,
)
def test_cleaning(phantom, table, nilearn_example, options, with_confounds):
    ours, theirs = both(
        nilearn_example, phantom.func[0], table=table if with_confounds else None, **options
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=AS_CLOSE)


@pytest.mark.parametrize("smoothing_fwhm", [None, 3, 20], ids=str)
def test_smoothing(phantom, nilearn_example, smoothing_fwhm):
    ours, theirs = both(nilearn_example, phantom.func[0], smoothing_fwhm=smoothing_fwhm)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=AS_CLOSE)


def test_mask(phantom, nilearn_example):
    mask = nib.load(phantom.masks[0])
    part = np.asarray(mask.dataobj).copy()
    part[:5] = 0
    mask = nib.Nifti1Image(part, mask.affine)
    ours, theirs = both(nilearn_example, phantom.func[0], mask_img=mask)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=AS_CLOSE)


@pytest.mark.parametrize("as_bool", [False, True])
@pytest.mark.parametrize("with_confounds", [False, True])
def test_censoring(phantom, table, nilearn_example, with_confounds, as_bool):
    """With the spline, inside the run and without mirrored pairs, where nilearn censors rightly."""
    keep = np.ones(100, dtype=bool)
    keep[[20, 21, 40, 70]] = False
    ours, theirs = both(
        nilearn_example,
        phantom.func[0],
        table=table if with_confounds else None,
        sample_mask=keep if as_bool else np.flatnonzero(keep),
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=AS_CLOSE)


def test_dtype_does_not_matter(phantom, tmp_path):
    """The numbers of a file do not depend on how they are stored."""
    values = np.rint(np.asarray(nib.load(phantom.func[0]).dataobj))
    affine = nib.load(phantom.func[0]).affine
    found = []
    for dtype in (np.int16, np.uint16, np.int32, np.float32, np.float64):
        path = tmp_path / f"{np.dtype(dtype).name}.nii"
        nib.save(nib.Nifti1Image(values.astype(dtype), affine), path)
        maps = sm.seed_maps(path, "PCC=0,-52,18", t_r=T_R, uncertainty=None)
        found.append(maps.r)
    for r in found[1:]:
        np.testing.assert_allclose(r, found[0], rtol=0, atol=2e-6)
