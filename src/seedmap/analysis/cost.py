"""What an analysis costs: memory and time, from numbers that are known before a run is read.

The constants are measured on two cores of a server of 2022, the memory with runs of 20,000 to
230,000 samples. Estimates of memory are meant as upper bounds, those of time as rough.
"""

from typing import Literal

from seedmap.images import Grayordinates, Grid, Space

__all__ = ["DRAWING", "Kind", "kind_of", "peak_memory", "run_seconds"]

Kind = Literal["volume", "surfaces", "grayordinates"]

# What a process takes beside its run [bytes]: Python and its libraries; those that draw, with
# their template; the volumes that are at work while a run is read; what smoothing along a surface
# takes, a sample; the copies of a series that exist while surface files are read; the matrices of
# frames by frames that a cleaning and its noise take; the maps that exist beside those of all
# seeds while one is written.
LIBRARIES, DRAWING, WORK_VOLUMES, SMOOTHING = 170e6, 290e6, 12, 1500.0
COPIES_READ = {"volume": 0, "surfaces": 3, "grayordinates": 1}
MATRICES, WRITTEN = 40, 10
# Reading and smoothing [bytes/s], matrix products [1/s a thread], and everything else [s].
READ_RATE, PRODUCT_RATE, START = 5e8, 6e10, 0.3


def kind_of(space: Space) -> Kind:
    """Say what the files of a run with this space hold."""
    if isinstance(space, Grid):
        return "volume"
    return "grayordinates" if isinstance(space, Grayordinates) else "surfaces"


def peak_memory(
    kind: Kind, frames: int, samples: int, *, volume: float, maps: int, copies: int = 1
) -> float:
    """Estimate the most memory that an analysis takes [bytes], without figures.

    Parameters
    ----------
    kind
        What the run's files hold.
    frames, samples
        Frames that are read, and voxels, vertices or both in the mask.
    volume
        Bytes of one volume as it is read; of no meaning for surfaces and grayordinates.
    maps
        Maps that exist at once: of each seed those of its measure and of its error bar.
    copies
        Copies of the extracted series that exist at once.
    """
    series = 4.0 * frames * samples
    at_work = WORK_VOLUMES * volume if kind == "volume" else SMOOTHING * samples
    return (
        LIBRARIES
        + (copies + COPIES_READ[kind]) * series
        + MATRICES * 8.0 * frames**2
        + at_work
        + 4.0 * samples * (maps + WRITTEN)
    )


def run_seconds(stored: float, products: float, n_jobs: int) -> float:
    """Estimate the time of reading and mapping [s] on a machine that is not busy.

    Parameters
    ----------
    stored
        Bytes of the run's values, inflated.
    products
        Multiplications and additions of the matrix products.
    n_jobs
        Threads.
    """
    return START + stored / READ_RATE + products / (PRODUCT_RATE * n_jobs)
