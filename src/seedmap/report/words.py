"""What was done, in words: the summary and the methods paragraph, made from the record.

Nothing here is remembered from the work itself; the sentences follow from `Provenance`.
"""

import re
from collections.abc import Sequence

import numpy as np

from seedmap.analysis import Provenance, SeedMaps, global_signal
from seedmap.clusters import FoundClusters, Threshold, parse_threshold
from seedmap.images import MEASURE_KINDS
from seedmap.spatial import Landmarks
from seedmap.temporal import Cleaning

__all__ = [
    "DASH",
    "T_R_SOURCES",
    "count",
    "describe_certainty",
    "describe_cleaning",
    "describe_smoothing",
    "listed",
    "named_words",
    "number",
    "percent",
    "rough_time",
    "summarize",
    "true_minus",
]

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
T_R_SOURCES = {
    "argument": "as given",
    "json": "from the JSON beside the run",
    "header": "from the image's header",
}
EDGES = {"odd": "mirrored through its end points", "even": "mirrored as a whole"}
FILLS = {"linear": "straight lines", "spline": "cubic splines"}
METHODS = {
    "operator": (
        "Effective degrees of freedom were estimated for each {element} from the autocorrelation of "
        "its noise, the variance of the noise in time, and the degrees of freedom lost to filtering, "
        "nuisance regression and censoring, given the seed as it is."
    ),
    "xdf": (
        "Effective degrees of freedom were estimated by xDF from the autocorrelations and "
        "cross-correlations of the cleaned series."
    ),
    "naive": (
        "Degrees of freedom were taken from the number of kept frames, as if these were "
        "independent. They are not, so p and q are too small."
    ),
}
NAMED = 8  # so many confounds are named in a sentence; a longer list stands on its own


def summarize(maps: SeedMaps, threshold: float | str | Threshold) -> str:
    """Say in one sentence what the maps are and what is in them."""
    source = maps.provenance
    whose = listed(maps.seeds) if len(maps.seeds) <= NAMED else f"{len(maps.seeds)} seeds"
    beyond = f"; {_beyond(maps, parse_threshold(threshold))}" if len(maps.seeds) == 1 else ""
    samples = count(maps.space.n_samples, maps.space.element)
    return (
        f"{MEASURE_KINDS[source.measure].title} of {whose} with each of {samples} over "
        f"{count(source.kept, 'frame')}{_duration(source)}: {_range(maps)}{beyond}."
    )


def describe_cleaning(source: Provenance, element: str = "voxel") -> str:
    """Word the methods paragraph of a run: frames, smoothing, cleaning, correlation.

    Parameters
    ----------
    source
        The record of what was done.
    element
        What a sample is called.

    Returns
    -------
    str
        Plain sentences, ready to be adapted for a paper.
    """
    sentences = [_frames(source), describe_smoothing(source), _steps(source), _confounds(source)]
    what = MEASURE_KINDS[source.measure].definition.format(lag=source.max_lag, element=element)
    sentences.append(
        f"r is {what} over the {count(source.kept, 'kept frame')}; Fisher z is atanh r."
    )
    return " ".join(sentence for sentence in sentences if sentence)


def describe_certainty(maps: SeedMaps) -> str:
    """Say how the error bars were found, or that there are none."""
    if maps.certainty is None:
        lagged = maps.provenance.measure == "lagged"
        why = (
            "no p belongs to the best of many delays" if lagged else "no error bars were asked for"
        )
        return (
            "Cleaned frames are not independent of each other, so r alone does not say how sure a "
            f"correlation is; {why}."
        )
    return (
        f"{METHODS[maps.certainty.method].format(element=maps.space.element)} z and p follow from r and these; q is "
        "Benjamini-Hochberg's over each map, the seed's own neighbourhood left out."
        + _family_wise(maps)
    )


def _family_wise(maps: SeedMaps) -> str:
    """Say how p were corrected for the whole map."""
    known = maps.familywise
    if known is None:
        return ""
    return (
        f" pfwe and the p of clusters of |z| > {known.forming:g} come from the largest |z| and the largest "
        f"cluster of the maps of {known.largest_z.shape[1]:,} null seeds: Gaussian noise with the seed's "
        "spectrum and the run's variance in time, cleaned as the seed was."
    )


def describe_smoothing(source: Provenance) -> str:
    """Say how the brain was smoothed, and that the seeds were not."""
    width = source.smoothing_fwhm
    widths = [w or 0.0 for w in width] if isinstance(width, Sequence) else [width or 0.0]
    if not any(widths):
        return "The brain was not smoothed."
    size = " x ".join(f"{w:g}" for w in widths)
    in_space = [facts for facts in source.seeds if facts.center is not None]
    unsmoothed = "; seed time series were extracted from unsmoothed data" if in_space else ""
    return (
        f"The brain was smoothed with a Gaussian kernel of {size} mm full width at half "
        f"maximum{unsmoothed}."
    )


