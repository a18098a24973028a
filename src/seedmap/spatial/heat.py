"""Heat that spreads along a surface, which smooths by a Gaussian without measuring any distance.

Heat of one point has spread to a Gaussian of variance 2t along each direction after the time t. How
it flows from vertex to vertex follows from the angles of the triangles; what has come of it after t
is a polynomial of that flow. Nothing flows where no triangle leads, what leaves one vertex arrives
at another, and what is alike everywhere stays.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.images import Surface
from seedmap.spatial.geodesic import vertex_areas

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["HeatKernel"]

# What the polynomial may be wrong by, of 1, at any frequency.
TOLERANCE = 1e-2
# Triangles flatter than this share of the usual area flow as if they had it. A vertex whose heat
# flows off so many times faster than usual counts as larger: slivers, which are level with their
# surroundings at once, would otherwise make the polynomial long.
FLATTEST, FASTEST = 1e-3, 6.0
# Waves as short as the triangles flow too slowly; these are the next two terms for equal triangles,
# of waves' rate k2 = l + a l2 + b l3, with a in units of a vertex's area and b in units of a squared.
SECOND, THIRD = 2 / np.sqrt(3) / 16, 14 / 9


@dataclass(frozen=True, eq=False)
class HeatKernel:
    """Spreads values over the vertices of a surface by a Gaussian.

    Attributes
    ----------
    step : scipy.sparse.csr_array of float32, shape (vertices, vertices)
        The flow, moved and scaled so that its rates lie between -2 and 2.
    weights : ndarray, shape (degree + 1,)
        Coefficients of Chebyshev's polynomials of half the step.

    References
    ----------
    Chung et al. (2005), NeuroImage 25, 1256, doi:10.1016/j.neuroimage.2005.02.032 (heat kernel
    smoothing); Huang et al. (2020), IEEE Trans. Med. Imaging 39, 2201,
    doi:10.1109/TMI.2020.2967451 (by Chebyshev polynomials); Pinkall and Polthier (1993), Exp. Math.
    2, 15, doi:10.1080/10586458.1993.10504266 (flow from angles).
    """

    step: "sparse.csr_array"
    weights: Array

    @classmethod
    def of(cls, surface: Surface, vertices: NDArray[np.int64], sigma: float) -> "HeatKernel":
        """Build the kernel for some vertices of a surface.

        Parameters
        ----------
        surface
            The mesh.
        vertices
            The vertices that take part, in the order of the values; the others are no bridge.
        sigma
            Standard deviation of the Gaussian along the surface [mm].
        """
        from scipy import sparse

        flow, rate = _flow(surface, vertices)
        areas = vertex_areas(surface)[vertices]
        smallest = max(1e-6 * float(areas.mean()), 1e-12)
        usual = max(float(np.median(rate / np.maximum(areas, smallest))), 1e-12)
        counted = np.maximum(areas, smallest + rate / (FASTEST * usual))
        # No rate is above twice the diagonal of a flow with positive weights; with some below 0 the
        # absolute sums bound it.
        fastest = max(float(np.max((abs(flow).sum(axis=1) + rate) / counted)), 1e-12)
        generator = sparse.diags_array(rate) - flow
        step = sparse.diags_array(4 / fastest / counted) @ generator
        step = step - 2 * sparse.eye_array(len(vertices))
        return cls(step.tocsr().astype(np.float32), _weights(sigma, fastest, areas.mean()))

    def apply(self, frames: Array) -> Array:
        """Spread the values of frames as columns, (vertices, frames); float32 stays float32."""
        weights = self.weights.astype(frames.dtype)
        before, now = frames, self.step @ frames
        now *= 0.5
        out: Array = weights[0] * frames
        share = weights[1] * now
        out += share
        for weight in weights[2:]:
            after = self.step @ now
            after -= before
            np.multiply(after, weight, out=share)
            out += share
            before, now = now, after
        return out


def _flow(surface: Surface, vertices: NDArray[np.int64]) -> tuple["sparse.csr_array", Array]:
    """Return the flow between vertices (cotangents of the angles opposite), and each one's sum."""
    from scipy import sparse

    place = np.full(len(surface.coordinates), -1)
    place[vertices] = np.arange(len(vertices))
    triangles = place[surface.triangles]
    inside = (triangles >= 0).all(axis=1)
    triangles, corners = triangles[inside], surface.coordinates[surface.triangles[inside]]
    sides = np.roll(corners, -1, axis=1) - corners  # from each corner to the next
    doubled = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    doubled = np.maximum(doubled, FLATTEST * np.median(doubled) if doubled.size else 0)
    rows, columns, values = [], [], []
    for corner in range(3):
        one, other = (corner + 1) % 3, (corner + 2) % 3
        # Away from the corner leads its own side, and backwards the one that arrives.
        cotangent = -(sides[:, corner] * sides[:, other]).sum(axis=1) / doubled
        rows += [triangles[:, one], triangles[:, other]]
        columns += [triangles[:, other], triangles[:, one]]
        values += [cotangent / 2] * 2
    size = (len(vertices), len(vertices))
    ends = np.concatenate(rows), np.concatenate(columns)
    flow = sparse.coo_array((np.concatenate(values), ends), shape=size).tocsr()
    return flow, np.maximum(flow.sum(axis=1), 0.0)


def _weights(sigma: float, fastest: float, area: float) -> Array:
    """Write the Gaussian of rates 0 ... ``fastest`` [1/mm2] as Chebyshev's polynomials."""
    from numpy.polynomial import chebyshev

    time, second = sigma**2 / 2, SECOND * area

    def left(place: Any) -> Any:
        rate = (place + 1) * fastest / 2
        waves = rate * (1 + second * rate * (1 + THIRD * second * rate))
        return np.exp(-time * waves)

    most = 32 + int(8 * np.sqrt(time * fastest))
    weights = chebyshev.chebinterpolate(left, most)
    beyond = np.cumsum(np.abs(weights[::-1]))[::-1]
    weights = weights[: max(2, int(np.argmax(beyond < TOLERANCE)))]
    # A rate of 0 is what is alike everywhere: that has to stay, exactly.
    return np.asarray(weights / chebyshev.chebval(-1.0, weights))
