"""What the tests of the command line share: a tiny run, and two ways to call seedmap."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_phantom

SEED = ("--seed", "PCC=0,-52,18")


class Done(NamedTuple):
    """What a call left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Maker:
    """Makes images on the grid of the tiny run."""

    def __init__(self, image: Any, folder: Path) -> None:
        self.affine, self.folder = image.affine, folder
        self.data = np.asarray(image.dataobj)
        self.data.setflags(write=False)

    def __call__(self, name: str, values: Any, *, t_r: float = 2.0, affine: Any = None) -> Path:
        image = nib.Nifti1Image(values, self.affine if affine is None else affine)
        if values.ndim == 4:
            image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
            image.header.set_xyzt_units("mm", "sec")
        nib.save(image, self.folder / name)
        return self.folder / name


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A run of 100 frames of 12 mm voxels, with its mask, table, JSON and atlas."""
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=100)


@pytest.fixture
def bold(phantom):
    return phantom.func[0]


@pytest.fixture
def save(phantom, tmp_path):
    """Return what saves arrays as images on the tiny run's grid."""
    return Maker(nib.load(phantom.func[0]), tmp_path)


@pytest.fixture
def call(capsys):
    """Return what runs a command line in this process."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def process():
    """Return what runs ``python -m seedmap`` as a process of its own."""

    def run(*arguments: object, cwd: Path | None = None, **options: Any) -> Done:
        done = subprocess.run(
            command(arguments),
            cwd=cwd,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            **options,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def started():
    """Return what starts ``python -m seedmap`` and does not wait for it."""

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(arguments),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


def command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "seedmap", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Where one process runs beside others, one thread each is enough."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
