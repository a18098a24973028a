"""What a message proposes can be typed as it stands: the command that follows is carried out."""

import json
import re

import pytest

from seedmap.cli import main
from seedmap.datasets import make_study

SEED = ("--seed", "PCC=0,-52,18")
FAST = ("--no-figures", "--uncertainty", "none")
LEFT_OUT = ("trans", "rot")  # of what fMRIPrep writes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An fMRIPrep folder whose table has no head motion, but CompCor's components."""
    study = make_study(tmp_path_factory.mktemp("study"), 1, voxel_size=8)
    (table,) = study.folder.rglob("*desc-confounds_timeseries.tsv")
    head, *rows = [line.split("\t") for line in table.read_text().splitlines()]
    kept = [n for n, name in enumerate(head) if not name.startswith(LEFT_OUT)]
    lines = ["\t".join(line[n] for n in kept) for line in (head, *rows)]
    table.write_text("\n".join(lines) + "\n")
    return study.folder


def proposed(text):
    """Copy the options from the message."""
    (words,) = re.findall(r"(--confound-columns (?:[\w-]+ ?)+)", text)
    return words.split()


def test_run(folder, tmp_path, capsys):
    (bold,) = folder.rglob("*desc-preproc_bold.nii.gz")
    words = ["run", str(bold), *SEED, *FAST, "--out", str(tmp_path / "out")]
    assert main([*words, "--strategy", "36P"]) == 2
    more = proposed(capsys.readouterr().err)
    assert main([*words, *more]) == 0
    assert "note" not in capsys.readouterr().err
    sidecar = json.loads(next((tmp_path / "out").glob("*stat-r_statmap.json")).read_text())
    assert sidecar["ConfoundColumns"] == more[1:]
    assert {"csf", "white_matter", "a_comp_cor_00", "a_comp_cor_01", "cosine00"} <= set(more)
    assert main([*words]) == 0  # without confounds, the same is proposed
    assert proposed(capsys.readouterr().err) == more


def test_bids(folder, tmp_path, capsys):
    words = ["bids", str(folder), str(tmp_path / "out"), "participant", *SEED, *FAST]
    words += ["--nprocs", "1"]
    assert main([*words, "--strategy", "36P"]) == 3
    said = capsys.readouterr()
    more = proposed(said.out + said.err)
    assert main([*words, *more]) == 0
    (path,) = (tmp_path / "out").rglob("*stat-r_desc-columns_statmap.json")
    assert json.loads(path.read_text())["ConfoundColumns"] == more[1:]
