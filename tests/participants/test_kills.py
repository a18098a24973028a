"""Whatever is killed, and in whatever mode: the results are those of an undisturbed call, bit for bit."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seedmap.datasets import make_study

pytest.importorskip("zarr")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

HERE = Path(__file__).parent
found = importlib.util.spec_from_file_location("faults", HERE / "test_faults.py")
faults = importlib.util.module_from_spec(found)
found.loader.exec_module(faults)

MODES = {
    "plain": (),
    "store": ("--store",),
    "combined": ("--combine-runs", "participant"),
    "from store": ("--from-store", "STORE"),
    "from store, combined": ("--from-store", "STORE", "--combine-runs", "participant"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four participants of two runs each, of two studies."""
    folder = tmp_path_factory.mktemp("study")
    for run in (1, 2):
        made = make_study(folder / str(run), 4, voxel_size=8, n_frames=120, rng=run).folder
        for path in made.glob("sub-*/func/*task-rest*"):
            name = path.name.replace("task-rest", f"task-rest_run-{run}")
            target = folder / "both" / path.parent.relative_to(made) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return folder / "both"


@pytest.fixture(scope="module")
def store(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("store") / "out"
    assert finish(line(study, out, "1", "--store")) == 0
    return out


def line(study, out, nprocs, *options):
    words = [sys.executable, "-m", "seedmap", "bids", study, out, "participant", "-q"]
    words += ["--seed", "PCC=0,-52,18", "--no-figures", "--nprocs", nprocs, *options]
    return [str(word) for word in words]


def start(words):
    return subprocess.Popen(words, start_new_session=True)


def finish(words):
    return start(words).wait(timeout=300)


@pytest.fixture(scope="module", params=MODES)
def mode(request, study, store, tmp_path_factory):
    """The options of a mode, and what an undisturbed call makes."""
    options = [store if word == "STORE" else word for word in MODES[request.param]]
    out = tmp_path_factory.mktemp("whole") / "out"
    assert finish(line(study, out, "1", *options)) == 0
    return options, faults.contents(out)


def wait_for_work(process, out):
    while process.poll() is None and not list(out.glob(".seedmap-work/*/sub-0*")):
        time.sleep(0.005)
    return process.poll() is None


@pytest.mark.parametrize("nprocs", ["1", "2"])
def test_the_command_is_killed_at_work_again_and_again(study, mode, tmp_path, nprocs):
    options, whole = mode
    out = tmp_path / "out"
    for kill in range(5):
        process = start(line(study, out, nprocs, *options))
        if wait_for_work(process, out):
            time.sleep(0.1 * kill)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        faults.check_images(out)
    assert finish(line(study, out, nprocs, *options)) == 0
    assert faults.contents(out) == whole
    assert not (out / ".seedmap-work").exists()


def test_every_worker_is_killed_once(study, mode, workers_of, tmp_path):
    pytest.importorskip("distributed")
    options, whole = mode
    out = tmp_path / "out"
    process = start(line(study, out, "2", *options))
    assert wait_for_work(process, out)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.5)
    assert process.wait(timeout=300) == 0
    assert faults.contents(out) == whole
    assert not (out / ".seedmap-work").exists()
