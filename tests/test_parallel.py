"""The machine is shared out within its means, and any scheduler does the same work."""

import os
import signal

import pytest

from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.errors import MissingFile, OptionError, SeedmapWarning
from seedmap.parallel import Pool, Share, job_script, run_each, share_of


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


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_a_study_is_done_by_a_scheduler_that_runs_elsewhere(dask, scheduler, tmp_path, capsys):
    study = make_study(tmp_path / "study", 2, voxel_size=8, n_frames=120).folder
    line = ["bids", str(study), "OUT", "participant", "--seed", "PCC=0,-52,18", "--no-figures"]
    for name, where in (("here", ["--nprocs", "1"]), ("there", ["--dask-scheduler", scheduler])):
        line[2] = str(tmp_path / name)
        with dask("worker", "--nthreads", "1", scheduler):
            assert main([*line, *where]) == 0
    assert "2 participants, on the workers of tcp://" in capsys.readouterr().out
    there = {path.name: path.read_bytes() for path in tmp_path.glob("there/sub-*/func/*.nii.gz")}
    here = {path.name: path.read_bytes() for path in tmp_path.glob("here/sub-*/func/*.nii.gz")}
    assert here
    assert there == here


@pytest.mark.filterwarnings("ignore")
def test_workers_with_several_threads_are_refused(dask, scheduler):
    with (
        dask("worker", "--nthreads", "2", scheduler),
        pytest.raises(OptionError, match="has 2 threads; one is wanted"),
    ):
        list(run_each(double, [1], Pool(dask_scheduler=scheduler), Share(1, 1, 1e9)))


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
    assert script.rstrip().endswith("--nthreads 1")


def cluster_of(folder, text):
    """Write a configuration; return the pool that uses it."""
    (folder / "cluster.yaml").write_text(text)
    return Pool(cluster="slurm", cluster_config=folder / "cluster.yaml", work_dir=folder / "jobs")


def test_the_share_of_batch_jobs_is_what_they_ask_for(tmp_path):
    pytest.importorskip("distributed")
    pool = cluster_of(tmp_path, "jobs: 3\ncores: 8\nprocesses: 2\nmemory: 8GB\n")
    assert share_of(pool, 100, 1e9) == Share(6, 4, 4e9)
    assert share_of(pool, 4, 1e9).workers == 4
    with pytest.warns(SeedmapWarning, match="takes about 5.0 GB, and a process of a job gets 4.0"):
        share_of(pool, 100, 5e9)


@pytest.mark.filterwarnings("ignore")
def test_the_output_of_jobs_goes_to_the_work_folder(tmp_path):
    pytest.importorskip("dask_jobqueue")
    script = job_script(cluster_of(tmp_path, "walltime: '01:00:00'\n"))
    assert f"#SBATCH -e {tmp_path}/jobs/" in script
    assert f"--local-directory {tmp_path}/jobs" in script


@pytest.mark.filterwarnings("ignore")
def test_options_that_no_batch_system_knows_are_named(tmp_path):
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(OptionError, match=r"cluster.yaml: .*unexpected keyword argument 'nosuch'"):
        job_script(cluster_of(tmp_path, "nosuch: 3\n"))


@pytest.mark.filterwarnings("ignore")
def test_jobs_that_cannot_be_submitted_end_the_call(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))  # where no sbatch is
    pool = cluster_of(tmp_path, "jobs: 2\n")
    with pytest.raises(OptionError, match=r"--cluster slurm: takes no jobs \(.*'sbatch'"):
        list(run_each(double, [1], pool, Share(2, 1, 1e9)))


@pytest.mark.filterwarnings("ignore")
def test_the_folder_for_temporary_files_is_made(tmp_path):
    pytest.importorskip("distributed")
    pool = Pool(nprocs=2, work_dir=tmp_path / "a" / "b")
    assert dict(run_each(double, [1, 2], pool, Share(2, 1, 1e9))) == {1: 2, 2: 4}
    assert not list((tmp_path / "a" / "b").iterdir())


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
