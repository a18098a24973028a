"""Maps, sums over people and lesions, random sets and predictions against what they should be."""

import numpy as np
import pytest

from seedmap.lesions import (
    compare_sets,
    direction,
    draw_set,
    group_factor,
    lesion_series,
    likeness_products,
    mean_maps,
    nuisance,
    predict,
    random_directions,
    slopes,
)
from seedmap.lesions import connectome as blocks
from seedmap.lesions.association import Times, associate, design, family_of, p_patients
from seedmap.lesions.connectome import Connectome, shares
from seedmap.lesions.nulls import Places, shape_of
from seedmap.lesions.prediction import _likeness_inside

# Of single precision; where r is near 1, its Fisher transform multiplies it.
ROUNDING = {"rtol": 2e-5, "atol": 2e-6}


@pytest.fixture(scope="module")
def lesions(made, tools):
    return draw_set(made.places, tools.shapes(np.random.default_rng(2), 15), 3, 0)


def literal(connectome, lesions):
    """Correlate each lesion's mean series with every sample, person by person."""
    found = []
    for person in range(connectome.plain.shape[1]):
        smooth = connectome.smooth[:, person].astype(float)
        mine = lesions.toarray() @ (
            connectome.plain[:, person].astype(float) * connectome.plain_scale[:, person, None]
        )
        mine /= np.linalg.norm(mine, axis=1, keepdims=True)
        found.append(np.arctanh(np.clip(mine @ smooth.T, -1 + 1e-7, 1 - 1e-7)))
    return np.array(found)


def test_mean_t_and_sums_are_those_of_a_loop(made, lesions):
    each = literal(made.connectome, lesions)
    weights = np.random.default_rng(0).standard_normal((15, made.samples))
    found = mean_maps(made.connectome, lesion_series(made.connectome, lesions), weights, t=True)
    np.testing.assert_allclose(found.mean, each.mean(axis=0), **ROUNDING)
    t = each.mean(axis=0) / each.std(axis=0, ddof=1) * np.sqrt(len(each))
    np.testing.assert_allclose(found.t, t, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(
        found.people, np.einsum("lv,plv->pv", weights, each), rtol=1e-4, atol=3e-5
    )


def test_bits_do_not_depend_on_threads(made, lesions):
    series = lesion_series(made.connectome, lesions)
    weights = np.ones((15, made.samples))
    one, two = (mean_maps(made.connectome, series, weights, n_jobs=n) for n in (1, 2))
    assert np.array_equal(one.mean, two.mean)
    assert np.array_equal(one.people, two.people)


def test_the_reading_of_rows_in_other_blocks_changes_nothing(made, lesions, monkeypatch):
    before = lesion_series(made.connectome, lesions)
    monkeypatch.setattr(blocks, "READ", 100)
    np.testing.assert_allclose(lesion_series(made.connectome, lesions), before, atol=1e-6)


def test_samples_that_somebody_lacks_are_left_out_of_the_means(made, lesions):
    whole = made.connectome
    scale = whole.smooth_scale.copy()
    scale[:300, 2] = 0
    scale[800, :] = 0
    lacking = Connectome(
        whole.smooth, scale, whole.plain, np.minimum(whole.plain_scale, scale),
        whole.person, whole.weight,
    )  # fmt: skip
    each = literal(lacking, lesions)
    each[2, :, :300] = np.nan
    series = lesion_series(lacking, lesions)
    found = mean_maps(lacking, series, np.ones((15, whole.samples)), t=True)
    there = np.arange(whole.samples) != 800
    np.testing.assert_allclose(found.mean[:, there], np.nanmean(each, axis=0)[:, there], **ROUNDING)
    assert np.isnan(found.mean[:, 800]).all()
    assert np.isnan(found.people[2, :300]).all()
    assert np.isfinite(found.people[2, 801:]).all()
    t = np.nanmean(each, axis=0) / np.nanstd(each, axis=0, ddof=1)
    t *= np.sqrt(np.isfinite(each).sum(axis=0))
    np.testing.assert_allclose(found.t[:, there], t[:, there], rtol=2e-4, atol=2e-4)
    share = shares(lacking, lesions)
    assert share[0].min() > 0.9
    assert share[2].min() < 1


def test_runs_of_one_person_are_one_person(made, lesions):
    whole = made.connectome
    person = np.array([0, 0, 1, 2, 3, 4, 5, 6])
    weight = np.array([0.25, 0.75, 1, 1, 1, 1, 1, 1])
    twice = Connectome(
        whole.smooth, whole.smooth_scale, whole.plain, whole.plain_scale, person, weight
    )
    each = literal(whole, lesions)
    each = np.concatenate([[0.25 * each[0] + 0.75 * each[1]], each[2:]])
    found = mean_maps(twice, lesion_series(twice, lesions), np.ones((15, made.samples)), t=True)
    np.testing.assert_allclose(found.mean, each.mean(axis=0), **ROUNDING)
    np.testing.assert_allclose(found.people, each.sum(axis=1), rtol=1e-4, atol=3e-5)
    t = each.mean(axis=0) / each.std(axis=0, ddof=1) * np.sqrt(7)
    np.testing.assert_allclose(found.t, t, rtol=2e-4, atol=2e-4)


def test_sums_of_many_people_are_those_in_double_precision(made, lesions):
    """More people than are summed in single precision at once."""
    again = np.tile(np.arange(8), 6)
    whole = made.connectome
    many = Connectome(
        whole.smooth[:, again], whole.smooth_scale[:, again],
        whole.plain[:, again], whole.plain_scale[:, again], np.arange(48), np.ones(48),
    )  # fmt: skip
    each = literal(many, lesions)
    found = mean_maps(many, lesion_series(many, lesions), t=True)
    np.testing.assert_allclose(found.mean, each.mean(axis=0), **ROUNDING)
    t = each.mean(axis=0) / each.std(axis=0, ddof=1) * np.sqrt(48)
    np.testing.assert_allclose(found.t, t, rtol=2e-4, atol=2e-4)


def test_fisher_transforms_are_those_of_arctanh_and_finite():
    r = np.linspace(-1, 1, 20001, dtype=np.float32)
    wanted = np.arctanh(np.clip(r, -np.float32(1 - 1e-7), np.float32(1 - 1e-7)).astype(float))
    found = blocks._to_fisherz(r.copy(), np.empty_like(r))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=2e-7)


