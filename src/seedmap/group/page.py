"""From a group to its page."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import columns_of
from seedmap.analysis import reading_of
from seedmap.figures import Highlight, Look, can_draw, draw_map, save_figure
from seedmap.group.checks import inflation
from seedmap.group.degree import degree_words
from seedmap.group.maps import GroupMaps
from seedmap.group.motion import motion_of
from seedmap.group.peaks import GroupCluster, find_group_clusters
from seedmap.group.people_at_peaks import effect_words, people_at
from seedmap.group.pipeline import Group
from seedmap.group.references import references_in
from seedmap.group.robustness import CRITICAL_P
from seedmap.group.words import (
    P_NAMES,
    counts_words,
    found_words,
    looked_words,
    methods_words,
    question_words,
)
from seedmap.images import Grid, Space
from seedmap.report.group import ContrastPart, GroupPage, render_group
from seedmap.report.people import design_chart
from seedmap.report.pictures import Picture, load_picture
from seedmap.report.robustness import SeedSection, moving_section
from seedmap.report.words import DASH, listed, number
from seedmap.spatial import Atlas

__all__ = ["group_page"]

STANDARDISED = {"g": "g", "r": "partial r"}
ROWS, PEAKS = 20, 12
ALPHA = 0.05
# A person is unlike the others this many median deviations below the median likeness.
UNLIKE = 3.0
# By at least as many samples, spread over all, unless there are fewer.
LOOKED_AT = 20_000
TIED = 0.3


def group_page(group: Group, atlas: Atlas | None = None, more: Sequence[str] = ()) -> str:
    """Make the page of a group: one HTML file that loads nothing.

    Parameters
    ----------
    group
        The result.
    atlas
        Where names of regions come from.
    more
        What a reader should know beside the notes of the group.
    """
    plan = group.plan
    design = plan.design
    notes = [*group.notes, *more, *_unlike(group)]
    motion, methods = motion_of(group), methods_words(group)
    notes += [looked_words(group)] if looked_words(group) else []
    page = GroupPage(
        title=f"{plan.question.seed or 'Maps'} over people{f', {group.strategy}' if group.strategy else ''}",
        question=question_words(group),
        people=f"{len(plan.labels)} people were used and {len(plan.dropped)} left out.",
        dropped=tuple(plan.dropped.items()),
        design=design_chart(design.matrix, design.columns, [f"sub-{one}" for one in plan.labels]),
        model=tuple(_model_facts(group)),
        contrasts=tuple(_part(group, maps, atlas) for maps in group.maps.values()),
        notes=tuple(notes),
        counts=counts_words(group),
        methods=methods,
        references=references_in(methods),
        n_picture=_n_picture(group),
        motion=() if motion is None else motion.sentences,
        motion_chart="" if motion is None else motion.chart,
        moving=tuple(_moving(text, maps) for text, maps in group.maps.items() if maps.moved),
        command=group.command,
    )
    return render_group(page)


def _moving(text: str, maps: GroupMaps) -> SeedSection:
    """Say how far the map of a contrast moves with its seed, and draw where it survives."""
    far = maps.facts["CentresWithin"]
    row = next(one for one in maps.moved if one.kind == f"centre{far:g}")
    reading = ""
    if np.isfinite(row.error):
        reading = (
            f"Seeds within {far:g} mm move the map of {text} by {row.error:.2f} of its standard error "
            f"over people: {reading_of(row.error)}."
        )
    picture = None
    survival = maps.arrays.get("survival")
    if survival is not None and can_draw(maps.space) and np.nan_to_num(survival).any():
        with np.errstate(invalid="ignore"):
            shown = Highlight(maps.arrays["p"] < CRITICAL_P, "p < .001")
        caption = (
            f"Survival: share of the seeds within {far:g} mm with which a place has p < .001, uncorrected, "
            "with the same sign. Outlined: p < .001 in the map itself."
        )
        how = (f"{text}, {maps.seeds[0]}", maps.center(maps.seeds[0]), Look())
        picture = _picture(maps.space, (np.nan_to_num(survival), "survival"), shown, caption, how)
    return moving_section(text, maps.moved, reading, picture)


def _model_facts(group: Group) -> Iterator[tuple[str, str]]:
    design = group.plan.design
    people, columns = design.matrix.shape
    yield "Formula", design.formula.text
    yield "Freedom", f"{people - columns} residual degrees of freedom"
    yield from _weighting(group)
    for name, vif in inflation(design).items():
        yield name, f"variance inflation {number(vif)}"
    varying = [j for j in range(columns) if np.ptp(design.matrix[:, j]) > 0]
    for at, j in enumerate(varying):
        for k in varying[at + 1 :]:
            r = float(np.corrcoef(design.matrix[:, j], design.matrix[:, k])[0, 1])
            if abs(r) > TIED:
                yield f"{design.columns[j]}, {design.columns[k]}", f"r = {number(r)} over people"


def _weighting(group: Group) -> Iterator[tuple[str, str]]:
    """Say what weighting people by their standard errors gains, or would gain."""
    gains = [
        (f"{max(1 - 1 / maps.facts['PredictedGainOfWeighting'], 0):.0%}", text)
        for text, maps in group.maps.items()
        if np.isfinite(maps.facts["PredictedGainOfWeighting"])
    ]
    if gains:
        does = "makes" if group.plan.question.estimator == "weighted" else "would make"
        by = listed([f"{gain} ({text})" if len(gains) > 1 else gain for gain, text in gains])
        yield (
            "Weights",
            f"weighting people by the standard errors of their maps {does} the group's standard error at the median "
            f"sample smaller by {by}",
        )


def _unlike(group: Group) -> Iterator[str]:
    """Name the people whose map is unlike the mean of the others'."""
    step = max(1, group.loaded.maps.shape[1] // LOOKED_AT)
    maps = columns_of(group.loaded.maps, slice(None, None, step)).astype(np.float64)
    maps = maps[:, np.isfinite(maps).all(axis=0)]
    if len(maps) < 4 or maps.shape[1] < 3:
        return
    others = (maps.sum(axis=0) - maps) / (len(maps) - 1)
    likeness = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(maps, others, strict=True)])
    middle = float(np.median(likeness))
    spread = 1.4826 * float(np.median(np.abs(likeness - middle)))
    for at in np.flatnonzero(likeness < middle - UNLIKE * max(spread, 0.01)):
        yield (
            f"sub-{group.people[at]}: the map is unlike the others' mean (r = {likeness[at]:.2f}, median of all "
            f"{middle:.2f}); look at it"
        )


