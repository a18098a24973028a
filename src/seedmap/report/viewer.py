"""Maps inside a page: three slices that a reader moves through, without a network.

The page holds the maps and the anatomy beneath them, compressed, and the drawing code of the
explorer, whose modules are joined into one script.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis import SeedMaps
from seedmap.bids import space_of
from seedmap.figures import mni_template
from seedmap.images import Grid

__all__ = ["Viewer", "pack_maps", "viewer_of"]

# The explorer's modules, each after those that it needs, and what joins them on a page.
MODULES = ("colors.js", "volume.js", "page.js", "painter.js", "slices.js")
# In an int16, as the explorer has it: no value, and the value of r = 1.
NOTHING, FULL = -32768, 32767
# r is kept in steps of 1/512: finer than the page writes it, and it compresses well.
STEP = 64
# More maps than these would make a page too large to send by mail.
MOST_MAPS = 12
# The anatomy is shown at every second millimetre.
COARSE = 2
# The grey of the mask where there is no template for a space.
MASK_GREY = 110


@dataclass(frozen=True)
class Viewer:
    """What the part of a page with the slices needs."""

    data: str
    """Maps and anatomy as JSON, the volumes compressed and in base64."""

    names: tuple[str, ...]
    """Names of the maps, as a reader chooses them."""

    anatomy: str
    """What lies beneath the maps, in words."""

    left_out: int = 0
    """Maps that are not in the page, since there are too many."""

    @property
    def script(self) -> str:
        """The drawing code."""
        return _script()

    @property
    def size(self) -> str:
        """How much of the page the slices take, in words."""
        return f"{(len(self.data) + len(self.script)) / 1e6:.1f} MB"


def viewer_of(packed: Iterable[dict[str, Any]]) -> Viewer | None:
    """Put maps that `pack_maps` packed into a page; None where there are none."""
    maps = list(packed)
    if not maps:
        return None
    shown = [{key: one[key] for key in one if key != "under"} for one in maps[:MOST_MAPS]]
    under = maps[0]["under"]
    data = json.dumps({"anatomy": under, "maps": shown}, separators=(",", ":"))
    names = tuple(one["name"] for one in shown)
    left_out = len(maps) - len(shown)
    return Viewer(data.replace("<", "\\u003c"), names, under["name"], left_out)


def pack_maps(maps: SeedMaps, before: str = "") -> list[dict[str, Any]]:
    """Compress the maps of r of a run for a page; empty where samples are no voxels.

    Parameters
    ----------
    maps
        The maps.
    before
        What stands before the name of each seed where a reader chooses a map.
    """
    if not isinstance(maps.space, Grid):
        return []
    under = _anatomy(maps, maps.space)
    return [
        {**_map(maps, maps.space, seed), "name": before + seed, "under": under}
        for seed in maps.seeds
    ]


def _map(maps: SeedMaps, space: Grid, seed: str) -> dict[str, Any]:
    """Describe one map: its values in the box of the mask, where it lies, and its seed."""
    r = np.clip(maps.values(seed, "r"), -1, 1)
    steps = np.where(np.isfinite(r), np.round(np.nan_to_num(r) * FULL / STEP) * STEP, NOTHING)
    volume = space.unmask(np.clip(steps, NOTHING, FULL).astype("<i2"), outside=NOTHING)
    low, high = _box(space.mask)
    affine = np.array(space.affine)
    affine[:3, 3] = affine[:3, :3] @ low + affine[:3, 3]
    center = maps.provenance.seeds[maps.index(seed)].center
    return {
        "affine": affine.tolist(),
        "corners": _corners(affine, high - low),
        "center": None if center is None else [round(float(one), 2) for one in center],
        **_packed(volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]),
    }


def _box(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first index of a mask along each axis, and the one behind the last."""
    places = np.argwhere(mask)
    return places.min(axis=0), places.max(axis=0) + 1


def _corners(affine: Array, shape: NDArray[np.int64]) -> list[list[float]]:
    """Return the lowest and the highest coordinates [mm] of a box of voxels."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    places = affine[:3, :3] @ ends + affine[:3, 3:]
    return [places.min(axis=1).tolist(), places.max(axis=1).tolist()]


def _anatomy(maps: SeedMaps, space: Grid) -> dict[str, Any]:
    """Describe what lies beneath the maps: the template, elsewhere than in MNI space the mask."""
    name = space_of(maps.provenance.source).upper()
    if not name or name.startswith("MNI"):
        return {"name": "the MNI152 template", **_mni_anatomy()}
    grey = np.where(space.mask, MASK_GREY, 0).astype(np.uint8)
    return {"name": "the mask of the run", "affine": space.affine.tolist(), **_packed(grey)}


@cache
def _mni_anatomy() -> dict[str, Any]:
    """Describe the template, at 2 mm."""
    template = mni_template()
    values = np.asarray(template.values)[::COARSE, ::COARSE, ::COARSE].astype(np.float32)
    affine = np.array(template.affine)
    affine[:3, :3] *= COARSE
    bright = np.percentile(values[values > 0], 99.5)
    grey = (np.clip(values / bright, 0, 1) * 255).astype(np.uint8)
    return {"affine": affine.tolist(), **_packed(grey)}


def _packed(volume: NDArray[Any]) -> dict[str, Any]:
    """Compress a volume in C order; the time of the call leaves no trace in the bytes."""
    packed = gzip.compress(np.ascontiguousarray(volume).tobytes(), compresslevel=6, mtime=0)
    return {"shape": list(volume.shape), "data": base64.b64encode(packed).decode("ascii")}


@cache
def _script() -> str:
    """Join the modules: what they import from each other is then in one scope."""
    static = files("seedmap") / "explorer" / "web" / "static"
    texts = [(static / name).read_text(encoding="utf-8") for name in MODULES]
    own = (files("seedmap.report") / "templates" / "viewer.js").read_text(encoding="utf-8")
    joined = "\n".join([*texts, own])
    return re.sub(r"^import [^;]*;\n|^export (?=\w)", "", joined, flags=re.MULTILINE)
