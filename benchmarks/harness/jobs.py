"""The work that is measured, each job in a fresh process that prints what it took as JSON.

    python benchmarks/harness/jobs.py JOB '{"bold": ..., "confounds": ...}'

Before the clock starts, a job does the same work on a run of a few thousand voxels: imports and
whatever happens only once are over then, on both sides alike, and are reported apart.
"""

import json
import mmap
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PCC = (0, -52, 18)
RADIUS = 8
# Seconds after which a machine has taken back what an ended process has left.
RETURNED = 4


class Clock:
    """Seconds by name."""

    def __init__(self):
        self.stages = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a ``with`` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start

    def timed(self, name: str, function: Callable) -> Callable:
        """Let a function add its time to a stage."""

        def wrapped(*args, **kwargs):
            with self.stage(name):
                return function(*args, **kwargs)

        return wrapped


def peak_bytes() -> int:
    """Return the largest resident size of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # unlike ru_maxrss it does not begin with the parent's size
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def floor(clock: Clock, options: dict) -> dict:
    """Inflate the file and do nothing with it: no reader can be faster."""
    from isal import igzip

    buffer = memoryview(bytearray(options["frame_bytes"]))
    with clock.stage("read"), igzip.open(options["bold"], "rb") as file:
        while file.readinto(buffer):
            pass
    return {}


def nilearn(clock: Clock, options: dict) -> dict:
    """Do the work of nilearn's seed-to-voxel example: both maskers and the correlation."""
    import numpy as np
    from nilearn.maskers import NiftiMasker, NiftiSpheresMasker, base_masker

    cleaning = {
        "detrend": True,
        "standardize": "zscore_sample",
        "standardize_confounds": True,
        "low_pass": 0.1,
        "high_pass": 0.01,
        "t_r": 2,
    }
    points = options["points"]
    clean, smooth = base_masker.clean, base_masker.smooth_img
    base_masker.clean = clock.timed("clean", clean)
    base_masker.smooth_img = clock.timed("smooth", smooth)
    seeds = NiftiSpheresMasker(points, radius=RADIUS, allow_overlap=len(points) > 1, **cleaning)
    brain = NiftiMasker(smoothing_fwhm=6, **cleaning)
    with clock.stage("maskers"):
        seed_series = seeds.fit_transform(options["bold"], confounds=[options["confounds"]])
        series = brain.fit_transform(options["bold"], confounds=[options["confounds"]])
    with clock.stage("correlate"):
        r = np.dot(series.T, seed_series) / seed_series.shape[0]
        assert np.isfinite(np.arctanh(r)).all()
    base_masker.clean, base_masker.smooth_img = clean, smooth
    maskers = clock.stages.pop("maskers")
    clock.stages["read, mask"] = maskers - clock.stages["clean"] - clock.stages.get("smooth", 0.0)
    return {"voxels": series.shape[1], "r": float(r.max())}


def seedmap(clock: Clock, options: dict) -> dict:
    """Do the same with seedmap: ``seed_maps`` in the steps that it consists of."""
    import numpy as np

    from seedmap.analysis.options import Inputs, Limits, Method
    from seedmap.analysis.pipeline import maps_of
    from seedmap.analysis.prepare import prepare, read

    seeds = seed_objects(options)
    with clock.stage("prepare"):
        inputs = Inputs(options["bold"], confounds=options["confounds"])
        method = Method(uncertainty=options.get("uncertainty"))
        prepared = prepare(inputs, seeds, method, Limits(n_jobs=options.get("n_jobs")))
    with clock.stage("read, smooth"):
        extracted = read(prepared, for_one_use=True)
    with clock.stage("clean, correlate"):
        maps = maps_of(prepared, extracted)
        if len(seeds) == 1:
            assert np.isfinite(maps.fisherz).all()
    return {"voxels": maps.r.shape[1], "r": float(maps.r[0].max())}


