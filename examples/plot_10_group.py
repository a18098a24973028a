"""
A group: what is true of people
===============================

One map says what holds in one person. Here twelve phantoms are measured; six of them are "patients",
in whose left motor cortex a part of the posterior cingulate's signal is planted. Do the maps of the
group show that, there and nowhere else?
"""

import nibabel as nib
import numpy as np
import pandas as pd

import seedmap as sm

phantom = sm.datasets.make_phantom(n_subjects=12, voxel_size=8)
truth = phantom.truth
pcc, motor = (
    next(i for i, region in enumerate(truth.regions) if region.name == name)
    for name in ("PCC", "LMotor")
)

# %%
# The difference is planted in the runs themselves, before anything is cleaned:

for path, signals in zip(phantom.func[:6], truth.signals[:6], strict=True):
    image = nib.load(path)
    run = image.get_fdata(dtype=np.float32)
    run[truth.brain] += 80 * truth.weights[motor][:, None] * signals[:, pcc]
    nib.Nifti1Image(run, image.affine, image.header).to_filename(path)

# %%
# The first level: a map of each person, with its own standard errors.

seed = sm.Sphere("PCC", (0, -52, 18), radius=8)
maps = {
    f"{number:02d}": sm.seed_maps(bold, seed, confounds=confounds, smoothing_fwhm=8)
    for number, (bold, confounds) in enumerate(zip(phantom.func, phantom.confounds, strict=True), 1)
}

# %%
# The second: a table of people, a model, and what is tested. Rows are matched by label.

people = pd.DataFrame(
    {
        "participant_id": list(maps),
        "group": ["patient"] * 6 + ["control"] * 6,
        "age": [31, 45, 28, 52, 39, 41, 33, 47, 29, 50, 38, 42],
    }
)
group = sm.group_maps(
    maps,
    design=people,
    model="group + age",
    contrasts=["patient - control", "mean"],
    inference=sm.Shuffles(number=500),
)

# %%
# Groups are tested by permutations with a statistic that unequal groups do not mislead, corrected for
# all voxels by threshold-free cluster enhancement:

difference = group["patient - control"]
found = difference.to_img("PCC", "ptfce").get_fdata()
significant = (found > 0) & (found <= 0.05)
planted = truth.labels == motor + 1
print(f"{significant.sum()} voxels are significant; of the {planted.sum()} planted ones")
print(f"{(significant & planted).sum()} are among them")
difference.plot_significant()

# %%
# The mean over people is the default mode network; the seed's own neighbourhood, where r is high by
# construction, is left out of what is corrected for.

group["mean"].plot_significant(stat="r")
