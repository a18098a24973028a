"""
A region of an atlas as seed
============================

A sphere is a simple guess at a region. If you have an atlas in the space of the run, ask for one
of its regions instead, by number or by name.
"""

# %%
# The phantom comes with an atlas of what was planted in it, and beside it a table of the same
# name, which states what the numbers mean. That is the layout BIDS uses for such images. Any other
# atlas will do, on any grid: it is brought onto the run's by the nearest voxel.

import seedmap as sm

run = sm.datasets.make_phantom()
print(run.atlas.name)
print(run.atlas.with_name("planted_dseg.tsv").read_text())

# %%
# By name, then:

maps = sm.seed_maps(
    run.func[0],
    [sm.Region("PCC", run.atlas, "PCC"), sm.Sphere("PCCsphere", (0, -52, 18), radius=8)],
    confounds=run.confounds[0],
)
maps.plot("PCC")

# %%
# A name that is not there is refused, with a hint:

try:
    sm.seed_maps(run.func[0], sm.Region("precuneus", run.atlas, "PCG"))
except sm.errors.SeedError as error:
    print(error)

# %%
# Region and sphere are nearly the same place here, so their signals are nearly the same.

import numpy as np

for seed in maps.provenance.seeds:
    print(f"{seed.name}: {seed.voxels} voxels, {seed.coverage:.0%} of it in the mask")
print(f"Correlation of the two seeds: {np.corrcoef(maps.seed_series.T)[0, 1]:.3f}")

# %%
# All regions of the atlas
# ------------------------
#
# With every region as a seed, the mean of each map over each region is a table of who goes with
# whom. On the left is what a perfect analysis would find, on the right what was found.

names = [region.name for region in run.truth.regions]
all_maps = sm.seed_maps(
    run.func[0],
    [sm.Region(name, run.atlas, name) for name in names],
    confounds=run.confounds[0],
    uncertainty=None,
)
found = np.array(
    [
        [run.truth.region_mean(all_maps.to_img(seed).get_fdata(), target) for target in names]
        for seed in names
    ]
)

import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.8), layout="constrained")
for axes, matrix, title in zip(
    panels, (run.truth.correlation, found), ("planted", "found"), strict=True
):
    picture = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set(xticks=range(9), yticks=range(9), title=title)
    axes.set_xticklabels(names, rotation=90)
    axes.set_yticklabels(names)
figure.colorbar(picture, ax=panels, shrink=0.7, label="r")
plt.show()

# %%
# The pattern is there; the values are a little smaller, since voxels are noisy. The diagonal is
# larger than one would think, as a region is compared with its own voxels.
#
# In the terminal the same seed is written ``--seed PCC=planted_dseg.nii.gz#PCC``.

# sphinx_gallery_thumbnail_number = 2
