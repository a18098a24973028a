"""The options of an analysis in three objects: what it is given, what is done, what it may take.

Each option and its default is declared here and nowhere else; `seed_maps`, the command line, the
studies and the explorer build these objects, which refuse nonsense when they are built.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from seedmap.denoising import Strategy
from seedmap.errors import OptionError
from seedmap.parallel import core_count
from seedmap.spatial import DEFAULT_FWHM, fwhm_to_sigma, parse_memory
from seedmap.temporal import Cleaning

__all__ = [
    "FWHM",
    "NULL_SEEDS",
    "Inputs",
    "Limits",
    "Measure",
    "Method",
    "Uncertainty",
    "refuse_misplaced",
]

FWHM = float | Sequence[float | None] | None
Measure = Literal["correlation", "partial", "semipartial", "regression", "spearman", "lagged"]
Uncertainty = Literal["operator", "xdf", "naive"]

# Null seeds that fwe=True draws, the fewest that say something, and the |z| of p < .001.
NULL_SEEDS, FEWEST_NULLS, FORMING = 1000, 100, 3.29


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is analysed, as a user gives it: see the options of the same names of `seed_maps`."""

    bold: Any
    _: KW_ONLY
    confounds: Any = None
    strategy: Strategy | str | Path | None = None
    confound_columns: Sequence[str] = ()
    sample_mask: ArrayLike | None = None
    mask_img: Any = None
    t_r: float | None = None
    surfaces: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Method:
    """How maps are made: see the options of the same names of `seed_maps`.

    Raises
    ------
    OptionError
        If an option has an unknown value.
    """

    cleaning: Cleaning = Cleaning()
    smoothing_fwhm: FWHM = DEFAULT_FWHM
    measure: Measure = "correlation"
    max_lag: float = 8.0
    uncertainty: Uncertainty | None = "operator"
    fwe: int = 0
    forming: float = FORMING

    def __post_init__(self) -> None:
        if self.fwe:
            self._check_fwe()
        if self.measure not in get_args(Measure):
            known = ", ".join(get_args(Measure))
            msg = f"measure={self.measure!r} is not known; choose one of {known}"
            raise OptionError(msg)
        if self.uncertainty not in (None, *get_args(Uncertainty)):
            known = ", ".join(repr(name) for name in get_args(Uncertainty))
            msg = f"uncertainty={self.uncertainty!r} is not known; choose {known} or None"
            raise OptionError(msg)
        fwhm_to_sigma(self.smoothing_fwhm, np.ones(3))  # refuses widths that make no sense
        if not (self.smoothing_fwhm is None or np.isscalar(self.smoothing_fwhm)):
            object.__setattr__(self, "smoothing_fwhm", tuple(self.smoothing_fwhm))  # type: ignore[arg-type]

    def _check_fwe(self) -> None:
        if self.fwe < FEWEST_NULLS:
            msg = f"fwe={self.fwe}; give True, or {FEWEST_NULLS} null seeds or more"
            raise OptionError(msg)
        if self.uncertainty != "operator" or self.measure in ("spearman", "lagged"):
            given = f"uncertainty={self.uncertainty!r} and measure={self.measure!r}"
            msg = f"fwe with {given}; it is known for 'operator' and for correlation and partial measures"
            raise OptionError(msg)
        if not self.forming > 0:
            msg = f"clusters of |z| > {self.forming:g} make no sense; give a z above 0 (3.29 is p < .001)"
            raise OptionError(msg)

    @property
    def estimates(self) -> Uncertainty | None:
        """How error bars are estimated; None for a peak over lags, to which no p belongs."""
        return None if self.measure == "lagged" else self.uncertainty

    @property
    def joint(self) -> bool:
        """Whether the measure is of what a seed adds to the other seeds."""
        return self.measure in ("partial", "semipartial", "regression")

    def frames_of_lag(self, t_r: float | None) -> int:
        """Turn the longest lag into frames.

        Raises
        ------
        OptionError
            If there is no repetition time, or the lag is shorter than a frame.
        """
        if t_r is None:
            msg = "measure='lagged' needs the repetition time; give t_r (--t-r) in seconds"
            raise OptionError(msg)
        if not (np.isfinite(self.max_lag) and self.max_lag >= t_r):
            msg = (
                f"max_lag={self.max_lag:g} s is shorter than one frame ({t_r:g} s); give a longer "
                "--max-lag"
            )
            raise OptionError(msg)
        return int(self.max_lag / t_r + 1e-9)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an analysis may take of the machine: see the options of the same names of `seed_maps`.

    Raises
    ------
    OptionError
        If an option cannot be understood.
    """

    n_jobs: int | None = None
    max_memory: float | str | None = None

    def __post_init__(self) -> None:
        if self.n_jobs not in (None, -1) and self.n_jobs < 1:
            msg = f"n_jobs={self.n_jobs}; give 1 or more threads, or -1 for all"
            raise OptionError(msg)
        parse_memory(self.max_memory)

    @property
    def threads(self) -> int:
        """Threads that may be busy at once: at most as many as this process may use if not given."""
        if self.n_jobs not in (None, -1):
            return int(self.n_jobs)
        return core_count()

    @property
    def memory(self) -> float | None:
        """Most memory that the process should take [bytes]; None for no limit."""
        return parse_memory(self.max_memory)


def refuse_misplaced(given: Mapping[str, object]) -> None:
    """Refuse options that are not known, and say where those of the cleaning belong.

    Raises
    ------
    OptionError
        If an option is one of `Cleaning`.
    TypeError
        If it is none at all.
    """
    for name, value in given.items():
        if name in {field.name for field in fields(Cleaning)}:
            msg = f"{name} is an option of the cleaning; give cleaning=Cleaning({name}={value!r})"
            raise OptionError(msg)
        msg = f"seed_maps() got an unexpected keyword argument {name!r}"
        raise TypeError(msg)
