"""z, p, q and dof of a run: do they hang together, and are they honest?"""

import warnings

import numpy as np
import pytest

import seedmap as sm
from seedmap.errors import OptionError, SeedmapWarning

METHODS = ("operator", "xdf", "naive")


@pytest.fixture(scope="module")
def maps(phantom, table, pcc):
    """Maps of the phantom by each method."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "xDF on a run", SeedmapWarning)
        return {
            method: sm.seed_maps(
                phantom.func[0],
                [pcc, "mPFC=1,55,-3:14"],
                confounds=table[:, :9],
                sample_mask=phantom.truth.sample_masks[0],
                uncertainty=method,
            )
            for method in METHODS
        }


@pytest.mark.parametrize("method", METHODS)
def test_z_has_the_sign_of_r(maps, method):
    found = maps[method]
    known = np.isfinite(found.z)
    assert known.mean() > 0.95
    np.testing.assert_array_equal(np.sign(found.z[known]), np.sign(found.r[known]))


@pytest.mark.parametrize("method", METHODS)
def test_p_follows_z(maps, method):
    from scipy.stats import norm

    found = maps[method]
    np.testing.assert_allclose(found.p, 2 * norm.sf(np.abs(found.z)), rtol=1e-3, atol=1e-30)


@pytest.mark.parametrize("method", METHODS)
def test_se_and_dof(maps, method):
    """Around no correlation se is 1 / sqrt(dof - 2); around another it depends on what is shared."""
    found = maps[method]
    known = np.isfinite(found.se)
    ratio = found.se[known] * np.sqrt(found.dof[known] - 2)
    if method != "operator":
        np.testing.assert_allclose(ratio, 1, rtol=1e-5)
        return
    assert ratio.min() > 0.49
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert ratio.std() > 0.01


def test_dof_is_far_below_the_number_of_frames(maps):
    kept = maps["operator"].provenance.kept
    assert 5 < np.nanmedian(maps["operator"].dof) < 0.6 * kept
    assert np.nanmedian(maps["operator"].dof) < np.nanmedian(maps["naive"].dof) <= kept


def test_naive_is_too_sure(maps):
    """Where nothing is planted, an honest z has unit spread."""
    spread = {method: np.nanstd(maps[method].z) for method in METHODS}
    assert spread["operator"] < spread["naive"]


def test_r_does_not_depend_on_the_method(maps, phantom, table, pcc):
    for method in METHODS[1:]:
        np.testing.assert_array_equal(maps[method].r, maps["operator"].r)
    alone = sm.seed_maps(
        phantom.func[0],
        [pcc, "mPFC=1,55,-3:14"],
        confounds=table[:, :9],
        sample_mask=phantom.truth.sample_masks[0],
        uncertainty=None,
    )
    np.testing.assert_allclose(alone.r, maps["operator"].r, rtol=0, atol=1e-6)
    assert alone.certainty is None


def test_q_leaves_out_the_neighbourhood_of_the_seed(maps):
    found = maps["operator"]
    for seed, near, q, p in zip(found.provenance.seeds, found.near, found.q, found.p, strict=True):
        distance = np.linalg.norm(found.space.coordinates() - seed.center, axis=1)
        assert np.isnan(q[near]).all()
        assert distance[near].max() <= 14 + 6 + 1e-6
        assert set(np.flatnonzero(distance <= 14)) <= set(near)
        others = np.isfinite(q)
        assert others.sum() == np.isfinite(p).sum() - np.isfinite(p[near]).sum()
        assert (q[others] >= p[others] * (1 - 1e-6)).all()


def test_q_is_benjamini_hochberg(maps):
    from scipy.stats import false_discovery_control

    found = maps["operator"]
    known = np.isfinite(found.q[0])
    right = false_discovery_control(found.p[0][known].astype(np.float64))
    np.testing.assert_allclose(found.q[0][known], right, rtol=1e-4)


def test_noise_alone_is_honest(tmp_path):
    """Coloured noise without any network: z has unit spread, though r is far from small."""
    run = sm.datasets.make_phantom(tmp_path, voxel_size=12, n_frames=200, rng=3)
    far = sm.seed_maps(
        run.func[0],
        sm.SeriesSeed("chance", np.random.default_rng(5).normal(size=200)),
        confounds=run.confounds[0],
        sample_mask=run.truth.sample_masks[0],
    )
    assert 0.8 < far.z.std() < 1.2
    assert np.mean(far.p < 0.05) == pytest.approx(0.05, abs=0.03)


def test_unknown_method(bold, pcc):
    with pytest.raises(OptionError, match="uncertainty='sure' is not known; choose 'operator'"):
        sm.seed_maps(bold, pcc, uncertainty="sure")


def test_xdf_warns_after_a_filter(bold, pcc):
    with pytest.warns(SeedmapWarning, match='p that are too small; .* use uncertainty="operator"'):
        sm.seed_maps(bold, pcc, uncertainty="xdf")


def test_few_degrees_of_freedom_warn(bold, pcc, table):
    noise = np.random.default_rng(2).normal(size=(100, 20))
    with pytest.warns(SeedmapWarning, match="rest on fewer than 10 effective degrees of freedom"):
        sm.seed_maps(bold, pcc, confounds=np.hstack([table, noise]))
