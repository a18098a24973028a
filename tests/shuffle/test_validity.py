"""How often tests find something where nothing is: thousands of data sets without an effect.

A rate is of data sets (family-wise) or of samples (uncorrected), at p <= .05. Each has its
control: what fails where the method is not the right one.
"""

import numpy as np
import pytest

from seedmap.connectivity.effects import between_people, ols
from seedmap.shuffle import (
    Robust,
    Scores,
    Shuffling,
    Skewed,
    Weighted,
    corrected_p,
    found,
    plan_shuffles,
    pooled,
    shuffle,
    split_design,
)

pytestmark = pytest.mark.slow

SHAPE = (10, 10, 10)
SETS, SHUFFLES = 1000, 199
JOBS = 2


def mean_of(people):
    return split_design(np.ones((people, 1)), [1])


def rate(statistic, plan):
    """Share of samples whose uncorrected p by shuffling is at most .05."""
    test = Shuffling(statistic, plan)
    return (shuffle(test, n_jobs=JOBS).reached / plan.total <= 0.05).mean()


def scores_of(tested, samples):
    return Scores(np.full(samples, float(tested.dof)), tested.q)


# ---- one sample at a time -------------------------------------------------------------------


@pytest.mark.parametrize("said", ["right", "half", "double", "noisy"])
def test_weighted_flips_are_exact_whatever_the_standard_errors_say(said):
    rng = np.random.default_rng(0)
    people, samples = 20, 20_000
    true = 1 / rng.choice([8.0, 18, 28, 38], size=(people, samples))
    y = rng.normal(size=true.shape) * np.sqrt(0.15**2 + true)
    noise = np.exp(rng.normal(0, 0.5, size=true.shape))
    v = true * {"right": 1, "half": 0.25, "double": 4, "noisy": noise}[said]
    tested = mean_of(people)
    tau2 = between_people(y, v, tested.null)
    statistic = Weighted(y, v, tau2, tested, scores_of(tested, samples), flips=True)
    assert 0.043 <= rate(statistic, plan_shuffles(tested, 999)) <= 0.057


def test_the_robust_score_holds_where_small_groups_spread_more():
    rng = np.random.default_rng(1)
    group = (np.arange(40) < 10).astype(float)
    x = np.column_stack([np.ones(40), group, rng.normal(size=40) + group])
    y = rng.normal(size=(40, 20_000)) * np.where(group, 2, 1)[:, None]
    tested = split_design(x, [0, 1, 0])
    plan = plan_shuffles(tested, 999)
    scores = scores_of(tested, 20_000)
    assert rate(Robust(y, tested, scores), plan) <= 0.068
    assert rate(pooled(y, tested, plan, scores), plan) >= 0.10


def test_the_robust_f_holds_where_small_groups_spread_more():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(3), [10, 20, 30])
    x = np.column_stack([np.eye(3)[group], rng.normal(size=60)])
    y = rng.normal(size=(60, 10_000)) * np.array([2, 1, 1])[group][:, None]
    tested = split_design(x, [[1, -1, 0, 0], [0, 1, -1, 0]])
    plan = plan_shuffles(tested, 499)
    scores = scores_of(tested, 10_000)
    assert rate(Robust(y, tested, scores), plan) <= 0.068
    assert rate(pooled(y, tested, plan, scores), plan) >= 0.10


@pytest.mark.parametrize("contrast", ["mean", "slope", "group"])
def test_absent_people_leave_the_rate_as_it_is(contrast):
    rng = np.random.default_rng(3)
    people, samples = 30, 20_000
    y = rng.normal(size=(people, samples))
    y[rng.random(y.shape) < 0.3] = np.nan
    group = np.arange(people) < 12
    columns = {
        "mean": [],
        "slope": [rng.normal(size=people)],
        "group": [group, rng.normal(size=people)],
    }
    x = np.column_stack([np.ones(people), *columns[contrast]])
    tested = split_design(x, [1] if contrast == "mean" else np.eye(x.shape[1])[1])
    plan = plan_shuffles(tested, 999)
    scores = Scores(ols(y, tested).dof)
    statistic = (
        Robust(y, tested, scores) if contrast == "group" else pooled(y, tested, plan, scores)
    )
    assert 0.043 <= rate(statistic, plan) <= 0.058


# ---- families of samples --------------------------------------------------------------------


def one_sample(rng, noise):
    return noise(rng, 20, SHAPE), mean_of(20), None


def unequal_people(rng, noise):
    spread = rng.permutation(np.resize([0.5, 1, 2], 20))
    return noise(rng, 20, SHAPE) * spread[:, None], mean_of(20), None


def two_groups(rng, noise):
    group = (np.arange(24) < 12).astype(float)
    x = np.column_stack([np.ones(24), group, rng.normal(size=24), rng.normal(size=24) + group])
    return noise(rng, 24, SHAPE), split_design(x, [0, 1, 0, 0]), None


def pairs(rng, noise):
    """Twelve pairs, each with a mean of its own, shuffled within."""
    family = np.repeat(np.arange(12), 2)
    x = np.column_stack([np.eye(12)[family], np.tile([0.0, 1], 12)])
    own = noise(rng, 12, SHAPE)[family]
    return noise(rng, 24, SHAPE) + own, split_design(x, [*np.zeros(12), 1]), family


