"""Linear operators on the time axis of a run.

Once the frames that stay are chosen, every step that cleans a run is linear in the data. So
each step is one small frozen object that knows how many frames it takes, how many it gives
and how to apply itself, and a whole cleaning is a product that reads from right to left::

    Nuisance(basis) @ Censor(keep) @ Butterworth(...) @ Detrend(times) @ FillCensored(keep)

Time is always axis 0 and samples are axis 1. Hertz and seconds. Arithmetic is in float64.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from seedmap._arrays import Array, Keep, project_out
from seedmap.errors import OptionError, TooFewFrames
from seedmap.temporal.zerophase import butterworth, zero_phase

__all__ = [
    "Butterworth",
    "Censor",
    "Composed",
    "Detrend",
    "Edges",
    "Fill",
    "FillCensored",
    "Nuisance",
    "TimeOperator",
    "cosine_drift",
]

Fill = Literal["linear", "spline"]
Edges = Literal["odd", "even"]


class TimeOperator(ABC):
    """A linear map from ``frames_in`` to ``frames_out`` time points."""

    @property
    @abstractmethod
    def frames_in(self) -> int:
        """Number of frames that the operator takes."""

    @property
    def frames_out(self) -> int:
        """Number of frames that the operator gives; most give as many as they take."""
        return self.frames_in

    @abstractmethod
    def apply(self, series: Array) -> Array:
        """Apply the operator to ``series`` (frames_in, samples); give (frames_out, samples)."""

    def matrix(self) -> Array:
        """Write the operator out as a float64 matrix of shape (frames_out, frames_in)."""
        return self.apply(np.eye(self.frames_in))

    def __matmul__(self, first: "TimeOperator") -> "Composed":
        return Composed(self, first)


@dataclass(frozen=True)
class Composed(TimeOperator):
    """Apply ``first``, then ``second``."""

    second: TimeOperator
    first: TimeOperator

    def __post_init__(self) -> None:
        if self.first.frames_out != self.second.frames_in:
            msg = (
                f"{type(self.second).__name__} takes {self.second.frames_in} frames, but "
                f"{type(self.first).__name__} before it gives {self.first.frames_out}; after "
                "Censor only steps that work on the kept frames may follow"
            )
            raise ValueError(msg)

    @property
    @override
    def frames_in(self) -> int:
        return self.first.frames_in

    @property
    @override
    def frames_out(self) -> int:
        return self.second.frames_out

    @override
    def apply(self, series: Array) -> Array:
        return self.second.apply(self.first.apply(series))


@dataclass(frozen=True, eq=False)
class Censor(TimeOperator):
    """Keep the frames where ``keep`` (frames,) is True and drop the others."""

    keep: Keep

    @property
    @override
    def frames_in(self) -> int:
        return self.keep.size

    @property
    @override
    def frames_out(self) -> int:
        return int(np.count_nonzero(self.keep))

    @override
    def apply(self, series: Array) -> Array:
        return series[self.keep]


@dataclass(frozen=True, eq=False)
class FillCensored(TimeOperator):
    """Replace censored frames by what their kept neighbours suggest.

    A filter needs evenly spaced frames. What is written into the gaps is dropped again after
    it, so it only has to disturb the kept frames little. A straight line across the gap does
    that better than a cubic spline, which overshoots [1]_; the spline is there for parity
    with nilearn. The first and the last frame must be kept: nothing is extrapolated, unless nilearn's
    ``extrapolate`` asks a spline to run on.

    References
    ----------
    .. [1] Power et al. (2014), NeuroImage 84, 320, doi:10.1016/j.neuroimage.2013.08.048.
    """

    keep: Keep
    method: Fill = "linear"
    extrapolate: bool = False

    def __post_init__(self) -> None:
        if self.extrapolate and self.method == "spline":
            return
        if not (self.keep[0] and self.keep[-1]):
            msg = "FillCensored never extrapolates: cut censored frames off the head and tail first"
            raise ValueError(msg)

    @property
    @override
    def frames_in(self) -> int:
        return self.keep.size

    @override
    def apply(self, series: Array) -> Array:
        filled = np.array(series, dtype=np.float64)
        gaps = np.flatnonzero(~self.keep)
        if gaps.size:
            filled[gaps] = self._interpolation(gaps) @ filled[self.keep]
        return filled

    def _interpolation(self, gaps: NDArray[np.int64]) -> Array:
        """Weights of the kept frames in each gap frame, shape (gaps, kept)."""
        kept = np.flatnonzero(self.keep)
        unit = np.eye(kept.size)
        if self.method == "spline":
            from scipy.interpolate import CubicSpline

            return CubicSpline(kept, unit)(gaps)
        after = np.searchsorted(kept, gaps)
        share = (gaps - kept[after - 1]) / (kept[after] - kept[after - 1])
        return unit[after - 1] * (1 - share)[:, None] + unit[after] * share[:, None]


@dataclass(frozen=True, eq=False)
class Nuisance(TimeOperator):
    """Remove what lies in the span of an orthonormal ``basis`` (frames, regressors)."""

    basis: Array

    @property
    @override
    def frames_in(self) -> int:
        return self.basis.shape[0]

    @override
    def apply(self, series: Array) -> Array:
        return project_out(self.basis, series)


@dataclass(frozen=True, eq=False)
class Detrend(TimeOperator):
    """Remove the mean and the straight line fitted at ``times`` (frames,), in any unit."""

    times: Array

    @property
    @override
    def frames_in(self) -> int:
        return self.times.size

    @override
    def apply(self, series: Array) -> Array:
        ramp = self.times - self.times.mean()
        columns = [np.ones(self.frames_in), ramp] if np.any(ramp) else [np.ones(self.frames_in)]
        basis = np.stack([column / np.linalg.norm(column) for column in columns], axis=1)
        return Nuisance(basis).apply(np.asarray(series, dtype=np.float64))


@dataclass(frozen=True)
class Butterworth(TimeOperator):
    """Butterworth filter run forwards and backwards, so that nothing is shifted in time.

    Parameters
    ----------
    frames
        Number of frames.
    t_r
        Repetition time [s].
    high_pass, low_pass
        Cut-offs [Hz], each below the Nyquist frequency; None switches an edge off.
    order
        Order of the filter for one direction.
    edges
        How the series is continued beyond its ends: ``"odd"`` mirrors it through its last
        point, over a few frames, as SciPy and nilearn do; ``"even"`` mirrors the whole
        series, which does not pin the filtered ends to one noisy frame.

    Raises
    ------
    OptionError
        If a cut-off is not below the Nyquist frequency, or the two enclose nothing.
    TooFewFrames
        If the run is shorter than the padding that the filter needs.

    References
    ----------
    Butterworth (1930), Experimental Wireless 7, 536; Gustafsson (1996), IEEE Trans. Signal
    Process. 44, 988, doi:10.1109/78.492552.
    """

    frames: int
    t_r: float
    high_pass: float | None
    low_pass: float | None
    order: int = 5
    edges: Edges = "odd"

    def __post_init__(self) -> None:
        nyquist = 0.5 / self.t_r
        for name, edge in (("high_pass", self.high_pass), ("low_pass", self.low_pass)):
            if edge is not None and not 0 < edge < nyquist:
                msg = (
                    f"{name}={edge:g} Hz lies outside 0 to {nyquist:g} Hz, the Nyquist frequency "
                    f"at a repetition time of {self.t_r:g} s; choose it in between, or 'none'"
                )
                raise OptionError(msg)
        if self.frames <= self.padding:
            msg = (
                f"{self.frames} frames; a Butterworth filter of order {self.order} needs at least "
                f"{self.padding + 1} here. Use a longer run, or switch the filter off"
            )
            raise TooFewFrames(msg)

    @property
    @override
    def frames_in(self) -> int:
        return self.frames

    @property
    def padding(self) -> int:
        """Frames that are added at each end; SciPy's rule for ``"odd"``."""
        poles = self.order * (2 if self.high_pass and self.low_pass else 1)
        sections = (poles + 1) // 2
        # SciPy: three times the taps of all sections, less the zeros and poles at the origin,
        # of which an odd number of poles leaves one.
        scipy_rule = 3 * (2 * sections + 1 - poles % 2)
        return self.frames - 1 if self.edges == "even" and self.frames > scipy_rule else scipy_rule

    @override
    def apply(self, series: Array) -> Array:
        nyquist = 0.5 / self.t_r
        sections = butterworth(
            self.order,
            self.high_pass / nyquist if self.high_pass else None,
            self.low_pass / nyquist if self.low_pass else None,
        )
        return zero_phase(sections, series, self.padding, self.edges)


def cosine_drift(frames: int, t_r: float, high_pass: float) -> Array:
    """Return the slow cosines that a high-pass filter by regression removes.

    Parameters
    ----------
    frames
        Number of frames of the whole run.
    t_r
        Repetition time [s].
    high_pass
        Cosines slower than this [Hz] are returned.

    Returns
    -------
    ndarray, shape (frames, cosines)
        Orthonormal columns of the type II discrete cosine transform, without the constant.

    References
    ----------
    Frackowiak et al. (2004), Human Brain Function, 2nd ed., chapter 47 (as in SPM).
    """
    order = min(frames - 1, int(np.floor(2 * frames * high_pass * t_r)))
    time = np.arange(frames)[:, None] + 0.5
    return np.sqrt(2 / frames) * np.cos(np.pi / frames * time * np.arange(1, order + 1))
