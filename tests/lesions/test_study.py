"""Lesions through a study's stored runs: the numbers, the files, and what is refused."""

import itertools
import json
import re

import nibabel as nib
import numpy as np
import pytest
from scipy.sparse import csr_array

from seedmap import MaskSeed, stored_maps
from seedmap.cli import main
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.lesions import (
    Connectome,
    Places,
    direction,
    group_factor,
    lesion_maps,
    lesion_series,
    mean_maps,
)
from seedmap.lesions.nulls import shape_of
from seedmap.lesions.page import lesion_page
from seedmap.lesions.pipeline import connectome_of
from seedmap.lesions.volumes import grey_matter
from seedmap.store import open_stored

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")

PATIENTS = 24


@pytest.fixture(scope="module")
def space(stored_study):
    return open_stored(stored_study.path("01")).space


def save(values, affine, path):
    nib.Nifti1Image(values.astype(np.uint8), affine).to_filename(path)


@pytest.fixture(scope="module")
def lesions(space, tmp_path_factory):
    """Write lesions of 2 to 4 voxels' width, and a table of them."""
    folder = tmp_path_factory.mktemp("lesions")
    random = np.random.default_rng(5)
    inside = np.argwhere(space.mask)
    rows = ["participant_id\tlesion\taphasia\tage\tgroup\tsame"]
    for number in range(PATIENTS):
        at = inside[random.integers(len(inside))]
        image = np.zeros(space.shape, bool)
        image[tuple(slice(max(a - 1, 0), a + 1 + number % 3) for a in at)] = True
        save(image & space.mask, space.affine, folder / f"{number}.nii.gz")
        kind = "control" if number % 2 else "patient"
        cells = (
            f"sub-P{number:02d}\t{number}.nii.gz\t{random.normal():.3f}\t{random.normal(60, 9):.1f}"
        )
        rows.append(f"{cells}\t{kind}\t3")
    (folder / "lesions.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def study(own_root, lesions):
    return lesion_maps(
        own_root, lesions / "lesions.tsv", score="aphasia", covariates=("age",), shuffles=199,
        null="matched", null_sets=99,
    )  # fmt: skip


@pytest.fixture(scope="module")
def own_root(stored_study):
    return stored_study.root


def test_maps_are_those_of_stored_runs(stored_study, space, lesions):
    """L1: against a loop of `stored_maps`, from the numbers of the stores."""
    labels = [one for one in stored_study.labels if one not in ("02", "03", "04", "06")]
    files = [lesions / f"{number}.nii.gz" for number in range(6)]
    runs = [open_stored(stored_study.path(label)) for label in labels]
    width = max(run.packed("smooth").values(slice(0, 1)).shape[1] for run in runs)

    def stacked(name):
        rows = [np.nan_to_num(run.packed(name).values(slice(None))) for run in runs]
        return np.stack([np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in rows], axis=1)

    smooth, plain = (stacked(name).astype(np.float32) for name in ("smooth", "plain"))
    ones = np.ones(smooth.shape[:2], np.float32)
    people = np.arange(len(runs))
    connectome = Connectome(smooth, ones, plain, ones, people, np.ones(len(runs)))
    masks = np.stack([nib.load(path).get_fdata()[space.mask] for path in files])
    found = mean_maps(connectome, lesion_series(connectome, csr_array(masks)), t=True)
    seeds = [MaskSeed(f"L{n}", str(path)) for n, path in enumerate(files)]
    each = np.array([stored_maps(stored_study.path(label), seeds).r for label in labels], float)
    away = (np.abs(each) < 0.999).all(axis=0)
    z = np.arctanh(np.where(away, each, 0))
    np.testing.assert_allclose(np.tanh(found.mean)[away], np.tanh(z.mean(axis=0))[away], atol=1e-6)
    t = z.mean(axis=0) / z.std(axis=0, ddof=1) * np.sqrt(len(labels))
    np.testing.assert_allclose(found.t[away], t[away], rtol=1e-3, atol=1e-3)


def test_the_pack_costs_less_than_a_ten_thousandth_of_r(stored_study, space, lesions, study):
    maps = []
    for label in study.people:
        paths = [stored_study.path(label)] if label != "02" else [
            stored_study.path("02", "1"), stored_study.path("02", "2")
        ]  # fmt: skip
        runs = [stored_maps(p, MaskSeed("L", str(lesions / "3.nii.gz"))) for p in paths]
        full = []
        for run in runs:
            row = np.full(space.mask.size, np.nan)
            row[np.flatnonzero(run.space.mask)] = np.arctanh(np.clip(run.r[0], -1 + 1e-7, 1 - 1e-7))
            full.append(row)
        ranks = [open_stored(p).rank for p in paths]
        maps.append(np.average(full, axis=0, weights=ranks))
    maps = np.array(maps)[:, np.flatnonzero(study.space.mask)]
    seen = np.isfinite(maps)
    wanted = np.where(seen, maps, 0).sum(axis=0) / np.where(
        seen.any(axis=0), seen.sum(axis=0), np.nan
    )
    known = np.isfinite(wanted) & np.isfinite(study.maps.mean[3])
    assert known.sum() > 500
    np.testing.assert_allclose(
        np.tanh(study.maps.mean[3][known]), np.tanh(wanted[known]), atol=1e-4
    )


def test_samples_in_and_near_a_lesion_do_not_count_for_it(study):
    lesions = study.drawn.lesions.toarray() > 0
    assert study.drawn.near[lesions].all()
    assert 0 < study.drawn.near.mean() < 0.3
    assert np.isnan(study.association.p_both[~study.family]).all()


def test_effects_are_slopes_of_the_mean_maps(study):
    at = int(np.flatnonzero(study.family)[40])
    there = ~study.drawn.near[:, at]
    logs = np.log(study.drawn.volumes)
    columns = [np.ones(len(logs)), logs, study.patients.covariates[:, 0], study.patients.score]
    fitted = np.linalg.lstsq(np.stack(columns, 1)[there], study.maps.mean[there, at], rcond=None)
    assert study.association.effect[at] == pytest.approx(fitted[0][-1], abs=1e-5)


def test_nothing_is_found_beyond_either_test(study):
    own = study.association
    known = study.family
    assert (own.p_both[known] >= own.p_patients[known]).all()
    assert (own.p_both[known] >= own.p_people[known]).all()


def test_the_command_writes_maps_tables_and_the_page(own_root, lesions, tmp_path):
    table = str(lesions / "lesions.tsv")
    call = ["lesion", str(own_root), "--lesions", table, "--score", "aphasia", "--shuffles", "99"]
    assert main([*call, "--maps", "--n-jobs", "1", "-o", str(tmp_path / "out"), "-q"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    for stat in ("effect", "r", "ppatients", "ppeople", "pboth", "n"):
        assert f"lesion_score-aphasia_stat-{stat}_statmap.nii.gz" in names
        about = json.loads(
            (tmp_path / "out" / f"lesion_score-aphasia_stat-{stat}_statmap.json").read_text()
        )
        assert about["Patients"] == PATIENTS
    for name in ("expected", "found", "frequency"):
        assert f"lesion_stat-{name}_statmap.nii.gz" in names
    assert "lesion_sub-P03_stat-t_statmap.nii.gz" in names
    assert {"lesions.tsv", "lesion_score-aphasia_prediction.tsv"} <= names
    lines = (tmp_path / "out" / "lesions.tsv").read_text().splitlines()
    assert len(lines) == PATIENTS + 1
    # of an earlier call nothing is left that this one does not make
    few = lesions / "few.tsv"
    few.write_text("\n".join((lesions / "lesions.tsv").read_text().splitlines()[:13]) + "\n")
    other = tmp_path / "out" / "lesion_score-naming_stat-r_statmap.nii.gz"
    other.touch()
    call[3] = str(few)
    assert main([*call, "--n-jobs", "1", "-o", str(tmp_path / "out"), "-q"]) == 0
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert other.name in left
    for name in ("sub-P03_stat-t", "score-aphasia_stat-pboth", "score-aphasia_prediction"):
        assert any(name in one for one in names)
        assert not any(name in one for one in left), name


def test_the_page_begins_with_its_limits_and_warns(study):
    page = lesion_page(study)
    assert not re.search(r'(src|href)="https?:', page)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.sub(r'base64,[^"]*', "", page)))
    assert text.index("nothing here is for a decision about a patient") < text.index("Prediction")
    assert "Patients alone" in text
    assert "fresh for each set" in text
    assert "kept: what all voxels share is in every map" in text
    assert f"{study.alone['pool']:,} voxel" in text
    if study.alone["pool"] > study.compared.found:
        assert "sets of a pool have lesions in common" in text
    if study.alone["people"] > study.significant.sum():
        assert "that people agree says nothing about the score" in text
    for word in ("nan", "None", "undefined"):
        assert not re.search(rf"(?<![\w/+]){word}(?![\w/+=])", text), word


HEADINGS = (
    "What this page can show, and what it cannot", "Patients",
    "Where lesions fall, and the map that follows from it", "What goes with the score",
    "Prediction", "Healthy people", "Methods", "Origin",
)  # fmt: skip


@pytest.mark.full
def test_the_page_in_a_browser(chromium, study, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(lesion_page(study))
    for width, scheme in itertools.product((1280, 390), ("light", "dark")):
        page = chromium.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
        asked, faults = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
        page.goto(path.as_uri())
        assert tuple(page.locator("h2").all_inner_texts()) == HEADINGS
        assert page.evaluate("document.documentElement.scrollWidth") == width
        drawn = page.evaluate(
            "[...document.images].map((one) => one.complete && one.naturalWidth > 0)"
        )
        assert drawn == [True] * 4
        boxes = page.evaluate("[...document.querySelectorAll('figure')].map((o) => o.clientWidth)")
        assert max(boxes) <= width
        # what warns stands before all that was found, and is seen
        note, found = (page.locator(name).bounding_box() for name in (".trouble", "#result"))
        assert note["height"] > 0
        assert note["y"] + note["height"] < found["y"]
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(255, 255, 255)") == (scheme == "light")
        assert faults == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        page.close()


def test_groups_are_compared_and_few_lesions_get_no_p(own_root, lesions):
    table = lesions / "lesions.tsv"
    both = lesion_maps(own_root, table, against="group=control", shuffles=99)
    assert both.patients.two_groups
    assert set(both.patients.score) == {0.0, 1.0}
    few = lesions / "few.tsv"
    few.write_text("\n".join(table.read_text().splitlines()[:13]) + "\n")
    found = lesion_maps(own_root, few, score="aphasia")
    assert found.association.p_both is None
    assert found.predicted is None
    assert np.isfinite(found.association.effect[found.family]).all()
    assert "from 20 on there are p values" in lesion_page(found)


def edited(lesions, at=None, cell=None, column=None, rows=PATIENTS):
    """Return the table as text, with one cell changed."""
    lines = [
        line.split("\t") for line in (lesions / "lesions.tsv").read_text().splitlines()[: rows + 1]
    ]
    if column is not None:
        lines[at][lines[0].index(column)] = cell
    return "\n".join("\t".join(line) for line in lines) + "\n"


def image(kind, space, path):
    whole = np.zeros(space.shape, bool)
    inside = np.argwhere(space.mask)[200]
    whole[tuple(inside)] = True
    turned = space.affine.copy()
    turned[0, :] *= -1
    moved = space.affine.copy()
    moved[:3, 3] += 3
    made = {
        "empty": (whole & False, space.affine),
        "brain": (space.mask, space.affine),
        "moved": (whole, moved),
        "turned": (whole, turned),
        "larger": (np.zeros((9, 9, 9), bool), space.affine),
        "atlas": (np.where(space.mask, 3, 0) + whole, space.affine),
    }
    save(*made[kind], path)


SCORE = ["--score", "aphasia"]
BAD = {
    "no lesion column": (SCORE, None, "no column 'lesion'"),
    "no such score": (["--score", "naming"], {}, "no column 'naming'"),
    "constant score": (["--score", "same"], {}, "same is 3 in all"),
    "neither": ([], {}, "give one of the two"),
    "both": (["--score", "aphasia", "--against", "group=control"], {}, "give one of the two"),
    "text for a score": (["--score", "group"], {}, "a number or n/a is wanted"),
    "infinite score": (SCORE, {"at": 3, "cell": "inf", "column": "aphasia"}, "finite"),
    "too few": (SCORE, {"rows": 9}, "9 patients"),
    "twice the same person": (SCORE, {"at": 2, "cell": "P00", "column": "participant_id"}, "two rows"),
    "twice the same lesion": (SCORE, {"at": 2, "cell": "0.nii.gz", "column": "lesion"}, "name one of each"),
    "lesion not there": (SCORE, {"at": 2, "cell": "none.nii.gz", "column": "lesion"}, "none.nii.gz"),
    "no such level": (["--against", "group=healthy"], {}, "nobody has group=healthy"),
    "no level": (["--against", "group"], {}, "write it like group=control"),
    "covariate repeats the score": (["--score", "aphasia", "--covariates", "aphasia"], {}, "cannot be estimated"),
    "covariate not there": (["--score", "aphasia", "--covariates", "sex"], {}, "no column 'sex'"),
    "empty": (SCORE, "empty", "the lesion is empty"),
    "larger than the brain": (SCORE, "brain", "a mask of the brain"),
    "another grid": (SCORE, "moved", "on another grid"),
    "another side": (SCORE, "turned", "turned the other way"),
    "another shape": (SCORE, "larger", "on another grid"),
    "negative seed": ([*SCORE, "--random-seed", "-1"], {}, "give 0 or a positive"),
    "no shuffles": ([*SCORE, "--shuffles", "0"], {}, "1 and 20 or more are wanted"),
    "a prior without random lesions": ([*SCORE, "--prior", "a.nii.gz"], {}, "add null='matched'"),
    "an atlas": (SCORE, "atlas", "a mask of 0 and 1 is wanted"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_and_lesions_end_in_one_line(name, own_root, space, lesions, tmp_path, capsys):
    """L10."""
    options, change, wanted = BAD[name]
    table = lesions / f"bad-{name.replace(' ', '-')}.tsv"
    if change is None:
        table.write_text(edited(lesions).replace("lesion\t", "image\t", 1))
    elif isinstance(change, str):
        image(change, space, lesions / f"{change}.nii.gz")
        table.write_text(edited(lesions, at=4, cell=f"{change}.nii.gz", column="lesion"))
    else:
        table.write_text(edited(lesions, **change))
    out = tmp_path / "out"
    call = ["lesion", str(own_root), "--lesions", str(table), *options, "-o", str(out), "-q"]
    assert main(call) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert len(lines) == 1
    assert wanted in lines[0]
    assert not out.exists()


def test_a_lesion_beside_the_brain_is_left_out_and_named(own_root, space, lesions):
    outside = np.zeros(space.shape, bool)
    outside[tuple(np.argwhere(~space.mask)[0])] = True
    save(outside, space.affine, lesions / "outside.nii.gz")
    table = lesions / "outside.tsv"
    table.write_text(edited(lesions, at=5, cell="outside.nii.gz", column="lesion"))
    found = lesion_maps(own_root, table, score="aphasia", shuffles=20)
    assert found.patients.dropped == {
        "P04": "has only 0% of its lesion in the samples of the stored runs"
    }
    assert len(found.patients.labels) == PATIENTS - 1


def weights_image(space, path, values):
    """Write an image of numbers on the grid of the runs."""
    nib.Nifti1Image(values.astype(np.float32), space.affine).to_filename(path)
    return path


def test_the_share_of_grey_matter_is_the_mean_over_a_lesions_voxels(
    own_root, space, lesions, tmp_path
):
    shares = np.random.default_rng(0).random(space.shape)
    grey = weights_image(space, tmp_path / "grey.nii.gz", shares)
    found = lesion_maps(
        own_root, lesions / "lesions.tsv", score="aphasia", shuffles=20, grey_matter=grey
    )
    for row in (0, 7):
        mask = nib.load(lesions / f"{row}.nii.gz").get_fdata() > 0
        assert found.drawn.grey[row] == pytest.approx(shares[mask].mean(), abs=1e-6)
    assert "is grey matter (grey.nii.gz)" in lesion_page(found)


def test_grey_matter_is_that_of_the_template_where_runs_lie_in_its_space(space):
    shares, source = grey_matter(space, None, "MNI152NLin2009cAsym")
    assert source == "MNI152 template"
    at = np.array([[40, -20, 52], [0, 0, 90], [-28, -20, 30]])  # cortex, outside, white matter
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(space.affine), at)).astype(int)
    cortex, outside, white = shares[tuple(voxels.T)]
    assert cortex > 0.3
    assert outside < 1e-6
    assert white < 0.15
    assert grey_matter(space, None, "") == (None, "")


def test_random_lesions_fall_where_the_prior_has_them(own_root, space, lesions, tmp_path):
    weights = np.zeros(space.shape)
    centre = np.argwhere(space.mask)[space.n_samples // 2]
    weights[tuple(centre)] = 1
    prior = weights_image(space, tmp_path / "stroke.nii.gz", weights)
    found = lesion_maps(
        own_root, lesions / "lesions.tsv", score="aphasia", shuffles=20,
        null="matched", null_sets=40, prior=prior,
    )  # fmt: skip
    # all random sets are one: each lesion of the patients moved to one voxel
    connectome = connectome_of(pack_study(own_root, Choice("")).pack)
    factor = group_factor(connectome)
    places = Places.of(space.mask)
    masks = found.drawn.lesions
    shapes = [shape_of(places, masks[[row]].indices) for row in range(PATIENTS)]
    only = np.array([int(space.mask.ravel()[: np.ravel_multi_index(centre, space.shape)].sum())])
    moved = [np.sort(at[at >= 0]) for at in (places.moved(one, only)[0] for one in shapes)]
    ends = np.cumsum([0, *map(len, moved)])
    there = csr_array((np.ones(ends[-1]), np.concatenate(moved), ends), shape=masks.shape)
    one, mine = (factor.rows @ direction(factor, some) for some in (there, masks))
    np.testing.assert_allclose(found.compared.mean, (40 * one + mine) / 41, atol=1e-4)
    assert "where stroke.nii.gz has them" in lesion_page(found)


BAD_IMAGES = {
    "prior on another grid": ("prior", None, "on another grid"),
    "prior below 0": ("prior", -1.0, "0 or more"),
    "prior of nothing": ("prior", 0.0, "more than 0 somewhere"),
    "grey matter in percent": ("grey-matter", 80.0, "shares of grey matter from 0 to 1"),
    "grey matter on another grid": ("grey-matter", None, "on another grid"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images_beside_the_lesions_end_in_one_line(
    name, own_root, space, lesions, tmp_path, capsys
):
    option, value, wanted = BAD_IMAGES[name]
    path = tmp_path / "image.nii.gz"
    if value is None:
        nib.Nifti1Image(np.ones((4, 4, 4), np.float32), space.affine).to_filename(path)
    else:
        weights_image(space, path, np.full(space.shape, value))
    table = str(lesions / "lesions.tsv")
    call = [
        "lesion",
        str(own_root),
        "--lesions",
        table,
        *SCORE,
        "--null",
        "matched",
        "--shuffles",
        "20",
    ]
    assert main([*call, f"--{option}", str(path), "-o", str(tmp_path / "out"), "-q"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert len(lines) == 1
    assert wanted in lines[0]


def test_packs_of_the_study_are_used(own_root):
    assert pack_study(own_root, Choice("")).why == ""
