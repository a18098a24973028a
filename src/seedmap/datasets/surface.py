"""Phantoms on surfaces and grayordinates, with the same planted correlations as the volume's.

They are simpler than `make_phantom`'s: no head jumps, and noise is alike in no two places.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.datasets.grayordinates import brain_models
from seedmap.datasets.layout import write_json, write_table
from seedmap.datasets.scan import SIGNAL
from seedmap.datasets.surface_files import write_cifti, write_labels, write_series, write_surfaces
from seedmap.datasets.timecourses import (
    confound_table,
    draw_motion,
    noise_covariance,
    planted_signals,
)
from seedmap.datasets.truth import REGIONS, PlantedRegion, planted_correlation
from seedmap.errors import OptionError
from seedmap.images import Mesh, Part, Surface
from seedmap.spatial import standard_surfaces

__all__ = [
    "PlantedRun",
    "SurfacePhantom",
    "make_grayordinate_phantom",
    "make_surface_phantom",
    "write_grayordinate_runs",
    "write_surface_runs",
]

FSAVERAGE5 = 10_242
BASE, PERCENT, CONFOUND = 10_000.0, 100.0, 20.0
PATCH = 12.0  # radius of a planted region [mm]
MIDLINE = 5.0  # regions nearer to the middle than this are planted in both hemispheres [mm]
# The right cerebellum goes with the left motor cortex.
CEREBELLUM = PlantedRegion("LMotor", "motor", (20, -56, -26))


@dataclass(frozen=True, eq=False)
class SurfacePhantom:
    """A run on surfaces or grayordinates, and what was planted in it."""

    func: list[Any]
    """One run: ``{"left": path, "right": path}``, or the path of a ``dtseries``."""

    confounds: list[Path]
    """One tab-separated table a run."""

    t_r: float
    """Repetition time, s."""

    description: str
    """What it is, in words."""

    surfaces: dict[str, Path]
    """Where the vertices lie, by hemisphere: ``.surf.gii`` files."""

    atlas: Any
    """The planted regions: ``.label.gii`` files by hemisphere, or a ``dlabel`` file."""

    regions: tuple[PlantedRegion, ...]
    """The planted regions, in the order of the labels, from 1."""

    correlation: NDArray[np.float64]
    """Planted correlations between the regions, shape (regions, regions)."""

    labels: NDArray[np.int64]
    """Region of each place from 1, 0 for none, shape (places,)."""

    folder: Path
    """Where all of it lies."""


def make_surface_phantom(
    out_dir: str | Path | None = None,
    *,
    n_frames: int = 168,
    t_r: float = 2.0,
    noise: float = 1.0,
    rng: int | np.random.Generator = 0,
) -> SurfacePhantom:
    """Make a run on fsaverage5: two GIFTI files, a table of confounds and an atlas.

    Parameters
    ----------
    out_dir
        Where to write; made if need be. None takes a fresh temporary folder.
    n_frames
        Frames of the run, at least 60.
    t_r
        Repetition time in s.
    noise
        Standard deviation of one vertex's noise, in percent of the mean.
    rng
        Source of chance.

    Returns
    -------
    SurfacePhantom

    Raises
    ------
    OptionError
        If the run would be too short to plant anything.
    OutputError
        If the files cannot be written.
    """
    folder = _folder(out_dir, n_frames)
    rng = np.random.default_rng(rng)
    run = _draw_run(rng, folder, n_frames, t_r)
    made = write_surface_runs(folder, [run], rng, noise)
    return SurfacePhantom(
        made.func,
        [_write_confounds(folder, run.table)],
        t_r,
        f"seedmap phantom on fsaverage5, {n_frames} frames",
        made.surfaces,
        made.atlas,
        REGIONS,
        planted_correlation(),
        made.labels,
        folder,
    )


def make_grayordinate_phantom(
    out_dir: str | Path | None = None,
    *,
    n_frames: int = 300,
    t_r: float = 0.72,
    noise: float = 1.0,
    rng: int | np.random.Generator = 0,
) -> SurfacePhantom:
    """Make a run of 91,282 grayordinates: a CIFTI ``dtseries``, a table, surfaces and an atlas.

    The counts of places are those of the Human Connectome Project; the places themselves are
    two ellipsoids and balls of voxels. Parameters are those of `make_surface_phantom`.

    Returns
    -------
    SurfacePhantom

    Raises
    ------
    OptionError
        If the run would be too short to plant anything.
    OutputError
        If the files cannot be written.
    """
    folder = _folder(out_dir, n_frames)
    rng = np.random.default_rng(rng)
    run = _draw_run(rng, folder, n_frames, t_r)
    made = write_grayordinate_runs(folder, [run], rng, noise)
    return SurfacePhantom(
        made.func,
        [_write_confounds(folder, run.table)],
        t_r,
        f"seedmap phantom of {made.labels.size:,} grayordinates, {n_frames} frames",
        made.surfaces,
        made.atlas,
        REGIONS,
        planted_correlation(),
        made.labels,
        folder,
    )


@dataclass(frozen=True, eq=False)
class PlantedRun:
    """What the forms of one run have in common."""

    folder: Path
    """Where its files lie."""

    entities: str
    """How their names begin."""

    signals: NDArray[np.float64]
    """Time courses of the planted regions, shape (frames, regions)."""

    table: Mapping[str, NDArray[np.float64]]
    """Confounds that are in the data, each of shape (frames,)."""

    t_r: float
    """Repetition time, s."""


@dataclass(frozen=True, eq=False)
class Written:
    """The files that runs on surfaces or grayordinates have together."""

    func: list[Any]
    """One run each: ``{"left": path, "right": path}``, or the path of a ``dtseries``."""

    surfaces: dict[str, Path]
    """Where the vertices lie, by hemisphere."""

    atlas: Any
    """The planted regions."""

    labels: NDArray[np.int64]
    """Region of each place from 1, 0 for none, shape (places,)."""


def write_surface_runs(
    folder: Path, runs: Sequence[PlantedRun], rng: np.random.Generator, noise: float = 1.0
) -> Written:
    """Write runs on fsaverage5, and into ``folder`` what they share: surfaces and an atlas."""
    parts = tuple(
        Part(side, "surface", np.arange(FSAVERAGE5), FSAVERAGE5) for side in ("left", "right")
    )
    surfaces = standard_surfaces(Mesh.whole(parts))
    mesh = Mesh.whole(parts).with_surfaces(surfaces)
    labels = _planted(mesh.all_coordinates(), np.repeat([-1, 1], FSAVERAGE5))
    wall = _medial_wall(mesh.all_coordinates())
    func = []
    for run in runs:
        series = _series(rng, labels, run, noise)
        series[:, wall] = 0
        paths = {}
        for side, span in mesh.slices.items():
            stem = f"{run.entities}_hemi-{side[0].upper()}_space-fsaverage5"
            paths[side] = run.folder / f"{stem}_bold.func.gii"
            write_series(paths[side], series[:, span], side)
            _write_bold_json(run, stem)
        func.append(paths)
    atlas = {side: folder / f"hemi-{side[0].upper()}_planted.label.gii" for side in mesh.slices}
    for side, span in mesh.slices.items():
        write_labels(atlas[side], labels[span], side)
    return Written(func, write_surfaces(folder, surfaces, "space-fsaverage5"), atlas, labels)


def write_grayordinate_runs(
    folder: Path, runs: Sequence[PlantedRun], rng: np.random.Generator, noise: float = 1.0
) -> Written:
    """Write runs of 91,282 grayordinates, and into ``folder`` what they share."""
    import nibabel as nib

    axis, surfaces = brain_models()
    labels = _planted(*_axis_places(axis, surfaces))
    func = []
    for run in runs:
        series, stem = _series(rng, labels, run, noise), f"{run.entities}_space-fsLR_den-91k"
        path = run.folder / f"{stem}_bold.dtseries.nii"
        time = nib.cifti2.SeriesAxis(0, run.t_r, len(series))
        write_cifti(path, series, (time, axis), "ConnDenseSeries")
        _write_bold_json(run, stem)
        func.append(path)
    table_of = {0: ("???", (0.0, 0.0, 0.0, 0.0))} | {
        index: (region.name, (index / 10, 0.5, 0.5, 1.0)) for index, region in enumerate(REGIONS, 1)
    }
    named, atlas = nib.cifti2.LabelAxis(["planted"], [table_of]), folder / "planted.dlabel.nii"
    write_cifti(atlas, labels[None].astype(np.float32), (named, axis), "ConnDenseLabel")
    return Written(func, write_surfaces(folder, surfaces, "space-fsLR_den-32k"), atlas, labels)


def _write_bold_json(run: PlantedRun, stem: str) -> None:
    write_json(run.folder / f"{stem}_bold.json", {"RepetitionTime": run.t_r, "TaskName": "rest"})


def _folder(out_dir: str | Path | None, n_frames: int) -> Path:
    if n_frames < 60:
        msg = f"n_frames={n_frames}; a surface phantom needs at least 60; give a larger number"
        raise OptionError(msg)
    folder = Path(out_dir if out_dir is not None else tempfile.mkdtemp(prefix="seedmap-phantom-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _axis_places(
    axis: Any, surfaces: dict[str, Surface]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Say where the places of an axis lie [mm], and on which side: -1, 1, or 0 for voxels."""
    places, sides = np.empty((len(axis), 3)), np.zeros(len(axis), dtype=np.int64)
    for name, span, model in axis.iter_structures():
        if model.surface_mask.all():
            side = "left" if name.endswith("LEFT") else "right"
            places[span] = surfaces[side].coordinates[model.vertex]
            sides[span] = -1 if side == "left" else 1
        else:
            places[span] = model.voxel @ axis.affine[:3, :3].T + axis.affine[:3, 3]
    return places, sides


