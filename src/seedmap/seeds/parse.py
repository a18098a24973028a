"""Reading seeds as a user types them."""

import re
from pathlib import Path

from seedmap.errors import SeedError
from seedmap.seeds.common import DEFAULT_RADIUS
from seedmap.seeds.surface import Parcel, VertexPatch
from seedmap.seeds.volume import MaskSeed, Region, Sphere
from seedmap.spatial import landmarks

__all__ = ["parse_seed"]


MOST_PROPOSED = 8
NUMBER = r"[-+]?[0-9.]+"


def parse_seed(
    text: str, radius: float | None = DEFAULT_RADIUS
) -> Sphere | MaskSeed | Region | VertexPatch | Parcel:
    """Read a seed as a user types it.

    Parameters
    ----------
    text
        ``PCC=0,-52,18`` (a sphere), ``PCC=0,-52,18:6`` (with its own radius in mm),
        ``lesion=mask.nii.gz`` (the voxels of an image) or ``PCC=atlas.nii.gz#31`` (a region by
        number, or by name where a look-up table lies beside the atlas), or
        ``PCC=lh:vertex:1234`` (a patch of the left or right surface, ``:6`` for its own radius), or
        ``V1=parcel:L_V1`` (a parcel of a ``ptseries``).
    radius
        Radius [mm] of spheres that do not bring their own.

    Returns
    -------
    Sphere, MaskSeed, Region, VertexPatch or Parcel

    Raises
    ------
    SeedError
        If the text cannot be understood.

    Examples
    --------
    >>> parse_seed("PCC=0,-52,18")
    Sphere(name='PCC', center=(0.0, -52.0, 18.0), radius=8.0)
    >>> parse_seed("PCC=0,-52,18:6").radius
    6.0
    """
    name, found, place = text.partition("=")
    name, place = name.strip(), place.strip()
    if not (found and name and place):
        msg = (
            f"seed {text!r} cannot be read; write name=x,y,z in mm (PCC=0,-52,18), "
            f"name=mask.nii.gz or name=atlas.nii.gz#31{_places_called(text)}"
        )
        raise SeedError(msg)
    if patch := re.fullmatch(r"([lr])h:vertex:(\d+)(?::([0-9.]+))?", place):
        hemisphere = "left" if patch[1] == "l" else "right"
        return VertexPatch(name, hemisphere, int(patch[2]), float(patch[3]) if patch[3] else radius)
    if place.startswith("parcel:"):
        return Parcel(name, place.removeprefix("parcel:").strip())
    sphere = re.fullmatch(r"\(?([^:#/()]+,[^:#/()]+)\)?(?::(.+))?", place)
    if sphere and not Path(place).exists():
        return _parse_sphere(name, sphere[1], sphere[2], radius)
    if (
        re.fullmatch(rf"{NUMBER}(?:\s*[;\s]\s*{NUMBER}){{2}}(?::.+)?", place)
        and not Path(place).exists()
    ):
        commas = re.sub(r"\s*[;\s]\s*", ",", place)
        msg = f"seed {name!r}: {place!r} has no commas; write coordinates in mm as {name}={commas}"
        raise SeedError(msg)
    image, is_region, label = place.rpartition("#")
    if is_region and not Path(place).exists():
        return Region(name, image, int(label) if label.strip().isdecimal() else label.strip())
    return MaskSeed(name, place)


def _places_called(text: str) -> str:
    """Propose places where nothing but a known name was given; one of them has to be chosen."""
    name = re.sub(r"\W+", "-", text.strip())
    found = landmarks().called(text) if re.fullmatch(r"\s*[\w ]+", text) else []
    if not found:
        return ""
    places = [f"{name}={','.join(map(str, place))}" for _, place in found[:MOST_PROPOSED]]
    return f"; regions called {found[0][0]} lie in MNI space at {' '.join(places)}"


def _parse_sphere(name: str, place: str, own_radius: str | None, radius: float | None) -> Sphere:
    try:
        center = tuple(float(part) for part in place.split(","))
        size = radius if own_radius is None else float(own_radius)
    except ValueError:
        center, size = (), None
    if len(center) != 3:
        msg = (
            f"seed {name!r}: {place!r} is not three numbers; write x,y,z in mm, as in PCC=0,-52,18"
        )
        raise SeedError(msg)
    return Sphere(name, center, size)
