"""
A study from end to end
=======================

Participants in the layout of fMRIPrep, one call that maps them all, and the mean of their maps.
"""

# %%
# A small artificial study; the folder of fMRIPrep of your own takes its place.

from pathlib import Path
from tempfile import mkdtemp

import nibabel as nib
import numpy as np

import seedmap as sm
from seedmap.cli import main

folder = Path(mkdtemp())
study = sm.datasets.make_study(folder / "fmriprep", 4, voxel_size=6)

# %%
# One call, which is what one types in a terminal after ``seedmap``. A second call would find that
# nothing has changed. The folder of results has a page for the study (``index.html``) and one a
# participant.

line = f"bids {study.folder} {folder / 'results'} participant --seed PCC=0,-52,18 --strategy simple"
code = main([*line.split(), "--nprocs", "1", "-q"])
print("exit code", code)
print(sorted(path.name for path in (folder / "results").glob("*.html")))

# %%
# The maps carry BIDS names, so one pattern finds them. Their Fisher transforms may be averaged:

found = sorted((folder / "results").glob("sub-*/func/*seed-PCC_stat-fisherz_*_statmap.nii.gz"))
images = [nib.load(path) for path in found]
mean = np.nanmean([image.get_fdata() for image in images], axis=0)
print(f"{len(found)} participants, mean Fisher z up to {np.nanmax(mean):.2f}")

# %%
# The mean, as a correlation, on the template:

sm.figures.plot_map(
    nib.Nifti1Image(np.tanh(np.nan_to_num(mean)).astype(np.float32), images[0].affine),
    seed="mean over participants",
    center=(0, -52, 18),
    threshold=0.3,
)
