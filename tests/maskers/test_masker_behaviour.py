"""What scripts rely on besides numbers: errors, warnings, reports, attributes, scikit-learn."""

import pickle
import re

import nibabel as nib
import nilearn.maskers as theirs
import numpy as np
import pytest
from nilearn.exceptions import DimensionError
from sklearn.base import clone
from sklearn.pipeline import Pipeline

import seedmap.maskers as ours

SEEDS = [(0.0, 0.0, 2.0), (-8.0, 6.0, 4.0)]
KINDS = ["NiftiMasker", "NiftiSpheresMasker", "NiftiLabelsMasker", "NiftiMapsMasker"]


@pytest.fixture(params=KINDS)
def made(request, labels_img, maps_img):
    """Return the class of ours, that of nilearn's and the options of a small masker."""
    made_of = {
        "NiftiMasker": {},
        "NiftiSpheresMasker": {"seeds": SEEDS, "radius": 5},
        "NiftiLabelsMasker": {"labels_img": labels_img},
        "NiftiMapsMasker": {"maps_img": maps_img},
    }[request.param]
    options = {"standardize": None, **made_of}
    return getattr(ours, request.param), getattr(theirs, request.param), options


def test_they_are_nilearns(made):
    mine, its, options = made
    assert issubclass(mine, its)
    assert mine(**options).get_params().keys() == its(**options).get_params().keys()


def test_fitted_attributes_are_nilearns(made, images):
    mine, its, options = made
    for imgs in (images["float32"], nib.load(images["float32"])):
        fitted = [kind(**options).fit(imgs) for kind in (mine, its)]
        transformed = [kind(**options) for kind in (mine, its)]
        for masker in transformed:
            masker.fit_transform(imgs)
        for one, other in (fitted, transformed):
            assert sorted(vars(one)) == sorted(vars(other))
            assert one.n_elements_ == other.n_elements_
        if one.mask_img_ is not None:
            same = (np.asarray(masker.mask_img_.dataobj) for masker in (one, other))
            np.testing.assert_array_equal(*same)
            assert one.mask_img_.get_data_dtype() == other.mask_img_.get_data_dtype()


@pytest.mark.parametrize("at_once", [True, False])
def test_the_report_shows_the_middle_frame(made, images, at_once):
    mine, its, options = made
    shown = []
    for kind in (mine, its):
        masker = kind(**options)
        masker.fit_transform(images["float32"]) if at_once else masker.fit(images["float32"])
        shown.append(np.asarray(masker._reporting_data["images"].dataobj))
        if "dim" in masker._reporting_data:
            assert masker._reporting_data["dim"] == 4
    np.testing.assert_array_equal(*shown)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore:.*from_dict is deprecated")
def test_a_report_is_made(made, images):
    mine, _, options = made
    masker = mine(**options)
    masker.fit_transform(images["float32"])
    page = str(masker.generate_report())
    assert "<img" in page
    assert type(masker).__name__ in page


