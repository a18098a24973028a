"""What is not seedmap's stays as it is: files of other programs, and of the user."""

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.participants.ledger import FileState, digest, state_of

LINE = ("--nprocs", "1", "-q")
SEED = ("--seed", "PCC=0,-52,18", "--strategy", "6P")
OURS = ("README.md", "dataset_description.json", "index.html", ".bidsignore")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 1, voxel_size=10, n_frames=100).folder


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    assert bids(study, out) == 0
    return out


def bids(study, out, *options, figures="--no-figures"):
    return main(["bids", str(study), str(out), "participant", *SEED, *LINE, figures, *options])


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("logs", [False, True], ids=["plain", "with logs"])
@pytest.mark.parametrize("described", [True, False])
def test_the_data_set_itself_is_refused(study, tmp_path, capsys, logs, described):
    copy = tmp_path / "fmriprep"
    shutil.copytree(study, copy)
    if logs:
        (copy / "logs").mkdir()
        (copy / "logs" / "CITATION.md").write_text("theirs")
    if not described:
        (copy / "dataset_description.json").unlink()
    before = contents(copy)
    assert bids(copy, copy) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert contents(copy) == before


@pytest.mark.parametrize("name", OURS)
def test_a_folder_with_files_of_others_is_refused(study, tmp_path, capsys, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"GeneratedBy": [{"Name": "fMRIPrep"}]}')
    assert bids(study, out) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"seedmap: {out / name}: seedmap did not make this")
    assert said.count("\n") == 1
    assert [path.name for path in out.iterdir()] == [name]


def test_other_files_in_the_folder_stay(study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert bids(study, out) == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert all((out / name).is_file() for name in OURS)


def test_what_the_user_adds_to_our_files_stays(study, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    (out / "README.md").write_text("my study")
    (out / ".bidsignore").write_text("mine")
    about = out / "dataset_description.json"
    facts = json.loads(about.read_text())
    about.write_text(json.dumps({**facts, "Authors": ["A"], "Name": "Mine", "SourceDatasets": []}))
    assert bids(study, out) == 0
    assert (out / "README.md").read_text() == "my study"
    assert (out / ".bidsignore").read_text() == "mine"
    assert json.loads(about.read_text()) == {**facts, "Authors": ["A"], "Name": "Mine"}
    (out / "index.html").write_text("<html>my own page")
    assert bids(study, out) == 2
    assert (out / "index.html").read_text() == "<html>my own page"


def test_a_folder_where_a_map_goes_is_not_removed(study, made, tmp_path, capsys):
    out = tmp_path / "out"
    (name,) = (path.relative_to(made) for path in made.glob("sub-*/func/*stat-r_*.nii.gz"))
    (out / name).mkdir(parents=True)
    (out / name / "mine.txt").write_text("mine")
    assert bids(study, out) == 2
    said = capsys.readouterr().err
    assert "something else is where this result would be" in said
    assert said.count("\n") == 1
    assert (out / name / "mine.txt").read_text() == "mine"
    assert not list(out.glob("sub-*/func/*stat-z*"))


def test_run_leaves_the_description_of_another_data_set(study, tmp_path):
    (bold,) = study.glob("sub-01/func/*preproc_bold.nii.gz")
    for name in OURS:
        (tmp_path / name).write_text("theirs")
    line = ["run", str(bold), "--seed", "PCC=0,-52,18", "-q", "--no-figures", "-o", str(tmp_path)]
    assert main(line) == 0
    assert all((tmp_path / name).read_text() == "theirs" for name in OURS)
    assert list(tmp_path.glob("*stat-r*.nii.gz"))


def test_no_statistic_of_another_cleaning_stays(study, tmp_path):
    out = tmp_path / "out"
    assert bids(study, out, figures="--figures") == 0
    maps = {path.name for path in out.glob("sub-01/func/*_statmap.nii.gz")}
    assert {re.search("stat-([a-z]+)", name)[1] for name in maps} > {"r", "z", "p", "q", "dof"}
    assert bids(study, out, "--low-pass", "none", "--uncertainty", "none") == 0
    left = {path.name for path in out.rglob("*_statmap.*")}
    assert {re.search("stat-([a-z]+)", name)[1] for name in left} == {"r", "fisherz"}
    assert not [name for name in left if name.endswith(".png")]
    assert bids(study, out) == 0
    assert {path.name for path in out.glob("sub-01/func/*_statmap.nii.gz")} == maps


def test_no_statistic_of_another_cleaning_stays_after_run(study, tmp_path):
    (bold,) = study.glob("sub-01/func/*preproc_bold.nii.gz")
    line = ["run", str(bold), "-q", "--no-figures", "-o", str(tmp_path)]
    assert main([*line, "--seed", "PCC=0,-52,18", "--seed", "M1=-38,-22,56"]) == 0
    others = {path.name for path in tmp_path.glob("*seed-M1*")}
    assert main([*line, "--seed", "PCC=0,-52,18", "--uncertainty", "none", "--filter", "none"]) == 0
    stats = {re.search("stat-([a-z]+)", path.name)[1] for path in tmp_path.glob("*PCC*statmap*")}
    assert stats == {"r", "fisherz"}
    assert {path.name for path in tmp_path.glob("*seed-M1*")} == others


def test_a_map_changed_at_equal_size_is_made_again(study, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    (path,) = out.glob("sub-01/func/*stat-r_*.nii.gz")
    side = path.with_name(path.name.replace(".nii.gz", ".json"))
    good = {one: one.read_bytes() for one in (path, side)}
    for one, data in good.items():
        one.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        assert bids(study, out) == 0
        np.testing.assert_array_equal(
            nib.load(path).get_fdata(), nib.load(made / path.relative_to(out)).get_fdata()
        )
        assert json.loads(side.read_text())["Strategy"] == "6P"


def test_results_that_were_copied_are_not_made_again(study, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out, copy_function=shutil.copyfile)  # new times
    before = {path: state_of(path, out) for path in out.glob("sub-*/func/*")}
    assert bids(study, out) == 0
    assert {path: state_of(path, out) for path in before} == before


def test_a_digest_says_whether_a_touched_file_is_the_same(tmp_path):
    path = tmp_path / "a"
    path.write_text("a")
    assert isinstance(state_of(path, tmp_path), FileState)
    first = digest(path)
    path.write_text("b")
    assert digest(path) != first
