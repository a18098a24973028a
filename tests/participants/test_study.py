"""A study through the command line: what is planted is found, by whatever way."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from seedmap.bids import Filters, find_participants
from seedmap.cli import main
from seedmap.datasets import make_phantom, make_study
from seedmap.denoising import named
from seedmap.participants.recipe import Recipe
from seedmap.participants.run import open_work
from seedmap.participants.seeds import study_seed
from seedmap.seeds import Sphere

SEEDS = ("--seed", "PCC=0,-52,18")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 3, voxel_size=6)


@pytest.fixture(scope="module")
def results(study, tmp_path_factory):
    """Two strategies with a store, in this process."""
    out = tmp_path_factory.mktemp("results") / "out"
    options = ("--strategy", "simple", "9P_scrub", "--store", "--nprocs", "1", "--no-figures", "-q")
    assert bids(study, out, *SEEDS, *options) == 0
    return out


def bids(study, out, *options):
    return main(["bids", str(study.folder), str(out), "participant", *map(str, options)])


def maps(out, participant, seed, desc, stat="r"):
    (path,) = out.glob(
        f"sub-{participant}/func/*seed-{seed}_stat-{stat}_desc-{desc}_statmap.nii.gz"
    )
    return nib.load(path).get_fdata()


@pytest.mark.parametrize("participant", ["01", "02", "03"])
def test_the_planted_network_is_found_in_everyone(study, results, participant):
    truth, found = study.phantom.truth, maps(results, participant, "PCC", "simple")
    for region in truth.regions[1:]:
        expected = truth.expected_r("PCC", region.name)
        assert abs(truth.region_mean(found, region.name) - expected) < 0.25
    network = [r.name for r in truth.regions[1:] if truth.planted_r("PCC", r.name) > 0.5]
    others = [r.name for r in truth.regions[1:] if abs(truth.planted_r("PCC", r.name)) < 0.1]
    low = min(truth.region_mean(found, name) for name in network)
    assert low > max(truth.region_mean(found, name) for name in others)


def test_sidecars_state_sources_columns_and_reasons(results):
    (path,) = results.glob("sub-01/func/*stat-r_desc-9Pscrub_statmap.json")
    facts = json.loads(path.read_text())
    assert facts["Sources"][0].startswith("bids:preprocessed:sub-01/func/sub-01_task-rest_space")
    assert facts["Strategy"] == "9P_scrub"
    assert "no confounds" not in path.read_text()
    assert facts["ConfoundReasons"]["global_signal"] == "global_signal=basic"
    censored = facts["CensoredFor"]["framewise_displacement > 0.5 mm"]
    assert censored == facts["FramesCensored"]
    about = json.loads((results / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative"
    assert "preprocessed" in about["DatasetLinks"]


def test_strategies_together_give_what_each_gives_alone(study, results, tmp_path):
    options = ("--participant-label", "01", "--strategy", "9P_scrub", "--no-figures", "-q")
    assert bids(study, tmp_path / "out", *SEEDS, *options, "--nprocs", 1) == 0
    together = maps(results, "01", "PCC", "9Pscrub", "z")
    alone = maps(tmp_path / "out", "01", "PCC", "9Pscrub", "z")
    np.testing.assert_allclose(together, alone, atol=2e-4)


def test_maps_from_the_store_are_those_from_the_images(study, results, tmp_path):
    new = ("--seed", "mPFC=0,52,-6", "--strategy", "simple", "--nprocs", 1, "-q")
    assert bids(study, tmp_path / "store", *new, "--from-store", results) == 0
    assert bids(study, tmp_path / "images", *new, "--no-figures") == 0
    for stat, close in (("r", 1e-5), ("z", 1e-3)):
        a, b = (maps(tmp_path / way, "02", "mPFC", "simple", stat) for way in ("store", "images"))
        assert np.nanmax(np.abs(a - b)) < close
    (path,) = (tmp_path / "store").glob("sub-02/func/*stat-r_desc-simple_statmap.json")
    assert json.loads(path.read_text())["FromStore"]


def test_a_new_seed_leaves_the_others_maps(study, results):
    before = {p: p.stat().st_mtime_ns for p in results.glob("sub-*/func/*seed-PCC*")}
    new = ("--seed", "IPS=-25,-58,52", "--strategy", "simple", "--nprocs", 1, "-q")
    assert bids(study, results, *new, "--from-store", results) == 0
    assert before == {p: p.stat().st_mtime_ns for p in results.glob("sub-*/func/*seed-PCC*")}
    assert list(results.glob("sub-03/func/*seed-IPS*"))


def test_a_seed_of_another_space_is_refused_or_said(study, tmp_path, capsys):
    other = (*SEEDS, "--seed-space", "MNI152NLin6Asym", "--nprocs", 1, "--no-figures")
    one = ("--participant-label", "01", "--strategy", "6P")
    assert bids(study, tmp_path / "out", *other, *one) == 3
    assert "MNI152NLin6Asym, the run in MNI152NLin2009cAsym" in " ".join(
        capsys.readouterr().out.split()
    )
    assert bids(study, tmp_path / "out", *other, *one, "--allow_space_mismatch", "-q") == 0
    (path,) = (tmp_path / "out").glob("sub-01/func/*stat-r_*.json")
    assert "it was taken as it is" in json.loads(path.read_text())["Notes"][0]


def test_a_seed_outside_the_mask_is_left_out_whatever_the_mask(study):
    runs = find_participants(study.folder, Filters())[0].runs
    corner = Sphere("corner", (60, 60, -60), 6)  # in the image, outside the head
    seeds = (study_seed(Sphere("PCC", (0, -52, 18))), study_seed(corner))
    for mask in (None, "whole-brain-template"):
        recipe = Recipe(seeds=seeds, strategies=(named("6P"),), root=study.folder, mask_img=mask)
        work = open_work(recipe, runs[0])
        assert [seed.name for seed in work.seeds] == ["PCC"]
        assert len(work.missing) == 1
        assert "'corner'" in work.missing[0]


def test_an_atlas_gives_a_map_a_region(study, tmp_path):
    atlas = study.folder / "planted_dseg.nii.gz"
    options = ("--seeds-atlas", atlas, "--seeds-region", "PCC", "mPFC", "--strategy", "6P")
    one = ("--participant-label", "01", "--nprocs", 1, "--no-figures", "-q")
    assert bids(study, tmp_path / "out", *options, *one) == 0
    assert {
        p.name.split("seed-")[1].split("_")[0] for p in (tmp_path / "out").glob("sub-01/func/*.tsv")
    } == {"PCC", "mPFC"}


def test_a_table_of_seeds(study, tmp_path):
    table = tmp_path / "seeds.tsv"
    table.write_text(
        "name\tx\ty\tz\tradius\tspace\nPCC\t0\t-52\t18\t6\tMNI152NLin2009cAsym\nmPFC\t0\t52\t-6\tn/a\tn/a\n"
    )
    one = ("--participant-label", "01", "--strategy", "6P", "--nprocs", 1, "--no-figures", "-q")
    assert bids(study, tmp_path / "out", "--seeds-file", table, *one) == 0
    (path,) = (tmp_path / "out").glob("sub-01/func/*seed-PCC_stat-r_*.json")
    assert "6 mm radius" in json.loads(path.read_text())["Seed"]["definition"]


def test_runs_of_a_participant_combined(tmp_path):
    folder = tmp_path / "study"
    make_phantom(folder, n_runs=2, voxel_size=8, n_frames=120, layout="bids")
    out = tmp_path / "out"
    line = ["bids", str(folder), str(out), *SEEDS, "--strategy", "6P", "--nprocs", "1", "-q"]
    assert main([*line, "--combine-runs", "participant", "--no-figures"]) == 0
    name = "seed-PCC_stat-{}_desc-6P_statmap.nii.gz"

    def load(stat, run):
        (path,) = out.glob(f"sub-01/func/sub-01_task-rest_{run}space-*{name.format(stat)}")
        return nib.load(path).get_fdata()

    z = [np.arctanh(load("r", run)) for run in ("run-1_", "run-2_")]
    worth = [load("dof", run) - 2 for run in ("run-1_", "run-2_")]
    known = np.all([np.isfinite(w) & (w > 0) for w in worth], axis=0)
    together = (worth[0] * z[0] + worth[1] * z[1])[known] / (worth[0] + worth[1])[known]
    np.testing.assert_allclose(np.arctanh(load("r", ""))[known], together, atol=1e-5)
    assert (load("dof", "")[known] > load("dof", "run-1_")[known]).all()


def test_a_dry_run_and_the_methods_text_write_nothing(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert bids(study, out, *SEEDS, "--dry-run", "--strategy", "24P") == 0
    assert "sub-03_task-rest" in capsys.readouterr().out
    assert bids(study, out, *SEEDS, "--boilerplate-only", "--strategy", "24P_scrub") == 0
    said = capsys.readouterr().out
    assert "six motion parameters with their temporal derivatives" in said
    assert "above 0.5 mm were censored" in said
    assert not out.exists()


def test_options_may_stand_in_a_file(study, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "seed: ['PCC=0,-52,18']\nstrategy: [6P]\nparticipant_label: '02'\nfigures: false\n"
    )
    options = ("--config-file", config, "--participant_label", "01", "-q", "--nprocs", 1)
    assert bids(study, tmp_path / "out", *options) == 0
    assert [p.name for p in sorted((tmp_path / "out").glob("sub-??"))] == ["sub-01"]


def test_results_are_not_written_into_the_data(study, capsys):
    assert bids(study, study.folder, *SEEDS, "--nprocs", 1) == 2
    assert "into the data set itself" in capsys.readouterr().err


def test_the_pages_are_whole_and_load_nothing(results):
    import html5lib

    for name in ("index.html", "sub-01.html"):
        text = (results / name).read_text()
        html5lib.HTMLParser(strict=True).parse(text)
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert text.count("<img") == text.count("alt=")
    assert "CC0" in text
    assert "@article" in (results / "logs" / "CITATION.bib").read_text()


def test_a_strategy_that_cannot_be_does_not_stop_the_others(study, tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text("columns: [heart_rate]\n")
    one = ("--participant-label", "01", "--nprocs", 1, "--no-figures")
    assert bids(study, tmp_path / "out", *SEEDS, "--strategy", mine, "6P", *one) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "strategy 'mine' needs the column 'heart_rate'" in said
    assert len(list((tmp_path / "out").glob("sub-01/func/*stat-r_desc-6P*.nii.gz"))) == 1


def test_going_back_to_earlier_options_does_nothing(study, tmp_path, capsys):
    one = ("--participant-label", "02", "--nprocs", 1, "--no-figures")
    for strategy in ("6P", "9P", "6P"):
        assert bids(study, tmp_path / "out", *SEEDS, "--strategy", strategy, *one) == 0
    assert "0 participants, 1 unchanged" in " ".join(capsys.readouterr().out.split())


def test_the_estimate_of_memory_grows_with_what_is_asked(study):
    from seedmap.bids import Filters, find_participants
    from seedmap.denoising import named
    from seedmap.participants.recipe import Recipe
    from seedmap.participants.run import estimate_memory

    (run,) = find_participants(study.folder, Filters())[0].runs
    plain = Recipe(seeds=(), strategies=(named("36P"),), root=study.folder, figures=False)
    small = estimate_memory(plain, run)
    assert small > 4 * 168 * study.phantom.truth.brain.sum()
    for more in ({"store": True}, {"figures": True}, {"strategies": (named("36P"), named("6P"))}):
        assert estimate_memory(replace(plain, **more), run) > small
