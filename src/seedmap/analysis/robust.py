"""`SeedRobustness`: how far a map moves with the seed, the half of the run or the cleaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.maps import SeedMaps
from seedmap.connectivity import Differing, Judged
from seedmap.errors import OptionError

__all__ = [
    "COLUMNS",
    "LIMITS",
    "KindOfChange",
    "RobustnessSettings",
    "SeedRobustness",
    "filled",
    "kind_words",
    "reading_of",
    "table_text",
]

# What an error says, from this value on: see `reading_of`.
LIMITS = (0.25, 0.5, 1.0)
READINGS = (
    "the seed's exact place does not matter here",
    "say which seed",
    "show the maps of the other seeds too",
    "this map is about this choice as much as about this region",
)
SURVIVES = 0.95
# Maps that each seed has more.
MOVED = ("survival", "seederror")
COLUMNS = {
    "kind": "What was another one: the centre within so many mm (centre8), the size, half of the "
    "voxels, half of the run (time), or the cleaning",
    "number": "Maps that were compared",
    "redrawn": "Seeds that were drawn again since less than half of the seed's coverage was left",
    "agreement": "Mean correlation of the virtual seeds' series with each other",
    "error": "Median over samples away from the seed of the standard deviation of atanh(r) over these "
    "maps, in standard errors of the map. For time: root mean square difference of the halves, in "
    "standard errors of that difference",
    "predicted": "The error that samples have that go with none of the seeds: sqrt(1 - agreement); for "
    "time 1, which a run has that is alike throughout, if the standard errors are right",
    "random_low": "5 % of the predicted errors of spheres of this size at random places",
    "random_median": "Median of the same",
    "random_high": "95 % of the same",
    "map_r": "Mean correlation over samples away from the seed of these maps with the map",
    "dice": "Mean overlap of what is significant in these maps and in the map",
    "survival_95": "Share of the significant samples that are significant, with the same sign, in 95 % "
    "of these maps",
    "homogeneity": "Mean correlation with each other of the unsmoothed voxels of the seed",
    "note": "What to know of this row",
}


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings:
    """What is drawn to see how far a map moves.

    Raises
    ------
    OptionError
        If a setting makes no sense.
    """

    centre: tuple[float, ...] = (4.0, 8.0)
    """How far the centre of the seed may move [mm], a kind of virtual seeds each."""

    number: int = 64
    """Virtual seeds of each kind."""

    rng: int = 0
    """Seed of the generator."""

    def __post_init__(self) -> None:
        far = np.ravel(np.asarray(self.centre, dtype=np.float64))
        if (
            not far.size
            or not (np.isfinite(far) & (far > 0)).all()
            or np.unique(far).size < far.size
        ):
            msg = f"centre={self.centre}; give distances above 0 mm, each once, as (4, 8)"
            raise OptionError(msg)
        object.__setattr__(self, "centre", tuple(float(one) for one in far))
        if self.number < 2:
            msg = f"number={self.number} virtual seeds; 2 or more are needed (64 is usual)"
            raise OptionError(msg)
        if self.rng < 0:
            msg = f"rng={self.rng}; give a whole number of 0 or more"
            raise OptionError(msg)

    @property
    def farthest(self) -> str:
        """The kind whose maps are written."""
        return f"centre{max(self.centre):g}"


@dataclass(frozen=True, kw_only=True)
class KindOfChange:
    """How far a map moves with one kind of change: a row of the table; NaN where that is not known.

    The meaning of the columns is `COLUMNS`.
    """

    seed: str
    kind: str
    number: int = 0
    redrawn: int = 0
    agreement: float = np.nan
    error: float = np.nan
    predicted: float = np.nan
    random_low: float = np.nan
    random_median: float = np.nan
    random_high: float = np.nan
    map_r: float = np.nan
    dice: float = np.nan
    survival_95: float = np.nan
    homogeneity: float = np.nan
    note: str = ""


def filled(row: KindOfChange, differ: Differing, judged: Judged) -> KindOfChange:
    """Sum up in a row how maps differ over the samples away from the seed."""
    kept = differ.survival[judged.counted & judged.significant]
    error = differ.error[judged.counted]
    return replace(
        row,
        error=float(np.median(error[np.isfinite(error)])) if np.isfinite(error).any() else np.nan,
        map_r=_mean(differ.sums.map_r),
        dice=_mean(differ.sums.dice),
        survival_95=float(np.mean(kept >= SURVIVES)) if kept.size else np.nan,
    )


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def kind_words(kind: str) -> str:
    """Say in a few words what was another one."""
    if kind.startswith("centre"):
        return f"centre within {kind.removeprefix('centre')} mm"
    return {
        "size": "another size",
        "half": "half of its voxels",
        "time": "half of the run",
        "cleaning": "another cleaning",
    }[kind]


def reading_of(error: float) -> str:
    """Say in words what a seed error is to a reader; empty for NaN."""
    if not np.isfinite(error):
        return ""
    return READINGS[int(np.searchsorted(LIMITS, error, side="right"))]


@dataclass(frozen=True, eq=False, repr=False)
class SeedRobustness(SeedMaps):
    """Maps of a run, and how far they move when the seed, the half of the run or the cleaning is another.

    The unit is the map's own standard error: how far it would move in another run of this person.
    Beside the maps that `SeedMaps` has, each seed has ``survival`` and ``seederror``.

    Attributes
    ----------
    rows : tuple of KindOfChange
        A row a seed and kind.
    settings : RobustnessSettings
        What was drawn.
    """

    rows: tuple[KindOfChange, ...] = ()
    settings: RobustnessSettings = RobustnessSettings()

    @classmethod
    def of(
        cls,
        maps: SeedMaps,
        rows: Sequence[KindOfChange],
        moved: Mapping[str, NDArray[np.float32]],
        settings: RobustnessSettings,
    ) -> "SeedRobustness":
        """Add to maps how far they move: the rows, and ``survival`` and ``seederror``."""
        own = {one.name: getattr(maps, one.name) for one in fields(SeedMaps)}
        own["extra"] = {**maps.extra, **moved}
        return cls(**own, rows=tuple(rows), settings=settings)

    @property
    def survival(self) -> NDArray[np.float32]:
        """Share of the seeds within the largest of the distances with which a sample is significant.

        With the sign of the map; NaN where r is; shape (seeds, samples).
        """
        return self.extra["survival"]

    @property
    def error(self) -> NDArray[np.float32]:
        """Standard deviation of atanh(r) over these seeds, in standard errors, shape (seeds, samples)."""
        return self.extra["seederror"]

    @property
    def table(self) -> Any:
        """The rows as a pandas data frame; `COLUMNS` says what the columns are."""
        import pandas as pd

        names = [one.name for one in fields(KindOfChange)]
        return pd.DataFrame(
            [[getattr(row, name) for name in names] for row in self.rows], columns=names
        )

    def row(self, seed: str, kind: str) -> KindOfChange:
        """Return the row of a seed and kind.

        Raises
        ------
        OptionError
            If there is none.
        """
        found = [row for row in self.rows if (row.seed, row.kind) == (seed, kind)]
        if not found:
            known = ", ".join(dict.fromkeys(row.kind for row in self.rows if row.seed == seed))
            msg = (
                f"no change of kind {kind!r} was made of seed {seed!r}; there is {known or 'none'}"
            )
            raise OptionError(msg)
        return found[0]

    def sidecar(self, seed: str, stat: str) -> dict[str, Any]:
        """Return what a reader of one map needs to know, for the JSON beside it."""
        facts = super().sidecar(seed, stat)
        if stat not in MOVED:
            return facts
        kind = self.settings.farthest
        number = sum(row.number for row in self.rows if (row.seed, row.kind) == (seed, kind))
        return facts | {
            "VirtualSeeds": number,
            "CentresWithin": max(self.settings.centre),
            "RandomState": self.settings.rng,
        }

    def tables(self, seed: str) -> dict[str, str]:
        """Return the seed's cleaned series and its rows as tab-separated text."""
        rows = [row for row in self.rows if row.seed == seed]
        return super().tables(seed) | {"robustness": table_text(rows)}

    def about_table(self, suffix: str) -> dict[str, Any]:
        """Return what the columns of the rows are."""
        if suffix != "robustness":
            return {}
        about: dict[str, Any] = {name: {"Description": words} for name, words in COLUMNS.items()}
        return about | {"RandomState": self.settings.rng}

    def reading(self, seed: str) -> str:
        """Say in a sentence how far the map moves with the place of its seed; empty where not known."""
        kind, far = self.settings.farthest, max(self.settings.centre)
        row = next((one for one in self.rows if (one.seed, one.kind) == (seed, kind)), None)
        if row is None or not np.isfinite(row.error):
            return ""
        usual = ""
        if np.isfinite(row.random_median):
            usual = (
                f" (spheres at random places: {row.random_median:.2f}, "
                f"{row.random_low:.2f} to {row.random_high:.2f})"
            )
        return (
            f"Seeds within {far:g} mm move the map of {seed} by {row.error:.2f} of its own standard "
            f"error{usual}: {reading_of(row.error)}."
        )


def table_text(rows: Sequence[KindOfChange]) -> str:
    """Write rows as tab-separated text with the columns of `COLUMNS`."""
    cells = [[_cell(getattr(row, name)) for name in COLUMNS] for row in rows]
    lines = ["\t".join(one) for one in (list(COLUMNS), *cells)]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    """Write a cell as BIDS wants it."""
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else "n/a"
    return str(value) or "n/a"
