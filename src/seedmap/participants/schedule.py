"""Where the work is done: in this process, on this machine's cores, or on a cluster.

The only file that knows Dask. `run_each` gives items to a function, wherever that runs, and hands
back what came of each as it ends. A worker that dies is replaced and its item tried again; an
item that kills three workers comes back as an exception.
"""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from seedmap.errors import MissingFile, OptionError

__all__ = ["ClusterKind", "Pool", "Share", "job_script", "run_each", "share_of"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

ClusterKind = Literal["slurm", "pbs", "sge", "lsf"]
CLASSES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}
# A worker that comes near its limit is stopped by Dask at 95 percent; leave room below.
USABLE = 0.9
TRIES = 3
ANSWER_WITHIN = 10  # s
SETTINGS = {
    "distributed.scheduler.allowed-failures": TRIES - 1,
    "distributed.worker.memory.target": False,  # results are small: there is nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.admin.log-length": 1000,
}


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Where the work is done."""

    nprocs: int | None = None
    """Processes; none takes as many as there are cores, and memory for."""

    mem_gb: float | None = None
    """Memory for all of them together [GB]; none takes what the machine has."""

    dask_scheduler: str | None = None
    """Address of a Dask scheduler that is running, such as tcp://host:8786."""

    cluster: ClusterKind | None = None
    """Ask this batch system for workers: slurm, pbs, sge or lsf."""

    cluster_config: Path | None = None
    """YAML with the batch system's options: jobs, cores, memory, queue, walltime, ..."""

    work_dir: Path | None = None
    """Folder for temporary files of the workers; the system's if not given."""

    def __post_init__(self) -> None:
        for name in ("nprocs", "mem_gb"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"--{name.replace('_', '-')} {value}; give a number above 0"
                raise OptionError(msg)
        if self.cluster is not None and self.cluster not in get_args(ClusterKind):
            msg = f"--cluster {self.cluster!r}; choose one of {', '.join(get_args(ClusterKind))}"
            raise OptionError(msg)
        if self.cluster and self.dask_scheduler:
            msg = "--cluster and --dask-scheduler are both given; choose one"
            raise OptionError(msg)


@dataclass(frozen=True)
class Share:
    """How the machine is shared out.

    Attributes
    ----------
    workers : int
        Processes at work at once.
    threads : int
        Threads of each.
    memory : float
        Memory for each [bytes].
    """

    workers: int
    threads: int
    memory: float


def share_of(pool: Pool, items: int, needed: float) -> Share:
    """Share cores and memory out so that no worker is promised more than there is.

    Parameters
    ----------
    pool
        What the user allows.
    items
        How much there is to do.
    needed
        The most memory that one item takes [bytes].
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    memory = pool.mem_gb * 1e9 if pool.mem_gb else _memory_there()
    fitting = max(1, int(USABLE * memory / max(needed, 1.0)))
    workers = max(1, min(pool.nprocs or cores, fitting, max(items, 1)))
    return Share(workers, max(1, cores // workers), memory / workers)


def _memory_there() -> float:
    """Return the machine's memory, or what of it this process may use [bytes]."""
    limits = [
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    texts = [path.read_text().strip() for path in limits if path.is_file()]
    found = [float("inf"), *(float(text) for text in texts if text.isdecimal())]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    return min(found) if min(found) < float("inf") else 4e9


def run_each(
    function: Callable[[Item], Outcome], items: Sequence[Item], pool: Pool, share: Share
) -> Iterator[tuple[Item, Outcome | Exception]]:
    """Call a function for each item and yield what comes back, in the order in which it comes.

    Parameters
    ----------
    function
        Can be pickled, as can items and what it returns.
    items
        What is to be done.
    pool, share
        Where.

    Yields
    ------
    item, outcome
        The outcome is an exception where the worker was lost again and again.

    Raises
    ------
    OptionError
        If the cluster cannot be reached, or Dask is needed and not installed.
    """
    away = pool.dask_scheduler or pool.cluster
    if not away and (share.workers == 1 or not _has_dask()):
        for item in items:
            yield item, function(item)
        return
    if not _has_dask():
        msg = "--cluster and --dask-scheduler need Dask; install it with: pip install seedmap[cluster]"
        raise OptionError(msg)
    yield from _on_dask(function, items, pool, share)


def _has_dask() -> bool:
    return importlib.util.find_spec("distributed") is not None


def _on_dask(
    function: Callable[[Item], Outcome], items: Sequence[Item], pool: Pool, share: Share
) -> Iterator[tuple[Item, Outcome | Exception]]:
    import dask
    from distributed import as_completed

    with dask.config.set(SETTINGS), _client(pool, share) as client:
        futures = client.map(function, items, pure=False, retries=0)
        which = {future.key: item for future, item in zip(futures, items, strict=True)}
        waiting = as_completed(futures, loop=client.loop)
        del futures
        for future in waiting:
            item = which[future.key]
            error = future.exception() if future.status != "finished" else None
            yield item, future.result() if error is None else _as_exception(error)
            future.release()


def _as_exception(error: BaseException) -> Exception:
    """Say in words that a worker was lost."""
    if type(error).__name__ == "KilledWorker":
        return RuntimeError(
            f"{TRIES} workers were lost while they worked on it, most likely for want of memory; give "
            "more memory (--mem-gb) or fewer processes (--nprocs)"
        )
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


@contextmanager
def _client(pool: Pool, share: Share) -> Iterator[Any]:
    """Connect to the workers, starting them if need be."""
    from distributed import Client

    with ExitStack() as stack:
        if pool.dask_scheduler:
            target: Any = pool.dask_scheduler
        elif pool.cluster:
            target = stack.enter_context(_batch_cluster(pool))
        else:
            target = stack.enter_context(_local_cluster(pool, share))
        try:
            client = Client(target, timeout=ANSWER_WITHIN, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            msg = f"--dask-scheduler {target}: nobody answers ({error}); is the scheduler running?"
            raise OptionError(msg) from error
        yield stack.enter_context(client)


@contextmanager
def _local_cluster(pool: Pool, share: Share) -> Iterator[Any]:
    """Start worker processes on this machine."""
    import logging

    from distributed import LocalCluster

    folder = tempfile.mkdtemp(prefix="seedmap-dask-", dir=pool.work_dir)
    try:
        with LocalCluster(
            n_workers=share.workers,
            threads_per_worker=1,
            memory_limit=int(share.memory),
            local_directory=folder,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _batch_cluster(pool: Pool) -> Iterator[Any]:
    """Ask a batch system for workers, as many jobs as the configuration says."""
    jobs, options = _batch_options(pool)
    with _batch_class(pool)(**options) as cluster:
        cluster.scale(jobs=jobs)
        yield cluster


def _batch_class(pool: Pool) -> Any:
    if importlib.util.find_spec("dask_jobqueue") is None:
        msg = f"--cluster {pool.cluster} needs dask-jobqueue; install it with: pip install seedmap[cluster]"
        raise OptionError(msg)
    import dask_jobqueue

    return getattr(dask_jobqueue, CLASSES[str(pool.cluster)])


def _batch_options(pool: Pool) -> tuple[int, dict[str, Any]]:
    """Read the batch system's options: how many jobs, and what each asks for."""
    import yaml

    options: dict[str, Any] = {}
    if pool.cluster_config is not None:
        path = pool.cluster_config
        if not path.is_file():
            msg = f"{path}: this cluster configuration is not there; check the path"
            raise MissingFile(msg)
        try:
            options = dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except (yaml.YAMLError, TypeError, ValueError) as error:
            msg = f"{path}: not YAML that can be read ({' '.join(str(error).split())}); mend it"
            raise OptionError(msg) from error
    jobs = int(options.pop("jobs", pool.nprocs or 1))
    options.setdefault("cores", 1)
    options.setdefault("processes", options["cores"])
    options.setdefault("memory", f"{pool.mem_gb or 4:g}GB")
    return jobs, options


def job_script(pool: Pool) -> str:
    """Return the script that the batch system would be given for each job."""
    _, options = _batch_options(pool)
    with _batch_class(pool)(**options) as cluster:
        return str(cluster.job_script())
