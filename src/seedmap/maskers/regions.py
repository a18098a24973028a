"""What is extracted from a source: voxels, spheres, labels or maps.

One function each, chosen by the name that nilearn's functor bears. Whatever is an average is
taken of the gathered voxels in float64.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel import Nifti1Image
from nilearn.image import check_niimg_3d, check_niimg_4d, resample_img
from numpy.typing import NDArray

from seedmap._arrays import Array, Keep
from seedmap.errors import SeedError, SeedmapWarning
from seedmap.maskers.image import MaskerImage
from seedmap.signal.nilearn_private import (
    _check_shape_and_affine_compatibility,
    _get_labels_data,
    find_stack_level,
    load_mask_img,
    safe_get_data,
)
from seedmap.spatial import Extracted, sphere_voxels

__all__ = ["EXTRACTORS", "Found", "Wishes", "voxel_type"]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# Frames reduced at once, so that no second array of the gathered voxels' size is made.
FRAMES_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Found:
    """Series as extracted.

    Attributes
    ----------
    series : ndarray, shape (frames, elements)
        May be overwritten.
    reference : ndarray of float64, shape (elements,)
        What has to be added to it.
    dtype : numpy.dtype
        Type that the result has.
    more : object
        What else nilearn's maskers expect of the extraction.
    """

    series: Array
    reference: Array
    dtype: np.dtype[Any]
    more: Any = None


@dataclass(frozen=True, eq=False)
class Wishes:
    """What a masker asks of an extraction.

    Attributes
    ----------
    keep : ndarray of bool, shape (frames,)
        Frames to read.
    wide : bool
        Whether float64 is asked for.
    centred : bool
        Whether the first frame may be subtracted, which keeps small fluctuations exact.
    early : Extracted or None
        Voxels that have been gathered already.
    """

    keep: Keep
    wide: bool
    centred: bool
    early: Extracted | None = None


def voxels(functor: Any, source: MaskerImage, wishes: Wishes) -> Found:
    """Gather the voxels of ``functor.mask_img_``, unless that was done ``early``."""
    dtype = voxel_type(source, wide=wishes.wide)
    found = wishes.early
    if found is None:
        mask = np.asarray(functor.mask_img_.dataobj).astype(bool)
        found = source.gather(mask, dtype, keep=wishes.keep, centred=wishes.centred)
    return Found(found.series, found.reference, dtype, source.grid.affine)


def voxel_type(source: MaskerImage, *, wide: bool) -> np.dtype[Any]:
    """Return the type of series of voxels: float64 stays, other types give float32."""
    values = source.value_type
    smooth_wide = source.smoothing_fwhm > 0 and values.kind in "iu" and values.itemsize == 8
    stays = values.kind == "f" and values.itemsize >= 8
    return FLOAT64 if wide or smooth_wide or stays else FLOAT32


def spheres(functor: Any, source: MaskerImage, wishes: Wishes) -> Found:
    """Average the voxels of each sphere."""
    grid = source.grid
    if functor.mask_img is not None:
        resampled = resample_img(
            check_niimg_3d(functor.mask_img),
            target_affine=grid.affine,
            target_shape=grid.shape,
            interpolation="nearest",
        )
        grid = grid.within(load_mask_img(resampled)[0])
    inside = [sphere_voxels(grid, np.asarray(seed), functor.radius) for seed in functor.seeds_]
    members = [np.asarray(np.ravel_multi_index(tuple(v.T), grid.shape)) for v in inside]
    _check_spheres(members, allow_overlap=functor.allow_overlap)
    regions = _Regions.of(members, grid.shape)
    source.witness.looks_for_gaps = functor.mask_img is None
    found = source.gather(
        regions.mask,
        _gathered_type(source, wide=wishes.wide),
        keep=wishes.keep,
        centred=wishes.centred,
    )
    if source.witness.nan and not source.smoothing_fwhm:
        msg = (
            "The imgs you have fed into fit_transform() contains NaN values which will be "
            "converted to zeroes. Mask the images, or mend them"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())
    narrow = not wishes.wide and (source.scaled or source.value_type.itemsize < 8)
    return _averaged(found, regions, FLOAT32 if narrow else FLOAT64)


def _check_spheres(members: Sequence[NDArray[np.int64]], *, allow_overlap: bool) -> None:
    sizes = np.array([voxels.size for voxels in members])
    if (sizes == 0).any():
        msg = (
            f"These spheres are empty: {np.flatnonzero(sizes == 0)}. Are the seeds' coordinates "
            "[mm] in the space of the images (and in the mask)?"
        )
        raise SeedError(msg)
    joined = np.concatenate([np.empty(0, dtype=np.int64), *members])
    if not allow_overlap and np.unique(joined).size < joined.size:
        msg = (
            f"Overlap detected between spheres: {joined.size - np.unique(joined).size} voxels are "
            "in several; shrink radius, or set allow_overlap=True"
        )
        raise SeedError(msg)


def labels(functor: Any, source: MaskerImage, wishes: Wishes) -> Found:
    """Reduce the voxels of each label to one value a frame."""
    names, numbers = _get_labels_data(
        source.everywhere(),
        check_niimg_3d(functor.labels_img),
        functor.mask_img,
        functor.background_label,
        keep_masked_labels=functor.keep_masked_labels,
    )
    flat = np.ravel(numbers)
    order = np.argsort(flat, kind="stable")
    first, last = (np.searchsorted(flat[order], names, side) for side in ("left", "right"))
    members = [np.sort(order[a:b]) for a, b in zip(first, last, strict=True)]
    regions = _Regions.of(members, numbers.shape)
    linear = functor.strategy in ("mean", "sum")
    source.witness.looks_for_gaps = True
    found = source.gather(
        regions.mask,
        _gathered_type(source, wide=wishes.wide),
        keep=wishes.keep,
        centred=wishes.centred and linear,
    )
    _warn_of_gaps(source)
    dtype = _region_type(source, wide=wishes.wide)
    atlas = Nifti1Image(numbers.astype(np.int32), check_niimg_3d(functor.labels_img).affine)
    if linear:
        reduced = _averaged(found, regions, dtype)
        if functor.strategy == "sum":
            sizes = np.array([voxels.size for voxels in members])
            reduced = Found(reduced.series * sizes, reduced.reference * sizes, dtype)
    else:
        reduced = _reduced(found, regions, REDUCTIONS[functor.strategy], dtype)
    return Found(reduced.series, reduced.reference, dtype, (names, atlas))


def maps(functor: Any, source: MaskerImage, wishes: Wishes) -> Found:
    """Fit the maps to each frame by least squares."""
    image = check_niimg_4d(functor.maps_img_)
    everywhere = source.everywhere()
    _check_shape_and_affine_compatibility(everywhere, image, 3)
    weights = safe_get_data(image, ensure_finite=True)
    mask, chosen = np.ones(weights.shape[:3], dtype=bool), np.arange(weights.shape[3])
    if _check_shape_and_affine_compatibility(everywhere, functor.mask_img_):
        mask = safe_get_data(check_niimg_3d(functor.mask_img_), ensure_finite=True).astype(bool)
        chosen = _maps_in(mask, weights, keep=functor.keep_masked_maps)
    # Voxels where all maps are zero have no say in the fit.
    mask = mask & (weights[..., chosen] != 0).any(axis=-1)
    source.witness.looks_for_gaps = True
    found = source.gather(
        mask, _gathered_type(source, wide=wishes.wide), keep=wishes.keep, centred=wishes.centred
    )
    _warn_of_gaps(source)
    dtype = _fit_type(source, weights, wide=wishes.wide)
    fit = _least_squares(weights[mask][:, chosen], dtype)
    series = _in_steps(found.series, lambda frames: frames @ fit.T, len(chosen))
    return Found(series, fit @ found.reference, dtype, chosen.tolist())


def _maps_in(mask: NDArray[np.bool_], weights: Array, *, keep: bool) -> NDArray[np.int64]:
    """Return the maps that are not empty in a mask, or all with nilearn's warning."""
    every = np.arange(weights.shape[3])
    present = np.flatnonzero(np.abs(weights[mask]).sum(axis=0) > 0)
    if keep:
        msg = (
            'Applying "mask_img" before signal extraction may result in empty region signals in '
            'the output. These are kept; the "keep_masked_maps" parameter will be removed in '
            "nilearn 0.15"
        )
        warnings.warn(msg, FutureWarning, stacklevel=find_stack_level())
        return every
    if not present.size:
        msg = "No map left after applying mask to the maps image. Do the two overlap?"
        raise ValueError(msg)
    if present.size < every.size:
        removed = {int(number) for number in np.setdiff1d(every, present)}
        msg = (
            "After applying mask to the maps image, maps with the following indices were removed: "
            f"{removed}. Out of {every.size} maps, the masked map image only contains "
            f"{present.size} maps."
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())
    return present


