"""Family-wise error over the map of one person: the map of one seed against those of null seeds.

A null seed is noise with the spectrum of the seed and the run's variance in time, cleaned as the
seed was, correlated with the brain as it is. Its map has the smoothness, the degrees of freedom
and the shared fluctuations of the real map, and nothing in it is true. Over many null seeds the
largest |z| of each map and its largest cluster give p values corrected for the whole map. The
degrees of freedom are estimated anew for each null seed.

`draw_noise` gives the null seeds, `NullMaps` takes block after block of the run, as
`seedmap.connectivity.correlate` cleans them, and `NullMaps.largest_clusters` ends it.

References
----------
Nichols and Holmes (2002), doi:10.1002/hbm.1058 (the maximum over a map).
Phipson and Smyth (2010), doi:10.2202/1544-6115.1585 (p values are never 0).
Eklund, Nichols and Knutsson (2016), doi:10.1073/pnas.1602413113 (clusters need p < .001).
"""

from typing import Any

import numpy as np
import scipy  # its sub-packages load on first use
from numpy.typing import ArrayLike, NDArray

from seedmap._arrays import Array
from seedmap.connectivity.noise import NoiseTables, SeedKernels, effective_dof
from seedmap.connectivity.scores import quick_z

__all__ = ["NullMaps", "compressed_graph", "corrected_p", "draw_noise", "largest_cluster"]

# Samples whose null scores are worked out together: with a thousand null seeds these take 4 MB.
COLUMNS_TOGETHER = 1024


def draw_noise(rng: np.random.Generator, tables: NoiseTables, noise: Array) -> NDArray[np.float64]:
    """Draw Gaussian noise of given autocovariances and the run's variance in time.

    Parameters
    ----------
    rng
        Source of chance.
    tables
        The run's tables.
    noise
        Autocovariances of raw noise, from `noise_autocovariance`, shape (lags, series).

    Returns
    -------
    ndarray, shape (kept, series)
        Uncleaned noise on the kept frames, one series for each autocovariance.
    """
    length = int(scipy.fft.next_fast_len(tables.span + tables.lags, real=True))
    both_sides = np.zeros((length, noise.shape[1]))
    both_sides[: len(noise)] = noise
    both_sides[1:] += both_sides[1:][::-1].copy()
    # An estimated autocovariance need not be positive definite: what is negative is left out.
    size = np.sqrt(np.clip(np.fft.rfft(both_sides, axis=0).real, 0, None))
    white = np.fft.rfft(rng.standard_normal(both_sides.shape), axis=0)
    series = np.fft.irfft(white * size, n=length, axis=0)
    drawn: NDArray[np.float64] = series[tables.frames_kept] * tables.scale[:, None]
    return drawn


