"""Each statistic against fitting the model again to every shuffle, and against nilearn."""

import numpy as np
import pytest
from nilearn.mass_univariate import permuted_ols
from scipy.stats import f as fdist
from scipy.stats import norm
from scipy.stats import t as student

from seedmap.connectivity.effects import between_people, ols, random_effects
from seedmap.connectivity.tails import t_test
from seedmap.errors import OptionError
from seedmap.shuffle import (
    Moves,
    Robust,
    Scores,
    Skewed,
    Weighted,
    plan_shuffles,
    pooled,
    split_design,
)

SAMPLES = 60


def r_of(statistic, moves):
    """Return r of some shuffles at all samples, shape (shuffles, samples)."""
    rows = statistic.rows(moves)
    out = np.empty((len(rows), moves.number, SAMPLES), np.float32)
    data = statistic.data(slice(0, SAMPLES))
    return np.array(statistic.r(rows, data, out), dtype=np.float64)


def moved(moves, k, values):
    """Shuffle people (rows)."""
    values = values if moves.source is None else values[moves.source[k]]
    return values if moves.signs is None else values * moves.signs[k][:, None]


def scores_of(tested):
    return Scores(np.full(SAMPLES, float(tested.dof)), tested.q)


def design(rng, people=21):
    group = (np.arange(people) < people // 3).astype(float)
    return np.column_stack([1 - group, group, rng.normal(size=(people, 2))])


MEAN = [0.5, 0.5, 0, 0]
DIFFERENCE = [1, -1, 0, 0]
SEVERAL = [[1, -1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("contrast", [MEAN, DIFFERENCE, SEVERAL])
@pytest.mark.parametrize("kind", ["signs", "permutations", "both"])
def test_freedman_lane_rows_are_the_literal_refit(contrast, kind):
    rng = np.random.default_rng(0)
    x, y = design(rng), rng.normal(0.3, 1, size=(21, SAMPLES))
    tested = split_design(x, contrast)
    plan = plan_shuffles(tested, 500, kind=kind)
    moves = plan.moves(0, 20)
    statistic = pooled(y, tested, plan, scores_of(tested))
    ours = scores_of(tested).of(r_of(statistic, moves))
    residual = y - tested.null @ (tested.null.T @ y)
    for k in range(20):
        again = ols(moved(moves, k, residual), tested).stat
        again = np.sqrt(again) if tested.q > 1 else again
        np.testing.assert_allclose(ours[k], again, atol=1e-5)


def test_what_permutations_cannot_change_needs_no_row():
    rng = np.random.default_rng(1)
    x = design(rng)
    tested = split_design(x, DIFFERENCE)
    count = {}
    for kind in ("permutations", "signs"):
        plan = plan_shuffles(tested, 500, kind=kind)
        count[kind] = len(
            pooled(rng.normal(size=(21, 5)), tested, plan, scores_of(tested)).nuisance
        )
    assert count == {"permutations": 2, "signs": 3}
    site = np.arange(21) % 2
    both = split_design(np.column_stack([x, site]), [*DIFFERENCE, 0])
    plan = plan_shuffles(both, 500, blocks=site)
    assert len(pooled(rng.normal(size=(21, 5)), both, plan, scores_of(both)).nuisance) == 2


def nilearn_draws(seed, people, number, kind):
    """The shuffles that nilearn draws: each on top of the one before."""
    rng = np.random.RandomState(seed)
    rng = np.random.RandomState(rng.randint(1, np.iinfo(np.int32).max - 1))
    if kind == "signs":
        steps = np.array([rng.randint(2, size=(people, 1))[:, 0] * 2 - 1 for _ in range(number)])
        return Moves(number, None, np.cumprod(steps, axis=0).astype(np.float32))
    order, found = np.arange(people), []
    for _ in range(number):
        order = order[rng.permutation(people)]
        found.append(np.argsort(order))  # it moves the design, we move people
    return Moves(number, np.array(found), None)


@pytest.mark.parametrize("kind", ["signs", "permutations"])
def test_with_the_same_shuffles_nilearn_has_the_same_maxima_and_p(kind):
    rng = np.random.default_rng(2)
    y = rng.normal(0.2, 1, size=(24, SAMPLES))
    x = np.column_stack([np.arange(24) < 10, np.ones(24), rng.normal(size=(24, 2))]).astype(float)
    if kind == "signs":
        theirs = permuted_ols(np.ones((24, 1)), y, n_perm=200, random_state=5)
        tested = split_design(np.ones((24, 1)), [1])
    else:
        theirs = permuted_ols(x[:, :1], y, x[:, 2:], n_perm=200, random_state=5)
        tested = split_design(x, [1, 0, 0, 0])
    plan = plan_shuffles(tested, 200)
    statistic = pooled(y, tested, plan, scores_of(tested))
    ours = scores_of(tested).of(r_of(statistic, nilearn_draws(5, 24, 200, kind)))
    maxima = np.abs(ours).max(axis=1)
    np.testing.assert_allclose(maxima, theirs["h0_max_t"][0], rtol=2e-6)
    observed = np.abs(ols(y, tested).stat)
    p = (1 + (maxima[:, None] >= observed).sum(axis=0)) / 201
    np.testing.assert_allclose(p, 10 ** -theirs["logp_max_t"][0], rtol=1e-9)


@pytest.mark.parametrize("contrast", [DIFFERENCE, SEVERAL])
def test_the_robust_score_is_its_formula(contrast):
    rng = np.random.default_rng(3)
    x, y = design(rng), rng.normal(size=(21, SAMPLES))
    tested = split_design(x, contrast)
    moves = plan_shuffles(tested, 500).moves(0, 10)
    ours = r_of(Robust(y, tested, scores_of(tested)), moves)
    residual = y - tested.null @ (tested.null.T @ y)
    for k in range(10):
        e = moved(moves, k, residual)
        for sample in range(0, SAMPLES, 7):
            score = tested.part.T @ e[:, sample]
            spread = (tested.part * e[:, sample, None] ** 2).T @ tested.part
            wanted = score @ np.linalg.solve(spread, score) / 21
            assert ours[k, sample] ** 2 == pytest.approx(wanted, rel=1e-4)
            if tested.q == 1:
                assert ours[k, sample] * score[0] > 0


def test_the_robust_score_of_a_mean_is_the_usual_t():
    rng = np.random.default_rng(4)
    y = rng.normal(0.3, 1, size=(15, SAMPLES))
    tested = split_design(np.ones((15, 1)), [1])
    plan = plan_shuffles(tested, 500)
    moves = plan.moves(0, 20)
    robust = r_of(Robust(y, tested, scores_of(tested)), moves)
    np.testing.assert_allclose(
        robust, r_of(pooled(y, tested, plan, scores_of(tested)), moves), atol=1e-6
    )


def weighted_case(contrast, rng):
    x = design(rng)
    v = rng.uniform(0.05, 1, size=(21, SAMPLES))
    y = rng.normal(0.3, 1, size=v.shape)
    tested = split_design(
        x if contrast != "mean" else np.ones((21, 1)), [1] if contrast == "mean" else contrast
    )
    return y, v, tested, between_people(y, v, tested.null)


def test_weighted_flips_are_the_knapp_hartung_t_of_fixed_weights():
    y, v, tested, tau2 = weighted_case("mean", np.random.default_rng(5))
    moves = plan_shuffles(tested, 500).moves(0, 20)
    statistic = Weighted(y, v, tau2, tested, scores_of(tested), flips=True)
    assert len(statistic.rows(moves)) == 1
    ours = scores_of(tested).of(r_of(statistic, moves))
    w = 1 / (v + tau2)
    for k in range(20):
        flipped = moved(moves, k, y)
        mean = (w * flipped).sum(axis=0) / w.sum(axis=0)
        spread = (w * (flipped - mean) ** 2).sum(axis=0) / (20 * w.sum(axis=0))
        np.testing.assert_allclose(ours[k], mean / np.sqrt(spread), rtol=1e-4, atol=1e-5)


def test_equal_variances_make_weighted_flips_the_usual_t():
    rng = np.random.default_rng(6)
    y, v, tested, _ = weighted_case("mean", rng)
    same = np.full_like(v, 0.2)
    tau2 = between_people(y, same, tested.null)
    plan = plan_shuffles(tested, 500)
    moves = plan.moves(0, 20)
    weighted = r_of(Weighted(y, same, tau2, tested, scores_of(tested), flips=True), moves)
    np.testing.assert_allclose(
        weighted, r_of(pooled(y, tested, plan, scores_of(tested)), moves), atol=1e-6
    )


@pytest.mark.parametrize("contrast", [DIFFERENCE, SEVERAL])
def test_weighted_permutations_are_their_formula(contrast):
    y, v, tested, tau2 = weighted_case(contrast, np.random.default_rng(7))
    moves = plan_shuffles(tested, 500).moves(0, 10)
    ours = r_of(Weighted(y, v, tau2, tested, scores_of(tested), flips=False), moves)
    for sample in range(0, SAMPLES, 7):
        w = 1 / (v[:, sample] + tau2[sample])
        gram = (tested.null * w[:, None]).T @ tested.null
        e = y[:, sample] - tested.null @ np.linalg.solve(gram, tested.null.T @ (w * y[:, sample]))
        pairs = np.column_stack([w * e, w])
        for k in range(10):
            u, weights = pairs[moves.source[k]].T
            centred = tested.part - (weights @ tested.part) / weights.sum()
            score, spread = centred.T @ u, (centred * u[:, None] ** 2).T @ centred
            wanted = score @ np.linalg.solve(spread, score) / 21
            assert ours[k, sample] ** 2 == pytest.approx(wanted, rel=1e-3)


def test_the_weighted_score_agrees_in_sign_and_rank_with_random_effects():
    y, v, tested, tau2 = weighted_case(DIFFERENCE, np.random.default_rng(8))
    statistic = Weighted(y, v, tau2, tested, scores_of(tested), flips=False)
    ours = scores_of(tested).of(r_of(statistic, plan_shuffles(tested, 500).moves(0, 1)))[0]
    theirs = random_effects(y, v, tested).stat
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_halls_correction_is_its_formula():
    rng = np.random.default_rng(9)
    y = rng.gamma(2, size=(18, SAMPLES)) - 1.5
    tested = split_design(np.ones((18, 1)), [1])
    moves = plan_shuffles(tested, 500).moves(0, 20)
    ours = scores_of(tested).of(r_of(Skewed(y, tested, scores_of(tested)), moves))
    for k in range(20):
        flipped = moved(moves, k, y)
        t = flipped.mean(axis=0) / flipped.std(axis=0, ddof=1) * np.sqrt(18)
        third = ((flipped - flipped.mean(axis=0)) ** 3).mean(axis=0)
        g = third / flipped.std(axis=0) ** 3 / np.sqrt(18)
        wanted = t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6
        np.testing.assert_allclose(ours[k], wanted, rtol=2e-4, atol=2e-4)


def builders(tested, plan, scores, y, v):
    tau2 = between_people(y, v, tested.null)
    flips = not tested.constant_in_null
    made = {
        "pooled": pooled(y, tested, plan, scores),
        "robust": Robust(y, tested, scores),
        "weighted": Weighted(y, v, tau2, tested, scores, flips=flips),
    }
    return {**made, "skewed": Skewed(y, tested, scores)} if not tested.null.shape[1] else made


@pytest.mark.parametrize("contrast", ["mean", DIFFERENCE])
def test_absence_elsewhere_changes_nothing_and_absent_people_fall_out(contrast):
    y, v, tested, _ = weighted_case(contrast, np.random.default_rng(10))
    holed = y.copy()
    holed[:4, 1::2] = np.nan
    effect = ols(holed, tested)
    plan = plan_shuffles(tested, 500)
    moves = plan.moves(0, 20)
    scores = Scores(effect.dof, tested.q)
    full = builders(tested, plan, scores_of(tested), y, v)
    for name, statistic in builders(tested, plan, scores, holed, v).items():
        ours = r_of(statistic, moves)
        np.testing.assert_allclose(ours[:, ::2], r_of(full[name], moves)[:, ::2], atol=1e-6)
        if name == "pooled":
            t = ours[0] * np.sqrt(effect.dof / (1 - ours[0] ** 2))
            np.testing.assert_allclose(t, effect.stat, rtol=1e-5)


def test_the_mean_of_those_present_is_shuffled_as_if_they_were_alone():
    rng = np.random.default_rng(11)
    y, v, tested, _ = weighted_case("mean", rng)
    holed, alone = y.copy(), split_design(np.ones((17, 1)), [1])
    holed[:4] = np.nan
    moves = plan_shuffles(tested, 500).moves(0, 20)
    of_few = Moves(20, None, moves.signs[:, 4:])
    dof = np.full(SAMPLES, 16.0)
    all_of_them = builders(tested, plan_shuffles(tested, 500), Scores(dof), holed, v)
    few = builders(alone, plan_shuffles(alone, 500), Scores(dof), y[4:], v[4:])
    for name, statistic in all_of_them.items():
        np.testing.assert_allclose(r_of(statistic, moves), r_of(few[name], of_few), atol=2e-6)


def test_samples_that_are_not_tested_or_do_not_vary_are_zero():
    y, v, tested, _ = weighted_case("mean", np.random.default_rng(12))
    y[:, 2] = 0
    dof = np.full(SAMPLES, 20.0)
    dof[5] = np.nan
    plan = plan_shuffles(tested, 500)
    for statistic in builders(tested, plan, Scores(dof), y, v).values():
        ours = r_of(statistic, plan.moves(0, 5))
        assert np.isfinite(ours).all()
        assert (ours[:, [2, 5]] == 0).all()


def test_caller_s_maps_stay_as_they_are():
    y, v, tested, _ = weighted_case("mean", np.random.default_rng(13))
    y, v = y.astype(np.float32), v.astype(np.float32)
    for array in (y, v):
        array.setflags(write=False)
    plan = plan_shuffles(tested, 500)
    for statistic in builders(tested, plan, scores_of(tested), y, v).values():
        r_of(statistic, plan.moves(0, 5))


def test_statistics_without_a_formula_are_refused():
    y, v, tested, tau2 = weighted_case(SEVERAL, np.random.default_rng(14))
    with pytest.raises(OptionError, match="one contrast at a time"):
        Weighted(y, v, tau2, tested, scores_of(tested), flips=True)
    with pytest.raises(OptionError, match="without covariates"):
        Skewed(y, tested, scores_of(tested))
    mean = split_design(np.ones((21, 1)), [1])
    with pytest.raises(OptionError, match="sign flips alone"):
        Weighted(y, v, tau2, mean, scores_of(mean), flips=False)


def test_normal_scores_of_few_and_many_degrees_of_freedom_are_close_to_exact():
    dof = np.repeat([8.0, 15.0, 40.0], 50)
    t = np.tile(np.linspace(-6, 6, 50), 3)
    r = (t / np.sqrt(t**2 + dof)).astype(np.float32)
    exact, _ = t_test(t, dof)
    np.testing.assert_allclose(Scores(dof).of(r), exact, atol=0.03)
    assert Scores(dof).kind == "z"
    assert Scores(dof[:50]).kind == "t"
    np.testing.assert_allclose(Scores(dof[:50]).of(r[:50]), t[:50], rtol=1e-5)


@pytest.mark.parametrize("q", [2, 3, 6])
def test_normal_scores_of_f_are_close_to_exact(q):
    p = np.tile([0.3, 0.05, 0.01, 1e-3, 1e-4], 3)
    dof = np.repeat([12.0, 20.0, 40.0], 5)
    f = fdist.isf(p, q, dof)
    root = np.sqrt(q * f / (q * f + dof)).astype(np.float32)
    np.testing.assert_allclose(Scores(dof, q).of(root), norm.isf(p), atol=0.07)
    equal = Scores(np.full(5, 12.0), q)
    np.testing.assert_allclose(equal.of(root[:5]), np.sqrt(f[:5]), rtol=1e-5)
    assert equal.kind == "root F"


def test_thresholds_are_those_of_p_in_the_unit_of_the_scores():
    assert Scores(np.full(3, 20.0)).threshold(0.001) == pytest.approx(student.isf(0.0005, 20))
    root = np.sqrt(fdist.isf(0.001, 3, 20))
    assert Scores(np.full(3, 20.0), 3).threshold(0.001) == pytest.approx(root)
    assert Scores(np.arange(20.0, 23.0)).threshold(0.001) == pytest.approx(norm.isf(0.0005))
    assert Scores(np.arange(20.0, 23.0), 3).threshold(0.001) == pytest.approx(norm.isf(0.001))
