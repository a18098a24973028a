"""``seedmap bids --seed-robustness``: every run, every strategy, from images and from the store."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.cli import main
from seedmap.datasets import make_phantom

SEED = "PCC=0,-52,18"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return make_phantom(folder, voxel_size=8, n_frames=150, layout="bids")


@pytest.fixture(scope="module")
def out(phantom, tmp_path_factory):
    """Two strategies, of which one censors, with the runs stored."""
    folder = tmp_path_factory.mktemp("out")
    line = ["bids", str(phantom.folder), str(folder), "participant", "--seed", SEED]
    line += ["--strategy", "6P", "9P_scrub", "--nprocs", "1", "-q", "--seed-robustness", "--degree"]
    pytest.importorskip("zarr")
    assert main([*line, "--store"]) == 0
    return folder


def rows_of(path):
    heads, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


@pytest.mark.parametrize("strategy", ["6P", "9P_scrub"])
def test_numbers_are_those_of_seed_robustness(phantom, out, strategy):
    label = strategy.replace("_", "")
    (table,) = out.rglob(f"*_seed-PCC_desc-{label}*_robustness.tsv")
    rows = rows_of(table)
    assert list(rows) == ["centre4", "centre8", "size", "half", "time", "cleaning"]
    # No voxel changes its place: what is read for all strategies is what is read for one.
    found = sm.seed_robustness(phantom.func[0], SEED, strategy=strategy)
    for kind in ("centre4", "centre8", "size", "half", "time"):
        assert float(rows[kind]["error"]) == pytest.approx(found.row("PCC", kind).error, rel=1e-3)
    (image,) = out.rglob(f"*_seed-PCC_stat-seederror_desc-{label}*_statmap.nii.gz")
    values = np.asarray(nib.load(image).dataobj)[found.space.mask]
    np.testing.assert_allclose(values, found.error[0], rtol=1e-3, atol=1e-5)


def test_the_other_strategies_are_compared(out):
    notes = {rows_of(table)["cleaning"]["note"] for table in out.rglob("*_robustness.tsv")}
    assert notes == {"6P, 9P_scrub", "9P_scrub, 6P"}
    facts = json.loads(next(out.rglob("*_stat-survival_desc-6P_statmap.json")).read_text())
    assert facts["VirtualSeeds"] == 64
    assert facts["Strategy"] == "6P"


def test_the_page_of_the_participant_shows_it(out):
    text = re.sub(r"\s+", " ", (out / "sub-01.html").read_text())
    assert text.count("What moves this map?") == 2
    assert text.count('class="bar"') == 12
    assert "not therefore a map of neurons" in text


def test_degree_is_that_of_the_run_alone(phantom, out):
    (image,) = out.rglob("*_stat-degree_desc-6P_statmap.nii.gz")
    assert "seed-" not in image.name
    found = sm.seed_maps(phantom.func[0], SEED, strategy="6P", degree=True)
    values = np.asarray(nib.load(image).dataobj)[found.space.mask]
    np.testing.assert_allclose(values, found.degree.values, atol=1e-6)
    facts = json.loads(next(out.rglob("*_seed-PCC_stat-r_desc-6P_statmap.json")).read_text())
    assert facts["DegreeR2"] == pytest.approx(found.degree.r2["PCC"], rel=1e-3)
    text = re.sub(r"\s+", " ", (out / "sub-01.html").read_text())
    assert text.count("(degree) explains") == 1  # the other strategy has the global signal
    assert text.count("The global signal was regressed out: degree is") == 1


def test_of_stored_runs_it_is_the_same(out, tmp_path):
    line = [
        "bids",
        str(out),
        str(tmp_path),
        "participant",
        "--seed",
        SEED,
        "--from-store",
        str(out),
    ]
    line += ["--strategy", "6P", "9P_scrub", "--nprocs", "1", "-q", "--seed-robustness"]
    assert main([*line, "--degree"]) == 0
    assert len(list(tmp_path.rglob("*_stat-degree_*.nii.gz"))) == 2
    tables = sorted(tmp_path.rglob("*_robustness.tsv"))
    assert len(tables) == 2
    for table in tables:
        about = json.loads(table.with_suffix(".json").read_text())
        assert "standard errors" in about["error"]["Description"]
        (before,) = out.rglob(table.name)
        for kind, row in rows_of(table).items():
            assert float(row["error"]) == pytest.approx(
                float(rows_of(before)[kind]["error"]), rel=0.1
            )


def test_it_needs_the_correlation_and_its_standard_errors(phantom, tmp_path, capsys):
    line = ["bids", str(phantom.folder), str(tmp_path), "participant", "--seed", SEED]
    line += ["--seed-robustness", "--strategy", "6P"]
    for more in (["--measure", "partial"], ["--uncertainty", "none"]):
        assert main([*line, *more]) == 2
        assert "--seed-robustness is known for" in capsys.readouterr().err
