"""FreeSurfer's annotations: a label for each vertex, and a table of names and colours."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seedmap._files import check_there
from seedmap.images.loading import reading

__all__ = ["read_annot"]

COLOURS = 4  # red, green and blue, which together are the label, and one that is not used
NO_LABEL = -1


def read_annot(path: Path) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Read an ``.annot`` file.

    Returns
    -------
    labels : ndarray of int, shape (vertices,)
        The place of each vertex's label in the table; -1 where the table has none.
    names : dict of int to str

    Raises
    ------
    MissingFile, ImageError
        If the file is not there, or is none.
    """
    check_there(path, "surface map")
    with reading(path, "surface map", "an .annot file"):
        words = _Words(path.read_bytes())
        vertices = words.number()
        pairs = words.numbers(2 * vertices).reshape(vertices, 2)
        values = np.zeros(vertices, dtype=np.int64)
        values[pairs[:, 0]] = pairs[:, 1]  # raises where there is no such vertex
        colours, names = _table(words) if words.left and words.number() else ({}, {})
        found, which = np.unique(values, return_inverse=True)
        places = np.array([colours.get(int(value), NO_LABEL) for value in found])
        return places[which], names


def _table(words: "_Words") -> tuple[dict[int, int], dict[int, str]]:
    """Read the table: places by colour, and names by place."""
    entries = words.number()
    newer = entries < 0
    if newer:
        words.number()  # the largest place, which the entries state as well
    words.text()  # the file that the table came from
    entries = words.number() if newer else entries
    colours: dict[int, int] = {}
    names = {}
    for place in range(entries):
        at = words.number() if newer else place
        names[at] = words.text()
        red, green, blue, _ = words.numbers(COLOURS).tolist()
        colours[red + (green << 8) + (blue << 16)] = at
    colours.pop(0, None)  # black is what vertices without a label have
    return colours, names


class _Words:
    """Numbers and texts of a file, from front to back; none beyond its end."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def left(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._content)

    def _take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self._at:
            msg = f"{size} bytes are stated where {len(self._content) - self._at} are left"
            raise ValueError(msg)
        self._at += size
        return self._content[self._at - size : self._at]

    def numbers(self, count: int) -> NDArray[np.int64]:
        """Return the next numbers."""
        return np.frombuffer(self._take(4 * count), ">i4").astype(np.int64)

    def number(self) -> int:
        """Return the next number."""
        return int(self.numbers(1)[0])

    def text(self) -> str:
        """Return the next text."""
        return self._take(self.number()).rstrip(b"\0").decode()
