"""What many tests share: the real data, if they are there, and tiny runs."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("seedmap", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("seedmap")


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data, which the project does not contain."""
    folder = os.environ.get("SEEDMAP_TEST_DATA")
    if not folder:
        pytest.skip("no real data: the environment variable SEEDMAP_TEST_DATA names no folder")
    if not Path(folder).is_dir():
        pytest.skip(f"no real data: SEEDMAP_TEST_DATA={folder} is not there")
    return Path(folder)


@contextmanager
def dask_process(what, *options):
    """Start a part of Dask as a process of its own, as a user would."""
    line = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(word) for word in line], **quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def dask():
    """Return what starts a scheduler or workers."""
    pytest.importorskip("distributed")
    return dask_process


@pytest.fixture(scope="module")
def scheduler(dask, tmp_path_factory):
    """Start a scheduler; return its address."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    with dask("scheduler", "--port", "0", "--scheduler-file", file):
        for _ in range(600):
            try:
                address = json.loads(file.read_text())["address"]
                break
            except (OSError, ValueError):
                time.sleep(0.1)
        else:
            pytest.fail("no scheduler came")
        yield address


@pytest.fixture(scope="session")
def workers_of():
    """Return what lists the processes that Dask's nannies started under a process."""

    def listed(pid):
        found = []
        for entry in Path("/proc").iterdir():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                line = (entry / "cmdline").read_text()
            except (OSError, IndexError):
                continue
            if status[1] == str(pid) and "spawn_main" in line:
                found.append(int(entry.name))
        return found

    return listed


@pytest.fixture
def tiny_run(tmp_path):
    """Make small runs: a noisy box of brain in a background of zeros, written as a file."""

    def make(
        name="run.nii.gz",
        *,
        shape=(7, 6, 5),
        frames=12,
        dtype=np.float32,
        slope=None,
        inter=0.0,
        affine=None,
        t_r=2.0,
        endian="<",
        image_class=nib.Nifti1Image,
        rng=0,
    ):
        random = np.random.default_rng(rng)
        box = np.zeros((*shape, frames))
        inside = (slice(2, -2), slice(2, -2), slice(2, -1))
        box[inside] = 100 + 15 * random.standard_normal(box[inside].shape)
        stored = np.clip(box.round(), 0, 255) if np.dtype(dtype).kind in "iu" else box
        if affine is None:
            affine = np.array([[4.0, 0, 0, -9], [0, 4, 0, -12], [0, 0, 4, -5], [0, 0, 0, 1]])
        stored = stored.astype(np.dtype(dtype).newbyteorder(endian))
        image = image_class(stored, affine, header=image_class.header_class(endianness=endian))
        image.header.set_data_dtype(stored.dtype)
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
        path = tmp_path / name
        if slope is not None:
            # with a slope in the header nibabel writes the values as they are
            image.header.set_slope_inter(slope, inter)
        nib.save(image, path)
        return path

    return make


PCC = (0, -52, 18)
MOTOR = (-40, -24, 56)
PEOPLE = 10
TWICE = "02"
LACKS_MOTOR = "06"
NAME = "sub-{label}_task-rest{run}_space-MNI152NLin2009cAsym_desc-6P_bold.zarr"


@dataclass(frozen=True)
class StoredStudy:
    """A folder of results with stored runs, and a table of the people.

    People differ; some lack samples, one the seed MOTOR, and one has two runs.
    """

    root: Path
    table: Path
    labels: tuple[str, ...]
    phantom: object

    @property
    def store(self):
        return self.root / "store"

    def path(self, label, run=""):
        return self.store / NAME.format(label=label, run=run and f"_run-{run}")


def store_run(path, func, mask, **method):
    """Store a run as studies do."""
    from seedmap import Sphere
    from seedmap.analysis.options import Inputs, Method
    from seedmap.analysis.pipeline import maps_of
    from seedmap.analysis.prepare import prepare, read
    from seedmap.analysis.stored import origin_facts
    from seedmap.spatial import Reading, extract
    from seedmap.store import write_stored

    prepared = prepare(Inputs(func, mask_img=mask), [Sphere("PCC", PCC)], Method(**method))
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=prepared.mask)
    facts = {
        **origin_facts(maps_of(prepared, smooth)),
        "file": func.name,
        "space": "MNI152NLin2009cAsym",
        "strategy": "6P",
    }
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)


def mask_without(mask, folder, label, place=None, above=None):
    """Write a mask that lacks a ball of 16 mm, or what lies higher than some mm."""
    image = nib.load(mask)
    inside = image.get_fdata() > 0
    mm = nib.affines.apply_affine(image.affine, np.argwhere(inside))
    gone = mm[:, 2] > above if place is None else np.linalg.norm(mm - place, axis=1) < 16
    inside[tuple(np.argwhere(inside)[gone].T)] = False
    path = folder / f"mask-{label}.nii.gz"
    nib.Nifti1Image(inside.astype(np.uint8), image.affine).to_filename(path)
    return path


def make_stored_study(folder, people=PEOPLE):
    """Write the study."""
    from seedmap.datasets import make_phantom

    phantom = make_phantom(
        folder / "phantom", n_subjects=people + 1, voxel_size=10, n_frames=100, rng=3
    )
    root = folder / "results"
    labels = tuple(f"{number + 1:02d}" for number in range(people))
    study = StoredStudy(root, folder / "participants.tsv", labels, phantom)
    study.store.mkdir(parents=True)
    whole = phantom.masks[0]
    masks = {
        "03": mask_without(whole, folder, "03", above=50),
        "04": mask_without(whole, folder, "04", above=62),
        LACKS_MOTOR: mask_without(whole, folder, LACKS_MOTOR, place=MOTOR),
    }
    for number, label in enumerate(labels):
        run = "1" if label == TWICE else ""
        store_run(study.path(label, run), phantom.func[number], masks.get(label, whole))
    store_run(study.path(TWICE, "2"), phantom.func[people], whole)
    random = np.random.default_rng(0)
    ages = random.normal(40, 10, people).round(1)
    rows = [
        f"sub-{label}\t{'patient' if n % 2 else 'control'}\t{age}"
        for n, (label, age) in enumerate(zip(labels, ages, strict=True))
    ]
    study.table.write_text("\n".join(["participant_id\tgroup\tage", *rows]) + "\n")
    return study


@pytest.fixture(scope="session")
def stored_study(tmp_path_factory):
    """Return a study that nobody changes."""
    return make_stored_study(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def own_stored_study(stored_study, tmp_path):
    """Return a copy of it without a pack, which a test may change."""
    shutil.copytree(
        stored_study.root, tmp_path / "results", ignore=shutil.ignore_patterns("group_*")
    )
    return replace(stored_study, root=tmp_path / "results")


@pytest.fixture
def make_run(stored_study, tmp_path):
    """Return what stores another run of the study, or one of voxels of another size."""

    def make(path, number, size=None, **method):
        phantom = stored_study.phantom
        if size is not None:
            from seedmap.datasets import make_phantom

            phantom, number = make_phantom(tmp_path / "other", voxel_size=size, n_frames=100), 0
        store_run(path, phantom.func[number], phantom.masks[0], **method)

    return make


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """A headless browser; without one the tests are skipped, but not in CI."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path, sync_playwright = None, None
    if path is None or sync_playwright is None:
        reason = "no Chromium, or no playwright: install both to test the page"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
