"""What each measure's maps hold: checked against slow arithmetic on the cleaned series."""

import json

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

import seedmap as sm
from seedmap.errors import OptionError, SeedError
from seedmap.temporal import cleaning_operator

T_R, FRAMES, SHAPE = 2.0, 120, (5, 4, 3)
SEEDS = ("a", "b", "c")
BAND, PLAIN = sm.Cleaning(), sm.Cleaning(filter=None)


@pytest.fixture(scope="module")
def series():
    """Three seeds that resemble each other, and voxels that follow them: (frames, 3), (frames, n)."""
    rng = np.random.default_rng(3)
    smooth = np.cumsum(rng.standard_normal((FRAMES, 3)), axis=0) * 0.2
    seeds = smooth + rng.standard_normal((FRAMES, 3)) + 0.8 * rng.standard_normal((FRAMES, 1))
    mix = rng.standard_normal((3, np.prod(SHAPE)))
    voxels = 100 + seeds @ mix + 2 * rng.standard_normal((FRAMES, np.prod(SHAPE)))
    return seeds, voxels


@pytest.fixture(scope="module")
def bold(series):
    image = nib.Nifti1Image(
        series[1].T.reshape(*SHAPE, FRAMES).astype(np.float32), np.diag([4.0, 4, 4, 1])
    )
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((4, 4, 4, T_R))
    return image


@pytest.fixture(scope="module")
def confounds():
    return np.random.default_rng(4).standard_normal((FRAMES, 3))


@pytest.fixture(scope="module")
def maps(series, bold, confounds):
    """Return what computes the maps of a measure."""

    def make(measure, cleaning=BAND, columns=(0, 1, 2), extra=None, **options):
        chosen = [sm.SeriesSeed(SEEDS[c], series[0][:, c]) for c in columns]
        table = confounds if extra is None else np.hstack([confounds, extra])
        return sm.seed_maps(
            bold,
            chosen,
            confounds=table,
            mask_img=nib.Nifti1Image(np.ones(SHAPE, np.uint8), bold.affine),
            cleaning=cleaning,
            smoothing_fwhm=None,
            measure=measure,
            **options,
        )

    return make


@pytest.fixture(scope="module")
def cleaned(series, bold, confounds):
    """Seeds and voxels, cleaned densely."""

    def make(cleaning=BAND):
        L = cleaning_operator(cleaning, np.ones(FRAMES, bool), T_R, confounds).L
        voxels = np.asarray(bold.dataobj, dtype=np.float64).reshape(-1, FRAMES).T
        return L @ series[0], L @ voxels

    return make


def lstsq(seeds, voxels):
    """Regress voxels on centred seeds: weights (seeds, voxels) and variance explained."""
    seeds, voxels = seeds - seeds.mean(axis=0), voxels - voxels.mean(axis=0)
    weights = np.linalg.lstsq(seeds, voxels, rcond=None)[0]
    left = voxels - seeds @ weights
    return weights, 1 - (left**2).sum(axis=0) / (voxels**2).sum(axis=0)


@pytest.mark.parametrize("uncertainty", ["operator", "xdf", "naive"])
@pytest.mark.filterwarnings("ignore:xDF on a run")
@pytest.mark.filterwarnings("ignore:seed ")
def test_partial_is_correlation_after_the_other_seeds_joined_the_confounds(
    maps, series, uncertainty
):
    found = maps("partial", uncertainty=uncertainty)
    for seed in range(3):
        others = np.delete(series[0], seed, axis=1)
        alone = maps("correlation", columns=(seed,), extra=others, uncertainty=uncertainty)
        np.testing.assert_allclose(found.r[seed], alone.r[0], atol=2e-5)
        # xDF's cut-off of lags turns on single values; naive counts frames, not directions
        if uncertainty == "operator":
            np.testing.assert_allclose(found.dof[seed], alone.dof[0], rtol=2e-4)
            np.testing.assert_allclose(found.z[seed], alone.z[0], atol=1e-3)
        elif uncertainty == "naive":
            assert np.all(found.dof[seed] == alone.dof[0] - 2)
        else:
            assert np.median(np.abs(found.z[seed] - alone.z[0])) < 1e-3


def test_partial_of_one_seed_is_its_correlation(maps):
    partial, plain = maps("partial", columns=(1,)), maps("correlation", columns=(1,))
    np.testing.assert_allclose(partial.r, plain.r, atol=1e-6)
    np.testing.assert_allclose(partial.dof, plain.dof, rtol=1e-5)


def test_square_of_semipartial_is_what_a_seed_adds(maps, cleaned):
    found = maps("semipartial")
    seeds, voxels = cleaned()
    whole = lstsq(seeds, voxels)[1]
    for seed in range(3):
        rest = lstsq(np.delete(seeds, seed, axis=1), voxels)[1]
        np.testing.assert_allclose(found.r[seed] ** 2, whole - rest, atol=2e-5)


def test_semipartial_has_the_sureness_of_the_partial_correlation(maps):
    semipartial, partial = maps("semipartial"), maps("partial")
    for stat in ("z", "p", "q", "dof"):
        np.testing.assert_array_equal(getattr(semipartial, stat), getattr(partial, stat))
    assert np.isnan(semipartial.se).all()
    assert np.isfinite(partial.se).any()
    assert np.all(np.abs(semipartial.r) <= np.abs(partial.r) + 1e-6)


