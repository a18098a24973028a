"""Errors of the tests over many made data sets, and those of what the tests replace.

Each control leaves out one thing that the method has: lesion size, people, fresh random sets, lesions
of the same territory, a fold of its own. It has to fail, or the check would prove nothing.
"""

import numpy as np
import pytest
from scipy.sparse import csr_array

from seedmap.lesions import (
    Times,
    compare_sets,
    design,
    draw_set,
    group_factor,
    lesion_series,
    likeness_products,
    mean_maps,
    nuisance,
    p_patients,
    p_people,
    predict,
    random_directions,
    slopes,
)
from seedmap.lesions.nulls import Places, pooled_directions

pytestmark = pytest.mark.slow

SETS, LESIONS = 400, 30
TIMES = Times(199)


@pytest.fixture(scope="module")
def cohort(tools):
    return tools.connectome(12, rng=11, noise=1.5, overall=0.5)


def maps_of(made, lesions, weights=None):
    return mean_maps(made.connectome, lesion_series(made.connectome, lesions), weights)


@pytest.fixture(scope="module")
def rates(cohort, tools):
    """Share of data sets with any significant sample, by what was tested and how."""
    random = np.random.default_rng(12)
    family = np.ones(cohort.samples, bool)
    found = dict.fromkeys(("score", "people", "both", "size", "size alone"), 0)
    for number in range(SETS):
        lesions = draw_set(cohort.places, tools.shapes(random, LESIONS), 13, number)
        volumes = np.asarray(lesions.sum(axis=1)).ravel()
        beside = nuisance(volumes, np.empty((LESIONS, 0)))
        score = random.standard_normal(LESIONS)
        split = design(score, beside)
        got = maps_of(cohort, lesions, slopes(split, np.ones((LESIONS, cohort.samples), bool)))
        patients = p_patients(got.mean, split, family, TIMES)
        people = p_people(got.people, family, TIMES)
        logs = np.log(volumes)
        size = (logs - logs.mean()) / logs.std() + 0.7 * random.standard_normal(LESIONS)
        without = design(size, np.ones((LESIONS, 1)))
        tested = {
            "score": patients,
            "people": people,
            "both": np.maximum(patients, people),
            "size": p_patients(got.mean, design(size, beside), family, TIMES),
            "size alone": p_patients(got.mean, without, family, TIMES),
        }
        for name, p in tested.items():
            found[name] += p.min() <= 0.05
    return {name: count / SETS for name, count in found.items()}


@pytest.mark.parametrize("name", ["score", "size"])
def test_errors_over_patients(rates, name):
    """L3: a random score, and one that goes with lesion size, which is in the model."""
    assert 0.03 <= rates[name] <= 0.07


def test_without_lesion_size_a_score_that_goes_with_it_is_found(rates):
    """L3, the control."""
    assert rates["size alone"] >= 0.20


def test_random_scores_are_not_found_over_patients_and_people(rates):
    """L6."""
    assert rates["both"] <= 0.06


def test_people_alone_find_random_scores(rates):
    """L6, the control."""
    assert rates["people"] >= 0.90


NULL_SETS, OF, TRIED = 300, 25, 200


@pytest.fixture(scope="module")
def fine(tools):
    """A connectome of many networks: many maps of sets are unlike."""
    return tools.connectome(4, rng=31, networks=150, sigma=0.8)


@pytest.fixture(scope="module")
def sets(fine, tools):
    """Return the factor, and what draws directions of sets by their numbers."""
    factor = group_factor(fine.connectome)
    shapes = tools.shapes(np.random.default_rng(21), OF)

    def drawn(numbers, prior=None):
        places = fine.places if prior is None else Places.of(np.ones(tools.shape, bool), prior)
        return random_directions(factor, places, shapes, 5, numbers)

    return factor, drawn


def share_found(factor, mine, *nulls):
    found = [
        compare_sets(factor, one, nulls[k % len(nulls)]).p.min() <= 0.05
        for k, one in enumerate(mine)
    ]
    return np.mean(found)


def test_fresh_sets(sets):
    """L4: every set is compared with sets of its own."""
    factor, drawn = sets
    mine = drawn(np.arange(TRIED))
    nulls = [drawn(1000 + k * NULL_SETS + np.arange(NULL_SETS)) for k in range(TRIED)]
    assert 0.03 <= share_found(factor, mine, *nulls) <= 0.075


def test_sets_from_a_large_pool_and_from_a_small_one(fine, sets, tools):
    """L4, with its control."""
    factor, drawn = sets
    shapes = tools.shapes(np.random.default_rng(21), OF)
    mine = drawn(np.arange(TRIED))

    def pools(each, number, sets):
        return [
            pooled_directions(factor, fine.places, shapes, 99 + k, sets, each)
            for k in range(number)
        ]

    large, small = pools(600, 4, NULL_SETS), pools(30, 50, 1000)
    assert 0.03 <= share_found(factor, mine, *large) <= 0.075
    assert share_found(factor, mine, *small) >= 0.09


def test_lesions_of_a_territory_differ_from_lesions_anywhere(fine, sets):
    """L4, the control: it is about where lesions lie and not about a symptom."""
    factor, drawn = sets
    at = fine.places.voxels
    mine = drawn(np.arange(50), (at[:, 0] < 7) & (at[:, 1] < 8))
    assert share_found(factor, mine, drawn(1000 + np.arange(NULL_SETS))) >= 0.90


PATIENTS, PREDICTED = 40, 300


@pytest.mark.parametrize("kind", ["random", "size"])
def test_the_gain_of_predictions(cohort, tools, kind):
    """L8: nothing is gained, with a random score and with one that only goes with lesion size."""
    random = np.random.default_rng(41)
    found = 0
    for number in range(PREDICTED):
        lesions = draw_set(cohort.places, tools.shapes(random, PATIENTS), 43, number)
        volumes = np.asarray(lesions.sum(axis=1)).ravel()
        maps = maps_of(cohort, lesions).mean
        everywhere = lesions.sum(axis=0)[None] / len(volumes)
        expected = maps_of(cohort, csr_array(everywhere)).mean[0]
        score = random.standard_normal(PATIENTS)
        if kind == "size":
            score = np.log(volumes) / np.log(volumes).std() + 0.7 * score
        beside = nuisance(volumes, np.empty((PATIENTS, 0)))
        products = likeness_products(maps, expected)
        found += predict(score, beside, *products, number=199).p <= 0.05
    assert 0.025 <= found / PREDICTED <= 0.08
