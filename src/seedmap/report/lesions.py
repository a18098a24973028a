"""The page of lesions: what it can show, and what it cannot, before what was found."""

from dataclasses import dataclass
from datetime import datetime

from seedmap.report.pictures import Picture
from seedmap.report.rendering import render
from seedmap.report.tables import library_versions

__all__ = ["LesionPage", "render_lesions"]


@dataclass(frozen=True)
class LesionPage:
    """All that the page shows.

    Attributes
    ----------
    title, question : str
        What it is about, and what was asked, in one sentence.
    limits : tuple of str
        What it cannot show.
    notes : tuple of str
        Where a control says that a part of the test is needed here.
    patients : str
        Who was used.
    dropped : tuple of (str, str)
        Who was not, and why.
    where : tuple of Picture
        Lesion frequency, the expected map and the one that was found.
    where_words : str
        How alike the two are.
    result : str
        What goes with the score.
    pictures : tuple of Picture
        Of the association.
    controls : tuple of (str, str)
        Significant samples by what was tested.
    prediction : tuple of (str, str)
        What was predicted by what.
    prediction_words : str
        What the map adds.
    connectome : tuple of (str, str)
        Whose runs, how many, how cleaned.
    methods : tuple of str
        The methods text.
    command : str
        The call; may be empty.
    """

    title: str
    question: str
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    patients: str
    dropped: tuple[tuple[str, str], ...]
    where: tuple[Picture, ...]
    where_words: str
    result: str
    pictures: tuple[Picture, ...]
    controls: tuple[tuple[str, str], ...]
    prediction: tuple[tuple[str, str], ...]
    prediction_words: str
    connectome: tuple[tuple[str, str], ...]
    methods: tuple[str, ...]
    command: str = ""


def render_lesions(page: LesionPage, date: datetime | None = None) -> str:
    """Make the page: HTML5 with pictures and style inside; it loads nothing."""
    return render("lesions", date, page=page, versions=library_versions())
