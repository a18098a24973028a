"""People's maps of a new seed, made from the cleaned runs that ``seedmap bids --store`` kept."""

from collections.abc import Sequence
from pathlib import Path

from seedmap._arrays import middle
from seedmap.analysis import SeedMaps, stored_maps
from seedmap.bids import entities_of, label_of
from seedmap.errors import MissingFile, OptionError, SeedError
from seedmap.group.people import Choice, Member, OneSeed, Piece
from seedmap.participants.combine import combine_maps
from seedmap.seeds import Seed, parse_seed

__all__ = ["find_runs", "stored_members"]

FOLDER = "store"

ENDING = "_bold.zarr"


def stored_members(
    root: Path, choice: Choice, seed: str
) -> tuple[list[Member], dict[str, str], str, str]:
    """Make the maps of a seed from stored runs, those of one person combined by degrees of freedom.

    Parameters
    ----------
    root
        Folder of results, or its folder ``store``.
    choice
        Which runs; its seed does not matter.
    seed
        The seed as it is written on the command line, such as ``PCC=0,-52,18``.

    Returns
    -------
    members : list of Member
        The people.
    dropped : dict of str to str
        People of whom no run has a voxel of the seed.
    name, strategy : str
        Of the seed, and of the stored runs.

    Raises
    ------
    MissingFile
        If there are no stored runs that fit.
    OptionError
        If there are several strategies, or sessions are to be compared.
    SeedError
        If nobody has a voxel of the seed.
    """
    if choice.within:
        msg = "--within and --from-store exclude each other; make the sessions' maps with seedmap bids first"
        raise OptionError(msg)
    runs, strategy = find_runs(root, choice)
    placed = parse_seed(seed)
    members: list[Member] = []
    dropped: dict[str, str] = {}
    for label, paths in runs.items():
        try:
            members.append(_member(label, paths, placed))
        except SeedError as error:
            dropped[label], last = f"has no voxel of seed {placed.name} in its mask", error
    if not members:
        raise last
    return members, dropped, placed.name, strategy


def find_runs(root: Path, choice: Choice) -> tuple[dict[str, list[Path]], str]:
    """Find stored runs: those of each participant by label, and their strategy.

    Raises
    ------
    MissingFile
        If there are none that fit.
    OptionError
        If there are several strategies.
    """
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    paths = [p for p in sorted(folder.glob(f"sub-*{ENDING}")) if _fits(p, choice)]
    if not paths:
        msg = (
            f"{root}: no stored run fits; make some with seedmap bids --store, or widen the choice"
        )
        raise MissingFile(msg)
    strategies = sorted({_entities(path).get("desc", "") for path in paths})
    if len(strategies) > 1:
        msg = f"{folder}: runs of several strategies are stored ({', '.join(strategies)}); give --strategy"
        raise OptionError(msg)
    by_label: dict[str, list[Path]] = {}
    for path in paths:
        by_label.setdefault(_entities(path)["sub"], []).append(path)
    return by_label, strategies[0]


def _entities(path: Path) -> dict[str, str]:
    return entities_of(path.name.removesuffix(ENDING))


def _fits(path: Path, choice: Choice) -> bool:
    named = _entities(path)
    wanted = dict(choice.entities)
    if choice.strategy:
        wanted["desc"] = label_of(choice.strategy)
    return all(named.get(key, "") == value for key, value in wanted.items())


def _member(label: str, paths: Sequence[Path], seed: Seed) -> Member:
    """Combine the maps of the runs that have the seed; refuse it where none has."""
    runs: list[SeedMaps] = []
    for path in paths:
        try:
            runs.append(stored_maps(path, seed))
        except SeedError as error:
            lacking = error
    if not runs:
        raise lacking
    maps = runs[0] if len(runs) == 1 else combine_maps(runs, runs[0].provenance.source, "dof")
    facts = {
        "frames_kept": float(sum(one.provenance.kept for one in runs)),
        "dof": middle(maps.dof),
    }
    return Member(label, (Piece(OneSeed(maps, maps.seeds[0])),), facts)
