"""Drawing maps, whatever their space: volumes in cuts, surfaces from outside and the middle."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.errors import OptionError
from seedmap.figures.surface import Side, plot_sides
from seedmap.figures.volume import Highlight, Look, plot_map
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


def draw_map(  # noqa: PLR0913  a map, what is in it, and how it is drawn
    values: NDArray[np.float32],
    space: Space,
    highlight: Highlight,
    *,
    name: str,
    center: Center,
    stat: str = "r",
    look: Look = Look(),  # noqa: B008
) -> "Figure":
    """Draw a map (samples,); of grayordinates the cortex.

    Parameters
    ----------
    values
        The map.
    space
        Where the samples lie.
    highlight
        Which samples are beyond the threshold. In a volume the others fade, on the cortex they
        are not drawn.
    name
        Of the seed, for the title.
    center
        Where to mark the seed [mm], and where to cut a volume.
    stat
        What the values are.
    look
        Colours, places, and what is shown of a volume.

    Raises
    ------
    OptionError
        If it is not known where the vertices of any surface lie.
    """
    if isinstance(space, Grid):
        image = map_image(values, space, statistic(stat).kind)
        beyond = Highlight(space.unmask(highlight.passed) > 0, highlight.words)
        return plot_map(image, seed=name, center=center, threshold=beyond, stat=stat, look=look)
    if not can_draw(space):
        msg = (
            "a figure needs to know where the vertices lie; give the surfaces (surfaces=, "
            "--surface-left, --surface-right)"
        )
        raise OptionError(msg)
    shown = np.where(highlight.passed, values, 0)
    sides = _sides(shown, space, center)
    return plot_sides(sides, seed=name, words=highlight.words, stat=stat, look=look)


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