@pytest.mark.parametrize("make", [one_sample, unequal_people, two_groups, pairs])
def test_family_wise_error_is_five_per_cent(make, grid_10, smooth_noise):
    rng, lots = np.random.default_rng(4), np.random.default_rng(40)
    hits = dict.fromkeys(("p_fwe", "p_extent", "p_mass", "p_tfce", "extent without ties"), 0)
    for number in range(SETS):
        maps, tested, blocks = make(rng, smooth_noise)
        plan = plan_shuffles(tested, SHUFFLES, seed=number, blocks=blocks)
        scores = scores_of(tested, maps.shape[1])
        test = Shuffling(
            pooled(maps, tested, plan, scores),
            plan,
            grid_10,
            tfce=True,
            cluster_threshold=scores.threshold(0.01),
        )
        null = shuffle(test, n_jobs=JOBS)
        result = found(test, null)
        smallest = {name: getattr(result, name).min() for name in hits if name.startswith("p_")}
        smallest["extent without ties"] = without_ties(null.maxima["extent"][:, 0], lots)
        for name, p in smallest.items():
            hits[name] += p <= 0.05
    rates = {name: count / SETS for name, count in hits.items()}
    assert all(share <= 0.066 for share in rates.values()), rates
    # The extent of small clusters has ties, which make p too large, never too small.
    assert all(share >= 0.036 for name, share in rates.items() if name != "p_extent"), rates
    assert 0.025 <= rates["p_extent"] <= rates["extent without ties"]


def without_ties(maxima, lots):
    """Return the p of the first of some maxima, those that equal it put above or below by lot."""
    first, others = maxima[0], maxima[1:]
    equal = np.isclose(others, first, rtol=1e-5)
    above = (others > first) & ~equal
    return (1 + above.sum() + lots.integers(equal.sum() + 1)) / maxima.size


@pytest.fixture
def grid_10(make_graph, pairs_of_grid):
    return make_graph(pairs_of_grid(SHAPE), int(np.prod(SHAPE)))


def test_family_wise_error_of_grayordinates_by_smallest_rank(
    make_graph, pairs_of_grid, smooth_noise
):
    """A sheet of 40 x 40 vertices of 12 mm^2 and a block of 9 x 9 x 9 voxels, not connected."""
    rng = np.random.default_rng(5)
    sheet, block = (40, 40), (9, 9, 9)
    edge = int(np.prod(sheet))
    samples = edge + int(np.prod(block))
    kinds = np.arange(samples) >= edge
    graph = make_graph(
        np.concatenate([pairs_of_grid(sheet), edge + pairs_of_grid(block)]),
        samples,
        sizes=np.where(kinds, 1.0, 12.0),
        kinds=kinds,
        extent_powers=(1.0, 0.5),
    )
    joint, raw_in_voxels, in_voxels = 0, 0, 0
    for number in range(SETS):
        maps = np.hstack([smooth_noise(rng, 16, sheet), smooth_noise(rng, 16, block)])
        tested = mean_of(16)
        plan = plan_shuffles(tested, SHUFFLES, seed=number)
        statistic = pooled(maps, tested, plan, scores_of(tested, samples))
        test = Shuffling(statistic, plan, graph, tfce=True)
        null = shuffle(test, n_jobs=JOBS)
        result = found(test, null)
        joint += result.p_tfce.min() <= 0.05
        in_voxels += result.p_tfce[kinds].min() <= 0.05
        raw = corrected_p(np.abs(result.tfce), null.maxima["tfce"].max(axis=1))
        raw_in_voxels += raw[kinds].min() <= 0.05
    assert 0.036 <= joint / SETS <= 0.066
    assert in_voxels / SETS >= 0.012
    assert raw_in_voxels / SETS <= 0.005  # the control: voxels would never be found


def skewed(rng, people, samples, skewness):
    """Return values of mean 0 and variance 1: a shifted gamma."""
    shape = 4 / skewness**2
    return (rng.gamma(shape, size=(people, samples)) - shape) / np.sqrt(shape)


def test_skewed_people_need_the_correction():
    rng = np.random.default_rng(6)
    tested, hits, plain = mean_of(20), 0, 0
    for number in range(SETS):
        y = skewed(rng, 20, 300, 0.6)
        plan = plan_shuffles(tested, SHUFFLES, seed=number)
        scores = scores_of(tested, 300)
        for statistic in (Skewed(y, tested, scores), pooled(y, tested, plan, scores)):
            test = Shuffling(statistic, plan)
            hit = np.min(found(test, shuffle(test)).p_fwe) <= 0.05
            hits += hit if isinstance(statistic, Skewed) else 0
            plain += hit if not isinstance(statistic, Skewed) else 0
    assert hits / SETS <= 0.09
    assert plain / SETS >= 0.10


def test_the_seed_s_own_place_must_be_left_out(make_graph, pairs_of_grid, smooth_noise):
    """A huge effect at the seed, none beyond: TFCE grows out of it if it is kept."""
    rng, shape = np.random.default_rng(7), (14, 14, 14)
    graph = make_graph(pairs_of_grid(shape), 14**3)
    place = np.stack(np.unravel_index(np.arange(14**3), shape), axis=1)
    seed = np.linalg.norm(place - 6.5, axis=1) < 4
    sets, hits, tested = 300, {"kept": 0, "out": 0}, mean_of(20)
    for number in range(sets):
        maps = smooth_noise(rng, 20, shape) + 4 * seed[None]
        plan = plan_shuffles(tested, SHUFFLES, seed=number)
        for name in hits:
            dof = np.full(14**3, 19.0)
            dof[seed & (name == "out")] = np.nan
            test = Shuffling(pooled(maps, tested, plan, Scores(dof)), plan, graph, tfce=True)
            hits[name] += np.nanmin(found(test, shuffle(test, n_jobs=JOBS)).p_tfce[~seed]) <= 0.05
    assert hits["out"] / sets <= 0.07
    assert hits["kept"] / sets >= 0.30
