"""Images that lie on the grid of the stored runs: lesions, grey matter, where lesions may fall."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import ImageError, SpaceMismatch
from seedmap.images import Grid, load_volume
from seedmap.spatial import grey_matter_template

__all__ = ["TEMPLATE", "check_volume", "grey_matter", "lesion_positions", "prior_of", "volume_on"]

# A lesion of more of the brain than this is a brain mask or turned inside out.
LARGEST = 0.5
TEMPLATE = "MNI152 template"


def check_volume(space: Any) -> Grid:
    """Return the grid of the runs.

    Raises
    ------
    SpaceMismatch
        If they lie on surfaces.
    """
    if not isinstance(space, Grid):
        msg = "the stored runs lie on surfaces or grayordinates; lesions are volumes, so store runs in a volume space"
        raise SpaceMismatch(msg)
    return space


def volume_on(space: Grid, path: Path, what: str) -> NDArray[np.floating]:
    """Load a volume that has the grid of the runs.

    Raises
    ------
    SpaceMismatch
        If it has another one.
    """
    values, grid = load_volume(path, what)
    if not space.same_grid(grid):
        own, theirs = space.affine[:3, :3], grid.affine[:3, :3]
        alike = grid.shape == space.shape and np.allclose(abs(own), abs(theirs), atol=1e-3)
        mirrored = alike and not np.allclose(own, theirs, atol=1e-3)
        other = "with its axes turned the other way" if mirrored else "on another grid"
        how = "by the nearest voxel" if what == "lesion" else "linearly"
        msg = (
            f"{path}: lies {other} than the stored runs ({grid!r} for {space!r}); resample it onto a map of "
            f"these runs {how}"
        )
        raise SpaceMismatch(msg)
    return values


def lesion_positions(space: Grid, path: Path) -> NDArray[np.int64]:
    """Return the flat positions of a lesion's voxels.

    Raises
    ------
    SpaceMismatch, ImageError
        If it lies on another grid, is no mask, is empty, or larger than half of the brain.
    """
    values = volume_on(space, path, "lesion")
    levels = np.unique(values)
    if levels.size > 2 or levels[0] < 0:
        msg = f"{path}: holds {levels.size} values from {levels[0]:g} to {levels[-1]:g}; a mask of 0 and 1 is wanted"
        raise ImageError(msg)
    positions = np.flatnonzero(values)
    if not positions.size:
        msg = f"{path}: the lesion is empty; a mask of 1 in the lesion is wanted, or take the patient out"
        raise ImageError(msg)
    if positions.size > LARGEST * space.n_samples:
        msg = (
            f"{path}: the lesion has {positions.size:,} voxels, the brain {space.n_samples:,}; is it a mask of the "
            "brain, or turned inside out? A mask of the lesion is wanted"
        )
        raise ImageError(msg)
    return positions


def grey_matter(
    space: Grid, path: Path | str | None, name: str | None
) -> tuple[NDArray[np.floating] | None, str]:
    """Return the share of grey matter in each voxel, and where it is from.

    Parameters
    ----------
    space
        Of the runs.
    path
        An image of shares, or a mask; None takes the MNI152 template for runs in MNI space.
    name
        Of the space, such as ``"MNI152NLin2009cAsym"``.

    Returns
    -------
    shares : ndarray, shape of the grid, or None
        None where nothing was given and the runs are not in MNI space.
    source : str
        The file or `TEMPLATE`; empty for None.

    Raises
    ------
    SpaceMismatch, ImageError
        If the image lies on another grid or holds no shares.
    """
    if path is not None:
        values = volume_on(space, Path(path), "grey matter")
        if values.min() < 0 or values.max() > 1 or not values.any():
            msg = (
                f"{path}: holds values from {values.min():g} to {values.max():g}; shares of grey matter from 0 to 1 "
                "are wanted"
            )
            raise ImageError(msg)
        return values, str(path)
    if not (name or "").startswith("MNI"):
        return None, ""
    return grey_matter_template(space), TEMPLATE


def prior_of(space: Grid, path: Path) -> NDArray[np.floating]:
    """Read how often lesions have their centre at each sample, shape (samples,).

    Raises
    ------
    SpaceMismatch, ImageError
        If the image lies on another grid, holds negative values or none above 0 in the samples.
    """
    values = volume_on(space, path, "prior")
    inside = values[space.mask]
    if inside.min() < 0 or not inside.any():
        msg = (
            f"{path}: holds values from {inside.min():g} to {inside.max():g} in the brain; how often lesions fall "
            "where is wanted, 0 or more, and more than 0 somewhere"
        )
        raise ImageError(msg)
    return inside
