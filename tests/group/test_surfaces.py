"""Maps on surfaces and of grayordinates: the same numbers, clusters by area, files of the same kind."""

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from seedmap.group import Shuffles, group_maps
from seedmap.images import Mesh, Part
from seedmap.spatial import standard_surfaces

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
VERTICES = 10242
FEW = Shuffles(number=199, cluster_p=0.01)


def values_of(people, size, planted, seed=0):
    maps = np.random.default_rng(seed).normal(0, 0.2, (people, size))
    maps[:, planted] += 0.8
    return maps.astype(np.float32)


def left_surface():
    part = Part("left", "surface", np.arange(VERTICES), VERTICES)
    return standard_surfaces(Mesh.whole((part,)))["left"]


def gifti(path, values):
    array = nib.gifti.GiftiDataArray(values, datatype="NIFTI_TYPE_FLOAT32")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.gifti.GiftiImage(darrays=[array]).to_filename(path)


def test_surfaces(tmp_path):
    places = left_surface().coordinates
    planted = np.linalg.norm(places - places[100], axis=1) < 15
    left, right = values_of(8, VERTICES, planted), values_of(8, VERTICES, slice(0, 0), 1)
    for i in range(8):
        for side, maps in (("L", left), ("R", right)):
            name = f"sub-{i}_hemi-{side}_space-fsaverage5_seed-PCC_stat-fisherz_desc-6P_statmap.func.gii"
            gifti(tmp_path / f"sub-{i}" / "func" / name, maps[i])
    group = group_maps(tmp_path, "PCC", inference=FEW, n_jobs=1)
    found = group["mean"]
    wanted = stats.ttest_1samp(np.hstack([left, right]).astype(float), 0).statistic
    np.testing.assert_allclose(found.t, wanted, rtol=1e-4)
    assert found.significant()[:VERTICES][planted].mean() > 0.8
    assert not found.significant()[VERTICES:].any()
    names = {path.name for path in group.save(tmp_path / "group")}
    first = "group_hemi-L_space-fsaverage5_seed-PCC_contrast-mean_stat-t_desc-6P_statmap.func.gii"
    assert first in names
    assert first.replace("hemi-L", "hemi-R") in names


def test_grayordinates(tmp_path):
    bits = np.zeros((6, 6, 6), dtype=bool)
    bits[1:5, 1:5, 1:5] = True
    brain = nib.cifti2.BrainModelAxis.from_surface(
        np.arange(0, VERTICES, 2), VERTICES, "cortex_left"
    )
    brain += nib.cifti2.BrainModelAxis.from_mask(
        bits, affine=np.diag([2, 2, 2, 1]), name="thalamus_left"
    )
    maps = values_of(8, len(brain), slice(-20, None))
    for i, row in enumerate(maps):
        path = (
            tmp_path
            / f"sub-{i}"
            / "func"
            / f"sub-{i}_den-91k_seed-PCC_stat-fisherz_statmap.dscalar.nii"
        )
        path.parent.mkdir(parents=True)
        nib.Cifti2Image(row[None], (nib.cifti2.ScalarAxis(["z"]), brain)).to_filename(path)
    surfaces = {"left": left_surface()}
    group = group_maps(tmp_path, "PCC", inference=FEW, n_jobs=1, surfaces=surfaces)
    found = group["mean"]
    np.testing.assert_allclose(
        found.t, stats.ttest_1samp(maps.astype(float), 0).statistic, rtol=1e-4
    )
    assert found.maxima["tfce"].shape == (128, 2)
    assert found.significant()[-20:].mean() > 0.8
    files = group.save(tmp_path / "group")
    image = next(path for path in files if "stat-t_" in path.name and path.suffix == ".nii")
    np.testing.assert_allclose(nib.load(image).get_fdata()[0], found.t, rtol=1e-6)
