"""Where maps come from: the run, its cleaning, and the seeds as they were used."""

from dataclasses import dataclass

import numpy as np

from seedmap._arrays import Keep
from seedmap.analysis.options import FWHM, Measure, Method
from seedmap.seeds import SeedFacts
from seedmap.temporal import Cleaning

__all__ = ["Provenance"]


@dataclass(frozen=True, eq=False)
class Provenance:
    """Where maps come from and what was done.

    Attributes
    ----------
    source : str
        Path of the run.
    t_r : float or None
        Repetition time [s].
    t_r_source : str
        ``"argument"``, ``"json"`` or ``"header"``.
    keep : ndarray of bool, shape (frames,)
        Frames that were used.
    cleaning : Cleaning
        Options of the cleaning.
    smoothing_fwhm : float, tuple of float or None
        Smoothing of the brain [mm].
    confounds : tuple of str
        Names of the confounds that were given.
    confounds_source : str
        File or description they come from; empty for none.
    confound_rank : int
        Independent directions that they removed.
    rank : int
        Directions that the cleaning leaves (singular values above a thousandth of the largest).
    mask_source : str
        File or rule of the mask.
    seeds : tuple of SeedFacts
        The seeds.
    constant, unusable : int
        Samples that are NaN in the maps because they are constant, or not finite, in the run.
    codes : tuple of int
        The run's sform and qform codes.
    command : str
        The command line or call.
    measure : str
        What the maps' r is: see `seed_maps`.
    max_lag : float or None
        The longest delay that was looked at [s]; None unless ``measure`` is ``"lagged"``.
    vif : tuple of float
        Variance inflation factor of each seed, where seeds were taken together; else empty.
    condition : float or None
        Condition number of the seeds' correlations, likewise.
    others : tuple of str
        Further files of the run: its right hemisphere.
    strategy : str
        Name of the strategy that chose confounds and frames; empty where none did.
    notes : tuple of str
        What a reader should know of the confounds.
    from_store : bool
        Whether a stored run was read in place of its images.
    """

    source: str
    t_r: float | None
    t_r_source: str
    keep: Keep
    cleaning: Cleaning
    smoothing_fwhm: FWHM
    confounds: tuple[str, ...]
    confounds_source: str
    confound_rank: int
    rank: int
    mask_source: str
    seeds: tuple[SeedFacts, ...]
    constant: int
    unusable: int
    codes: tuple[int, int]
    command: str = ""
    measure: Measure = Method.measure
    max_lag: float | None = None
    vif: tuple[float, ...] = ()
    condition: float | None = None
    others: tuple[str, ...] = ()
    from_store: bool = False
    strategy: str = ""
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """Number of frames that were used."""
        return int(np.count_nonzero(self.keep))