def _part(group: Group, maps: GroupMaps, atlas: Atlas | None) -> ContrastPart:
    clusters = find_group_clusters(maps, atlas)
    first = [one for one in clusters if one.name.isdigit()]
    sure = [one for one in first if maps.arrays[maps.corrected][one.sample] <= ALPHA]
    of_mean = maps.contrast.text == "mean"
    cut = sure[0].place if sure and not maps.contrast.mean_of_maps else None
    stat = "t" if "t" in maps.arrays else "f"
    effect = ("Effect (95 %)", STANDARDISED[_standardised(maps)]) if stat == "t" else ()
    head = (
        "Cluster",
        "Peak [mm]",
        stat.upper() if stat == "f" else stat,
        *effect,
        P_NAMES[maps.corrected],
        "n",
        "Size",
        "Region",
    )
    head, rows = _filled(head, [_row(maps, one) for one in clusters[:ROWS]])
    return ContrastPart(
        maps.contrast.text,
        " ".join(filter(None, [found_words(maps), degree_words(group) if of_mean else ""])),
        tuple(_pictures(maps, cut)),
        head,
        rows,
        tuple(people_at(group, maps, one) for one in (sure or first[:1])[:PEAKS]),
        ""
        if len(clusters) <= ROWS
        else f"{len(clusters) - ROWS} further rows are in the table of clusters.",
    )


