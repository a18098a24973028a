"""The whole test: blocks and threads change nothing, enumeration one by one, p and their tails."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from seedmap.connectivity.effects import ols
from seedmap.shuffle import (
    Robust,
    Scores,
    Shuffling,
    corrected_p,
    found,
    join,
    observed_r,
    pareto_p,
    passes,
    plan_shuffles,
    pooled,
    shuffle,
    split_design,
)

SHAPE = (9, 8, 7)
SAMPLES = int(np.prod(SHAPE))


def mean_of(people):
    return split_design(np.ones((people, 1)), [1])


def of(maps, tested, number=200, graph=None, **options):
    """Put the pooled test of some maps together."""
    plan = plan_shuffles(tested, number)
    scores = Scores(ols(maps, tested).dof, tested.q)
    if graph is not None:
        options = {"tfce": True, "cluster_threshold": scores.threshold(0.01), **options}
    return Shuffling(pooled(maps, tested, plan, scores), plan, graph, **options)


@pytest.mark.parametrize("holes", [False, True])
def test_blocks_threads_and_ranges_change_nothing(grid, smooth_noise, monkeypatch, holes):
    rng = np.random.default_rng(0)
    maps = smooth_noise(rng, 16, SHAPE)
    x = np.column_stack([np.ones(16), rng.normal(size=(16, 2))])
    if holes:
        maps[:3, :200] = np.nan
    tested = split_design(x, [0, 1, 0])
    test = of(maps, tested, graph=grid)
    null = shuffle(test)
    wanted = found(test, null)
    for piece, rows, samples, threads in ((1, 1, 100, 1), (64, 64, 2048, 2), (1000, 7, 33, 2)):
        for size in ("PIECE", "MEMBERS", "WHOLE_MAPS"):
            monkeypatch.setattr(passes, size, piece)
        monkeypatch.setattr(passes, "ROWS", rows)
        monkeypatch.setattr(passes, "SAMPLES", samples)
        fresh = of(maps, tested, graph=grid)
        other = shuffle(fresh, n_jobs=threads)
        again = found(fresh, other)
        for name, maxima in null.maxima.items():
            np.testing.assert_allclose(
                other.maxima[name], maxima, rtol=2e-6 if name == "r" else 1e-4
            )
        np.testing.assert_array_equal(other.reached, null.reached)
        for field in ("p_shuffled", "p_fwe", "p_tfce", "p_extent", "p_mass"):
            np.testing.assert_array_equal(getattr(again, field), getattr(wanted, field))


def test_ranges_done_apart_are_joined_to_the_same(grid, smooth_noise):
    test = of(smooth_noise(np.random.default_rng(1), 15, SHAPE), mean_of(15), graph=grid)
    whole, said = shuffle(test), []
    parts = [shuffle(test, span) for span in ((120, 201), (0, 50), (50, 120))]
    joined = join(parts)
    shuffle(test, on_done=said.append)
    np.testing.assert_array_equal(joined.reached, whole.reached)
    for name, maxima in whole.maxima.items():
        np.testing.assert_allclose(joined.maxima[name], maxima, rtol=1e-5)
    assert said == sorted(said)
    assert said[-1] == 201


def test_the_scores_are_the_t_of_least_squares(smooth_noise):
    maps = smooth_noise(np.random.default_rng(2), 15, SHAPE)
    test = of(maps, mean_of(15))
    t = ols(maps, mean_of(15)).stat
    np.testing.assert_allclose(found(test, shuffle(test)).score, t, rtol=1e-5, atol=1e-5)
    assert test.statistic.scores.common == 14


def test_prepared_data_that_are_not_kept_give_the_same(smooth_noise, monkeypatch):
    maps = smooth_noise(np.random.default_rng(3), 15, SHAPE)
    kept = shuffle(of(maps, mean_of(15)))
    monkeypatch.setattr(passes, "KEPT", 0)
    test = of(maps, mean_of(15))
    np.testing.assert_array_equal(shuffle(test).maxima["r"], kept.maxima["r"])
    assert not test.kept


def test_eight_people_are_enumerated_one_by_one():
    rng = np.random.default_rng(4)
    maps = np.round(rng.normal(0.5, 1, size=(8, 40)), 1)  # one decimal makes ties
    maps[:, 1] = maps[::-1, 0]  # the same values in another order
    test = of(maps, mean_of(8), 5000)
    ours = found(test, shuffle(test))
    signs = np.array([(1, *s) for s in product([1, -1], repeat=7)])
    t = np.abs([stats.ttest_1samp(s[:, None] * maps, 0).statistic for s in signs])
    assert len(t) == test.plan.total == 128
    np.testing.assert_allclose(
        np.sort(test.statistic.scores.of(shuffle(test).maxima["r"])[:, 0]),
        np.sort(t.max(axis=1)),
        rtol=1e-4,
    )
    near = t >= t[0] * (1 - 1e-9)
    np.testing.assert_allclose(ours.p_shuffled, near.mean(axis=0), rtol=1e-12)
    p_fwe = (t.max(axis=1)[:, None] >= t[0] * (1 - 1e-9)).mean(axis=0)
    np.testing.assert_allclose(ours.p_fwe, p_fwe, rtol=1e-12)


def test_samples_that_are_not_tested_are_nan_and_reach_no_maximum(grid, smooth_noise):
    maps = smooth_noise(np.random.default_rng(5), 15, SHAPE)
    maps[:, 100] = np.nan
    maps[:, 200] = 0.7
    plan = plan_shuffles(mean_of(15), 100)
    dof = ols(maps, mean_of(15)).dof
    dof[:50] = np.nan  # the seed's own place
    huge = maps.copy()
    huge[:, :50] += 50
    tests = [
        Shuffling(
            pooled(y, mean_of(15), plan, Scores(dof)), plan, grid, tfce=True, cluster_threshold=2.5
        )
        for y in (maps, huge)
    ]
    plain, ours = (shuffle(test) for test in tests)
    for name, maxima in plain.maxima.items():
        np.testing.assert_allclose(ours.maxima[name], maxima, rtol=1e-6)
    result = found(tests[1], ours)
    for values in (
        result.score,
        result.p_fwe,
        result.p_shuffled,
        result.tfce,
        result.p_tfce,
        result.p_mass,
    ):
        np.testing.assert_array_equal(np.isnan(values), ~np.isfinite(dof))
    assert {100, 200} <= set(np.flatnonzero(np.isnan(result.p_fwe)))


def test_a_planted_effect_is_found_in_place(grid, smooth_noise):
    maps = smooth_noise(np.random.default_rng(6), 20, SHAPE)
    planted = np.zeros(SHAPE, dtype=bool)
    planted[2:6, 2:6, 2:5] = True
    planted = planted.ravel()
    maps[:, planted] -= 1.5
    test = of(maps, mean_of(20), 500, grid)
    ours = found(test, shuffle(test, n_jobs=2))
    assert (ours.p_fwe[planted] <= 0.05).mean() > 0.8
    assert (ours.p_tfce[planted] <= 0.05).all()
    assert (ours.p_tfce[~planted] <= 0.05).mean() < 0.25  # noise is smooth, and so is its edge
    assert ours.tfce[planted].max() < 0
    inside = np.bincount(ours.clusters.cluster[planted[ours.clusters.sample]]).argmax()
    assert ours.clusters.extent[inside] > 0.8 * planted.sum()
    assert ours.p_mass[planted].min() == pytest.approx(1 / 501)
    assert ours.p_extent[planted].min() == pytest.approx(1 / 501)


def test_robust_and_several_contrasts_pass_through(grid, smooth_noise):
    rng = np.random.default_rng(7)
    maps = smooth_noise(rng, 24, SHAPE)
    group = np.repeat(np.eye(3), 8, axis=0)
    tested = split_design(group, [[1, -1, 0], [0, 1, -1]])
    plan = plan_shuffles(tested, 100)
    scores = Scores(ols(maps, tested).dof, tested.q)
    for statistic in (pooled(maps, tested, plan, scores), Robust(maps, tested, scores)):
        test = Shuffling(statistic, plan, grid, tfce=True, cluster_threshold=scores.threshold(0.01))
        ours = found(test, shuffle(test))
        assert (ours.score >= 0).all()
        assert ((ours.p_fwe > 0) & (ours.p_fwe <= 1)).all()
    f = ols(maps, tested).stat
    np.testing.assert_allclose(
        found(
            Shuffling(pooled(maps, tested, plan, scores), plan),
            shuffle(Shuffling(pooled(maps, tested, plan, scores), plan)),
        ).score,
        np.sqrt(f),
        rtol=1e-4,
    )


def test_kinds_have_their_own_nulls(make_graph, pairs_of_grid, smooth_noise):
    kinds = np.arange(SAMPLES) >= 200
    pairs = pairs_of_grid(SHAPE)
    pairs = pairs[kinds[pairs[:, 0]] == kinds[pairs[:, 1]]]
    sizes = np.where(kinds, 1.0, 50.0)
    graph = make_graph(pairs, SAMPLES, sizes=sizes, kinds=kinds, extent_powers=(1.0, 0.5))
    test = of(smooth_noise(np.random.default_rng(8), 15, SHAPE), mean_of(15), 300, graph)
    null = shuffle(test)
    assert all(maxima.shape == (301, 2) for maxima in null.maxima.values())
    r = np.abs(observed_r(test))
    np.testing.assert_allclose(null.maxima["r"][0], [r[~kinds].max(), r[kinds].max()], rtol=1e-6)
    assert ((found(test, null).p_tfce > 0) & (found(test, null).p_tfce <= 1)).all()


def test_the_joint_null_of_kinds_is_exact():
    """With kinds of any units, the smallest p is uniform where nothing is true."""
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(400):
        common = rng.normal(size=200)
        maxima = np.stack([np.exp(3 * (common + rng.normal(size=200))), common], axis=1)
        p = corrected_p(maxima[0], maxima, [0, 1])
        hits += p.min() <= 0.1
    assert abs(hits / 400 - 0.1) < 3 * np.sqrt(0.09 / 400)


def test_ties_count_as_reached():
    null = np.array([1.0, 1 - 5e-6, 0.5, 2.0])
    np.testing.assert_array_equal(corrected_p([1.0, 1.0 + 5e-6], null), [0.75, 0.75])


def test_the_tail_is_exact_where_the_null_is_a_generalised_pareto():
    """Of exponential, bounded and heavy-tailed maxima the tail beyond is known."""
    rng = np.random.default_rng(10)
    for frozen in (stats.expon(), stats.genpareto(-0.3), stats.genpareto(0.15)):
        null = frozen.rvs(200_000, random_state=rng)
        scores = frozen.isf([0.1, 0.01, 0.001])
        np.testing.assert_allclose(pareto_p(scores, null), [0.1, 0.01, 0.001], rtol=0.15)


def test_the_tail_spreads_less_than_counts_and_is_hardly_biased():
    """Maxima of 500 normal samples, whose distribution is known, 1000 shuffles at a time."""
    rng = np.random.default_rng(11)
    nulls = stats.norm.isf(-np.expm1(np.log(rng.random((1000, 1000))) / 500))
    for p in (0.01, 0.001):
        score = stats.norm.isf(-np.expm1(np.log1p(-p) / 500))
        tail = np.array([corrected_p(score, null, tail=True).item() for null in nulls])
        counts = (nulls >= score).mean(axis=1)
        # Maxima of normal scores are no generalised Pareto: .0008 for .001 is known.
        assert tail.mean() == pytest.approx(p, rel=0.05 if p == 0.01 else 0.25)
        assert tail.std() < (0.9 if p == 0.01 else 0.75) * counts.std()


def test_the_tail_says_nothing_below_a_tenth_of_the_shuffles_and_nothing_new_above_a_tenth():
    null = np.random.default_rng(12).exponential(size=1000)
    assert corrected_p([1e9], null, tail=True) == pytest.approx(1 / 10_000)
    some = np.quantile(null, [0.2, 0.5, 0.85])
    np.testing.assert_array_equal(corrected_p(some, null, tail=True), corrected_p(some, null))
    flat = np.ones(100)
    np.testing.assert_allclose(corrected_p([2.0, 1.0], flat, tail=True), [0.01, 1])