def test_slopes_are_those_of_least_squares_with_lesions_missing():
    random = np.random.default_rng(0)
    maps = random.standard_normal((30, 40))
    beside = nuisance(random.uniform(1, 9, 30), random.standard_normal((30, 1)))
    score = random.standard_normal(30) * 3
    away = random.random((30, 40)) > 0.2
    weights = slopes(design(score, beside), away)
    for v in range(40):
        there = away[:, v]
        matrix = np.column_stack([beside, score])[there]
        wanted = np.linalg.lstsq(matrix, maps[there, v], rcond=None)[0][-1]
        np.testing.assert_allclose(weights[:, v] @ maps[:, v], wanted, rtol=1e-9)


def test_where_the_score_cannot_be_tested_there_is_no_weight():
    score = np.repeat([0.0, 1.0], 15)
    beside = np.ones((30, 1))
    away = np.ones((30, 3), bool)
    away[15:, 1] = False
    away[:20, 2] = False
    weights = slopes(design(score, beside), away)
    assert weights[:, 0].any()
    assert not weights[:, 1].any()
    family = family_of(away, weights, np.ones((5, 3), bool))
    assert family.tolist() == [True, False, False]


def test_r_over_patients_is_the_partial_correlation():
    random = np.random.default_rng(1)
    maps = random.standard_normal((25, 60))
    beside = nuisance(random.uniform(1, 9, 25), np.empty((25, 0)))
    score = random.standard_normal(25)
    basis, _ = np.linalg.qr(beside)
    left = [one - basis @ (basis.T @ one) for one in (maps, score)]
    wanted = [np.corrcoef(left[0][:, v], left[1])[0, 1] for v in range(60)]
    split, family = design(score, beside), np.ones(60, bool)
    found = associate(maps, np.zeros((4, 60)), split, family)
    np.testing.assert_allclose(found.r, wanted, atol=1e-6)
    p = p_patients(maps, split, family, times=Times(200))
    assert p[np.argmax(np.abs(wanted))] == np.nanmin(p)


def test_the_factor_is_that_of_all_runs(made):
    connectome = made.connectome
    rows = connectome.smooth.reshape(made.samples, -1) / np.sqrt(8)
    factor = group_factor(connectome, share=1.0, most=384)
    np.testing.assert_allclose(factor.rows[:200] @ factor.rows.T, rows[:200] @ rows.T, atol=2e-4)
    small = group_factor(connectome, share=0.6)
    size = np.linalg.svd(rows, compute_uv=False) ** 2
    rank = small.rows.shape[1]
    assert small.share == pytest.approx(size[:rank].sum() / size.sum(), abs=2e-3)
    assert size[: rank - 1].sum() / size.sum() < 0.6 <= small.share + 2e-3


def test_the_mean_map_of_a_set_by_the_factor(made, tools):
    """L2: rank for 99 % of the variance; the exact one goes person by person."""
    lesions = draw_set(made.places, tools.shapes(np.random.default_rng(5), 25), 8, 0)
    smooth = made.connectome.smooth.astype(float)
    each = np.stack([lesions @ smooth[:, person] for person in range(8)])
    each /= np.linalg.norm(each, axis=2, keepdims=True)
    exact = np.mean([smooth[:, p] @ each[p].mean(axis=0) for p in range(8)], axis=0)
    factor = group_factor(made.connectome)
    assert factor.share >= 0.99
    found = factor.rows @ direction(factor, lesions)
    assert np.corrcoef(found, exact)[0, 1] >= 0.998


