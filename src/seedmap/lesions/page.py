"""From a study of lesions to its page."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seedmap.figures import Highlight, Look, draw_map, save_figure
from seedmap.lesions.pipeline import FEWEST_LESIONS, FEWEST_PEOPLE, LesionStudy
from seedmap.report.lesions import LesionPage, render_lesions
from seedmap.report.pictures import Picture, load_picture
from seedmap.report.words import number, percent

__all__ = ["lesion_page", "likeness", "result_words"]

LIMITS = (
    "It describes connectivity in healthy people at the places of lesions. It is not the connectivity of these "
    "patients, it says nothing about cause, and nothing here is for a decision about a patient.",
    "Lesions that fall in the same territory have like maps whatever they do. So a map that lesions have in common "
    "is shown beside the one that follows from their places, and is no finding by itself.",
    "How well healthy people agree on a lesion's map grows with their number; with many of them nearly all of the "
    "brain is significant for a lesion put anywhere. A test of that is no test of a symptom.",
    "Inside and close to a lesion r is high by construction: a lesion does not count there.",
)
FREQUENCY_COLOURS = "PuOr_r"
ALPHA = 0.05
# So many times the samples are found without lesion size where that is worth a warning.
MATTERS = 1.1


def lesion_page(study: LesionStudy, command: str = "") -> str:
    """Make the page of a study of lesions: one HTML file that loads nothing."""
    used = study.patients
    what = f"controls ({used.name})" if used.two_groups else used.name
    people = len(study.people)
    page = LesionPage(
        title=f"Lesions and {used.name}",
        question=f"Does the connectivity of {len(used.labels)} lesions in {people} healthy people go with {what}?"
        if not used.two_groups
        else f"Does the connectivity of lesions in {people} healthy people differ from that of {what}?",
        limits=LIMITS,
        notes=tuple(_notes(study)),
        patients=_patients_words(study),
        dropped=tuple((f"sub-{label}", f"left out: {why}") for label, why in used.dropped.items()),
        where=tuple(_where(study)),
        where_words=_where_words(study),
        result=result_words(study),
        pictures=tuple(_result(study)),
        controls=tuple(_controls(study)),
        prediction=tuple(_prediction(study)),
        prediction_words=_prediction_words(study),
        connectome=tuple(_connectome(study)),
        methods=(_methods(study),),
        command=command,
    )
    return render_lesions(page)


def _patients_words(study: LesionStudy) -> str:
    """Say who is used, how large the lesions are, and what they are in."""
    used, volumes, grey = study.patients, study.drawn.volumes, study.drawn.grey
    words = (
        f"{len(used.labels)} patients were used and {len(used.dropped)} left out. Lesions have "
        f"{number(volumes.min())} to {number(volumes.max())} ml, the middle one {number(float(np.median(volumes)))}."
    )
    if not np.isfinite(grey).all():
        return words
    source = Path(study.facts["GreyMatter"]).name
    return (
        f"{words} Of a lesion {percent(grey.min())} to {percent(grey.max())} is grey matter ({source}), of the "
        f"middle one {percent(float(np.median(grey)))}. The signal of white matter is weaker: maps of lesions in it "
        "are less sure."
    )


def likeness(study: LesionStudy) -> float:
    """Correlate the expected map with the one that was found, over samples."""
    known = np.isfinite(study.expected) & np.isfinite(study.found)
    return float(np.corrcoef(study.expected[known], study.found[known])[0, 1])


def result_words(study: LesionStudy) -> str:
    """Say what goes with the score."""
    family = int(study.family.sum())
    if study.association.p_patients is None:
        return (
            f"There are {len(study.patients.labels)} lesions; from {FEWEST_LESIONS} on there are p values. The map "
            "of the effect is a description."
        )
    if study.association.p_people is None:
        return (
            f"There are {len(study.people)} healthy people; from {FEWEST_PEOPLE} on there are p values over people, "
            "and without them nothing is called significant."
        )
    found = int(study.significant.sum())
    said = f"{found:,} of {family:,} voxels have" if found else f"No voxel of {family:,} has"
    return f"{said} a corrected p of at most .05 over patients and over healthy people."


def _notes(study: LesionStudy) -> Iterator[str]:
    """Warn where a part of the test decides what is found."""
    if study.compared is not None and study.alone["pool"] > study.compared.found:
        yield (
            f"{_voxels(study.alone['pool'])} of the mean map would differ from random sets that are drawn from one "
            f"pool of lesions, {study.compared.found:,} from fresh ones: sets of a pool have lesions in common, and "
            "others differ from them by chance."
        )
    if study.association.p_both is None:
        yield result_words(study)
        return
    both, alone = int(study.significant.sum()), study.alone
    if alone["patients"] > both:
        yield (
            f"Over patients alone {_voxels(alone['patients'])} would be significant, with healthy people {both:,}: "
            "all lesions share the sampling error of these people, and the others may be that."
        )
    if alone["people"] > both:
        yield (
            f"Over healthy people alone {_voxels(alone['people'])} would be significant: that people agree says "
            "nothing about the score."
        )
    if alone["without size"] > MATTERS * alone["patients"]:
        yield (
            f"Without lesion size in the model {_voxels(alone['without size'])} would be significant over patients, "
            f"with it {alone['patients']:,}: the score goes with size."
        )


def _voxels(number_of: int) -> str:
    return f"{number_of:,} voxel{'' if number_of == 1 else 's'}"


def _where_words(study: LesionStudy) -> str:
    words = (
        f"The mean map of the lesions correlates by {number(likeness(study))} over voxels with the expected map, "
        "which is that of one seed made of all lesions, each voxel by how many lesions it is in. It knows no score."
    )
    if study.compared is None:
        return words
    return (
        f"{words} Compared with sets of lesions of these shapes {_places_words(study)}, fresh for each set, "
        f"{_voxels(study.compared.found)} of the mean map differ; that is about where lesions fall and not about a "
        f"symptom. With sets that reuse a pool of 30 lesions of each shape {_voxels(study.alone['pool'])} would: "
        "such sets are too alike, which is why they are not used."
    )


def _where(study: LesionStudy) -> Iterator[Picture]:
    everywhere = Highlight(np.ones_like(study.family), "unthresholded")
    frequency = study.frequency.astype(np.float32)
    most = float(frequency.max())
    seen = Highlight(frequency > 0, "1 lesion or more")
    caption = f"Number of lesions at each voxel, at most {most:.0f}."
    look = Look(vmax=most, cmap=FREQUENCY_COLOURS, symmetric_cbar=False)
    yield _picture(study, (frequency, "n", "Lesions"), seen, caption, look)
    limit = float(np.nanmax(np.abs([study.expected, study.found])))
    look = Look(vmax=float(np.tanh(limit)))
    for values, name, caption in (
        (study.expected, "Expected", "Expected from where lesions fall, r."),
        (study.found, "Found", "Mean map of the lesions, r, on the same scale."),
    ):
        shown = np.nan_to_num(np.tanh(values)).astype(np.float32)
        yield _picture(study, (shown, "r", name), everywhere, caption, look)


def _result(study: LesionStudy) -> Iterator[Picture]:
    """Draw the effect, not thresholded, with what is significant outlined."""
    effect = np.nan_to_num(study.association.effect).astype(np.float32)
    found = study.significant
    caption = f"Slope of atanh(r) on {study.patients.name}"
    shown = Highlight(np.ones_like(found), "unthresholded")
    caption += "; nothing is significant." if study.association.p_both is not None else "."
    if found.any():
        shown = Highlight(found, "p \N{LESS-THAN OR EQUAL TO} .05 over patients and people")
        caption = (
            f"{caption.split(';')[0]}; what is significant over both is outlined, all else faded."
        )
    yield _picture(study, (effect, "effect", study.patients.name), shown, caption, Look())


def _picture(
    study: LesionStudy,
    shown: tuple[NDArray[np.float32], str, str],
    highlight: Highlight,
    caption: str,
    look: Look,
) -> Picture:
    values, stat, name = shown
    with tempfile.TemporaryDirectory() as folder:
        figure = draw_map(
            values, study.space, highlight, name=name, center=None, stat=stat, look=look
        )
        (path,) = save_figure(figure, Path(folder) / "map", kinds=("png",))
        return load_picture(path, f"The brain in cuts. {caption}", caption)


def _controls(study: LesionStudy) -> Iterator[tuple[str, str]]:
    if study.association.p_patients is None:
        return
    names = {
        "patients": "Patients alone",
        "people": "Healthy people alone",
        "without size": "Patients alone, lesion size left out",
    }
    yield "Patients and healthy people", f"{_voxels(int(study.significant.sum()))}: the result"
    for key, name in names.items():
        if key in study.alone:
            yield name, f"{_voxels(study.alone[key])}"


def _prediction_words(study: LesionStudy) -> str:
    found = study.predicted
    if found is None:
        return f"There are fewer than {FEWEST_LESIONS} lesions: nothing was predicted."
    says = "adds to" if found.p <= ALPHA and found.gain > 0 else "does not add to"
    return (
        f"In patients that were left out, the likeness of their map to that of the association in the others {says} "
        f"the prediction by lesion size, covariates and the expected map (gain in R2 {number(found.gain)}, "
        f"p = {number(found.p, 3)}). R2 below 0 is worse than the mean of the others."
    )


def _prediction(study: LesionStudy) -> Iterator[tuple[str, str]]:
    found = study.predicted
    if found is not None:
        yield "Size and covariates", f"R2 {number(found.r2('size'))}"
        yield "and the expected map (baseline)", f"R2 {number(found.r2('baseline'))}"
        yield "and the map of the association", f"R2 {number(found.r2('full'))}"


def _connectome(study: LesionStudy) -> Iterator[tuple[str, str]]:
    facts = study.facts
    yield "People", f"{len(study.people)}, {facts['Runs']} runs"
    if study.dropped_people:
        gone = ", ".join(f"sub-{one}" for one in study.dropped_people)
        yield "Left out", f"{gone}: no voxel of some lesion in the mask"
    yield "Cleaning", f"{facts['Strategy'] or 'as stored'}"
    removed = facts["GlobalSignalRemoved"]
    yield (
        "Global signal",
        "regressed out" if removed else "kept: what all voxels share is in every map",
    )
    yield "Smoothing", f"{facts['SmoothingFWHM']:g} mm"
    yield "Space", f"{facts['Space'] or 'not known'}"


def _methods(study: LesionStudy) -> str:
    facts = study.facts
    kind = "a studentised score" if study.patients.two_groups else "the partial correlation"
    tests = (
        f" Over patients {kind} was tested by {facts['Shuffles']:,} permutations of residuals "
        "(doi:10.1016/j.neuroimage.2014.01.060), over people the mean of their slopes by sign flips, both corrected "
        "by the largest value in each shuffle; the larger p counts. The score was predicted in 10 folds, and the "
        "gain over the baseline tested by 1,000 shuffles of the baseline's residuals through all folds."
        if study.association.p_patients is not None
        else ""
    )
    return (
        f"The mean series of each lesion was correlated with every voxel in the cleaned runs of {len(study.people)} "
        f"people. Fisher transforms entered a linear model over {len(study.patients.labels)} lesions with the "
        f"logarithm of their volume{' and ' + ', '.join(study.patients.columns) if study.patients.columns else ''}, "
        f"without lesions within {facts['SmoothingFWHM']:g} mm of a voxel.{tests}{_null_words(study)}"
    )


def _null_words(study: LesionStudy) -> str:
    """Say what the mean map was compared with; nothing where it was not."""
    if study.compared is None:
        return ""
    return (
        f" The mean map was compared with {study.facts['NullSets']:,} sets of lesions of the same shapes, each at a "
        f"place of its own {_places_words(study)}, by a factor of the mean correlation matrix "
        "(doi:10.1137/090771806); the largest difference of each set in its standard deviations counts."
    )


def _places_words(study: LesionStudy) -> str:
    prior = study.facts["Prior"]
    return f"where {Path(prior).name} has them" if prior else "anywhere in the brain"
