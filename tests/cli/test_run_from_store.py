"""``seedmap run --from-store``: the maps of the images, without the images."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_phantom

pytest.importorskip("zarr")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A study of one run of which only the stored form is left, and its maps from the images."""
    folder = tmp_path_factory.mktemp("stored")
    phantom = make_phantom(folder / "study", voxel_size=8, n_frames=120, layout="bids")
    line = ["--strategy", "6P", "--nprocs", "1", "--no-figures", "-q", "--store"]
    study, out = str(folder / "study"), str(folder / "out")
    assert main(["bids", study, out, "participant", "--seed", "mPFC=0,52,-6", *line]) == 0
    phantom.func[0].unlink()
    (path,) = (folder / "out" / "store").glob("*.zarr")
    return path, folder / "out" / "sub-01" / "func"


def test_maps_and_their_sidecars_are_written_as_from_the_images(stored, tmp_path):
    path, func = stored
    out = tmp_path / "maps"
    assert (
        main(["run", "--from-store", str(path), "--seed", "mPFC=0,52,-6", "-q", "-o", str(out)])
        == 0
    )
    for stat, close in (("r", 1e-5), ("z", 1e-3), ("dof", 1e-2)):
        (mine,) = out.glob(f"*seed-mPFC_stat-{stat}_statmap.nii.gz")
        (theirs,) = func.glob(f"*seed-mPFC_stat-{stat}_desc-6P_statmap.nii.gz")
        mine, theirs = nib.load(mine).get_fdata(), nib.load(theirs).get_fdata()
        np.testing.assert_allclose(mine, theirs, atol=close)
    (mine,), (theirs,) = out.glob("*stat-r*.json"), func.glob("*stat-r*.json")
    mine, theirs = json.loads(mine.read_text()), json.loads(theirs.read_text())
    assert mine["FromStore"] is True
    for name in (
        "Cleaning",
        "ConfoundColumns",
        "FramesKept",
        "NoiseAutocorrelation",
        "Seed",
        "Mask",
    ):
        assert mine[name] == theirs[name]
    assert list(out.glob("*_report.html"))


def test_what_was_chosen_when_it_was_stored_cannot_be_chosen_again(stored, tmp_path, capsys):
    path, _ = stored
    line = ["run", "--from-store", str(path), "--seed", "PCC=0,-52,18", "-o", str(tmp_path / "o")]
    for more, said in (
        (["--low-pass", "0.2", "--t-r", "3"], "--t-r, --low-pass given"),
        (["--measure", "partial"], "--measure given"),
        (["--left", "lh.func.gii"], "--left given"),
        (["--uncertainty", "xdf"], "knows 'operator' or None"),
        ([*line[1:3]], "given"),
    )[:4]:
        assert main([*line, *more]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert main([line[0], "bold.nii.gz", *line[1:]]) == 2
    assert "bold.nii.gz given" in " ".join(capsys.readouterr().err.split())


def test_a_broken_store_is_named(stored, tmp_path, capsys):
    path, _ = stored
    shutil.copytree(path, tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr" / "smooth" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-5])
    line = ["--seed", "PCC=0,-52,18", "-o", str(tmp_path / "o")]
    assert main(["run", "--from-store", str(tmp_path / "a.zarr"), *line]) == 2
    assert "a.zarr" in " ".join(capsys.readouterr().err.split())
