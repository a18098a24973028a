"""The files of a study of lesions: all of them, or none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap.analysis import dataset_description, json_text, write_with_sidecar
from seedmap.images import MapKind, staged_folder, write_text
from seedmap.lesions.pipeline import LesionStudy, score_label

__all__ = ["save_lesions"]

ESTIMATE, P = "estimate", "p value"
# By statistic: NIfTI intent, what it is.
OF_SCORE = {
    "effect": (
        ESTIMATE,
        "Slope of atanh(r) on the score with lesion size in the model, mean over people",
    ),
    "r": ("correlation", "Partial correlation of atanh(r) with the score over patients"),
    "ppatients": (P, "p corrected for all samples, by permutations of patients"),
    "ppeople": (P, "p corrected for all samples, by sign flips of the people of the runs"),
    "pboth": (P, "The larger of ppatients and ppeople"),
    "n": (ESTIMATE, "Lesions away from the sample, which are those that count there"),
}
OF_ALL = {
    "frequency": (ESTIMATE, "Number of lesions at each sample"),
    "expected": ("correlation", "Map of a seed that is all lesions by their frequency, tanh"),
    "found": ("correlation", "Mean map of the lesions, tanh"),
    "difference": (
        "z score",
        "Mean map less that of random sets, in the standard deviation of the sets",
    ),
    "pdifference": (P, "p of the difference corrected for all samples, by the random sets"),
}
OF_LESIONS = ("volume_ml", "share_in_samples", "share_of_grey_matter")
OF_ONE = {
    "r": ("correlation", "Connectivity of the lesion, mean over people, tanh"),
    "fisherz": (ESTIMATE, "Connectivity of the lesion, mean over people of atanh(r)"),
    "t": (
        "t test",
        "t of atanh(r) over people: how well healthy people agree, and no test of a symptom",
    ),
}


def save_lesions(
    study: LesionStudy, folder: Path, *, page: str = "", each: bool = False, command: str = ""
) -> list[Path]:
    """Write maps, sidecars, tables and the page; all appear together, or none does.

    Of an earlier call the maps of lesions and of this score go, and its prediction, unless they are
    made again.

    Parameters
    ----------
    study
        The result.
    folder
        Where to; made if need be.
    page
        The page as HTML; empty for none.
    each
        Whether every lesion's own maps are written, too.
    command
        The call, for sidecars.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    folder = Path(folder).expanduser()
    names: list[str] = []
    facts = {
        **study.facts,
        "Score": study.patients.name,
        "Patients": len(study.patients.labels),
        "People": [f"sub-{one}" for one in study.people],
        "SamplesInFamily": int(study.family.sum()),
        "Command": command,
    }
    with staged_folder(folder) as stage:
        for name, values, (intent, words) in _maps(study, each=each):
            kind = MapKind(intent, (), f"seedmap: {words}"[:79])
            about = {"Description": words, **facts}
            names += write_with_sidecar(stage / name, values, study.space, kind, study.codes, about)
        texts = {
            "lesions.tsv": _patients_text(study),
            **(
                {f"{_stem(study)}_prediction.tsv": _prediction_text(study)}
                if study.predicted
                else {}
            ),
            **({f"{_stem(study)}_report.html": page} if page else {}),
            "dataset_description.json": json_text(
                {**dataset_description(), "Name": "Connectivity of lesions"}
            ),
        }
        for name, text in texts.items():
            write_text(stage / name, text)
            names.append(name)
        _remove_older(study, folder, names)
    return [folder / name for name in names]


def _remove_older(study: LesionStudy, folder: Path, names: list[str]) -> None:
    """Remove what an earlier call made and this one does not."""
    kinds = ("lesion_stat-*_statmap.*", "lesion_sub-*_statmap.*", f"{_stem(study)}_*")
    for path in [path for kind in kinds for path in folder.glob(kind)]:
        if path.name not in names:
            path.unlink(missing_ok=True)


def _stem(study: LesionStudy) -> str:
    return f"lesion_score-{score_label(study.patients)}"


def _maps(study: LesionStudy, *, each: bool) -> Iterator[tuple[str, NDArray[Any], Any]]:
    """Yield the name, the values and the kind of each map."""
    own, both = study.association, study.compared
    of_score = {
        "effect": own.effect,
        "r": own.r,
        "ppatients": own.p_patients,
        "ppeople": own.p_people,
        "pboth": own.p_both,
        "n": (~study.drawn.near).sum(axis=0).astype(float),
    }
    of_all = {
        "frequency": study.frequency,
        "expected": np.tanh(study.expected),
        "found": np.tanh(study.found),
        "difference": None if both is None else both.z,
        "pdifference": None if both is None else both.p,
    }
    for stem, maps, kinds in ((_stem(study), of_score, OF_SCORE), ("lesion", of_all, OF_ALL)):
        for stat, values in maps.items():
            if values is not None:
                yield f"{stem}_stat-{stat}_statmap", values.astype(np.float32), kinds[stat]
    for row, label in enumerate(study.patients.labels if each else ()):
        mean, t = study.maps.mean[row], study.maps.t
        one = {"r": np.tanh(mean), "fisherz": mean, "t": None if t is None else t[row]}
        for stat, values in one.items():
            if values is not None:
                yield f"lesion_sub-{label}_stat-{stat}_statmap", values, OF_ONE[stat]


def _patients_text(study: LesionStudy) -> str:
    """Write who was used, with what is known of each lesion, and who was left out and why."""
    used, drawn = study.patients, study.drawn
    names = ("participant_id", "used", "reason", "lesion", *OF_LESIONS, "score")
    lines = ["\t".join(names)]
    numbers = zip(drawn.volumes, drawn.shares, drawn.grey, used.score, strict=True)
    for label, path, values in zip(used.labels, used.files, numbers, strict=True):
        cells = (f"{value:.6g}" if np.isfinite(value) else "n/a" for value in values)
        lines.append("\t".join([f"sub-{label}", "yes", "n/a", str(path), *cells]))
    for label, reason in used.dropped.items():
        lines.append("\t".join([f"sub-{label}", "no", reason, *["n/a"] * (len(names) - 3)]))
    return "\n".join(lines) + "\n"


def _prediction_text(study: LesionStudy) -> str:
    """Write each patient's score and what was predicted while the patient was left out."""
    found = study.predicted
    assert found is not None
    lines = ["participant_id\tfold\tscore\tby_size\tby_baseline\tby_map"]
    columns = (found.fold, found.score, found.size, found.baseline, found.full)
    for label, fold, *values in zip(study.patients.labels, *columns, strict=True):
        lines.append("\t".join([f"sub-{label}", str(fold), *(f"{one:.6g}" for one in values)]))
    return "\n".join(lines) + "\n"
