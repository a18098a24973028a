"""Phantom studies with a planted group difference: found in place, nowhere else, and not where there is none."""

import runpy
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation

import seedmap as sm

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_10_group.py"
PEOPLE, STUDIES, SMALL = 40, 200, 12

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning"),
]


def check_found_in_place(significant, truth, region):
    """What is significant is where the difference was planted: Dice .6 or more, nothing beyond."""
    reach = np.zeros(truth.brain.shape, dtype=bool)
    reach[truth.brain] = truth.weights[region] > 0.25
    dice = 2 * (significant & reach).sum() / (significant.sum() + reach.sum())
    assert dice >= 0.6
    assert not (significant & ~binary_dilation(reach, iterations=2)).any()


@pytest.mark.filterwarnings("default::seedmap.errors.SeedmapWarning")
def test_the_example_of_12_finds_what_was_planted(monkeypatch):
    monkeypatch.setattr(mpl, "get_backend", lambda: "agg")
    names = runpy.run_path(str(EXAMPLE))
    check_found_in_place(names["significant"], names["truth"], names["motor"])


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return sm.datasets.make_phantom(
        tmp_path_factory.mktemp("phantom"), n_subjects=PEOPLE, voxel_size=8
    )


def number_of(truth, name):
    return next(i for i, region in enumerate(truth.regions) if region.name == name)


def maps_of(phantom, planted):
    """Make the maps of all, with some of the PCC's signal in the motor cortex of the first planted."""
    truth = phantom.truth
    pcc, motor = (number_of(truth, name) for name in ("PCC", "LMotor"))
    seed, maps = sm.Sphere("PCC", (0, -52, 18), radius=8), {}
    runs = zip(phantom.func, phantom.confounds, truth.signals, strict=True)
    for number, (bold, confounds, signals) in enumerate(runs, start=1):
        image = nib.load(bold)
        run = image.get_fdata(dtype=np.float32)
        if number <= planted:
            run[truth.brain] += 60 * truth.weights[motor][:, None] * signals[:, pcc]
        run = nib.Nifti1Image(run, image.affine, image.header)
        maps[f"{number:02d}"] = sm.seed_maps(run, seed, confounds=confounds, smoothing_fwhm=8)
    return maps


def difference(maps, labels, shuffles):
    people = list(maps)
    rng = np.random.default_rng(0)
    table = {"participant_id": people, "group": labels, "age": rng.normal(40, 9, len(people))}
    group = sm.group_maps(
        maps,
        design=pd.DataFrame(table),
        model="group + age",
        contrasts="patient - control",
        inference=sm.Shuffles(number=shuffles, cluster_p=None),
    )
    p = group["patient - control"].to_img("PCC", "ptfce").get_fdata()
    return (p > 0) & (p <= 0.05)


def test_40_people_show_what_was_planted_in_20_and_nothing_else(phantom):
    labels = ["patient"] * (PEOPLE // 2) + ["control"] * (PEOPLE // 2)
    found = difference(maps_of(phantom, PEOPLE // 2), labels, 500)
    check_found_in_place(found, phantom.truth, number_of(phantom.truth, "LMotor"))


def test_without_a_difference_nothing_is_found_in_95_of_100_studies(phantom):
    maps, rng, hits = maps_of(phantom, 0), np.random.default_rng(2), 0
    for _ in range(STUDIES):
        some = rng.permutation(list(maps))[:SMALL]
        labels = ["patient"] * (SMALL // 2) + ["control"] * (SMALL // 2)
        hits += difference({label: maps[label] for label in some}, labels, 199).any()
    assert hits <= 16  # 5 % of 200 are 10; 16 or more come in 4 of 100 such tests
