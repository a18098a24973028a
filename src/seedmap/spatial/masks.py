"""Which voxels are brain: masks from a mean volume, and from a template.

The rules and their results are those of nilearn's ``compute_background_mask``,
``compute_epi_mask`` and ``compute_brain_mask``.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import ImageError
from seedmap.images import Grid
from seedmap.spatial.smoothing import gaussian_matrix

__all__ = [
    "Template",
    "background_mask",
    "border_values",
    "epi_mask",
    "grey_matter_template",
    "template_mask",
]

Mask = NDArray[np.bool_]
Template = Literal["whole-brain", "gm", "wm"]


def background_mask(
    mean: Array, border_size: int = 2, *, connected: bool = False, opening: int = 0
) -> Mask:
    """Find the voxels that differ from the background, which is what the border shows.

    Parameters
    ----------
    mean
        Mean over time, shape (x, y, z).
    border_size
        Thickness of the border [voxels]. Its median is the background; where the border holds
        NaN, NaN is the background.
    connected
        Keep the largest connected part only.
    opening
        Erode and dilate by this many voxels to cut thin bridges; 0 leaves the mask as it is.

    Returns
    -------
    ndarray of bool, shape (x, y, z)
        May be empty.
    """
    border = border_values(mean, border_size)
    mask = ~np.isnan(mean) if np.isnan(border).any() else mean != np.median(border)
    return _tidy(mask, connected=connected, opening=opening)


def epi_mask(
    mean: Array,
    lower_cutoff: float = 0.2,
    upper_cutoff: float = 0.85,
    *,
    connected: bool = True,
    opening: int = 2,
    exclude_zeros: bool = False,
) -> Mask:
    """Find the brain in an echo-planar image by the widest gap between sorted intensities.

    Parameters
    ----------
    mean
        Mean over time, shape (x, y, z). Values that are not finite count as zero.
    lower_cutoff, upper_cutoff
        Share of the sorted voxels between which the gap is looked for.
    connected
        Keep the largest connected part only.
    opening
        Erode and dilate by this many voxels; also smooths the mean a little first.
    exclude_zeros
        Leave voxels of exactly zero out of the sorted intensities.

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    References
    ----------
    Luo and Nichols (2003), NeuroImage 20, 1014, doi:10.1016/S1053-8119(03)00349-X.
    """
    mean = np.where(np.isfinite(mean), mean, 0)
    if opening:
        mean = _smooth_voxels(mean, fwhm=1.0)
    values = np.sort(mean, axis=None)
    values = values[values != 0] if exclude_zeros else values
    low = int(np.floor(lower_cutoff * values.size))
    high = min(int(np.floor(upper_cutoff * values.size)), values.size - 1)
    if high <= low:
        msg = f"only {values.size} voxels lie between the cut-offs of the EPI mask; give a mask instead"
        raise ImageError(msg)
    widest = low + int(np.argmax(np.diff(values[low : high + 1])))
    mask = mean >= 0.5 * (values[widest] + values[widest + 1])
    return _tidy(mask, connected=connected, opening=opening)


def template_mask(grid: Grid, kind: Template = "whole-brain") -> Mask:
    """Return the brain, grey or white matter of the MNI152 template on a grid in MNI space.

    Parameters
    ----------
    grid
        Where the mask is wanted.
    kind
        ``"whole-brain"``, ``"gm"`` or ``"wm"``.

    Returns
    -------
    ndarray of bool, shape of the grid
    """
    import nibabel as nib
    from nilearn.masking import compute_brain_mask

    target = nib.Nifti1Image(np.zeros(grid.shape, dtype=np.int8), grid.affine)
    return np.asarray(compute_brain_mask(target, mask_type=kind).dataobj, dtype=bool)


def grey_matter_template(grid: Grid) -> NDArray[np.float64]:
    """Return the share of each voxel that is grey matter of the MNI152 template.

    Parameters
    ----------
    grid
        Where it is wanted, in MNI space.

    Returns
    -------
    ndarray, shape of the grid
        From 0 to 1; interpolated linearly from voxels of 2 mm, 0 outside the template.
    """
    from nilearn.datasets import load_mni152_gm_template
    from nilearn.image import resample_img

    template = load_mni152_gm_template(resolution=2)
    image = resample_img(
        template, grid.affine, grid.shape, interpolation="linear", force_resample=True, copy_header=True
    )  # fmt: skip
    return np.clip(np.asarray(image.dataobj, dtype=np.float64), 0.0, 1.0)


def border_values(volume: NDArray[Any], size: int = 2) -> NDArray[Any]:
    """Return the values of the six border slabs; corners count as often as slabs meet there."""
    slabs = [np.moveaxis(volume, axis, 0)[part] for axis in range(3) for part in _ends(size)]
    return np.concatenate([slab.ravel() for slab in slabs])


def _ends(size: int) -> tuple[slice, slice]:
    return slice(None, size), slice(-size, None)


def _smooth_voxels(volume: Array, fwhm: float) -> Array:
    """Smooth by a width given in voxels."""
    for axis in range(3):
        kernel = gaussian_matrix(volume.shape[axis], fwhm / np.sqrt(8 * np.log(2)))
        volume = np.moveaxis(np.tensordot(kernel, volume, axes=(1, axis)), 0, axis)
    return volume


def _tidy(mask: Mask, *, connected: bool, opening: int) -> Mask:
    """Cut thin bridges, keep the largest part, and fill what the cutting took."""
    if not (connected or opening):
        return mask
    from scipy import ndimage

    opening = int(opening)
    if opening:
        mask = ndimage.binary_erosion(mask, iterations=opening)
    if connected and mask.any():
        parts, _ = ndimage.label(mask)
        sizes: NDArray[Any] = np.bincount(parts.ravel())
        mask = parts == 1 + int(np.argmax(sizes[1:]))
    if opening:
        mask = ndimage.binary_dilation(mask, iterations=2 * opening)
        mask = ndimage.binary_erosion(mask, iterations=opening)
    return np.asarray(mask, dtype=bool)
