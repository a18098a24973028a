"""Where a volume says that it lies: its affine, and what speaks against it."""

from typing import Any

import numpy as np

from seedmap._arrays import Array
from seedmap.errors import ImageError
from seedmap.images.space import Grid

__all__ = ["doubt_of_place", "grid_of", "header_codes"]

# Readings of a header that differ by less than this share of a voxel's edge are one: the
# quaternions of a qform are rounded, and it holds no shear.
SAME_PLACE = 0.1


def grid_of(image: Any, shape: tuple[int, ...], source: str) -> Grid:
    """Return the grid of an image.

    Raises
    ------
    ImageError
        If its affine is of no use.
    """
    try:
        return Grid.whole(_affine(image), shape)
    except ImageError as error:
        msg = f"{source}: {error}"
        raise ImageError(msg) from error


def header_codes(image: Any) -> tuple[int, int]:
    """Return the sform and qform codes of an image; (2, 0), aligned, for formats without codes."""
    header = image.header
    if "sform_code" not in getattr(header, "keys", list)():
        return (2, 0)
    return int(header["sform_code"]), int(header["qform_code"])


def doubt_of_place(image: Any, source: str) -> str:
    """Say what puts in doubt where an image lies; empty for nothing.

    Parameters
    ----------
    image
        A nibabel volume.
    source
        What the sentence calls it.
    """
    codes = header_codes(image)
    if codes == (0, 0):
        return (
            f"{source}: neither its sform nor its qform has a code, so its place is a guess "
            f"({_letters(_affine(image))}, the middle of the box at 0 mm), and left and right may be "
            "swapped; write the affine with a code into its header"
        )
    if 0 in codes or "sform_code" not in image.header:
        return ""
    sform, qform = image.header.get_sform(), _qform(image)
    apart = np.inf if qform is None else _apart(sform, qform, image.shape[:3])
    edge = np.sqrt((sform[:3, :3] ** 2).sum(axis=0)).min()
    if not apart > SAME_PLACE * edge:
        return ""
    other = "is of no use" if qform is None else f"{_letters(qform)}, up to {apart:.3g} mm away"
    return (
        f"{source}: its sform (code {codes[0]}, {_letters(sform)}) and qform (code {codes[1]}, {other}) "
        "disagree; the sform is used, other programs may take the qform: write one affine into both"
    )


def _affine(image: Any) -> Array:
    """Return the affine of an image; of one made without, what a file of it would have."""
    affine: Array = image.header.get_best_affine() if image.affine is None else image.affine
    return affine


def _letters(affine: Array) -> str:
    import nibabel as nib

    return "".join(letter or "?" for letter in nib.aff2axcodes(affine))


def _qform(image: Any) -> Array | None:
    """Return the affine of the qform; None where its quaternion is none."""
    from nibabel.spatialimages import HeaderDataError

    try:
        affine: Array = image.header.get_qform()
    except (HeaderDataError, ValueError):
        return None
    return affine if np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) else None


def _apart(one: Array, other: Array, shape: tuple[int, ...]) -> float:
    """Return how far the corners of a box lie apart by two affines [mm]."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1)
    gap = (one - other)[:3, :3] @ corners + (one - other)[:3, 3:]
    return float(np.sqrt((gap**2).sum(axis=0)).max())
