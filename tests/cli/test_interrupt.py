"""Ctrl-C while a run is read: exit code 130, one line, nothing left behind."""

import gzip
import signal
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C in another way"),
]

SHAPE, FRAMES = (60, 60, 60), 4000


def header() -> bytes:
    made = nib.Nifti1Header()
    made.set_data_dtype(np.int16)
    made.set_data_shape((*SHAPE, FRAMES))
    made.set_sform(np.diag([3.0, 3, 3, 1]), code=2)
    made.set_xyzt_units("mm", "sec")
    made["pixdim"][4], made["vox_offset"] = 2.0, 352
    return made.binaryblock + bytes(4)


def long_run(path: Path) -> None:
    """Write 1.7 GB of zeros that take no space: as a hole, or as one gzip member said 80 times."""
    size = int(np.prod(SHAPE)) * 2
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(header()) + gzip.compress(bytes(50 * size)) * (FRAMES // 50))
        return
    with path.open("wb") as file:
        file.write(header())
        file.truncate(352 + FRAMES * size)


@pytest.mark.parametrize("name", ["long.nii.gz", "long.nii"])
def test_interrupted(name, started, tmp_path):
    long_run(tmp_path / name)
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:50, 10:50, 10:30:4] = 1
    nib.save(nib.Nifti1Image(mask, np.diag([3.0, 3, 3, 1])), tmp_path / "mask.nii")
    before = sorted(tmp_path.iterdir())
    process = started(
        "run", tmp_path / name, "--seed", "s=90,90,60", "--mask", tmp_path / "mask.nii",
        "--filter", "none", "--strategy", "none", "--out", tmp_path / "deep" / "results",
    )  # fmt: skip
    line = process.stdout.readline()
    while line and not line.startswith("Plan"):
        line = process.stdout.readline()
    assert line, "the plan is printed before the run is read"
    time.sleep(0.5)
    assert process.poll() is None, "it must still be reading"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    said = [line for line in err.splitlines() if not line.startswith("Reading and smoothing: ")]
    assert said == ["seedmap: interrupted; nothing was left half-written"]  # beside how far it is
    assert "Written" not in out
    assert sorted(tmp_path.iterdir()) == before
