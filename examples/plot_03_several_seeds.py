"""
Several seeds at once
=====================

Reading and cleaning a run is most of the work. One more seed costs next to nothing, so ask for all
of them in one call.
"""

import seedmap as sm

run = sm.datasets.make_phantom()
seeds = [
    sm.Sphere("PCC", (0, -52, 18), radius=8),
    sm.Sphere("LMotor", (-36, -25, 57), radius=8),
    sm.Sphere("LIPS", (-26, -60, 56), radius=8),
]
maps = sm.seed_maps(run.func[0], seeds, confounds=run.confounds[0], smoothing_fwhm=6)
maps.plot_series()

# %%
# Each has its map: the posterior cingulate finds the default mode network,

maps.plot("PCC")

# %%
# the motor cortex its other half,

maps.plot("LMotor", threshold=0.4)

# %%
# and the intraparietal sulcus the attention network. In blue is what goes down when it goes up.

maps.plot("LIPS", threshold=0.3)

# %%
# The numbers stand in rows, one a seed:

for name, r in zip(maps.seeds, maps.r, strict=True):
    print(f"{name:7s} r from {r.min():.2f} to {r.max():.2f}")

# %%
# What one seed says that the others do not
# -----------------------------------------
#
# Two seeds of one network say much the same. With ``measure="partial"`` the other seeds are
# projected out first, from the seed and from the brain: what is left is what only this seed shares
# with a voxel. Its degrees of freedom are counted accordingly.
#
# We ask for two seeds of the default mode network, and look at two more of its regions.

pair = [sm.Sphere("PCC", (0, -52, 18)), sm.Sphere("mPFC", (1, 55, -3))]
alone = sm.seed_maps(run.func[0], pair, confounds=run.confounds[0])
partial = sm.seed_maps(run.func[0], pair, confounds=run.confounds[0], measure="partial")

for target in ("LIPL", "RIPL"):
    for seed in alone.seeds:
        values = [
            run.truth.region_mean(each.to_img(seed).get_fdata(), target)
            for each in (alone, partial)
        ]
        print(f"{seed:4s} with {target}: alone {values[0]:5.2f}, beyond the other {values[1]:5.2f}")

# %%
# This is as it should be. From the planted correlations one can work out the partial ones on paper:
# the posterior cingulate keeps 0.56 with the left and 0.46 with the right parietal region, the
# prefrontal cortex 0.00 and 0.09. What it shares with them, it shares by way of the other seed.

# sphinx_gallery_thumbnail_number = 4
