"""Studies on surfaces and of grayordinates: the same way as volumes, with what is theirs."""

import json
import os
from dataclasses import replace

import html5lib
import nibabel as nib
import numpy as np
import pytest

from seedmap.bids import Filters, find_participants
from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.denoising import named
from seedmap.errors import ImageError, OptionError, SeedError, SpaceMismatch
from seedmap.participants.recipe import Recipe
from seedmap.participants.run import estimate_memory, open_work
from seedmap.participants.seeds import atlas_seeds, check_space, study_seed
from seedmap.seeds import Sphere, VertexPatch, parse_seed

PCC = ("--seed", "PCC=-5,-52,24")
QUICK = ("--strategy", "9P_scrub", "--nprocs", "1", "-q")


def bids(folder, out, *options):
    return main(["bids", str(folder), str(out), "participant", *map(str, options)])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three participants on fsaverage5, the last truncated, the last but one without confounds."""
    folder = tmp_path_factory.mktemp("study")
    outputs = ("surface", "volume")
    return make_study(folder, 3, faults=True, outputs=outputs, voxel_size=10, n_frames=120)


@pytest.fixture(scope="module")
def results(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "out"
    assert bids(study.folder, out, "--space", "fsaverage5", *PCC, *QUICK) == 3
    return out


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """One participant of 91,282 grayordinates."""
    folder = tmp_path_factory.mktemp("dense")
    return make_study(folder, 1, outputs=("cifti",), voxel_size=10, n_frames=100)


def of(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def test_the_planted_network_is_found_on_both_hemispheres(study, results):
    truth = study.phantom.truth
    names = [region.name for region in truth.regions]
    for side in "LR":
        name = f"sub-01/func/*_hemi-{side}_space-fsaverage5_seed-PCC_stat-r_desc-9Pscrub_*.func.gii"
        r = nib.load(of(results, name)).darrays[0].data
        hemisphere = {"L": "left", "R": "right"}[side]
        labels = nib.load(study.atlases["surface"][hemisphere]).darrays[0].data
        for index in set(np.unique(labels)) - {0}:
            planted = truth.planted_r("PCC", names[index - 1])
            found = np.median(r[labels == index])
            assert found > 0.35 if planted > 0.5 else found < planted + 0.25


def test_files_of_one_run_are_named_as_those_of_seedmap_run(results):
    stem = "sub-01_task-rest_{}space-fsaverage5_seed-PCC_stat-z_desc-9Pscrub_statmap"
    func = results / "sub-01" / "func"
    for side in ("hemi-L_", "hemi-R_"):
        assert (func / f"{stem.format(side)}.func.gii").is_file()
    facts = json.loads((func / f"{stem.format('')}.json").read_text())
    assert [one.rpartition("hemi-")[2][0] for one in facts["Sources"][:2]] == ["L", "R"]
    assert all(one.startswith("bids:preprocessed:sub-01/func/") for one in facts["Sources"])
    assert "SkullStripped" not in facts
    assert "snapped to vertex" in facts["Seed"]["definition"]


def test_faults_are_named_and_repairs_are_noticed(study, results, capsys):
    index = (results / "index.html").read_text()
    assert "no table of confounds" in index
    assert (
        "hemi-L_space-fsaverage5_bold.func.gii: this run is not an image that can be read" in index
    )
    options = ("--space", "fsaverage5", *PCC, *QUICK[:-1])
    assert bids(study.folder, results, *options) == 3
    assert "0 participants, 1 unchanged" in " ".join(capsys.readouterr().out.split())
    right = of(study.folder, "sub-01/func/*hemi-R*.func.gii")
    os.utime(right)
    assert bids(study.folder, results, *options) == 3
    assert "0 participants, 1 unchanged" in " ".join(capsys.readouterr().out.split())
    image = nib.load(right)
    image.darrays[0].data[:] += 1
    nib.save(image, right)
    assert bids(study.folder, results, *options) == 3
    assert "1 participant, 0 unchanged" in " ".join(capsys.readouterr().out.split())


def test_one_hemisphere_is_allowed_and_said(study, tmp_path):
    left = of(study.folder, "sub-01/func/*hemi-L*.func.gii")
    hidden = left.with_suffix(".hidden")
    left.rename(hidden)
    try:
        seed = ("--seed", "V=rh:vertex:1234", "--participant-label", "01", "--no-figures")
        assert bids(study.folder, tmp_path / "out", "--space", "fsaverage5", *seed, *QUICK) == 0
    finally:
        hidden.rename(left)
    func = tmp_path / "out" / "sub-01" / "func"
    assert not list(func.glob("*hemi-L*"))
    assert "only the right hemisphere is analysed" in (tmp_path / "out" / "sub-01.html").read_text()


def test_the_page_speaks_of_surfaces(results):
    text = (results / "sub-01.html").read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert "The cortex from outside and from the middle" in text
    assert "hemi-L_space-fsaverage5_bold.func.gii, sub-01" in " ".join(text.split())
    assert "fsaverage5 midthickness" in text
    assert "of 10,242 vertices" in text
    assert "vertices spread over the mask, one a row: left hemisphere, right hemisphere" in text
    for word in ("voxel", "The brain in three cuts", "None"):
        assert word not in text


def test_a_volume_is_meant_where_no_space_is_named(study, tmp_path):
    options = ("--seed", "PCC=0,-52,18", "--participant-label", "01", "--no-figures", *QUICK)
    assert bids(study.folder, tmp_path / "out", *options) == 0
    assert list((tmp_path / "out").glob("sub-01/func/*MNI152NLin2009cAsym*stat-r*.nii.gz"))


def test_grayordinates_by_vertex_coordinate_and_label(dense, tmp_path):
    out, atlas = tmp_path / "out", dense.atlases["cifti"]
    seeds = ("--seed", "V=lh:vertex:5000:0", "T=11,-19,8:4", f"PCC={atlas}#PCC")
    options = ("--smoothing-fwhm", "none", "--strategy", "9P_scrub", "--nprocs", "1", "-q")
    assert bids(dense.folder, out, "--space", "fsLR", *seeds, *options) == 0
    stem = "sub-01_task-rest_space-fsLR_den-91k_seed-PCC_stat-r_desc-9Pscrub_statmap"
    r = nib.load(out / "sub-01" / "func" / f"{stem}.dscalar.nii").get_fdata()[0]
    labels = nib.load(atlas).get_fdata()[0]
    truth = dense.phantom.truth
    names = [region.name for region in truth.regions]
    mean = {name: r[labels == index].mean() for index, name in enumerate(names, 1)}
    network = [name for name in names[1:] if truth.planted_r("PCC", name) > 0.5]
    assert min(mean[name] for name in network) > 0.3
    text = (out / "sub-01.html").read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert "not known where the vertices lie" in text
    assert "29,696 of 32,492 vertices" in text
    assert "31,870 of 31,870 voxels" in text


def test_surfaces_place_the_coordinates_of_grayordinates(dense):
    seeds = (study_seed(parse_seed("PCC=-5,-52,24")), study_seed(parse_seed("T=11,-19,8:4")))
    recipe = Recipe(seeds=seeds, strategies=(named("6P"),), root=dense.folder)
    (without,) = find_participants(dense.folder, Filters())[0].runs
    work = open_work(recipe, without)
    assert [seed.name for seed in work.seeds] == ["T"]
    surfaces = dense.surfaces["cifti"]
    (run,) = find_participants(dense.folder, Filters(), surfaces=surfaces)[0].runs
    work = open_work(recipe, run)
    assert [seed.name for seed in work.seeds] == ["PCC", "T"]
    assert set(surfaces.values()) < set(run.files)


def test_the_memory_of_surfaces_is_known_without_reading_them(study, dense):
    recipe = Recipe(seeds=(), strategies=(named("6P"),), root=study.folder, figures=False)
    chosen = Filters(entities=(("space", ("fsaverage5",)),))
    pair, _, broken = (one.runs for one in find_participants(study.folder, chosen))
    assert estimate_memory(recipe, pair[0]) == estimate_memory(recipe, broken[0])
    alone = replace(pair[0], other=None)
    assert estimate_memory(recipe, alone) < estimate_memory(recipe, pair[0])
    (whole,) = find_participants(dense.folder, Filters())[0].runs
    assert estimate_memory(recipe, whole) > estimate_memory(recipe, pair[0]) + 4 * 100 * 70_000


def test_a_file_that_does_not_state_its_size_is_named(study, tmp_path):
    path = tmp_path / "sub-01_task-rest_hemi-L_bold.func.gii"
    path.write_text("<GIFTI>")
    recipe = Recipe(seeds=(), strategies=(named("6P"),), root=study.folder)
    (run,) = find_participants(study.folder, Filters())[0].runs
    with pytest.raises(ImageError, match="do not state how large"):
        estimate_memory(recipe, replace(run, bold=path))


@pytest.mark.parametrize(
    ("seed", "space", "fits"),
    [
        ("MNI152NLin6Asym", "fsLR", True),
        ("MNI152NLin2009cAsym", "fsLR", False),
        ("MNI152", "fsaverage5", True),
        ("MNI152NLin6Asym", "fsaverage5", False),
        ("", "fsaverage5", True),
        ("", "fsnative", False),
        ("", "run", False),
    ],
)
def test_coordinates_on_surfaces_are_those_of_their_template(seed, space, fits):
    sphere = study_seed(Sphere("PCC", (-5, -52, 24)), seed)
    if fits:
        assert check_space(sphere, space, anyway=False) == ""
        return
    with pytest.raises(SpaceMismatch, match="--allow-space-mismatch"):
        check_space(sphere, space, anyway=False)
    assert "taken as it is" in check_space(sphere, space, anyway=True)


def test_a_vertex_needs_no_space():
    assert check_space(study_seed(VertexPatch("V", "left", 1)), "fsnative", anyway=False) == ""


def test_results_of_the_first_fmriprep_are_called_as_those_of_today(study, tmp_path):
    folder = tmp_path / "old" / "sub-01" / "func"
    folder.mkdir(parents=True)
    source = study.folder / "sub-01" / "func"
    for side in "LR":
        old = folder / f"sub-01_task-rest_bold_space-fsaverage5.{side}.func.gii"
        old.hardlink_to(of(source, f"*hemi-{side}*.func.gii"))
    table = folder / "sub-01_task-rest_bold_confounds.tsv"
    table.hardlink_to(of(source, "*confounds_timeseries.tsv"))
    options = ("--seed", "V=lh:vertex:1234", "--t-r", 2, "--no-figures", *QUICK)
    assert bids(folder.parent.parent, tmp_path / "out", *options) == 0
    stem = "sub-01_task-rest_{}space-fsaverage5_seed-V_stat-r_desc-9Pscrub_statmap"
    func = tmp_path / "out" / "sub-01" / "func"
    assert (func / f"{stem.format('hemi-L_')}.func.gii").is_file()
    facts = json.loads((func / f"{stem.format('')}.json").read_text())
    assert facts["Sources"][0].endswith("sub-01_task-rest_bold_space-fsaverage5.L.func.gii")


def test_every_region_of_a_dense_atlas_is_a_seed(dense, tmp_path):
    atlas = dense.atlases["cifti"]
    seeds = atlas_seeds(atlas, ["P*", "2"])
    names = [region.name for region in dense.phantom.truth.regions]
    wanted = [name for name in names if name.startswith("P")] + [names[1]]
    assert [seed.seed.name for seed in seeds] == wanted
    assert len(atlas_seeds(atlas)) == len(names)
    recipe = Recipe(seeds=tuple(seeds), strategies=(named("6P"),), root=dense.folder)
    (run,) = find_participants(dense.folder, Filters())[0].runs
    work = open_work(recipe, run)
    labels = nib.load(atlas).get_fdata()[0]
    sizes = [seed.voxels.size for seed in work.seeds]
    assert sizes == [(labels == names.index(name) + 1).sum() for name in wanted]


def test_regions_of_a_hemisphere_are_named(study):
    atlas = study.atlases["surface"]["left"]
    first, second = atlas_seeds(atlas, ["PCC", "2"])
    recipe = Recipe(seeds=(first, second), strategies=(named("6P"),), root=study.folder)
    chosen = Filters(entities=(("space", ("fsaverage5",)),))
    work = open_work(recipe, find_participants(study.folder, chosen)[0].runs[0])
    labels = nib.load(atlas).darrays[0].data
    by_name, by_number = (seed.voxels for seed in work.seeds)
    assert set(by_number) == set(np.flatnonzero(labels == 2))
    assert by_name.max() < labels.size
    for regions in ((), ["P*"]):
        with pytest.raises(SeedError, match="--seeds-region"):
            atlas_seeds(atlas, regions)


def test_motion_is_looked_for_on_surfaces_too(results):
    entry = json.loads((results / "logs" / "sub-01.json").read_text())
    (facts,) = entry["facts"]["runs"]
    found = [value for value in facts["probes"]["PCC"] if value is not None]
    assert len(found) > 100
    assert facts["centers"]["PCC"] == [-5, -52, 24]


def test_outputs_that_are_not_known_are_refused(tmp_path):
    with pytest.raises(OptionError, match="choose of volume, surface, cifti"):
        make_study(tmp_path, 1, outputs=("mesh",))
