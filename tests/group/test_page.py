"""The page of a group: people, design, results, leave-one-out and methods are there and right."""

import re

import numpy as np
import pytest

from seedmap.group import Shuffles, group_maps
from seedmap.group.page import _leave_one_out, group_page
from seedmap.group.peaks import find_group_clusters
from seedmap.report.people import design_chart, values_chart

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")


@pytest.fixture(scope="module")
def group(study):
    return group_maps(
        study.folder,
        "PCC",
        design=study.table,
        model="group + age",
        contrasts=["patient - control", "age"],
        inference=Shuffles(number=199),
        n_jobs=1,
    )


@pytest.fixture(scope="module")
def page(group):
    return group.report()


def test_the_page_loads_nothing_and_has_no_gap(page):
    assert not re.search(r'(src|href)="https?:', page)
    for word in ("nan", "None", "undefined", "{{"):
        assert not re.search(
            rf"(?<![\w/+]){re.escape(word)}(?![\w/+=])", re.sub(r'base64,[^"]*', "", page)
        ), word


def test_the_question_the_people_and_the_methods_are_said(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.sub(r'base64,[^"]*', "", page)))
    assert "tested for patient - control and age in the model group + age" in text
    assert "16 people were used and 0 left out" in text
    assert "2 contrasts were looked at; p are corrected within each" in text
    assert "by 199 random permutations of people, two-sided, by a studentised score" in text
    assert "variance inflation" in text
    assert "of TFCE of at most .05" in text


def test_people_are_shown_at_the_peaks(page):
    assert page.count('class="person"') >= 16
    assert "patient 0.6" in page or "patient 0.7" in page


def test_leaving_one_out_is_that_of_fitting_again(group):
    maps = group["patient - control"]
    peak = find_group_clusters(maps)[0].sample
    y = group.loaded.maps[:, peak].astype(np.float64)
    change, who = _leave_one_out(group, maps, y)
    x, c = group.plan.design.matrix, maps.contrast.weights[0]
    whole = c @ np.linalg.lstsq(x, y, rcond=None)[0]
    again = [
        c @ np.linalg.lstsq(np.delete(x, i, 0), np.delete(y, i), rcond=None)[0] - whole
        for i in range(len(y))
    ]
    assert change == pytest.approx(max(again, key=abs), rel=1e-9)
    assert who == group.people[int(np.argmax(np.abs(again)))]


def test_a_page_without_significance_has_one_picture(study):
    none = group_maps(
        study.folder,
        "PCC",
        design=study.table,
        model="age",
        contrasts="age",
        inference="parametric",
    )
    assert not none["age"].significant().any()
    assert group_page(none).count("<img") == 1


def test_somebody_unlike_the_others_is_named(make_study, tmp_path):
    import nibabel as nib

    study = make_study(tmp_path)
    path = next(study.folder.glob("sub-07/func/*fisherz*"))
    image = nib.load(path)
    noise = np.random.default_rng(3).normal(0.2, 0.5, image.shape)
    nib.Nifti1Image(np.where(study.mask, noise, 0).astype(np.float32), image.affine).to_filename(
        path
    )
    group = group_maps(study.folder, "PCC", inference="parametric")
    assert "sub-07: the map is unlike the others" in group.report()


def test_charts_escape_names_and_hold_everybody():
    values = np.array([0.1, np.nan, 0.3])
    chart = values_chart(values, None, ["<a>", "b", "c"], ["x", "x", "y"], "name & more")
    assert "&lt;a&gt;" in chart
    assert "<a>" not in chart
    assert chart.count('class="person"') == 2
    drawn = design_chart(np.array([[1.0, -2], [1, 2]]), ["intercept", "age"], ["a", "b"])
    assert drawn.count("<rect") == 4
