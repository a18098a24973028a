"""What the command line writes for a fixed set of runs, and whether two versions write the same.

Compare two source trees bit for bit, on one machine, or one tree with the record::

    python tests/golden/golden.py compare OLD/src NEW/src
    python tests/golden/golden.py record

Versions, times and drawings' bytes do not count. The record keeps names, tables, sidecars and a
few values of every map; it is compared to rounding, since another processor rounds otherwise.
"""

import argparse
import gzip
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

HERE = Path(__file__).parent
RECORD = HERE / "record.json"
SOURCE = HERE.parents[1] / "src"
SEEN = 16  # values of a map that the record keeps
PASSING = ("SoftwareVersions", "Version", "Command", "CodeURL", "URL", "preprocessed")
IMAGES = (".nii.gz", ".nii", ".gii")
SEEDS = ["--seed", "PCC=0,-52,18", "--seed", "LM=-36,-25,57"]

PHANTOM = "phantom/sub-01_task-rest_space-MNI152NLin2009cAsym_res-6_desc-preproc_bold.nii.gz"
TABLE = "phantom/sub-01_task-rest_desc-confounds_timeseries.tsv"
ON_PHANTOM = [PHANTOM, *SEEDS, "--confounds", TABLE]
REAL = "sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"
REAL_TABLE = "sub-01_task-rest_desc-confounds_timeseries.tsv"
SURFACE = "sub-02_task-rest_hemi-{}_space-fsaverage5_bold.func.gii"
STUDY = ["--seed", "PCC=0,-52,18", "--nprocs", "1"]


def jobs(data: Path | None) -> dict[str, list[str]]:
    """Return the command lines by the folder that each writes; some need the one before."""
    found = {
        "run": ["run", *ON_PHANTOM, "--sample-mask", "phantom/kept-volumes.txt", "--atlas",
                "phantom/planted_dseg.nii.gz", "--threshold", "q<0.05"],
        "partial": ["run", *ON_PHANTOM, "--measure", "partial", "--no-figures"],
        "regression": ["run", *ON_PHANTOM, "--measure", "regression", "--no-figures"],
        "spearman": ["run", *ON_PHANTOM, "--measure", "spearman", "--no-figures"],
        "lagged": ["run", *ON_PHANTOM, "--measure", "lagged", "--no-figures"],
        "xdf": ["run", *ON_PHANTOM, "--uncertainty", "xdf", "--filter", "cosine", "--low-pass",
                "none", "--no-figures"],
        "gray": ["run", "gray.dtseries.nii", "--seed", "PCC=-6,-52,18", "--smoothing-fwhm", "none",
                 "--surface-left", "left.surf.gii", "--surface-right", "right.surf.gii", "--threshold", "r>0.9",
                 "--no-figures"],
        "study": ["bids", "study", "study-out", "participant", *STUDY, "--strategy", "36P",
                  "6P", "--store", "--combine-runs", "participant"],
        "stored-study": ["bids", "study", "stored-out", "participant", "--seed", "LM=-36,-25,57",
                         "--nprocs", "1", "--strategy", "36P", "--from-store", "study-out"],
    }  # fmt: skip
    if data is not None:
        volume, surface = data / "volume", data / "surface"
        for name in (REAL, REAL_TABLE, REAL.replace("preproc_bold.nii.gz", "brain_mask.nii.gz")):
            assert (volume / name).is_file(), name
        found |= {
            "real": ["run", f"volume/{REAL}", *SEEDS, "--confounds", f"volume/{REAL_TABLE}",
                     "--confound-columns", "csf", "white_matter", "a_comp_cor_0?", "--no-figures"],
            "surface": ["run", "--left", f"surface/{SURFACE.format('L')}", "--right",
                        f"surface/{SURFACE.format('R')}", "--t-r", "1.4", *SEEDS[:2],
                        "--no-figures"],
        }  # fmt: skip
        assert surface.is_dir()
    return found


def make_inputs(folder: Path, data: Path | None) -> None:
    """Write the artificial runs, and link the real ones."""
    from seedmap import datasets

    datasets.make_phantom(folder / "phantom", voxel_size=6, n_frames=150)
    kept = [str(frame) for frame in range(150) if frame % 29]
    (folder / "phantom" / "kept-volumes.txt").write_text("\n".join(kept) + "\n")
    made = datasets.make_grayordinate_phantom(folder / "gray", n_frames=120)
    shutil.copy(made.func[0], folder / "gray.dtseries.nii")
    sides = sorted((folder / "gray").glob("*.surf.gii"))
    for side, path in zip(("left", "right"), sides, strict=True):
        shutil.copy(path, folder / f"{side}.surf.gii")
    datasets.make_phantom(
        folder / "study", n_subjects=2, n_runs=2, layout="bids", voxel_size=8, n_frames=120
    )
    if data is not None:
        for name in ("volume", "surface"):
            (folder / name).symlink_to(data / name)


