"""Which runs are combined, and the files of the combinations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seedmap.analysis import SeedMaps
from seedmap.bids import RunInputs, modern_name, source_stem, uri
from seedmap.participants.combine import combine_maps, combined_words
from seedmap.participants.outputs import folder_of, save_run
from seedmap.participants.recipe import Recipe

__all__ = ["MapsOfRuns", "save_combined"]

MapsOfRuns = Sequence[tuple[RunInputs, SeedMaps]]


def save_combined(recipe: Recipe, maps_of: Mapping[str, MapsOfRuns], folder: Path) -> Iterator[str]:
    """Combine the runs of a session, or of the participant, and write the maps.

    Parameters
    ----------
    recipe
        What to do.
    maps_of
        The runs' maps by strategy.
    folder
        Where the study's results are made.

    Yields
    ------
    str
        The combination that was written: its name, and the strategy.
    """
    for strategy, done in maps_of.items():
        for together in _groups(recipe, done).values():
            if len(together) < 2:
                continue
            inputs = [one for one, _ in together]
            name = _combined_name(together[0][1], dropped=_dropped(recipe))
            maps = combine_maps([maps for _, maps in together], name, recipe.combine_by)
            label = next(s.label for s in recipe.strategies if s.name == strategy)
            place = folder_of(
                inputs[0] if recipe.combine == "session" else replace(inputs[0], session="")
            )
            sources = [(one.provenance.source, *one.provenance.others) for _, one in together]
            about = {
                "Strategy": strategy,
                "Sources": [uri(Path(file), recipe.root) for files in sources for file in files],
                "Combined": combined_words(len(inputs), recipe.combine_by),
            }
            save_run(maps, folder / place, recipe, label, about)
            yield f"{source_stem(name)}, {strategy}"


def _dropped(recipe: Recipe) -> tuple[str, ...]:
    return ("run",) if recipe.combine == "session" else ("run", "ses")


def _groups(recipe: Recipe, done: MapsOfRuns) -> dict[str, list[tuple[RunInputs, SeedMaps]]]:
    """Put runs together that differ in no more than what is combined over."""
    groups: dict[str, list[tuple[RunInputs, SeedMaps]]] = {}
    for inputs, maps in done:
        name = _combined_name(maps, dropped=_dropped(recipe))
        groups.setdefault(name, []).append((inputs, maps))
    return groups


def _combined_name(maps: SeedMaps, dropped: tuple[str, ...]) -> str:
    """Name a combination like a run, without what it was combined over."""
    stem = source_stem(modern_name(Path(maps.provenance.source)))
    kept = [part for part in stem.split("_") if part.partition("-")[0] not in dropped]
    return "_".join([*kept, "desc-preproc", "bold.nii.gz"])
