"""Surface and grayordinate files of phantoms, as GIFTI and CIFTI."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.datasets.truth import REGIONS
from seedmap.images import Surface, atomic_file

__all__ = ["write_cifti", "write_labels", "write_series", "write_surfaces"]

STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}


def write_surfaces(folder: Path, surfaces: dict[str, Surface], space: str) -> dict[str, Path]:
    """Write where the vertices lie, one GIFTI file a hemisphere."""
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


def write_series(path: Path, series: NDArray[np.float32], side: str) -> None:
    """Write the series (frames, vertices) of a hemisphere as GIFTI."""
    import nibabel as nib

    arrays = [
        nib.gifti.GiftiDataArray(frame, "NIFTI_INTENT_TIME_SERIES", "NIFTI_TYPE_FLOAT32")
        for frame in series
    ]
    _write_gifti(path, nib.gifti.GiftiImage(darrays=arrays), side)


def write_labels(path: Path, labels: NDArray[np.int64], side: str) -> None:
    """Write the region of each vertex (vertices,) of a hemisphere as GIFTI."""
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


def write_cifti(path: Path, values: NDArray[Any], axes: Any, intent: str) -> None:
    """Write a matrix as CIFTI: what its axes are, and the intent that says so."""
    import nibabel as nib

    image = nib.Cifti2Image(values, nib.cifti2.Cifti2Header.from_axes(axes))
    image.nifti_header.set_intent(intent)
    with atomic_file(path) as file:
        file.write(image.to_bytes())
