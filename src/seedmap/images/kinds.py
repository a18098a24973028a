"""What maps hold: one table of statistics, and one of the measures that r can be.

Headers, sidecars, thresholds, figures and reports take names and words from here, so a new
statistic is one row of `STATISTICS`, and a new measure one of `MEASURE_KINDS`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seedmap.images.write import MapKind

__all__ = [
    "GROUP_STATISTICS",
    "MEASURE_KINDS",
    "STATISTICS",
    "MeasureKind",
    "Statistic",
    "ThresholdRule",
    "statistic",
]


@dataclass(frozen=True)
class ThresholdRule:
    """How a map is cut off.

    Attributes
    ----------
    example : str
        A threshold as a user writes it.
    span : str
        Which values it may have, in words.
    counts : str
        ``"large"`` where sizes above the value count, ``"small"`` where values below it do.
    most : float
        Largest value that makes sense; a size must stay below it.
    """

    example: str
    span: str
    counts: Literal["large", "small"]
    most: float

    @property
    def sign(self) -> str:
        """``">"`` or ``"<"``."""
        return ">" if self.counts == "large" else "<"

    def accepts(self, value: float) -> bool:
        """Whether a value makes sense: from 0 to below `most`, or above 0 to `most`."""
        return 0 <= value < self.most if self.counts == "large" else 0 < value <= self.most


@dataclass(frozen=True)
class Statistic:
    """One statistic: a row of `STATISTICS`.

    Attributes
    ----------
    name : str
        As it stands in file names and options.
    kind : MapKind
        NIfTI intent and the words for an image's header.
    description : str
        The sentence of the sidecar.
    title, symbol : str
        As it is called in a figure's title and beside the colour bar; empty for its name.
    from_certainty : bool
        Whether it follows from r and the error bars.
    threshold : ThresholdRule or None
        How it is cut off; None where no threshold can be given.
    limit : float or None
        Ends of the colour bar; None takes those that nearly all values fit in.
    signed : bool
        Whether it can be negative; if not, the colour bar begins at 0.
    """

    name: str
    kind: MapKind
    description: str = ""
    title: str = ""
    symbol: str = ""
    from_certainty: bool = False
    threshold: ThresholdRule | None = None
    limit: float | None = None
    signed: bool = True


@dataclass(frozen=True)
class MeasureKind:
    """What r is in one measure: a row of `MEASURE_KINDS`.

    Attributes
    ----------
    name : str
        As the option is given.
    title : str
        What the maps are, for the first words of a summary.
    description : str
        The sentence of the sidecar.
    definition : str
        What r is, for a paragraph of methods; ``{element}`` and ``{lag}`` [s] are filled in.
    """

    name: str
    title: str
    description: str
    definition: str


PAIR = "of the cleaned series of a seed and of a {element}"
MEASURE_KINDS = {
    row.name: row
    for row in (
        MeasureKind(
            "correlation",
            "Correlation",
            "Pearson correlation of the seed's cleaned series with that of each sample",
            f"the Pearson correlation {PAIR}",
        ),
        MeasureKind(
            "partial",
            "Partial correlation",
            "Partial correlation: of the seed's cleaned series with that of each sample, the "
            "other seeds projected out of both",
            f"the partial correlation {PAIR}, the other seeds projected out of both,",
        ),
        MeasureKind(
            "semipartial",
            "Semipartial correlation",
            "Semipartial correlation: of what is the seed's own, the other seeds projected "
            "out of it, with each sample; z, p and dof are those of the partial correlation",
            "the semipartial correlation of the cleaned series of a {element} and of what is the "
            "seed's own, the other seeds projected out of it,",
        ),
        MeasureKind(
            "regression",
            "Partial correlation, by multiple regression,",
            "Partial correlation of the seed with each sample, the other seeds projected "
            "out of both; beta and b hold the weights",
            f"the partial correlation {PAIR}, with the weights of a regression on all seeds,",
        ),
        MeasureKind(
            "spearman",
            "Spearman correlation",
            "Spearman correlation: of the ranks of the seed's cleaned series with those of "
            "each sample",
            f"the correlation of the ranks {PAIR}",
        ),
        MeasureKind(
            "lagged",
            "Strongest correlation at a delay",
            "Strongest correlation of the seed's cleaned series with that of each sample over "
            "the delays looked at; no p belongs to it",
            f"the strongest Pearson correlation {PAIR} at delays of up to {{lag:g}} s either way",
        ),
    )
}

STATISTICS = {
    row.name: row
    for row in (
        Statistic(
            "r",
            # Not NIfTI's intent of a correlation: its parameter, from which viewers work p out, is
            # one number of degrees of freedom, and here they differ by sample.
            MapKind("estimate", (), "seedmap: Pearson correlation r"),
            MEASURE_KINDS["correlation"].description,
            threshold=ThresholdRule("r>0.5", "a size from 0 to below 1", "large", 1.0),
            limit=1.0,
        ),
        Statistic(
            "fisherz",
            MapKind("estimate", (), "seedmap: Fisher transform atanh(r), no z-score"),
            "Fisher transform atanh(r) of the correlation; not a z-score",
            title="Fisher z",
            symbol="atanh r",
        ),
        Statistic(
            "z",
            MapKind("z score", (), "seedmap: z-score of r with effective degrees of freedom"),
            "z-score of the correlation against none, from t with dof - 1 degrees of freedom",
            from_certainty=True,
            threshold=ThresholdRule("z>3.1", "0 or more", "large", np.inf),
        ),
        Statistic(
            "p",
            MapKind("p value", (), "seedmap: two-sided p of r; 0 outside the mask means nothing"),
            "Two-sided p of the correlation against none, for one sample, uncorrected",
            from_certainty=True,
            signed=False,
        ),
        Statistic(
            "q",
            MapKind("p value", (), "seedmap: FDR q of r; 0 outside the mask means nothing"),
            "Benjamini-Hochberg q over the samples outside the seed's own neighbourhood; NaN "
            "inside it",
            from_certainty=True,
            threshold=ThresholdRule("q<0.05", "above 0 to 1", "small", 1.0),
            signed=False,
        ),
        Statistic(
            "dof",
            MapKind("estimate", (), "seedmap: effective degrees of freedom of r"),
            "Effective degrees of freedom of the correlation, after autocorrelation and cleaning",
            from_certainty=True,
            signed=False,
        ),
        Statistic(
            "se",
            MapKind("estimate", (), "seedmap: standard error of atanh(r)"),
            "Standard error of atanh(r) around the correlation as it is, for intervals; NaN for a "
            "semipartial correlation",
            from_certainty=True,
            signed=False,
        ),
        Statistic(
            "pfwe",
            MapKind(
                "p value", (), "seedmap: p of r corrected for the map; 0 outside means nothing"
            ),
            "p corrected for all samples outside the seed's own neighbourhood: the share of maps of "
            "null seeds whose largest |z| is as large; NaN inside it",
            threshold=ThresholdRule("pfwe<0.05", "above 0 to 1", "small", 1.0),
            signed=False,
        ),
        Statistic(
            "beta",
            MapKind("estimate", (), "seedmap: standardised weight of a multiple regression"),
            "Standardised weight of the seed in a regression of each sample on all seeds",
        ),
        Statistic(
            "b",
            MapKind("estimate", (), "seedmap: weight of a multiple regression, sample / seed unit"),
            "Weight of the seed in a regression of each sample on all seeds, in the samples' unit "
            "over the seed's",
        ),
        Statistic(
            "lag",
            MapKind("estimate", (), "seedmap: delay [s] of the sample behind the seed"),
            "Delay of the sample behind the seed where r is strongest [s]; NaN where that is the "
            "longest delay looked at",
        ),
        Statistic(
            "degree",
            MapKind("estimate", (), "seedmap: mean correlation with all samples"),
            "Mean correlation of each sample's cleaned series with those of all samples: the map of the "
            "global standardised signal, times that signal's norm",
        ),
        Statistic(
            "survival",
            MapKind("estimate", (), "seedmap: share of other seeds in which it is significant"),
            "Share of the seeds with other centres with which a sample is significant, with the sign of "
            "the map, at the z that q < .05 of the map needs",
            limit=1.0,
            signed=False,
        ),
        Statistic(
            "seederror",
            MapKind("estimate", (), "seedmap: spread over other seeds in standard errors"),
            "Standard deviation of atanh(r) over seeds with other centres, in standard errors of the map",
            title="seed error",
            symbol="se",
            signed=False,
        ),
    )
}

TESTED = "two-sided, from the largest value over all samples of the family in each shuffle"
# Of people, where names of the first level mean something else.
GROUP_STATISTICS = {
    row.name: row
    for row in (
        Statistic(
            "effect",
            MapKind("estimate", (), "seedmap: contrast over people of atanh(r)"),
            "Contrast over people of the Fisher transforms atanh(r)",
            symbol="atanh r",
        ),
        Statistic(
            "se",
            MapKind("estimate", (), "seedmap: standard error of the contrast"),
            "Standard error of the contrast over people",
            signed=False,
        ),
        Statistic(
            "t",
            MapKind("t test", (), "seedmap: t of the contrast over people"),
            "t of the contrast over people, with the degrees of freedom of the map dof",
        ),
        Statistic(
            "f",
            MapKind("estimate", (), "seedmap: F of the contrasts over people"),
            "F of several contrasts together, with the degrees of freedom of the map dof",
            title="F",
            symbol="F",
            signed=False,
        ),
        Statistic(
            "z",
            MapKind("z score", (), "seedmap: normal score of the test over people"),
            "Normal score of t or F over people, by the degrees of freedom of each sample",
        ),
        Statistic(
            "p",
            MapKind("p value", (), "seedmap: p over people, uncorrected; 0 outside the mask"),
            "Two-sided p over people, for one sample, uncorrected, from the distribution of t or F",
            signed=False,
        ),
        Statistic(
            "q",
            MapKind("p value", (), "seedmap: FDR q over people; 0 outside means nothing"),
            "Benjamini-Hochberg q of p over the family",
            signed=False,
        ),
        Statistic(
            "pfwe",
            MapKind("p value", (), "seedmap: p corrected for all samples; 0 outside: nothing"),
            f"p corrected for all samples: {TESTED}",
            signed=False,
        ),
        Statistic(
            "tfce",
            MapKind("estimate", (), "seedmap: threshold-free cluster enhancement"),
            "Threshold-free cluster enhancement of the tested statistic, with its sign, not in steps",
        ),
        Statistic(
            "ptfce",
            MapKind("p value", (), "seedmap: corrected p of TFCE; 0 outside means nothing"),
            f"p of TFCE corrected for all samples: {TESTED}",
            signed=False,
        ),
        Statistic(
            "pextent",
            MapKind("p value", (), "seedmap: corrected p of cluster extent; 0 outside: nothing"),
            f"p of the extent of the cluster a sample lies in, 1 outside clusters: {TESTED}",
            signed=False,
        ),
        Statistic(
            "pmass",
            MapKind("p value", (), "seedmap: corrected p of cluster mass; 0 outside: nothing"),
            f"p of the mass of the cluster a sample lies in, 1 outside clusters: {TESTED}",
            signed=False,
        ),
        Statistic(
            "n",
            MapKind("estimate", (), "seedmap: people with a value"),
            "Number of people with a value",
            signed=False,
        ),
        Statistic(
            "dof",
            MapKind("estimate", (), "seedmap: residual degrees of freedom over people"),
            "Residual degrees of freedom over people",
            signed=False,
        ),
        Statistic(
            "g",
            MapKind("estimate", (), "seedmap: Hedges g of the contrast"),
            "Contrast in residual standard deviations between people, corrected for small samples",
        ),
        Statistic(
            "r",
            MapKind("correlation", (), "seedmap: effect as r"),
            "Of a contrast with the mean: its effect as a correlation, tanh of it. Of others: the "
            "partial correlation over people that belongs to t",
            limit=1.0,
        ),
        Statistic(
            "tau2",
            MapKind("estimate", (), "seedmap: variance between people"),
            "Variance between people that the first level's standard errors do not explain",
            signed=False,
        ),
        Statistic(
            "i2",
            MapKind("estimate", (), "seedmap: share of variance that is between people"),
            "Share of the variance that lies between people, 0 to 1",
            signed=False,
        ),
        Statistic(
            "survival",
            MapKind("estimate", (), "seedmap: share of other seeds in which it is significant"),
            "Share of the seeds with other centres with which a sample has p < .001, uncorrected, with the "
            "sign of the map",
            limit=1.0,
            signed=False,
        ),
        Statistic(
            "seederror",
            MapKind("estimate", (), "seedmap: spread over other seeds in standard errors"),
            "Standard deviation of the contrast over seeds with other centres, in its standard errors over "
            "people",
            title="seed error",
            symbol="se",
            signed=False,
        ),
    )
}


def statistic(name: str) -> Statistic:
    """Return the row of a statistic; one with nothing but its name where it is not in the table."""
    return STATISTICS.get(name, Statistic(name, MapKind()))
