"""Opening a run, whatever it comes in: volumes, surfaces or grayordinates."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._files import check_there
from seedmap.errors import ImageError, OptionError, SeedmapWarning
from seedmap.images.cifti import cifti_frames, open_cifti
from seedmap.images.gifti import (
    HEMISPHERES,
    check_same_frames,
    hemisphere_of,
    load_surface,
    load_surface_series,
    mesh_of,
)
from seedmap.images.inflate import is_gzip
from seedmap.images.parts import Mesh, PartedSpace, Surface
from seedmap.images.run import (
    Run,
    Space,
    Timing,
    choose_timing,
    positive_t_r,
    stamp_of,
    warn_of_times,
)
from seedmap.images.streams import LoadedFrames
from seedmap.images.volumes import load_any_image, load_image, open_volume, open_volumes

__all__ = ["open_run"]

CIFTI_SERIES = (".dtseries.nii", ".ptseries.nii")


def open_run(bold: Any, t_r: float | None = None, surfaces: Mapping[str, Any] | None = None) -> Run:
    """Open a run without reading its data.

    Parameters
    ----------
    bold
        Path of a 4-D image or a nibabel image; a list of 3-D paths or images, one a frame;
        surfaces as ``{"left": path, "right": path}`` (or one of them), one GIFTI or ``.mgz``
        path, or nilearn's ``SurfaceImage``; a CIFTI ``dtseries`` or ``ptseries``; or a `Run`,
        which is returned as it is (with ``t_r`` and ``surfaces``, if given). Surface series are
        small and are loaded at once.
    t_r
        Repetition time [s]. None takes it from the sibling JSON (same name, ``.json``) or else
        from the header.
    surfaces
        Where the vertices lie, by hemisphere: ``{"left": path, "right": path}`` of surface files,
        or meshes of nilearn's. Needed to smooth on a surface and to place seeds by coordinates.

    Returns
    -------
    Run

    Raises
    ------
    MissingFile
        If a file is not there.
    ImageError
        If a file is no image, or not a series.
    SpaceMismatch
        If the images of a list have different grids, hemispheres differ in length, or a surface
        has another mesh.
    """
    run = bold if isinstance(bold, Run) else _stamped(_open(bold, t_r), bold)
    if isinstance(bold, Run) and t_r is not None:
        run = _retimed(run, t_r)
    if not surfaces:
        return run
    if not isinstance(run.space, PartedSpace):
        msg = f"{run.source}: surfaces are given, but the run is a volume; leave them out"
        raise OptionError(msg)
    placed = {name: load_surface(surface) for name, surface in surfaces.items()}
    return replace(run, space=run.space.with_surfaces(placed))


def _stamped(run: Run, bold: Any) -> Run:
    """Note how the file is now; surfaces are loaded already, and images may be in memory."""
    later = isinstance(bold, str | Path) and not isinstance(run.space, Mesh)
    return replace(run, stamp=stamp_of(run.source)) if later else run


def _retimed(run: Run, t_r: float) -> Run:
    """Give a run that was opened another repetition time."""
    known = None if run.timing == Timing(1.0, "header") else run.timing.t_r  # 1: not known
    given = {"t_r (--t-r) says": positive_t_r(t_r)}
    warn_of_times(run.source, given if known is None else given | {"the run has": known})
    return replace(run, timing=Timing(positive_t_r(t_r), "argument"))


def _open(bold: Any, t_r: float | None) -> Run:
    if isinstance(bold, Mapping):
        return _open_surfaces(bold, {}, t_r)
    if hasattr(bold, "mesh") and hasattr(bold.data, "parts"):
        meshes = {name: load_surface(mesh) for name, mesh in bold.mesh.parts.items()}
        return _open_surfaces(bold.data.parts, meshes, t_r)
    if isinstance(bold, str | Path) and Path(bold).name.endswith(".gii"):
        path = Path(bold).expanduser()
        return _open_surfaces({hemisphere_of(path): path}, {}, t_r)
    if isinstance(bold, Sequence) and not isinstance(bold, str | bytes):
        return open_volumes(bold, t_r)
    return _open_image(bold, t_r)


def _open_image(bold: Any, t_r: float | None) -> Run:
    """Open one file or image: CIFTI, FreeSurfer's surface series, or a volume."""
    if isinstance(bold, str | Path) and Path(bold).name.endswith(
        (*CIFTI_SERIES, *(f"{suffix}.gz" for suffix in CIFTI_SERIES))
    ):
        path = Path(bold).expanduser()
        check_there(path, "run")
        if is_gzip(path):
            msg = f"{path}: the file is compressed; unpack it (gunzip), CIFTI files are read uncompressed"
            raise ImageError(msg)
        return _open_cifti(path, t_r)
    image = load_any_image(bold, role="run")
    if type(image).__name__ == "Cifti2Image":
        return _open_cifti(image, t_r)
    if type(image).__name__ == "MGHImage" and image.shape[1:3] == (1, 1) and len(image.shape) > 3:
        path = Path(image.get_filename())
        return _open_surfaces({hemisphere_of(path): path}, {}, t_r)
    return open_volume(load_image(image, role="run"), t_r)


def _open_surfaces(
    images: Mapping[str, Any], surfaces: Mapping[str, Surface], t_r: float | None
) -> Run:
    """Load the hemispheres that are given, and put them side by side, left first."""
    unknown = set(images) - set(HEMISPHERES)
    if unknown or not images:
        found = ", ".join(map(repr, images)) or "nothing"
        msg = f"hemispheres {found}; give 'left', 'right' or both"
        raise ImageError(msg)
    loaded = {
        name: load_surface_series(images[name], name) for name in HEMISPHERES if name in images
    }
    series = {name: values for name, (values, _) in loaded.items()}
    sources = {name: source for name, (_, source) in loaded.items()}
    check_same_frames(series, sources)
    if len(series) == 1:
        (only,) = series
        other = HEMISPHERES[1 - HEMISPHERES.index(only)]
        msg = f"{sources[only]}: only the {only} hemisphere is analysed; give the {other} one for both"
        warnings.warn(msg, SeedmapWarning, stacklevel=4)
    together = np.concatenate(list(series.values()), axis=1)
    source, *others = sources.values()
    timing = choose_timing(0.0, source, t_r)
    return _held(mesh_of(series, surfaces), (source, *others), together, timing)


def _held(space: Space, sources: tuple[str, ...], together: Any, timing: Timing) -> Run:
    source, *others = sources
    return Run(
        source=source,
        space=space,
        frames=len(together),
        timing=timing,
        dtype=together.dtype,
        slope=1.0,
        inter=0.0,
        codes=(0, 0),
        _open=lambda wanted: LoadedFrames(lambda index: together[index], wanted),
        others=tuple(others),
    )


def _open_cifti(image: Any, t_r: float | None) -> Run:
    source = str(image if isinstance(image, Path) else image.get_filename() or "image in memory")
    found = open_cifti(image)
    load = cifti_frames(found.values)
    return Run(
        source=source,
        space=found.space,
        frames=len(found.values),
        timing=choose_timing(found.step or 0.0, source, t_r),
        dtype=np.dtype(found.values.dtype),
        slope=1.0,
        inter=0.0,
        codes=(0, 0),
        _open=lambda wanted: LoadedFrames(load, wanted),
    )
