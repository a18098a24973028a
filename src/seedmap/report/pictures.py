"""The pictures of a report: drawn, written as files, and described in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seedmap.analysis import SeedFacts, SeedMaps
from seedmap.bids import source_stem
from seedmap.clusters import Threshold
from seedmap.figures import can_draw, plot_sample_series, plot_series, save_figure
from seedmap.images import Grid
from seedmap.report.words import count, listed, number, true_minus

__all__ = ["Picture", "Pictures", "draw_pictures", "load_picture", "map_words"]

SURFACES = "The cortex from outside and from the middle"
# NIfTI's word for "these are MNI152 coordinates", in sform_code and qform_code.
MNI152 = 4


@dataclass(frozen=True)
class Picture:
    """A picture with its words.

    Attributes
    ----------
    png : bytes
        The picture.
    width, height : int
        Its size [pixels].
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        What stands beneath it.
    pdf : str
        The same as PDF, relative to the page; empty if there is none.
    """

    png: bytes
    width: int
    height: int
    alt: str
    caption: str
    pdf: str = ""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page; without arguments there are none.

    Attributes
    ----------
    maps : dict of str to Picture
        Of r, one a seed, by the seed's name.
    series : tuple of Picture
        Series over time.
    z_maps : dict of str to Picture
        Of z, likewise, where the threshold is one of z.
    """

    maps: dict[str, Picture]
    series: tuple[Picture, ...] = ()
    z_maps: dict[str, Picture] = field(default_factory=dict)


def draw_pictures(maps: SeedMaps, folder: Path, *, threshold: Threshold) -> Pictures:
    """Draw every picture and write it, as PNG and PDF, into ``folder / "figures"``.

    Parameters
    ----------
    maps
        The maps.
    folder
        Where the page will be; it must exist.
    threshold
        What is outlined; with one of z, maps of z are drawn beside those of r.

    Returns
    -------
    Pictures
        The pictures, described.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    stem = source_stem(maps.provenance.source)
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    drawn: dict[str, dict[str, Picture]] = {"r": {}, "z": {}}
    stats = ("r", "z") if threshold.stat == "z" else ("r",)
    for stat in stats if can_draw(maps.space) else ():
        for facts in maps.provenance.seeds:
            name = maps.file_name(facts.name, "statmap", stat=stat, desc=maps.desc)
            figure = maps.plot(facts.name, threshold=threshold, stat=stat)
            files = save_figure(figure, figures / name)
            words = map_words(maps, facts, threshold, stat)
            drawn[stat][facts.name] = _picture(files, *words)
    elements = maps.space.elements
    series = (
        _seeds(maps, figures / f"{stem}_timeseries"),
        _samples(maps, figures / f"{stem}_{elements}"),
    )
    return Pictures(drawn["r"], series, drawn["z"])


def _seeds(maps: SeedMaps, path: Path) -> Picture:
    source = maps.provenance
    figure = plot_series(maps.seed_series, maps.seeds, source.keep, source.t_r)
    whose = listed(maps.seeds)
    alt = f"Lines of the cleaned signal of {whose} over time, in standard deviations."
    return _picture(save_figure(figure, path), alt, f"Cleaned series of {whose}. {_grey(maps)}")


def _samples(maps: SeedMaps, path: Path) -> Picture:
    source = maps.provenance
    places = maps.space.coordinates()[maps.sample_indices]
    labels = [
        f"({', '.join(number(c, 0) for c in place)}) mm"
        if np.isfinite(place).all()
        else f"{maps.space.element} {index:,} of the mask"
        for place, index in zip(places, maps.sample_indices, strict=True)
    ]
    figure = plot_sample_series(maps.sample_series, labels, source.keep, source.t_r)
    few = count(len(labels), maps.space.element)
    alt = f"Lines of the cleaned signal of {few} over time, one beneath the other."
    caption = f"Cleaned series of {few} spread over the mask. {_grey(maps)}"
    return _picture(save_figure(figure, path), alt, caption)


def _picture(files: Sequence[Path], alt: str, caption: str) -> Picture:
    """Put a figure's files, PNG and PDF, and its words together."""
    return load_picture(files[0], alt, caption, pdf=f"figures/{files[1].name}")


def load_picture(path: Path, alt: str, caption: str, pdf: str = "") -> Picture:
    """Put a PNG file and its words together; see `Picture`."""
    png = path.read_bytes()
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))  # PNG's header
    return Picture(png, width, height, alt, caption, pdf)


def map_words(
    maps: SeedMaps, facts: SeedFacts, threshold: Threshold, stat: str = "r"
) -> tuple[str, str]:
    """Describe a picture of a map: in place of it, and beneath it."""
    return _map_alt(maps, facts, threshold, stat), _map_caption(maps, facts, threshold)


def _map_alt(maps: SeedMaps, facts: SeedFacts, threshold: Threshold, stat: str) -> str:
    elements = maps.space.elements
    where = "" if facts.center is None else f" at {_place(facts)}, where a green dot marks the seed"
    drawn = (
        f"{stat} above 0 is red, below 0 blue. {elements.capitalize()} with {threshold.words} are"
    )
    if isinstance(maps.space, Grid):
        return (
            f"The brain in three cuts{where}, and in axial slices. {drawn} outlined, others fade."
        )
    return f"{SURFACES}{where}. {drawn} drawn."


def _map_caption(maps: SeedMaps, facts: SeedFacts, threshold: Threshold) -> str:
    if not isinstance(maps.space, Grid):
        rest = "" if maps.space.element == "vertex" else " Subcortical voxels are not drawn."
        return f"{facts.name}: {true_minus(facts.definition)}; on the cortex.{rest}"
    shown = maps.passed(facts.name, threshold).any()
    free = f"cut through {'its strongest part' if shown else 'the middle'}"
    cut = free if facts.center is None else f"cut at {_place(facts)}"
    code = maps.provenance.codes[0] or maps.provenance.codes[1]
    doubt = "" if code == MNI152 else "; the run's header does not say that it is in that space"
    return f"{facts.name}: {true_minus(facts.definition)}; {cut}, on the MNI152 template{doubt}."


def _place(facts: SeedFacts) -> str:
    center = facts.center or ()
    return f"({', '.join(number(c, 1).removesuffix('.0') for c in center)}) mm"


def _grey(maps: SeedMaps) -> str:
    censored = "" if maps.provenance.keep.all() else " Grey bands are censored frames."
    return f"Mean 0, standard deviation 1.{censored}"
