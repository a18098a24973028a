"""Surfaces and grayordinates: seedmap beside nilearn, Connectome Workbench and reading the file.

Seconds, the shortest of some rounds in which all take turns, and those of the processor, which
other work on the machine disturbs less. All in one process but for the last two rows, each a process
of its own from its start to the written file. Runs on phantoms: fsaverage5 by 300 frames as two
GIFTI files, and 91,282 grayordinates by 300 frames as CIFTI. "Same work" means: one seed, no
smoothing; with nilearn detrended, filtered and six confounds regressed out; with Workbench the bare
correlation and its Fisher transform, written as files.

    python benchmarks/bench_surfaces.py [--repeats 5] [--work FOLDER] [--page FILE]
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from harness.fresh import as_installed, measured_on
from nilearn.datasets import load_fsaverage
from nilearn.maskers import SurfaceMasker
from nilearn.signal import clean
from nilearn.surface import SurfaceImage

import seedmap as sm

WANTED = 3.0  # times the time of reading the file
BARE = sm.Cleaning(detrend=False, filter=None)


def main() -> None:
    """Measure, print, and write the page if one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "surfaces")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cortex = sm.datasets.make_surface_phantom(options.work / "cortex", n_frames=300)
    dense = sm.datasets.make_grayordinate_phantom(options.work / "dense")
    text = "# Speed on surfaces\n\n" + __doc__.partition("\n\n")[2].partition("\n\n    ")[0] + "\n"
    for title, rows in (
        ("GIFTI, 2 x 10,242 vertices x 300 frames", gifti_rows(cortex)),
        ("CIFTI, 91,282 grayordinates x 300 frames", cifti_rows(dense, options.work)),
    ):
        text += f"\n## {title}\n\n{table(measured(rows, options.repeats))}"
    text += f"\nWanted: at most {WANTED:g} times the time of reading the file.\n"
    print(text)
    if options.page:
        options.page.write_text(f"{text}\n{measured_on('benchmarks/bench_surfaces.py')}\n")


def measured(rows, repeats):
    """Return the shortest times of each row [s], wall and processor; the first round imports."""
    times = {name: [] for name in rows}
    for turn in range(repeats + 1):
        for name, work in rows.items():
            if turn == 0 or turn <= (1 if name.startswith("nilearn") else repeats):
                before = clocks()
                work()
                times[name].append([b - a for a, b in zip(before, clocks(), strict=True)])
    return {name: np.min(found[1:], axis=0) for name, found in times.items()}


def clocks():
    """Return the time on the wall, and the processor's for this process and its children [s]."""
    used = os.times()
    return time.perf_counter(), sum(used[:4])


def table(found):
    """Write the times as a table; the first row is reading."""
    reading, _ = next(iter(found.values()))
    lines = ["| what | seconds | of the processor | times reading |", "|:--|--:|--:|--:|"]
    for name, (wall, busy) in found.items():
        lines.append(f"| {name} | {wall:.2f} | {busy:.2f} | {wall / reading:.1f} |")
    return "\n".join(lines) + "\n"


def gifti_rows(run):
    """Return what is done with a surface run, reading first."""
    bold, table = run.func[0], run.confounds[0]
    confounds = pd.read_csv(table, sep="\t").iloc[:, :6]
    mesh = load_fsaverage("fsaverage5")["pial"]
    seed = "V=lh:vertex:2393:0"

    def read():
        return [np.stack([a.data for a in nib.load(path).darrays]) for path in bold.values()]

    def ours(uncertainty=None, fwhm=None):
        return sm.seed_maps(
            bold, seed, confounds=confounds, smoothing_fwhm=fwhm, uncertainty=uncertainty
        )

    def theirs():
        image = SurfaceImage(mesh=mesh, data=bold)
        masker = SurfaceMasker(
            detrend=True, standardize="zscore_sample", low_pass=0.1, high_pass=0.01, t_r=2.0
        )
        series = masker.fit(image).transform(image, confounds=confounds.to_numpy())
        return series.T @ series[:, 2393] / (len(series) - 1)

    return {
        "reading (nibabel)": read,
        "seedmap: clean, correlate": ours,
        "seedmap: clean, correlate, error bars": lambda: ours("operator"),
        "seedmap: smooth 6 mm, clean, correlate": lambda: ours(None, 6.0),
        "seedmap: smooth 6 mm, clean, correlate, error bars": lambda: ours("operator", 6.0),
        "nilearn: SurfaceMasker, dot product": theirs,
    }


def cifti_rows(run, work):
    """Return what is done with a run of grayordinates, reading first."""
    bold, table = run.func[0], run.confounds[0]
    confounds = pd.read_csv(table, sep="\t").iloc[:, :6]
    vertex = int(nib.load(bold).header.get_axis(1).vertex[1234])
    seed = f"V=lh:vertex:{vertex}:0"

    def read():
        return nib.load(bold).get_fdata(dtype=np.float32)

    def ours(uncertainty=None, fwhm=None, cleaning=None):
        return sm.seed_maps(
            bold,
            seed,
            confounds=None if cleaning else confounds,
            surfaces=run.surfaces if fwhm else None,
            smoothing_fwhm=fwhm,
            uncertainty=uncertainty,
            cleaning=cleaning,
        )

    def theirs():
        series = clean(
            read(), detrend=True, standardize="zscore_sample", low_pass=0.1, high_pass=0.01,
            t_r=0.72, confounds=confounds.to_numpy(),
        )  # fmt: skip
        return series.T @ series[:, 1234] / (len(series) - 1)

    rows = {
        "reading (nibabel)": read,
        "seedmap: correlate, write": lambda: ours(cleaning=BARE).save(work / "out"),
        "seedmap: clean, correlate": ours,
        "seedmap: clean, correlate, error bars": lambda: ours("operator"),
        "seedmap: smooth 4 mm, clean, correlate": lambda: ours(None, 4.0),
        "seedmap: smooth 4 mm, clean, correlate, error bars": lambda: ours("operator", 4.0),
        "nilearn: signal.clean on nibabel's array, dot product": theirs,
    }
    rows["process: seedmap, correlate, write r and Fisher z"] = process(bold, seed, work)
    if shutil.which("wb_command"):
        rows["process: wb_command -cifti-average-roi-correlation"] = workbench(bold, work)
    return rows


def process(bold, seed, work):
    """Return seedmap's bare correlation as a process of its own, from its start to the files."""
    script = (
        "import sys, seedmap as sm\n"
        "bare = sm.Cleaning(detrend=False, filter=None)\n"
        "maps = sm.seed_maps(sys.argv[1], sys.argv[2], smoothing_fwhm=None, uncertainty=None,"
        " cleaning=bare)\n"
        "maps.save(sys.argv[3])\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(bold), seed, str(work / "own")]
    env = as_installed()
    return lambda: subprocess.run(command, check=True, capture_output=True, env=env)


def workbench(bold, work):
    """Return Workbench's correlation of one grayordinate with all, written as a file."""
    axis = nib.load(bold).header.get_axis(1)
    roi = np.zeros((1, len(axis)), dtype=np.float32)
    roi[0, 1234] = 1
    header = nib.cifti2.Cifti2Header.from_axes((nib.cifti2.ScalarAxis(["roi"]), axis))
    image = nib.Cifti2Image(roi, header)
    image.nifti_header.set_intent("ConnDenseScalar")
    nib.save(image, work / "roi.dscalar.nii")
    command = ["wb_command", "-cifti-average-roi-correlation", str(work / "wb.dscalar.nii")]
    command += ["-cifti-roi", str(work / "roi.dscalar.nii"), "-cifti", str(bold)]
    return lambda: subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