def _filled(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Leave the columns out in which no row has anything."""
    kept = [at for at in range(len(head)) if any(row[at] not in {"", DASH} for row in rows)]
    return tuple(head[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows)


def _standardised(maps: GroupMaps) -> str:
    """Return the statistic that says how large an effect is: g, or of a slope the partial r."""
    contrast = maps.contrast
    return "g" if contrast.of_factor or contrast.has_mean else "r"


def _row(maps: GroupMaps, one: GroupCluster) -> tuple[str, ...]:
    values = one.values
    unit = "mm³" if isinstance(maps.space, Grid) else "mm²"
    cells = [
        one.name,
        f"({', '.join(number(c, 0) for c in one.place)})",
        number(values.get("t", values.get("f", np.nan))),
    ]
    if "effect" in values:
        cells += [effect_words(maps, values), number(values[_standardised(maps)])]
    p = float(maps.arrays[maps.corrected][one.sample])
    size = f"{one.extent:,.0f} {unit}" if np.isfinite(one.extent) else ""
    return (*cells, number(p, 4), f"{values.get('n', np.nan):.0f}", size, one.region)


def _pictures(maps: GroupMaps, cut: tuple[float, float, float] | None) -> Iterator[Picture]:
    """Draw z unthresholded with what is significant outlined; of surfaces also that part alone.

    A volume is cut through a place, or through the seed if that is None.
    """
    if not can_draw(maps.space):
        return
    found, z = maps.significant(), np.nan_to_num(maps.arrays["z"]).astype(np.float32)
    words, volume = (
        f"{P_NAMES[maps.corrected]} \N{LESS-THAN OR EQUAL TO} .05",
        isinstance(maps.space, Grid),
    )
    what = f"Normal scores of {maps.contrast.text}"
    shown = [(Highlight(found, words), f"{what}; what has {words} is outlined, all else faded.")]
    if not volume:
        everything = Highlight(np.ones_like(found), "unthresholded")
        shown = [
            (everything, f"{what}, unthresholded."),
            (Highlight(found, words), f"The same where {words}."),
        ]
    how = (
        f"{maps.contrast.text}, {maps.seeds[0]}",
        maps.center(maps.seeds[0]),
        Look(cut_coords=cut),
    )
    for highlight, caption in shown[: 2 if found.any() else 1]:
        yield _picture(maps.space, (z, "z"), highlight, caption, how)


def _n_picture(group: Group) -> Picture | None:
    """Draw how many people have a value where; None where all have one everywhere."""
    maps = next(iter(group.maps.values()))
    n = maps.arrays["n"]
    if not can_draw(maps.space) or np.nanmin(n) == np.nanmax(n):
        return None
    people = len(group.people)
    fewest = int(np.ceil(group.plan.question.min_participants * people - 1e-9))
    caption = f"People without a value, of {people}."
    absent = (people - n).astype(np.float32)
    few, outlines = n < fewest, isinstance(maps.space, Grid)
    if few.any():
        caption += f" {'Outlined and not' if outlines else 'Not'} tested is where fewer than {fewest} have one."
    shown = Highlight(n < people, "")
    if few.any() and outlines:
        shown = Highlight(few, "outlined: not tested")
    look = Look(vmax=float(absent.max()), display_mode="ortho")
    name = f"People without a value, of {people}"
    return _picture(maps.space, (absent, "n"), shown, caption, (name, None, look))


def _picture(
    space: Space,
    values: tuple[NDArray[np.float32], str],
    highlight: Highlight,
    caption: str,
    how: tuple[str, tuple[float, float, float] | None, Look],
) -> Picture:
    """Draw a map of a statistic; how is a name, the place of the seed, and a look."""
    name, center, look = how
    with tempfile.TemporaryDirectory() as folder:
        figure = draw_map(
            values[0], space, highlight, name=name, center=center, stat=values[1], look=look
        )
        (path,) = save_figure(figure, Path(folder) / "map", kinds=("png",))
        view = "The brain in cuts" if isinstance(space, Grid) else "The cortex"
        return load_picture(path, f"{view}. {caption}", caption)
