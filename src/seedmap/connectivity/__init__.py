"""The measures: correlation of seeds with samples, and how sure we are of it.

Knows arrays only.
"""

from seedmap.connectivity.correlation import (
    BLOCK,
    Correlations,
    correlate,
    fisherz,
    in_blocks,
    pearson,
)
from seedmap.connectivity.fdr import q_values
from seedmap.connectivity.inference import (
    FEWEST_DOF,
    Inference,
    confidence_interval,
    infer,
    infer_from_se,
    infer_naively,
)
from seedmap.connectivity.lagged import Peak, lagged, peak
from seedmap.connectivity.multiseed import (
    SeedGram,
    explained,
    in_data_units,
    partial,
    regression,
    seed_gram,
    semipartial,
)
from seedmap.connectivity.noise import (
    NoiseTables,
    SeedKernels,
    effective_dof,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    seed_kernels,
)
from seedmap.connectivity.ranks import ranks, spearman
from seedmap.connectivity.xdf import infer_by_xdf, warn_where_xdf_misleads, xdf_variance

__all__ = [
    "BLOCK",
    "FEWEST_DOF",
    "Correlations",
    "Inference",
    "NoiseTables",
    "Peak",
    "SeedGram",
    "SeedKernels",
    "confidence_interval",
    "correlate",
    "effective_dof",
    "explained",
    "fisherz",
    "in_blocks",
    "in_data_units",
    "infer",
    "infer_by_xdf",
    "infer_from_se",
    "infer_naively",
    "lagged",
    "noise_autocovariance",
    "noise_tables",
    "pair_dof",
    "partial",
    "peak",
    "pearson",
    "q_values",
    "ranks",
    "regression",
    "seed_gram",
    "seed_kernels",
    "semipartial",
    "spearman",
    "warn_where_xdf_misleads",
    "xdf_variance",
]
