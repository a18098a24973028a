"""What people's files get refused for: one line with the right reason and a way out."""

import gzip
import re

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seedmap as sm
from seedmap.analysis.inputs import open_inputs
from seedmap.analysis.options import Inputs
from seedmap.bids import Filters, find_participants
from seedmap.cli.study_options import ChoiceOptions
from seedmap.errors import ImageError, OptionError, SeedError, SeedmapError, TooFewFrames
from seedmap.images import Grayordinates, Grid, Part, open_run, statistic
from seedmap.seeds import MaskSeed, parse_seed, parse_seeds

AFFINE = np.diag([6.0, 6, 6, 1])
DATA = np.random.default_rng(0).standard_normal((5, 5, 5, 12)) + 100
ALL = nib.Nifti1Image(np.ones((5, 5, 5), "u1"), AFFINE)
QUICK = {
    "cleaning": sm.Cleaning(filter=None),
    "smoothing_fwhm": None,
    "strategy": "none",
    "uncertainty": None,
}


def image(values):
    return nib.Nifti1Image(values.astype("f4"), AFFINE)


def test_one_volume_is_not_a_series():
    with pytest.raises(TooFewFrames, match=r"the run has 1 frame\(s\); a series of many is wanted"):
        open_inputs(Inputs(image(DATA[..., :1])))


def test_an_axis_of_one_value_is_to_be_dropped():
    with pytest.raises(ImageError, match=r"shape \(5, 5, 5, 12, 1\); drop the last axis"):
        open_run(image(DATA[..., None]))


def test_volumes_with_an_axis_of_one_frame_are_a_run(tmp_path):
    for number in range(12):
        nib.save(image(DATA[..., number, None]), tmp_path / f"{number:02}.nii.gz")
    run = open_run(sorted(tmp_path.glob("*.nii.gz")), t_r=2)
    with run.stream() as stream:
        found = [stream.take().values for _ in range(12)]
    np.testing.assert_array_equal(np.stack(found, axis=3), DATA.astype("f4"))


@pytest.mark.parametrize(
    ("name", "packed", "said"),
    [
        ("run.nii", True, "it is compressed, rename it to .gz"),
        ("run.nii.gz", False, "it is not compressed, rename it without .gz"),
        ("run.dtseries.nii", True, "the file is compressed; unpack it"),
        ("run.dtseries.nii.gz", True, "the file is compressed; unpack it"),
    ],
)
def test_a_wrong_suffix_is_named(tmp_path, name, packed, said):
    raw = image(DATA).to_bytes()
    (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(ImageError, match=rf"{name}: .*{re.escape(said)}"):
        open_run(tmp_path / name)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            (slice(3, 4), slice(3, 4), slice(3, 4)),
            r"\(8 mm3\) is in the box of the run, but no voxel",
        ),
        ((slice(0, 0),) * 3, "is empty; values above 0 are wanted"),
    ],
)
def test_a_region_between_voxel_centres_is_small_and_not_elsewhere(place, said):
    values = np.zeros((20, 20, 20), "u1")
    values[place] = 1
    fine = np.diag([2.0, 2, 2, 1])
    fine[:3, 3] = -3
    with pytest.raises(SeedError, match=said):
        MaskSeed("S", nib.Nifti1Image(values, fine)).weights(Grid.whole(AFFINE, (5, 5, 5)))


def test_a_region_elsewhere_is_elsewhere():
    away = AFFINE.copy()
    away[:3, 3] = 900
    with pytest.raises(SeedError, match="lies outside the run; is it in the space"):
        MaskSeed("S", nib.Nifti1Image(np.ones((2, 2, 2), "u1"), away)).weights(
            Grid.whole(AFFINE, (5, 5, 5))
        )


@pytest.mark.parametrize("text", ["S=-36 -25 57", "S=-36;-25;57", "S= -36 ; -25 ; 57"])
def test_coordinates_without_commas_are_written_with_them(text):
    with pytest.raises(SeedError, match="has no commas; write coordinates in mm as S=-36,-25,57"):
        parse_seed(text)


