"""Items one by one, in this process or on the workers of Dask.

`run_each` gives items to a function, wherever that runs, and yields the outcome of each as it ends.
A worker that dies is replaced and its item tried again; an item that kills three workers comes back
as an exception. A process works on one item at a time: warnings and figures are the whole process's,
so threads of one would mix them up.
"""

import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from seedmap.errors import OptionError
from seedmap.leftovers import claimed_folder, new_folder_name, sweep_left
from seedmap.parallel.batch import batch_cluster, batch_share
from seedmap.parallel.pool import USABLE, Pool, Share, core_count, has_dask, memory_there, need_dask

__all__ = ["run_each", "share_of"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

TRIES = 3
TEMPORARY = "seedmap-dask-"
ANSWER_WITHIN = 10  # s
SETTINGS = {
    "distributed.scheduler.allowed-failures": TRIES - 1,
    "distributed.worker.memory.target": False,  # results are small: there is nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.admin.log-length": 1000,
}


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
        return batch_share(pool, items, needed)
    cores = core_count()
    memory = pool.mem_gb * 1e9 if pool.mem_gb else memory_there()
    fitting = max(1, int(USABLE * memory / max(needed, 1.0)))
    workers = max(1, min(pool.nprocs or cores, fitting, max(items, 1)))
    threads = 1 if pool.dask_scheduler else max(1, cores // workers)
    return Share(workers, threads, memory / workers)


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
    if not away and (share.workers == 1 or not has_dask()):
        for item in items:
            yield item, function(item, *([] if common is None else [common]))
        return
    need_dask()
    yield from _on_dask(function, items, pool, share, common)


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
            target = stack.enter_context(batch_cluster(pool))
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
