"""What is said of a group in sentences: the question, what was found, and the methods."""

import numpy as np

from seedmap.group.maps import GroupMaps
from seedmap.group.pipeline import Group
from seedmap.images import Grid
from seedmap.report.words import count, listed

__all__ = [
    "P_NAMES",
    "counts_words",
    "found_words",
    "looked_words",
    "methods_words",
    "question_words",
]

P_NAMES = {
    "ptfce": "p of TFCE",
    "pfwe": "corrected p",
    "pmass": "corrected p of cluster mass",
    "pextent": "corrected p of cluster extent",
    "q": "q",
}
STATISTICS = {
    "pooled": "{} of least squares, with residuals shuffled as Freedman and Lane do "
    "(doi:10.1016/j.neuroimage.2014.01.060)",
    "robust": "a studentised score that stays valid where groups differ in spread and size (doi:10.1214/13-AOS1090, "
    "doi:10.1080/01621459.2016.1202117)",
    "weighted": "a score of residuals weighted by 1 / (variance of the map + variance between people)",
    "skewed": "Hall's t of the mean, corrected for skewness (doi:10.1111/j.2517-6161.1992.tb01872.x)",
}

BLOCKS = "doi:10.1016/j.neuroimage.2015.05.092"
TAIL = (
    " Below .1, p but those of extent come from a generalised Pareto distribution fitted to the largest quarter of "
    "the maxima (doi:10.1016/j.neuroimage.2016.05.068)."
)


def question_words(group: Group) -> str:
    """Say in one sentence what was asked."""
    plan = group.plan
    asked = listed([one.text for one in plan.contrasts])
    what = (
        f"the connectivity of {plan.question.seed}"
        if plan.question.seed
        else "what these maps show"
    )
    if plan.question.within:
        what = f"the change {plan.question.within} of {what}"
    return (
        f"Over {count(len(plan.labels), 'person')}, {what} was tested for {asked} in the model {plan.question.model}."
    ).replace("persons", "people")


def looked_words(group: Group) -> str:
    """Say how many questions were asked, and over which of them p are corrected; empty for one."""
    contrasts, shuffles = len(group.maps), group.plan.question.inference
    if contrasts * group.looked == 1:
        return ""
    over = shuffles is not None and shuffles.correct_over == "contrasts"
    asked = [count(contrasts, "contrast")]
    if group.looked > 1:
        asked.insert(0, f"{group.looked} seeds or strategies")
    how = "over the contrasts, each seed apart" if over and group.looked > 1 else "over all of them"
    said = how if over else "within each, not over them"
    verb = "was" if asked == ["1 contrast"] else "were"
    return f"{' x '.join(asked)} {verb} looked at; p are corrected {said}"


def found_words(maps: GroupMaps) -> str:
    """Say in one sentence what was found."""
    found, family = int(maps.significant().sum()), maps.facts["SamplesInFamily"]
    said = "No" if not found else f"{found:,} of {family:,}"
    elements = maps.space.element if not found else maps.space.elements
    words = f"{said} {elements} {'has' if not found else 'have'} {P_NAMES[maps.corrected]} of at most .05"
    near = " The seed's own neighbourhood was left out." if maps.near[0].size else ""
    return f"{words}{'' if found else f' (of {family:,} tested)'}.{near}"


def counts_words(group: Group) -> str:
    """Say how many people have a value where."""
    n = next(iter(group.maps.values())).arrays["n"]
    low, high = int(np.nanmin(n)), int(np.nanmax(n))
    if low == high:
        return f"All {group.loaded.space.elements} have values of all {high} people."
    fewer = int((n < high).sum())
    return (
        f"The number of people with a value runs from {low} to {high}; {fewer:,} of {n.size:,} "
        f"{group.loaded.space.elements} have fewer than {high} (map stat-n). Tested are those with "
        f"{group.plan.question.min_participants:.0%} of the people or more."
    )


def methods_words(group: Group) -> tuple[str, ...]:
    """Word the methods of a group for a paper."""
    plan, question = group.plan, group.plan.question
    how = (
        "ordinary least squares"
        if question.estimator == "ols"
        else "random effects weighted by the maps' own standard errors (REML, with Knapp and Hartung's standard "
        "error, doi:10.1002/sim.1482)"
    )
    centred = (
        " Covariates were centred and factors coded to sum to 0." if plan.design.variables else ""
    )
    what = "Fisher transforms of"
    if question.within:
        what = f"Differences ({question.within}) of Fisher transforms within each of"
    first = (
        f"{what} {count(len(plan.labels), 'participant')} entered a linear model "
        f"({question.model}), estimated at every {group.loaded.space.element} by {how}.{centred}"
    )
    return (first, *(_test_words(maps) for maps in group.maps.values()))


def _test_words(maps: GroupMaps) -> str:
    facts = maps.facts
    if facts["Inference"] == "parametric":
        return (
            f"The contrast {maps.contrast.text} was tested by the distribution of t or F, with false discovery rates "
            "by Benjamini and Hochberg (doi:10.1111/j.2517-6161.1995.tb02031.x)."
        )
    number_of = "all possible" if facts["ShufflesExhaustive"] else f"{facts['Shuffles']:,} random"
    kinds = facts["ShufflesKind"].replace("signs", "sign flips")
    blocks = ""
    if facts["Blocks"]:
        whole = facts["BlocksMode"] == "whole"
        blocks = f" ({'whole blocks' if whole else 'within blocks'} of {facts['Blocks']}, {BLOCKS})"
    powers = {
        (True, False): ".5",
        (False, True): "1",
        (True, True): ".5 in volumes and 1 on surfaces",
    }
    parts = []
    if "ptfce" in maps.arrays:
        parts.append(
            f"threshold-free cluster enhancement (E = {powers[_kinds(maps)]}, H = 2; "
            "doi:10.1016/j.neuroimage.2008.03.061)"
        )
    if "pextent" in maps.arrays:
        parts.append(f"extent and mass of clusters beyond p < {facts['ClusterFormingP']:g}")
    also = f", of {listed(parts)}," if parts else ""
    left = " without the seed's own neighbourhood" if maps.near[0].size else ""
    kind, sides = ("t", ", two-sided") if "t" in maps.arrays else ("F", "")
    if facts["CorrectedOver"] == "contrasts":
        left += " and over all contrasts (by the rank of each maximum in its own null)"
    return (
        f"The contrast {maps.contrast.text} was tested by {number_of} {kinds} of people{blocks}{sides}, by "
        f"{STATISTICS[facts['Statistic']].format(kind)}. p were corrected over {facts['SamplesInFamily']:,} "
        f"{maps.space.elements}{left} by the "
        f"largest value{also} in each shuffle (doi:10.1002/hbm.1058), the data as they are counted as one of them "
        f"(doi:10.2202/1544-6115.1585).{TAIL if facts['Tail'] else ''}"
    )


def _kinds(maps: GroupMaps) -> tuple[bool, bool]:
    """Say whether there are voxels, and whether there are vertices."""
    if isinstance(maps.space, Grid):
        return True, False
    surfaces = [part.kind == "surface" for part in maps.space.parts]
    return not all(surfaces), any(surfaces)
