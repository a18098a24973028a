"""Small whole files of every kind that seedmap reads, each kind with a command that reads it."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from harness import reference

SHAPE, FRAMES, T_R = (7, 8, 6), 60, 2.0
AFFINE = np.array([[12.0, 0, 0, -36], [0, 12, 0, -48], [0, 0, 12, -30], [0, 0, 0, 1]])
SEED = "S=1,2,5:0"
VERTICES = 120
# Nothing but the correlation: what an independent reading of the same files can work out, too.
PLAIN = ("--filter", "none", "--smoothing-fwhm", "none", "--uncertainty", "none", "--no-figures")
WHOLE = ("--no-figures",)

Values = np.ndarray | None


@dataclass(frozen=True)
class Family:
    """One kind of file.

    Attributes
    ----------
    name : str
        What the table calls it.
    damaged : tuple of str
        The files that are changed, one of them at a time.
    command : tuple of str
        The words that read them, in the folder that holds them; ``OUT`` stands for the results.
    modes : tuple of tuple of str
        Further words, of which one is taken. With the first the map can be checked.
    expected : callable or None
        Works the map out again from a folder of files; None where the map must be that of the
        whole files.
    made : str
        Where the map is found, in the results.
    """

    name: str
    damaged: tuple[str, ...]
    command: tuple[str, ...]
    modes: tuple[tuple[str, ...], ...] = (PLAIN, WHOLE)
    expected: Callable[[Path], Values] | None = None
    made: str = "*stat-r_*statmap.*"
    weight: int = 4


def make_corpus(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((FRAMES, 3))
    table = rng.standard_normal((FRAMES, 4))
    _write_volumes(folder, rng, shared, table)
    _write_surfaces(folder, rng, shared)
    _write_cifti(folder, rng, shared)
    names = ["trans_x", "rot_z", "csf", "white_matter"]
    rows = ["\t".join(f"{value:.6f}" for value in row) for row in table]
    (folder / "confounds.tsv").write_text("\n".join(["\t".join(names), *rows]) + "\n")
    (folder / "kept.txt").write_text("\n".join("0" if n in (7, 8) else "1" for n in range(FRAMES)))
    (folder / "bold.json").write_text(json.dumps({"RepetitionTime": T_R, "TaskName": "rest"}))
    _write_study(folder)
    _write_store(folder)


def _noisy(rng: np.random.Generator, shared: np.ndarray, many: int) -> np.ndarray:
    """Series (frames, many) that share something."""
    noise = rng.standard_normal((FRAMES, many))
    return (1000 + 10 * (shared @ rng.standard_normal((3, many)) + noise)).astype(np.float32)


def _write_volumes(
    folder: Path, rng: np.random.Generator, shared: np.ndarray, table: np.ndarray
) -> None:
    series = _noisy(rng, shared, int(np.prod(SHAPE))) + (5 * table[:, :1]).astype(np.float32)
    inside = np.zeros(SHAPE, np.uint8)
    inside[1:-1, 1:-1, 1:-1] = 1
    values = series.T.reshape(*SHAPE, FRAMES) * inside[..., None]
    labels = np.zeros(SHAPE, np.int16)
    labels[2:4, 3:5, 2:4], labels[4:6, 3:6, 1:4] = 1, 2
    for name in ("bold.nii", "bold_z.nii.gz"):
        _save(folder / name, values)
    for name in ("mask.nii", "mask_z.nii.gz"):
        _save(folder / name, inside)
    for name in ("atlas.nii", "atlas_z.nii.gz"):
        _save(folder / name, labels)
        text = "index\tname\n1\tfirst\n2\tsecond\n"
        (folder / name.replace(".nii", ".tsv").removesuffix(".gz")).write_text(text)
    _save(folder / "roi.nii.gz", (labels == 2).astype(np.float32))


def _save(path: Path, values: np.ndarray) -> None:
    image = nib.Nifti1Image(values, AFFINE)
    image.set_sform(AFFINE, 4)
    image.set_qform(AFFINE, 4)
    image.header.set_xyzt_units("mm", "sec")
    if values.ndim == 4:
        image.header.set_zooms((12, 12, 12, T_R))
    nib.save(image, path)


def _ball(many: int) -> tuple[np.ndarray, np.ndarray]:
    """Wind a strip of triangles around a ball: points (many, 3) and triangles."""
    angle = np.linspace(0.2, np.pi - 0.2, many)
    turn = 9.7 * angle
    points = np.c_[np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)] * 60
    first = np.arange(many - 2)
    return points.astype(np.float32), np.c_[first, first + 1, first + 2].astype(np.int32)


def _write_surfaces(folder: Path, rng: np.random.Generator, shared: np.ndarray) -> None:
    points, triangles = _ball(VERTICES)
    mesh = [
        nib.gifti.GiftiDataArray(points, "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32"),
        nib.gifti.GiftiDataArray(triangles, "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32"),
    ]
    series = _noisy(rng, shared, VERTICES)
    frames = [
        nib.gifti.GiftiDataArray(frame, "NIFTI_INTENT_TIME_SERIES", "NIFTI_TYPE_FLOAT32")
        for frame in series
    ]
    labels = np.arange(VERTICES) // 40
    table = nib.gifti.GiftiLabelTable()
    for key, name in enumerate(("none", "first", "second")):
        label = nib.gifti.GiftiLabel(key, 0.1, 0.2, 0.3, 1.0)
        label.label = name
        table.labels.append(label)
    array = nib.gifti.GiftiDataArray(
        labels.astype(np.int32), "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32"
    )
    for name, image in {
        "lh.surf.gii": nib.gifti.GiftiImage(darrays=mesh),
        "lh.func.gii": nib.gifti.GiftiImage(darrays=frames),
        "lh.label.gii": nib.gifti.GiftiImage(darrays=[array], labeltable=table),
    }.items():
        image.meta["AnatomicalStructurePrimary"] = "CortexLeft"
        nib.save(image, folder / name)
    colours = np.array([[0, 0, 0, 0, 0], [9, 0, 0, 0, 9], [0, 9, 0, 0, 2304]])
    nib.freesurfer.write_annot(
        folder / "lh.names.annot", labels, colours, ["none", "first", "second"]
    )


def _write_cifti(folder: Path, rng: np.random.Generator, shared: np.ndarray) -> None:
    surfaces = nib.cifti2.BrainModelAxis.from_mask(np.arange(VERTICES) % 5 > 0, "CortexLeft")
    inside = np.zeros(SHAPE, bool)
    inside[2:5, 2:5, 2:5] = True
    places = surfaces + nib.cifti2.BrainModelAxis.from_mask(inside, "ThalamusLeft", AFFINE)
    time = nib.cifti2.SeriesAxis(0, T_R, FRAMES)
    series = nib.Cifti2Image(_noisy(rng, shared, len(places)), (time, places))
    series.nifti_header.set_intent("ConnDenseSeries")
    nib.save(series, folder / "bold.dtseries.nii")
    told = {
        0: ("none", (0, 0, 0, 0)),
        1: ("first", (1, 0, 0, 1)),
        2: ("second", (0, 1, 0, 1)),
    }
    values = (np.arange(len(places)) % 3).astype(np.float32)[None]
    labels = nib.Cifti2Image(values, (nib.cifti2.LabelAxis(["all"], told), places))
    labels.nifti_header.set_intent("ConnDenseLabel")
    nib.save(labels, folder / "atlas.dlabel.nii")


def _write_store(folder: Path) -> None:
    """Store the run of the study."""
    from seedmap.cli import main

    out = folder / "stored"
    words = [
        "bids",
        str(folder / "study"),
        str(out),
        "participant",
        "--store",
        "--no-figures",
        "-q",
    ]
    if main([*words, *BY_SEED, "--strategy", str(folder / "own.yaml"), "--nprocs", "1"]):
        msg = "the study cannot be stored"
        raise RuntimeError(msg)
    (store,) = (out / "store").glob("*.zarr")
    store.rename(folder / "run.zarr")
    shutil.rmtree(out)


def _write_study(folder: Path) -> None:
    """Lay the run out as fMRIPrep does, for the files that only studies read."""
    func = folder / "study" / "sub-01" / "func"
    func.mkdir(parents=True)
    stem = "sub-01_task-rest"
    space = f"{stem}_space-MNI152NLin6Asym"
    for old, new in (
        ("bold_z.nii.gz", f"{space}_desc-preproc_bold.nii.gz"),
        ("mask_z.nii.gz", f"{space}_desc-brain_mask.nii.gz"),
        ("bold.json", f"{space}_desc-preproc_bold.json"),
        ("confounds.tsv", f"{stem}_desc-confounds_timeseries.tsv"),
    ):
        (func / new).write_bytes((folder / old).read_bytes())
    about = {
        name: {"Method": "aCompCor", "Mask": "combined", "Retained": True}
        for name in ("a_comp_cor_00", "a_comp_cor_01")
    }
    (func / f"{stem}_desc-confounds_timeseries.json").write_text(json.dumps(about))
    described = {"Name": "study", "BIDSVersion": "1.10.0", "DatasetType": "derivative"}
    (folder / "study" / "dataset_description.json").write_text(json.dumps(described))
    (folder / "own.yaml").write_text(
        "name: own\nmotion: none\ncolumns: [csf, trans_x]\ncompcor: none\ncosines: without\n"
        "scrubbing:\n  fd_threshold: null\n  std_dvars_threshold: null\n"
    )
    (folder / "options.yaml").write_text("seed: ['S=1,2,5']\nfigures: false\nstrategy: own.yaml\n")
    (folder / "seeds.json").write_text(json.dumps({"S": [1, 2, 5], "T": {"x": 1, "y": 2, "z": -7}}))
    (folder / "seeds.tsv").write_text("name\tx\ty\tz\tradius\nS\t1\t2\t5\t8\nT\t1\t2\t-7\tn/a\n")
    (folder / "filter.json").write_text(json.dumps({"bold": {"task": "rest", "run": None}}))


STUDY = ("bids", "study", "OUT", "participant", "--nprocs", "1", "--no-figures")
OWN = ("--strategy", "own.yaml")
IN_FUNC = "study/sub-01/func/sub-01_task-rest"
RUN = ("run", "bold.nii", "--seed", SEED, "--mask", "mask.nii", "--out", "OUT")
SURFACE = ("run", "lh.func.gii", "--surface-left", "lh.surf.gii", "--out", "OUT")
CIFTI = ("run", "bold.dtseries.nii", "--out", "OUT")
MASK_RUN = ("run", "bold.nii", "--seed", SEED, "--out", "OUT")


def _of_seed(**named: str) -> Callable[[Path], Values]:
    return lambda folder: reference.volume_map(folder, **named)


def _any_map(_folder: Path) -> Values:
    """Say that the right map is not known, for one must be made."""
    return None


def _study(words: Sequence[str], *more: str) -> tuple[str, ...]:
    return (*STUDY, *words, *more)


BY_SEED = ("--seed", SEED)
FAMILIES = (
    Family("run, .nii", ("bold.nii",), RUN, expected=_of_seed(bold="bold.nii"), weight=8),
    Family(
        "run, .nii.gz",
        ("bold_z.nii.gz",),
        ("run", "bold_z.nii.gz", *RUN[2:]),
        expected=_of_seed(bold="bold_z.nii.gz"),
        weight=8,
    ),
    Family("mask", ("mask.nii",), RUN, expected=_of_seed()),
    Family(
        "mask, .nii.gz",
        ("mask_z.nii.gz",),
        (*MASK_RUN, "--mask", "mask_z.nii.gz"),
        expected=_of_seed(mask="mask_z.nii.gz"),
    ),
    Family(
        "seed image",
        ("roi.nii.gz",),
        ("run", "bold.nii", "--seed", "S=roi.nii.gz", "--mask", "mask.nii", "--out", "OUT"),
        expected=_of_seed(seed_image="roi.nii.gz"),
    ),
    Family(
        "atlas",
        ("atlas.nii", "atlas.tsv"),
        ("run", "bold.nii", "--seed", "S=atlas.nii#second", "--mask", "mask.nii", "--out", "OUT"),
        expected=_of_seed(atlas="atlas.nii"),
    ),
    Family(
        "atlas, .nii.gz",
        ("atlas_z.nii.gz",),
        ("run", "bold.nii", "--seed", "S=atlas_z.nii.gz#2", "--mask", "mask.nii", "--out", "OUT"),
        expected=_of_seed(atlas="atlas_z.nii.gz"),
    ),
    Family(
        "confounds",
        ("confounds.tsv",),
        (*RUN, "--confounds", "confounds.tsv"),
        expected=_of_seed(confounds="confounds.tsv"),
        weight=6,
    ),
    Family(
        "sample mask",
        ("kept.txt",),
        (*RUN, "--sample-mask", "kept.txt"),
        expected=_of_seed(kept="kept.txt"),
    ),
    Family("JSON beside a run", ("bold.json",), RUN, expected=_of_seed()),
    Family(
        "GIFTI run",
        ("lh.func.gii",),
        (*SURFACE, "--seed", "S=lh:vertex:7:0"),
        expected=reference.gifti_map,
        weight=6,
    ),
    Family("GIFTI surface", ("lh.surf.gii",), (*SURFACE, "--seed", "S=lh:vertex:7:9")),
    Family(
        "surface labels",
        ("lh.label.gii",),
        (*SURFACE, "--seed", "S=lh.label.gii#second"),
        expected=reference.labels_map,
    ),
    Family(
        ".annot",
        ("lh.names.annot",),
        (*SURFACE, "--seed", "S=lh.names.annot#second"),
        expected=reference.annot_map,
    ),
    Family(
        "CIFTI run",
        ("bold.dtseries.nii",),
        (*CIFTI, "--seed", "S=lh:vertex:7:0"),
        expected=reference.cifti_map,
        weight=8,
    ),
    Family(
        "CIFTI labels",
        ("atlas.dlabel.nii",),
        (*CIFTI, "--seed", "S=atlas.dlabel.nii#second"),
        expected=reference.dlabel_map,
    ),
    Family(
        "store",
        ("run.zarr",),
        ("run", "--from-store", "run.zarr", "--seed", SEED, "--out", "OUT"),
        modes=(("--no-figures",),),
        weight=8,
    ),
    Family("strategy, YAML", ("own.yaml",), _study(BY_SEED, *OWN), ((),), _any_map, weight=3),
    Family(
        "options, YAML",
        ("options.yaml",),
        ("bids", "study", "OUT", "participant", "--nprocs", "1", "--config-file", "options.yaml"),
        modes=((),),
        expected=_any_map,
        weight=3,
    ),
    Family(
        "seeds, tables",
        ("seeds.tsv", "seeds.json"),
        _study(("--seeds-file", "DAMAGED"), *OWN),
        modes=((),),
        expected=_any_map,
        weight=3,
    ),
    Family(
        "filter, JSON",
        ("filter.json",),
        _study((*BY_SEED, "--bids-filter-file", "filter.json"), *OWN),
        modes=((),),
        weight=2,
    ),
    Family(
        "files of a study",
        (
            f"{IN_FUNC}_desc-confounds_timeseries.json",
            f"{IN_FUNC}_space-MNI152NLin6Asym_desc-preproc_bold.json",
            "study/dataset_description.json",
        ),
        _study(BY_SEED, *OWN),
        modes=((),),
        expected=_any_map,
        weight=3,
    ),
)
