"""Cleaned runs on disk, in their own coordinates, so that maps of new seeds cost nearly nothing.

Correlations see a cleaned run only through inner products, so a run is kept as its coordinates
``S W' x`` (see `seedmap.temporal.CleaningOperator`), cut off where no correlation changes by 1e-5:
smoothed and of unit norm for the samples that seeds are compared with, unsmoothed for those that
seeds are extracted from. For the error bars the noise autocovariance of each smoothed sample is kept,
and the variance of the noise at each frame; the seed counts as it is. All are whole numbers of as few
bits as each needs (see `seedmap.store.numbers`). The runs of a study, put together so that those of one
sample lie beside each other, are a pack.

A stored run is a Zarr group; of the package, only this folder knows it.
"""

from seedmap.connectivity import quick_z
from seedmap.store.pack import Pack, PackedRun, open_pack, pack_bytes, write_pack
from seedmap.store.reading import StoredMaps, StoredRun, open_stored
from seedmap.store.writing import noise_lags, write_stored

__all__ = [
    "Pack",
    "PackedRun",
    "StoredMaps",
    "StoredRun",
    "noise_lags",
    "open_pack",
    "open_stored",
    "pack_bytes",
    "quick_z",
    "write_pack",
    "write_stored",
]
