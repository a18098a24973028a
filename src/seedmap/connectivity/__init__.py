"""The measures: correlation of seeds with samples, and how sure we are of it.

Knows arrays only.
"""

from seedmap.connectivity.correlation import Correlations, correlate, fisherz, in_blocks, pearson

__all__ = ["Correlations", "correlate", "fisherz", "in_blocks", "pearson"]
