"""Maps as images of the run's own kind: volumes, surfaces or grayordinates."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OptionError
from seedmap.images.cifti import cifti_bytes, cifti_image
from seedmap.images.parts import Grayordinates, Mesh
from seedmap.images.run import Space
from seedmap.images.space import Grid
from seedmap.images.write import MapKind, atomic_file, volume_image, write_volume

__all__ = ["map_image", "write_map"]

STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}


def map_image(
    values: NDArray[Any], space: Space, kind: MapKind, codes: tuple[int, int] = (2, 0)
) -> Any:
    """Return a map (samples,) as an image: 0 outside the mask.

    A nibabel volume for a `Grid`, a CIFTI image for `Grayordinates`, and nilearn's
    ``SurfaceImage`` for a `Mesh`.

    Raises
    ------
    OptionError
        If a mesh does not know where its vertices lie, which a ``SurfaceImage`` must.
    """
    row = space.unmask(values)
    if isinstance(space, Grid):
        return volume_image(row, space, kind=kind, codes=codes)
    if isinstance(space, Grayordinates):
        return cifti_image(row, space, kind.description)
    from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage

    meshes, series = {}, {}
    for part in space.parts:
        if part.surface is None:
            msg = (
                f"where the vertices of the {part.name} surface lie is not known, and an image needs "
                "it; give surfaces= to seed_maps, or save the maps as files"
            )
            raise OptionError(msg)
        meshes[part.name] = InMemoryMesh(part.surface.coordinates, part.surface.triangles)
        series[part.name] = row[space.slices[part.name]].astype(np.float32)
    return SurfaceImage(mesh=PolyMesh(**meshes), data=series)


def write_map(
    path: Path, values: NDArray[Any], space: Space, kind: MapKind, codes: tuple[int, int]
) -> list[Path]:
    """Write a map (samples,) in the format of its space, whole or not at all.

    Parameters
    ----------
    path
        Where to, without suffix; of a mesh, with ``hemi-L`` in its name or without.
    values
        The map, shape (samples,).
    space
        Where the samples lie.
    kind
        What the values are.
    codes
        The run's sform and qform codes.

    Returns
    -------
    list of Path
        One ``.nii.gz``, ``.dscalar.nii`` or ``.pscalar.nii``, or one ``.func.gii`` a hemisphere.
    """
    if isinstance(space, Mesh):
        return [_write_gifti(path, values, space, name, kind) for name in space.slices]
    if isinstance(space, Grid):
        image = map_image(values, space, kind, codes)
        return [write_volume(path.with_name(path.name + ".nii.gz"), image)]
    dense = space.parts[0].kind != "parcels"
    target = path.with_name(path.name + (".dscalar.nii" if dense else ".pscalar.nii"))
    with atomic_file(target) as file:
        file.write(cifti_bytes(space.unmask(values), space, kind.description))
    return [target]


def _write_gifti(path: Path, values: NDArray[Any], space: Mesh, name: str, kind: MapKind) -> Path:
    """Write one hemisphere."""
    import nibabel as nib

    array = nib.gifti.GiftiDataArray(
        space.unmask(values)[space.slices[name]].astype(np.float32),
        intent=kind.intent,
        datatype="NIFTI_TYPE_FLOAT32",
        meta={"Name": kind.description},
    )
    structure = nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": STRUCTURES[name]})
    image = nib.gifti.GiftiImage(meta=structure, darrays=[array])
    target = path.with_name(hemisphere_name(path.name, name) + ".func.gii")
    with atomic_file(target) as file:
        file.write(image.to_bytes())
    return target


def hemisphere_name(stem: str, hemisphere: str) -> str:
    """Put a hemisphere's entity into a file's name, after the run's own entities."""
    letter = hemisphere[0].upper()
    parts = [part for part in stem.split("_") if not part.startswith("hemi-")]
    later = ("space-", "den-", "res-", "seed-", "stat-", "desc-")
    place = next((i for i, part in enumerate(parts) if part.startswith(later)), len(parts) - 1)
    return "_".join([*parts[:place], f"hemi-{letter}", *parts[place:]])
