"""Threshold-free cluster enhancement, exact: no steps.

TFCE of a sample is the integral, over heights h from 0 to its own, of ``e(h)^E h^H``, where e(h) is
the size of the cluster that the sample lies in at h. Clusters change at the samples' heights only,
so the integral is a sum over a tree. One code for voxels, vertices and grayordinates. Needs numba.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.errors import OptionError
from seedmap.shuffle.graph import Graph

__all__ = ["check_tfce", "tfce", "tfce_maxima"]


def tfce(values: NDArray[np.floating], graph: Graph) -> NDArray[np.float64]:
    """Return the TFCE of a map.

    Parameters
    ----------
    values
        Shape (samples,): t, or another score whose sign is the effect's. NaN counts as 0, and so does inf.
    graph
        Neighbours, sizes and powers.

    Returns
    -------
    ndarray, shape (samples,)
        With the sign of ``values``: both signs are enhanced, each by its own clusters.

    Raises
    ------
    OptionError
        If numba is not installed.

    References
    ----------
    Smith and Nichols (2009), doi:10.1016/j.neuroimage.2008.03.061.

    Examples
    --------
    >>> line = Graph.of([0, 1, 3, 4], [1, 0, 2, 1])
    >>> tfce(np.array([0.0, 3.0, -3.0]), line)
    array([ 0.,  9., -9.])
    """
    return _compiled().tfce_map(_plain(values), _arrays(graph))


def tfce_maxima(maps: NDArray[np.floating], graph: Graph) -> NDArray[np.float64]:
    """Return the largest absolute TFCE of each map, shape (maps, kinds)."""
    return _compiled().tfce_maxima(_plain(maps), _arrays(graph))


def check_tfce() -> None:
    """Refuse early if numba is not installed."""
    _compiled()


def _compiled() -> ModuleType:
    try:
        from seedmap.shuffle import _tree
    except ImportError as error:
        msg = "TFCE needs numba, which is not installed; pip install 'seedmap[group]', or leave TFCE out"
        raise OptionError(msg) from error
    return _tree


def _plain(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _arrays(graph: Graph) -> tuple[Any, ...]:
    powers = np.array(graph.extent_powers, dtype=np.float64)
    return graph.table, graph.sizes, graph.kinds, powers, graph.height_power
