"""How far a group's maps move with the seed: the numbers are those of groups of the other seeds."""

import json
import re
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy.stats import t as student

import seedmap as sm
from seedmap.analysis import RobustnessSettings
from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.errors import OptionError
from seedmap.group import group_maps, plan_group, run_group
from seedmap.group.options import Question
from seedmap.group.people import Choice
from seedmap.group.robustness import with_robustness
from seedmap.group.stored import stored_members
from seedmap.group.tables import read_people
from seedmap.seeds import place_seeds, virtual_seeds

pytest.importorskip("zarr")

SEED = "PCC=0,-52,18:14"
LINE = ("--strategy", "6P", "--no-figures", "--nprocs", "1", "-q")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Twelve people, stored."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder / "study", 12, voxel_size=12.0, n_frames=100)
    results = folder / "out"
    line = ["bids", str(folder / "study"), str(results), "participant", "--seed", SEED]
    assert main([*line, "--store", *LINE]) == 0
    (folder / "people.tsv").write_text(
        "participant_id\tage\n" + "".join(f"sub-{k:02d}\t{20 + k * k}\n" for k in range(1, 13))
    )
    return results


def people_table(out):
    return out.parent / "people.tsv"


def group_of(out, contrasts=("mean", "age"), model="age", table=None):
    choice = Choice(SEED, "6P", {}, "")
    members, dropped, name, _ = stored_members(out, choice, SEED)
    question = Question(
        seed=name,
        model=model,
        contrasts=contrasts,
        estimator="ols",
        variance="pooled",
        inference=None,
        min_participants=0.8,
    )
    plan = plan_group(members, question, read_people(table or people_table(out)), dropped)
    return run_group(plan), choice


def test_errors_and_survival_are_those_of_the_groups_of_the_other_seeds(out):
    group, choice = group_of(out)
    settings = RobustnessSettings(centre=(8.0,), number=5)
    found = with_robustness(group, out, choice, settings)
    stored = sorted((out / "store").glob("*.zarr"))
    space = sm.stored_maps(stored[0], SEED).space
    masks = [sm.stored_maps(path, SEED).space.mask for path in stored]
    (placed,) = place_seeds([sm.parse_seed(SEED)], space)
    kinds = virtual_seeds(placed, space.within(np.all(masks, axis=0)), (8.0,), 5, 0)
    effects = {"mean": [], "age": []}
    for number, weights in enumerate(kinds[0].weights):
        values = np.zeros(space.shape, np.uint8)
        values.ravel()[weights.voxels] = 1
        seed = sm.MaskSeed(f"v{number}", nib.Nifti1Image(values, space.affine))
        maps = {path.name[4:6]: sm.stored_maps(path, seed) for path in stored}
        other = group_maps(
            maps,
            design=people_table(out),
            model="age",
            contrasts=["mean", "age"],
            variance="pooled",
            inference="parametric",
        )
        for text in effects:
            effects[text].append(other[text].arrays["effect"])
    for text, each in effects.items():
        maps = found[text]
        error = np.std(each, axis=0, ddof=1) / maps.arrays["se"]
        np.testing.assert_allclose(maps.arrays["seederror"], error, rtol=5e-3, atol=1e-4)
        row = next(one for one in maps.moved if one.kind == "centre8")
        assert row.number == 5
        assert 0 < row.error < 3
        with np.errstate(invalid="ignore"):
            t = np.stack(each) / maps.arrays["se"]
        needed = student.isf(0.0005, maps.arrays["dof"])
        same = np.sign(t) == np.sign(maps.arrays["effect"])
        survival = ((np.abs(t) >= needed) & same).mean(axis=0)
        assert np.mean(np.abs(survival - maps.arrays["survival"]) < 1e-6) > 0.99
    assert "seederror" not in group["mean"].arrays


def test_runs_of_a_person_are_combined_as_the_maps_are(out, tmp_path):
    """Two copies of a run are the run."""
    for path in sorted((out / "store").glob("*.zarr")):
        for run in ("1", "2"):
            name = path.name.replace("_task-rest_", f"_task-rest_run-{run}_")
            shutil.copytree(path, tmp_path / "store" / name)
    settings = RobustnessSettings(centre=(8.0,), number=4)
    found = []
    for folder in (out, tmp_path):
        group, choice = group_of(folder, ("mean",), "1", people_table(out))
        found.append(with_robustness(group, folder, choice, settings))
    one, two = found
    there = np.isfinite(two["mean"].seederror) & np.isfinite(one["mean"].seederror)
    assert there.mean() > 0.9  # runs with too few degrees of freedom do not count
    errors = [maps["mean"].seederror[there] for maps in found]
    np.testing.assert_allclose(*errors, rtol=1e-3, atol=1e-5)
    assert two["mean"].moved[0].error == pytest.approx(one["mean"].moved[0].error, rel=1e-2)


