"""A real Slurm, started on this machine for the purpose, does the work of a study."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from seedmap.datasets import make_study

pytest.importorskip("dask_jobqueue")
pytestmark = pytest.mark.full

DAEMONS = ("munged", "slurmctld", "slurmd")
# How a Slurm of this release does without control groups: the first that it knows is taken.
WITHOUT_CGROUPS = ("disabled", "cgroup/v1", "autodetect")
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=4000
PartitionName=short Nodes={host} Default=YES MaxTime=01:00:00 State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A Slurm of one node, and how it is asked."""

    folder: Path

    @property
    def environment(self):
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *words):
        asked = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=20, check=False
        )
        return asked.stdout.strip()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Start a Slurm of one node, or skip and say why."""
    missing = [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no Slurm here: {', '.join(missing)} not found (Debian: slurm-wlm, munge)")
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons are started as root only")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONFIG.format(host=host, folder=folder, ports=free_ports()))
    started = Slurm(folder)
    with ExitStack() as stack:
        stack.enter_context(munge(folder))
        stack.enter_context(daemon(started, "slurmctld", "-D", "-i"))
        if not any(node_with(started, stack, plugin) for plugin in WITHOUT_CGROUPS):
            log = (folder / "slurmd.log").read_text().splitlines()
            pytest.skip(f"Slurm does not start here: {log[-1] if log else 'slurmd says nothing'}")
        yield started
        started.ask("scancel", "--state=RUNNING")


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def munge(folder):
    """Let the daemons know one another."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
    files |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    flags = [f"--{name}={path}" for name, path in files.items()]
    with process(["munged", "--foreground", "--force", *flags], os.environ) as started:
        wait_for(lambda: files["socket"].exists() or started.poll() is not None)
        yield


@contextmanager
def process(line, environment):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(line, env=environment, **quiet)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(timeout=30)


def daemon(slurm, *line):
    return process(line, slurm.environment)


def node_with(slurm, stack, plugin):
    """Start the node's daemon; say whether the node is ready."""
    (slurm.folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
    started = stack.enter_context(daemon(slurm, "slurmd", "-D"))

    def known():
        return started.poll() is not None or "idle" in slurm.ask("sinfo", "-h", "-o", "%T")

    return wait_for(known, 20) and started.poll() is None


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 3, voxel_size=8, n_frames=120).folder


def line_of(study, out, *options):
    words = ["bids", study, out, "participant", "--seed", "PCC=0,-52,18", "--no-figures", *options]
    return [sys.executable, "-m", "seedmap", *map(str, words)]


def on_slurm(folder, queue="short"):
    """Write the configuration; return the options that use it."""
    config = folder / "cluster.yaml"
    facts = ("jobs: 2", "cores: 1", "memory: 1GB", f"queue: {queue}", "walltime: '00:10:00'")
    config.write_text("\n".join(facts) + "\n")
    return ("--cluster", "slurm", "--cluster-config", config, "-w", folder / "jobs")


def check_maps(study, out, tmp_path):
    """The maps are those that this machine makes alone."""
    subprocess.run(line_of(study, tmp_path / "here", "--nprocs", "1", "-q"), check=True)
    here = sorted((tmp_path / "here").glob("sub-*/func/*stat-z*.nii.gz"))
    assert len(here) == 3
    for path in here:
        there = out / path.relative_to(tmp_path / "here")
        images = [nib.load(one).get_fdata() for one in (path, there)]
        np.testing.assert_array_equal(*images)


def test_a_study_is_done_by_slurm_jobs(slurm, study, tmp_path):
    before = slurm.ask("sbatch", "--wrap", "true", "-o", "/dev/null", "--parsable")
    done = subprocess.run(
        line_of(study, tmp_path / "out", *on_slurm(tmp_path)),
        env=slurm.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 participants, 2 at once" in done.stdout
    check_maps(study, tmp_path / "out", tmp_path)
    logs = {int(path.stem.rpartition("-")[2]) for path in (tmp_path / "jobs").glob("*.err")}
    assert min(logs) > int(before)
    assert 1 <= len(logs) <= 2  # on a busy machine the work may be done before the second begins
    assert not list(tmp_path.glob("slurm-*.out"))
    assert wait_for(lambda: not slurm.ask("squeue", "-h", "-t", "R"))


def test_a_job_that_is_cancelled_is_asked_for_again(slurm, study, tmp_path):
    out = tmp_path / "out"
    with process(line_of(study, out, *on_slurm(tmp_path)), slurm.environment) as started:
        assert wait_for(lambda: list(out.glob(".seedmap-work/*/sub-*")) or started.poll() == 0)
        slurm.ask("scancel", "--signal=KILL", "--full", "--state=RUNNING", "--partition=short")
        assert started.wait(timeout=300) == 0
    assert len(list((tmp_path / "jobs").glob("*.err"))) > 2
    check_maps(study, out, tmp_path)


def test_people_are_shuffled_by_slurm_jobs(slurm, tmp_path):
    rng, rows = np.random.default_rng(0), ["participant_id\teffect"]
    for number in range(16):
        image = nib.Nifti1Image(
            rng.normal(size=(9, 9, 9)).astype(np.float32), np.diag([4, 4, 4, 1])
        )
        image.to_filename(tmp_path / f"{number}.nii.gz")
        rows.append(f"{number:02d}\t{number}.nii.gz")
    table = tmp_path / "maps.tsv"
    table.write_text("\n".join(rows) + "\n")
    for name, where in (("here", ()), ("there", on_slurm(tmp_path))):
        line = [sys.executable, "-m", "seedmap", "group", tmp_path, "--maps", table]
        line += ["--no-tfce", "--shuffles", "2000", "--out", tmp_path / name, *where]
        subprocess.run(list(map(str, line)), env=slurm.environment, timeout=300, check=True)
    here = sorted((tmp_path / "here").glob("*.nii.gz"))
    assert len(here) > 10
    for path in here:
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes()


def test_jobs_that_slurm_refuses_end_the_call(slurm, study, tmp_path):
    done = subprocess.run(
        line_of(study, tmp_path / "out", *on_slurm(tmp_path, queue="nosuch")),
        env=slurm.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "takes no jobs" in done.stderr
    assert "nosuch" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / ".seedmap-work").exists()
