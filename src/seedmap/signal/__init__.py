"""Cleaning of time series in nilearn's words: `clean` and `high_variance_confounds`.

The signatures, checks, errors and warnings are those of ``nilearn.signal``. The arithmetic is
ours: all that is linear is written out as one matrix a run (see `seedmap.temporal`) and applied
to blocks of samples in place. What differs on purpose: censored frames leave no trace,
redundant confounds count once, every option holds for each of several ``runs``, and no mask is
ever modified.
"""

from seedmap.signal.apply import apply_plan
from seedmap.signal.clean import clean, high_variance_confounds
from seedmap.signal.plan import CleaningPlan, plan_cleaning

__all__ = ["CleaningPlan", "apply_plan", "clean", "high_variance_confounds", "plan_cleaning"]
