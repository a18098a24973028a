"""The machine is shared out within its means, and any scheduler does the same work."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from seedmap.errors import MissingFile, OptionError
from seedmap.participants.schedule import Pool, Share, job_script, run_each, share_of


def double(number):
    return 2 * number


def die(number):
    """Kill the worker for one of the items, as the system does where memory is short."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize(
    ("pool", "items", "needed", "workers"),
    [
        (Pool(nprocs=4, mem_gb=8), 10, 1e9, 4),
        (Pool(nprocs=4, mem_gb=8), 2, 1e9, 2),
        (Pool(nprocs=8, mem_gb=4), 10, 1e9, 3),
        (Pool(nprocs=8, mem_gb=1), 10, 5e9, 1),
        (Pool(nprocs=1), 0, 0.0, 1),
    ],
)
def test_no_worker_is_promised_more_than_there_is(pool, items, needed, workers):
    share = share_of(pool, items, needed)
    assert share.workers == workers
    assert share.threads >= 1
    if pool.mem_gb:
        assert share.workers * share.memory <= pool.mem_gb * 1e9 * 1.001


def test_in_this_process_the_work_comes_in_order():
    found = run_each(double, [3, 1, 2], Pool(nprocs=1), Share(1, 1, 1e9))
    assert list(found) == [(3, 6), (1, 2), (2, 4)]


@pytest.mark.filterwarnings("ignore")
def test_on_this_machine_every_item_comes_back_and_a_deadly_one_is_named():
    pytest.importorskip("distributed")
    found = dict(run_each(die, list(range(6)), Pool(nprocs=2), Share(2, 1, 1e9)))
    lost = found.pop(3)
    assert isinstance(lost, RuntimeError)
    assert "workers were lost" in str(lost)
    assert found == {0: 0, 1: 1, 2: 2, 4: 4, 5: 5}


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_runs_elsewhere_is_used(tmp_path):
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": os.environ,
    }
    start = partial(subprocess.Popen, **quiet)
    dask = [sys.executable, "-m", "distributed.cli"]
    scheduler = start(
        [
            *dask[:2],
            "distributed.cli.dask_scheduler",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(file),
        ]
    )
    worker = start(
        [*dask[:2], "distributed.cli.dask_worker", "--no-dashboard", "--scheduler-file", str(file)]
    )
    try:
        address = address_in(file)
        pool = Pool(dask_scheduler=address)
        found = dict(run_each(partial(pow, 2), [1, 2, 3], pool, Share(1, 1, 1e9)))
        assert found == {1: 2, 2: 4, 3: 8}
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(timeout=30)


def address_in(file):
    import json

    for _ in range(300):
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            time.sleep(0.1)
    pytest.fail("no scheduler came")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ["#SBATCH -p short", "#SBATCH -t 02:00:00", "#SBATCH --mem=4G"]),
        ("pbs", ["#PBS -q short", "#PBS -l walltime=02:00:00"]),
        ("sge", ["#$ -q short", "#$ -l h_rt=02:00:00"]),
        ("lsf", ["#BSUB -q short", "#BSUB -W 02:00"]),
    ],
)
def test_the_job_script_asks_for_what_the_configuration_says(tmp_path, kind, lines):
    pytest.importorskip("dask_jobqueue")
    config = tmp_path / "cluster.yaml"
    walltime = "02:00" if kind == "lsf" else "02:00:00"
    config.write_text(f"jobs: 20\ncores: 1\nmemory: 4GB\nqueue: short\nwalltime: '{walltime}'\n")
    script = job_script(Pool(cluster=kind, cluster_config=config))
    for line in lines:
        assert line in script
    assert "dask" in script


def test_wrong_pools_are_refused(tmp_path):
    with pytest.raises(OptionError, match="--nprocs 0"):
        Pool(nprocs=0)
    with pytest.raises(OptionError, match="both given"):
        Pool(cluster="slurm", dask_scheduler="tcp://a:1")
    with pytest.raises(MissingFile, match="cluster configuration"):
        job_script(Pool(cluster="slurm", cluster_config=tmp_path / "none.yaml"))


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_not_there_is_named():
    pytest.importorskip("distributed")
    with pytest.raises(OptionError, match="nobody answers"):
        list(run_each(double, [1], Pool(dask_scheduler="tcp://127.0.0.1:9"), Share(1, 1, 1e9)))
