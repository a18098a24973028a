"""Measuring in fresh processes, and what a machine is. Imports nothing but the standard library.

A parent that holds little memory cannot pass any on, and nothing that one side has loaded is
there for the other.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARIES = (
    "seedmap",
    "numpy",
    "scipy",
    "nibabel",
    "isal",
    "nilearn",
    "scikit-learn",
    "matplotlib",
)
UNCOMPILED = "PYTHONDONTWRITEBYTECODE"


@dataclass
class Samples:
    """What one kind of work took, one record a repetition."""

    records: list[dict]

    def median(self, what: str) -> float:
        """Return the middle of the repetitions."""
        return statistics.median(record[what] for record in self.records)

    def least(self, what: str) -> float:
        """Return the best of the repetitions."""
        return min(record[what] for record in self.records)

    def stages(self) -> dict[str, float]:
        """Return the median seconds of each stage."""
        names = self.records[0]["stages"]
        return {n: statistics.median(r["stages"][n] for r in self.records) for n in names}


def make_data(folder: Path, name: str) -> dict:
    """Make a run in a process of its own and return its facts."""
    script = HERE / "data.py"
    subprocess.run([sys.executable, str(script), str(folder), name], check=True, env=single())
    return json.loads((folder / name / "case.json").read_text())


def single() -> dict[str, str]:
    """Return an environment in which BLAS makes no threads of its own, for making data."""
    return {**as_installed(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def as_installed() -> dict[str, str]:
    """Return an environment in which Python keeps what it compiled, as installed packages are kept.

    Else a checkout would be compiled anew at each start, and nilearn, which pip compiled, would not.
    """
    return {name: value for name, value in os.environ.items() if name != UNCOMPILED}


def run_job(job: str, options: dict) -> dict:
    """Do a job of jobs.py in a fresh process."""
    command = [sys.executable, "-W", "ignore", str(HERE / "jobs.py"), job, json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=as_installed())
    return json.loads(done.stdout)


def run_command(command: list[str]) -> dict:
    """Run a whole command and say what it took from start to end."""
    start = time.perf_counter()
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=as_installed(), **pipes) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        msg = f"{command} ended with {process.returncode}:\n{said.decode()}"
        raise RuntimeError(msg)
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall": wall, "cpu": cpu, "peak": usage.ru_maxrss * unit, "stages": {}}


def machine() -> dict[str, str]:
    """Say on what was measured."""
    processor = platform.processor() or platform.machine()
    info, memory = Path("/proc/cpuinfo"), "unknown"
    if info.is_file():
        names = [
            line.split(":")[1].strip() for line in info.open() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = f"{size / 2**30:.0f} GB"
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "memory": memory,
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def measured_on(script: str) -> str:
    """Say for a page where, when and by what it was measured."""
    about = "; ".join(f"{name} {value}" for name, value in machine().items())
    return f"Made by `python {script}` on {datetime.now(UTC):%Y-%m-%d}. Machine: {about}."
