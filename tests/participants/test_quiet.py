"""What a study warns of is said once a participant, by whatever process, and not when quiet."""

import subprocess
import sys

import nibabel as nib
import pytest

from seedmap.datasets import make_study


@pytest.fixture(scope="module")
def suspicious(tmp_path_factory):
    """Make two participants with repetition times that look like a default."""
    folder = make_study(tmp_path_factory.mktemp("study"), 2, voxel_size=12, n_frames=60).folder
    for path in folder.glob("sub-*/func/*_bold.nii.gz"):
        image = nib.load(path)
        image.header.set_zooms((*image.header.get_zooms()[:3], 1.0))
        nib.save(nib.Nifti1Image(image.get_fdata(), image.affine, image.header), path)
    for path in folder.glob("sub-*/func/*_bold.json"):
        path.unlink()
    return folder


@pytest.mark.parametrize("nprocs", [1, pytest.param(2, marks=pytest.mark.full)])
def test_warnings_come_from_every_process_unless_quiet(suspicious, tmp_path, nprocs):
    if nprocs > 1:
        pytest.importorskip("distributed")
    words = ["--seed", "PCC=0,-52,18", "--strategy", "6P", "--no-figures", "--nprocs", str(nprocs)]
    said = {}
    for quiet in ([], ["--quiet"]):
        line = ["bids", suspicious, tmp_path / f"out{len(quiet)}", "participant", *words, *quiet]
        done = subprocess.run(
            [sys.executable, "-m", "seedmap", *map(str, line)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said[bool(quiet)] = done.stderr
    assert said[True] == ""
    lines = said[False].splitlines()
    assert len(lines) == len({line.split()[2] for line in lines}) == 2
    assert all(line.startswith("seedmap: note: sub-0") for line in lines)
    assert all("repetition time of exactly 1 s" in line for line in lines)
