"""Memory that is too small for a run ends in one line, and in a file with --max-memory."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

SIDE, FRAMES = 100, 600  # 2.4 GB of series are wanted
CALL = """
import resource, sys
from seedmap.cli import main
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_AS)[1]))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_AS")
@pytest.mark.parametrize("limit", [3 << 29, 2 << 30])
def test_too_little_memory_is_one_line(limit, tmp_path):
    bold, mask = tmp_path / "sub-01_bold.nii", tmp_path / "mask.nii"
    header = nib.Nifti1Header()
    header.set_data_shape((SIDE, SIDE, SIDE, FRAMES))
    header.set_data_dtype(np.float32)
    header.set_zooms((2, 2, 2, 2))
    header.set_sform(np.diag([2.0, 2, 2, 1]), code=2)
    with bold.open("wb") as file:
        header.write_to(file)
        file.truncate(352 + 4 * SIDE**3 * FRAMES)  # a hole: takes no space on the disk
    nib.save(nib.Nifti1Image(np.ones((SIDE,) * 3, np.uint8), nib.load(bold).affine), mask)
    call = [sys.executable, "-c", CALL, limit, "run", bold, "--mask-img", mask]
    call += ["--seed", "s=0,0,0", "--t-r", "2", "--out", tmp_path / "out", "--no-figures"]
    done = subprocess.run(list(map(str, call)), capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    besides = ("seedmap: note", "Reading and smoothing: ")
    (line,) = [one for one in done.stderr.splitlines() if not one.startswith(besides)]
    assert line.startswith("seedmap: there is not enough memory (")
    assert "--max-memory" in line
    assert not (tmp_path / "out").exists()
