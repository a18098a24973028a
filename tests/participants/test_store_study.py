"""The store of a study: combinations from it, and what the next call notices of it."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_phantom

pytest.importorskip("zarr")

LINE = ("--strategy", "6P", "--nprocs", "1", "--no-figures", "-q")
JOINED = ("--combine-runs", "participant", "--combine-by", "concatenated")
SEED = ("--seed", "PCC=0,-52,18")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "study"
    return make_phantom(folder, n_runs=2, voxel_size=8, n_frames=120, layout="bids")


@pytest.fixture(scope="module")
def stored(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("stored") / "out"
    assert bids(study, out, *SEED, *JOINED, "--store") == 0
    return out


def bids(study, out, *options):
    return main(["bids", str(study.folder), str(out), "participant", *LINE, *map(str, options)])


def joined(out, stat="r", kind=".nii.gz"):
    (path,) = out.glob(f"sub-01/func/sub-01_task-rest_space-*seed-PCC_stat-{stat}*{kind}")
    return path


def test_stored_runs_are_combined_as_those_from_images_are(study, stored, tmp_path):
    assert bids(study, tmp_path / "out", *SEED, *JOINED, "--from-store", stored) == 0
    for stat, close in (("r", 1e-5), ("z", 1e-3)):
        mine, theirs = (
            nib.load(joined(way, stat)).get_fdata() for way in (tmp_path / "out", stored)
        )
        np.testing.assert_allclose(mine, theirs, atol=close)
    about = json.loads(joined(stored, "r", ".json").read_text())
    again = json.loads(joined(tmp_path / "out", "r", ".json").read_text())
    assert again["Sources"] == about["Sources"]
    assert about["Combined"].startswith("correlation over the frames of 2 runs")
    assert len(about["Sources"]) == 2


def test_joined_runs_are_the_mean_of_r_by_frames(stored):
    runs = [
        nib.load(next(stored.glob(f"sub-01/func/*run-{n}_*stat-r*.nii.gz"))).get_fdata()
        for n in (1, 2)
    ]
    np.testing.assert_allclose(nib.load(joined(stored)).get_fdata(), np.mean(runs, 0), atol=1e-6)


def test_a_run_that_was_stored_anew_is_noticed(study, stored, tmp_path, capsys):
    """Only its numbers differ: neither shapes nor facts."""
    bold, out = study.func[0], tmp_path / "out"
    line = (*SEED, "--from-store", stored)
    assert bids(study, out, *line) == 0
    first = {path.name: path.read_bytes() for path in out.glob("sub-01/func/*stat-r*.nii.gz")}
    image = nib.load(bold)
    data = np.asarray(image.dataobj).copy()
    data[..., 3] += np.random.default_rng(0).standard_normal(data.shape[:3]).astype(data.dtype)
    nib.save(nib.Nifti1Image(data, image.affine, image.header), bold)
    assert bids(study, stored, *SEED, *JOINED, "--store") == 0
    assert bids(study, out, *line) == 0
    second = {path.name: path.read_bytes() for path in out.glob("sub-01/func/*stat-r*.nii.gz")}
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {name for name in first if "run-1" in name}


def test_other_measures_are_refused(study, stored, tmp_path, capsys):
    line = (*SEED, "--from-store", stored, "--measure", "spearman")
    assert bids(study, tmp_path / "out", *line) == 2
    assert "stored runs give correlations only" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_stored_run_fails_until_the_good_one_is_back(study, stored, tmp_path, capsys):
    store, out = tmp_path / "store", tmp_path / "out"
    shutil.copytree(stored / "store", store)
    line = (*SEED, "--from-store", store)
    damaged = [next(store.glob(f"*run-{n}_*.zarr")) / "smooth" / "c" / "0" / "0" for n in (1, 2)]
    good = [path.read_bytes() for path in damaged]
    for path, data in zip(damaged, good, strict=True):
        path.write_bytes(bytes(len(data)))
    assert bids(study, out, *line) == 3
    assert not list(out.glob("sub-01/func/*"))
    for path, data in zip(damaged, good, strict=True):
        path.write_bytes(data)
    assert bids(study, out, *line) == 0
    assert bids(study, tmp_path / "whole", *SEED, "--from-store", stored) == 0
    maps = sorted(out.glob("sub-01/func/*.nii.gz"))
    assert maps
    for path in maps:
        assert path.read_bytes() == (tmp_path / "whole" / path.relative_to(out)).read_bytes()


def test_the_only_strategy_that_is_stored_is_taken(study, stored, tmp_path, capsys):
    line = [*SEED, "--nprocs", "1", "--no-figures", "-q", "--from-store", str(stored)]
    call = ["bids", str(study.folder), str(tmp_path / "out"), "participant", *line]
    assert main(call) == 0
    assert (
        len(list((tmp_path / "out").glob("sub-01/func/*run-*stat-r_desc-6P_statmap.nii.gz"))) == 2
    )
    more = tmp_path / "two"
    (path,) = stored.glob("store/*run-1_*.zarr")
    shutil.copytree(path, more / path.name)
    shutil.copytree(path, more / path.name.replace("desc-6P", "desc-9P"))
    assert main([*call[:-1], str(more)]) == 2
    assert "choose one of 6P, 9P with --strategy" in " ".join(capsys.readouterr().err.split())