def test_a_parcel_is_chosen_by_its_name():
    part = Part("parcels", "parcels", np.arange(3), names=("L_V1", "R_V1", "L_4"))
    space = Grayordinates.of_places((part,), b"")
    assert parse_seed("S=parcel:R_V1").weights(space).voxels.tolist() == [1]
    with pytest.raises(SeedError, match=r"0 parcels of the run are called 'V1'; near are .*V1"):
        parse_seed("S=parcel:V1").weights(space)
    with pytest.raises(SeedError, match="the run has no parcels"):
        parse_seed("S=parcel:V1").weights(Grid.whole(AFFINE, (5, 5, 5)))
    with pytest.raises(SeedError, match=r"give one by name, as S=parcel:R_V1"):
        parse_seed("S=run.ptseries.nii#R_V1").weights(space)


@given(name=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True), flips=st.integers(0, 63))
def test_names_that_differ_in_case_alone_are_one_file(name, flips):
    other = "".join(
        letter.swapcase() if flips >> place & 1 else letter for place, letter in enumerate(name)
    )
    with pytest.raises(SeedError, match="would both be called"):
        parse_seeds([f"{name}=0,0,0", f"{other}=9,9,9"])


def test_the_r_map_claims_no_degrees_of_freedom():
    assert statistic("r").kind.intent == "estimate"


def test_values_too_large_for_float32_are_refused():
    """Whatever is below the limit gives the map of the same values at 1."""
    for scale in (1e-3, 1e15):
        plain, scaled = (
            sm.seed_maps(
                nib.Nifti1Image(values, AFFINE), "S=12,12,12", mask_img=ALL, t_r=2, **QUICK
            ).r
            for values in (DATA, DATA * scale)
        )
        np.testing.assert_allclose(plain, scaled, atol=1e-5)
    with pytest.raises(ImageError, match=r"values of about 1e\+22, too large .*scale the image"):
        sm.seed_maps(
            nib.Nifti1Image(DATA * 1e20, AFFINE), "S=12,12,12", mask_img=ALL, t_r=2, **QUICK
        )


class TestStudies:
    @pytest.fixture
    def derivatives(self, tmp_path):
        names = (
            "space-MNIInfant_cohort-1_desc-preproc_bold",
            "space-MNIInfant_cohort-2_desc-preproc_bold",
            "space-MNIInfant_cohort-1_desc-denoised_bold",
            "space-MNIInfant_cohort-1_bold",
        )
        func = tmp_path / "raw" / "derivatives" / "fmriprep" / "sub-01" / "func"
        func.mkdir(parents=True)
        for name in names:
            (func / f"sub-01_task-rest_{name}.nii.gz").write_text("x")
        return tmp_path / "raw" / "derivatives" / "fmriprep"

    @pytest.mark.parametrize(
        ("options", "ending"),
        [
            ({"space": "MNIInfant:cohort-1"}, "cohort-1_desc-preproc_bold.nii.gz"),
            ({"space": "MNIInfant:cohort-2"}, "cohort-2_desc-preproc_bold.nii.gz"),
            ({"desc": "denoised"}, "cohort-1_desc-denoised_bold.nii.gz"),
            ({"desc": "none"}, "cohort-1_bold.nii.gz"),
        ],
    )
    def test_cohort_and_desc_choose(self, derivatives, options, ending):
        filters = ChoiceOptions(**options).filters("preproc")
        (found,) = find_participants(derivatives, filters, needs_confounds=False, needs_mask=False)
        assert found.problems == ()
        assert [run.bold.name for run in found.runs] == [
            f"sub-01_task-rest_space-MNIInfant_{ending}"
        ]

    def test_an_entity_after_a_space_is_written_as_fmriprep_does(self):
        with pytest.raises(OptionError, match="'1' after the colon is no entity"):
            ChoiceOptions(space="MNIInfant:1").filters("preproc")

    def test_a_raw_data_set_points_to_its_derivatives(self, derivatives):
        raw = derivatives.parent.parent
        (raw / "sub-01" / "func").mkdir(parents=True)
        (raw / "sub-01" / "func" / "sub-01_task-rest_bold.nii.gz").write_text("x")
        (found,) = find_participants(raw, Filters())
        assert f"did you mean {derivatives}?" in found.problems[0]


def test_every_refusal_is_one_line():
    for text in ("S=1 2 3", "S=parcel:", "S=", "=1,2,3"):
        with pytest.raises(SeedmapError) as caught:
            parse_seed(text).weights(Grid.whole(AFFINE, (5, 5, 5)))
        assert "\n" not in str(caught.value)
