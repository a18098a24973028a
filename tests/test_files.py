"""A file whose content was not fetched is named, also where a run would go on without it."""

import re

import nibabel as nib
import numpy as np
import pytest

from seedmap._files import absence, check_there, is_there
from seedmap._texts import read_json
from seedmap.bids import Filters, find_participants, sibling_mask
from seedmap.confounds import read_confounds
from seedmap.errors import MissingFile
from seedmap.images import load_surface, load_volume, open_run
from seedmap.spatial import read_atlas

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
ANNEX = "/annex/objects/MD5E-s1234--d41d8cd98f00b204e9800998ecf8427e.nii.gz\n"
ABSENT = {
    "link": "is a link that leads nowhere; fetch its content",
    "loop": "is a link that leads nowhere; fetch its content",
    "lfs": r"is a pointer of git LFS and not the file itself; fetch it \(git lfs pull\)",
    "annex": "is a pointer of git-annex and not the file itself; fetch it",
}


def lose(path, how):
    """Leave a file's name and take its content."""
    path.unlink(missing_ok=True)
    if how in ("lfs", "annex"):
        path.write_text(LFS if how == "lfs" else ANNEX)
    else:
        path.symlink_to(path.name if how == "loop" else "../.git/annex/objects/aa/bb")
    return path


@pytest.mark.parametrize("how", ABSENT)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("run.nii.gz", open_run),
        ("run.dtseries.nii", open_run),
        ("run_hemi-L.func.gii", open_run),
        ("atlas.nii.gz", read_atlas),
        ("mask.nii.gz", load_volume),
        ("lh.surf.gii", load_surface),
        ("confounds.tsv", read_confounds),
        ("facts.json", lambda path: read_json(path, "file")),
    ],
)
def test_whatever_is_read_names_what_is_there_in_name_only(tmp_path, name, read, how):
    path = lose(tmp_path / name, how)
    with pytest.raises(MissingFile, match=rf"{name}: this .* {ABSENT[how]}"):
        read(path)


@pytest.mark.parametrize("how", ABSENT)
def test_files_that_may_be_missing_may_not_be_there_in_name_only(tmp_path, how):
    run = tmp_path / "sub-01_task-rest_desc-preproc_bold.nii.gz"
    values = np.random.default_rng(0).standard_normal((4, 4, 4, 9)).astype("f4")
    nib.save(nib.Nifti1Image(values, np.eye(4)), run)
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), "u1"), np.eye(4)), tmp_path / "a.nii.gz")
    assert open_run(run).frames == 9
    assert sibling_mask(str(run)) is None
    assert read_atlas(tmp_path / "a.nii.gz").names == {}
    for name, read in (
        ("sub-01_task-rest_desc-preproc_bold.json", lambda: open_run(run)),
        ("sub-01_task-rest_desc-brain_mask.nii.gz", lambda: sibling_mask(str(run))),
        ("a.tsv", lambda: read_atlas(tmp_path / "a.nii.gz")),
    ):
        lose(tmp_path / name, how)
        with pytest.raises(MissingFile, match=rf"{name}: this .* {ABSENT[how]}"):
            read()


@pytest.mark.parametrize("how", ABSENT)
@pytest.mark.parametrize("lost", range(5))
def test_a_study_names_every_file_without_content(tmp_path, lost, how):
    stem, func = "sub-01_task-rest", tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    names = [
        f"{stem}_desc-preproc_bold.nii.gz",
        f"{stem}_desc-brain_mask.nii.gz",
        f"{stem}_desc-confounds_timeseries.tsv",
        f"{stem}_desc-confounds_timeseries.json",
        f"{stem}_desc-preproc_bold.json",
    ]
    for name in names:
        (func / name).write_text("{}")
    assert find_participants(tmp_path, Filters())[0].problems == ()
    lose(func / names[lost], how)
    (found,) = find_participants(tmp_path, Filters())
    assert found.runs == ()
    assert len(found.problems) == 1
    assert re.search(rf"{names[lost]} {ABSENT[how]}", found.problems[0])


def test_a_json_further_up_without_content_is_named(tmp_path):
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    (func / "sub-01_task-rest_desc-preproc_bold.nii.gz").write_text("")
    lose(tmp_path / "task-rest_bold.json", "link")
    (found,) = find_participants(tmp_path, Filters(), needs_confounds=False, needs_mask=False)
    assert "task-rest_bold.json is a link that leads nowhere" in found.problems[0]


def test_capital_letters_in_a_suffix_are_a_series(tmp_path):
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    for name in (
        "desc-preproc_bold.NII.GZ",
        "desc-brain_mask.Nii.gz",
        "desc-confounds_timeseries.TSV",
    ):
        (func / f"sub-01_task-rest_{name}").write_text("")
    (found,) = find_participants(tmp_path, Filters())
    assert found.problems == ()
    assert found.runs[0].bold.name.endswith(".NII.GZ")
    assert found.runs[0].mask.name.endswith("mask.Nii.gz")


def test_what_is_there_is_there(tmp_path):
    path = tmp_path / "x"
    assert not is_there(path, "file")
    path.write_text("version 1")
    (tmp_path / "link").symlink_to(path)
    for one in (path, tmp_path / "link"):
        assert absence(one) == ""
        assert is_there(one, "file")
    with pytest.raises(MissingFile, match="this file is a folder; check the path"):
        check_there(tmp_path, "file")
    assert not is_there(tmp_path / ("x" * 300), "file")  # no disk can hold the name
