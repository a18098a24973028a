"""Degree: the map of the global standardised signal, and what it explains of a seed's map."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import maps_of, origin_facts, prepare, read
from seedmap.analysis.options import Inputs, Method
from seedmap.cli import main
from seedmap.errors import OptionError
from seedmap.report.degree import describe_degree
from seedmap.spatial import Reading, extract
from seedmap.store import open_stored, write_stored

PCC = sm.Sphere("PCC", (0, -52, 18), radius=14)


@pytest.fixture(scope="module")
def options(phantom):
    return {"confounds": phantom.confounds[0], "mask_img": phantom.masks[0]}


@pytest.fixture(scope="module")
def found(phantom, options):
    return sm.seed_maps(phantom.func[0], PCC, degree=True, **options)


def cleaned_samples(phantom, options):
    """All cleaned samples in double precision, centred and of unit norm, (kept, samples)."""
    prepared = prepare(Inputs(phantom.func[0], **options), PCC, Method())
    extracted = read(prepared)
    series = (extracted.series + extracted.reference).astype(np.float64)
    clean = prepared.operator.on_kept @ series
    clean = clean - clean.mean(axis=0)
    return clean / np.linalg.norm(clean, axis=0)


def test_degree_is_the_mean_of_the_correlations_with_all_samples(found, phantom, options):
    units = cleaned_samples(phantom, options)
    pairs = units.T @ units
    np.testing.assert_allclose(found.degree.values, pairs.mean(axis=0), atol=1e-6)
    assert found.degree.norm**2 == pytest.approx(pairs.mean(), abs=1e-6)


def test_it_is_the_map_of_the_global_standardised_signal(found, phantom, options):
    units = cleaned_samples(phantom, options)
    signal = units.mean(axis=1)
    r = signal @ units / np.linalg.norm(signal)
    np.testing.assert_allclose(found.degree.values, r * found.degree.norm, atol=1e-6)


def test_the_share_is_that_of_the_variance_away_from_the_seed(found):
    away = np.ones(found.space.n_samples, bool)
    away[found.near[0]] = False
    r = np.corrcoef(found.fisherz[0][away], found.degree.values[away])[0, 1]
    assert found.degree.r2["PCC"] == pytest.approx(r**2, abs=1e-6)
    low, middle, high = found.degree.random["PCC"]
    assert 0 <= low < middle < high < 1


def run_of(global_signal, rng, frames=400):
    """Make a run in which voxels follow a signal as much as their place says, and noise."""
    shape = (14, 14, 12)
    strength = np.linspace(0, 2, np.prod(shape)).reshape(shape)
    data = 100 + rng.standard_normal((*shape, frames)) + strength[..., None] * global_signal
    image = nib.Nifti1Image(data.astype(np.float32), np.diag([4.0, 4, 4, 1]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((4, 4, 4, 2.0))
    return image, nib.Nifti1Image(np.ones(shape, np.uint8), image.affine)


def test_degree_explains_the_map_of_the_global_signal_and_none_of_independent_seeds():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(400)
    image, mask = run_of(signal, rng)
    cleaning = sm.Cleaning(filter=None)
    others = [sm.SeriesSeed(f"s{k}", rng.standard_normal(400)) for k in range(9)]
    for one in range(9):  # what they share with the signal by chance is taken out
        values = others[one].values
        values = values - signal * (values @ signal) / (signal @ signal)
        others[one] = sm.SeriesSeed(f"s{one}", values)
    maps = sm.seed_maps(
        image,
        [sm.SeriesSeed("global", signal), *others],
        mask_img=mask,
        cleaning=cleaning,
        smoothing_fwhm=None,
        degree=True,
    )
    assert maps.degree.r2["global"] >= 0.95
    assert np.median([maps.degree.r2[f"s{k}"] for k in range(9)]) <= 0.02
    assert np.isnan(maps.degree.random["global"]).all()


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_of_a_real_run_the_share_follows_the_cleaning(data_folder):
    folder = data_folder / "volume"
    stem = "sub-01_task-rest_space-MNI152_res-4_desc-"
    kept = {"mask_img": folder / f"{stem}brain_mask.nii.gz", "degree": True}
    bold, seed = folder / f"{stem}preproc_bold.nii.gz", "PCC=0,-52,18"
    plain = sm.seed_maps(bold, seed, **kept).degree
    assert 0.50 <= plain.r2["PCC"] <= 0.70
    low, middle, high = plain.random["PCC"]
    assert low < 0.1 < middle < 0.45 < high
    kept["confounds"] = folder / "sub-01_task-rest_desc-confounds_timeseries.tsv"
    cleaned = sm.seed_maps(bold, seed, confound_columns=("a_comp_cor_*", "cosine*"), **kept).degree
    assert cleaned.r2["PCC"] <= 0.10
    assert cleaned.random["PCC"][2] < high
    removed = sm.seed_maps(bold, seed, confound_columns=("csf", "global_signal"), **kept)
    assert removed.degree.spread < 0.01
    (words,) = describe_degree(removed)
    assert "was regressed out" in words


def test_a_stored_run_has_the_same(found, phantom, options, tmp_path):
    pytest.importorskip("zarr")
    prepared = prepare(Inputs(phantom.func[0], **options), PCC, Method())
    smooth = read(prepared)
    maps = maps_of(prepared, smooth)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    facts = {**origin_facts(maps), "file": "sub-01_bold.nii.gz"}
    path = tmp_path / "run_bold.zarr"
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    stored = sm.stored_maps(open_stored(path), PCC, degree=True)
    np.testing.assert_allclose(stored.degree.values, found.degree.values, atol=1e-5)
    assert stored.degree.r2["PCC"] == pytest.approx(found.degree.r2["PCC"], abs=1e-3)


def test_threads_do_not_change_a_bit(found, phantom, options):
    other = sm.seed_maps(phantom.func[0], PCC, degree=True, n_jobs=2, **options)
    np.testing.assert_array_equal(other.degree.values, found.degree.values)
    np.testing.assert_array_equal(other.r, found.r)
    assert other.degree.random == found.degree.random


def test_robustness_and_degree_come_from_one_reading(found, phantom, options):
    from seedmap.analysis import Limits, RobustnessSettings, robust_run

    inputs = Inputs(phantom.func[0], **options)
    settings = RobustnessSettings(number=3)
    both = robust_run(inputs, PCC, Method(), Limits(), settings, degree=True)
    np.testing.assert_array_equal(both.degree.values, found.degree.values)
    assert both.degree.random == found.degree.random
    alone = robust_run(inputs, PCC, Method(), Limits(), settings)
    np.testing.assert_array_equal(both.error, alone.error)


def test_one_map_of_degree_is_written_beside_those_of_the_seeds(phantom, options, tmp_path):
    seeds = [PCC, sm.Sphere("motor", (-36, -25, 57), 14)]
    maps = sm.seed_maps(phantom.func[0], seeds, degree=True, **options)
    maps.save(tmp_path)
    (path,) = tmp_path.glob("*_stat-degree_statmap.nii.gz")
    assert "seed-" not in path.name
    inside = np.asarray(nib.load(path).dataobj)[maps.space.mask]
    np.testing.assert_allclose(inside, maps.values("PCC", "degree"), atol=1e-7)
    facts = json.loads(next(tmp_path.glob("*_stat-degree_statmap.json")).read_text())
    assert "Seed" not in facts
    assert "global" in facts["Description"]
    assert facts["DegreeMean"] == pytest.approx(maps.degree.norm**2, rel=1e-4)
    facts = json.loads(next(tmp_path.glob("*_seed-motor_stat-r_statmap.json")).read_text())
    assert facts["DegreeR2"] == pytest.approx(maps.degree.r2["motor"], rel=1e-4)
    assert set(facts["DegreeR2Random"]) == {"0.05", "0.5", "0.95"}
    assert maps["motor"].degree is maps.degree


def test_the_command_line_prints_and_writes_it(phantom, tmp_path, capsys):
    line = ["run", str(phantom.func[0]), "--confounds", str(phantom.confounds[0]), "--degree"]
    line += ["--mask-img", str(phantom.masks[0]), "--seed", "PCC=0,-52,18:14"]
    assert main([*line, "-o", str(tmp_path)]) == 0
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert re.search(r"The map of the global signal \(degree\) explains [\d.]+ % of the", printed)
    assert len(list(tmp_path.glob("*_stat-degree_statmap.nii.gz"))) == 1
    (page,) = tmp_path.glob("*_report.html")
    assert "(degree) explains" in page.read_text()


def test_without_being_asked_for_it_is_not_there(phantom, options):
    maps = sm.seed_maps(phantom.func[0], PCC, **options)
    assert maps.degree is None
    assert describe_degree(maps) == []
    with pytest.raises(OptionError, match=r"ask for degree=True \(--degree\)"):
        maps.values("PCC", "degree")
    with pytest.raises(OptionError, match="known for the correlation"):
        sm.seed_maps(phantom.func[0], PCC, degree=True, measure="spearman", **options)
