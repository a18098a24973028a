"""
A map of z: how sure each correlation is
========================================

A correlation of 0.4 may be certain in one voxel and chance in another, since filter, confounds
and the noise of each voxel leave different numbers of independent observations. The map of z
accounts for that, and q says which voxels survive a correction for all of them.
"""

# %%
# The artificial run has a known answer: which regions share the signal of the posterior cingulate.

import numpy as np

import seedmap as sm

run = sm.datasets.make_phantom()
maps = sm.seed_maps(run.func[0], "PCC=0,-52,18", confounds=run.confounds[0])
print(sorted(maps.stats))

# %%
# The map of z, drawn where the false discovery rate is below 5 %:

maps.plot("PCC", stat="z", threshold="q<0.05")

# %%
# Voxels with the same r need not have the same z. Those with r between 0.38 and 0.42:

r, z, dof = (maps.values("PCC", stat) for stat in ("r", "z", "dof"))
some = (r > 0.38) & (r < 0.42)
print(f"{some.sum()} voxels, z from {z[some].min():.2f} to {z[some].max():.2f}")
print(f"effective degrees of freedom from {dof[some].min():.0f} to {dof[some].max():.0f}")

# %%
# A test that treats the kept frames as independent finds more, and is wrong: neighbouring frames
# are alike after a filter.

naive = sm.seed_maps(run.func[0], "PCC=0,-52,18", confounds=run.confounds[0], uncertainty="naive")
for name, one in (("seedmap", maps), ("frames as independent", naive)):
    found = np.count_nonzero(one.values("PCC", "q") < 0.05)
    print(f"{name}: q < 0.05 in {found:,} voxels")
