"""What was done to a study, in words that may be used as they are, and what to cite."""

from collections.abc import Iterator
from importlib.resources import files

from seedmap._version import __version__
from seedmap.denoising import Chosen, Strategy
from seedmap.participants.recipe import Recipe

__all__ = ["citations", "methods_text", "strategy_words"]

EXPANSIONS = {
    "basic": "",
    "derivatives": " with their temporal derivatives",
    "power2": " with their squares",
    "full": " with their temporal derivatives, squares and squared derivatives",
}
COMPCOR = {
    "anat_combined": "anatomical CompCor components of white matter and cerebrospinal fluid together",
    "anat_separated": "anatomical CompCor components of white matter and of cerebrospinal fluid",
    "temporal": "temporal CompCor components",
}
COMBINED = {
    "dof": "the mean of Fisher transforms, weighted by degrees of freedom",
    "frames": "the mean of Fisher transforms, weighted by frames",
    "concatenated": "the correlation over all frames of the cleaned and standardised runs",
}


def methods_text(recipe: Recipe) -> Iterator[str]:
    """Word what is done to every run of a study, one paragraph a topic."""
    seeds = ", ".join(f"{seed.seed.name} ({seed.seed.definition})" for seed in recipe.seeds[:8])
    more = f" and {len(recipe.seeds) - 8} more" if len(recipe.seeds) > 8 else ""
    yield (
        f"Seed-based functional connectivity was computed with seedmap {__version__} from data "
        f"preprocessed with fMRIPrep (Esteban et al. 2019). Seeds were {seeds}{more}. Seed time series "
        "were extracted from unsmoothed data; the brain was "
        + (
            f"smoothed with a Gaussian kernel of {recipe.method.smoothing_fwhm:g} mm full width at half maximum."
            if recipe.method.smoothing_fwhm
            else "not smoothed."
        )
    )
    yield _cleaning_words(recipe)
    for strategy in recipe.strategies:
        yield f"Strategy {strategy.name}: {_took(strategy)} {_dropped(strategy)}".strip()
    yield (
        f"Each seed's cleaned time series was correlated with that of every voxel or vertex "
        f"({recipe.method.measure}; Biswal et al. 1995)."
        + (
            " Effective degrees of freedom, z and p account for the autocorrelation of the noise and for "
            "the degrees of freedom lost to filtering, nuisance regression and censoring (after Worsley "
            "et al. 2002)."
            if recipe.method.uncertainty == "operator"
            else ""
        )
    )
    if recipe.combine != "none":
        yield f"Runs of a {recipe.combine} were combined: {COMBINED[recipe.combine_by]}."


def _cleaning_words(recipe: Recipe) -> str:
    cleaning = recipe.method.cleaning
    steps = ["a linear trend was removed"] if cleaning.detrend else []
    filtered = bool(cleaning.filter and cleaning.needs_t_r)
    if filtered:
        low = f"from {cleaning.high_pass:g} Hz" if cleaning.high_pass else ""
        high = (
            f"to {cleaning.low_pass:g} Hz"
            if cleaning.low_pass and cleaning.filter != "cosine"
            else ""
        )
        band = " ".join(part for part in (low, high) if part)
        steps.append(f"a {cleaning.filter} filter passed fluctuations {band}")
    done = " and ".join(steps) or "no trend was removed and no filter was applied"
    return (
        f"Within each run {done}. Confounds were {'filtered' if filtered else 'treated'} identically and "
        "regressed out over the kept frames, so that filtering does not reintroduce nuisance signal "
        "(Lindquist et al. 2019)."
    )


def _took(strategy: Strategy) -> str:
    """Say which confounds a strategy takes."""
    taken = []
    if strategy.motion != "none":
        taken.append(f"six motion parameters{EXPANSIONS[strategy.motion]}")
    if strategy.wm_csf != "none":
        taken.append(f"mean signals of white matter and CSF{EXPANSIONS[strategy.wm_csf]}")
    if strategy.global_signal != "none":
        taken.append(
            f"the global signal{EXPANSIONS[strategy.global_signal].replace('their', 'its')}"
        )
    if strategy.compcor != "none":
        most = f"up to {strategy.n_compcor} " if strategy.n_compcor else ""
        taken.append(f"{most}{COMPCOR[strategy.compcor]} (Behzadi et al. 2007) and slow cosines")
    elif strategy.cosines == "with":
        taken.append("slow cosines")
    if strategy.aroma:
        taken.append("the motion components of ICA-AROMA")
    if strategy.columns:
        taken.append(f"the columns {', '.join(strategy.columns)}")
    return f"confounds were {'; '.join(taken)}." if taken else "no confounds were regressed out."


def _dropped(strategy: Strategy) -> str:
    """Say which frames a strategy drops."""
    rules = strategy.scrubbing
    if rules is None:
        return ""
    limits = []
    if rules.fd_threshold:
        limits.append(f"framewise displacement above {rules.fd_threshold:g} mm")
    if rules.std_dvars_threshold:
        limits.append(f"standardised DVARS above {rules.std_dvars_threshold:g}")
    text = f"Frames with {' or '.join(limits)} were censored (Power et al. 2012)"
    if rules.before or rules.after:
        text += f", with {rules.before} frames before and {rules.after} after them"
    if rules.min_segment:
        text += f", and so were segments shorter than {rules.min_segment} frames between them"
    return text + "."


def strategy_words(chosen: Chosen) -> str:
    """Say in one sentence what a strategy took of a run."""
    dropped = int((~chosen.keep).sum())
    return (
        f"Strategy {chosen.strategy.name} took {len(chosen.columns)} columns of confounds and dropped "
        f"{dropped} of {chosen.keep.size} frames."
    )


def citations() -> str:
    """Return the references as BibTeX."""
    return files("seedmap.participants").joinpath("citations.bib").read_text(encoding="utf-8")
