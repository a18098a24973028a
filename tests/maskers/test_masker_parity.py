"""Every masker beside nilearn's, over options, kinds of images and types of values.

nilearn in float64 is the judge: in float32 ours may be no farther from it than nilearn's own
float32 answer (or than a few roundings).
"""

import warnings

import nibabel as nib
import nilearn.maskers as theirs
import numpy as np
import pytest

import seedmap.maskers as ours

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*sform.*", "ignore:Casting data", "ignore:The standard deviation"
)

BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}
WITHOUT_MIRRORED_PAIRS = np.setdiff1d(np.arange(60), [3, 10, 11, 40])
OPTIONS = {
    "nothing": {},
    "detrend": {"detrend": True},
    "zscore": {"standardize": "zscore_sample"},
    "detrend zscore": {"detrend": True, "standardize": "zscore_sample"},
    "psc": {"standardize": "psc"},
    "detrend psc": {"detrend": True, "standardize": "psc"},
    "low-pass": {"low_pass": 0.1, "t_r": 2.0},
    "high-pass zscore": {"high_pass": 0.02, "t_r": 2.0, "standardize": "zscore_sample"},
    "band zscore": {**BAND, "standardize": "zscore_sample"},
    "band psc": {**BAND, "standardize": "psc"},
    "cosine": {
        "high_pass": 0.01,
        "t_r": 2.0,
        "detrend": True,
        "standardize": "zscore_sample",
        "clean_args": {"filter": "cosine"},
    },
    "order 3": {**BAND, "standardize": "zscore_sample", "clean_args": {"butterworth__order": 3}},
    "smooth": {"smoothing_fwhm": 6.0},
    "smooth band": {"smoothing_fwhm": 7, **BAND, "standardize": "zscore_sample"},
    "high variance": {"high_variance_confounds": True, "detrend": True},
}
MASKERS = ["NiftiMasker", "NiftiSpheresMasker", "NiftiLabelsMasker", "NiftiMapsMasker"]
SEEDS = [(0.0, 0.0, 2.0), (-8.0, 6.0, 4.0)]


@pytest.fixture(params=MASKERS)
def kind(request, mask_img, labels_img, maps_img):
    """Return the name of a masker and what it is made of."""
    made_of = {
        "NiftiMasker": {},
        "NiftiSpheresMasker": {"seeds": SEEDS, "radius": 9, "allow_overlap": True},
        "NiftiLabelsMasker": {"labels_img": labels_img},
        "NiftiMapsMasker": {"maps_img": maps_img},
    }
    return request.param, made_of[request.param]


def both(kind, options, imgs, **call):
    """Return what ours and nilearn's give for the same options."""
    name, made_of = kind
    options = {"standardize": None, **made_of, **options}
    call = {key: value.copy() if hasattr(value, "copy") else value for key, value in call.items()}
    answers = [
        getattr(kind, name)(**options).fit_transform(imgs, **call) for kind in (ours, theirs)
    ]
    assert answers[0].shape == answers[1].shape
    return answers


def as_float64(path):
    image = nib.load(path)
    return nib.Nifti1Image(np.asarray(image.dataobj, dtype=np.float64), image.affine)


def assert_close(mine, its, judge):
    """Ours is as near to nilearn's float64 answer as nilearn's own is."""
    size = np.abs(judge).max()
    of_ours, of_its = np.abs(mine - judge).max() / size, np.abs(its - judge).max() / size
    assert of_ours <= max(of_its, 2e-6)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options_on_float32(kind, options, images):
    mine, its = both(kind, options, images["float32"])
    _, judge = both(kind, options, as_float64(images["float32"]))
    assert mine.dtype == its.dtype == np.float32
    assert_close(mine, its, judge)


