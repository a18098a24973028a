"""
The same in ten lines, and how sure the map is
==============================================

`seed_maps` reads the run once, extracts the seed, smooths, cleans and correlates. The
result knows where each number belongs and how sure it is.
"""

import seedmap as sm

run = sm.datasets.make_phantom()  # or: sm.datasets.fetch_development()
maps = sm.seed_maps(
    run.func[0],
    [sm.Sphere("PCC", (0, -52, 18), radius=8)],
    confounds=run.confounds[0],
    cleaning=sm.Cleaning(high_pass=0.01, low_pass=0.1),
    smoothing_fwhm=6,
)
maps.plot("PCC", threshold=0.5)

# %%
# That is all. ``plot`` makes a matplotlib figure: a notebook shows it, and in a script
# ``.savefig("map.png")`` keeps it. The signal of the seed, cleaned:

maps.plot_series()

# %%
# ``maps.r`` is the map as numbers, one row a seed. It is Pearson's correlation.

print(f"{maps.r.shape[0]} seed, {maps.r.shape[1]} voxels")
print(f"r from {maps.r.min():.3f} to {maps.r.max():.3f}")

# %%
# How sure is it?
# ---------------
#
# The run has 168 frames, but they are not 168 observations: the filter leaves only slow
# fluctuations, and each frame says nearly what the one before it said. ``maps.dof`` says, for
# each voxel, how many independent observations its correlation is worth.

import numpy as np

print(f"{maps.provenance.kept} frames, {np.median(maps.dof):.0f} effective degrees of freedom")

# %%
# ``maps.z`` is the value as a calibrated z-score, ``maps.p`` its two-sided p, and ``maps.q`` the
# false discovery rate over the map. A map can be drawn where it is significant, rather than above
# a number that somebody once chose:

maps.plot("PCC", stat="z", threshold="q<0.05")

# %%
# Is it right?
# ------------
#
# In a phantom we know. These are the means over the regions that were planted, beside what a
# perfect map of so noisy a run would show.

for target in ("mPFC", "LIPL", "RIPL", "LIPS", "LMotor"):
    found = run.truth.region_mean(maps.to_img("PCC").get_fdata(), target)
    expected = run.truth.expected_r("PCC", target)
    print(f"{target:7s} expected {expected:6.2f}   found {found:6.2f}")

# %%
# Keep it
# -------
#
# ``save`` writes an image of each kind, with a text file beside it that says how it was made, and
# ``write_report`` a page for people to read.

import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp(prefix="seedmap-"))
maps.save(folder)
sm.report.write_report(maps, folder)
for path in sorted(folder.rglob("*")):
    if path.is_file():
        print(path.relative_to(folder))

# %%
# And in one line of the terminal, with the phantom's files in place of yours::
#
#     seedmap run BOLD --seed PCC=0,-52,18 --confounds CONFOUNDS --out results
