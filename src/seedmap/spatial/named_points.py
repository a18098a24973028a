"""Names of places in MNI space without an atlas: those of the nearest of well-known points."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from seedmap._arrays import Array

__all__ = ["Landmarks", "landmarks"]

# The points inside nilearn's package; its loader would take scikit-learn with it.
TABLE = "datasets/data/dosenbach_2010.csv"
# A place further than this from every point has no name [mm].
NEAR = 12.0
WORDS = {
    "ant": "anterior",
    "inf": "inferior",
    "lat": "lateral",
    "med": "medial",
    "post": "posterior",
    "sup": "superior",
    "vent": "ventral",
}
SHORT = {"pcc": "posterior cingulate"}
NETWORKS = {"default": "default mode", "cerebellum": "cerebellar"}


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Centres of named regions.

    Attributes
    ----------
    places : ndarray of float64, shape (n, 3)
        Where they lie [mm].
    names : tuple of str
        What they are called.
    source : str
        Where the names come from.
    """

    places: Array
    names: tuple[str, ...]
    source: str = ""

    def name_at(self, place: Sequence[float]) -> str:
        """Name the nearest region, as ``near vmPFC, default mode network``; empty if none is near."""
        distance = np.linalg.norm(self.places - np.asarray(place, dtype=np.float64), axis=1)
        nearest = int(distance.argmin())
        return f"near {self.names[nearest]}" if distance[nearest] <= NEAR else ""

    def called(self, word: str) -> list[tuple[str, tuple[int, ...]]]:
        """List the regions that a word names, with their places [mm]; the network is no name."""
        wanted = SHORT.get(word.strip().lower(), word.strip().lower())
        found = []
        for name, place in zip(self.names, self.places, strict=True):
            region = name.partition(",")[0]
            if re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", region.lower()):
                found.append((region, tuple(np.rint(place).astype(int).tolist())))
        return found


@cache
def landmarks() -> Landmarks:
    """Return the 160 regions of Dosenbach et al. (2010), doi:10.1126/science.1194144, in MNI space."""
    rows = _rows()
    places = np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
    names = tuple(f"{_in_full(row['name'])}, {_network(row['network'])}" for row in rows)
    return Landmarks(places, names, "nearest of 160 regions, doi:10.1126/science.1194144")


def _rows() -> list[dict[str, str]]:
    """Read the table, from its file if nilearn keeps it where it used to."""
    shipped = files("nilearn") / TABLE
    if shipped.is_file():
        return list(csv.DictReader(shipped.read_text(encoding="utf-8").splitlines()))
    from nilearn.datasets import fetch_coords_dosenbach_2010

    table = fetch_coords_dosenbach_2010()
    columns = (*(table["rois"][axis] for axis in "xyz"), table["labels"], table["networks"])
    return [_row(values) for values in zip(*columns, strict=True)]


def _row(values: Iterable[object]) -> dict[str, str]:
    return dict(zip(("x", "y", "z", "name", "network"), map(str, values), strict=True))


def _in_full(name: str) -> str:
    """Write a region's name without its number and its abbreviations."""
    words = re.sub(r"\s*\d+$", "", name).split()
    return " ".join(WORDS.get(word, word) for word in words)


def _network(name: str) -> str:
    return f"{NETWORKS.get(name, name)} network"
