"""BIDS names, read and compared: what a file is, told by what it is called.

fMRIPrep 1.0 put the suffix in the midst of its names
(``sub-01_task-rest_bold_space-T1w_preproc.nii.gz``); those are read into the form of today.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BidsName", "parse_name", "uri"]

EXTENSIONS = (".nii.gz", ".nii", ".dtseries.nii", ".func.gii", ".tsv", ".json")
# What fMRIPrep 1.0 called things, and what they are called now: suffix and desc.
OLD_SUFFIXES = {
    "preproc": ("bold", "preproc"),
    "brainmask": ("mask", "brain"),
    "confounds": ("timeseries", "confounds"),
}


@dataclass(frozen=True)
class BidsName:
    """A file whose name follows BIDS.

    Attributes
    ----------
    path : Path
        The file.
    entities : dict of str to str
        Its entities by their short keys (``sub``, ``ses``, ``task``, ``space``, ...).
    suffix : str
        What kind of file it is, such as ``"bold"``.
    extension : str
        Such as ``".nii.gz"``.
    """

    path: Path
    entities: Mapping[str, str] = field(hash=False)
    suffix: str
    extension: str

    def without(self, *keys: str) -> dict[str, str]:
        """Return the entities but those."""
        return {key: value for key, value in self.entities.items() if key not in keys}


def parse_name(path: Path) -> BidsName | None:
    """Read a file's name; None where it does not follow BIDS.

    Examples
    --------
    >>> parse_name(Path("sub-01_task-rest_desc-preproc_bold.nii.gz")).entities["task"]
    'rest'
    """
    stem, extension = _split(path.name)
    if not extension:
        return None
    entities, words = {}, []
    for part in stem.split("_"):
        key, dash, value = part.partition("-")
        if dash and key and value:
            entities[key] = value
        else:
            words.append(part)
    if "sub" not in entities or not words or not re.fullmatch(r"[A-Za-z0-9]+", words[-1]):
        return None
    suffix = words[-1]
    if len(words) == 2 and words[0] == "bold" and suffix in OLD_SUFFIXES:
        suffix, entities["desc"] = OLD_SUFFIXES[suffix]
    elif len(words) != 1:
        return None
    if suffix == "regressors":  # before fMRIPrep 20.2
        suffix = "timeseries"
    return BidsName(path, entities, suffix, extension)


def _split(name: str) -> tuple[str, str]:
    """Split a name into stem and extension, which may hold dots."""
    known = [extension for extension in EXTENSIONS if name.endswith(extension)]
    extension = max(known, key=len, default="")
    return name[: len(name) - len(extension)], extension


def uri(path: Path, root: Path, dataset: str = "preprocessed") -> str:
    """Return the BIDS URI of a file in a linked data set; its path where it lies elsewhere."""
    if not path.is_relative_to(root):
        return str(path)
    return f"bids:{dataset}:{path.relative_to(root).as_posix()}"