def test_copies_and_pickles(made, images):
    mine, _, options = made
    masker = mine(**options, detrend=True)
    expected = masker.fit_transform(images["float32"])
    for copy in (clone(masker).fit(images["float32"]), pickle.loads(pickle.dumps(masker))):
        np.testing.assert_array_equal(copy.transform(images["float32"]), expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(made, images, library):
    pytest.importorskip(library)
    mine, its, options = made
    frames = [
        kind(**options).set_output(transform=library).fit_transform(images["float32"])
        for kind in (mine, its)
    ]
    assert type(frames[0]) is type(frames[1])
    assert list(frames[0].columns) == list(frames[1].columns)
    assert frames[0].shape == frames[1].shape
    volume = nib.load(images["float32"]).slicer[..., 0]
    one_row = mine(**options).set_output(transform=library).fit_transform(volume)
    assert one_row.shape[0] == 1


def test_there_and_back(made, images, mask_img):
    mine, its, options = made
    options = {**options, "mask_img": mask_img}
    backs = []
    for kind in (mine, its):
        masker = kind(**options)
        backs.append(masker.inverse_transform(masker.fit_transform(images["float32"])))
    assert backs[0].shape == backs[1].shape
    np.testing.assert_allclose(backs[0].get_fdata(), backs[1].get_fdata(), rtol=1e-4, atol=1e-2)


def test_words_on_the_way(made, images, capsys):
    mine, its, options = made
    options = {**options, "verbose": 1, "detrend": True}
    options |= {"smoothing_fwhm": 5}
    said = []
    for kind in (mine, its):
        kind(**options).fit_transform(images["float32"])
        said.append(re.sub("0x[0-9a-f]+", "", capsys.readouterr().out))
    assert said[0] == said[1]
    for word in ("Loading data from", "Smoothing images", "Extracting", "Cleaning", "Finished fit"):
        assert word in said[0]


def test_given_arrays_are_not_changed(made, values, confounds):
    mine, _, options = made
    image = nib.Nifti1Image(values, nib.affines.from_matvec(np.eye(3) * 4, (-20, -24, -18)))
    mine(**options, detrend=True, high_variance_confounds=True, smoothing_fwhm=5).fit_transform(
        image, confounds=confounds
    )
    assert not confounds.flags.writeable
    assert not values.flags.writeable


class TestErrors:
    def test_imgs_that_are_none(self, made):
        mine, _, options = made
        with pytest.raises(TypeError, match="input should be a NiftiLike object"):
            mine(**options).fit_transform(5)

    def test_a_file_that_is_not_there(self, made, tmp_path):
        mine, _, options = made
        with pytest.raises(ValueError, match="File not found"):
            mine(**options).fit_transform(str(tmp_path / "none.nii.gz"))

    def test_lists_of_runs(self, made, images):
        mine, _, options = made
        run = nib.load(images["float32"])
        with pytest.raises(DimensionError):
            mine(**options).fit_transform([run, run])

    def test_confounds_of_another_length(self, made, images, confounds):
        mine, _, options = made
        with pytest.raises(ValueError, match="Confound signal has an incorrect length"):
            mine(**options).fit_transform(images["float32"], confounds=confounds[:50])

    def test_confounds_with_gaps(self, made, images, confounds):
        mine, _, options = made
        table = confounds.copy()
        table[3, 1] = np.nan
        with pytest.raises(ValueError, match="must not contain infs or NaNs"):
            mine(**options).fit_transform(images["float32"], confounds=table)
        kept = np.delete(np.arange(60), 3)
        result = mine(**options).fit_transform(images["float32"], confounds=table, sample_mask=kept)
        assert np.isfinite(result).all()

    def test_a_filter_without_t_r(self, made, images):
        mine, _, options = made
        with pytest.raises(ValueError, match="Repetition time"):
            mine(**options, low_pass=0.1).fit_transform(images["float32"])

    def test_a_run_too_short_for_the_filter(self, made, images):
        mine, _, options = made
        short = nib.load(images["float32"]).slicer[..., :20]
        with pytest.raises(ValueError, match="must be greater than padlen"):
            mine(**options, low_pass=0.1, high_pass=0.01, t_r=2.0).fit_transform(short)

    @pytest.mark.parametrize(
        ("mask", "error"),
        [
            (np.zeros(60, dtype=bool), ValueError),
            (np.arange(70), IndexError),
            (np.array([1, 2, 60]), IndexError),
            (np.array([1, 2, -3]), ValueError),
        ],
    )
    def test_masks_that_make_no_sense(self, made, images, mask, error):
        mine, its, options = made
        for kind in (mine, its):
            with pytest.raises(error):
                kind(**options).fit_transform(images["float32"], sample_mask=mask.copy())

    def test_an_empty_mask(self, images):
        empty = nib.Nifti1Image(np.zeros((12, 13, 11, 3), dtype=np.float32), np.eye(4))
        with (
            pytest.warns(UserWarning, match="empty mask"),
            pytest.raises(ValueError, match="it is empty"),
        ):
            ours.NiftiMasker(standardize=None).fit_transform(empty)

    def test_no_images_and_no_mask(self):
        with pytest.raises(ValueError, match="'imgs' must be provided"):
            ours.NiftiMasker().fit()

    def test_an_unknown_strategy(self, images):
        with pytest.raises(ValueError, match="mask_strategy"):
            ours.NiftiMasker(mask_strategy="none").fit(images["float32"])

    def test_spheres_that_are_empty_or_overlap(self, images):
        seeds = [(900, 0, 0), (0, 0, 0)]
        with pytest.raises(ValueError, match=r"These spheres are empty: \[0\]"):
            ours.NiftiSpheresMasker(seeds, radius=4, standardize=None).fit_transform(
                images["int16"]
            )
        with pytest.raises(ValueError, match="Overlap detected between spheres"):
            ours.NiftiSpheresMasker(
                [(0, 0, 0), (4, 0, 0)], radius=8, standardize=None
            ).fit_transform(images["int16"])

    def test_options_that_do_not_exist(self, made, images):
        mine, _, options = made
        with pytest.raises((TypeError, ValueError)):
            mine(**{**options, "standardize": "foo"}).fit_transform(images["float32"])
        with pytest.raises(TypeError, match="detrend"):
            mine(**options, clean_args={"detrend": True}).fit_transform(images["float32"])


def test_bool_standardize_warns(made, images):
    mine, _, options = made
    with pytest.warns(FutureWarning, match="boolean values for 'standardize'"):
        mine(**{**options, "standardize": True}).fit_transform(images["float32"])


def test_a_mask_and_images_warn(images, mask_img):
    with pytest.warns(RuntimeWarning, match="Given mask will be used"):
        ours.NiftiMasker(mask_img, standardize=None).fit(images["float32"])
    ours.NiftiMasker(mask_img, standardize=None).fit_transform(images["float32"])


def test_a_width_of_zero_warns(made, images):
    mine, _, options = made
    with pytest.warns(UserWarning, match="no smoothing will be performed"):
        smooth = mine(**options, smoothing_fwhm=0.0).fit_transform(images["float32"])
    np.testing.assert_array_equal(smooth, mine(**options).fit_transform(images["float32"]))


def test_in_a_pipeline(made, images):
    from sklearn.preprocessing import StandardScaler

    mine, _, options = made
    steps = Pipeline([("masker", mine(**options)), ("scale", StandardScaler())])
    scaled = steps.fit_transform(images["float32"])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)


@pytest.mark.filterwarnings("ignore:Liblinear")
def test_as_the_mask_of_nilearns_estimators(images, mask_img):
    from nilearn.decoding import Decoder

    masker = ours.NiftiMasker(mask_img, standardize=None)
    volumes = nib.load(images["float32"])
    decoder = Decoder(mask=masker, standardize=None, cv=2, screening_percentile=100)
    decoder.fit(volumes, np.repeat(["a", "b"], 30))
    assert set(decoder.predict(volumes)) <= {"a", "b"}


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_pass_where_nilearns_do():
    from sklearn.utils.estimator_checks import check_estimator

    def passed(kind):
        results = check_estimator(kind(standardize=None), on_fail=None, on_skip=None)
        return {(r["check_name"]) for r in results if r["status"] == "passed"}

    assert passed(ours.NiftiMasker) >= passed(theirs.NiftiMasker)
