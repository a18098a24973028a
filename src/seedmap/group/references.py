"""What the methods of a group cite."""

import re
from collections.abc import Sequence

__all__ = ["REFERENCES", "references_in"]

DOI = re.compile(r"doi:(10\.[^\s,;)]+)")
REFERENCES = {
    "10.1002/hbm.1058": (
        "Nichols TE, Holmes AP (2002). Nonparametric permutation tests for functional neuroimaging: a "
        "primer with examples. Human Brain Mapping 15, 1-25."
    ),
    "10.1002/sim.1482": (
        "Knapp G, Hartung J (2003). Improved tests for a random effects meta-regression with a single "
        "covariate. Statistics in Medicine 22, 2693-2710."
    ),
    "10.1016/j.neuroimage.2008.03.061": (
        "Smith SM, Nichols TE (2009). Threshold-free cluster enhancement: addressing problems of "
        "smoothing, threshold dependence and localisation in cluster inference. NeuroImage 44, 83-98."
    ),
    "10.1016/j.neuroimage.2014.01.060": (
        "Winkler AM, Ridgway GR, Webster MA, Smith SM, Nichols TE (2014). Permutation inference for the "
        "general linear model. NeuroImage 92, 381-397."
    ),
    "10.1016/j.neuroimage.2015.05.092": (
        "Winkler AM, Webster MA, Vidaurre D, Nichols TE, Smith SM (2015). Multi-level block permutation. "
        "NeuroImage 123, 253-268."
    ),
    "10.1016/j.neuroimage.2016.05.068": (
        "Winkler AM, Ridgway GR, Douaud G, Nichols TE, Smith SM (2016). Faster permutation inference in "
        "brain imaging. NeuroImage 141, 502-516."
    ),
    "10.1080/01621459.2016.1202117": (
        "DiCiccio CJ, Romano JP (2017). Robust permutation tests for correlation and regression "
        "coefficients. Journal of the American Statistical Association 112, 1211-1220."
    ),
    "10.1111/j.2517-6161.1992.tb01872.x": (
        "Hall P (1992). On the removal of skewness by transformation. Journal of the Royal Statistical "
        "Society B 54, 221-228."
    ),
    "10.1111/j.2517-6161.1995.tb02031.x": (
        "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and powerful "
        "approach to multiple testing. Journal of the Royal Statistical Society B 57, 289-300."
    ),
    "10.1214/13-AOS1090": (
        "Chung E, Romano JP (2013). Exact and asymptotically robust permutation tests. The Annals of "
        "Statistics 41, 484-507."
    ),
    "10.2202/1544-6115.1585": (
        "Phipson B, Smyth GK (2010). Permutation p-values should never be zero: calculating exact "
        "p-values when permutations are randomly drawn. Statistical Applications in Genetics and "
        "Molecular Biology 9, 39."
    ),
}


def references_in(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the references that texts cite by DOI, by name, each with its DOI."""
    cited = {doi for text in texts for doi in DOI.findall(text)}
    return tuple(sorted((REFERENCES[doi], doi) for doi in cited))