def test_a_set_is_the_same_whatever_is_drawn_beside_it(made, tools):
    some = tools.shapes(np.random.default_rng(0), 10)
    alone = draw_set(made.places, some, 7, 5).toarray()
    for other in range(3):
        draw_set(made.places, some, 7, other)
    assert np.array_equal(draw_set(made.places, some, 7, 5).toarray(), alone)
    assert not np.array_equal(draw_set(made.places, some, 7, 6).toarray(), alone)


def test_drawn_lesions_keep_their_shape_and_follow_the_prior(tools):
    mask = np.ones((12, 12, 12), bool)
    mask[:2] = False
    prior = np.zeros(mask.sum())
    places = Places.of(mask)
    prior[(places.voxels[:, 0] >= 6) & (places.voxels[:, 0] < 8)] = 1
    places = Places.of(mask, prior)
    sizes = []
    for number in range(30):
        for row in draw_set(places, [tools.ball(2.0)], 0, number):
            at = places.voxels[np.flatnonzero(np.atleast_1d(row.toarray().ravel()))]
            sizes.append(len(at))
            centre = at.mean(axis=0)
            assert 5.5 <= centre[0] <= 8
    assert min(sizes) >= 0.95 * len(tools.ball(2.0))


def test_the_shape_of_a_lesion_put_back_in_its_place(made):
    lesion = np.flatnonzero(np.random.default_rng(4).random(made.samples) < 0.01)
    shape = shape_of(made.places, lesion)
    corner = made.places.voxels[lesion[0]] - shape[0]
    centre = int(np.flatnonzero((made.places.voxels == corner).all(axis=1))[0])
    assert set(made.places.moved(shape, np.array([centre]))[0]) == set(lesion)


def test_comparing_a_set_counts_the_sets_beyond_it(made, tools):
    factor = group_factor(made.connectome, share=0.9)
    some = tools.shapes(np.random.default_rng(0), 8)
    every = random_directions(factor, made.places, some, 1, np.arange(60))
    wanted = [direction(factor, draw_set(made.places, some, 1, n)) for n in range(60)]
    np.testing.assert_allclose(every, wanted, atol=1e-6)
    found = compare_sets(factor, every[0], every[1:])
    maps = every @ factor.rows.T
    z = (maps - maps.mean(axis=0)) / maps.std(axis=0)
    np.testing.assert_allclose(found.z, z[0], atol=1e-3)
    largest = np.abs(z).max(axis=1)
    wanted = np.mean(largest >= (1 - 1e-5) * np.abs(z[0]).max())
    assert np.min(found.p) == pytest.approx(wanted, abs=1.5 / 60)


def test_likeness_without_each_patient_is_that_of_fitting_without_them():
    random = np.random.default_rng(0)
    maps = random.standard_normal((20, 300))
    maps -= maps.mean(axis=1, keepdims=True)
    beside = nuisance(random.uniform(1, 9, 20), np.empty((20, 0)))
    scores = random.standard_normal((3, 20))
    basis, _ = np.linalg.qr(beside)
    found, _, _ = _likeness_inside(basis, scores, maps @ maps.T)
    for k in range(3):
        for i in range(20):
            rest = np.arange(20) != i
            left = scores[k, rest]
            left = left - beside[rest] @ np.linalg.lstsq(beside[rest], left, rcond=None)[0]
            other = left @ maps[rest]
            assert found[k, i] == pytest.approx(maps[i] @ other / np.linalg.norm(other), abs=1e-9)


def test_a_planted_prediction_is_gained_and_size_alone_is_not_counted():
    random = np.random.default_rng(3)
    score = random.standard_normal(60)
    planted = random.standard_normal(400)
    maps = score[:, None] * planted * 0.4 + random.standard_normal((60, 400))
    beside = nuisance(random.uniform(1, 9, 60), np.empty((60, 0)))
    products, likeness = likeness_products(maps, random.standard_normal(400))
    found = predict(score, beside, products, likeness, number=200)
    assert found.p == pytest.approx(1 / 201)
    assert found.r2("full") > 0.8
    assert found.r2("baseline") < 0.1
    again = predict(score, beside, products, likeness, number=200)
    assert np.array_equal(found.full, again.full)


def test_maps_that_lack_samples_count_as_the_others_mean_there():
    random = np.random.default_rng(0)
    maps = random.standard_normal((10, 50))
    holes = maps.copy()
    holes[3, 5:9] = np.nan
    filled = maps.copy()
    filled[3, 5:9] = np.delete(maps, 3, axis=0)[:, 5:9].mean(axis=0)
    expected = random.standard_normal(50)
    for one, other in zip(
        likeness_products(holes, expected), likeness_products(filled, expected), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)
