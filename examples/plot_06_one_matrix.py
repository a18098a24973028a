"""
Cleaning as one matrix
======================

Detrend, filter, censor, regress out the confounds: four steps, and each of them is linear. So all
of them together are one matrix *L*, and cleaning a run is one product. This page makes that matrix
and looks at it. What it is good for is explained under :doc:`/explanation/one-matrix`.
"""

import numpy as np
import pandas as pd

import seedmap as sm
from seedmap.temporal import cleaning_operator

run = sm.datasets.make_phantom(voxel_size=8)
confounds = pd.read_csv(run.confounds[0], sep="\t").to_numpy()
keep = run.truth.sample_masks[0]
operator = cleaning_operator(sm.Cleaning(), keep, run.t_r, confounds)
L = operator.L
print(f"{L.shape[0]} kept frames x {L.shape[1]} frames")

# %%
# Here it is. A row shows from which frames a cleaned frame is made: mostly from itself and its
# neighbours, as a filter does. The white columns are the censored frames: from them, nothing is
# taken. On the right, each curve is one row for a closer look.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(
    1, 2, figsize=(7.6, 3.6), width_ratios=(1.1, 1), layout="constrained"
)
limit = np.quantile(np.abs(L), 0.999)
picture = left.imshow(L, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
for frame in np.flatnonzero(~keep):
    left.plot(frame, -3, "v", color="#D55E00", markersize=4, clip_on=False)
left.set(xlabel="frame of the run", ylabel="cleaned frame", xlim=(0, L.shape[1]))
left.set_title("L (triangles: censored frames)", pad=12)
figure.colorbar(picture, ax=left, shrink=0.8)
for row, colour in zip((40, 90, 140), ("#0072B2", "#D55E00", "#009E73"), strict=True):
    right.plot(L[row], color=colour, linewidth=1, label=f"row {row}")
right.set(title="three of its rows", xlabel="frame of the run", ylabel="weight", ylim=(-0.15, 0.45))
right.legend(frameon=False)
plt.show()

# %%
# Does it do what it should?
# --------------------------
#
# One product against nilearn's cleaning, step by step, of the same series and without censoring:

from nilearn import signal

series = np.random.default_rng(0).standard_normal((keep.size, 50))
everything = np.ones(keep.size, dtype=bool)
product = cleaning_operator(sm.Cleaning(), everything, run.t_r, confounds).L @ series
steps = signal.clean(
    series, confounds=confounds, low_pass=0.1, high_pass=0.01, t_r=run.t_r, standardize=None
)
print(f"Largest difference: {np.abs(product - steps).max():.1e}")

# %%
# Which frequencies does it let through? Feed it sines and see what is left. The confounds take a
# bite here and there.

seconds = np.arange(keep.size) * run.t_r
frequencies = np.linspace(0.002, 0.24, 300)
waves = np.exp(2j * np.pi * np.outer(seconds, frequencies))
left_over = np.linalg.norm(L @ waves, axis=0) / np.linalg.norm(waves[keep], axis=0)

figure, axes = plt.subplots(figsize=(7.6, 2.6), layout="constrained")
axes.axvspan(0.01, 0.1, color="#e6e6e6")
axes.plot(frequencies, left_over, color="#0072B2")
axes.set(xlabel="frequency (Hz)", ylabel="share that is left", title="What passes (grey: the band)")
plt.show()

# %%
# How much is left?
# -----------------
#
# The singular values of *L* say how many directions survive. There is no sharp end, as a Butterworth
# filter fades out, so counting them is the wrong question. The right one for white noise is
# tr(M)² / tr(M²) with M = LᵀL. Real noise is not white, and `seed_maps` follows the noise of each
# voxel through L in the same manner.

centred = L - L.mean(axis=0)
sizes = np.linalg.svd(centred, compute_uv=False)
M = centred.T @ centred
print(f"{L.shape[0]} frames kept")
print(f"{np.trace(M) ** 2 / np.trace(M @ M):.0f} degrees of freedom, if noise were white")

figure, axes = plt.subplots(figsize=(7.6, 2.4), layout="constrained")
axes.plot(np.arange(1, sizes.size + 1), sizes, ".-", color="#0072B2", markersize=3, linewidth=0.7)
axes.set(xlabel="direction", ylabel="singular value", title="What survives the cleaning")
plt.show()

# %%
# A smaller run that gives the same maps
# --------------------------------------
#
# Directions that do not survive need not be stored. In *its own coordinates* a run has as many
# rows as there are directions, and correlations are what they were.

small = operator.coordinates @ series[keep]
cleaned = L @ series
print(f"{cleaned.shape[0]} frames -> {small.shape[0]} coordinates")


def correlations(columns):
    """Correlate columns that are centred already."""
    unit = columns / np.linalg.norm(columns, axis=0)
    return unit.T @ unit


difference = correlations(small) - np.corrcoef(cleaned.T)
print(f"Largest difference of a correlation: {np.abs(difference).max():.1e}")

# sphinx_gallery_thumbnail_number = 1