@pytest.mark.parametrize("options", ["nothing", "detrend psc", "band zscore", "smooth band"])
def test_float64_images_are_computed_in_float64(kind, options, images):
    mine, its = both(kind, OPTIONS[options], images["float64"])
    assert mine.dtype == its.dtype == np.float64
    np.testing.assert_allclose(mine, its, rtol=1e-8, atol=1e-9 * np.abs(its).max())


@pytest.mark.parametrize("options", ["nothing", "band zscore", "smooth"])
def test_integers(kind, options, images):
    name, _ = kind
    mine, its = both(kind, OPTIONS[options], images["int16"])
    _, judge = both(kind, OPTIONS[options], as_float64(images["int16"]))
    if name == "NiftiSpheresMasker" and options != "smooth":
        its = judge  # nilearn truncates the averages: an intended difference
    else:
        assert mine.dtype == its.dtype
    assert_close(mine, its, judge)


@pytest.mark.parametrize("options", ["nothing", "band zscore", "smooth"])
def test_scaled_integers_stay_float32(kind, options, images):
    mine, its = both(kind, OPTIONS[options], images["scaled"])
    assert (mine.dtype, its.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(mine, its, rtol=2e-6, atol=5e-6 * np.abs(its).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32, "auto"])
def test_a_type_that_is_asked_for(kind, dtype, images):
    options = {**OPTIONS["band zscore"], "dtype": dtype}
    for stored in ("float32", "float64"):
        mine, its = both(kind, options, images[stored])
        _, judge = both(kind, OPTIONS["band zscore"], as_float64(images[stored]))
        assert mine.dtype == its.dtype
        assert_close(mine, its, judge)


@pytest.mark.parametrize("options", ["detrend zscore", "band zscore", "cosine", "low-pass"])
@pytest.mark.parametrize("mask", ["bool", "index"])
def test_censoring_without_mirrored_pairs(kind, options, mask, images, confounds):
    keep = WITHOUT_MIRRORED_PAIRS
    if mask == "bool":
        keep = np.isin(np.arange(60), keep)
    mine, its = both(
        kind, OPTIONS[options], images["float64"], sample_mask=keep, confounds=confounds
    )
    np.testing.assert_allclose(mine, its, rtol=1e-7, atol=1e-8 * np.abs(its).max())


@pytest.mark.parametrize("options", ["nothing", "detrend zscore", "band psc"])
@pytest.mark.parametrize("form", ["array", "list", "path", "frame"])
def test_confounds_in_every_form(kind, options, form, images, confounds, tmp_path):
    import pandas as pd

    table = pd.DataFrame(confounds, columns=list("abcd"))
    table.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
    given = {
        "array": confounds,
        "list": [confounds[:, :2], confounds[:, 2:]],
        "path": str(tmp_path / "table.tsv"),
        "frame": table,
    }[form]
    mine, its = both(kind, OPTIONS[options], images["float64"], confounds=given)
    np.testing.assert_allclose(mine, its, rtol=1e-7, atol=1e-8 * np.abs(its).max())


@pytest.mark.parametrize("smoothing_fwhm", [None, 5])
def test_one_volume_gives_a_vector(kind, smoothing_fwhm, images):
    volume = nib.load(images["float32"]).slicer[..., 5]
    mine, its = both(kind, {"smoothing_fwhm": smoothing_fwhm}, volume)
    assert mine.ndim == 1
    np.testing.assert_allclose(mine, its, rtol=1e-5)


def test_a_list_of_volumes(kind, images):
    run = nib.load(images["float32"])
    volumes = [run.slicer[..., n] for n in range(8)]
    mine, its = both(kind, OPTIONS["detrend"], volumes)
    np.testing.assert_allclose(mine, its, rtol=1e-4, atol=2e-3)


