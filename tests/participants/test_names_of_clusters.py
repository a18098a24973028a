"""``bids --atlas`` names clusters by the regions of an image, as ``run --atlas`` does."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_study

FAST = ("--strategy", "simple", "--uncertainty", "none", "--no-figures", "-q")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 1, voxel_size=6)


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def region_at(image, names, place):
    """Name the region at a place, read from the image itself."""
    index = np.rint(np.linalg.inv(image.affine) @ [*place, 1])[:3].astype(int)
    return names.get(int(image.get_fdata()[tuple(index)]), "")


def test_peaks_are_named_by_the_regions_they_lie_in(study, tmp_path):
    atlas = study.folder / "planted_dseg.nii.gz"
    words = [
        "bids",
        str(study.folder),
        str(tmp_path / "a"),
        "participant",
        "--seed",
        "PCC=0,-52,18",
    ]
    words += ["--nprocs", "1", *FAST]
    assert main([*words, "--atlas", str(atlas)]) == 0
    (table,) = (tmp_path / "a").rglob("*_clusters.tsv")
    image = nib.load(atlas)
    names = {int(row["index"]): row["name"] for row in rows(atlas.with_name("planted_dseg.tsv"))}
    found = rows(table)
    column = next(name for name in found[0] if name in ("region", "name", "place"))
    expected = [region_at(image, names, [float(r[f"{axis}_mm"]) for axis in "xyz"]) for r in found]
    assert any(expected)
    for row, name in zip(found, expected, strict=True):
        if name:
            assert row[column] == name
    about = json.loads(table.with_suffix(".json").read_text())
    assert "planted_dseg.nii.gz" in about["Atlas"]
    assert str(tmp_path) not in json.dumps(about)
    (bold,) = study.folder.rglob("*desc-preproc_bold.nii.gz")
    run = ["run", str(bold), "--seed", "PCC=0,-52,18", *FAST, "--atlas", str(atlas)]
    assert main([*run, "--out", str(tmp_path / "b")]) == 0
    (same,) = (tmp_path / "b").glob("*_clusters.tsv")
    assert [row[column] for row in rows(same)] == [row[column] for row in found]


def test_an_atlas_that_is_not_there_is_refused_before_the_work(study, tmp_path, capsys):
    words = [
        "bids",
        str(study.folder),
        str(tmp_path / "c"),
        "participant",
        "--seed",
        "PCC=0,-52,18",
    ]
    assert main([*words, "--atlas", str(tmp_path / "none.nii.gz")]) == 2
    assert "none.nii.gz: this atlas is not there" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
