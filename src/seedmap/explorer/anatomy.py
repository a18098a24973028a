"""What lies under the map.

The underlay is the MNI152 template that nilearn carries, for runs in MNI space; an image that
the user names; or the mean of the run itself.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import ImageError
from seedmap.explorer.cortex import voxel_box
from seedmap.explorer.regions import Regions, open_regions
from seedmap.figures import mni_template
from seedmap.images import Grid, Space, file_of, load_volume
from seedmap.spatial import Landmarks, landmarks

__all__ = [
    "Surroundings",
    "Underlay",
    "image_underlay",
    "mean_underlay",
    "space_underlay",
    "template_underlay",
]

# Brightest share that is cut off, so that a few bright voxels (vessels, fat) do not darken the rest.
BRIGHTEST = 99.5
MOST_VOXELS = 40_000_000  # beyond this a page would wait for its picture


@dataclass(frozen=True, eq=False)
class Underlay:
    """A picture of the head.

    Attributes
    ----------
    grid : Grid
        Where its voxels lie.
    grey : ndarray of uint8, shape (x, y, z)
        From black to white.
    name : str
        What it is, in words.
    """

    grid: Grid
    grey: NDArray[np.uint8]
    name: str


def template_underlay() -> Underlay:
    """Return the skull-stripped MNI152 template at 1 mm."""
    template = mni_template()
    grid = Grid.whole(template.affine, template.values.shape)
    return _underlay(template.values, grid, "MNI152 template (ICBM 2009a, 1 mm)")


def image_underlay(image: Any) -> Underlay:
    """Return an anatomical image of the user's own: a path or a nibabel image, 3-D.

    Raises
    ------
    ImageError
        If it is not three-dimensional, or too large to be sent to a page.
    """
    values, grid = load_volume(image, "anatomical image")
    return _underlay(values, grid, Path(file_of(image) or "anatomical image").name)


def mean_underlay(mean: Array, grid: Grid) -> Underlay:
    """Return the mean of the run as a picture."""
    return Underlay(Grid.whole(grid.affine, grid.shape), _grey(mean), "mean of the run")


def space_underlay(values: Array, space: Space) -> Underlay:
    """Return values of any space as a picture: of grayordinates, those of their voxels."""
    if isinstance(space, Grid):
        return mean_underlay(values, space)
    box = voxel_box(space)
    if box is None:
        return mean_underlay(np.zeros((1, 1, 1)), Grid.whole(np.eye(4), (1, 1, 1)))
    return mean_underlay(box.volume(values), box.grid)


def _underlay(values: NDArray[Any], grid: Grid, name: str) -> Underlay:
    if values.size > MOST_VOXELS:
        msg = f"{name}: shape {values.shape}; at most {MOST_VOXELS:,} voxels can be sent to a page"
        raise ImageError(msg)
    return Underlay(grid, _grey(values), name)


def _grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.nan_to_num(np.asarray(values, dtype=np.float32), posinf=0.0, neginf=0.0)
    low = min(0.0, float(values.min()))
    bright = values[values > low]
    high = float(np.percentile(bright, BRIGHTEST)) if bright.size else low + 1.0
    return (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)


class Surroundings:
    """What lies under the maps of a session, and what places are called; None where nobody knows.

    Attributes
    ----------
    underlay, names
        As far as they are known by now.
    regions : Regions or None
        Those of the atlas that was given.
    furnishing : threading.Thread or None
        Brings the underlay while the page already works.
    mni : bool
        Whether places are those of MNI space.
    """

    underlay: Underlay | None = None
    regions: Regions | None = None
    names: Regions | Landmarks | None = None
    furnishing: threading.Thread | None = None
    mni: bool = False

    def furnish(self, anatomy: Any, atlas: Any, space: Space, *, mni: bool) -> None:
        """Take what the user names; what nilearn has for MNI space follows in the background."""
        self.mni = mni
        known = landmarks() if mni else None
        self.regions = open_regions(atlas, space) if atlas is not None else None
        self.names = self.regions or known
        self.underlay = image_underlay(anatomy) if anatomy is not None else None
        if mni:  # reading the template takes longer than a small run: nobody waits for it
            self.furnishing = threading.Thread(target=self._of_mni, daemon=True)
            self.furnishing.start()

    def _of_mni(self) -> None:
        self.underlay = self.underlay or template_underlay()

    def picture_or(self, otherwise: Callable[[], Underlay]) -> Underlay:
        """Return the underlay, which may still be on its way; where there is none, another."""
        if self.furnishing is not None:
            self.furnishing.join()
        if self.underlay is None:
            self.underlay = otherwise()
        return self.underlay

    def name_at(self, place: Sequence[float]) -> str:
        """Name a place [mm]; empty where nobody knows."""
        return self.names.name_at(place) if self.names else ""
