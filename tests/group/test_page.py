"""The page of a group: people, design, results, leave-one-out and methods are there and right."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seedmap.group import Shuffles, group_maps, words
from seedmap.group.motion import changed_words, motion_of
from seedmap.group.page import group_page
from seedmap.group.peaks import find_group_clusters
from seedmap.group.people_at_peaks import leave_one_out
from seedmap.group.references import REFERENCES, references_in
from seedmap.group.words import methods_words
from seedmap.report.people import design_chart, slope_chart, values_chart

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
    assert not re.search(r'src="https?:|<link|@import|url\(', re.sub(r"data:[^\"']*", "", page))
    links = re.findall(r'href="(https?:[^"]*)', page)
    assert all(link.startswith("https://doi.org/10.") for link in links)
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


def test_all_that_the_methods_cite_are_references(page):
    text = re.sub(r'base64,[^"]*', "", page)
    methods = text.partition('id="methods"')[2].partition('id="references"')
    cited = set(re.findall(r"doi:(10\.[^\s,;)<]+)", methods[0]))
    assert len(cited) >= 5
    assert set(re.findall(r'href="https://doi.org/([^"]+)"', methods[2])) == cited


def test_every_reference_is_one_that_some_method_cites():
    source = "".join(path.read_text() for path in Path(words.__file__).parent.glob("words.py"))
    assert set(REFERENCES) == set(re.findall(r"doi:(10\.[^\s,;)\"]+)", source))


@pytest.mark.parametrize("mode", ["within", "whole"])
def test_blocks_and_the_tail_are_in_the_methods(study, mode):
    table = pd.read_csv(study.table, sep="\t").assign(pair=np.arange(16) // 2)
    shuffles = Shuffles(number=99, tfce=False, blocks="pair", blocks_mode=mode, tail=True)
    group = group_maps(study.folder, "PCC", design=table, inference=shuffles)
    methods = " ".join(methods_words(group))
    assert f"{'whole' if mode == 'whole' else 'within'} blocks of pair" in methods
    assert group["mean"].facts["BlocksMode"] == mode
    assert "generalised Pareto" in methods
    assert len(references_in([methods])) == methods.count("doi:")


def test_people_are_shown_at_the_peaks(page):
    assert page.count('class="person"') >= 16
    assert "patient 0.6" in page or "patient 0.7" in page


def test_leaving_one_out_is_that_of_fitting_again(group):
    maps = group["patient - control"]
    peak = find_group_clusters(maps)[0].sample
    y = group.loaded.maps[:, peak].astype(np.float64)
    change, who = leave_one_out(group, maps, y)
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


def places(chart, kind, key):
    return [float(x) for x in re.findall(rf'class="{kind}"[^>]* {key}="([-\d.]+)"', chart)]


def test_a_mean_has_the_interval_of_a_t_test():
    values = np.linspace(-0.7, 1.3, 9)
    chart = values_chart(values, None, list("abcdefghi"), [""] * 9, "name", as_r=False)
    at, ends = places(chart, "person", "cx"), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    drawn = places(chart, "interval", "x1")[0], places(chart, "interval", "x2")[0]
    np.testing.assert_allclose(drawn, np.interp(ends, values, at), atol=0.1)


def test_people_and_the_slope_are_drawn_over_the_covariate():
    ages = np.array([20.0, 30, 40, 60])
    values = 0.02 * (ages - 40)
    chart = slope_chart(
        values, np.full(4, 0.1), ages, ["<a>", "b", "c", "d"], "name", slope=0.02, across="age"
    )
    assert "&lt;a&gt;" in chart
    across, up = (np.array(places(chart, "person", key)) for key in ("cx", "cy"))
    np.testing.assert_allclose(np.diff(across) / np.diff(ages), np.diff(across)[0] / 10, rtol=0.01)
    line = [
        tuple(map(float, point.split(",")))
        for point in re.search(r'class="slope" points="([^"]*)', chart)[1].split()
    ]
    on_line = np.interp(across, *np.array(line).T)
    np.testing.assert_allclose(up, on_line, atol=0.5)


def replaced(study, number, change):
    import nibabel as nib

    path = next(study.folder.glob(f"sub-{number:02d}/func/*fisherz*"))
    image = nib.load(path)
    values = change(np.asarray(image.dataobj).copy())
    nib.Nifti1Image(values.astype(np.float32), image.affine).to_filename(path)


def test_the_number_of_people_is_drawn_where_it_varies(make_study, tmp_path, group, page):
    assert "People without a value" not in page
    study = make_study(tmp_path)

    def cut(values):
        values[:4] = 0
        return values

    for number in (2, 3, 4, 5):
        replaced(study, number, cut)
    text = group_maps(study.folder, "PCC", inference="parametric").report()
    assert "runs from 12 to 16" in text
    assert "Outlined and not tested is where fewer than 13 have one." in text


def with_motion(study, tied):
    """Give people a mean FD; maps go along with it if they are tied."""
    moved = np.random.default_rng(5).gamma(3, 0.06, 16).round(3)
    lines = study.table.read_text().splitlines()
    rows = [f"{line}\t{value}" for line, value in zip(lines, ["mean_fd", *moved], strict=True)]
    study.table.write_text("\n".join(rows) + "\n")
    for number in range(1, 17) if tied else ():
        shift = 2 * (moved[number - 1] - moved.mean())
        replaced(study, number, lambda v, shift=shift: np.where(study.mask, v + shift, 0))
    return moved


@pytest.mark.parametrize("tied", [False, True])
def test_motion_is_held_against_the_maps(make_study, tmp_path, tied):
    study = make_study(tmp_path)
    moved = with_motion(study, tied)
    said = {}
    for model in ("group + mean_fd", "group"):
        found = group_maps(
            study.folder,
            "PCC",
            design=study.table,
            model=model,
            contrasts="patient - control",
            inference="parametric",
        )
        said[model] = motion_of(found)
    assert said["group"] is None  # the first level recorded none, and the model has none
    first, second, third = said["group + mean_fd"].sentences
    assert f"Mean FD is {moved.mean():.2f} mm" in first
    assert f"patient {moved[:8].mean():.2f}" in first
    there = study_now(study) - study_now(study).mean(axis=0)
    r = (moved - moved.mean()) @ there / np.linalg.norm(there, axis=0)
    r = np.abs(r / np.linalg.norm(moved - moved.mean()))
    assert float(re.search(r"\|r\| = ([\d.]+)", second)[1]) == pytest.approx(
        np.median(r), abs=0.006
    )
    assert (np.median(r) > 0.5) == tied
    assert "nothing that is linear in it is left" in third


def test_motion_of_the_first_level_is_held_against_what_the_model_leaves(make_study, tmp_path):
    study = make_study(tmp_path)
    moved = with_motion(study, tied=True)
    maps = {
        f"{i:02d}": str(next(study.folder.glob(f"sub-{i:02d}/func/*fisherz*")))
        for i in range(1, 17)
    }
    table = tmp_path / "maps.tsv"
    rows = [f"{label}\t{path}" for label, path in maps.items()]
    table.write_text("participant_id\teffect\n" + "\n".join(rows) + "\n")
    found = group_maps(
        table, "PCC", design=study.table, model="age", contrasts="age", inference="parametric"
    )
    beside = {"mean_fd": moved}
    found = replace(found, plan=replace(found.plan, beside=beside))
    said = motion_of(found).sentences[-1]
    left = [
        y - found.plan.design.matrix @ np.linalg.lstsq(found.plan.design.matrix, y, rcond=None)[0]
        for y in (moved, study_now(study))
    ]
    r = np.abs([np.corrcoef(left[0], column)[0, 1] for column in left[1].T])
    assert float(re.search(r"leaves it is ([\d.]+)", said)[1]) == pytest.approx(
        np.median(r), abs=0.006
    )
    assert 'id="motion"' in found.report()


@pytest.mark.parametrize("model", ["group + mean_fd", "group"])
def test_what_mean_fd_changes_at_a_peak_is_that_of_fitting_again(make_study, tmp_path, model):
    study = make_study(tmp_path)
    moved = with_motion(study, tied=True)
    options = {"design": study.table, "contrasts": "patient - control", "inference": "parametric"}
    found = group_maps(study.folder, "PCC", model=model, **options)
    found = replace(found, plan=replace(found.plan, beside={"mean_fd": moved}))
    y = found.loaded.maps[:, 500].astype(np.float64)
    said = changed_words(found, found["patient - control"], y)
    effects = {}
    for word, columns in (("With", [moved - moved.mean()]), ("Without", [])):
        group = np.where(np.arange(16) < 8, -1.0, 1.0)  # control is above 0
        x = np.column_stack([np.ones(16), group, *columns])
        effects[word] = -2 * np.linalg.lstsq(x, y, rcond=None)[0][1]
    now, then = ("With", "Without") if "mean_fd" in model else ("Without", "With")
    assert said.startswith(f"{then} mean_fd in the model")
    numbers = [float(one) for one in re.findall(r"-?\d+\.\d+", said.replace("\N{MINUS SIGN}", "-"))]
    assert numbers == pytest.approx([effects[then], effects[now]], abs=0.006)
    assert "in place of" in found.report()


def study_now(study):
    """Read the maps as they are on disk, shape (people, samples)."""
    import nibabel as nib

    paths = sorted(study.folder.glob("sub-*/func/*fisherz*"))
    return np.stack([nib.load(path).get_fdata()[study.mask] for path in paths])


@pytest.mark.parametrize("spreads", [False, True])
def test_residuals_that_spread_with_a_covariate_are_reported(spreads):
    import nibabel as nib

    rng = np.random.default_rng(1)
    age = np.linspace(-2, 2, 60)
    noise = rng.standard_normal((60, 4, 4, 4)).astype(np.float32)
    noise *= (0.1 + 3 * np.abs(age) * spreads).astype(np.float32)[:, None, None, None]
    images = {f"{i:02d}": nib.Nifti1Image(one, np.eye(4)) for i, one in enumerate(noise)}
    table = pd.DataFrame({"participant_id": list(images), "age": age})
    options = {"design": table, "model": "age", "contrasts": "age", "inference": "parametric"}
    said = [
        one for one in group_maps(images, **options).notes if "people far from the median" in one
    ]
    assert bool(said) == spreads
    quick = Shuffles(number=19, tfce=False, cluster_p=None)
    robust = group_maps(images, **{**options, "inference": quick, "variance": "robust"})
    assert not any("people far from the median" in one for one in robust.notes)
