"""The demo from end to end, as its user starts it, and what it needs of memory."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest

pytestmark = pytest.mark.full

STEM = "sub-01_task-rest_space-MNI152NLin2009cAsym_res-4"
NETWORK, OTHERS = ("mPFC", "LIPL", "RIPL"), ("LMotor", "RMotor", "Visual")


class Row(NamedTuple):
    """One region as the demo prints it."""

    planted: float
    expected: float
    found: float


class Demo(NamedTuple):
    """What the demo printed, and where it wrote."""

    out: str
    err: str
    folder: Path

    @property
    def rows(self) -> dict[str, Row]:
        number = r" +(-?\d\.\d\d)"
        found = re.findall(rf"^(\w+){number}{number}{number} *$", self.out, re.MULTILINE)
        return {name: Row(*map(float, values)) for name, *values in found}


@pytest.fixture(scope="module")
def demo(process, tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    done = process("demo", cwd=place)
    assert done.code == 0, done.err
    return Demo(done.out, done.err, place / "demo-output")


def test_quiet_on_standard_error(demo):
    assert demo.err == ""


def test_recovery(demo):
    assert len(demo.rows) == 8
    for name, row in demo.rows.items():
        assert abs(row.found - row.expected) < 0.08, name
    for name in NETWORK:
        assert abs(demo.rows[name].found - demo.rows[name].planted) < 0.1, name
        assert demo.rows[name].found > 0.6
    for name in OTHERS:
        assert demo.rows[name].planted == 0
        assert abs(demo.rows[name].found) < 0.1, name


def test_printed_numbers_are_those_of_the_files(demo):
    r = nib.load(demo.folder / f"{STEM}_seed-PCC_stat-r_statmap.nii.gz").get_fdata()
    atlas = np.asarray(nib.load(demo.folder / "phantom" / "planted_dseg.nii.gz").dataobj)
    names = (demo.folder / "phantom" / "planted_dseg.tsv").read_text().splitlines()[1:]
    for index, name in (line.split("\t") for line in names):
        if name != "PCC":
            assert r[atlas == int(index)].mean() == pytest.approx(demo.rows[name].found, abs=0.0051)
    errors = [abs(row.found - row.expected) for row in demo.rows.values()]
    mean, largest = re.search(
        r"mean \|found - expected\| ([\d.]+), largest ([\d.]+)", demo.out
    ).groups()
    assert float(mean) == pytest.approx(np.mean(errors), abs=0.01)
    assert float(largest) == pytest.approx(max(errors), abs=0.011)


def test_map_is_that_of_the_truth(demo):
    """Where the planted map is high or low, the found one is; outside, it is small."""
    r = nib.load(demo.folder / f"{STEM}_seed-PCC_stat-r_statmap.nii.gz").get_fdata()
    atlas = np.asarray(nib.load(demo.folder / "phantom" / "planted_dseg.nii.gz").dataobj)
    z = nib.load(demo.folder / f"{STEM}_seed-PCC_stat-z_statmap.nii.gz").get_fdata()
    brain = r != 0
    assert 0.9 < r[atlas == 1].mean() <= 1
    far = brain & (atlas == 0)
    assert abs(np.median(r[far])) < 0.05
    assert np.mean(np.abs(r[far]) > 0.5) < 0.02
    assert 0.8 < z[far].std() < 1.3, "an honest z has unit spread where nothing is planted"


def test_files(demo):
    names = {str(path.relative_to(demo.folder)) for path in demo.folder.rglob("*")}
    for stat in ("r", "fisherz", "z", "p", "q", "dof", "se"):
        assert f"{STEM}_seed-PCC_stat-{stat}_statmap.nii.gz" in names
        assert f"{STEM}_seed-PCC_stat-{stat}_statmap.json" in names
    assert f"{STEM}_seed-PCC_timeseries.tsv" in names
    assert f"figures/{STEM}_seed-PCC_stat-r_statmap.png" in names
    assert f"figures/{STEM}_seed-PCC_stat-r_statmap.pdf" in names
    assert not [name for name in names if "/." in f"/{name}"]


def test_page(demo):
    page = (demo.folder / f"{STEM}_report.html").read_text().replace("\N{MINUS SIGN}", "-")
    low, high = re.search(r"r +min (-?[\d.]+), max ([\d.]+)", demo.out).groups()
    assert f"{float(low):.2f}" in page
    assert f"{float(high):.2f}" in page
    assert "163" in page


def test_same_by(demo, process):
    """The command that the demo ends with gives the same map."""
    line = next(line for line in demo.out.splitlines() if line.startswith("Same by"))
    words = line.split()[3:]
    again = [*words[: words.index("--out")], "--out", "again", "--no-figures"]
    done = process(*again, cwd=demo.folder.parent)
    assert done.code == 0, done.err
    name = f"{STEM}_seed-PCC_stat-r_statmap.nii.gz"
    there = (demo.folder.parent / "again" / name).read_bytes()
    assert there == (demo.folder / name).read_bytes()


# Not ru_maxrss: a process inherits that of the one that started it, here pytest with all it holds.
MEASURE = """
import re, sys
from pathlib import Path
from seedmap.cli import main
code = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("words", [(), ("--uncertainty", "none")], ids=["sure", "r only"])
def test_peak_memory(demo, words):
    """A run of 50 x 59 x 50 voxels and 168 frames (119 MB as float32) needs less than 300 MB."""
    data = demo.folder / "phantom"
    done = subprocess.run(
        [
            sys.executable, "-c", MEASURE, "run",
            data / f"{STEM}_desc-preproc_bold.nii.gz", "--seed", "PCC=0,-52,18",
            "--confounds", data / "sub-01_task-rest_desc-confounds_timeseries.tsv", "--quiet",
            "--no-figures", "--out", demo.folder.parent / "measured", *words,
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak = int(done.stderr) * 1024 / 1e6
    assert peak < 300
