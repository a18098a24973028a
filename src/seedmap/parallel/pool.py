"""What the user allows: processes, memory, and where workers come from."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from seedmap.errors import OptionError

__all__ = [
    "USABLE",
    "ClusterKind",
    "Pool",
    "Share",
    "core_count",
    "has_dask",
    "memory_there",
    "need_dask",
]

ClusterKind = Literal["slurm", "pbs", "sge", "lsf"]
# A worker that comes near its limit is stopped by Dask at 95 percent; plan with less.
USABLE = 0.9


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


def memory_there() -> float:
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


def has_dask() -> bool:
    """Whether Dask is installed."""
    return importlib.util.find_spec("distributed") is not None


def need_dask() -> None:
    """Refuse in one line if Dask is not installed."""
    if not has_dask():
        msg = "--cluster and --dask-scheduler need Dask; install it with: pip install seedmap[cluster]"
        raise OptionError(msg)
