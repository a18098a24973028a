"""Batch systems (Slurm, PBS, SGE, LSF): jobs whose processes are workers of Dask."""

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seedmap._texts import read_yaml
from seedmap.errors import OptionError, SeedmapWarning
from seedmap.parallel.pool import USABLE, Pool, Share, need_dask

__all__ = ["batch_cluster", "batch_share", "job_script"]

CLASSES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}


@contextmanager
def batch_cluster(pool: Pool) -> Iterator[Any]:
    """Ask a batch system for workers, as many jobs as the configuration says."""
    jobs, options = _batch_options(pool)
    with _open_batch(pool, options) as cluster:
        for _ in range(jobs):
            cluster.worker_spec.update(cluster.new_worker_spec())
        try:
            # `scale` would submit later and keep to itself what is wrong with the jobs.
            cluster.sync(cluster._correct_state)
        except (RuntimeError, OSError) as error:
            _forget_unsubmitted(cluster)
            said = " ".join(str(error).partition("stderr:")[2].split()) or str(error)
            msg = f"--cluster {pool.cluster}: takes no jobs ({said}); mend --cluster-config"
            raise OptionError(msg) from error
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)  # a job that ends is asked for again
        yield cluster


def _forget_unsubmitted(cluster: Any) -> None:
    """Let a cluster be closed whose jobs were refused: it takes them for jobs that are to come."""
    from distributed import Status

    for name, job in list(cluster.workers.items()):
        if job.job_id is None:
            job.status = Status.closed
            del cluster.workers[name]


def _open_batch(pool: Pool, options: dict[str, Any]) -> Any:
    """Start the scheduler that batch jobs will report to."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        msg = f"--cluster {pool.cluster} needs dask-jobqueue; install it with: pip install seedmap[cluster]"
        raise OptionError(msg)
    import dask_jobqueue

    try:
        return getattr(dask_jobqueue, CLASSES[str(pool.cluster)])(**options)
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).partition("Very likely")[0].split()).rstrip(".")
        msg = f"{pool.cluster_config}: options that dask-jobqueue does not take ({said}); mend them"
        raise OptionError(msg) from error


def _batch_options(pool: Pool) -> tuple[int, dict[str, Any]]:
    """Read the batch system's options: how many jobs, and what each asks for."""
    options = {} if pool.cluster_config is None else _read_options(pool.cluster_config)
    jobs = _whole(options.pop("jobs", pool.nprocs or 1), "jobs", pool)
    options.setdefault("cores", 1)
    options.setdefault("processes", options["cores"])
    for name in ("cores", "processes"):
        options[name] = _whole(options[name], name, pool)
    options.setdefault("memory", f"{pool.mem_gb or 4:g}GB")
    options.setdefault("scheduler_options", {"dashboard_address": None})
    options["worker_extra_args"] = [*(options.get("worker_extra_args") or ()), "--nthreads", "1"]
    if pool.work_dir is not None:
        options.setdefault("local_directory", str(pool.work_dir))
        options.setdefault("log_directory", str(pool.work_dir))
    return jobs, options


def _whole(value: Any, name: str, pool: Pool) -> int:
    """Return a number of 1 or more, as a configuration gives it."""
    if not isinstance(value, int) or value < 1:
        msg = f"{pool.cluster_config}: {name} is {repr(value)[:40]}; a whole number of 1 or more is wanted"
        raise OptionError(msg)
    return value


def _read_options(path: Path) -> dict[str, Any]:
    """Read the table of options that `Pool.cluster_config` names."""
    return read_yaml(path, "cluster configuration")


def batch_share(pool: Pool, items: int, needed: float) -> Share:
    """Count what batch jobs provide: so many processes, each with its part of a job."""
    need_dask()
    from dask.utils import parse_bytes

    jobs, options = _batch_options(pool)
    processes = int(options["processes"])
    memory = parse_bytes(options["memory"]) / processes
    if needed > USABLE * memory:
        msg = (
            f"an item of the work takes about {needed / 1e9:.1f} GB, and a process of a job gets "
            f"{memory / 1e9:.1f} GB; ask for more memory or fewer processes in --cluster-config"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=4)
    threads = max(1, int(options["cores"]) // processes)
    return Share(max(1, min(jobs * processes, items)), threads, memory)


def job_script(pool: Pool) -> str:
    """Return the script that the batch system would be given for each job."""
    _, options = _batch_options(pool)
    with _open_batch(pool, options) as cluster:
        return str(cluster.job_script())
