"""The map that files stand for, worked out anew: read by nibabel, correlated by least squares.

Nothing of seedmap is used here. A function returns None where the files cannot be read, or where
what they say cannot be worked out by so little.
"""

import csv
from pathlib import Path

import nibabel as nib
import numpy as np

SEED_AT = np.array([1.0, 2.0, 5.0])


def volume_map(
    folder: Path,
    *,
    bold: str = "bold.nii",
    mask: str = "mask.nii",
    confounds: str = "",
    kept: str = "",
    seed_image: str = "",
    atlas: str = "",
) -> np.ndarray | None:
    """Return the map on the grid of the run, NaN where there is none."""
    image = nib.load(folder / bold)
    inside = np.asarray(nib.load(folder / mask).dataobj)
    inside = np.nan_to_num(inside.reshape(image.shape[:3]).astype(float)) != 0
    values = np.asarray(image.dataobj, dtype=np.float64)
    if seed_image or atlas:
        chosen = nib.load(folder / (seed_image or atlas))
        if chosen.shape[:3] != image.shape[:3] or not np.allclose(chosen.affine, image.affine):
            return None
        weights = np.nan_to_num(np.asarray(chosen.dataobj, dtype=float)).reshape(inside.shape)
        weights = (weights == _number(folder, atlas)).astype(float) if atlas else weights
        if (weights < 0).any() or np.abs(weights).max() > 1e30:
            return None
    else:
        voxel = np.linalg.solve(image.affine, [*SEED_AT, 1])[:3]
        if (np.abs(voxel - np.floor(voxel) - 0.5) < 1e-3).any():
            return None
        weights = np.zeros(inside.shape)
        weights[tuple(np.round(voxel).astype(int))] = 1
    keep = _keep(folder / kept, values.shape[3]) if kept else np.ones(values.shape[3], bool)
    table = _table(folder / confounds) if confounds else np.empty((values.shape[3], 0))
    found = np.full(inside.shape, np.nan)
    with np.errstate(all="ignore"):
        seed = np.average(values[weights > 0], axis=0, weights=weights[weights > 0])
        found[inside] = correlate(values[inside].T, seed, keep, table)
    return found


def _number(folder: Path, atlas: str) -> int:
    """Return the number of the region that the command asks for."""
    if atlas.endswith(".gz"):
        return 2
    table = folder / atlas.replace(".nii", ".tsv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return next(int(row["index"]) for row in rows if row["name"].strip() == "second")


def _keep(path: Path, frames: int) -> np.ndarray:
    values = np.array(path.read_text(encoding="utf-8-sig").split(), dtype=float)
    if len(values) == frames and np.isin(values, (0, 1)).all():
        return values.astype(bool)
    keep = np.zeros(frames, bool)
    keep[values.astype(int)] = True
    return keep


def _table(path: Path) -> np.ndarray:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()]
    try:
        return np.array(rows, dtype=float)  # no header
    except ValueError:
        return np.array([[float(cell) for cell in row] for row in rows[1:]])


def gifti_map(folder: Path) -> np.ndarray:
    """Return the map of one hemisphere."""
    return _surface(folder, np.arange(len(_series(folder)[0])) == 7)


def labels_map(folder: Path) -> np.ndarray:
    """Return the map of a region of the labels."""
    labels = nib.load(folder / "lh.label.gii")
    names = {name: key for key, name in labels.labeltable.get_labels_as_dict().items()}
    return _surface(folder, labels.darrays[0].data.ravel() == names["second"])


def annot_map(folder: Path) -> np.ndarray:
    """Return the map of a region of FreeSurfer's labels."""
    # With places in the table in place of colours, nibabel gives colours of none a neighbour's place.
    labels, table, names = nib.freesurfer.read_annot(folder / "lh.names.annot", orig_ids=True)
    return _surface(folder, labels == table[names.index(b"second"), -1])


def _series(folder: Path) -> np.ndarray:
    arrays = nib.load(folder / "lh.func.gii").darrays
    return np.stack([np.asarray(array.data, dtype=float).ravel() for array in arrays])


def _surface(folder: Path, seed: np.ndarray) -> np.ndarray:
    series = _series(folder)
    keep, none = np.ones(len(series), bool), np.empty((len(series), 0))
    with np.errstate(all="ignore"):
        return correlate(series, series[:, seed].mean(axis=1), keep, none)


def cifti_map(folder: Path) -> np.ndarray:
    """Return the map of grayordinates from a vertex."""
    image = nib.load(folder / "bold.dtseries.nii")
    axis = image.header.get_axis(1)
    return _cifti(image, (axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT") & (axis.vertex == 7))


def dlabel_map(folder: Path) -> np.ndarray | None:
    """Return the map of grayordinates from a label."""
    labels = nib.load(folder / "atlas.dlabel.nii")
    image = nib.load(folder / "bold.dtseries.nii")
    if labels.header.get_axis(1) != image.header.get_axis(1):
        return None
    names = {name: key for key, (name, _) in labels.header.get_axis(0).label[0].items()}
    return _cifti(image, np.asarray(labels.dataobj)[0] == names["second"])


def _cifti(image: nib.Cifti2Image, seed: np.ndarray) -> np.ndarray:
    series = np.asarray(image.dataobj, dtype=float)
    keep, none = np.ones(len(series), bool), np.empty((len(series), 0))
    with np.errstate(all="ignore"):
        return correlate(series, series[:, seed].mean(axis=1), keep, none)


def correlate(
    series: np.ndarray, seed: np.ndarray, keep: np.ndarray, table: np.ndarray
) -> np.ndarray:
    """Correlate a seed with series (frames, many), line and confounds projected out.

    NaN where a number is not finite or nearly nothing is left, and where single precision, in which
    seedmap works, cannot tell.
    """
    frames = len(series)
    kept = table[keep]
    if len(kept) > 1 and keep[0]:
        missing = ~np.isfinite(kept[0])
        kept = kept.copy()
        kept[0, missing] = kept[1, missing]
    line = np.arange(frames)[keep]
    design = np.c_[np.ones(len(line)), line, kept]
    scaled = design / np.maximum(np.abs(design).max(axis=0), 1e-300)
    both = np.c_[series[keep], seed[keep]]
    large = np.abs(both).max(axis=0)
    left, strength, _ = np.linalg.svd(scaled, full_matrices=False)
    basis = left[:, strength > 1e-9 * strength[0]]
    rest = both - basis @ (basis.T @ both)
    size = np.linalg.norm(rest, axis=0)
    size[(size < 1e-5 * np.sqrt(len(rest)) * large) | (large > 1e12)] = np.nan
    unit = rest / size
    return unit[:, -1] @ unit[:, :-1]
