"""Strategies on one run: the same columns and frames as were named one by one, and what is warned of."""

import json

import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import Inputs, open_inputs
from seedmap.confounds import ConfoundTable
from seedmap.denoising import suggestion
from seedmap.errors import ConfoundsError, MissingFile, SeedmapWarning

RUN = "sub-1_task-rest_space-MNI152_desc-preproc_bold.nii.gz"
TABLE = "sub-1_task-rest_desc-confounds_timeseries.tsv"
MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
TISSUE = ["csf", "white_matter", "global_signal"]
FRAMES = 40


@pytest.fixture
def values():
    return np.random.default_rng(0).standard_normal((FRAMES, 9))


@pytest.fixture
def prepped(tiny_run, tmp_path, values):
    """A run with fMRIPrep's table beside it: 9 regressors, and measures of the frames."""
    path = tiny_run(RUN, frames=FRAMES)
    moved = np.full(FRAMES, 0.1)
    moved[[20]] = 0.9
    head = "\t".join([*MOTION, *TISSUE, "framewise_displacement", "dvars"])
    rows = np.column_stack([values, moved, moved])
    np.savetxt(tmp_path / TABLE, rows, delimiter="\t", header=head, comments="", fmt="%.12g")
    return path


def maps_of(path, **options):
    return sm.seed_maps(path, sm.Sphere("s", (3, -2, 5), 3), uncertainty=None, **options)


def test_a_strategy_takes_the_table_beside_the_run(prepped, values):
    ours = maps_of(prepped, strategy="9P_scrub")
    keep = np.ones(FRAMES, dtype=bool)
    keep[20] = False
    named = maps_of(prepped, confounds=values, sample_mask=keep)
    assert ours.provenance.confounds == (*MOTION, *TISSUE)
    assert np.array_equal(ours.provenance.keep, keep)
    assert np.allclose(ours.r, named.r, atol=1e-6)
    sidecar = ours.sidecar("s", "r")
    assert sidecar["Strategy"] == "9P_scrub"
    assert "Notes" not in sidecar


def test_a_sample_mask_and_columns_narrow_what_a_strategy_chose(prepped, values):
    stays = np.arange(FRAMES) >= 3
    ours = maps_of(prepped, strategy="9P_scrub", sample_mask=stays, confound_columns=["csf"])
    assert np.flatnonzero(~ours.provenance.keep).tolist() == [0, 1, 2, 20]
    assert ours.provenance.confounds == ("csf",)


def test_a_table_that_is_given_is_chosen_from(prepped, tmp_path, values):
    other = (tmp_path / TABLE).rename(tmp_path / "mine.tsv")
    with pytest.raises(MissingFile, match="strategy '6P' chooses from the table"):
        maps_of(prepped, strategy="6P")
    assert maps_of(prepped, strategy="6P", confounds=other).provenance.confounds == tuple(MOTION)
    assert maps_of(prepped, strategy="none").provenance.confounds == ()


def test_no_confounds_are_warned_of_with_what_to_type(prepped, tmp_path):
    with pytest.warns(SeedmapWarning, match="no confounds are regressed out") as caught:
        maps = maps_of(prepped)
    said = str(caught[0].message)
    assert f"{tmp_path / TABLE} lies beside it: give strategy='9P' (--strategy 9P)" in said
    assert maps.provenance.notes == (said,)
    assert maps.sidecar("s", "r")["Notes"] == [said]
    assert json.dumps(maps.sidecar("s", "r"))


def test_a_whole_table_is_warned_of(prepped, tmp_path):
    with pytest.warns(SeedmapWarning, match="all 11 columns of the table") as caught:
        maps_of(prepped, confounds=tmp_path / TABLE)
    assert "framewise_displacement, dvars" in str(caught[0].message)
    assert "(--strategy 9P)" in str(caught[0].message)


def test_columns_alone_are_taken_of_the_table_beside_the_run(prepped, tmp_path, values):
    ours = maps_of(prepped, confound_columns=["csf", "trans_?"])
    assert ours.provenance.confounds == ("csf", "trans_x", "trans_y", "trans_z")
    named = maps_of(prepped, confounds=values[:, [6, 0, 1, 2]])
    assert np.allclose(ours.r, named.r, atol=1e-6)
    (tmp_path / TABLE).unlink()
    with pytest.raises(
        ConfoundsError, match=r"no table of fMRIPrep lies beside .*; name the table"
    ):
        open_inputs(Inputs(prepped, confound_columns=["csf"]))


def table_of(*names):
    return ConfoundTable(np.random.default_rng(1).standard_normal((20, len(names))), names, "t.tsv")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((*MOTION, *TISSUE), "give strategy='9P' (--strategy 9P)"),
        (("csf", "dvars", "rot_x"), "give confound_columns (--confound-columns rot_x csf)"),
        (
            ("cosine00", "white_matter", *(f"a_comp_cor_0{n}" for n in range(8)), "dvars"),
            "give confound_columns (--confound-columns white_matter a_comp_cor_00 a_comp_cor_01 "
            "a_comp_cor_02 a_comp_cor_03 a_comp_cor_04 a_comp_cor_05 cosine00)",
        ),
        (("cosine00", "csf"), "give confound_columns (--confound-columns csf)"),
        (("one", "two"), "give its columns by confounds (--confounds t.tsv)"),
    ],
)
def test_the_best_that_a_table_allows_is_suggested(names, said):
    assert suggestion(table_of(*names)) == said


def test_the_mask_beside_the_run_is_the_default(prepped, tiny_run):
    mask = tiny_run("sub-1_task-rest_space-MNI152_desc-brain_mask.nii.gz", frames=1)
    import nibabel as nib

    box = np.zeros((7, 6, 5), dtype=np.uint8)
    box[2:4, 2:4, 2:4] = 1
    nib.save(nib.Nifti1Image(box, nib.load(prepped).affine), mask)
    opened = open_inputs(Inputs(prepped))
    assert opened.mask_source == str(mask)
    assert opened.mask.sum() == 8
    assert open_inputs(Inputs(prepped, mask_img="background")).mask is None
