"""The seeds of a study: from the command line, from a table, or from an atlas, each with its space."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedmap._texts import one_line, read_json, read_text
from seedmap.bids import label_of, space_of
from seedmap.errors import SeedError, SpaceMismatch
from seedmap.seeds import DEFAULT_RADIUS, Region, Seed, Sphere
from seedmap.spatial import Atlas, read_atlas

__all__ = ["StudySeed", "atlas_seeds", "check_space", "read_seed_table", "study_seed"]

# Names that say no more than "some MNI space".
VAGUE = ("MNI", "MNI152")
# Spaces of one brain, in which coordinates of a template mean nothing.
NATIVE = (
    *("", "T1w", "T2w", "func", "boldref", "orig", "individual", "fsnative"),
    *("run", "session", "subject"),
)
# Templates, by the beginning of their names; fsLR's surfaces and volumes lie in MNI152NLin6Asym.
TEMPLATES = ("MNI", "fsLR", "fsaverage")
SAME = {"fsLR": "MNI152NLin6Asym"}
# What the labels of one hemisphere come in.
HEMISPHERE_LABELS = (".gii", ".annot")


@dataclass(frozen=True)
class StudySeed:
    """A seed and the space that it is said to lie in.

    Attributes
    ----------
    seed : Seed
        The seed.
    space : str
        Its space; empty where nobody says.
    """

    seed: Seed
    space: str = ""

    @property
    def label(self) -> str:
        """Its name in file names."""
        return label_of(self.seed.name)

    def facts(self) -> list[str]:
        """Return what it is, for comparison."""
        return [self.seed.name, self.seed.definition, self.space]


def study_seed(seed: Seed, space: str = "") -> StudySeed:
    """Return a seed with its space: as given, or as the name of its file states."""
    return StudySeed(seed, space or space_of(seed.source))


def check_space(seed: StudySeed, space: str, *, anyway: bool) -> str:
    """Compare a seed's space with a run's; return what the sidecar should say, empty if they agree.

    Raises
    ------
    SpaceMismatch
        If they differ, or a coordinate is given for a run in a brain's own space, unless
        ``anyway``.
    """
    vague = seed.space in VAGUE and space.startswith(TEMPLATES)
    same = seed.space in (space, SAME.get(space, space))
    on_grid = not isinstance(seed.seed, Sphere)
    if same or vague or (not seed.space and (on_grid or space not in NATIVE)):
        return ""
    where = f"in space {seed.space}" if seed.space else "given by coordinates of no named space"
    there = f"in {space}" if space else "in a space that its name does not state"
    differ = f"seed {seed.seed.name!r} is {where}, the run {there}"
    if anyway:
        return f"{differ}; it was taken as it is"
    msg = (
        f"{differ}; templates differ by millimetres: give the seed in the run's space, choose runs with "
        "--space, or take it as it is with --allow-space-mismatch (the sidecars will say so)"
    )
    raise SpaceMismatch(msg)


def read_seed_table(path: Path, radius: float = DEFAULT_RADIUS) -> list[StudySeed]:
    """Read spheres from a table.

    Parameters
    ----------
    path
        TSV with the columns ``name``, ``x``, ``y``, ``z`` [mm] and perhaps ``radius`` [mm] and
        ``space``; or JSON: a list of such records, or an object from names to records or to
        three coordinates.
    radius
        Radius [mm] of those that have none.

    Raises
    ------
    MissingFile, SeedError
        If the table is not there or cannot be understood.
    """
    path = Path(path).expanduser()
    rows = list(_json_rows(path) if path.suffix == ".json" else _tsv_rows(path))
    if not rows:
        msg = f"{path}: holds no seed; the columns name, x, y, z are wanted"
        raise SeedError(msg)
    return [_sphere(row, path, number, radius) for number, row in enumerate(rows, 1)]


def _tsv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    text = read_text(path, "table of seeds", SeedError)
    delimiter = "," if path.suffix == ".csv" else "\t"
    try:
        yield from csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        msg = f"{path}: not a table that can be read ({one_line(error)}); name, x, y, z are wanted"
        raise SeedError(msg) from error


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    content = read_json(path, "table of seeds", SeedError)
    if isinstance(content, dict):
        content = [{"name": name} | _record(value) for name, value in content.items()]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        msg = f"{path}: a list of seeds is wanted, each with name, x, y and z, or an object from names to places"
        raise SeedError(msg)
    yield from content


def _record(value: Any) -> dict[str, Any]:
    """Return a seed's record as it is, or one of its three coordinates."""
    if isinstance(value, dict):
        return value
    return dict(zip("xyz", value, strict=False)) if isinstance(value, list) else {}


def _sphere(row: Mapping[str, Any], path: Path, number: int, radius: float) -> StudySeed:
    try:
        center = tuple(float(row[axis]) for axis in "xyz")
        own = row.get("radius")
        size = radius if own in (None, "", "n/a") else float(str(own))
        seed = Sphere(str(row["name"]), (center[0], center[1], center[2]), size)
    except (KeyError, TypeError, ValueError, OverflowError, SeedError) as error:
        msg = (
            f"{path}: seed {number} cannot be read ({type(error).__name__}: {one_line(error)}); name, x, y, z "
            "in mm are wanted, and perhaps radius and space"
        )
        raise SeedError(msg) from error
    space = row.get("space") or ""
    return study_seed(seed, "" if space == "n/a" else str(space))


def atlas_seeds(path: Path, regions: Sequence[str] = ()) -> list[StudySeed]:
    """Make a seed of every region of an atlas, or of those that are named.

    Parameters
    ----------
    path
        Image of whole numbers, of which a look-up table of the same name may hold names; a CIFTI
        ``dlabel``; or labels of one hemisphere (``.label.gii``, ``.annot``), whose regions must be
        named.
    regions
        Names, ``*`` standing for anything, or numbers; all if empty.

    Raises
    ------
    MissingFile, ImageError, SeedError
        If the atlas cannot be used, or a region is not in it.
    """
    if path.name.endswith(HEMISPHERE_LABELS):
        return [study_seed(_of_hemisphere(path, text)) for text in regions or ("*",)]
    atlas = read_atlas(path)
    numbers = atlas.numbers if not regions else _matching(atlas, regions)
    named = {number: atlas.names.get(number, f"region{number}") for number in numbers}
    return [study_seed(Region(name, path, number)) for number, name in named.items()]


def _of_hemisphere(path: Path, text: str) -> Region:
    """Name one region of a hemisphere's labels; the file is read with the first run."""
    if "*" in text:
        msg = (
            f"{path}: of the labels of one hemisphere give the regions by name or number "
            "(--seeds-region); all regions at once can be taken of a dlabel file"
        )
        raise SeedError(msg)
    return Region(text, path, int(text) if text.isdecimal() else text)


def _matching(atlas: Atlas, regions: Sequence[str]) -> list[int]:
    """Return the regions that any of the texts names, in their order."""
    found: list[int] = []
    for text in regions:
        some = atlas.matching(text)
        if not some:
            known = [atlas.names.get(number, f"region{number}") for number in atlas.numbers]
            few = ", ".join(known[:5])
            msg = f"{atlas.source}: no region is called {text!r}; it holds {len(known)}: {few} ..."
            raise SeedError(msg)
        found += some
    return list(dict.fromkeys(found))
