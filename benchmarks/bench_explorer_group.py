"""How fast the explorer of a group answers: from a click to the numbers, and beside its floor.

Packs of noise stand for studies: for a map only their size matters. The model has three columns, and
at 5 % of the samples somebody is absent. Every click is a new seed: a sphere of 8 mm, averaged in
every run, multiplied with the samples, made Fisher transforms and tested.

The floor is the bare product of as many bytes, one participant after the other, as NumPy's BLAS does it:
the memory's speed. *Kernel* is our product of 16-bit numbers in the order of the pack, *answer* all that
belongs to a map; these three in one thread. *Slices* and *all* are over HTTP with all threads, from the
request to the numbers.

    python benchmarks/bench_explorer_group.py [--clicks 15] [--cases 2] [--page FILE]
"""

import argparse
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from harness.fresh import measured_on
from threadpoolctl import threadpool_limits

from seedmap import Sphere
from seedmap.connectivity.packed import compile_products, packed_products
from seedmap.datasets.anatomy import affine_of, load_anatomy
from seedmap.explorer import Explorer, GroupSession, ServerOptions
from seedmap.explorer.command import GroupCommand
from seedmap.explorer.engine.group import AT_ONCE, LiveGroup
from seedmap.explorer.engine.model import GroupModel
from seedmap.group import Question
from seedmap.group.people import Choice, Member
from seedmap.group.tables import People
from seedmap.images import Grid
from seedmap.parallel import core_count
from seedmap.store import Pack, PackedRun

# People, samples, coordinates, voxel size [mm], bits, and the medians that are promised [ms]: slices, all.
CASES = (
    (100, 32_000, 64, 4.0, 16, 15, 60),
    (100, 69_000, 64, 3.0, 16, 20, 110),
    (100, 230_000, 64, 2.0, 16, 40, 350),
    (1000, 32_000, 64, 4.0, 8, 50, 400),
)
ABSENT = 0.05
WARM_UP = 3
PAUSE = 0.05  # s between clicks
RADIUS = 8.0
MODEL, CONTRASTS = "group + age", ("mean", "a - b", "age")

HEAD = (
    "| people x samples x coordinates | MB | floor ms | kernel ms (x floor) | answer ms (x floor) "
    "| slices ms | all ms | promised |\n|:--|--:|--:|--:|--:|--:|--:|--:|"
)


def noise_pack(people, samples, numbers, voxel_size, bits=16):
    """Return a pack of noise on the phantom's brain."""
    brain = load_anatomy(voxel_size).brain.copy()
    places = np.flatnonzero(brain)
    brain.ravel()[places[samples:]] = False
    space, rng = Grid(affine_of(voxel_size), brain), np.random.default_rng(0)
    shape = (space.n_samples, people)
    smooth = np.empty((*shape, numbers), f"int{bits}")
    most = 9000 if bits == 16 else 70
    for at in range(0, len(smooth), 1000):
        part = smooth[at : at + 1000]
        part[:] = rng.integers(-most, most + 1, part.shape, smooth.dtype)
    scale = np.full(shape, np.sqrt(3 / numbers) / most, np.float32)
    some = rng.permutation(len(smooth))[: int(ABSENT * len(smooth))]
    groups = rng.random((40, people)) > 0.1  # absence follows a few patterns, as of masks
    scale[some] *= groups[rng.integers(0, len(groups), some.size)]
    runs = tuple(PackedRun(f"{n}", "", f"{n:04d}", numbers, numbers, 168) for n in range(people))
    has = scale > 0
    facts = {"smoothing_fwhm": 6.0, "cleaning": {}, "file": "", "codes": (4, 4)}
    # Seeds are the mean of the same numbers: a second copy would only take memory.
    return Pack(Path("noise"), space, runs, smooth, scale, smooth, scale, has, None, facts, None)


def model_of(pack):
    """Return a model of three columns for the people of a pack."""
    rng = np.random.default_rng(1)
    rows = {
        run.person: {"group": "ab"[n % 2], "age": f"{age:.1f}"}
        for n, (run, age) in enumerate(
            zip(pack.runs, rng.normal(40, 10, len(pack.runs)), strict=True)
        )
    }
    question = Question(seed="", model=MODEL, contrasts=CONTRASTS, inference=None)
    members = [Member(run.person, ()) for run in pack.runs]
    return GroupModel(members, question, People(rows, ("group", "age"), "noise"))


def places(count):
    """Return places of seeds in the brain."""
    rng = np.random.default_rng(2)
    return [(*rng.uniform((-40, -70), (40, 35)).round(1).tolist(), 20.0) for _ in range(count)]


