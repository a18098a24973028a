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
from seedmap.connectivity.familywise import (
    NullMaps,
    compressed_graph,
    corrected_p,
    draw_noise,
    largest_cluster,
)
from seedmap.connectivity.fdr import q_values
from seedmap.connectivity.inference import (
    FEWEST_DOF,
    Inference,
    confidence_interval,
    critical_r,
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
    PairDof,
    SeedKernels,
    effective_dof,
    lags_of_cleaned,
    noise_autocovariance,
    noise_tables,
    pair_dof,
    second_order,
    seed_kernels,
    seed_lags,
)
from seedmap.connectivity.ranks import ranks, spearman
from seedmap.connectivity.scores import quick_z
from seedmap.connectivity.variance import (
    frame_variance,
    is_uneven,
    run_variance,
    variance_factor,
    worst_frames,
)
from seedmap.connectivity.xdf import infer_by_xdf, warn_where_xdf_misleads, xdf_variance

__all__ = [
    "BLOCK",
    "FEWEST_DOF",
    "Correlations",
    "Inference",
    "NoiseTables",
    "NullMaps",
    "PairDof",
    "Peak",
    "SeedGram",
    "SeedKernels",
    "compressed_graph",
    "confidence_interval",
    "corrected_p",
    "correlate",
    "critical_r",
    "draw_noise",
    "effective_dof",
    "explained",
    "fisherz",
    "frame_variance",
    "in_blocks",
    "in_data_units",
    "infer",
    "infer_by_xdf",
    "infer_from_se",
    "infer_naively",
    "is_uneven",
    "lagged",
    "lags_of_cleaned",
    "largest_cluster",
    "noise_autocovariance",
    "noise_tables",
    "pair_dof",
    "partial",
    "peak",
    "pearson",
    "q_values",
    "quick_z",
    "ranks",
    "regression",
    "run_variance",
    "second_order",
    "seed_gram",
    "seed_kernels",
    "seed_lags",
    "semipartial",
    "spearman",
    "variance_factor",
    "warn_where_xdf_misleads",
    "worst_frames",
    "xdf_variance",
]