class NullMaps:
    """What is kept of the maps of null seeds: the largest |z|, and what lies beyond a threshold.

    Parameters
    ----------
    seeds
        Cleaned null seeds of unit norm, float32, shape (rows, draws).
    kernels
        Their noise, from `seed_kernels`.
    forming
        |z| beyond which samples belong to clusters.
    searched
        Samples that are looked at, bool, shape (samples,): those that the real map is searched in.
    """

    def __init__(
        self,
        seeds: NDArray[np.float32],
        kernels: SeedKernels,
        forming: float,
        searched: NDArray[np.bool_],
    ) -> None:
        self._seeds, self._kernels, self._forming = seeds, kernels, forming
        self._searched = searched
        self._beyond: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._largest: list[NDArray[np.float32]] = []

    def add(
        self, part: slice, cleaned: NDArray[np.float32], residuals: NDArray[np.float32]
    ) -> None:
        """Look at a block of samples, from any thread.

        Parameters
        ----------
        part
            Which samples.
        cleaned
            Cleaned, of mean 0 and unit norm, shape (rows, block); NaN for constants.
        residuals
            Trend and confounds projected out of the uncleaned samples, shape (kept, block).
        """
        for start in range(0, cleaned.shape[1], COLUMNS_TOGETHER):
            some = slice(start, start + COLUMNS_TOGETHER)
            (wanted,) = np.nonzero(self._searched[part][some])
            if not wanted.size:
                continue
            wanted += start
            found = effective_dof(self._kernels, residuals[:, wanted])
            bounded = np.minimum(found.dof, np.float32(self._kernels.tables.rank))
            z = quick_z(self._seeds.T @ cleaned[:, wanted], bounded)
            np.nan_to_num(z, copy=False)
            self._largest.append(np.abs(z).max(axis=1))
            draw, place = np.nonzero(np.abs(z) > self._forming)
            sign = np.where(z[draw, place] > 0, 1, -1)
            draws = (sign * (draw + 1)).astype(np.int32)  # of either sign: never 0
            self._beyond.append((draws, (wanted[place] + part.start).astype(np.int32)))

    @property
    def largest_z(self) -> NDArray[np.float32]:
        """Largest |z| of each null map, shape (draws,); 0 if nothing was looked at."""
        nothing = np.zeros(self._seeds.shape[1], dtype=np.float32)
        return np.max([nothing, *self._largest], axis=0)

    def largest_clusters(
        self, starts: NDArray[np.int32], neighbours: NDArray[np.int32], sizes: Array
    ) -> NDArray[np.float64]:
        """Give the size of the largest cluster of each null map.

        Parameters
        ----------
        starts, neighbours
            Which samples are adjacent, in compressed rows: see `seedmap.spatial.Adjacency`.
        sizes
            What a sample counts for, shape (samples,): 1 a voxel, or area.

        Returns
        -------
        ndarray, shape (draws,)
            0 where nothing lies beyond the threshold.
        """
        largest = np.zeros(self._seeds.shape[1])
        if not self._beyond:
            return largest
        draws, places = (np.concatenate(each) for each in zip(*self._beyond, strict=True))
        order = np.argsort(draws, kind="stable")
        draws, places = draws[order], places[order]
        graph = compressed_graph(starts, neighbours)
        changes = np.flatnonzero(np.diff(draws, prepend=0))
        for members in np.split(np.arange(len(draws)), changes[1:]):
            if members.size:
                which = abs(int(draws[members[0]])) - 1
                size = largest_cluster(graph, sizes, np.sort(places[members]))
                largest[which] = max(largest[which], size)
        return largest


def compressed_graph(starts: NDArray[np.int32], neighbours: NDArray[np.int32]) -> Any:
    """Return a graph in compressed rows as a sparse array, (samples, samples)."""
    samples = len(starts) - 1
    edges = np.ones(len(neighbours), dtype=np.int8)
    return scipy.sparse.csr_array((edges, neighbours, starts), shape=(samples, samples))


def largest_cluster(graph: Any, sizes: Array, places: NDArray[np.integer[Any]]) -> float:
    """Give the size of the largest connected set among some samples; 0 for none.

    Parameters
    ----------
    graph
        Which samples are adjacent: sparse symmetric array, (samples, samples), rows compressed.
    sizes
        What a sample counts for, shape (samples,).
    places
        The samples.
    """
    if not len(places):
        return 0.0
    among = graph[places][:, places]
    _, label = scipy.sparse.csgraph.connected_components(among, directed=False)
    return float(np.bincount(label, weights=sizes[places]).max())


def corrected_p(found: ArrayLike, largest: Array) -> NDArray[np.float64]:
    """Give the share of null maps whose largest value is at least as large as what was found.

    Parameters
    ----------
    found
        |z| of samples or sizes of clusters, any shape; NaN stays NaN.
    largest
        Largest value of each null map, shape (draws,).

    Returns
    -------
    ndarray
        (1 + count) / (1 + draws), so never 0.
    """
    found = np.asarray(found, dtype=np.float64)
    below = np.searchsorted(np.sort(largest), found, side="left")
    p = (1 + len(largest) - below) / (1 + len(largest))
    return np.where(np.isnan(found), np.nan, p)
