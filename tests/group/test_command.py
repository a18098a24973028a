"""``seedmap group``: bad designs in one line, dry runs, the level of a BIDS App, stored runs."""

import importlib.util
import shutil
import sys

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets.study import make_study

QUICK = ("--shuffles", "99", "--no-tfce")


@pytest.fixture
def call(capsys):
    """Return what runs a command line: exit code, output, errors."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        return (code, *capsys.readouterr())

    return run


def people(study, folder, change):
    """Write the table of participants with its rows changed."""
    rows = [line.split("\t") for line in study.table.read_text().splitlines()]
    path = folder / "people.tsv"
    path.write_text("\n".join("\t".join(row) for row in change(rows)) + "\n")
    return path


def column(name, values):
    return lambda rows: [[*row, name if not i else values(i)] for i, row in enumerate(rows)]


def twice(rows):
    return [[*row, row[2] if i else "twice"] for i, row in enumerate(rows)]


def renamed(rows):
    return [["subject", *rows[0][1:]], *rows[1:]]


SAME = column("x", str)
BAD = {
    "repeated column": (twice, "age + twice", "age", "columns age, twice repeat"),
    "factor of one level": (column("sex", lambda i: "f"), "sex", "sex", "is 'f' for all 16"),
    "covariate that is constant": (column("dose", lambda i: "5"), "dose", "dose", "is 5 for all 16"),
    "column that is not there": (SAME, "gruop", "mean", "did you mean 'group'"),
    "unknown level": (SAME, "group", "patients - control", "patients is neither a column nor a level"),
    "level of another factor": (SAME, "group", "site[A]", "there is no site"),
    "F of nothing": (SAME, "group", "[]", "misplaced"),
    "contrast of nothing": (SAME, "group", "patient - patient", "no weight other than 0"),
    "empty contrast": (SAME, "group", "", "it is empty"),
    "no such term": (SAME, "group + age", "age:group", "has no term age:group"),
    "no contrast for a model": (SAME, "group", None, "no contrast is given"),
    "empty model": (SAME, "", "mean", "it is empty"),
    "model of code": (SAME, "log(age)", "age", "log() is not known"),
    "model with a power": (SAME, "age^2", "age", "is not understood"),
    "model of nothing": (SAME, "0", "mean", "nothing is left"),
    "mixed cells": (column("iq", lambda i: "high" if i == 3 else str(i)), "iq", "iq", "but 'high' for sub-03"),
    "nobody complete": (column("iq", lambda i: "n/a"), "iq", "iq", "nobody is left"),
    "level of one person": (column("arm", lambda i: "a" if i > 1 else "b"), "arm", "a - b", "only sub-01 is 'b'"),
    "more columns than people": (column("who", lambda i: f"p{i}"), "who", "mean", "columns for 16 people"),
    "two rows of one person": (lambda rows: [*rows, rows[-1]], "group", "mean", "sub-16 has two rows"),
    "no participant_id": (renamed, "group", "mean", "no column participant_id"),
    "row that is too short": (lambda rows: [*rows[:-1], rows[-1][:2]], "group", "mean", "cells for 4 columns"),
    "empty table": (lambda rows: [], "group", "mean", "the table is empty"),
    "two contrasts of one name": (SAME, "group", ("A=mean", "A=patient - control"), "would be called 'A'"),
    "unbalanced bracket": (SAME, "group", "[patient, control", "not closed"),
    "number alone": (SAME, "age", "2", "stands alone"),
    "five people": (lambda rows: rows[:6], "1", "mean", "only 16 ways"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_design_is_one_line_and_nothing_is_written(call, study, tmp_path, case):
    change, model, contrasts, said = BAD[case]
    table = people(study, tmp_path, change)
    contrasts = (
        () if contrasts is None else (contrasts,) if isinstance(contrasts, str) else contrasts
    )
    words = [word for one in contrasts for word in ("--contrast", one)]
    out = tmp_path / "out"
    code, _, err = call(
        "group",
        study.folder,
        "--seed",
        "PCC",
        "--design",
        table,
        "--model",
        model,
        *words,
        "--out",
        out,
    )
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("seedmap: ")
    assert said in err
    assert not out.exists()


def test_there_are_25_kinds_of_bad_design():
    assert len(BAD) >= 25


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shuffles", "0"), "ask for 1 or more"),
        (("--min-participants", "2"), "a share above 0 to 1"),
        (("--cluster-p", "0.7"), "make no sense"),
        (("--blocks", "ward"), "no column is called 'ward'"),
        (("--model", "group", "--contrast", "patient - control", "--blocks", "group"), "no shuffle changes"),
        (("--seed", "PC"), "no maps of seed 'PC'"),
        (("--strategy", "9P"), "no maps of strategy '9P'"),
        (("--statistic", "skew", "--estimator", "weighted"), "exclude each other"),
        (("--within", "ses-2 - ses-1"), "sub-01 has no map of ses-2"),
        (("--from-store",), "no stored run fits"),
        (("--maps", "none.tsv"), "is not there"),
        (("--design", "none.tsv"), "is not there"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(call, study, tmp_path, options, said):
    given = [*(() if "--seed" in options else ("--seed", "PCC")), *options]
    given += [] if "--design" in options else ["--design", study.table]
    code, _, err = call("group", study.folder, *given, "--out", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1), err
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_all_and_writes_nothing(call, study, tmp_path):
    before = sorted(study.folder.rglob("*"))
    code, shown, _ = call(
        "group", study.folder, "--seed", "PCC", "--design", study.table, "--model", "group + age",
        "--contrast", "patient - control", "--contrast", "mean", "--dry-run",
    )  # fmt: skip
    assert code == 0
    for words in (
        "16 used, 0 left out",
        "group[control]",
        "permuted, 5000 of",
        "signs flipped, 5000 of 32,768 ways",
        "MB",
    ):
        assert words in shown
    assert sorted(study.folder.rglob("*")) == before


def test_a_wide_design_fits_80_columns_and_has_all_its_numbers(call, study, tmp_path):
    line = ("group", study.folder, "--seed", "PCC", "--design", study.table, "--dry-run")
    model = "group*age + C(site)*group + age:site"
    code, shown, _ = call(*line, "--model", model, "--contrast", "mean")
    assert code == 0
    table = shown.partition("Design")[2].partition("Cost")[0].splitlines()
    assert max(map(len, table)) < 80
    heads = [line for line in table if "sub-" not in line and "more people" not in line]
    assert len(heads) > 1
    assert " ".join(heads).split() == shown.partition(f"{model}: ")[2].splitlines()[0].split(", ")
    assert sum(line.split()[0] == "sub-01" for line in table if line.strip()) == len(heads)
    assert table[-1].strip() == "and 4 more people"


def test_all_ways_are_named_once(call, study, tmp_path):
    table = people(study, tmp_path, lambda rows: rows[:9])
    _, shown, _ = call("group", study.folder, "--seed", "PCC", "--design", table, "--dry-run")
    assert "signs flipped, all 128 ways" in shown


def test_who_is_left_out_is_named(call, study, tmp_path):
    table = people(study, tmp_path, lambda rows: [*rows[:-1], ["sub-99", "patient", "3", "A"]])
    _, shown, _ = call("group", study.folder, "--seed", "PCC", "--design", table, "--dry-run")
    assert "15 used, 2 left out" in shown
    assert "has a map but no row in the table" in shown
    assert "is in the table but has no map" in shown


def test_the_level_of_a_bids_app_is_the_verb(call, study, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(study.table, raw / "participants.tsv")
    options = ("--seed", "PCC", "--model", "group", "--contrast", "patient - control", *QUICK)
    code, shown, _ = call("bids", raw, study.folder, "group", *options, "--out", tmp_path / "one")
    assert code == 0
    assert "with corrected p <= .05" in shown
    call("group", study.folder, *options, "--design", study.table, "--out", tmp_path / "two")
    names = sorted(p.name for p in (tmp_path / "one").glob("*.nii.gz"))
    assert len(names) > 8
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_without_numba_all_but_tfce_works(call, study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "seedmap.shuffle._tree", raising=False)
    monkeypatch.delattr("seedmap.shuffle._tree", raising=False)
    line = ("group", study.folder, "--seed", "PCC", "--shuffles", "99", "--out", tmp_path / "out")
    code, _, err = call(*line)
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install 'seedmap[group]'" in err
    assert not (tmp_path / "out").exists()
    assert call(*line, "--no-tfce")[0] == 0
    stats = {path.name.split("_stat-")[1].split("_")[0] for path in (tmp_path / "out").glob("*.gz")}
    assert {"t", "z", "p", "q", "pfwe", "pextent", "pmass", "n", "g"} <= stats
    assert not stats & {"tfce", "ptfce"}


def test_a_call_that_fails_leaves_the_results_of_the_last(call, own_study, tmp_path):
    out = tmp_path / "out"
    line = ("group", own_study.folder, "--seed", "PCC", *QUICK, "--out", out)
    assert call(*line)[0] == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    bad = next(own_study.folder.glob("sub-05/func/*fisherz*"))
    bad.write_bytes(bad.read_bytes()[:200])
    code, _, err = call(*line)
    assert (code, err.count("\n")) == (2, 1)
    assert "sub-05" in err
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert before == after


def test_a_map_that_was_replaced_shows_in_the_table_of_people(call, own_study, tmp_path):
    out = tmp_path / "out"
    line = ("group", own_study.folder, "--seed", "PCC", "--inference", "parametric", "--out", out)
    call(*line)
    table = next(out.glob("*_participants.tsv"))
    before = table.read_text().splitlines()
    path = next(own_study.folder.glob("sub-05/func/*fisherz*"))
    image = nib.load(path)
    nib.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine).to_filename(path)
    call(*line)
    changed = [
        a.split("\t")[0]
        for a, b in zip(before, table.read_text().splitlines(), strict=True)
        if a != b
    ]
    assert changed == ["sub-05"]


@pytest.mark.slow
def test_a_new_seed_from_stored_runs_is_that_of_maps(call, tmp_path):
    if importlib.util.find_spec("zarr") is None:
        pytest.skip("zarr is not installed")
    make_study(tmp_path / "study", 6, voxel_size=12.0, n_frames=100)
    out = tmp_path / "out"
    line = ("--strategy", "6P", "--no-figures", "--nprocs", "1")
    assert (
        call(
            "bids",
            tmp_path / "study",
            out,
            "participant",
            "--seed",
            "PCC=0,-52,18",
            "--store",
            *line,
        )[0]
        == 0
    )
    test = ("--inference", "parametric", "--strategy", "6P")
    assert call("group", out, "--seed", "PCC", *test, "--out", tmp_path / "maps")[0] == 0
    assert (
        call(
            "group",
            out,
            "--seed",
            "PCC=0,-52,18",
            "--from-store",
            *test,
            "--out",
            tmp_path / "stored",
        )[0]
        == 0
    )
    one, two = (
        nib.load(next((tmp_path / name).glob("*stat-t_*.nii.gz"))).get_fdata()
        for name in ("maps", "stored")
    )
    there = np.isfinite(one) & np.isfinite(two)
    assert there.mean() > 0.99
    np.testing.assert_allclose(two[there], one[there], rtol=2e-3, atol=2e-3)
