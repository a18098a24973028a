"""The page of a group: what was asked of whom, and what was found."""

from dataclasses import dataclass
from datetime import datetime

from seedmap.report.pictures import Picture
from seedmap.report.rendering import render
from seedmap.report.robustness import SeedSection
from seedmap.report.tables import library_versions

__all__ = ["ContrastPart", "GroupPage", "PeakPart", "render_group"]


@dataclass(frozen=True)
class PeakPart:
    """What people's values are at a peak.

    Attributes
    ----------
    title, sentence : str
        Where it is, and what is said of it.
    chart : str
        Each person's value, as SVG.
    caption : str
        What stands beneath it.
    """

    title: str
    sentence: str
    chart: str
    caption: str


@dataclass(frozen=True)
class ContrastPart:
    """One contrast on the page.

    Attributes
    ----------
    title : str
        The contrast.
    sentence : str
        What was found, in one sentence.
    pictures : tuple of Picture
        The result, outlined and thresholded.
    head : tuple of str
        Heads of the table of clusters.
    rows : tuple of tuple of str
        Its cells.
    peaks : tuple of PeakPart
        People at the peaks.
    more : str
        What is said of rows that are not shown; empty where all are.
    """

    title: str
    sentence: str
    pictures: tuple[Picture, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    peaks: tuple[PeakPart, ...]
    more: str = ""


@dataclass(frozen=True)
class GroupPage:
    """All that the page shows.

    Attributes
    ----------
    title, question : str
        What it is about, and what was asked, in one sentence.
    people : str
        Who was used, in one sentence.
    dropped : tuple of (str, str)
        Who was not, and why.
    design : str
        The design as SVG.
    model : tuple of (str, str)
        Facts of the model: columns with their variance inflation, correlations.
    contrasts : tuple of ContrastPart
        The results.
    notes : tuple of str
        What a reader should know.
    counts : str
        How many people each sample has.
    n_picture : Picture or None
        A picture of that; None where all samples have all people.
    motion : tuple of str
        Sentences on motion against effect; empty where motion is not known.
    motion_chart : str
        Of motion over the distance from the seed, as SVG; may be empty.
    moving : tuple of SeedSection
        How far the maps move with the seed, a section a contrast; empty if that was not looked at.
    methods : tuple of str
        The methods text.
    references : tuple of (str, str)
        What it cites: the reference and its DOI.
    command : str
        The call; may be empty.
    """

    title: str
    question: str
    people: str
    dropped: tuple[tuple[str, str], ...]
    design: str
    model: tuple[tuple[str, str], ...]
    contrasts: tuple[ContrastPart, ...]
    notes: tuple[str, ...]
    counts: str
    methods: tuple[str, ...]
    references: tuple[tuple[str, str], ...] = ()
    n_picture: Picture | None = None
    motion: tuple[str, ...] = ()
    motion_chart: str = ""
    moving: tuple[SeedSection, ...] = ()
    command: str = ""


def render_group(page: GroupPage, date: datetime | None = None) -> str:
    """Make the page of a group: HTML5 with pictures and style inside; it loads nothing."""
    return render("group", date, page=page, versions=library_versions())
