"""The section of a page that says how far each map moves with its seed, and why that may mislead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedmap.analysis import KindOfChange, SeedRobustness, kind_words
from seedmap.clusters import Threshold
from seedmap.figures import can_draw, save_figure
from seedmap.report.charts import Bar, bars
from seedmap.report.pictures import Picture, load_picture
from seedmap.report.words import listed, number, percent

__all__ = ["SeedSection", "draw_survival", "moving_section", "robust_sections"]

HEADINGS = (
    "Maps",
    "Error [se]",
    "Predicted",
    "Random places",
    "r with the map",
    "Dice",
    "Survives in 95 %",
)


@dataclass(frozen=True, eq=False)
class SeedSection:
    """What the page says of one seed."""

    name: str
    """Name of the seed."""

    reading: str
    """How far the map moves with the place of its seed, and what that means; may be empty."""

    chart: str
    """A bar a kind of change, as SVG; empty where nothing could be compared."""

    headings: tuple[str, ...]
    """Of the table."""

    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """What was another one, and the cells of the table."""

    notes: tuple[str, ...]
    """What to know of single rows."""

    homogeneity: str
    """Mean correlation with each other of the seed's voxels; empty where there are none."""

    picture: Picture | None
    """The map of survival."""

    methods: str = ""
    """What the map was compared with, in a sentence for a paper."""


def robust_sections(
    found: SeedRobustness, pictures: Mapping[str, Picture]
) -> tuple[SeedSection, ...]:
    """Put together what the page says, seed by seed."""
    return tuple(_section(found, seed, pictures.get(seed)) for seed in found.seeds)


def _section(found: SeedRobustness, seed: str, picture: Picture | None) -> SeedSection:
    rows = [row for row in found.rows if row.seed == seed]
    return moving_section(seed, rows, found.reading(seed), picture)


def moving_section(
    name: str, rows: Sequence[KindOfChange], reading: str, picture: Picture | None = None
) -> SeedSection:
    """Put together what the page says of one map: its rows as a chart and as a table.

    Parameters
    ----------
    name
        Of the seed, or of the contrast.
    rows
        How far its map moves, a row a kind of change; at least one.
    reading
        What that means to a reader; may be empty.
    picture
        The map of survival, if it was drawn.
    """
    known = [row for row in rows if np.isfinite(row.error)]
    every = [_cells(row) for row in known]
    shown = [at for at in range(len(HEADINGS)) if any(cells[at] for cells in every)]
    homogeneity = rows[0].homogeneity
    chart = ""
    if known:
        chart = bars([_bar(row) for row in known], name=f"How far the map of {name} moves")
    return SeedSection(
        name=name,
        reading=reading,
        chart=chart,
        headings=tuple(HEADINGS[at] for at in shown),
        rows=tuple(
            (_capital(kind_words(row.kind)), tuple(cells[at] for at in shown))
            for row, cells in zip(known, every, strict=True)
        ),
        notes=tuple(f"{_capital(kind_words(row.kind))}: {row.note}." for row in rows if row.note),
        homogeneity=number(homogeneity, 2) if np.isfinite(homogeneity) else "",
        picture=picture,
        methods=_methods(name, known),
    )


def _methods(name: str, rows: Sequence[KindOfChange]) -> str:
    """Say in a sentence what a map was compared with; empty where it was with nothing."""
    words = {
        "size": "{} of other sizes",
        "half": "{} random halves of its voxels",
        "time": "the {} halves of the run, 20 s apart",
        "cleaning": "{} cleanings",
    }
    parts = []
    for row in rows:
        far = row.kind.removeprefix("centre")
        usual = f"{{}} seeds with centres uniform within {far} mm"
        parts.append(words.get(row.kind, usual).format(row.number))
    if not parts:
        return ""
    return f"For a paper: the map of {name} was compared with those of {listed(parts)}."


def _bar(row: KindOfChange) -> Bar:
    return Bar(
        _capital(kind_words(row.kind)),
        row.error,
        (row.random_low, row.random_median, row.random_high),
    )


def _cells(row: KindOfChange) -> tuple[str, ...]:
    """Write the cells of a row; empty where something is not known."""
    spread = ""
    if np.isfinite(row.random_median):
        spread = f"{number(row.random_low, 2)} to {number(row.random_high, 2)}"
    return (
        str(row.number),
        number(row.error, 2),
        *(number(value, 2) if np.isfinite(value) else "" for value in (row.predicted,)),
        spread,
        *(number(value, 2) if np.isfinite(value) else "" for value in (row.map_r, row.dice)),
        percent(row.survival_95) if np.isfinite(row.survival_95) else "",
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def draw_survival(found: SeedRobustness, folder: Path, threshold: Threshold) -> dict[str, Picture]:
    """Draw the map of survival of each seed and write it, as PNG and PDF, into ``folder / "figures"``.

    Returns
    -------
    dict of str to Picture
        By seed; none where the space cannot be drawn, or nothing is significant.
    """
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    drawn = {}
    for seed in found.seeds if can_draw(found.space) else ():
        if not np.nan_to_num(found.values(seed, "survival")).any():
            continue  # nothing is significant, so nothing can stay so
        name = found.file_name(seed, "statmap", stat="survival", desc=found.desc)
        files = save_figure(found.plot(seed, threshold, "survival"), figures / name)
        drawn[seed] = load_picture(files[0], *_words(found, seed), pdf=f"figures/{files[1].name}")
    return drawn


def _words(found: SeedRobustness, seed: str) -> tuple[str, str]:
    far = max(found.settings.centre)
    what = (
        f"share of the seeds within {far:g} mm of {seed} with which the map is significant there, with "
        "the same sign"
    )
    alt = f"The brain in cuts. Red: the {what}. What is beyond the threshold in the map itself is outlined."
    return alt, f"Survival: {what}. Outlined: beyond the threshold in the map itself."
