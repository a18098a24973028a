"""The real run beside nilearn: same mask, same sphere, same map."""

import csv

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm

pytestmark = pytest.mark.full

PCC = (0, -52, 18)
T_R = 1.5
# nilearn is slow: most tests take a slab around the posterior cingulate, and fewer frames.
FRAMES, SLAB = 80, slice(17, 29)
NAME = "sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"
TABLE = "sub-01_task-rest_desc-confounds_timeseries.tsv"
AS_CLOSE = 5e-5


@pytest.fixture(scope="module")
def stored(data_folder):
    """Return the run as the file stores it: int16 without a scale."""
    image = nib.load(data_folder / "volume" / NAME)
    values = np.asarray(image.dataobj)
    assert values.dtype == np.int16
    values.setflags(write=False)
    return values, image.affine


@pytest.fixture(scope="module")
def slab(stored):
    """Return a part of it."""
    values, affine = stored
    shifted = affine.copy()
    shifted[:3, 3] = affine[:3] @ [0, 0, SLAB.start, 1]
    return values[:, :, SLAB, :FRAMES], shifted


@pytest.fixture(scope="module")
def table(data_folder):
    """Return the confounds; std_dvars is left out, for it is dvars times a number."""
    with (data_folder / "volume" / TABLE).open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = [name for name in rows[0] if name != "std_dvars"]
    values = np.array(
        [[float("nan") if row[n] == "n/a" else float(row[n]) for n in names] for row in rows]
    )
    values[0] = np.where(np.isnan(values[0]), values[1], values[0])
    return values


def as_float32(stored):
    values, affine = stored
    return timed(nib.Nifti1Image(values.astype(np.float32), affine))


def timed(image):
    image.header.set_zooms((*image.header.get_zooms()[:3], T_R))
    image.header.set_xyzt_units("mm", "sec")
    return image


@pytest.fixture(scope="module")
def references(slab, table, nilearn_example):
    """Return nilearn's answers, each computed once."""
    answers = {}

    def answer(with_confounds, smoothing_fwhm):
        key = (with_confounds, smoothing_fwhm)
        if key not in answers:
            answers[key] = nilearn_example(
                as_float32(slab),
                t_r=T_R,
                confounds=table[:FRAMES] if with_confounds else None,
                smoothing_fwhm=smoothing_fwhm,
            )
        return answers[key]

    return answer


def ours(image, table, smoothing_fwhm, **options):
    return sm.seed_maps(
        image,
        sm.Sphere("PCC", PCC, radius=8),
        confounds=table,
        t_r=T_R,
        smoothing_fwhm=smoothing_fwhm,
        uncertainty=None,
        **options,
    )


def check(maps, reference):
    """Compare with nilearn, whose r is smaller by (n - 1) / n, and 0 where a voxel is constant."""
    kept = maps.provenance.kept
    np.testing.assert_array_equal(maps.space.mask, reference.mask)
    np.testing.assert_allclose(maps.seed_series[:, 0], reference.seed_series, atol=1e-4)
    constant = np.isnan(maps.r[0])
    assert constant.sum() == maps.provenance.constant
    np.testing.assert_allclose(reference.r[constant], 0, atol=1e-6)
    ours = np.where(constant, 0, maps.r[0]) * (kept - 1) / kept
    np.testing.assert_allclose(ours, reference.r, rtol=0, atol=AS_CLOSE)


@pytest.mark.parametrize("smoothing_fwhm", [None, 6])
@pytest.mark.parametrize("with_confounds", [False, True])
def test_same_map(slab, table, references, with_confounds, smoothing_fwhm):
    given = table[:FRAMES] if with_confounds else None
    maps = ours(as_float32(slab), given, smoothing_fwhm)
    check(maps, references(with_confounds, smoothing_fwhm))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["float32", "int16", "scaled int16"])
def test_same_map_however_stored(slab, table, references, tmp_path, kind, ending):
    values, affine = slab
    image = nib.Nifti1Image(values if kind == "int16" else values.astype(np.float32), affine)
    if kind == "scaled int16":
        image = nib.Nifti1Image((2 * (values.astype(np.int32) - 100)).astype(np.int16), affine)
        image.header.set_slope_inter(0.5, 100)
    path = tmp_path / f"run{ending}"
    nib.save(timed(image), path)
    np.testing.assert_array_equal(nib.load(path).dataobj[..., 3], values[..., 3])
    check(ours(path, table[:FRAMES], 6), references(True, 6))


def test_same_sphere(stored):
    from nilearn.maskers.nifti_spheres_masker import apply_mask_and_get_affinity

    image = as_float32((stored[0][..., :2], stored[1]))
    _, theirs = apply_mask_and_get_affinity([PCC], image, 8, allow_overlap=False)
    weights = sm.Sphere("PCC", PCC, radius=8).weights(sm.open_run(image).space)
    np.testing.assert_array_equal(np.sort(weights.voxels), np.sort(theirs.rows[0]))
    np.testing.assert_allclose(weights.weights, 1 / len(theirs.rows[0]))


def test_default_mode_network(data_folder):
    """The whole run as the command line has it: the network is where it should be."""
    mask = data_folder / "volume" / NAME.replace("desc-preproc_bold", "desc-brain_mask")
    maps = ours(data_folder / "volume" / NAME, None, 6, mask_img=mask)
    volume = maps.to_img("PCC").get_fdata()

    def near(x, y, z):
        place = np.linalg.inv(maps.space.affine) @ [x, y, z, 1]
        i, j, k = np.round(place[:3]).astype(int)
        return volume[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2].mean()

    assert near(1, 55, -3) > 0.45  # medial prefrontal cortex
    assert near(-46, -68, 32) > 0.45  # left and right inferior parietal lobule
    assert near(46, -68, 32) > 0.45
    assert abs(near(-26, -60, 56)) < 0.3  # left intraparietal sulcus, of another network


def test_whole_run(stored, table, nilearn_example):
    reference = nilearn_example(as_float32(stored), t_r=T_R, confounds=table)
    check(ours(as_float32(stored), table, 6), reference)


def test_integer_sphere_means_are_not_cut(slab, references, nilearn_example):
    """On unscaled int16 nilearn cuts its sphere means to whole numbers; we do not."""
    image = timed(nib.Nifti1Image(*slab))
    theirs = nilearn_example(image, t_r=T_R, smoothing_fwhm=None)
    right = references(False, None)
    here = ours(image, None, None)
    assert np.abs(theirs.r - right.r).max() > 10 * AS_CLOSE, "an intended difference"
    check(here, right)


def test_what_the_documentation_says_of_the_cut(stored, table):
    """On the whole run the cut moves r by up to 0.002; without it the maskers agree to 0.00001."""
    import nilearn.maskers as theirs

    import seedmap.maskers as mine

    options = {"detrend": True, "standardize": "zscore_sample", "t_r": T_R}
    options |= {"low_pass": 0.1, "high_pass": 0.01}
    whole, exact = timed(nib.Nifti1Image(*stored)), as_float32(stored)
    brain = mine.NiftiMasker(smoothing_fwhm=6, **options).fit_transform(exact, confounds=table)
    series = [
        kind.NiftiSpheresMasker([PCC], radius=8, **options).fit_transform(image, confounds=table)
        for kind, image in ((mine, whole), (theirs, whole), (theirs, exact))
    ]
    ours, cut, uncut = (brain.T @ one[:, 0] / (len(table) - 1) for one in series)
    assert 1e-3 < np.abs(ours - cut).max() < 2.5e-3
    assert np.abs(ours - uncut).max() < 1e-5
