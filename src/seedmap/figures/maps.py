"""Drawing maps, whatever their space: volumes in cuts, surfaces from outside and the middle."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.figures.surface import Side, plot_sides
from seedmap.figures.volume import plot_map
from seedmap.images import Grid, PartedSpace, Space, map_image, statistic
from seedmap.spatial import standard_shade, standard_surfaces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["can_draw", "draw_map"]

Center = tuple[float, float, float] | None
# A seed farther than this from every vertex of a hemisphere is not marked there [mm].
FARTHEST_MARK = 12.0
# A seed in the middle is marked on both sides: they differ by less than this [mm].
ALIKE = 2.0


def can_draw(space: Space) -> bool:
    """Whether maps in a space can be drawn: it has voxels, or a surface that is known."""
    return isinstance(space, Grid) or any(part.surface is not None for part in space.parts)


def draw_map(
    values: NDArray[np.float32],
    space: Space,
    *,
    name: str,
    center: Center,
    threshold: float | None,
    stat: str,
) -> "Figure":
    """Draw a map (samples,); of grayordinates the cortex.

    Parameters
    ----------
    values
        The map.
    space
        Where the samples lie.
    name
        Of the seed, for the title.
    center
        Where to mark the seed [mm], and where to cut a volume.
    threshold, stat
        As `seedmap.figures.plot_map`.

    Raises
    ------
    OptionError
        If it is not known where the vertices of any surface lie.
    """
    if isinstance(space, Grid):
        image = map_image(values, space, statistic(stat).kind)
        return plot_map(image, seed=name, center=center, threshold=threshold, stat=stat)
    if not can_draw(space):
        msg = (
            "a figure needs to know where the vertices lie; give the surfaces (surfaces=, "
            "--surface-left, --surface-right)"
        )
        raise OptionError(msg)
    return plot_sides(_sides(values, space, center), seed=name, threshold=threshold, stat=stat)


def _sides(values: Array, space: PartedSpace, center: Center) -> list[Side]:
    """Spread a map over whole surfaces: fsaverage5 is drawn inflated, others as they are."""
    row = space.unmask(values)
    inflated, shades = standard_surfaces(space, "inflated"), standard_shade(space)
    away = {
        part.name: np.linalg.norm(part.surface.coordinates - np.array(center), axis=1)
        for part in space.parts
        if part.surface is not None and center is not None
    }
    nearest = min((float(one.min()) for one in away.values()), default=np.inf)
    farthest = min(FARTHEST_MARK, nearest + ALIKE)
    sides = []
    for part in space.parts:
        if part.surface is None:
            continue
        whole = np.zeros(part.vertices)
        whole[part.places] = row[space.slices[part.name]]
        drawn = inflated.get(part.name, part.surface)
        marked = part.name in away and away[part.name].min() <= farthest
        seed = drawn.coordinates[away[part.name].argmin()] if marked else None
        sides.append(Side(part.name, drawn, whole, shades.get(part.name), seed))
    return sides
