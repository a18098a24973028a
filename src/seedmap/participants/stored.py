"""Between runs and the store: cleaned runs are kept, and maps of new seeds are made from them."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seedmap.analysis import (
    DegreePlan,
    RobustnessSettings,
    SeedMaps,
    SeedRobustness,
    StoredSeeds,
    draw_plan,
    maps_of_stored,
    origin_facts,
    robustness_of,
    with_degree,
)
from seedmap.bids import (
    Filters,
    Participant,
    RunInputs,
    entities_of,
    modern_name,
    parse_name,
    source_stem,
    uri,
)
from seedmap.denoising import Strategy
from seedmap.errors import MissingFile, OptionError, SeedmapWarning
from seedmap.participants.recipe import Recipe
from seedmap.participants.run import StrategyWork, place_inside
from seedmap.participants.seeds import check_space
from seedmap.spatial import Extracted
from seedmap.store import open_stored, write_stored

__all__ = [
    "FOLDER",
    "find_stored",
    "keep_run",
    "maps_from_store",
    "only_strategy",
    "robust_from_store",
]

FOLDER = "store"


def stored_name(source: Path, strategy: Strategy) -> str:
    """Name the stored form of a run."""
    return f"{source_stem(modern_name(source))}_desc-{strategy.label}_bold.zarr"


def keep_run(
    recipe: Recipe, inputs: RunInputs, done: StrategyWork, plain: Extracted, folder: Path
) -> Path:
    """Write a cleaned run into the folder of stored runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / stored_name(inputs.bold, done.chosen.strategy)
    source = done.maps.provenance
    mask = Path(source.mask_source)
    facts = {
        **origin_facts(done.maps),
        "run": inputs.name,
        "source": uri(inputs.bold, recipe.root),
        "file": modern_name(inputs.bold),
        "others": [uri(Path(other), recipe.root) for other in source.others],
        "space": inputs.space,
        "session": inputs.session,
        "strategy": done.chosen.strategy.name,
        "confounds_source": uri(Path(source.confounds_source), recipe.root),
        "mask_source": uri(mask, recipe.root) if mask.is_absolute() else source.mask_source,
    }
    write_stored(path, done.prepared.operator, done.extracted, plain, source.t_r, facts)
    return path


def find_stored(
    root: Path, filters: Filters, strategies: tuple[Strategy, ...]
) -> list[Participant]:
    """Find the stored runs of earlier results; images are not touched.

    Raises
    ------
    MissingFile
        If there are none.
    """
    folder = _folder_of(root)
    found = dict(_stored_runs(folder, filters))
    if not found:
        msg = (
            f"{root}: no stored run fits; make some with seedmap bids --store, or widen the choice"
        )
        raise MissingFile(msg)
    labels = {"_".join(key)[4:].split("_")[0] for key in found}
    wanted = [one.removeprefix("sub-") for one in filters.participants] or sorted(labels)
    return [_participant(label, found, strategies, folder) for label in wanted]


def only_strategy(root: Path) -> str:
    """Return the name of the one strategy with which the runs of earlier results are stored.

    Raises
    ------
    MissingFile
        If no run is stored.
    OptionError
        If runs are stored with several strategies.
    """
    paths = {
        path.name.removesuffix("_bold.zarr").rpartition("_desc-")[2]: path
        for path in sorted(_folder_of(root).glob("sub-*_desc-*_bold.zarr"))
    }
    if not paths:
        msg = f"{root}: no run is stored here; store some with seedmap bids --store"
        raise MissingFile(msg)
    if len(paths) > 1:
        msg = f"{root}: runs are stored with several strategies; choose one of {', '.join(paths)} with --strategy"
        raise OptionError(msg)
    (path,) = paths.values()
    return str(open_stored(path).facts["strategy"])


def _folder_of(root: Path) -> Path:
    return root / FOLDER if (root / FOLDER).is_dir() else root


