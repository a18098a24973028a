"""Runs combined: each way against what its words say."""

from dataclasses import replace

import numpy as np
import pytest

import seedmap as sm
from seedmap.connectivity import infer
from seedmap.datasets import make_phantom
from seedmap.errors import OptionError, SpaceMismatch
from seedmap.participants.combine import combine_maps


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of different length, on one mask."""
    phantom = make_phantom(tmp_path_factory.mktemp("runs"), n_runs=2, voxel_size=8, n_frames=140)
    keeps = np.ones(140, dtype=bool), np.arange(140) < 110
    return [
        sm.seed_maps(func, "PCC=0,-52,18", confounds=table, sample_mask=keep, mask_img=mask)
        for func, table, keep, mask in zip(
            phantom.func, phantom.confounds, keeps, phantom.masks, strict=True
        )
    ]


def test_joined_runs_give_the_correlation_over_all_their_frames(runs):
    together = combine_maps(runs, "both", "concatenated")
    seed = np.concatenate([run.seed_series for run in runs])
    samples = np.concatenate([run.sample_series for run in runs])
    np.testing.assert_array_equal(runs[0].sample_indices, runs[1].sample_indices)
    direct = [np.corrcoef(seed[:, 0], column)[0, 1] for column in samples.T]
    np.testing.assert_allclose(together.r[0, runs[0].sample_indices], direct, atol=1e-6)


def test_joined_runs_have_the_error_bar_of_a_weighted_mean(runs):
    together = combine_maps(runs, "both", "concatenated")
    share = np.array([139, 109]) / 248
    nu = [run.dof[0] for run in runs]
    expected = 1 / sum(w**2 / n for w, n in zip(share, nu, strict=True))
    known = np.isfinite(expected)
    np.testing.assert_allclose(together.certainty.dof[0][known], expected[known], rtol=1e-5)
    assert np.isnan(together.certainty.dof[0][~known]).all()


def test_weighing_by_frames_is_less_sure_than_by_what_runs_are_worth(runs):
    by_dof, by_frames = (combine_maps(runs, "both", by).certainty.dof for by in ("dof", "frames"))
    known = np.isfinite(by_frames)
    assert (by_frames[known] <= by_dof[known] * (1 + 1e-6)).all()
    sums = sum(run.dof - 2 for run in runs) + 2
    np.testing.assert_allclose(by_dof[known], sums[known], rtol=1e-5)


@pytest.mark.parametrize("by", ["dof", "frames", "concatenated"])
def test_error_bars_of_combined_noise_hold(by):
    """White noise of two lengths: z has a standard deviation of 1."""
    rng, lengths = np.random.default_rng(3), (30, 90)
    noise = [rng.standard_normal((n, 20001)) for n in lengths]
    runs = [_maps_of_noise(part) for part in noise]
    z = combine_maps(runs, "both", by).z[0]
    assert z.std() == pytest.approx(1, abs=0.03)


def _maps_of_noise(series):
    """Correlate the first column with the others; effective and true degrees are the same."""
    series = series - series.mean(axis=0)
    series = series / np.linalg.norm(series, axis=0)
    r = (series[:, :1].T @ series[:, 1:]).astype(np.float32)
    return _Maps.like(r, len(series))


class _Maps:
    """Builds maps of plain arrays."""

    @staticmethod
    def like(r, frames):
        keep = np.ones(frames, dtype=bool)
        space = sm.Grid.whole(np.eye(4), (r.shape[1], 1, 1))
        dof = np.full(r.shape, frames - 1, dtype=np.float32)
        cleaning = sm.Cleaning(filter=None)
        facts = sm.analysis.SeedFacts("s", "noise", None, 0, 1.0)
        source = sm.analysis.Provenance(
            *("run", None, "header", keep, cleaning, None, (), "", 0, frames - 1, "all"),
            *((facts,), 0, 0, (1, 1)),
        )
        certainty = sm.analysis.uncertainty.Certainty("operator", dof, frames - 1, frames - 1.0, ())
        nothing = np.empty(0, dtype=np.int64)
        series = np.zeros((frames, 1))
        return sm.SeedMaps(
            ("s",), space, r, series, series[:, :0], nothing, source, (nothing,), certainty
        )


def test_a_run_without_a_value_does_not_count_there(runs):
    holed = runs[1].r.copy()
    holed[0, 5] = np.nan
    for by in ("dof", "frames", "concatenated"):
        together = combine_maps([runs[0], replace(runs[1], r=holed)], "both", by)
        assert together.r[0, 5] == pytest.approx(runs[0].r[0, 5], abs=1e-6)
        z = infer(runs[0].r[0, 5], runs[0].dof[0, 5]).z
        assert together.z[0, 5] == pytest.approx(z, abs=1e-3)


def test_what_cannot_be_combined_is_refused(runs):
    lagged = replace(runs[0], provenance=replace(runs[0].provenance, measure="lagged"))
    with pytest.raises(OptionError, match="cannot be combined"):
        combine_maps([lagged, runs[1]], "both")
    moved = sm.Grid(runs[1].space.affine + np.eye(4), runs[1].space.mask)
    with pytest.raises(SpaceMismatch, match="its grid differs"):
        combine_maps([runs[0], replace(runs[1], space=moved)], "both")