def test_regression_gives_the_weights_of_least_squares(maps, cleaned):
    found = maps("regression")
    seeds, voxels = cleaned()
    b = lstsq(seeds, voxels)[0]
    beta = b * seeds.std(axis=0)[:, None] / voxels.std(axis=0)
    for seed, name in enumerate(SEEDS):
        np.testing.assert_allclose(found.values(name, "b"), b[seed], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(found.values(name, "beta"), beta[seed], rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(found.r, maps("partial").r)


def test_spearman_is_that_of_the_cleaned_series(maps, cleaned):
    found, (seeds, voxels) = maps("spearman"), cleaned()
    wanted = [[stats.spearmanr(seed, voxel).statistic for voxel in voxels.T] for seed in seeds.T]
    np.testing.assert_allclose(found.r, wanted, atol=1e-4)
    np.testing.assert_array_equal(found.dof, maps("correlation").dof)


def test_lagged_finds_a_planted_delay(series, bold):
    shifted = np.random.default_rng(0).standard_normal((FRAMES, *SHAPE))
    seed = np.cumsum(np.random.default_rng(5).standard_normal(FRAMES + 10))
    shifted[:, 1, 1, 1] = seed[2 : FRAMES + 2]  # 3 frames behind the seed
    shifted[:, 2, 1, 1] = -seed[6 : FRAMES + 6]  # 1 frame before it, upside down
    image = nib.Nifti1Image(np.moveaxis(shifted, 0, -1), bold.affine, bold.header)
    maps = sm.seed_maps(
        image,
        [sm.SeriesSeed("s", seed[5 : FRAMES + 5])],
        cleaning=PLAIN,
        smoothing_fwhm=None,
        measure="lagged",
        mask_img=nib.Nifti1Image(np.ones(SHAPE, np.uint8), bold.affine),
        max_lag=10,
    )
    lag, r = (maps.space.unmask(maps.values("s", stat)) for stat in ("lag", "r"))
    assert lag[1, 1, 1] == pytest.approx(3 * T_R, abs=0.3)
    assert lag[2, 1, 1] == pytest.approx(-1 * T_R, abs=0.3)
    assert r[1, 1, 1] > 0.97
    assert r[2, 1, 1] < -0.97
    assert maps.stats == ("r", "fisherz", "lag")
    with pytest.raises(OptionError, match="best of many lags"):
        maps.values("s", "z")


@pytest.mark.parametrize("measure", ["partial", "regression", "spearman", "lagged"])
def test_constant_voxels_are_nan_in_every_map(series, bold, measure):
    values = np.array(bold.dataobj)
    values[2, 2, 2] = 7.0
    image = nib.Nifti1Image(values, bold.affine, bold.header)
    maps = sm.seed_maps(
        image,
        [sm.SeriesSeed(name, column) for name, column in zip(SEEDS, series[0].T, strict=True)],
        smoothing_fwhm=None,
        mask_img=nib.Nifti1Image(np.ones(SHAPE, np.uint8), bold.affine),
        measure=measure,
        cleaning=PLAIN,
    )
    for stat in maps.stats:
        flat = maps.space.unmask(maps.values("a", stat))
        assert np.isnan(flat[2, 2, 2])
        assert np.isfinite(flat).sum() >= (0.5 if stat == "lag" else 0.98) * flat.size


def test_threads_change_nothing(maps):
    for measure in ("partial", "spearman", "lagged"):
        one, three = maps(measure, n_jobs=1), maps(measure, n_jobs=3)
        for stat in one.stats:
            np.testing.assert_array_equal(one.values("b", stat), three.values("b", stat))


def test_seeds_that_are_sums_are_refused_by_name(series, bold):
    seeds = [sm.SeriesSeed(name, column) for name, column in zip(SEEDS, series[0].T, strict=True)]
    seeds.append(sm.SeriesSeed("both", series[0][:, 0] + series[0][:, 2]))
    with pytest.raises(SeedError, match=r"'a', 'c' and 'both' are sums of each other"):
        sm.seed_maps(bold, seeds, measure="partial", smoothing_fwhm=None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"measure": "pearson"}, "measure='pearson' is not known; choose one of correlation"),
        ({"measure": "lagged", "max_lag": 1.0}, "shorter than one frame"),
        ({"measure": "lagged", "max_lag": np.nan}, "shorter than one frame"),
        ({"measure": "lagged", "max_lag": 1000.0}, "pairs of kept frames"),
    ],
)
def test_options_that_make_no_sense_are_refused(maps, options, says):
    with pytest.raises(OptionError, match=says):
        maps(**options)


def test_maps_of_another_measure_say_so(maps, tmp_path):
    found = maps("regression")
    assert found.provenance.measure == "regression"
    assert len(found.provenance.vif) == 3
    assert found.provenance.condition > 1
    with pytest.raises(OptionError, match="their measure is 'regression'"):
        found.values("a", "lag")
    with pytest.raises(OptionError, match="stat='t' is not known"):
        found.values("a", "t")
    names = {path.name for path in found.save(tmp_path)}
    stem = "image-in-memory_seed-b_stat-{}_desc-regression_statmap"
    assert {f"{stem.format(stat)}.nii.gz" for stat in ("r", "beta", "b", "z")} < names
    sidecar = json.loads((tmp_path / f"{stem.format('r')}.json").read_text())
    assert sidecar["Measure"] == "regression"
    assert sidecar["OtherSeeds"] == ["a", "c"]
    assert sidecar["VarianceInflation"] == pytest.approx(found.provenance.vif[1], rel=1e-5)
    assert "Partial correlation" in sidecar["Description"]
    image = nib.load(tmp_path / f"{stem.format('beta')}.nii.gz")
    assert image.get_data_dtype() == np.float32


def test_plain_maps_keep_their_names(maps, tmp_path):
    names = [path.name for path in maps("correlation").save(tmp_path)]
    assert not any("desc-" in name for name in names)
