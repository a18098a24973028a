"""Nothing is lost: real processes are killed, the disk is full, and the results are whole."""

import hashlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

import nibabel as nib
import pytest

from seedmap.datasets import make_study

zarr = pytest.importorskip("zarr")

SEED = ("--seed", "PCC=0,-52,18")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four participants, small enough to be killed often."""
    return make_study(tmp_path_factory.mktemp("study"), 4, voxel_size=8, n_frames=120).folder


def command(study, out, *options):
    line = [sys.executable, "-m", "seedmap", "bids", study, out, "participant", *SEED]
    return [str(part) for part in (*line, "--no-figures", "--store", *options)]


def run(study, out, *options, **settings):
    found = subprocess.run(
        command(study, out, *options), capture_output=True, text=True, timeout=300, **settings
    )
    return found.returncode, found.stderr + found.stdout


def contents(out):
    """Digest every file, times and the name of the output folder left out."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name != "seedmap_log.txt":  # which holds a line of every call
            data = path.read_bytes()
            if path.suffix in (".json", ".html"):
                text = data.decode().replace(str(out), "OUT")
                text = re.sub(r'"(mtime_ns|ctime_ns|inode|size)": \d+|--nprocs \d', "", text)
                text = re.sub(r'"(check|digest)": "\w*"', "", text)  # of the texts as they were
                text = re.sub(r"<time>[^<]*</time>", "", text)
                data = text.encode()
            found[path.relative_to(out).as_posix()] = hashlib.md5(data).hexdigest()
    return found


def check_images(out):
    """Every image and stored run that can be seen can be read to its end."""
    for path in out.glob("sub-*/func/*.nii.gz"):
        nib.load(path).get_fdata()
    for path in out.glob("store/*.zarr"):
        group = zarr.open_group(path, mode="r")
        for name in group:
            group[name][...]


@pytest.fixture(scope="module")
def undisturbed(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    code, said = run(study, out, "--nprocs", "1")
    assert code == 0, said
    return contents(out)


def test_a_worker_that_is_killed_is_replaced(study, undisturbed, workers_of, tmp_path):
    pytest.importorskip("distributed")
    out = tmp_path / "out"
    process = subprocess.Popen(command(study, out, "--nprocs", "2"), start_new_session=True)
    killed = 0
    while process.poll() is None and killed < 2:
        stages = list(out.glob(".seedmap-work/*/sub-*")) if out.is_dir() else []
        if stages:
            time.sleep(0.2)
            for pid in workers_of(process.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            time.sleep(1.0)
        time.sleep(0.02)
    assert process.wait(timeout=300) == 0
    assert killed
    assert contents(out) == undisturbed
    assert not (out / ".seedmap-work").exists()


@pytest.mark.slow
@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_command_that_is_killed_again_and_again_ends_whole(study, undisturbed, tmp_path, nprocs):
    out, chance = tmp_path / "out", random.Random(nprocs)
    for _ in range(20):
        process = subprocess.Popen(
            command(study, out, "--nprocs", str(nprocs)),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.3, 4.0 if nprocs == 1 else 6.0))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        check_images(out)
    code, said = run(study, out, "--nprocs", str(nprocs))
    assert code == 0, said
    assert contents(out) == undisturbed
    assert not (out / ".seedmap-work").exists()


def test_a_full_disk_is_said_once_and_nothing_is_corrupt(study, undisturbed, tmp_path):
    out = tmp_path / "out"

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    code, said = run(study, out, "--nprocs", "1", preexec_fn=small_files)
    assert code == 2
    assert len([line for line in said.splitlines() if "cannot be written" in line]) == 1, said
    assert "free some space" in said
    check_images(out)
    assert not (out / ".seedmap-work").exists()
    assert run(study, out, "--nprocs", "1")[0] == 0
    assert contents(out) == undisturbed


def test_a_second_call_does_nothing_and_a_repaired_file_is_noticed(tmp_path):
    made = make_study(tmp_path / "study", 4, faults=True, voxel_size=10, n_frames=100)
    sound = make_study(tmp_path / "sound", 4, voxel_size=10, n_frames=100)
    out = tmp_path / "out"
    code, said = run(made.folder, out, "--nprocs", "1")
    assert code == 3
    assert re.search(rf"sub-{made.broken} +failed: .*end is missing", " ".join(said.split()))
    assert "no table of confounds" in " ".join(said.split())
    before = {path: path.stat().st_mtime_ns for path in out.glob("sub-*/**/*") if path.is_file()}
    code, said = run(made.folder, out, "--nprocs", "1", "--verbose")
    assert code == 3
    assert "2 unchanged" in said
    assert re.search(rf"sub-{made.broken} +failed: .*end is missing", " ".join(said.split()))
    made.phantom.func[-1].write_bytes(sound.phantom.func[-1].read_bytes())
    code, said = run(made.folder, out, "--nprocs", "1")
    assert code == 3
    assert "1 participant, 2 unchanged" in said
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after
    assert list(out.glob(f"sub-{made.broken}/func/*stat-r*.nii.gz"))
    assert not list(out.glob("logs/*_error.txt"))
    states = {p.stem: json.loads(p.read_text())["state"] for p in out.glob("logs/sub-*.json")}
    assert sorted(states.values()) == ["done", "done", "done", "failed"]