def run_all(source: Path, inputs: Path, out: Path, data: Path | None) -> None:
    """Run every job with the code of ``source``, in ``out``, with links to the inputs."""
    out.mkdir(parents=True)
    for path in inputs.iterdir():
        (out / path.name).symlink_to(path)
    environment = os.environ | {"PYTHONPATH": str(source), "OPENBLAS_NUM_THREADS": "1"}
    for name, words in jobs(data).items():
        where = [] if words[0] == "bids" else ["--out", f"{name}-out"]
        command = [sys.executable, "-W", "ignore", "-m", "seedmap", *words, *where]
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")


def digests(out: Path) -> dict[str, Any]:
    """Return what each file holds: a digest of an image, the content of a table or sidecar."""
    return {name: _content(path, whole=True) for name, path in _files(out)}


def summaries(out: Path) -> dict[str, Any]:
    """Return the same in short: a few values stand for a map."""
    return {name: _content(path, whole=False) for name, path in _files(out)}


def _files(out: Path) -> list[tuple[str, Path]]:
    folders = [path for path in out.iterdir() if path.name.endswith("-out")]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    names = [(path.relative_to(out).as_posix(), path) for path in sorted(found)]
    return [(name, path) for name, path in names if not re.search(r"/\.|/logs/|/code/", name)]


def _content(path: Path, *, whole: bool) -> Any:
    if path.name.endswith(IMAGES):
        return _image(path, whole=whole)
    if path.suffix == ".json" and (whole or "_stat-" not in path.name or "_stat-r_" in path.name):
        return _without_passing(json.loads(path.read_text()))
    if path.suffix == ".tsv":
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        return rows if whole else {"rows": len(rows), "some": rows[: SEEN // 2]}
    if ".zarr/" in path.as_posix() and whole:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return "there"


def _image(path: Path, *, whole: bool) -> Any:
    if whole and path.suffix == ".gz":
        return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    if whole:
        return hashlib.sha256(
            re.sub(rb"[0-9.]+dev[^<]*|seedmap [0-9.]+", b"", path.read_bytes())
        ).hexdigest()
    image = nib.load(path)
    arrays = [a.data for a in image.darrays] if hasattr(image, "darrays") else [image.get_fdata()]
    values = np.concatenate([np.ravel(a) for a in arrays]).astype(np.float64)
    chosen = np.flatnonzero(np.isfinite(values) & (values != 0))
    chosen = chosen[np.linspace(0, chosen.size - 1, min(SEEN, chosen.size)).astype(int)]
    return {
        "size": values.size,
        "finite": int(np.isfinite(values).sum()),
        "values": [float(f"{value:.6g}") for value in values[chosen]],
    }


def _without_passing(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_passing(v) for k, v in value.items() if k not in PASSING}
    return [_without_passing(v) for v in value] if isinstance(value, list) else value


def differences(old: Any, new: Any, tolerance: float = 0.0, where: str = "") -> list[str]:
    """List where two contents differ; numbers, also those in tables, may differ by rounding."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [f"{where}/{key}: only in one" for key in sorted(set(old) ^ set(new))]
        both = [k for k in old if k in new]
        return gone + [
            d for k in both for d in differences(old[k], new[k], tolerance, f"{where}/{k}")
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, tolerance, f"{where}[{i}]")]
    if old == new or (tolerance and _near(old, new, tolerance)):
        return []
    return [f"{where}: {str(old)[:80]} -> {str(new)[:80]}"]


def _near(old: Any, new: Any, tolerance: float) -> bool:
    try:
        a, b = float(old), float(new)
    except (TypeError, ValueError):
        return False
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def outputs_of(source: Path, work: Path, data: Path | None) -> Path:
    """Make the inputs if need be, run all jobs, and return the folder of the results."""
    inputs = work / "inputs"
    if not inputs.is_dir():
        make_inputs(inputs, data)
    out = work / f"out-{len(list(work.iterdir()))}"
    run_all(source.resolve(), inputs, out, data)
    return out


def main() -> None:
    """Compare two trees, or record what this one writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["compare", "record"])
    parser.add_argument("trees", nargs="*", type=Path)
    given = parser.parse_args()
    folder = os.environ.get("SEEDMAP_TEST_DATA")
    data = Path(folder).resolve() if folder else None
    with tempfile.TemporaryDirectory() as work:
        if given.what == "record":
            found = summaries(outputs_of(SOURCE, Path(work), data))
            RECORD.write_text(
                json.dumps(found, separators=(",", ":"), sort_keys=True).replace('},"', '},\n"')
                + "\n"
            )
            return
        old, new = (digests(outputs_of(tree, Path(work), data)) for tree in given.trees)
    found = differences(old, new)
    sys.stdout.write(
        "\n".join([*found, f"{len(old)} files compared, {len(found)} differences", ""])
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
