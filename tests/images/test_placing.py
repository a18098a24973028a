"""Where a run lies and how long its frames take: what is in doubt is said, whichever is used."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seedmap as sm
from seedmap.errors import ImageError, OptionError, SeedmapWarning, SpaceMismatch
from seedmap.images import load_volume, open_run

AFFINE = np.array([[3.0, 0, 0, -30], [0, 3, 0, -40], [0, 0, 3, -20], [0, 0, 0, 1]])
SHAPE = (20, 18, 16, 30)
DATA = np.random.default_rng(0).standard_normal(SHAPE).astype("f4") + 100
ALL = np.ones(SHAPE[:3], "u1")
QUICK = {
    "cleaning": sm.Cleaning(filter=None),
    "smoothing_fwhm": None,
    "uncertainty": None,
    "strategy": "none",
}


def image(sform=(AFFINE, 1), qform=(AFFINE, 1)):
    made = nib.Nifti1Image(DATA, AFFINE)
    made.set_sform(*sform)
    made.set_qform(*qform)
    made.header.set_zooms((3, 3, 3, 2))
    return made


def mirrored():
    """The same box, stored from right to left."""
    other = AFFINE.copy()
    other[0] = [-3, 0, 0, -30 + 3 * 19]
    return other


def shifted(mm):
    other = AFFINE.copy()
    other[1, 3] += mm
    return other


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (image(), ""),
        (image(sform=(AFFINE, 0)), ""),
        (image(qform=(AFFINE, 0)), ""),
        (image(qform=(shifted(0.1), 1)), ""),
        (image(qform=(shifted(2), 3)), r"\(code 1, RAS\) and qform \(code 3, RAS, up to 2 mm"),
        (
            image(qform=(mirrored(), 1)),
            r"sform \(code 1, RAS\) and qform \(code 1, LAS, up to 57 mm",
        ),
        (nib.Nifti1Image(DATA, None), r"neither its sform nor its qform has a code.*\(LAS"),
    ],
)
def test_a_place_in_doubt_is_noted_with_both_readings(made, said, tmp_path):
    nib.save(made, tmp_path / "run.nii.gz")
    notes = open_run(tmp_path / "run.nii.gz").notes
    if not said:
        assert notes == ()
        return
    (note,) = notes
    assert note.startswith(str(tmp_path / "run.nii.gz"))
    with pytest.warns(SeedmapWarning, match=said):
        load_volume(first_of(nib.load(tmp_path / "run.nii.gz")))
    assert open_run(made).notes == (note,)  # in memory


def first_of(made):
    """The first volume, with the same header."""
    return made.slicer[..., 0]


@given(st.integers(0, 5), st.integers(0, 5))
def test_codes_alone_put_nothing_in_doubt(s, q):
    notes = open_run(image((AFFINE, s), (AFFINE, q))).notes
    assert bool(notes) == (s == q == 0)


def test_what_is_in_doubt_reaches_screen_sidecar_and_page(tmp_path):
    nib.save(image(qform=(mirrored(), 1)), tmp_path / "run.nii.gz")
    with pytest.warns(SeedmapWarning, match="LAS"):
        maps = sm.seed_maps(
            tmp_path / "run.nii.gz",
            sm.Sphere("A", (0, 0, 0)),
            mask_img=nib.Nifti1Image(ALL, AFFINE),
            **QUICK,
        )
    assert any("LAS" in note for note in maps.provenance.notes)
    maps.save(tmp_path / "out")
    sidecar = next((tmp_path / "out").glob("*stat-r_statmap.json")).read_text()
    assert "(code 1, LAS, up to 57 mm away)" in sidecar


def test_seeds_in_mm_need_a_place(tmp_path):
    nowhere = nib.Nifti1Image(DATA, None)
    nowhere.header.set_zooms((3, 3, 3, 2))
    nib.save(nowhere, tmp_path / "nowhere.nii.gz")
    run = open_run(tmp_path / "nowhere.nii.gz")
    mask = first_of(nib.load(tmp_path / "nowhere.nii.gz"))
    mask = nib.Nifti1Image(ALL, None, mask.header)
    with (
        pytest.warns(SeedmapWarning, match="neither"),
        pytest.raises(SpaceMismatch, match=r"'A': coordinates in mm, .*nowhere.nii.gz has a code"),
    ):
        sm.seed_maps(run, sm.Sphere("A", (0, 0, 0)), mask_img=mask, **QUICK)
    with pytest.warns(SeedmapWarning, match="neither"):
        maps = sm.seed_maps(run, sm.MaskSeed("A", mask), mask_img=mask, **QUICK)
    path = maps.save(tmp_path / "out")[0]
    written = nib.load(path)
    assert int(written.header["sform_code"]) == int(written.header["qform_code"]) == 0
    np.testing.assert_allclose(written.affine, run.space.affine)


@pytest.mark.parametrize("corner", [np.nan, 0])
def test_an_affine_of_no_use_is_named(tmp_path, corner):
    made = image()
    bad = np.zeros((4, 4)) * corner
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        made.header[name] = bad[row]
    made.header["sform_code"] = 1
    nib.save(nib.Nifti1Image(DATA, None, made.header), tmp_path / "flat.nii")
    with pytest.raises(ImageError, match=r"flat.nii: the affine"):
        open_run(tmp_path / "flat.nii")


@pytest.mark.parametrize(
    ("argument", "json", "header", "used"),
    [
        (2, 1.5, 2, 2),
        (None, 1.5, 2, 1.5),
        (1.5, None, 2, 1.5),
        (2, 2, 2, 2),
        (None, None, 2, 2),
        (2.0001, 2, 2, 2.0001),
        (2, None, 1, 2),  # 1 is what programs write that do not know
    ],
)
def test_repetition_times_that_disagree_are_named(tmp_path, argument, json, header, used):
    made = image()
    made.header.set_zooms((3, 3, 3, header))
    nib.save(made, tmp_path / "run.nii.gz")
    if json:
        (tmp_path / "run.json").write_text(f'{{"RepetitionTime": {json}}}', encoding="utf-8-sig")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert open_run(tmp_path / "run.nii.gz", argument).timing.t_r == used
    known = [one for one in (argument, json, header) if one and one != 1]
    assert len(caught) == (max(known) - min(known) > 0.01)
    for warning in caught:
        assert f"{used:g} s" in str(warning.message)
        assert "run.nii.gz: repetition times disagree" in str(warning.message)


@pytest.mark.parametrize("t_r", [0.002, 2000])
def test_another_unit_of_time_is_named(t_r):
    made = image()
    made.header.set_zooms((3, 3, 3, t_r))
    with pytest.raises(OptionError, match=rf"30 frames at {t_r:g} s are {30 * t_r:g} s of data"):
        sm.seed_maps(made, sm.Sphere("A", (0, 0, 0)), strategy="none")


@pytest.mark.parametrize("t_r", ["2", True])
def test_a_repetition_time_is_a_number(t_r):
    with pytest.raises(OptionError, match="the repetition time is a number of seconds"):
        open_run(image(), t_r)


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_a_run_that_changes_while_it_is_read_is_refused(tmp_path, name):
    nib.save(image(), tmp_path / name)
    run = open_run(tmp_path / name)
    mask = nib.Nifti1Image(ALL, AFFINE)
    sm.seed_maps(run, sm.Sphere("A", (0, 0, 0)), mask_img=mask, **QUICK)
    nib.save(nib.Nifti1Image(DATA + 1, AFFINE, image().header), tmp_path / name)
    with pytest.raises(ImageError, match=rf"{name}: the file changed while it was read"):
        sm.seed_maps(run, sm.Sphere("A", (0, 0, 0)), mask_img=mask, **QUICK)