def _stored_runs(folder: Path, filters: Filters) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Yield the stem of each run, as its parts, with the strategies that it is stored for."""
    runs: dict[tuple[str, ...], set[str]] = {}
    for path in sorted(folder.glob("sub-*.zarr")):
        stem, _, desc = path.name.removesuffix("_bold.zarr").rpartition("_desc-")
        name = parse_name(Path(f"{stem}_desc-{filters.desc or 'none'}_bold.nii.gz"))
        if name is not None and filters.accept(name):
            runs.setdefault(tuple(stem.split("_")), set()).add(desc)
    yield from runs.items()


def _participant(
    label: str,
    found: dict[tuple[str, ...], set[str]],
    strategies: tuple[Strategy, ...],
    folder: Path,
) -> Participant:
    runs, problems = [], []
    for parts, there in found.items():
        if parts[0] != f"sub-{label}":
            continue
        missing = [one.name for one in strategies if one.label not in there]
        stem = "_".join(parts)
        if missing:
            problems.append(
                f"{stem}: not stored for {', '.join(missing)}; there is {', '.join(sorted(there))}"
            )
            continue
        entities = entities_of(stem)
        heads = tuple(
            folder / f"{stem}_desc-{one.label}_bold.zarr" / "zarr.json" for one in strategies
        )
        runs.append(
            RunInputs(
                name=stem,
                bold=folder / f"{stem}_desc-{strategies[0].label}_bold.zarr" / "zarr.json",
                mask=None,
                confounds=None,
                confounds_json=None,
                space=entities.get("space", ""),
                session=entities.get("ses", ""),
                jsons=heads,
            )
        )
    if not runs and not problems:
        problems = [f"sub-{label}: no stored run fits"]
    return Participant(label, tuple(runs), tuple(problems))


def robust_from_store(
    recipe: Recipe,
    inputs: RunInputs,
    strategy: Strategy,
    maps: SeedMaps,
    others: Sequence[SeedMaps],
) -> SeedRobustness:
    """Say how far maps that `maps_from_store` made move; ``others`` are those of other strategies."""
    stored = open_stored(_head_of(inputs, strategy).parent)
    placed, _ = place_inside(recipe.seeds, stored.space, str(stored.path))
    settings = RobustnessSettings()
    plan = draw_plan(placed, stored.space.within(stored.sampled), settings)
    own = [seed.weights for seed in placed if seed.weights is not None]
    source = StoredSeeds(stored, maps, own, plan.weights)
    return robustness_of(source, placed, plan, settings, others)


def _head_of(inputs: RunInputs, strategy: Strategy) -> Path:
    """Return the head of the stored run of a strategy."""
    ending = f"_desc-{strategy.label}_bold.zarr"
    return next(path for path in inputs.jsons if path.parent.name.endswith(ending))


def maps_from_store(recipe: Recipe, inputs: RunInputs, strategy: Strategy) -> tuple[SeedMaps, str]:
    """Make maps of seeds from a stored run; return the name that the run had, too.

    Raises
    ------
    SeedmapError
        If the stored run cannot be used, or no seed has samples in it.
    """
    head = _head_of(inputs, strategy)
    stored = open_stored(head.parent)
    for seed in recipe.seeds:
        check_space(seed, stored.facts["space"], anyway=recipe.other_space)
    seeds, missing = place_inside(recipe.seeds, stored.space, str(head.parent))
    for text in missing:
        warnings.warn(text, SeedmapWarning, stacklevel=2)
    maps = maps_of_stored(stored, seeds, recipe.method.uncertainty)
    if recipe.degree:
        spheres = DegreePlan.of(seeds, stored.space.within(stored.sampled))
        own = [seed.weights for seed in seeds if seed.weights is not None]
        source = StoredSeeds(stored, maps, own, spheres.weights)
        maps = with_degree(source, spheres, source.drawn)
    origin = replace(maps.provenance, source=stored.facts["source"], command=recipe.command)
    return replace(maps, provenance=origin), str(stored.facts["run"])
