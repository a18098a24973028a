"""Where the phantom's files lie, and how each is written.

Two layouts: ``"run"`` puts all files into one folder; ``"bids"`` makes a small derivative folder
as fMRIPrep does, with one folder a subject (and session). A file is written under a temporary
name and renamed when complete, so an interrupted run leaves no half file behind.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OutputError
from seedmap.images import atomic_file

__all__ = [
    "Dataset",
    "Dtype",
    "Layout",
    "RunFiles",
    "name_runs",
    "write_json",
    "write_nifti",
    "write_table",
    "write_text",
]

Layout = Literal["run", "bids"]
Dtype = Literal["float32", "int16"]

SPACE = "MNI152NLin2009cAsym"
MNI = 4  # the NIfTI code for "aligned to the MNI152 template"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Runs and their confounds: what every maker or fetcher of data answers with."""

    func: list[Path]
    """One 4-D image a run."""

    confounds: list[Path]
    """One tab-separated table with a header a run, in the order of ``func``."""

    t_r: float
    """Repetition time, s."""

    description: str
    """Where the data come from, in words."""


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, and whose they are."""

    folder: Path
    """Where they all lie."""

    entities: str
    """Subject, session, task and run, as the names begin."""

    res: str
    """The label of the resolution."""

    subject: str
    """The subject's label, with its ``sub-``."""

    session: str | None
    """The session's label, with its ``ses-``; None where there is only one."""

    @property
    def bold(self) -> Path:
        """The 4-D image."""
        return self._volume("desc-preproc_bold.nii.gz")

    @property
    def bold_json(self) -> Path:
        """What accompanies the image: repetition time and task."""
        return self._volume("desc-preproc_bold.json")

    @property
    def mask(self) -> Path:
        """The brain mask."""
        return self._volume("desc-brain_mask.nii.gz")

    @property
    def confounds(self) -> Path:
        """The table of confounds."""
        return self.folder / f"{self.entities}_desc-confounds_timeseries.tsv"

    def _volume(self, end: str) -> Path:
        return self.folder / f"{self.entities}_space-{SPACE}_res-{self.res}_{end}"


def name_runs(
    folder: Path, layout: Layout, counts: tuple[int, int, int], voxel_size: float
) -> list[RunFiles]:
    """Name the files of ``counts = (subjects, sessions, runs)``, subjects slowest.

    Sessions and runs are named only where there is more than one.
    """
    subjects, sessions, runs = counts
    res = f"{voxel_size:g}".replace(".", "p")
    found = []
    for index in range(subjects * sessions * runs):
        of_subject, run = divmod(index, runs)
        subject, session = divmod(of_subject, sessions)
        sub = f"sub-{subject + 1:02d}"
        ses = f"ses-{session + 1:02d}" if sessions > 1 else None
        number = f"run-{run + 1}" if runs > 1 else None
        entities = "_".join(part for part in (sub, ses, "task-rest", number) if part)
        place = folder / sub / (ses or "") / "func" if layout == "bids" else folder
        found.append(RunFiles(place, entities, res, sub, ses))
    return found


def write_nifti(
    path: Path,
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    frames: NDArray[np.floating] | NDArray[np.integer],
    t_r: float | None = None,
) -> None:
    """Write samples into a compressed image, volume after volume; 0 outside the brain.

    Parameters
    ----------
    path
        Ends in ``.nii.gz``.
    brain
        Where the samples lie, in C order; shape of the grid.
    affine
        From voxel indices to mm in MNI space, shape (4, 4).
    frames
        Shape (frames, samples), in the type to be written.
    t_r
        Repetition time in s; None writes the first frame as a 3-D image.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import nibabel as nib
    from isal import igzip

    header = nib.Nifti1Header()
    header.set_data_dtype(frames.dtype)
    header.set_data_shape(brain.shape if t_r is None else (*brain.shape, len(frames)))
    header.set_qform(affine, code=MNI)
    header.set_sform(affine, code=MNI)
    header.set_xyzt_units("mm", "sec")
    if t_r is not None:
        header["pixdim"][4] = t_r
    header["scl_slope"] = 0  # the standard's way to say that values are stored unscaled
    header["scl_inter"] = 0
    header["descrip"] = b"seedmap phantom"
    header["vox_offset"] = 352
    volume = np.zeros(brain.shape, dtype=frames.dtype)
    with (
        _complete(path) as file,
        igzip.IGzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed,
    ):
        packed.write(header.binaryblock + b"\0\0\0\0")
        for samples in frames if t_r is not None else frames[:1]:
            volume[brain] = samples
            packed.write(volume.tobytes(order="F"))


def write_table(path: Path, table: Mapping[str, NDArray[np.float64]]) -> None:
    """Write columns as tab-separated text with a header; NaN becomes ``n/a``."""
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    lines = ["\t".join("n/a" if np.isnan(x) else f"{x:.12g}" for x in row) for row in rows]
    write_text(path, "\n".join(["\t".join(table), *lines, ""]))


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file, indented."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with _complete(path) as file:
        file.write(text.encode())


@contextmanager
def _complete(path: Path) -> Iterator[BinaryIO]:
    """Make the folder if need be, and open a file that takes its name only when complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"{path.parent}: cannot be made ({error.strerror}); a folder for the data set was "
            "wanted; choose another one"
        )
        raise OutputError(msg) from error
    with atomic_file(path) as file:
        yield file
