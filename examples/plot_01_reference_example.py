"""
The well-known example, with our maskers
========================================

nilearn's gallery has a page that many people learnt seed maps from: *Producing single subject maps
of seed-to-voxel correlation*. This page takes the same road with `seedmap.maskers` and stops at the
same places: two shapes, two plots of series, the range of the correlations, a thresholded map
with the seed marked and saved as PDF, the Fisher transform, and a NIfTI file.

If you have a script of that kind, change the lines that import the maskers and leave the rest.
What comes out is the same, but for the few things under :doc:`/differences`.
"""

# %%
# A run to work on
# ----------------
#
# The original page uses one subject of the *development* data set, who watched a film. If nilearn
# has fetched it onto this computer, so do we. Otherwise we take a phantom: it has the same grid,
# the same number of frames and a table with the same confounds, and needs no network.

from pathlib import Path

from nilearn.datasets import get_data_dirs

import seedmap as sm


def development_on_disk():
    """Return image and confounds of a subject that was fetched earlier, or None."""
    for place in get_data_dirs():
        folder = Path(place, "development_fmri", "development_fmri")
        for image in sorted(folder.glob("*_desc-preproc_bold.nii.gz"), reverse=True):
            subject = image.name.split("_space")[0]
            table = folder / f"{subject}_desc-reducedConfounds_regressors.tsv"
            if table.is_file():
                return image, table
    return None


found = development_on_disk()
if found is not None:
    bold, confounds = found
    t_r = 2.0
    print(f"The development data set, from the disk: {bold.name}")
else:
    phantom = sm.datasets.make_phantom()
    bold, confounds, t_r = phantom.func[0], phantom.confounds[0], phantom.t_r
    print(f"The development data set is not on this disk. A phantom: {bold.name}")

# %%
# The seed is a sphere of 8 mm in the posterior cingulate cortex, a hub of the default mode network.
# Its centre is given in millimetres, in MNI space.

centre = (0, -52, 18)

# %%
# What the seed says
# ------------------
#
# A masker turns an image into series. This one averages a sphere. On the way each series is
# cleaned: the straight line is removed, then everything outside 0.01 to 0.1 Hz, then whatever the
# confounds can explain; what is left gets mean 0 and standard deviation 1.

from seedmap.maskers import NiftiMasker, NiftiSpheresMasker

cleaning = {
    "detrend": True,
    "standardize": "zscore_sample",
    "standardize_confounds": True,
    "low_pass": 0.1,
    "high_pass": 0.01,
    "t_r": t_r,
}
sphere_masker = NiftiSpheresMasker([centre], radius=8, **cleaning)
seed_series = sphere_masker.fit_transform(str(bold), confounds=[str(confounds)])

# %%
# What the brain says
# -------------------
#
# The same cleaning for each voxel of the brain, after smoothing by 6 mm. The seed is not smoothed:
# it is a mean over a sphere already.

brain_masker = NiftiMasker(smoothing_fwhm=6, **cleaning)
brain_series = brain_masker.fit_transform(str(bold), confounds=[str(confounds)])

print(f"Seed:  {seed_series.shape[0]} frames, {seed_series.shape[1]} series")
print(f"Brain: {brain_series.shape[0]} frames, {brain_series.shape[1]} voxels")

# %%
# It is good to look at data before doing anything with them. Here is the seed,

import matplotlib.pyplot as plt
import numpy as np

seconds = np.arange(len(seed_series)) * t_r
figure, axes = plt.subplots(figsize=(7.6, 2.4), layout="constrained")
axes.plot(seconds, seed_series, color="#0072B2")
axes.set(title="The seed", xlabel="time (s)", ylabel="standard deviations", xlim=(0, seconds[-1]))
plt.show()

# %%
# and here it is again over five voxels, spread evenly through the brain.

some = np.linspace(0, brain_series.shape[1] - 1, 7).astype(int)[1:-1]
figure, axes = plt.subplots(figsize=(7.6, 2.8), layout="constrained")
axes.plot(seconds, brain_series[:, some], color="#999999", linewidth=0.7)
axes.plot(seconds, seed_series, color="#0072B2", linewidth=2)
axes.set(
    title="The seed (blue) and five voxels (grey)",
    xlabel="time (s)",
    ylabel="standard deviations",
    xlim=(0, seconds[-1]),
)
plt.show()

# %%
# One number for each voxel
# -------------------------
#
# Both sides have mean 0 and standard deviation 1, so the mean of their product is a correlation.
# There is a small trap here. The original page divides by the number of frames *n*, although the
# series were scaled with *n* - 1. Its values are therefore *(n - 1) / n* of Pearson's *r*. We do
# as it does, to be comparable, and print what the factor is.

frames = len(seed_series)
correlation = brain_series.T @ seed_series / frames

print(f"Correlations: {correlation.shape[0]} voxels with {correlation.shape[1]} seed")
print(f"from {correlation.min():.3f} to {correlation.max():.3f}")
print(f"Pearson's r is larger by a factor of {frames / (frames - 1):.4f}")

# %%
# Back into the brain
# -------------------
#
# The masker knows where each voxel was. The map is drawn above \|r\| = 0.5, and a green dot marks
# the seed. Do not read 0.5 as a test: :doc:`the next page <plot_02_ten_lines>` gives each value its
# uncertainty.

import tempfile

from nilearn import plotting

results = Path(tempfile.mkdtemp(prefix="seedmap-"))
correlation_img = brain_masker.inverse_transform(correlation.T)
display = plotting.plot_stat_map(
    correlation_img,
    threshold=0.5,
    vmax=1,
    cut_coords=centre,
    title="Posterior cingulate: correlation",
)
display.add_markers([centre], marker_color="g", marker_size=300)
display.savefig(results / "pcc_correlation.pdf")  # lines stay lines, for a paper

print(f"{(results / 'pcc_correlation.pdf').stat().st_size / 1000:.0f} kB of PDF")

# %%
# For averages and for statistics over people
# -------------------------------------------
#
# Correlations end at 1 and -1, so their spread depends on their size. Fisher's transform atanh(r)
# evens that out, and is what one carries to a group. It is often called *z*, but it is not a
# z-score; we say ``fisherz``.

fisherz = np.arctanh(correlation)
print(f"atanh(r) from {fisherz.min():.3f} to {fisherz.max():.3f}")

fisherz_img = brain_masker.inverse_transform(fisherz.T)
fisherz_img.to_filename(results / "pcc_fisherz.nii.gz")
print(sorted(path.name for path in results.iterdir()))

# %%
# That was the original page, step for step. :doc:`The next one <plot_02_ten_lines>` gets there in
# ten lines, and further.

# sphinx_gallery_thumbnail_number = 3