def _least_squares(design: Array, dtype: np.dtype[Any]) -> Array:
    """Return the matrix (maps, voxels) that fits maps (voxels, maps) to a frame.

    Directions below the precision of ``dtype`` are left out, as LAPACK's ``gelsd`` does.
    """
    left, size, right = np.linalg.svd(design.astype(np.float64), full_matrices=False)
    used = size > np.finfo(dtype).eps * size.max(initial=0.0)
    return (right[used].T / size[used]) @ left[:, used].T


def _gathered_type(source: MaskerImage, *, wide: bool) -> np.dtype[Any]:
    """Return the type in which voxels are gathered before they are averaged."""
    values = source.value_type
    return FLOAT64 if wide or values.itemsize > (4 if values.kind == "f" else 2) else FLOAT32


def _region_type(source: MaskerImage, *, wide: bool) -> np.dtype[Any]:
    """Return the type of reduced labels: float32 for float32, else float64, as nilearn's."""
    narrow = source.value_type == np.float32 or _smoothing_narrows(source)
    return FLOAT32 if narrow and not wide else FLOAT64


def _fit_type(source: MaskerImage, weights: Array, *, wide: bool) -> np.dtype[Any]:
    """Return the type in which LAPACK would fit maps to the values, as in nilearn."""
    from scipy.linalg import get_lapack_funcs

    values = FLOAT32 if _smoothing_narrows(source) else source.value_type
    kinds = (np.empty((0, 0), dtype=weights.dtype), np.empty((0, 0), dtype=values))
    return FLOAT64 if wide else np.dtype(get_lapack_funcs("gelsd", kinds).dtype)


