"""Where the work is done: in this process, on this machine's cores, or on a cluster.

The only file that knows Dask. `run_each` gives items to a function, wherever that runs, and yields
the outcome of each as it ends. A worker that dies is replaced and its item tried again; an
item that kills three workers comes back as an exception. A process works on one item at a time:
warnings and figures are the whole process's, so threads of one would mix them up.
"""

import importlib.util
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from seedmap._texts import read_yaml
from seedmap.errors import OptionError, SeedmapWarning
from seedmap.leftovers import claimed_folder, new_folder_name, sweep_left

__all__ = ["ClusterKind", "Pool", "Share", "core_count", "job_script", "run_each", "share_of"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

ClusterKind = Literal["slurm", "pbs", "sge", "lsf"]
CLASSES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}
# A worker that comes near its limit is stopped by Dask at 95 percent; plan with less.
USABLE = 0.9
TRIES = 3
TEMPORARY = "seedmap-dask-"
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
    """Folder for temporary files of the workers and for the output of batch jobs; made if need be."""

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

    Of the workers of a scheduler that runs already nothing is known, so each has one thread.
    """

    workers: int
    threads: int
    memory: float


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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

    Warns
    -----
    SeedmapWarning
        If a process of a batch job is given less memory than an item takes.
    """
    if pool.cluster:
        return _batch_share(pool, items, needed)
    cores = core_count()
    memory = pool.mem_gb * 1e9 if pool.mem_gb else _memory_there()
    fitting = max(1, int(USABLE * memory / max(needed, 1.0)))
    workers = max(1, min(pool.nprocs or cores, fitting, max(items, 1)))
    threads = 1 if pool.dask_scheduler else max(1, cores // workers)
    return Share(workers, threads, memory / workers)


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
    function: Callable[..., Outcome],
    items: Sequence[Item],
    pool: Pool,
    share: Share,
    common: Any = None,
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
    common
        A large argument that stands after the item and is the same for all: each worker gets it
        once. None for no such argument.

    Yields
    ------
    item, outcome
        The outcome is an exception where the worker was lost again and again.

    Raises
    ------
    OptionError
        If the cluster cannot be reached or takes no jobs, its workers have several threads, or
        Dask is needed and not installed.
    """
    away = pool.dask_scheduler or pool.cluster
    if not away and (share.workers == 1 or not _has_dask()):
        for item in items:
            yield item, function(item, *([] if common is None else [common]))
        return
    _need_dask()
    yield from _on_dask(function, items, pool, share, common)


def _has_dask() -> bool:
    return importlib.util.find_spec("distributed") is not None


def _need_dask() -> None:
    if not _has_dask():
        msg = "--cluster and --dask-scheduler need Dask; install it with: pip install seedmap[cluster]"
        raise OptionError(msg)


def _on_dask(
    function: Callable[..., Outcome], items: Sequence[Item], pool: Pool, share: Share, common: Any
) -> Iterator[tuple[Item, Outcome | Exception]]:
    import dask
    from distributed import as_completed

    with dask.config.set(SETTINGS), _client(pool, share) as client:
        task, sent = partial(_alone, function), [] if common is None else [_sent(client, common)]
        repeated = [[one] * len(items) for one in sent]
        futures = client.map(task, items, *repeated, pure=False, retries=0)
        which = {future.key: item for future, item in zip(futures, items, strict=True)}
        waiting = as_completed(futures, loop=client.loop)
        suspected = []
        del futures
        for future in waiting:
            if _was_killed(future):
                suspected.append(which[future.key])
            else:
                yield which[future.key], _outcome(future)
            future.release()
        for item in suspected:  # one at a time: it may only have waited where another killed
            yield item, _outcome(client.submit(task, item, *sent, pure=False, retries=0))


def _was_killed(future: Any) -> bool:
    """Whether the workers that had an item were lost, be it for this item or for another."""
    return future.status == "error" and type(future.exception()).__name__ == "KilledWorker"


def _outcome(future: Any) -> Any:
    """Wait for what an item gave: a result, or an exception."""
    error = future.exception()
    if isinstance(error, OptionError):
        raise error
    return future.result() if error is None else _as_exception(error)


def _sent(client: Any, common: Any) -> Any:
    """Send what all tasks need: a task of its own, which is done again where a worker that had it is lost."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        return client.submit(_itself, common, pure=False)


def _itself(common: Any) -> Any:
    return common


def _alone(function: Callable[..., Outcome], item: Item, *common: Any) -> Outcome:
    """Call it on a worker, in a process where nothing else is at work."""
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads > 1:
        msg = (
            f"worker {worker.address} of the scheduler has {worker.state.nthreads} threads; one is "
            "wanted, since a process works on one item at a time; start it with --nthreads 1 "
            "(and --nworkers for more)"
        )
        raise OptionError(msg)
    return function(item, *common)


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
    from distributed.utils import silence_logging_cmgr

    parent = pool.work_dir or Path(tempfile.gettempdir())
    sweep_left(parent, TEMPORARY)
    with ExitStack() as stack:
        folder = stack.enter_context(claimed_folder(parent / new_folder_name(TEMPORARY)))
        stack.enter_context(_main_is_not_imported())
        # For longer than the cluster does itself: as it is closed, ends of connections are logged.
        stack.enter_context(silence_logging_cmgr(logging.CRITICAL))
        with _signals_later():
            cluster = LocalCluster(
                n_workers=share.workers,
                threads_per_worker=1,
                memory_limit=int(share.memory),
                local_directory=str(folder),
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(cluster)
        yield cluster


@contextmanager
def _signals_later() -> Iterator[None]:
    """Put signals off until all is started, and keep those of the keyboard from what is started.

    Threads and processes inherit which signals are blocked: of a whole group of processes that are
    interrupted, only the first is to stop the others.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    came: list[int] = []
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in names):
                stack.callback(signal.signal, number, signal.getsignal(number))
                signal.signal(number, lambda number, _: came.append(number))
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            keys = {signal.SIGINT, signal.SIGHUP}
            before = signal.pthread_sigmask(signal.SIG_BLOCK, keys)
            resource_tracker.ensure_running()  # which, when it starts, unblocks the keyboard's
            signal.pthread_sigmask(signal.SIG_BLOCK, keys)
            stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def _main_is_not_imported() -> Iterator[None]:
    """Keep worker processes from running the user's script again, which they import otherwise.

    What they work on is in this package. A script that starts a study at its top level, not below
    ``if __name__ == "__main__"``, would start it in every worker again.
    """
    main = sys.modules["__main__"]
    names = {key: value for key, value in vars(main).items() if key in ("__file__", "__spec__")}
    main.__spec__ = None
    vars(main).pop("__file__", None)
    try:
        yield
    finally:
        vars(main).update(names)


@contextmanager
def _batch_cluster(pool: Pool) -> Iterator[Any]:
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


def _batch_share(pool: Pool, items: int, needed: float) -> Share:
    """Count what batch jobs provide: so many processes, each with its part of a job."""
    _need_dask()
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
