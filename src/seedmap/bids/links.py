"""Where results come from, as BIDS URIs: files of data sets that the results' folder links to.

A URI ``bids:fmriprep:sub-01/func/x.nii.gz`` names a file of the data set that ``DatasetLinks`` in
``dataset_description.json`` calls ``fmriprep``; ``bids::x.nii.gz`` is one of the data set itself.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from seedmap._texts import read_json
from seedmap.bids.names import uri
from seedmap.errors import SeedmapError
from seedmap.images import DESCRIPTION, is_ours

__all__ = ["Links", "file_at", "links_of", "way_to"]


@dataclass(eq=False)
class Links:
    """The data sets that a folder of results links to.

    Attributes
    ----------
    folder : Path
        The folder of the results, absolute.
    known : dict of str to str
        The links by name: paths relative to the folder, or addresses.
    open : bool
        Whether links can be added: not where another program describes the folder.
    """

    folder: Path
    known: dict[str, str] = field(default_factory=dict)
    open: bool = True

    def uri(self, file: str) -> str:
        """Return the URI of a file, with a link to its data set; what is no file stays as it is.

        Where no link can be added it is the path from the folder.
        """
        path = _absolute(Path(file))
        if not file or not path.is_file():
            return file
        if path.is_relative_to(self.folder):
            return uri(path, self.folder, "")
        if not self.open:
            return way_to(path, self.folder)
        root = next((one for one in path.parents if (one / DESCRIPTION).is_file()), path.parent)
        return uri(path, root, self._name(root))

    def _name(self, root: Path) -> str:
        """Return the name of a data set, after its folder, and link to it if it is new."""
        stem = re.sub(r"[^A-Za-z0-9]", "", root.name) or "data"
        names = [stem, *(f"{stem}{number}" for number in range(2, len(self.known) + 3))]
        for name in names:
            link = self.known.setdefault(name, way_to(root, self.folder))
            if _place(link, self.folder) == root:
                return name
        raise AssertionError


def links_of(folder: Path) -> Links:
    """Return the links of a folder of results, of which there may be none yet."""
    folder = _absolute(folder)
    about = _description(folder)
    found = about.get("DatasetLinks") if about else None
    known = {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
    return Links(folder, known, about is None or is_ours(about))


def file_at(text: str, folder: Path) -> str:
    """Return the path of a file that a sidecar in a folder names: by a URI, or by its path.

    Raises
    ------
    SeedmapError
        If the description of the data set cannot be read.
    """
    found = re.fullmatch(r"bids:([^:]*):(.+)", text)
    if not found:
        beside = Path(os.path.normpath(folder / text))
        return str(beside) if text and beside.is_file() else text
    folder = _absolute(folder)
    above = (one for one in (folder, *folder.parents) if (one / DESCRIPTION).is_file())
    root = next(above, folder)
    link = links_of(root).known.get(found[1]) if found[1] else "."
    return text if link is None else str(_place(link, root) / found[2])


def way_to(path: Path, folder: Path) -> str:
    """Write the way from a folder to a path; its address where there is none, as between drives."""
    path = _absolute(path)
    try:
        return Path(os.path.relpath(path, _absolute(folder))).as_posix()
    except ValueError:
        return path.as_uri()


def _absolute(path: Path) -> Path:
    """Return the absolute path, links of the file system not followed."""
    return Path(os.path.normpath(path.expanduser().absolute()))


def _place(link: str, folder: Path) -> Path:
    """Return where a link leads to."""
    parts = urlsplit(link)
    path = unquote(parts.path) if parts.scheme == "file" else link
    return Path(os.path.normpath(folder / path))


def _description(folder: Path) -> dict[str, Any] | None:
    """Read the description of a data set; None where there is none that can be read."""
    if not (folder / DESCRIPTION).is_file():
        return None
    try:
        about = read_json(folder / DESCRIPTION, "description")
    except SeedmapError:
        return {}
    return about if isinstance(about, dict) else {}