def _planted(places: Array, sides: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each place near a region's coordinates its number, on the side that these are on."""
    labels = np.zeros(len(places), dtype=np.int64)
    both: tuple[int, ...] = (-1, 1)
    wanted = [(index, region, both) for index, region in enumerate(REGIONS, 1)]
    names = [region.name for region in REGIONS]
    wanted.append((names.index(CEREBELLUM.name) + 1, CEREBELLUM, (0,)))
    for index, region, where in wanted:
        x = region.coordinates[0]
        for side in where:
            own = np.flatnonzero((sides == side) & (side * x >= -MIDLINE))
            if not own.size:
                continue
            nearest = own[np.linalg.norm(places[own] - region.coordinates, axis=1).argmin()]
            patch = np.linalg.norm(places[own] - places[nearest], axis=1) <= PATCH
            labels[own[patch]] = index
    return labels


def _draw_run(rng: np.random.Generator, folder: Path, n_frames: int, t_r: float) -> PlantedRun:
    """Draw a run whose head does not jump."""
    table = confound_table(rng, draw_motion(rng, n_frames, t_r, 0), t_r, 0)
    columns = np.stack(list(table.values()), axis=1)
    keep = np.ones(n_frames, dtype=bool)
    tables = columns, np.zeros((n_frames, 0))
    signals = planted_signals(rng, planted_correlation(), tables, keep, t_r)
    return PlantedRun(folder, "sub-01_task-rest", signals, table, t_r)


def _series(
    rng: np.random.Generator, labels: NDArray[np.int64], run: PlantedRun, noise: float
) -> NDArray[np.float32]:
    """Draw the series of a run, (frames, places)."""
    columns = np.stack(list(run.table.values()), axis=1)
    steady = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    n_frames = len(run.signals)
    root = noise * PERCENT * np.linalg.cholesky(noise_covariance(n_frames, run.t_r))
    shape = (n_frames, labels.size)
    series: NDArray[np.float32] = root.astype(np.float32) @ rng.standard_normal(
        shape, dtype=np.float32
    )
    share = CONFOUND * rng.standard_normal((steady.shape[1], labels.size))
    series += (steady @ share).astype(np.float32)
    series += BASE
    for region in range(1, len(REGIONS) + 1):
        signal = SIGNAL * run.signals[:, [region - 1]]
        series[:, labels == region] += signal.astype(np.float32)
    return series


def _medial_wall(places: Array) -> NDArray[np.int64]:
    """Vertices of fsaverage5 that lie in no cortex, roughly: nilearn ships no list of them."""
    inner = (np.abs(places[:, 0]) < 14) & (np.linalg.norm(places[:, 1:] - [-8, 2], axis=1) < 16)
    return np.flatnonzero(inner)


def _write_confounds(folder: Path, table: Mapping[str, NDArray[np.float64]]) -> Path:
    path = folder / "sub-01_task-rest_desc-confounds_timeseries.tsv"
    write_table(path, table)
    return path
