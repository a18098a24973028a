"""Where the maskers differ from nilearn's on purpose; one test a difference."""

import os

import nibabel as nib
import nilearn.maskers as theirs
import numpy as np
import pytest

import seedmap.maskers as ours

BAND = {
    "detrend": True,
    "low_pass": 0.1,
    "high_pass": 0.01,
    "t_r": 2.0,
    "standardize": "zscore_sample",
}
SEEDS = [(0.0, 0.0, 2.0)]


def with_other_values_in(image, frames):
    changed = np.array(np.asarray(image.dataobj))
    changed[..., frames] = np.random.default_rng(0).normal(5000, 900, changed[..., frames].shape)
    return nib.Nifti1Image(changed, image.affine)


def test_censored_frames_leave_no_trace(images, mask_img, confounds):
    """nilearn keeps the values of mirror-image pairs of censored frames, as 5 and 54 of 60."""
    censored = [0, 5, 6, 30, 54, 59]
    keep = np.setdiff1d(np.arange(60), censored)
    clean_run = nib.load(images["float32"])
    spoilt_run = with_other_values_in(clean_run, censored)
    spoilt_confounds = confounds.copy()
    spoilt_confounds[censored] = 1e3
    answers = {}
    for kind in (ours, theirs):
        answers[kind] = [
            kind.NiftiMasker(mask_img, **BAND).fit_transform(
                run, confounds=table.copy(), sample_mask=keep.copy()
            )
            for run, table in ((clean_run, confounds), (spoilt_run, spoilt_confounds))
        ]
    assert answers[ours][0].shape == (54, int(np.asarray(mask_img.dataobj).sum()))
    np.testing.assert_allclose(*answers[ours], atol=2e-5)
    assert np.abs(answers[theirs][0] - answers[theirs][1]).max() > 0.5


def test_averages_of_integers_are_not_truncated(images):
    exact = nib.load(images["int16"])
    exact = nib.Nifti1Image(np.asarray(exact.dataobj, dtype=np.float64), exact.affine)
    options = {"seeds": SEEDS, "radius": 9, "standardize": None}
    mine = ours.NiftiSpheresMasker(**options).fit_transform(images["int16"])
    its = theirs.NiftiSpheresMasker(**options).fit_transform(images["int16"])
    expected = theirs.NiftiSpheresMasker(**options).fit_transform(exact)
    assert mine.dtype == np.float32
    np.testing.assert_allclose(mine, expected, rtol=1e-6)
    assert np.abs(its - expected).max() > 0.5


@pytest.mark.filterwarnings("ignore:.*repeat each other:seedmap.errors.SeedmapWarning")
def test_redundant_confounds_count_once(images, mask_img, confounds):
    redundant = np.hstack([confounds, confounds @ np.ones((4, 2)), np.ones((60, 1))])
    masker = ours.NiftiMasker(mask_img, **BAND)
    np.testing.assert_allclose(
        masker.fit_transform(images["float64"], confounds=redundant),
        masker.fit_transform(images["float64"], confounds=confounds),
        atol=1e-8,
    )


def test_runs_honour_all_options(images, mask_img):
    runs = np.repeat([0, 1], 30)
    options = {**BAND, "clean_args": {"butterworth__order": 1, "butterworth__padlen": 5}}
    together = ours.NiftiMasker(mask_img, runs=runs, **options).fit_transform(images["float64"])
    image = nib.load(images["float64"])
    alone = [
        ours.NiftiMasker(mask_img, **options).fit_transform(image.slicer[..., part])
        for part in (slice(0, 30), slice(30, 60))
    ]
    np.testing.assert_allclose(together, np.vstack(alone), atol=1e-8)


def test_masks_are_never_modified(images, mask_img):
    keep = np.arange(3, 58, dtype=np.int32)
    given = keep.copy()
    for _ in range(2):
        ours.NiftiMasker(mask_img, **BAND).fit_transform(images["float32"], sample_mask=given)
        np.testing.assert_array_equal(given, keep)
    given.setflags(write=False)
    ours.NiftiMasker(mask_img, **BAND).fit_transform(images["float32"], sample_mask=given)


def test_scaled_integers_give_float32_unless_asked(images, mask_img):
    for dtype, found in ((None, np.float32), (np.float64, np.float64)):
        masker = ours.NiftiMasker(mask_img, dtype=dtype, **BAND)
        assert masker.fit_transform(images["scaled"]).dtype == found
    its = theirs.NiftiMasker(mask_img, **BAND).fit_transform(images["scaled"])
    np.testing.assert_allclose(masker.fit_transform(images["scaled"]), its, atol=1e-8)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_changed_file_is_not_served_from_the_cache(as_path, images, tmp_path, mask_img):
    run, table = tmp_path / "run.nii", tmp_path / "table.csv"
    image = nib.load(images["float32"])
    image.to_filename(run)
    np.savetxt(table, np.arange(60.0) ** 2)
    masker = ours.NiftiMasker(mask_img, standardize=None, memory=str(tmp_path / "cache"))
    masker.fit()
    first = masker.transform(as_path(run), confounds=str(table))
    np.testing.assert_array_equal(masker.transform(as_path(run), confounds=str(table)), first)
    nib.Nifti1Image(2 * np.asarray(image.dataobj), image.affine).to_filename(run)
    os.utime(run, ns=(1, 1))
    second = masker.transform(as_path(run), confounds=str(table))
    np.testing.assert_allclose(second, 2 * first, rtol=1e-5, atol=1e-2)
    np.savetxt(table, np.sin(np.arange(60.0)))
    os.utime(table, ns=(1, 1))
    assert np.abs(masker.transform(as_path(run), confounds=str(table)) - second).max() > 1


def test_the_cache_is_used(images, tmp_path, mask_img):
    run = tmp_path / "run.nii.gz"
    run.write_bytes(images["float32"].read_bytes())
    masker = ours.NiftiMasker(mask_img, standardize=None, memory=str(tmp_path / "cache")).fit()
    masker.transform(str(run))
    pattern = "filter_and_mask/*/output.pkl"
    kept = list((tmp_path / "cache").rglob(pattern))
    masker.transform(str(run))
    assert len(kept) == 1
    assert list((tmp_path / "cache").rglob(pattern)) == kept