def named_words(clusters: FoundClusters) -> str:
    """Say where names of regions come from and which clusters are left out; empty if there is nothing."""
    said = []
    if clusters.min_cluster > 1:
        said.append(f"Clusters of fewer than {clusters.min_cluster} are not listed.")
    if isinstance(clusters.names, Landmarks):
        said.append(
            "Regions are named by the nearest of the 160 of Dosenbach et al. (2010), if it is within 12 mm."
        )
    return " ".join(said)


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign; a dash where there is none."""
    if not np.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return true_minus(text) if float(text) else text.lstrip("-")


def true_minus(text: str) -> str:
    """Give the numbers in a text a true minus sign; hyphens within words stay."""
    return re.sub(r"(?<![\w.])-(?=[\d.])", MINUS, text)


def percent(part: float, whole: float = 1.0) -> str:
    """Write a share in percent, with a decimal below ten; a dash where there is no whole."""
    if not whole or not np.isfinite(part):
        return DASH
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "under 0.1 %"
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %"


def count(how_many: int, what: str) -> str:
    """Write how many there are of something: ``count(1200, "voxel")`` is ``1,200 voxels``."""
    return f"{how_many:,} {what if how_many == 1 else several(what)}"


def several(what: str) -> str:
    """Return the plural of a noun such as ``voxel`` or ``vertex``."""
    return "vertices" if what == "vertex" else f"{what}s"


def rough_time(seconds: float) -> str:
    """Write a time without pretending to know it well.

    Examples
    --------
    >>> rough_time(42.4), rough_time(360)
    ('42 s', '6 min')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def listed(names: Sequence[str]) -> str:
    """Write names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _duration(source: Provenance) -> str:
    """Return the time that the kept frames take."""
    if not source.t_r:
        return ""
    minutes = source.kept * source.t_r / 60
    return f" ({minutes:.1f} min)" if minutes >= 1 else f" ({60 * minutes:.0f} s)"


def _range(maps: SeedMaps) -> str:
    finite = maps.r[np.isfinite(maps.r)]
    if not finite.size:
        return f"r could not be computed in any {maps.space.element}"
    return f"r runs from {number(finite.min())} to {number(finite.max())}"


def _beyond(maps: SeedMaps, threshold: Threshold) -> str:
    r, found = maps.r[0], int(np.count_nonzero(maps.passed(maps.seeds[0], threshold)))
    verb = "has" if found == 1 else "have"
    share = percent(found, int(np.isfinite(r).sum()))
    return f"{count(found, maps.space.element)} ({share}) {verb} {threshold.words}"


def _frames(source: Provenance) -> str:
    total = count(source.keep.size, "frame")
    if source.t_r:
        origin = T_R_SOURCES.get(source.t_r_source, source.t_r_source)
        time = f" with a repetition time of {source.t_r:g} s ({origin})"
    else:
        time = " of unknown repetition time"
    censored = source.keep.size - source.kept
    verb = "was" if censored == 1 else "were"
    dropped = f"{censored} ({percent(censored, source.keep.size)}) {verb} censored"
    return f"The run has {total}{time}; {dropped if censored else 'none was censored'}."


def _steps(source: Provenance) -> str:
    """Word what was done to every series before the confounds, in its order."""
    cleaning = source.cleaning
    trend = "had its mean and a straight line removed" if cleaning.detrend else ""
    band = _butterworth(cleaning) if cleaning.filter == "butterworth" else ""
    if not (trend or band):
        return ""
    censored = not source.keep.all()
    if not band:
        return f"Every series {trend}{', over the kept frames' if censored else ''}."
    order = [*_bridged(source), trend, band, "then lost its censored frames" if censored else ""]
    ends = f"For the filter each series was continued past its ends, {EDGES[cleaning.edges]}."
    return f"Every series {listed([step for step in order if step])}. {ends}"


def _bridged(source: Provenance) -> list[str]:
    """Say what stood in for censored frames while the filter ran."""
    first, last = np.flatnonzero(source.keep)[[0, -1]]
    steps = []
    if last - first + 1 < source.keep.size:
        steps.append("was cut to the span between its first and its last kept frame")
    if not source.keep[first : last + 1].all():
        steps.append(f"had its censored frames bridged by {FILLS[source.cleaning.fill]}")
    return steps


def _butterworth(cleaning: Cleaning) -> str:
    low, high = cleaning.high_pass, cleaning.low_pass
    if low is None and high is None:
        return ""
    band = (
        f"was band-pass filtered from {low:g} to {high:g} Hz"
        if low is not None and high is not None
        else f"was high-pass filtered at {low:g} Hz"
        if low is not None
        else f"was low-pass filtered at {high:g} Hz"
    )
    return f"{band} (Butterworth of order {cleaning.order}, run forwards and backwards)"


def _of_which(source: Provenance) -> str:
    """Name the strategy behind a long list of confounds, and the global signal where it is in it."""
    words = [f"strategy {source.strategy}"] if source.strategy else []
    words += ["the global signal among them"] if global_signal(source.confounds) else []
    return f" ({', '.join(words)})" if words else ""


def _alike(source: Provenance, pronoun: str) -> str:
    """Say what was done to the confounds before they were regressed out."""
    if not _steps(source):
        return f"taken as {pronoun}"
    filtered = source.cleaning.filter == "butterworth" and _butterworth(source.cleaning)
    return "filtered identically" if filtered else "detrended identically"


def _confounds(source: Provenance) -> str:
    """Word the regression: confounds, and the cosines of a high-pass filter by regression."""
    cleaning, given = source.cleaning, source.confounds
    named = f" ({', '.join(given)})" if 0 < len(given) <= NAMED else ""
    parts = [f"{count(len(given), 'confound')}{named or _of_which(source)}"] if given else []
    if cleaning.filter == "cosine" and cleaning.high_pass and source.t_r:
        parts.append(f"cosines slower than {cleaning.high_pass:g} Hz")
    if not parts:
        return "No confounds were regressed out."
    one = len(given) == 1 and len(parts) == 1
    verb, pronoun = ("was", "it is") if one else ("were", "they are")
    where = " on the kept frames" if not source.keep.all() else ""
    centred = "centred" if cleaning.standardize_confounds else ""
    done = [step for step in (_alike(source, pronoun), centred, f"regressed out{where}") if step]
    what = listed(parts)
    cost = f"{count(source.confound_rank, 'degree')} of freedom lost to nuisance regression"
    return f"{what[0].upper()}{what[1:]} {verb} {listed(done)} ({cost})."
