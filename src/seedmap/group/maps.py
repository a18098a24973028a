"""`GroupMaps`: the maps of one contrast over people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._linear import Floats
from seedmap.analysis import KindOfChange, Maps, table_text
from seedmap.errors import OptionError
from seedmap.figures import Highlight, draw_map
from seedmap.group.model import Contrast
from seedmap.images import GROUP_STATISTICS, MapKind, Space

__all__ = ["GroupMaps"]

CORRECTED = ("ptfce", "pfwe", "pmass", "pextent", "q")


@dataclass(frozen=True, eq=False, repr=False)
class GroupMaps(Maps):
    """Maps of one contrast of one seed.

    Attributes
    ----------
    seeds : tuple of str
        The seed.
    space : Grid, Mesh or Grayordinates
        Where the samples lie.
    near : sequence of ndarray of int
        The samples that are left out of every family: those near the seed where the contrast
        contains the mean, else none.
    contrast : Contrast
        What was tested.
    arrays : dict of str to ndarray of float32, shape (samples,)
        The maps by statistic, rows of `seedmap.images.GROUP_STATISTICS`. NaN where not tested.
    maxima : dict of str to ndarray, shape (shuffles, kinds)
        The nulls of the maximum, the data as they are first; empty without shuffles.
    facts : dict
        What the sidecars say.
    stem : str
        What the names of files begin with.
    strategy : str
        Stands in the ``desc`` of names; may be empty.
    moved : tuple of KindOfChange
        How far the map moves with its seed, a row a kind; empty where that was not looked at.
    """

    seeds: tuple[str, ...]
    space: Space
    near: Sequence[NDArray[np.int64]]
    contrast: Contrast
    arrays: Mapping[str, NDArray[np.float32]]
    maxima: Mapping[str, Floats]
    facts: Mapping[str, Any]
    stem: str
    strategy: str = ""
    image_codes: tuple[int, int] = (2, 0)
    place: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = field(default=())
    moved: tuple[KindOfChange, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """Return a map by the name of its statistic: ``maps.t``, ``maps.pfwe``."""
        arrays = self.__dict__.get("arrays", {})
        if name in arrays:
            return arrays[name]
        msg = f"these maps have no {name!r}; they have {', '.join(arrays)}"
        raise AttributeError(msg)

    @property
    def stats(self) -> tuple[str, ...]:
        """Names of the maps."""
        return tuple(self.arrays)

    @property
    def corrected(self) -> str:
        """The p that what is found is judged by: of TFCE, else of the maximum, else q."""
        return next(stat for stat in CORRECTED if stat in self.arrays)

    @property
    def codes(self) -> tuple[int, int]:
        """The sform and qform codes of images."""
        return self.image_codes

    @property
    def desc(self) -> str:
        """What stands in names after the strategy: nothing."""
        return ""

    def kind(self, stat: str) -> MapKind:
        """Return what the values of a map are."""
        return GROUP_STATISTICS[stat].kind

    def values(self, seed: str, stat: str = "r") -> NDArray[np.float32]:
        """Return one map, shape (samples,).

        Raises
        ------
        OptionError
            If there is no such map.
        """
        self.index(seed)
        if stat not in self.arrays:
            msg = f"these maps have no {stat!r}; they have {', '.join(self.arrays)}"
            raise OptionError(msg)
        return self.arrays[stat]

    def significant(self, alpha: float = 0.05) -> NDArray[np.bool_]:
        """Say which samples are significant, by `corrected`, shape (samples,)."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.bool_] = self.arrays[self.corrected] <= alpha
        return found

    def plot_significant(self, alpha: float = 0.05, stat: str = "z") -> Any:
        """Draw a map with what is significant by `corrected` outlined; return a matplotlib figure."""
        shown = Highlight(
            self.significant(alpha), f"{self.corrected} \N{LESS-THAN OR EQUAL TO} {alpha:g}"
        )
        name = f"{self.contrast.text}, {self.seeds[0]}"
        values = np.nan_to_num(self.values(self.seeds[0], stat))
        return draw_map(values, self.space, shown, name=name, center=self.place, stat=stat)

    def center(self, seed: str) -> tuple[float, float, float] | None:
        """Return where the seed lies [mm]; None where that is not known."""
        self.index(seed)
        return self.place

    def file_stem(self, seed: str) -> str:
        """Return what the names of files begin with."""
        self.index(seed)
        return f"{self.stem}_contrast-{self.contrast.label}"

    def sidecar(self, seed: str, stat: str) -> dict[str, Any]:
        """Return what a reader of one map needs to know."""
        values = self.values(seed, stat)
        ends = [
            float(f(values)) if np.isfinite(values).any() else np.nan
            for f in (np.nanmin, np.nanmax)
        ]
        return {
            "Description": GROUP_STATISTICS[stat].description,
            **self.facts,
            "Minimum": ends[0],
            "Maximum": ends[1],
        }

    def tables(self, seed: str) -> dict[str, str]:
        """Return the null maxima and how far the map moves as tables, where there are any."""
        self.index(seed)
        moved = {"robustness": table_text(self.moved)} if self.moved else {}
        if not self.maxima:
            return moved
        columns = {}
        for name, values in self.maxima.items():
            if name == "r":
                continue
            for kind in range(values.shape[1]):
                columns[name if values.shape[1] == 1 else f"{name}_{kind + 1}"] = values[:, kind]
        rows = zip(*columns.values(), strict=True)
        lines = ["\t".join(columns), *("\t".join(f"{v:.8g}" for v in row) for row in rows)]
        return moved | {"nullmaxima": "\n".join(lines) + "\n"}
