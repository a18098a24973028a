"""The forms that one run comes in: volumes in some space, two hemispheres, grayordinates.

fMRIPrep writes a run into as many spaces as it is asked for. Two hemispheres of one space are one
form; whatever else fits twice is two.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from seedmap.bids.names import BidsName

__all__ = ["GRAYORDINATES", "SPATIAL", "SURFACE", "VOLUMES", "Form", "forms_by_run", "is_series"]

VOLUMES = (".nii.gz", ".nii")
SURFACE, GRAYORDINATES = ".func.gii", ".dtseries.nii"
# Entities of a form that the confounds of its run do not have; and all that distinguish forms:
# confounds may be those of one echo.
SPATIAL = ("space", "res", "den", "hemi", "desc", "cohort")
FORMS = (*SPATIAL, "echo")


@dataclass(frozen=True)
class Form:
    """One form of a run.

    Attributes
    ----------
    names : tuple of BidsName
        Its files: two where both hemispheres are there, the left first; otherwise one.
    """

    names: tuple[BidsName, ...]

    @property
    def first(self) -> BidsName:
        """The file that stands for all."""
        return self.names[0]

    @property
    def is_volume(self) -> bool:
        """Whether it is a volume, to which a brain mask belongs."""
        return self.first.extension in VOLUMES

    @property
    def words(self) -> str:
        """Its files by name."""
        return " with ".join(name.path.name for name in self.names)


def is_series(name: BidsName) -> bool:
    """Whether a file holds a run, by its name."""
    return name.suffix == "bold" and name.extension in (*VOLUMES, SURFACE, GRAYORDINATES)


def forms_by_run(series: Iterable[BidsName]) -> dict[str, list[Form]]:
    """Put the forms of one run together, under the entities that they share.

    Where a participant has volumes, these are meant; a choice of space (``--space fsaverage5``)
    leaves none of them.
    """
    series = list(series)
    meant = [name for name in series if name.extension in VOLUMES] or series
    runs: dict[str, list[BidsName]] = {}
    for name in meant:
        key = "_".join(f"{key}-{value}" for key, value in name.without(*FORMS).items())
        runs.setdefault(key, []).append(name)
    return {key: _forms(names) for key, names in runs.items()}


def _forms(names: Iterable[BidsName]) -> list[Form]:
    """Join hemispheres; two files of the same hemisphere stay apart."""
    alike: dict[object, list[BidsName]] = {}
    for name in names:
        same = frozenset(name.without("hemi").items()), name.extension
        alike.setdefault(same, []).append(name)
    forms = []
    for found in alike.values():
        sides = [name.entities.get("hemi", "") for name in found]
        if sorted(sides) == ["L", "R"]:
            forms.append(Form(tuple(sorted(found, key=lambda name: name.entities["hemi"]))))
        else:
            forms += [Form((name,)) for name in found]
    return forms
