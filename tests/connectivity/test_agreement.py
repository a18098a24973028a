"""How far maps of several seeds differ: sums over blocks are the plain definitions."""

import numpy as np
import pytest

from seedmap.connectivity import (
    Judged,
    agreement,
    critical_r,
    critical_r_map,
    differing,
    fisherz,
    half_variance,
    predicted_error,
    split_halves,
    time_error,
)


def unit(series):
    centred = series - series.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=0)


@pytest.mark.parametrize("shared", [0.0, 0.5, 3.0])
def test_agreement_is_the_mean_of_the_correlations_of_all_pairs(shared):
    rng = np.random.default_rng(0)
    series = unit(rng.standard_normal((80, 30)) + shared * rng.standard_normal((80, 1)))
    pairs = np.corrcoef(series.T)[np.triu_indices(30, 1)]
    assert agreement(series) == pytest.approx(pairs.mean(), abs=1e-12)


def test_one_series_agrees_with_nothing():
    assert np.isnan(agreement(np.ones((4, 1))))
    assert np.isnan(predicted_error(np.nan))
    assert predicted_error(1 + 1e-12) == 0


def test_critical_r_is_that_of_each_number_of_degrees_of_freedom():
    dof = np.array([4.0, 9.7, 55.5, 300.0, np.nan])
    found = critical_r_map(dof, 0.003)
    wanted = [critical_r(one, 0.003) for one in dof[:-1]]
    np.testing.assert_allclose(found[:-1], wanted, atol=2e-5)
    assert np.isnan(found[-1])
    assert np.isnan(critical_r_map(np.full(3, np.nan), 0.05)).all()


def test_where_a_sample_goes_with_none_of_the_seeds_its_spread_is_the_predicted_one():
    rng = np.random.default_rng(1)
    frames, samples = 200, 4000
    region = rng.standard_normal((frames, 1)) + rng.standard_normal((frames, 60))
    weights = (rng.random((60, 64)) < 0.3) / 1.0
    seeds = unit(region @ weights)
    r = (seeds.T @ unit(rng.standard_normal((frames, samples)))).astype(np.float32)
    se = np.full(samples, 1 / np.sqrt(frames - 3), dtype=np.float32)
    z = fisherz(r[0])
    judged = Judged(z, se, np.full_like(se, 0.2), np.ones(samples, bool))
    found = np.median(differing(fisherz(r), judged).error) / predicted_error(agreement(seeds))
    assert 0.97 < found < 1.03


def test_sums_over_blocks_are_the_plain_definitions():
    rng = np.random.default_rng(2)
    own = rng.uniform(-0.6, 0.6, 500).astype(np.float32)
    r = np.clip(own + 0.2 * rng.standard_normal((7, 500)), -0.99, 0.99).astype(np.float32)
    own[3], r[:, 3] = np.nan, np.nan
    counted = rng.random(500) < 0.8
    judged = Judged(
        fisherz(own),
        np.full(500, 0.1, np.float32),
        np.full(500, np.arctanh(0.3), np.float32),
        counted,
    )
    parts = [
        differing(fisherz(r[:, one]), judged.part(one)) for one in (slice(0, 200), slice(200, 500))
    ]
    sums = parts[0].sums + parts[1].sums
    used = counted & np.isfinite(own)
    for k in range(7):
        assert sums.map_r[k] == pytest.approx(
            np.corrcoef(fisherz(r[k])[used], fisherz(own)[used])[0, 1], abs=1e-6
        )
        one, other = np.abs(own) >= 0.3, np.abs(r[k]) >= 0.3
        both = one & other & (np.sign(own) == np.sign(r[k]))
        dice = 2 * both[used].sum() / (one[used].sum() + other[used].sum())
        assert sums.dice[k] == pytest.approx(dice, abs=1e-12)
    survival = np.concatenate([part.survival for part in parts])
    wanted = ((np.abs(r) >= 0.3) & (np.sign(r) == np.sign(own))).mean(axis=0)
    np.testing.assert_allclose(survival[np.isfinite(own)], wanted[np.isfinite(own)], atol=1e-6)
    assert np.isnan(survival[3])
    error = np.concatenate([part.error for part in parts])
    np.testing.assert_allclose(error, fisherz(r).std(axis=0, ddof=1) / 0.1, rtol=1e-5)


def test_what_is_not_significant_does_not_survive():
    judged = Judged(
        np.full(3, 0.9, np.float32),
        np.ones(3, np.float32),
        np.full(3, np.inf, np.float32),
        np.ones(3, bool),
    )
    found = differing(np.full((2, 3), 0.9, np.float32), judged)
    assert not found.survival.any()
    assert np.isnan(found.sums.dice).all()
    assert not found.error.any()


def test_halves_lie_twenty_seconds_apart():
    keep = np.ones(100, bool)
    keep[10:20] = False
    first, second = split_halves(keep, 2.0)
    times = np.flatnonzero(keep) * 2.0
    assert times[second].min() - times[first].max() >= 20
    assert abs(int(first.sum()) - int(second.sum())) <= 1
    assert not (first & second).any()


def test_halves_of_white_noise_differ_by_one_standard_error():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 400, 3000))
    halves = (slice(0, 190), slice(210, 400))
    first, second = (fisherz((unit(x[half]) * unit(y[half])).sum(axis=0)) for half in halves)
    variance = half_variance(np.full(3000, 399.0), 1.0, (190 / 400, 190 / 400))
    assert time_error(first, second, variance) == pytest.approx(1.0, abs=0.03)
    assert np.isnan(time_error(first, second, np.full(3000, np.nan)))
    assert np.isnan(half_variance(np.array([7.0]), 1.0, (0.5, 0.5))).all()
