"""`SeedMaps`: the result of one run, and what can be done with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis.base import Maps
from seedmap.analysis.degree_map import Degree
from seedmap.analysis.familywise import FamilyWise
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.quality import Quality
from seedmap.analysis.sidecar import certainty_entries, column_text, sidecar_of
from seedmap.analysis.uncertainty import Certainty
from seedmap.bids import label_of, source_stem
from seedmap.clusters import Threshold
from seedmap.connectivity import Inference, corrected_p, fisherz, q_values
from seedmap.errors import OptionError
from seedmap.figures import plot_series
from seedmap.images import STATISTICS, Space
from seedmap.seeds import SeedFacts

__all__ = ["SeedMaps"]

# What a sidecar says of one seed, and not of the run.
OF_A_SEED = (
    "Seed",
    "Measure",
    "DofQuantiles",
    "SamplesWithoutDof",
    "SamplesNearSeed",
    "NullHypothesis",
    "DegreeR2",
    "DegreeR2Random",
)
# Maps that say how sure r is.
TESTED = tuple(name for name, row in STATISTICS.items() if row.from_certainty)


@dataclass(frozen=True, eq=False, repr=False)
class SeedMaps(Maps):
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
    familywise : FamilyWise or None
        The largest values of maps of null seeds; None if that was not asked for.
    quality : Quality or None
        What the run and its cleaning may be judged by; None of stored and of combined runs.
    degree : Degree or None
        The map of the global standardised signal; None if that was not asked for.
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
    familywise: FamilyWise | None = None
    quality: Quality | None = None
    degree: Degree | None = None

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
        corrected = () if self.familywise is None else ("pfwe",)
        return ("r", "fisherz", *tested, *corrected, *self.extra)

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
        if stat == "degree" and self.degree is not None:
            return self.degree.values
        if stat == "pfwe" and self.certainty is not None and self.familywise is not None:
            z = np.abs(self._inference(self.certainty, row).z)
            z[self.near[row]] = np.nan
            return corrected_p(z, self.familywise.largest_z[row]).astype(np.float32)
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
        if stat == "degree":
            return "these maps have no degree: ask for degree=True (--degree)"
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

    def _repr_html_(self) -> str:
        """Show figure and table of clusters of the first seeds in a notebook."""
        from seedmap.analysis.notebook import page_of

        return page_of(self)

    def __getitem__(self, seed: str) -> "SeedMaps":
        """Return the maps of one seed alone, to be drawn, saved or put into a table.

        Raises
        ------
        OptionError
            If there is no such seed.
        """
        at = self.index(seed)
        row = slice(at, at + 1)
        source, known = self.provenance, self.certainty
        return replace(
            self,
            seeds=(seed,),
            r=self.r[row],
            seed_series=self.seed_series[:, row],
            provenance=replace(source, seeds=source.seeds[row]) if not source.vif else source,
            near=[self.near[at]],
            certainty=None if known is None else known.of(row),
            extra={name: values[row] for name, values in self.extra.items()},
            familywise=None if self.familywise is None else self.familywise.of(row),
        )

    def _all(self, stat: str) -> NDArray[np.float32]:
        return np.stack([self.values(seed, stat) for seed in self.seeds])

    @property
    def codes(self) -> tuple[int, int]:
        """The run's sform and qform codes."""
        return self.provenance.codes

    @property
    def desc(self) -> str:
        """The measure, unless it is the correlation."""
        measure = self.provenance.measure
        return "" if measure == "correlation" else measure

    def _facts(self, seed: str) -> SeedFacts:
        """Return what is known of a seed; among the seeds that it was taken with, there may be more."""
        self.index(seed)
        return next(one for one in self.provenance.seeds if one.name == seed)

    def center(self, seed: str) -> tuple[float, float, float] | None:
        """Return the centre of mass of a seed [mm]; None for a time course."""
        return self._facts(seed).center

    def file_stem(self, seed: str) -> str:
        """Return the run's name with the seed's entity."""
        return f"{source_stem(self.provenance.source)}_seed-{label_of(seed)}"

    def sidecar(self, seed: str, stat: str) -> dict[str, Any]:
        """Return what a reader of one map needs to know, for the JSON beside it."""
        facts = self._facts(seed)
        entries: dict[str, Any] = {"Uncertainty": None}
        if self.certainty is not None:
            near = int(self.near[self.index(seed)].size)
            r, dof = self.values(seed), self.values(seed, "dof")
            entries = certainty_entries(self.certainty, self.provenance.keep, r, dof, near)
        if self.familywise is not None:
            entries = entries | self.familywise.entries(self.index(seed))
        if self.degree is not None:
            entries = entries | self.degree.entries(seed)
        values = self.values(seed, stat)
        return sidecar_of(self.provenance, facts, stat, values, self.space, entries)

    @property
    def run_maps(self) -> dict[str, tuple[NDArray[np.float32], dict[str, Any]]]:
        """The map of degree with its sidecar, if there is one."""
        if self.degree is None:
            return {}
        facts = self.sidecar(self.seeds[0], "degree")
        own = {name: value for name, value in facts.items() if name not in OF_A_SEED}
        return {"degree": (self.degree.values, own)}

    @property
    def run_stem(self) -> str:
        """What the names of files of the whole run begin with."""
        return source_stem(self.provenance.source)

    @property
    def default_threshold(self) -> Threshold:
        """The threshold where none is given: that of the clusters that have a p, if they have."""
        known = self.familywise
        return super().default_threshold if known is None else Threshold("z", known.forming)

    def null_sizes(self, seed: str, threshold: Threshold) -> Array | None:
        """Return the sizes of the largest clusters of the maps of null seeds, (draws,).

        None where there are none, or not of this threshold.
        """
        known = self.familywise
        if known is None or known.largest_cluster is None or threshold.stat != "z":
            return None
        same = np.isclose(threshold.value, known.forming)
        return known.largest_cluster[self.index(seed)] if same else None

    def tables(self, seed: str) -> dict[str, str]:
        """Return the seed's cleaned series as a table."""
        return {"timeseries": column_text(label_of(seed), self.seed_series[:, self.index(seed)])}

    def plot_series(self) -> Any:
        """Draw the seeds' cleaned series over time; return a matplotlib figure."""
        return plot_series(self.seed_series, self.seeds, self.provenance.keep, self.provenance.t_r)
