"""L5: a symptom that is planted in twelve phantoms is found where it is."""

import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.lesions import (
    Times,
    design,
    draw_set,
    lesion_series,
    mean_maps,
    nuisance,
    p_patients,
    p_people,
    slopes,
)
from seedmap.lesions.nulls import Places
from seedmap.lesions.pipeline import connectome_of

pytestmark = pytest.mark.slow

PATIENTS, DRAWS, TIMES = 60, 4, Times(499)
# A region has full weight within 10 mm, and none from 15 mm on; the smoothing reaches 6 mm farther.
FULL, WIDE, REACH = 10.0, 15.0, 21.0


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Twelve phantoms at 4 mm, cleaned and stored, and what is planted in them."""
    folder = tmp_path_factory.mktemp("phantoms")
    study = make_study(folder / "study", 12)
    clean = ("--strategy", "36P", "--store", "--no-figures", "-q")
    call = ("bids", study.folder, folder / "out", "participant", "--seed", "PCC=0,-52,18", *clean)
    assert main([*map(str, call)]) == 0
    return pack_study(folder / "out", Choice("")).pack, study.phantom.truth


def planted(space, truth):
    """Return distances (regions, samples) [mm] and weights of those that go with the first region."""
    at = np.stack([one.coordinates for one in truth.regions])
    away = np.linalg.norm(space.coordinates() - at[:, None], axis=2)
    weight = 0.5 + 0.5 * np.cos(np.pi * np.clip((away - FULL) / (WIDE - FULL), 0, 1))
    return away, weight, truth.correlation[0] != 0


def symptom(lesions, weight, truth):
    """Return the correlation with the first region that a lesion's mean series has, noise of 1."""
    size = np.asarray(lesions.sum(axis=1)).ravel()
    share = lesions @ weight.T / size[:, None]
    own = np.einsum("lr,rs,ls->l", share, truth.correlation, share) + 1 / size
    return share @ truth.correlation[:, 0] / np.sqrt(own)


def test_a_planted_symptom_is_found_where_it_is(phantoms, tools):
    """With its control: over patients alone most of what is found lies elsewhere."""
    pack, truth = phantoms
    connectome = connectome_of(pack)
    away, weight, with_it = planted(pack.space, truth)
    networks = away[with_it].min(axis=0) < WIDE
    default = [one.network == truth.regions[0].network for one in truth.regions]
    near = away[default].min(axis=0) < REACH
    half = np.where(near, 1 / near.mean(), 1 / (~near).mean())  # of the lesions lie there
    places = Places.of(pack.space.mask, half)
    family, counts, cores = np.ones(connectome.samples, bool), np.zeros(4), []
    for number in range(DRAWS):
        radii = np.random.default_rng(number).uniform(1.8, 4, PATIENTS)  # 1.6 to 16 ml
        lesions = draw_set(places, [tools.ball(radius) for radius in radii], 7, number)
        size = np.asarray(lesions.sum(axis=1)).ravel()
        score = symptom(lesions, weight, truth)
        split = design(score, nuisance(size, np.empty((PATIENTS, 0))))
        weights = slopes(split, np.ones((PATIENTS, connectome.samples), bool))
        got = mean_maps(connectome, lesion_series(connectome, lesions), weights)
        alone = p_patients(got.mean, split, family, TIMES) <= 0.05
        both = alone & (p_people(got.people, family, TIMES) <= 0.05)
        counts += [both.sum(), (both & networks).sum(), alone.sum(), (alone & networks).sum()]
        cores += [both[one < FULL].mean() for one in away[with_it]]
    assert counts[1] / counts[0] >= 0.85
    assert np.mean(cores) >= 0.90
    assert counts[3] / counts[2] <= 0.30