def touch(clock: Clock, options: dict) -> dict:
    """Write once to each page of as much memory as the maps take, in two threads.

    What a machine takes to provide memory is part of what many maps cost, whoever makes them.
    """
    from concurrent.futures import ThreadPoolExecutor

    import nibabel as nib
    import numpy as np

    voxels = int(np.count_nonzero(np.asarray(nib.load(options["mask"]).dataobj)))
    time.sleep(RETURNED)
    maps = np.empty((options.get("seeds", 1), voxels), dtype=np.float32)
    pages = np.array_split(maps.reshape(-1)[:: mmap.PAGESIZE // 4], 2)
    with clock.stage("touch"), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda some: some.fill(0), pages))
    return {"voxels": voxels}


def apart(clock: Clock, options: dict) -> dict:
    """Do the steps of seedmap one after the other, in one thread, each with its own time."""
    from dataclasses import replace

    from seedmap.analysis.options import Inputs, Limits, Method
    from seedmap.analysis.pipeline import maps_of
    from seedmap.analysis.prepare import prepare, read
    from seedmap.connectivity.correlation import in_blocks
    from seedmap.report import write_report

    inputs = Inputs(options["bold"], confounds=options["confounds"])
    method = Method(uncertainty=None)
    prepared = prepare(inputs, seed_objects(options), method, Limits(n_jobs=1))
    with clock.stage("read"):
        frames = all_frames(prepared.run)
    with clock.stage("smooth"):
        extracted = read(replace(prepared, run=held(prepared.run, frames)))
    del frames
    cleaner = prepared.operator.cleaner(extracted.reference)
    with clock.stage("clean"):
        in_blocks(lambda p: cleaner.clean(p, extracted.series[:, p]), extracted.grid.n_samples)
    with clock.stage("correlate"):
        maps = maps_of(prepared, extracted)
    clock.stages["correlate"] = max(clock.stages["correlate"] - clock.stages["clean"], 0.0)
    with clock.stage("write"):
        maps.save(options["out"])
    with clock.stage("figures"):
        write_report(maps, options["out"])
    return {}


def all_frames(run):
    """Read a run into memory as it is stored, (x, y, z, frames)."""
    import numpy as np

    frames = np.empty((*run.space.shape, run.frames), dtype=run.dtype, order="F")
    with run.stream() as stream:
        while (frame := stream.take()) is not None:
            frames[..., frame.index] = frame.values
            stream.give_back(frame)
    return frames


def held(run, frames):
    """Return a run whose frames are in memory."""
    from dataclasses import replace

    from seedmap.images.streams import LoadedFrames

    return replace(run, _open=lambda wanted: LoadedFrames(lambda at: frames[..., at], wanted))


def with_points(options: dict) -> dict:
    """Add the centres of the seeds to the options."""
    return {**options, "points": seed_points(options)}


def seed_points(options: dict) -> list[tuple[float, float, float]]:
    """Choose the centres of the seeds: the PCC, or as many as wanted spread over the brain."""
    count = options.get("seeds", 1)
    if count == 1:
        return [PCC]
    import nibabel as nib
    import numpy as np

    mask = nib.load(options["mask"])
    inside = np.argwhere(np.asarray(mask.dataobj) > 0)
    chosen = inside[np.linspace(0, len(inside) - 1, count).astype(int)]
    return [tuple(point) for point in nib.affines.apply_affine(mask.affine, chosen).tolist()]


def seed_objects(options: dict) -> list:
    """Put spheres around the centres."""
    from seedmap.seeds import Sphere

    points = options["points"]
    return [Sphere(f"seed{index}", tuple(point), RADIUS) for index, point in enumerate(points)]


JOBS = {"floor": floor, "nilearn": nilearn, "seedmap": seedmap, "apart": apart, "touch": touch}


def measure(name: str, options: dict) -> dict:
    """Do a job and say what it took."""
    job, warm_up = JOBS[name], options.pop("warm_up", None)
    start = time.perf_counter()
    if warm_up:
        job(Clock(), with_points({**options, **warm_up}))
    options = with_points(options)
    first, peak_before = time.perf_counter() - start, peak_bytes()
    clock, cpu, start = Clock(), time.process_time(), time.perf_counter()
    facts = job(clock, options)
    return {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak": peak_bytes(),
        "imports": first,
        "peak_before": peak_before,
        "stages": clock.stages,
        "facts": facts,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], json.loads(sys.argv[2]))))
