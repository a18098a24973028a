"""
On the cortical surface
=======================

The surface twin of :doc:`the well-known example <plot_01_reference_example>`: an atlas region on
fsaverage5 as seed, its correlation with every vertex, and a figure.
"""

# %%
# A run on the surface is two files, one a hemisphere. This one is a phantom: the mesh is the real
# fsaverage5, the signals are planted. An fMRIPrep run (``--output-spaces fsaverage5``) has the same
# form.

import seedmap as sm

run = sm.datasets.make_surface_phantom()
bold = run.func[0]
for hemisphere, path in bold.items():
    print(f"{hemisphere}: {path.name}")

# %%
# The seed is a region of an atlas: label files, one a hemisphere. The posterior cingulate cortex
# lies on the inner side of both.

pcc = sm.Region("PCC", run.atlas, "PCC")
maps = sm.seed_maps(bold, pcc, confounds=run.confounds[0], smoothing_fwhm=6)

seed = maps.provenance.seeds[0]
print(f"{seed.name}: {seed.voxels} vertices")
print(f"{maps.space.n_samples} of {maps.space.mask.size} vertices have a signal")
print(f"r from {maps.r.min():.2f} to {maps.r.max():.2f}")

# %%
# Each hemisphere from outside and from the middle, drawn on the inflated surface with its folds
# in grey. The smoothing ran along the folded one.

maps.plot("PCC", threshold=0.4)

# %%
# Clusters are vertices that touch; their size is an area. With the atlas they have names.

atlas = sm.clusters.open_atlas(run.atlas, maps.space)
maps.clusters("PCC", 0.4, atlas=atlas)[["part", "size_mm2", "r", "region"]].head(8)

# %%
# Was it found as it was planted?

import numpy as np

r = maps.space.unmask(maps.values("PCC"))
for index, region in enumerate(run.regions):
    found = np.mean(r[run.labels == index + 1])
    print(f"{region.name:7} planted {run.correlation[0, index]:5.2f}   found {found:5.2f}")

# %%
# A coordinate works too. It snaps to the nearest vertex, and says how far that is. The radius runs
# along the surface.

maps = sm.seed_maps(bold, "IPL=-46,-68,32", confounds=run.confounds[0], smoothing_fwhm=6)
print(maps.provenance.seeds[0].definition)
maps.plot("IPL", threshold=0.4)

# %%
# The map is nilearn's ``SurfaceImage``, for whatever comes next.

print(maps.to_img("IPL"))

# sphinx_gallery_thumbnail_number = 1
