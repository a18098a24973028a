"""
Censoring done right, and what a leak does
==========================================

When the head jerks, the volumes at that moment are spoilt. One leaves them out: they are
*censored*. But a temporal filter mixes frames with their neighbours, so it matters *when* they are
left out, and what stands in their place while the filter runs. If the filter sees the spoilt
values, they live on in the frames that were kept.

This page looks for such leaks, finds one, and shows how much it can do.
"""

# %%
# A run with five jerks
# ---------------------

import numpy as np

import seedmap as sm

run = sm.datasets.make_phantom()
frames = run.truth.sample_masks[0].size
jerks = run.truth.bad_frames[0]
print(f"{frames} frames; the head jerked in {', '.join(map(str, jerks))}")

# %%
# We leave out each of these frames and the one after it, which is a common choice. ``keep`` says
# which frames *stay*.

keep = np.ones(frames, dtype=bool)
keep[jerks] = False
keep[np.minimum(jerks + 1, frames - 1)] = False
print(f"{np.count_nonzero(~keep)} frames censored, {np.count_nonzero(keep)} kept")

# %%
# Where could a leak come from?
# -----------------------------
#
# Cleaning is :doc:`one matrix </explanation/one-matrix>`. Its column *j* shows what becomes of
# frame *j*: how much a value of 1 in that frame adds to the cleaned frames. So the question
# "does a censored frame leak?" is "are there numbers in its column?".
#
# Any cleaning tool can be asked: clean the identity matrix, and the matrix comes out. We ask
# ``nilearn.signal.clean`` and our own.

from nilearn import signal

from seedmap.temporal import cleaning_operator

options = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": run.t_r}
theirs = signal.clean(np.eye(frames), sample_mask=np.flatnonzero(keep), standardize=None, **options)
ours = cleaning_operator(sm.Cleaning(), keep, run.t_r).L

import matplotlib.pyplot as plt

figure, panels = plt.subplots(2, 1, figsize=(7.6, 4), sharex=True, layout="constrained")
for axes, matrix, name in zip(panels, (theirs, ours), ("nilearn", "seedmap"), strict=True):
    size = np.linalg.norm(matrix, axis=0)
    axes.bar(np.arange(frames), size, width=1.0, color="#bbbbbb")
    axes.bar(np.flatnonzero(~keep), size[~keep], width=1.0, color="#D55E00")
    axes.plot(np.flatnonzero(~keep), np.full(np.count_nonzero(~keep), -0.04), "^", color="#D55E00")
    axes.set(ylabel="weight", title=f"{name}: what becomes of each frame (censored ones: orange)")
panels[-1].set(xlabel="frame", xlim=(-1, frames))
plt.show()

# %%
# Every censored frame should have weight nothing. In nilearn 0.14 four of them have nearly as much
# as a frame that was kept: it bridges a censored frame only if the frame at the same distance from
# the other end of the run is kept. Here 53 and 114 are such mirror images, and 54 and 113.

for name, matrix in (("nilearn", theirs), ("seedmap", ours)):
    weight = np.linalg.norm(matrix, axis=0)[~keep]
    print(f"{name}: largest weight of a censored frame {weight.max():.3g}")

# %%
# What does a leak do?
# --------------------
#
# Let something brighten half of the brain: we add thirty percent to all voxels on the left, in the
# censored frames only. A crude artefact, but these frames are left out, so nothing should change.

import nibabel as nib

image = nib.load(run.func[0])
clean_data = image.get_fdata(dtype=np.float32)
data = clean_data.copy()
left = np.arange(data.shape[0]) < data.shape[0] // 2
left = left if image.affine[0, 0] > 0 else ~left
data[np.ix_(left, *map(np.arange, data.shape[1:3]), np.flatnonzero(~keep))] *= 1.3
spoilt = nib.Nifti1Image(data, image.affine, image.header)

# %%
# Our map, from both runs:

seed = sm.Sphere("LMotor", (-36, -25, 57), radius=8)
clean_map = sm.seed_maps(
    run.func[0], seed, confounds=run.confounds[0], sample_mask=keep, mask_img=run.masks[0]
)
spoilt_map = sm.seed_maps(
    spoilt, seed, confounds=run.confounds[0], sample_mask=keep, mask_img=run.masks[0]
)
print(f"Largest change of r anywhere: {np.abs(spoilt_map.r - clean_map.r).max():.1g}")

# %%
# Now the same with nilearn's cleaning. To spare the wait we clean the nine planted regions and not
# the whole brain.

import pandas as pd

table = pd.read_csv(run.confounds[0], sep="\t").to_numpy()
weights = run.truth.weights / run.truth.weights.sum(axis=1, keepdims=True)


def region_correlations(values):
    """Correlate the regions' mean series, cleaned by nilearn."""
    series = values[run.truth.brain].T @ weights.T
    cleaned = signal.clean(series, confounds=table, sample_mask=np.flatnonzero(keep), **options)
    return np.corrcoef(cleaned.T)


before = region_correlations(clean_data)
after = region_correlations(data)

names = [region.name for region in run.truth.regions]
motor = names.index("LMotor")
figure, axes = plt.subplots(figsize=(7.6, 3), layout="constrained")
place = np.arange(len(names))
others = place != motor
axes.bar(place[others] - 0.3, run.truth.correlation[motor][others], 0.3, color="#cccccc")
axes.bar(place[others], before[motor][others], 0.3, color="#0072B2")
axes.bar(place[others] + 0.3, after[motor][others], 0.3, color="#D55E00")
axes.legend(["planted", "nilearn", "nilearn, censored frames spoilt"], frameon=False)
axes.set(xticks=place[others], xticklabels=np.array(names)[others], ylabel="r with LMotor")
axes.axhline(0, color="black", linewidth=0.5)
plt.show()

# %%
# Much of the left side and the midline now seems to move with the left motor cortex, though nothing
# was planted there, and its true partner on the right has become weaker: the spoilt values came
# through the filter. Our correlations of the same regions, from the spoilt run:

for target in np.array(names)[others]:
    r = run.truth.region_mean(spoilt_map.to_img("LMotor").get_fdata(), target)
    expected = run.truth.expected_r("LMotor", target)
    print(f"{target:7s} expected {expected:6.2f}   found {r:6.2f}")

# %%
# Three rules follow.
#
# * Censor *inside* the cleaning: bridge, filter, then drop. Dropping first tears the time axis
#   apart, and filtering first spreads the spikes.
# * Bridge simply. Over gaps of several frames a spline can swing far beyond the data; our default is
#   a straight line.
# * Test it. Write nonsense into the censored frames: the map must not change.
#
# How to choose the frames is on the page about :doc:`censoring </how-to/censoring>`.

# sphinx_gallery_thumbnail_number = 1
