"""Files that leave the machine name no folder of it; only the logs hold what was typed."""

import re
from pathlib import Path

import numpy as np
import pytest

from seedmap._texts import without_folders
from seedmap.cli import main
from seedmap.datasets import make_study


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with blanks in its name, as people have them, with an fMRIPrep folder in it."""
    return tmp_path_factory.mktemp("Ann own files")


@pytest.fixture(scope="module")
def study(place):
    return make_study(place / "fmriprep", 5, voxel_size=8).folder


def named(folder, place):
    """Say which files of a folder name the place, other than logs."""
    names = str(place).encode(), place.name.encode()
    return [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file()
        and "logs" not in path.parts
        and any(one in path.read_bytes() for one in names)
    ]


def test_run(study, place, capsys):
    (bold,) = study.glob("sub-01/func/*desc-preproc_bold.nii.gz")
    (mask,) = study.glob("sub-01/func/*desc-brain_mask.nii.gz")
    (table,) = study.glob("sub-01/func/*confounds_timeseries.tsv")
    seeds = ("--seed", f"own={mask}", "--seed", "PCC=0,-52,18")
    out = place / "of run"
    assert main(["run", str(bold), *seeds, "--mask-img", str(mask), "--out", str(out)]) == 0
    assert str(place) in capsys.readouterr().err  # on screen, where the table lies is said whole
    assert named(out, place) == []
    words = ["run", str(bold), "--seed", "PCC=0,-52,18", "--confounds", str(table), "--no-figures"]
    assert main([*words, "--out", str(out)]) == 0  # with a note on the whole table
    assert named(out, place) == []
    assert str(place) in (out / "logs" / "seedmap_log.txt").read_text()


def test_bids_and_group(study, place):
    out = place / "of bids"
    (place / "seeds.tsv").write_text("name\tx\ty\tz\nPCC\t0\t-52\t18\n")
    (place / "people.tsv").write_text(
        "participant_id\tage\n" + "".join(f"sub-0{n}\t{30 + n * n}\n" for n in range(1, 6))
    )
    words = ["bids", str(study), str(out), "participant", "--seeds-file", str(place / "seeds.tsv")]
    words += ["--strategy", "simple", "--nprocs", "1", "--store", "-q"]
    assert main(words) == 0
    assert named(out, place) == []
    group = place / "of group"
    words = ["group", str(out), "--seed", "PCC", "--design", str(place / "people.tsv"), "-q"]
    words += ["--model", "age", "--contrast", "age", "--inference", "parametric"]
    assert main([*words, "--out", str(group)]) == 0
    assert named(group, place) == []
    (table,) = group.glob("*_participants.tsv")
    assert re.search(
        r"bids:ofbids:sub-01/func/sub-01_\S*stat-fisherz\S*\.nii\.gz", table.read_text()
    )


def test_verify(study, place):
    (bold,) = study.glob("sub-01/func/*desc-preproc_bold.nii.gz")
    out = place / "of verify"
    words = ["verify", str(bold), "--seed", "PCC=0,-52,18", "--pairs", "200", "--out", str(out)]
    assert main(words) in (0, 1)
    assert np.size(list(out.iterdir()))
    assert named(out, place) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/data/ann/x.nii.gz: no confounds", "x.nii.gz: no confounds"),
        ("(--confounds '/data/ann/x.tsv')", "(--confounds 'x.tsv')"),
        ("--seed=M=/data/m.nii.gz#3 -p=/a/b.yaml", "--seed=M=m.nii.gz#3 -p=b.yaml"),
        (
            "mean +/- sd, 1/2 and/or bids:x:sub-1/a.tsv",
            "mean +/- sd, 1/2 and/or bids:x:sub-1/a.tsv",
        ),
        ("https://doi.org/10.1/a_b, doi:10.1016/j.x", "https://doi.org/10.1/a_b, doi:10.1016/j.x"),
        ("../up/x.nii.gz and func/y.nii.gz", "../up/x.nii.gz and func/y.nii.gz"),
        ("--seed 'M=/a b/m.nii.gz' --out '/x/of all'", "--seed 'M=m.nii.gz' --out 'of all'"),
        (r"C:\Users\ann\x.nii.gz --out D:\r", "x.nii.gz --out r"),
    ],
)
def test_what_is_left_of_a_text(text, left):
    assert without_folders(text) == left


def test_current_folder_and_that_of_the_user(tmp_path, monkeypatch):
    here = tmp_path / "here and there"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(Path, "expanduser", lambda self: tmp_path)
    text = f"run '{here}/a b/x.nii.gz' {tmp_path}/y.tsv --out '{here}' {tmp_path}"
    assert without_folders(text) == "run 'a b/x.nii.gz' y.tsv --out '.' ~"