def test_degree_is_the_mean_over_people_and_explains_what_it_correlates_with(out, tmp_path):
    line = ["group", str(out), "--seed", SEED, "--from-store", "--degree"]
    assert main([*line, "--inference", "parametric", "-q", "--out", str(tmp_path)]) == 0
    paths = sorted((out / "store").glob("*.zarr"))
    maps = [sm.stored_maps(path, SEED, degree=True) for path in paths]
    whole = np.all([one.space.mask for one in maps], axis=0)
    mean = np.mean([one.space.unmask(one.degree.values)[whole] for one in maps], axis=0)
    (image,) = tmp_path.glob("*_stat-degree_desc-6P_statmap.nii.gz")
    assert "contrast" not in image.name
    np.testing.assert_allclose(np.asarray(nib.load(image).dataobj)[whole], mean, atol=2e-6)
    facts = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
    effect = np.mean([one.space.unmask(one.fisherz[0])[whole] for one in maps], axis=0)
    away = np.ones(whole.sum(), bool)
    order = np.full(whole.size, -1)
    order[whole.ravel()] = np.arange(whole.sum())
    near = order[np.flatnonzero(maps[0].space.mask.ravel())[maps[0].near[0]]]
    away[near[near >= 0]] = False
    r = np.corrcoef(effect[away], mean[away])[0, 1]
    assert facts["DegreeR2"] == pytest.approx(r**2, abs=0.01)
    low, middle, high = facts["DegreeR2Random"].values()
    assert 0 <= low < middle < high <= 1
    (page,) = tmp_path.glob("*_report.html")
    text = re.sub(r"\s+", " ", page.read_text())
    assert "The mean map of the global signal (degree) explains" in text
    # a later call without it does not keep it beside its own maps
    line.remove("--degree")
    assert main([*line, "--inference", "parametric", "-q", "--out", str(tmp_path)]) == 0
    assert not list(tmp_path.glob("*_stat-degree_*"))


def test_it_is_known_for_ols_and_from_the_store_only(out, capsys):
    group, choice = group_of(out, ("mean",), "1")
    weighted = replace(group.plan.question, estimator="weighted")
    with pytest.raises(OptionError, match="known for ols"):
        with_robustness(replace(group, plan=replace(group.plan, question=weighted)), out, choice)
    assert main(["group", str(out), "--seed", "PCC", "--seed-robustness"]) == 2
    assert "--seed-robustness without --from-store" in capsys.readouterr().err
    assert main(["group", str(out), "--seed", "PCC", "--degree"]) == 2
    assert "--degree without --from-store" in capsys.readouterr().err


def test_the_command_writes_maps_a_table_and_a_section_of_the_page(out, tmp_path, capsys):
    line = ["group", str(out), "--seed", SEED, "--from-store", "--seed-robustness"]
    assert main([*line, "--inference", "parametric", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"mean moves +\d\.\d\d se, centre within 4 mm", printed)
    (table,) = tmp_path.glob("*_contrast-mean_desc-6P_robustness.tsv")
    rows = [text.split("\t") for text in table.read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == ["centre4", "centre8", "size", "half"]
    for stat in ("survival", "seederror"):
        (sidecar,) = tmp_path.glob(f"*_stat-{stat}_desc-6P_statmap.json")
        facts = json.loads(sidecar.read_text())
        assert facts["VirtualSeeds"] == 64
    (page,) = tmp_path.glob("*_report.html")
    text = re.sub(r"\s+", " ", page.read_text())
    error = float(rows[2][4])
    assert f"move the map of mean by {error:.2f} of its standard error over people" in text
    assert text.count('class="bar"') == 4
    assert "Bands:" not in text
    # Without it, nothing of it is left in the folder.
    assert main([*line[:-1], "--inference", "parametric", "--out", str(tmp_path)]) == 0
    assert not list(tmp_path.glob("*_robustness.tsv"))
    assert not list(tmp_path.glob("*_stat-survival_*"))


@pytest.mark.slow
def test_planted_maps_of_a_group_survive_and_those_of_nothing_do_not(tmp_path):
    """The phantom study, 12 people at 4 mm."""
    make_study(tmp_path / "study", 12)
    line = ["bids", str(tmp_path / "study"), str(tmp_path / "out"), "participant"]
    line += ["--strategy", "36P", "--no-figures", "-q", "--store"]
    assert main([*line, "--seed", "PCC=0,-52,18"]) == 0
    kept = {}
    for seed in ("PCC=0,-52,18", "mPFC=1,55,-3", "LMotor=-36,-25,57", "nothing=20,10,10"):
        line = ["group", str(tmp_path / "out"), "--seed", seed, "--from-store", "--seed-robustness"]
        out = tmp_path / seed.split("=")[0]
        assert main([*line, "--inference", "parametric", "-q", "--out", str(out)]) == 0
        (table,) = out.glob("*_robustness.tsv")
        rows = [text.split("\t") for text in table.read_text().splitlines()]
        kept[out.name] = float(rows[2][rows[0].index("survival_95")])
    assert kept.pop("nothing") <= 0.05
    assert min(kept.values()) >= 0.90