def median_ms(work, clicks):
    """Return the median time [ms] of some work for each click, after a few that do not count."""
    times = []
    for number in range(clicks + WARM_UP):
        time.sleep(PAUSE)
        started = time.perf_counter()
        work(number)
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times[WARM_UP:]))


def in_one_thread(pack, clicks):
    """Return the floor, and the times of our kernel and of a whole answer [ms]."""
    samples, people, numbers = pack.smooth.shape
    rng = np.random.default_rng(3)
    seeds, r = (
        rng.standard_normal((people, numbers), dtype=np.float32),
        np.empty(samples, np.float32),
    )
    part = people * pack.smooth.itemsize // 4  # as many bytes
    half = [rng.standard_normal((samples, numbers), dtype=np.float32) for _ in range(part)]

    def bare(_number):
        for one, seed in zip(half, seeds, strict=False):
            np.dot(one, seed, out=r)

    def kernel(_number):
        for at in range(0, samples, AT_ONCE):
            which = np.arange(at, min(at + AT_ONCE, samples))
            packed_products(pack.smooth, pack.smooth_scale, seeds, which)

    live, chosen = LiveGroup(pack, model_of(pack)), places(clicks + WARM_UP)
    with threadpool_limits(1, user_api="blas"):
        floor, ours = median_ms(bare, clicks), median_ms(kernel, clicks)
        half.clear()
        whole = median_ms(lambda n: live.maps(Sphere("s", chosen[n], RADIUS), n % 3), clicks)
    live.close()
    return floor, ours, whole


class Client:
    """Asks over one connection, as a page does."""

    def __init__(self, explorer):
        self.line, self.cookie = HTTPConnection("127.0.0.1", explorer.port), {}
        headers = self.get("/?" + explorer.url.partition("?")[2])
        self.cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}

    def get(self, path):
        """Read an answer; return its headers."""
        self.line.request("GET", path, headers=self.cookie)
        answer = self.line.getresponse()
        answer.read()
        if answer.status != 200:
            msg = f"{path}: {answer.status}"
            raise RuntimeError(msg)
        return answer.headers


def over_http(pack, clicks):
    """Return the times from a request to the numbers [ms]: of slices, and of all samples."""
    live = LiveGroup(pack, model_of(pack), n_jobs=core_count())
    folder = Path(tempfile.mkdtemp())
    command = GroupCommand(str(folder), live.model.question)
    session = GroupSession(live, folder, Choice(""), folder, command)
    with Explorer(session, ServerOptions()).start() as explorer:
        client, found = Client(explorer), []
        for part in ("slices", "all"):
            chosen = places(clicks + WARM_UP)

            def click(number, part=part, chosen=chosen):
                (x, y, z), asked = chosen[number], {"part": part, "n": number, "w": part}
                place = {"x": x, "y": y, "z": z, "radius": RADIUS, "ax": x, "ay": y, "az": z}
                query = urlencode({**place, **asked, "contrast": number % 3})
                client.get(f"/api/group/map?{query}")

            found.append(median_ms(click, clicks))
    return found


def table(clicks, cases=None):
    """Yield the rows of the table."""
    yield HEAD
    for people, samples, numbers, voxel_size, bits, *promised in CASES[:cases]:
        pack = noise_pack(people, samples, numbers, voxel_size, bits)
        compile_products(pack.smooth.dtype)
        floor, kernel, whole = in_one_thread(pack, clicks)
        slices, every = over_http(pack, clicks)
        cells = [
            f"{people} x {pack.space.n_samples:,} x {numbers}, {pack.smooth.dtype}",
            f"{pack.smooth.nbytes / 1e6:,.0f}",
            f"{floor:.0f}",
            f"{kernel:.0f} ({kernel / floor:.1f})",
            f"{whole:.0f} ({whole / floor:.1f})",
            f"{slices:.1f}",
            f"{every:.0f}",
            " / ".join(map(str, promised)),
        ]
        yield "| " + " | ".join(cells) + " |"
        del pack


def section(rows):
    """Write the rows as a section of the page."""
    about = __doc__.partition("\n\n")[2].partition("\n\n    python")[0]
    made = measured_on("benchmarks/bench_explorer_group.py")
    return f"## A group\n\n{about}\n\n" + "\n".join(rows) + f"\n\n{made}\n"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=15)
    parser.add_argument("--cases", type=int, default=len(CASES))
    parser.add_argument("--page", type=Path, help="write the section here, as Markdown")
    options, rows = parser.parse_args(), []
    for row in table(options.clicks, options.cases):
        rows.append(row)
        print(row, flush=True)
    if options.page:
        options.page.write_text(section(rows))


if __name__ == "__main__":
    main()
