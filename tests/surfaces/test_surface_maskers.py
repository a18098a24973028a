"""The maskers of surfaces give nilearn's numbers, in nilearn's words."""

import inspect

import nibabel as nib
import nilearn.maskers
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import load_fsaverage
from nilearn.surface import SurfaceImage

import seedmap.maskers

CLEANING = {
    "detrend": True,
    "standardize": "zscore_sample",
    "low_pass": 0.1,
    "high_pass": 0.01,
    "t_r": 2.0,
    "reports": False,
}


@pytest.fixture(scope="module")
def given(cortex):
    mesh = load_fsaverage("fsaverage5")["pial"]
    run = SurfaceImage(mesh=mesh, data=cortex.func[0])
    atlas = SurfaceImage(
        mesh=mesh,
        data={side: nib.load(path).darrays[0].data for side, path in cortex.atlas.items()},
    )
    return run, atlas, pd.read_csv(cortex.confounds[0], sep="\t")


def test_every_vertex_has_nilearns_series(given):
    run, _, confounds = given
    theirs = nilearn.maskers.SurfaceMasker(**CLEANING).fit(run)
    ours = seedmap.maskers.SurfaceMasker(**CLEANING).fit(run)

    wanted = theirs.transform(run, confounds=confounds)
    found = ours.transform(run, confounds=confounds)

    assert ours.n_elements_ == theirs.n_elements_ == 20_484
    alive = wanted.std(axis=0) > 0
    np.testing.assert_allclose(found[:, alive], wanted[:, alive], atol=2e-5)
    back = ours.inverse_transform(found[:2])
    assert isinstance(back, SurfaceImage)
    assert back.shape == (20_484, 2)


@pytest.mark.parametrize("strategy", ["mean", "sum", "median"])
def test_every_label_has_nilearns_series(given, strategy):
    run, atlas, confounds = given
    options = {"labels_img": atlas, "strategy": strategy, **CLEANING}
    theirs = nilearn.maskers.SurfaceLabelsMasker(**options).fit(run)
    ours = seedmap.maskers.SurfaceLabelsMasker(**options).fit(run)

    wanted = theirs.transform(run, confounds=confounds)
    found = ours.transform(run, confounds=confounds)

    assert found.shape == (150, 9)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, atol=5e-4 if strategy == "sum" else 2e-5)


def test_censored_frames_leave_no_trace(given):
    run, atlas, _ = given
    keep = np.setdiff1d(np.arange(150), [20, 21, 90])
    spoilt = {side: values.copy() for side, values in run.data.parts.items()}
    for values in spoilt.values():
        values[:, [20, 21, 90]] += 1e4
    other = SurfaceImage(mesh=run.mesh, data=spoilt)
    masker = seedmap.maskers.SurfaceLabelsMasker(labels_img=atlas, **CLEANING).fit(run)

    np.testing.assert_allclose(
        masker.transform(other, sample_mask=keep),
        masker.transform(run, sample_mask=keep),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", ["SurfaceMasker", "SurfaceLabelsMasker"])
def test_the_words_are_nilearns(name):
    ours, theirs = getattr(seedmap.maskers, name), getattr(nilearn.maskers, name)
    assert issubclass(ours, theirs)
    assert inspect.signature(ours) == inspect.signature(theirs)
    for option in inspect.signature(theirs).parameters:
        assert f"    {option} :" in inspect.getdoc(ours) or f"\n{option} :" in inspect.getdoc(ours)
