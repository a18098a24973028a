"""Whatever ends a call that works in several processes: one line, and nothing left."""

import os
import signal
import subprocess
import sys
import time

import pytest

from seedmap.datasets import make_study

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
STATISTICS = {"r", "fisherz", "z", "p", "q", "dof", "se"}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
AT_WORK = "sub-0*"


def cases():
    """Return signals, whom they reach, processes, and when: one of each signal with the full tests."""
    for number in SIGNALS:
        for whom in ("all", "one"):
            for nprocs in ("1", "2"):
                for when in ("sub-*", AT_WORK):
                    usual = (whom, nprocs, when) == ("all", "2", AT_WORK)
                    marks = pytest.mark.full if usual else pytest.mark.slow
                    name = f"{number.name}-{whom}-{nprocs}-{'at work' if when == AT_WORK else 'at the start'}"
                    yield pytest.param(number, whom, nprocs, when, marks=marks, id=name)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 4, voxel_size=4, n_frames=200).folder


def heed_hangups():
    """Undo what `nohup` around the tests has the processes inherit: to ignore SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(line, **settings):
    settings["preexec_fn"] = heed_hangups
    text = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([str(one) for one in line], start_new_session=True, **text, **settings)


def call(*words):
    return [sys.executable, "-m", "seedmap", *words]


def wait_for(process, folder, pattern):
    """Wait until there is something of that name in a folder."""
    until = time.monotonic() + 60
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "whom", "nprocs", "when"), list(cases()))
def test_a_study_that_is_stopped_leaves_nothing_half_done(
    study, tmp_path, number, whom, nprocs, when
):
    if nprocs == "2":
        pytest.importorskip("distributed")
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    words = ("bids", study, out, "participant", "--seed", "PCC=0,-52,18", "--no-figures")
    process = start(call(*words, "--nprocs", nprocs, "--work-dir", temporary))
    wait_for(process, out, f".seedmap-work/*/{when}")
    time.sleep(0.2)
    (os.killpg if whom == "all" else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    # Python ends itself by SIGINT, which a shell calls 130, if a module was just being imported.
    assert process.returncode in (128 + number, -signal.SIGINT)
    what = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert said == f"seedmap: {what}; nothing was left half-written\n"
    assert not (out / ".seedmap-work").exists()
    assert not list(temporary.glob("*"))
    for person in out.glob("sub-*"):  # who was done before is done with all maps
        names = [path.name for path in person.glob("**/*_statmap.nii.gz")]
        assert {name.partition("_stat-")[2].partition("_")[0] for name in names} in (
            set(),
            STATISTICS,
        )


@pytest.mark.full
def test_what_a_killed_study_left_is_removed_by_the_next(study, tmp_path):
    pytest.importorskip("distributed")
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    words = ("bids", study, out, "participant", "--seed", "PCC=0,-52,18", "--no-figures")
    line = call(*words, "--nprocs", "2", "--work-dir", temporary, "--participant-label", "01", "02")
    process = start(line)
    wait_for(process, out, ".seedmap-work/*/sub-0*")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list(temporary.glob("seedmap-dask-*"))
    done = start(line)
    done.communicate(timeout=120)
    assert done.returncode == 0
    assert not list(temporary.glob("*"))
    assert not (out / ".seedmap-work").exists()


@pytest.mark.full
def test_what_a_killed_run_left_is_removed_by_the_next(study, tmp_path):
    bold = next(study.glob("sub-01/func/*preproc_bold.nii.gz"))
    line = call("run", bold, "--seed", "PCC=0,-52,18", "--out", tmp_path)
    process = start(line)
    wait_for(process, tmp_path, ".seedmap-stage-*/*")
    process.kill()
    process.communicate()
    assert list(tmp_path.glob(".seedmap-*"))
    done = start([*line, "--no-figures"])
    done.communicate(timeout=60)
    assert done.returncode == 0
    assert not list(tmp_path.glob(".seedmap-*"))


SCRIPT = """
import sys
from seedmap.cli import main
print("started", flush=True)
code = main(["bids", sys.argv[1], sys.argv[2], "participant", "--seed", "PCC=0,-52,18",
             "--nprocs", "2", "--no-figures", "-q", "--participant-label", "01", "02"])
print(code, __file__ == sys.argv[0])
"""


@pytest.mark.full
def test_a_script_may_start_a_study_at_its_top_level(study, tmp_path):
    """Worker processes do not run the script again."""
    pytest.importorskip("distributed")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = start([sys.executable, tmp_path / "script.py", study, tmp_path / "out"])
    out, err = done.communicate(timeout=120)
    assert (out, err) == ("started\n0 True\n", "")
    assert len(list((tmp_path / "out").glob("sub-*/func/*stat-r*.nii.gz"))) == 2