def _smoothing_narrows(source: MaskerImage) -> bool:
    """Whether smoothing makes float32 of the values' integers."""
    values = source.value_type
    return source.smoothing_fwhm > 0 and values.kind in "iu" and values.itemsize < 8


def _warn_of_gaps(source: MaskerImage) -> None:
    if (source.witness.nan or source.witness.infinite) and not source.smoothing_fwhm:
        msg = (
            "Non-finite values detected. These values will be replaced with zeros. Mend the "
            "images if that is not wanted"
        )
        warnings.warn(msg, SeedmapWarning, stacklevel=find_stack_level())


@dataclass(frozen=True, eq=False)
class _Regions:
    """Groups of voxels.

    Attributes
    ----------
    mask : ndarray of bool, shape (x, y, z)
        All voxels of all regions.
    columns : list of ndarray of int
        For each region its voxels, counted in C order of the mask; may be empty.
    """

    mask: NDArray[np.bool_]
    columns: list[NDArray[np.int64]]

    @classmethod
    def of(cls, members: Sequence[NDArray[np.int64]], shape: tuple[int, ...]) -> "_Regions":
        """Group voxels that are given by their flat positions in C order."""
        flat = np.zeros(int(np.prod(shape)), dtype=bool)
        for positions in members:
            flat[positions] = True
        place = np.cumsum(flat) - 1
        return cls(flat.reshape(shape), [place[positions] for positions in members])


def _averaged(found: Extracted, regions: _Regions, dtype: np.dtype[Any]) -> Found:
    mean = _over_regions(regions, lambda values: values.mean(axis=1, dtype=np.float64))
    series = _in_steps(found.series, mean, len(regions.columns))
    return Found(series, mean(found.reference[None])[0], dtype)


def _reduced(
    found: Extracted, regions: _Regions, reduce: Callable[[Array], Array], dtype: np.dtype[Any]
) -> Found:
    def one_step(frames: Array) -> Array:
        return _over_regions(regions, reduce)(frames + found.reference)

    series = _in_steps(found.series, one_step, len(regions.columns))
    return Found(series, np.zeros(series.shape[1]), dtype)


def _over_regions(regions: _Regions, reduce: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function from frames (n, voxels) to (n, regions); 0 where a region is empty."""

    def of(frames: Array) -> Array:
        out = np.zeros((len(frames), len(regions.columns)))
        for number, columns in enumerate(regions.columns):
            if columns.size:
                out[:, number] = reduce(frames[:, columns])
        return out

    return of


def _in_steps(series: Array, step: Callable[[Array], Array], width: int) -> Array:
    """Apply ``step`` to a few frames at a time; float64, shape (frames, width)."""
    out = np.empty((len(series), width))
    for start in range(0, len(series), FRAMES_TOGETHER):
        part = slice(start, start + FRAMES_TOGETHER)
        out[part] = step(series[part])
    return out


REDUCTIONS: dict[str, Callable[[Array], Array]] = {
    "median": lambda values: np.median(values, axis=1),
    "minimum": lambda values: values.min(axis=1),
    "maximum": lambda values: values.max(axis=1),
    "variance": lambda values: values.var(axis=1, dtype=np.float64),
    "standard_deviation": lambda values: values.std(axis=1, dtype=np.float64),
}
EXTRACTORS: dict[str, Callable[..., Found]] = {
    "nifti_masker_extractor": voxels,
    "nifti_spheres_masker_extractor": spheres,
    "nifti_labels_masker_extractor": labels,
    "nifti_maps_masker_extractor": maps,
}
