"""`SeedMaps`: the result of one run, and what can be done with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.certainty import Certainty
from seedmap.analysis.drawing import draw_map
from seedmap.analysis.files import save_clusters, save_maps
from seedmap.analysis.provenance import Provenance
from seedmap.clusters import Atlas, Cluster, Threshold, find_clusters, parse_threshold
from seedmap.connectivity import Inference, fisherz, q_values
from seedmap.errors import OptionError
from seedmap.figures import plot_series
from seedmap.images import STATISTICS, Space, map_image

__all__ = ["SeedMaps"]

# Maps that say how sure r is.
TESTED = tuple(name for name, row in STATISTICS.items() if row.from_certainty)


@dataclass(frozen=True, eq=False)
class SeedMaps:
    """Maps of the correlation of each seed with each sample of a run.

    Attributes
    ----------
    seeds : tuple of str
        Names of the seeds, in the order of the maps.
    space : Grid, Mesh or Grayordinates
        Where the samples lie.
    r : ndarray of float32, shape (seeds, samples)
        The correlation that ``provenance.measure`` names; Pearson's by default. It is the partial
        correlation for ``"partial"`` and ``"regression"``, and the strongest one over the lags
        for ``"lagged"``. NaN where a sample is constant or not finite in the run.
    seed_series : ndarray of float64, shape (kept, seeds)
        Cleaned seeds, z-scored (mean 0, standard deviation 1 with n - 1 in the denominator).
    sample_series : ndarray of float64, shape (kept, few)
        The same for a few samples spread over the mask, for a look at the data.
    sample_indices : ndarray of int, shape (few,)
        Which samples those are.
    provenance : Provenance
        Where it all comes from.
    near : sequence of ndarray of int
        For each seed the samples of its own neighbourhood: the seed and one smoothing width
        around it. Empty for a time course.
    certainty : Certainty or None
        How sure the maps are; None if that was not asked for.
    extra : mapping of str to ndarray of float32, shape (seeds, samples)
        Further maps of the measure: ``beta`` and ``b`` of a regression, ``lag`` [s].
    """

    seeds: tuple[str, ...]
    space: Space
    r: NDArray[np.float32]
    seed_series: Array
    sample_series: Array
    sample_indices: NDArray[np.int64]
    provenance: Provenance
    near: Sequence[NDArray[np.int64]]
    certainty: Certainty | None = None
    extra: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @cached_property
    def fisherz(self) -> NDArray[np.float32]:
        """Fisher transform atanh(r), shape (seeds, samples); not a z-score."""
        return fisherz(self.r)

    @property
    def dof(self) -> NDArray[np.float32]:
        """Effective degrees of freedom of each correlation, shape (seeds, samples).

        NaN where r is NaN or fewer than 3 are left.
        """
        return self._all("dof")

    @property
    def se(self) -> NDArray[np.float32]:
        """Standard error of `fisherz`, shape (seeds, samples); NaN where dof is."""
        return self._all("se")

    @property
    def z(self) -> NDArray[np.float32]:
        """Calibrated z-score of each correlation, shape (seeds, samples); NaN where dof is."""
        return self._all("z")

    @property
    def p(self) -> NDArray[np.float32]:
        """Two-sided p, uncorrected, shape (seeds, samples); NaN where dof is."""
        return self._all("p")

    @property
    def q(self) -> NDArray[np.float32]:
        """Benjamini-Hochberg q within each map, shape (seeds, samples).

        NaN where dof is, and in the seed's own neighbourhood (`near`), where r is high by
        construction.
        """
        return self._all("q")

    @property
    def stats(self) -> tuple[str, ...]:
        """Names of the maps that each seed has."""
        tested = () if self.certainty is None else TESTED
        return ("r", "fisherz", *tested, *self.extra)

    def index(self, seed: str) -> int:
        """Return the position of a seed by name.

        Raises
        ------
        OptionError
            If there is no such seed.
        """
        if seed not in self.seeds:
            msg = f"there is no seed {seed!r} in these maps; they have {', '.join(self.seeds)}"
            raise OptionError(msg)
        return self.seeds.index(seed)

    def values(self, seed: str, stat: str = "r") -> NDArray[np.float32]:
        """Return one map, shape (samples,); ``stat`` is one of `stats`.

        Raises
        ------
        OptionError
            If there is no such map; z, p, q, dof and se need ``uncertainty``, and beta, b and
            lag their ``measure``.
        """
        row = self.index(seed)
        if stat in ("r", "fisherz"):
            return self.r[row] if stat == "r" else fisherz(self.r[row])
        if stat in self.extra:
            return self.extra[stat][row]
        if self.certainty is None or stat not in TESTED:
            raise OptionError(self._no_such(stat))
        found = self._inference(self.certainty, row)
        if stat != "q":
            return getattr(found, stat).astype(np.float32)
        counted = np.ones(self.space.n_samples, dtype=bool)
        counted[self.near[row]] = False
        return q_values(found.p, counted).astype(np.float32)

    @cached_property
    def _latest(self) -> dict[int, Inference]:
        """The tests of one seed: files and figures ask for several of its maps in a row."""
        return {}

    def _inference(self, certainty: Certainty, row: int) -> Inference:
        found = self._latest.get(row)
        if found is None:
            found = certainty.infer(self.r[row], row)
            self._latest.clear()
            self._latest[row] = found
        return found

    def _no_such(self, stat: str) -> str:
        """Say why there is no such map."""
        if stat not in STATISTICS:
            return f"stat={stat!r} is not known; choose one of {', '.join(self.stats)}"
        measure = self.provenance.measure
        if stat not in TESTED:
            return (
                f"these maps have no {stat}: their measure is {measure!r}; choose another measure"
            )
        if measure == "lagged":
            return f"these maps have no {stat}: no p belongs to the best of many lags"
        return (
            f"these maps have no {stat}: they were made with uncertainty=None; ask for 'operator'"
        )

    def _all(self, stat: str) -> NDArray[np.float32]:
        return np.stack([self.values(seed, stat) for seed in self.seeds])

    def to_img(self, seed: str, stat: str = "r") -> Any:
        """Return one map as an image of the run's kind: a volume, a surface or CIFTI.

        0 outside the mask, NaN where a sample is constant or not finite in the run.
        """
        return self._image(self.values(seed, stat), stat)

    def _image(self, values: Array, stat: str) -> Any:
        return map_image(values, self.space, STATISTICS[stat].kind, self.provenance.codes)

    def save(self, folder: str | Path) -> list[Path]:
        """Write every map with its sidecar, and the seeds' series, into a folder.

        All files appear together when they are complete, or none does.

        Returns
        -------
        list of Path
            The files, maps first.

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        return save_maps(self, folder)

    def save_clusters(
        self,
        folder: str | Path,
        threshold: float | str | Threshold = 0.5,
        *,
        atlas: Atlas | None = None,
    ) -> list[Path]:
        """Write a table of clusters a seed (``..._clusters.tsv``, see `clusters`); return the paths.

        Each has a sidecar that says the threshold. All appear together, or none does.
        """
        return save_clusters(self, folder, parse_threshold(threshold), atlas)

    def passed(self, seed: str, threshold: float | str | Threshold) -> NDArray[np.bool_]:
        """Say which samples are beyond a threshold as `parse_threshold` reads it, (samples,)."""
        threshold = parse_threshold(threshold)
        return threshold.passed(self.values(seed, threshold.stat))

    def clusters(
        self,
        seed: str,
        threshold: float | str | Threshold = 0.5,
        *,
        atlas: Atlas | None = None,
        near: bool = False,
    ) -> tuple[Cluster, ...]:
        """Find the clusters of a map beyond a threshold, the largest first.

        Parameters
        ----------
        seed
            Name of the seed.
        threshold
            A size of r, or ``"r>0.5"``, ``"z>3.1"`` or ``"q<0.05"``. Both signs count.
        atlas
            Where names of regions come from: see `seedmap.clusters.open_atlas`.
        near
            Whether the seed's own neighbourhood counts, where r is high by construction.
        """
        counts = self.passed(seed, threshold)
        if not near:
            counts = counts.copy()
            counts[self.near[self.index(seed)]] = False
        known = {} if self.certainty is None else {s: self.values(seed, s) for s in ("z", "q")}
        return find_clusters(self.space, counts, self.values(seed), known, atlas)

    def plot(
        self, seed: str | None = None, threshold: float | str | Threshold = 0.5, stat: str = "r"
    ) -> Any:
        """Draw one map on the anatomy, cut at the seed, or on the cortex; return a matplotlib figure.

        A number is a size of ``stat``, values within which of zero are not drawn. With a
        threshold of another map (``"z>3.1"``, ``"q<0.05"``), the samples beyond that are drawn.
        ``seed`` may be left out where there is only one.
        """
        seed = self.seeds[0] if seed is None else seed
        facts = self.provenance.seeds[self.index(seed)]
        measure = self.provenance.measure
        size = threshold if isinstance(threshold, float | int) else None
        values, name = self.values(seed, stat), seed
        if size is None:
            threshold = parse_threshold(threshold)
            size = threshold.value if threshold.stat == stat else None
            if size is None:
                values = np.where(self.passed(seed, threshold), values, 0)
                name = f"{seed}, {threshold.words}"
        if measure != "correlation":
            name = f"{name}, {measure}"
        return draw_map(
            values,
            self.space,
            STATISTICS[stat].kind,
            name=name,
            center=facts.center,
            threshold=size,
            stat=stat,
        )

    def plot_series(self) -> Any:
        """Draw the seeds' cleaned series over time; return a matplotlib figure."""
        return plot_series(self.seed_series, self.seeds, self.provenance.keep, self.provenance.t_r)
