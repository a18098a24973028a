"""What can be switched while one looks: smoothing, pass band and groups of confounds."""

import re
from dataclasses import dataclass, replace

from seedmap.analysis import Method
from seedmap.errors import OptionError

__all__ = ["Settings", "confound_groups"]

# fMRIPrep's column names, by what they stand for; the first that matches counts.
GROUPS = (
    ("motion outliers", r"motion_outlier|non_steady_state|spike"),
    ("head motion", r"(trans|rot)_[xyz]|[xyz](trans|rot)|framewise_displacement|rmsd"),
    ("global signal", r"global_signal|globalsignal"),
    ("white matter and CSF", r"white_matter|csf(?!_wm)|wm\b"),
    ("aCompCor", r"a_comp_cor|[wc]_comp_cor|acompcor"),
    ("tCompCor", r"t_comp_cor|tcompcor"),
    ("slow drift", r"cosine"),
    ("ICA-AROMA", r"aroma"),
    ("DVARS", r"dvars"),
)
REST = "other confounds"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the run is cleaned and smoothed at the moment."""

    method: Method
    """How maps are made of it."""

    groups: tuple[str, ...] = ()
    """Groups of confounds that are regressed out; see `confound_groups`."""

    def switched(
        self,
        *,
        smoothing_fwhm: float | None,
        high_pass: float | None,
        low_pass: float | None,
        groups: tuple[str, ...],
    ) -> "Settings":
        """Return the settings with other switches; a band without edges has no filter.

        Raises
        ------
        OptionError
            If the pass band is empty.
        """
        before = self.method.cleaning
        kind = before.filter
        if (high_pass or low_pass) and kind is None:
            kind = "butterworth"
        if kind == "cosine" and low_pass:
            msg = f"low_pass={low_pass:g} Hz: a cosine filter has no upper edge; switch it off"
            raise OptionError(msg)
        cleaning = replace(before, high_pass=high_pass, low_pass=low_pass, filter=kind)
        method = replace(self.method, cleaning=cleaning, smoothing_fwhm=smoothing_fwhm or None)
        return Settings(method=method, groups=groups)


def confound_groups(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Sort the columns of a confounds table into groups that are switched together.

    Parameters
    ----------
    names
        Names of the columns.

    Returns
    -------
    dict
        Names of groups, in a fixed order, to the columns of each. Every column is in one.

    Examples
    --------
    >>> confound_groups(("trans_x", "csf", "mood"))
    {'head motion': ('trans_x',), 'white matter and CSF': ('csf',), 'other confounds': ('mood',)}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        group = next((g for g, pattern in GROUPS if re.search(pattern, name.lower())), REST)
        found.setdefault(group, []).append(name)
    order = [*(group for group, _ in GROUPS), REST]
    return {group: tuple(found[group]) for group in order if group in found}