def test_lists_and_patterns_of_files(kind, images, tmp_path):
    run = nib.load(images["float32"])
    paths = [tmp_path / f"volume{n}.nii.gz" for n in range(6)]
    for number, path in enumerate(paths):
        run.slicer[..., number].to_filename(path)
    expected, its = both(kind, OPTIONS["detrend zscore"], run.slicer[..., :6])
    np.testing.assert_allclose(expected, its, atol=1e-3)
    for imgs in (paths, tuple(map(str, paths)), str(tmp_path / "volume*.nii.gz")):
        mine, _ = both(kind, OPTIONS["detrend zscore"], imgs)
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("background", ["nan", "constant", "noise"])
def test_backgrounds(background, values, images):
    changed = np.array(values)
    outside = ~(values != 0).any(axis=-1)
    noise = np.random.default_rng(1).normal(size=changed[outside].shape)
    changed[outside] = {"nan": np.nan, "constant": 3.7, "noise": noise}[background]
    image = nib.Nifti1Image(changed, nib.load(images["float32"]).affine)
    mine, its = both(("NiftiMasker", {}), OPTIONS["band zscore"], image)
    np.testing.assert_allclose(mine, its, atol=5e-4)
    apart = ours.NiftiMasker(standardize=None, detrend=True).fit(image)
    np.testing.assert_array_equal(
        apart.transform(image), both(("NiftiMasker", {}), OPTIONS["detrend"], image)[0]
    )


def test_a_mask_of_several_runs(images):
    runs = [nib.load(images["float32"]), nib.load(images["float64"])]
    fitted = [kind.NiftiMasker(standardize=None).fit(runs) for kind in (ours, theirs)]
    np.testing.assert_array_equal(*[np.asarray(one.mask_img_.dataobj) for one in fitted])
    assert fitted[0]._reporting_data["dim"] == fitted[1]._reporting_data["dim"] == 5


@pytest.mark.parametrize("in_memory", ["C", "F", "uncompressed"])
def test_wherever_the_values_lie(kind, in_memory, images, tmp_path):
    run = nib.load(images["float32"])
    if in_memory == "uncompressed":
        run.to_filename(tmp_path / "run.nii")
        imgs = str(tmp_path / "run.nii")
    else:
        array = np.array(np.asarray(run.dataobj), order=in_memory)
        array.setflags(write=False)
        imgs = nib.Nifti1Image(array, run.affine)
    expected, _ = both(kind, OPTIONS["band zscore"], images["float32"])
    mine, _ = both(kind, OPTIONS["band zscore"], imgs)
    np.testing.assert_array_equal(mine, expected)


