"""Between runs and the store: cleaned runs are kept, and maps of new seeds are made from them."""

import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seedmap.analysis import Provenance, SeedFacts, SeedMaps, source_stem
from seedmap.analysis.certainty import Certainty
from seedmap.errors import MissingFile, SeedmapWarning
from seedmap.images import Grid
from seedmap.participants.find import Filters, Participant, RunInputs
from seedmap.participants.names import parse_name, uri
from seedmap.participants.onerun import StrategyWork, listening
from seedmap.participants.recipe import Recipe
from seedmap.participants.seedlist import check_space
from seedmap.participants.strategies import Strategy
from seedmap.spatial import Extracted, SeedWeights, neighbourhood
from seedmap.store import StoredRun, open_stored, write_stored
from seedmap.temporal import Cleaning

__all__ = ["FOLDER", "find_stored", "keep_run", "maps_from_store"]

FOLDER = "store"
# A seed of which less than this can be heard may give other numbers than the images.
WHOLE_SEED = 0.999


def stored_name(source: str, strategy: Strategy) -> str:
    """Name the stored form of a run."""
    return f"{source_stem(source)}_desc-{strategy.label}_bold.zarr"


def keep_run(
    recipe: Recipe, inputs: RunInputs, done: StrategyWork, plain: Extracted, folder: Path
) -> Path:
    """Write a cleaned run into the folder of stored runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / stored_name(str(inputs.bold), done.chosen.strategy)
    source = done.maps.provenance
    facts = {
        "run": inputs.name,
        "source": uri(inputs.bold, recipe.root),
        "file": inputs.bold.name,
        "space": inputs.space,
        "session": inputs.session,
        "strategy": done.chosen.strategy.name,
        "cleaning": asdict(source.cleaning),
        "smoothing_fwhm": source.smoothing_fwhm,
        "t_r_source": source.t_r_source,
        "confounds": list(source.confounds),
        "confounds_source": uri(Path(source.confounds_source), recipe.root),
        "confound_rank": source.confound_rank,
        "rank": source.rank,
        "mask_source": uri(Path(source.mask_source), recipe.root),
        "codes": list(source.codes),
        "constant": source.constant,
        "unusable": source.unusable,
    }
    write_stored(path, done.prepared.matrices, done.extracted, plain, source.t_r, facts)
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
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    found = dict(_stored_runs(folder, filters))
    if not found:
        msg = (
            f"{root}: no stored run fits; make some with seedmap bids --store, or widen the choice"
        )
        raise MissingFile(msg)
    labels = {"_".join(key)[4:].split("_")[0] for key in found}
    wanted = [one.removeprefix("sub-") for one in filters.participants] or sorted(labels)
    return [_participant(label, found, strategies, folder) for label in wanted]


def _stored_runs(folder: Path, filters: Filters) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Yield the stem of each run, as its parts, with the strategies that it is stored for."""
    runs: dict[tuple[str, ...], set[str]] = {}
    for path in sorted(folder.glob("sub-*.zarr")):
        stem, _, desc = path.name.removesuffix("_bold.zarr").rpartition("_desc-")
        name = parse_name(Path(f"{stem}_desc-{filters.desc}_bold.nii.gz"))
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
        entities = dict(part.split("-", 1) for part in parts if "-" in part)
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


def maps_from_store(recipe: Recipe, inputs: RunInputs, strategy: Strategy) -> SeedMaps:
    """Make maps of seeds from a stored run.

    Raises
    ------
    SeedmapError
        If the stored run cannot be used, or no seed can be heard in it.
    """
    head = next(
        p for p in inputs.jsons if p.parent.name.endswith(f"_desc-{strategy.label}_bold.zarr")
    )
    stored = open_stored(head.parent)
    for seed in recipe.seeds:
        check_space(seed, stored.facts["space"], anyway=recipe.other_space)
    seeds, missing = listening(recipe.seeds, stored.space, str(head.parent))
    for text in missing:
        warnings.warn(text, SeedmapWarning, stacklevel=2)
    weights = [seed.weights(stored.space) for seed in seeds]
    found = stored.maps(weights)
    facts = tuple(
        SeedFacts(seed.name, seed.definition, _center(one, stored.space), one.voxels.size, float(c))
        for seed, one, c in zip(seeds, weights, found.coverage, strict=True)
    )
    for fact in facts:
        if fact.coverage < WHOLE_SEED:
            msg = (
                f"seed {fact.name!r}: {1 - fact.coverage:.0%} of it lies outside the mask, of which the "
                "store knows nothing; the rest is heard"
            )
            warnings.warn(msg, SeedmapWarning, stacklevel=2)
    certainty = None
    if found.dof is not None and recipe.uncertainty == "operator":
        certainty = Certainty("operator", found.dof, found.rank, stored.white_dof, ())
    reach = float(stored.facts["smoothing_fwhm"] or 0.0)
    series = found.seed_series - found.seed_series.mean(axis=0)
    return SeedMaps(
        seeds=tuple(seed.name for seed in seeds),
        space=stored.space,
        r=found.r,
        seed_series=series / series.std(axis=0, ddof=1),
        sample_series=np.empty((len(series), 0)),
        sample_indices=np.empty(0, dtype=np.int64),
        provenance=_provenance(stored, facts, recipe.command),
        near=tuple(neighbourhood(stored.space, one.voxels, reach) for one in weights),
        certainty=certainty,
    )


def _center(weights: SeedWeights, space: Grid) -> tuple[float, float, float]:
    voxels = np.stack(np.unravel_index(weights.voxels, space.shape), axis=1)
    x, y, z = (float(value) for value in np.round(weights.weights @ space.to_mm(voxels), 2))
    return x, y, z


def _provenance(stored: StoredRun, seeds: tuple[SeedFacts, ...], command: str) -> Provenance:
    facts: Any = stored.facts
    return Provenance(
        source=facts["file"],
        t_r=stored.t_r,
        t_r_source=facts["t_r_source"],
        keep=stored.keep,
        cleaning=Cleaning(**facts["cleaning"]),
        smoothing_fwhm=facts["smoothing_fwhm"],
        confounds=tuple(facts["confounds"]),
        confounds_source=facts["confounds_source"],
        confound_rank=facts["confound_rank"],
        rank=facts["rank"],
        mask_source=facts["mask_source"],
        seeds=seeds,
        constant=facts["constant"],
        unusable=facts["unusable"],
        codes=(int(facts["codes"][0]), int(facts["codes"][1])),
        command=command,
    )
