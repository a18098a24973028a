"""Phantoms on surfaces and grayordinates, with the same planted correlations as the volume's.

They are simpler than `make_phantom`'s: no head jumps, and noise is alike in no two places.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._checks import Array
from seedmap.datasets.grayordinates import brain_models
from seedmap.datasets.layout import write_json, write_table
from seedmap.datasets.scan import SIGNAL
from seedmap.datasets.timecourses import (
    MOTION,
    confound_table,
    draw_motion,
    noise_covariance,
    planted_signals,
)
from seedmap.datasets.truth import REGIONS, PlantedRegion, planted_correlation
from seedmap.errors import OptionError
from seedmap.images import Mesh, Part, Surface, atomic_file
from seedmap.spatial import standard_surfaces

__all__ = ["SurfacePhantom", "make_grayordinate_phantom", "make_surface_phantom"]

FSAVERAGE5 = 10_242
BASE, PERCENT, CONFOUND = 10_000.0, 100.0, 20.0
PATCH = 12.0  # radius of a planted region [mm]
MIDLINE = 5.0  # regions nearer to the middle than this are planted in both hemispheres [mm]
STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}
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
    parts = tuple(
        Part(side, "surface", np.arange(FSAVERAGE5), FSAVERAGE5) for side in ("left", "right")
    )
    surfaces = standard_surfaces(Mesh.whole(parts))
    mesh = Mesh.whole(parts).with_surfaces(surfaces)
    labels = _planted(mesh.all_coordinates(), np.repeat([-1, 1], FSAVERAGE5))
    series, table = _series(np.random.default_rng(rng), labels, n_frames, t_r, noise)
    func, atlas = {}, {}
    for side, span in mesh.slices.items():
        stem = f"sub-01_task-rest_hemi-{side[0].upper()}_space-fsaverage5"
        func[side] = folder / f"{stem}_bold.func.gii"
        _write_series(func[side], series[:, span], side)
        write_json(folder / f"{stem}_bold.json", {"RepetitionTime": t_r, "TaskName": "rest"})
        atlas[side] = folder / f"hemi-{side[0].upper()}_planted.label.gii"
        _write_labels(atlas[side], labels[span], side)
    return SurfacePhantom(
        [func],
        [_write_confounds(folder, table)],
        t_r,
        f"seedmap phantom on fsaverage5, {n_frames} frames",
        _write_surfaces(folder, surfaces, "space-fsaverage5"),
        atlas,
        REGIONS,
        planted_correlation(),
        labels,
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
    import nibabel as nib

    folder = _folder(out_dir, n_frames)
    axis, surfaces = brain_models()
    places, sides = _axis_places(axis, surfaces)
    labels = _planted(places, sides)
    series, table = _series(np.random.default_rng(rng), labels, n_frames, t_r, noise)
    stem = "sub-01_task-rest_space-fsLR_den-91k"
    bold, atlas = folder / f"{stem}_bold.dtseries.nii", folder / "planted.dlabel.nii"
    time = nib.cifti2.SeriesAxis(0, t_r, n_frames)
    _write_cifti(bold, series, (time, axis), "ConnDenseSeries")
    write_json(folder / f"{stem}_bold.json", {"RepetitionTime": t_r, "TaskName": "rest"})
    table_of = {0: ("???", (0.0, 0.0, 0.0, 0.0))} | {
        index: (region.name, (index / 10, 0.5, 0.5, 1.0)) for index, region in enumerate(REGIONS, 1)
    }
    named = nib.cifti2.LabelAxis(["planted"], [table_of])
    _write_cifti(atlas, labels[None].astype(np.float32), (named, axis), "ConnDenseLabel")
    return SurfacePhantom(
        [bold],
        [_write_confounds(folder, table)],
        t_r,
        f"seedmap phantom of {len(axis):,} grayordinates, {n_frames} frames",
        _write_surfaces(folder, surfaces, "space-fsLR_den-32k"),
        atlas,
        REGIONS,
        planted_correlation(),
        labels,
        folder,
    )


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


def _series(
    rng: np.random.Generator, labels: NDArray[np.int64], n_frames: int, t_r: float, noise: float
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float64]]]:
    """Draw the run, (frames, places), and the confounds that are in it."""
    motion = draw_motion(rng, n_frames, t_r, 0)
    table = confound_table(rng, motion, t_r, 0)
    columns = np.stack(list(table.values()), axis=1)
    keep = np.ones(n_frames, dtype=bool)
    tables = columns, np.zeros((n_frames, 0))
    signals = planted_signals(rng, planted_correlation(), tables, keep, t_r)
    steady = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    root = noise * PERCENT * np.linalg.cholesky(noise_covariance(n_frames, t_r))
    shape = (n_frames, labels.size)
    series = root.astype(np.float32) @ rng.standard_normal(shape, dtype=np.float32)
    share = CONFOUND * rng.standard_normal((len(MOTION) + 3, labels.size))
    series += (steady @ share).astype(np.float32)
    series += BASE
    for region in range(1, len(REGIONS) + 1):
        series[:, labels == region] += SIGNAL * signals[:, [region - 1]].astype(np.float32)
    if labels.size == 2 * FSAVERAGE5:
        series[:, _medial_wall()] = 0
    return series, table


def _medial_wall() -> NDArray[np.int64]:
    """Vertices of fsaverage5 that lie in no cortex, roughly: nilearn ships no list of them."""
    parts = tuple(
        Part(side, "surface", np.arange(FSAVERAGE5), FSAVERAGE5) for side in ("left", "right")
    )
    places = Mesh.whole(parts).with_surfaces(standard_surfaces(Mesh.whole(parts))).all_coordinates()
    inner = (np.abs(places[:, 0]) < 14) & (np.linalg.norm(places[:, 1:] - [-8, 2], axis=1) < 16)
    return np.flatnonzero(inner)


def _write_confounds(folder: Path, table: dict[str, NDArray[np.float64]]) -> Path:
    path = folder / "sub-01_task-rest_desc-confounds_timeseries.tsv"
    write_table(path, table)
    return path


def _write_surfaces(folder: Path, surfaces: dict[str, Surface], space: str) -> dict[str, Path]:
    import nibabel as nib

    paths = {}
    for side, surface in surfaces.items():
        arrays = [
            nib.gifti.GiftiDataArray(
                surface.coordinates.astype(np.float32),
                "NIFTI_INTENT_POINTSET",
                "NIFTI_TYPE_FLOAT32",
            ),
            nib.gifti.GiftiDataArray(
                surface.triangles.astype(np.int32), "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32"
            ),
        ]
        arrays[0].meta.update(
            {
                "AnatomicalStructurePrimary": STRUCTURES[side],
                "AnatomicalStructureSecondary": "MidThickness",
                "GeometricType": "Anatomical",
            }
        )
        paths[side] = folder / f"hemi-{side[0].upper()}_{space}_midthickness.surf.gii"
        _write_gifti(paths[side], nib.gifti.GiftiImage(darrays=arrays), side)
    return paths


def _write_series(path: Path, series: NDArray[np.float32], side: str) -> None:
    import nibabel as nib

    arrays = [
        nib.gifti.GiftiDataArray(frame, "NIFTI_INTENT_TIME_SERIES", "NIFTI_TYPE_FLOAT32")
        for frame in series
    ]
    _write_gifti(path, nib.gifti.GiftiImage(darrays=arrays), side)


def _write_labels(path: Path, labels: NDArray[np.int64], side: str) -> None:
    import nibabel as nib

    table = nib.gifti.GiftiLabelTable()
    for key, name in enumerate(["???", *(region.name for region in REGIONS)]):
        label = nib.gifti.GiftiLabel(key, key / 10, 0.5, 0.5, float(key > 0))
        label.label = name
        table.labels.append(label)
    array = nib.gifti.GiftiDataArray(
        labels.astype(np.int32), "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32"
    )
    _write_gifti(path, nib.gifti.GiftiImage(darrays=[array], labeltable=table), side)


def _write_gifti(path: Path, image: Any, side: str) -> None:
    image.meta["AnatomicalStructurePrimary"] = STRUCTURES[side]
    with atomic_file(path) as file:
        file.write(image.to_bytes())


def _write_cifti(path: Path, values: NDArray[Any], axes: Any, intent: str) -> None:
    import nibabel as nib

    image = nib.Cifti2Image(values, nib.cifti2.Cifti2Header.from_axes(axes))
    image.nifti_header.set_intent(intent)
    with atomic_file(path) as file:
        file.write(image.to_bytes())
