"""nilearn's seed-to-voxel example as a script of its own, from imports to saved maps.

python benchmarks/harness/nilearn_script.py BOLD CONFOUNDS OUT [--figures]
"""

import sys
from pathlib import Path

import numpy as np
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

bold, confounds, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
pcc = [(0, -52, 18)]
cleaning = {
    "detrend": True,
    "standardize": "zscore_sample",
    "standardize_confounds": True,
    "low_pass": 0.1,
    "high_pass": 0.01,
    "t_r": 2,
}
out.mkdir(parents=True, exist_ok=True)
seed_series = NiftiSpheresMasker(pcc, radius=8, **cleaning).fit_transform(
    bold, confounds=[confounds]
)
brain = NiftiMasker(smoothing_fwhm=6, **cleaning)
series = brain.fit_transform(bold, confounds=[confounds])
r = np.dot(series.T, seed_series) / seed_series.shape[0]
fisherz_img = brain.inverse_transform(np.arctanh(r).T)
fisherz_img.to_filename(out / "pcc_fisherz.nii.gz")

if "--figures" in sys.argv:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from nilearn import plotting

    few = series[:, np.linspace(0, series.shape[1] - 1, 5).astype(int)]
    for values, name in ((seed_series, "seed"), (few, "voxels")):
        figure = plt.figure(layout="constrained")
        plt.plot(values)
        figure.savefig(out / f"{name}.pdf")
    r_img = brain.inverse_transform(r.T)
    display = plotting.plot_stat_map(r_img, threshold=0.5, vmax=1, cut_coords=pcc[0])
    display.add_markers(marker_coords=pcc, marker_color="g", marker_size=300)
    display.savefig(out / "pcc.pdf")
