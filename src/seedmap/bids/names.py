"""BIDS names, read and compared: what a file is, as its name states.

fMRIPrep 1.0 put the suffix in the midst of its names
(``sub-01_task-rest_bold_space-T1w_preproc.nii.gz``) and the hemisphere into the extension
(``sub-01_task-rest_bold_space-fsaverage5.L.func.gii``), and up to 1.5 surface series had no suffix
(``sub-01_task-rest_space-fsaverage5_hemi-L.func.gii``); those are read into the form of today.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seedmap._files import is_there
from seedmap.images import stem_of

__all__ = [
    "BidsName",
    "entities_of",
    "in_mni_space",
    "label_of",
    "modern_name",
    "parse_name",
    "sibling_mask",
    "source_stem",
    "space_of",
    "uri",
]

MNI152 = 4  # NIfTI's code for images aligned to the MNI152 template
EXTENSIONS = (".nii.gz", ".nii", ".dtseries.nii", ".func.gii", ".tsv", ".json")
# What fMRIPrep 1.0 called things, and what they are called now: suffix and desc.
OLD_SUFFIXES = {
    "preproc": ("bold", "preproc"),
    "brainmask": ("mask", "brain"),
    "confounds": ("timeseries", "confounds"),
}
ENTITY = re.compile(r"([^-]+)-(.+)")
# A path may name the space of a run (``space-``) or of a template (``tpl-``), also by its folder.
SPACE = re.compile(r"(?:^|[_/\\])(?:space|tpl)-([A-Za-z0-9]+)")


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
    stem, extension, side = _split(path.name)
    if not extension:
        return None
    entities = entities_of(stem)
    words = [part for part in stem.split("_") if not ENTITY.fullmatch(part)]
    if side:
        entities["hemi"] = side
    suffix = _suffix(words, extension, entities)
    if "sub" not in entities or not re.fullmatch(r"[A-Za-z0-9]+", suffix):
        return None
    return BidsName(path, entities, suffix, extension)


def entities_of(stem: str) -> dict[str, str]:
    """Return the entities in a name by their short keys.

    Examples
    --------
    >>> entities_of("sub-01_task-rest_bold")
    {'sub': '01', 'task': 'rest'}
    """
    found = (ENTITY.fullmatch(part) for part in stem.split("_"))
    return {one[1]: one[2] for one in found if one}


def space_of(path: str) -> str:
    """Return the space that a path names; empty if it names none.

    Examples
    --------
    >>> space_of("tpl-MNI152NLin6Asym_atlas-Schaefer_dseg.nii.gz")
    'MNI152NLin6Asym'
    """
    found = SPACE.search(path)
    return found[1] if found else ""


def in_mni_space(path: str, codes: Sequence[int]) -> bool:
    """Whether a file says that it is in MNI space: by its name, else by its sform and qform codes.

    Examples
    --------
    >>> in_mni_space("sub-01_space-T1w_bold.nii.gz", (4, 4)), in_mni_space("bold.nii.gz", (4, 0))
    (False, True)
    """
    space = space_of(path)
    return space.upper().startswith("MNI") if space else MNI152 in codes


def _suffix(words: list[str], extension: str, entities: dict[str, str]) -> str:
    """Return the kind that the words of a name which are no entities state; empty if none.

    The names of fMRIPrep 1.0 also state the ``desc``, which is put to the entities.
    """
    if not words and extension == ".func.gii":
        return "bold"
    if len(words) == 2 and words[0] == "bold" and words[1] in OLD_SUFFIXES:
        suffix, desc = OLD_SUFFIXES[words[1]]
        entities["desc"] = entities.pop("variant", desc)
        return suffix
    if len(words) != 1:
        return ""
    return "timeseries" if words[0] == "regressors" else words[0]  # before fMRIPrep 20.2


def _split(name: str) -> tuple[str, str, str]:
    """Split a name into stem, extension, which may hold dots, and hemisphere, if that states it."""
    known = [extension for extension in EXTENSIONS if name.lower().endswith(extension)]
    extension = max(known, key=len, default="")
    stem = name[: len(name) - len(extension)]
    old = re.fullmatch(r"(.+)\.([LR])(?:\.func)?", stem)
    return (old[1], extension, old[2]) if old else (stem, extension, "")


def modern_name(path: Path) -> str:
    """Return what fMRIPrep of today would call a file; its own name where it is no BIDS name.

    Examples
    --------
    >>> modern_name(Path("sub-01_task-rest_bold_space-T1w_preproc.nii.gz"))
    'sub-01_task-rest_space-T1w_desc-preproc_bold.nii.gz'
    """
    name = parse_name(path)
    if name is None:
        return path.name
    order = [key for key in name.entities if key != "hemi"]
    if "hemi" in name.entities:
        order.insert(order.index("space") if "space" in order else len(order), "hemi")
    entities = [f"{key}-{name.entities[key]}" for key in order]
    return "_".join([*entities, name.suffix]) + name.extension


def label_of(seed: str) -> str:
    """Turn a seed's name into a BIDS label: letters and digits only."""
    return re.sub(r"[^A-Za-z0-9]", "", seed)


def source_stem(source: str) -> str:
    """Return what the results of a run are called after.

    The run's name without its suffix and without its ``desc`` if it is a BIDS name, as it is
    otherwise.

    Examples
    --------
    >>> source_stem("sub-01_task-rest_desc-preproc_bold.nii.gz")
    'sub-01_task-rest'
    >>> source_stem("rest.nii")
    'rest'
    """
    stem = stem_of(source)
    if not re.fullmatch(r"sub-[A-Za-z0-9+]+(_[a-zA-Z]+-[A-Za-z0-9+]+)*_[A-Za-z0-9]+", stem):
        return re.sub(r"\s+", "-", stem)
    entities = stem.split("_")[:-1]
    return "_".join(part for part in entities if not part.startswith(("desc-", "hemi-")))


def sibling_mask(source: str) -> Path | None:
    """Find the brain mask that fMRIPrep writes beside a run, if it is there."""
    stem = "_".join(p for p in stem_of(source).split("_")[:-1] if not p.startswith("desc-"))
    for suffix in (".nii.gz", ".nii"):
        mask = Path(source).with_name(f"{stem}_desc-brain_mask{suffix}")
        if stem and is_there(mask, "brain mask"):
            return mask
    return None


def uri(path: Path, root: Path, dataset: str = "preprocessed") -> str:
    """Return the BIDS URI of a file in a linked data set; its path where it lies elsewhere."""
    if not path.is_relative_to(root):
        return str(path)
    return f"bids:{dataset}:{path.relative_to(root).as_posix()}"