def test_values_that_are_not_finite_count_as_zero(kind, values):
    broken = np.array(values, dtype=np.float64)
    broken[5, 6, 5, 7], broken[3, 4, 4, 3] = np.nan, np.inf
    broken[4, 4, 4] = np.nan
    image = nib.Nifti1Image(broken, np.diag([4.0, 4, 4, 1]))
    name, made_of = kind
    if name in ("NiftiLabelsMasker", "NiftiMapsMasker"):
        made_of = {
            key: nib.Nifti1Image(np.asarray(img.dataobj), image.affine)
            for key, img in made_of.items()
        }
    if name == "NiftiSpheresMasker":
        made_of = {**made_of, "seeds": [(20.0, 24.0, 20.0), (32.0, 30.0, 22.0)]}
    if name == "NiftiMasker":
        mask = np.zeros(values.shape[:3], dtype=np.int8)
        mask[2:-2, 2:-2, 2:-2] = 1
        made_of = {"mask_img": nib.Nifti1Image(mask, image.affine)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        mine, its = both((name, made_of), OPTIONS["detrend"], image)
    np.testing.assert_allclose(mine, its, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("ignore:imgs are being resampled", "ignore:Resampling")
@pytest.mark.parametrize(
    "grid",
    [
        {"target_affine": np.diag([6.0, 6, 6])},
        {
            "target_affine": np.array(
                [[5.0, 0, 0, -18], [0, 5, 0, -20], [0, 0, 5, -18], [0, 0, 0, 1]]
            )
        },
    ],
)
def test_resampled_images(grid, images):
    for stored in ("float64", "int16"):
        mine, its = both(("NiftiMasker", {}), {**grid, **OPTIONS["detrend zscore"]}, images[stored])
        np.testing.assert_allclose(mine, its, atol=2e-5)


@pytest.mark.filterwarnings("ignore:imgs are being resampled")
def test_a_mask_on_another_grid(images):
    coarse = nib.Nifti1Image(np.pad(np.ones((5, 5, 4), np.int8), 1), np.diag([8.0, 8, 8, 1]) + AT)
    mine, its = both(
        ("NiftiMasker", {"mask_img": coarse}), OPTIONS["smooth band"], images["float64"]
    )
    np.testing.assert_allclose(mine, its, atol=1e-7)


AT = np.zeros((4, 4))
AT[:3, 3] = -20, -22, -16


@pytest.mark.parametrize("strategy", ["background", "epi", "whole-brain-template"])
def test_mask_strategies(strategy, images):
    options = {"mask_strategy": strategy, "mask_args": {"opening": 1}}
    masks = []
    for kind in (ours, theirs):
        masker = kind.NiftiMasker(standardize=None, **options).fit(images["float32"])
        masks.append(np.asarray(masker.mask_img_.dataobj))
        assert masks[-1].any()
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize(
    "strategy", ["mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance"]
)
def test_label_strategies(strategy, images, labels_img, mask_img):
    for stored in ("float64", "scaled"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            mine, its = both(
                ("NiftiLabelsMasker", {"labels_img": labels_img, "mask_img": mask_img}),
                {"strategy": strategy, "smoothing_fwhm": 4},
                images[stored],
            )
        np.testing.assert_allclose(mine, its, rtol=1e-8 if stored == "float64" else 2e-4)


def test_spheres_in_a_mask_and_single_voxels(images, mask_img):
    for options in ({"radius": 9}, {"radius": None}):
        mine, its = both(
            ("NiftiSpheresMasker", {"seeds": SEEDS, "mask_img": mask_img, "allow_overlap": True}),
            {**options, "detrend": True},
            images["float64"],
        )
        np.testing.assert_allclose(mine, its, rtol=1e-8, atol=1e-8)


def test_maps_in_a_mask(images, maps_img, mask_img):
    for keep in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            mine, its = both(
                ("NiftiMapsMasker", {"maps_img": maps_img, "mask_img": mask_img}),
                {"keep_masked_maps": keep},
                images["float64"],
            )
        np.testing.assert_allclose(mine, its, rtol=1e-6)


def test_runs_are_cleaned_one_by_one(images, confounds):
    runs = np.repeat([0, 1], 30)
    options = {"runs": runs, "detrend": True, "standardize": "zscore_sample"}
    mine, its = both(("NiftiMasker", {}), options, images["float64"], confounds=confounds)
    np.testing.assert_allclose(mine, its, atol=1e-8)


def test_maps_that_a_mask_empties(images, maps_img):
    where = np.zeros(maps_img.shape[:3], dtype=np.int8)
    where[2:4, 3:9, 3:8] = 1  # of the three maps, the last begins behind this
    mask_img = nib.Nifti1Image(where, maps_img.affine)
    options = {"maps_img": maps_img, "mask_img": mask_img, "standardize": None}
    found = []
    for kind in (ours, theirs):
        with pytest.warns(UserWarning, match=r"removed: \{2\}\. Out of 3 maps"):
            found.append(kind.NiftiMapsMasker(**options).fit_transform(images["float64"]))
    np.testing.assert_allclose(*found, rtol=1e-6)
    outside = nib.Nifti1Image(np.roll(where, 8, axis=0), maps_img.affine)
    with pytest.raises(ValueError, match="No map left after applying mask"):
        ours.NiftiMapsMasker(**{**options, "mask_img": outside}).fit_transform(images["float64"])
