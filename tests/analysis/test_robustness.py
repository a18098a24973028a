"""How far a map moves with its seed: the numbers are those of the maps themselves, one by one."""

import time

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import maps_of, origin_facts, prepare, read
from seedmap.analysis.cleaned import ImagedSeeds, StoredSeeds
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.robust import COLUMNS, reading_of
from seedmap.datasets.surface import make_grayordinate_phantom, make_surface_phantom
from seedmap.errors import OptionError, SeedmapError
from seedmap.seeds import near_each, place_seeds, virtual_seeds
from seedmap.spatial import Reading, extract
from seedmap.store import open_stored, write_stored

PCC = sm.Sphere("PCC", (0, -52, 18), radius=14)
ALL = sm.Sphere("PCC", (0, -52, 18))


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """Large enough for something to be significant."""
    return sm.datasets.make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=8)


@pytest.fixture(scope="module")
def options(phantom):
    return {"confounds": phantom.confounds[0], "mask_img": phantom.masks[0]}


@pytest.fixture(scope="module")
def found(phantom, options):
    return sm.seed_robustness(phantom.func[0], PCC, number=6, **options)


def store_of(inputs, path, seeds="PCC=0,-52,18", **method):
    """Store a run as `seedmap bids --store` does."""
    prepared = prepare(inputs, seeds, Method(**method))
    smooth = read(prepared)
    maps = maps_of(prepared, smooth)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    facts = {**origin_facts(maps), "file": "sub-01_task-rest_bold.nii.gz"}
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    return open_stored(path)


@pytest.fixture(scope="module")
def stored(phantom, options, tmp_path_factory):
    pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("store") / "run_bold.zarr"
    return store_of(Inputs(phantom.func[0], **options), path)


def virtual_of(seed, maps, number=6, centre=(4.0, 8.0)):
    """Draw the virtual seeds again, and write each as a mask."""
    placed = place_seeds([seed], maps.space)
    (near,) = near_each(placed, maps.space, maps.provenance.smoothing_fwhm, max(centre))
    kinds = virtual_seeds(placed[0], maps.space, centre, number, 0)
    return {one.kind: one.weights for one in kinds}, near


def as_masks(weights, space):
    masks = []
    for k, one in enumerate(weights):
        values = np.zeros(space.shape, np.uint8)
        values.ravel()[one.voxels] = 1
        masks.append(sm.MaskSeed(f"v{k}", nib.Nifti1Image(values, space.affine)))
    return masks


@pytest.mark.parametrize("kind", ["centre4", "centre8", "size", "half"])
def test_errors_are_those_of_the_maps_of_the_virtual_seeds(found, phantom, options, kind):
    maps = found
    weights, near = virtual_of(PCC, maps)
    masks = as_masks(weights[kind], maps.space)
    others = sm.seed_maps(phantom.func[0], masks, **options)
    counted = np.isfinite(maps.values("PCC", "q"))
    counted[near] = False
    error = others.fisherz.std(axis=0, ddof=1) / maps.values("PCC", "se")
    row = found.row("PCC", kind)
    assert row.number == len(masks)
    assert row.error == pytest.approx(np.median(error[counted]), rel=1e-4)
    pairs = np.corrcoef(others.seed_series.T)[np.triu_indices(len(masks), 1)]
    assert row.agreement == pytest.approx(pairs.mean(), abs=1e-9)
    assert row.predicted == pytest.approx(np.sqrt(1 - pairs.mean()), abs=1e-9)
    own = maps.fisherz[0][counted]
    map_r = [np.corrcoef(own, one[counted])[0, 1] for one in others.fisherz]
    assert row.map_r == pytest.approx(np.mean(map_r), abs=1e-5)
    if kind == "centre8":
        np.testing.assert_allclose(found.error[0], error, rtol=2e-3, atol=2e-5)
        z = np.abs(maps.values("PCC", "z"))
        q = maps.values("PCC", "q")
        needed = z[np.nan_to_num(q, nan=1.0) < 0.05].min()
        scored = np.stack([maps.certainty.infer(one, 0).z for one in others.r])
        survives = (np.abs(scored) >= needed) & (np.sign(scored) == np.sign(maps.r[0]))
        assert found.survival[0].max() == 1
        assert np.mean(np.abs(found.survival[0] - survives.mean(axis=0)) < 1e-6) > 0.999


def test_correction_for_the_whole_map_changes_nothing_of_it(found, phantom, options):
    both = sm.seed_robustness(phantom.func[0], PCC, number=6, fwe=100, **options)
    alone = sm.seed_maps(phantom.func[0], PCC, fwe=100, **options)
    assert np.array_equal(both.values("PCC", "pfwe"), alone.values("PCC", "pfwe"), equal_nan=True)
    assert both.table.equals(found.table)


def test_virtual_seeds_have_the_maps_of_the_same_spheres_in_runs_and_stores(
    phantom, options, stored
):
    spheres = [sm.Sphere(f"s{k}", (3 * k, -52, 18), 12) for k in range(3)]
    prepared = prepare(Inputs(phantom.func[0], **options), PCC, Method())
    weights = [one.weights(prepared.run.space) for one in spheres]
    run = ImagedSeeds.of(prepared, read(prepared, more=weights))
    wanted = sm.seed_maps(phantom.func[0], spheres, **options).r
    blocks = {}
    run.walk(lambda _, part, block: blocks.update({part.start: block.whole}), halves=False)
    (whole,) = blocks.values()
    np.testing.assert_allclose(run.drawn.T @ whole, wanted, atol=2e-6)
    maps = sm.stored_maps(stored, PCC)
    source = StoredSeeds(stored, maps, weights[:1], weights)
    source.walk(lambda _, part, block: blocks.update({part.start: block.whole}), halves=False)
    (whole,) = blocks.values()
    np.testing.assert_allclose(source.drawn.T @ whole, sm.stored_maps(stored, spheres).r, atol=1e-5)


def test_from_the_store_come_the_same_numbers_as_from_the_images(found, stored):
    other = sm.seed_robustness(stored, PCC, number=6)
    assert [row.kind for row in other.rows] == [row.kind for row in found.rows]
    for one, two in zip(found.rows, other.rows, strict=True):
        # Standard errors of the store have no second order; places outside the mask are not in it.
        assert two.error == pytest.approx(one.error, rel=0.1)
        assert two.map_r == pytest.approx(one.map_r, abs=0.02)


def test_homogeneity_is_the_mean_correlation_of_the_voxels(found, phantom, options):
    (placed,) = place_seeds([PCC], found.space)
    space = found.space
    voxels = placed.voxels[space.mask.ravel()[placed.voxels]]
    singles = []
    for k, one in enumerate(voxels):
        values = np.zeros(space.shape, np.uint8)
        values.ravel()[one] = 1
        singles.append(sm.MaskSeed(f"v{k}", nib.Nifti1Image(values, space.affine)))
    series = sm.seed_maps(phantom.func[0], singles, **options).seed_series
    pairs = np.corrcoef(series.T)[np.triu_indices(voxels.size, 1)]
    assert found.row("PCC", "half").homogeneity == pytest.approx(pairs.mean(), abs=1e-9)


def test_halves_of_the_run_are_compared_in_standard_errors(found, phantom, options):
    keep = found.provenance.keep
    times = np.flatnonzero(keep) * 2.0
    sides = times < np.median(times) - 10, times > np.median(times) + 10
    prepared = prepare(Inputs(phantom.func[0], **options), PCC, Method())
    read_run = read(prepared)
    clean = prepared.operator.on_kept @ (read_run.series + read_run.reference).astype(np.float64)
    seed = prepared.operator.on_kept @ read_run.seed_series
    fisherz = []
    for side in sides:
        x, y = (one[side] - one[side].mean(axis=0) for one in (clean, seed))
        r = (y.T @ x)[0] / np.linalg.norm(x, axis=0) / np.linalg.norm(y)
        fisherz.append(np.arctanh(r))
    maps, counted = found, np.ones(found.space.n_samples, bool)
    counted[virtual_of(PCC, maps)[1]] = False
    counted &= np.isfinite(maps.values("PCC", "q"))
    dof, se = maps.values("PCC", "dof"), maps.values("PCC", "se")
    ratio = se**2 * (dof - 2)
    left = [dof * side.mean() for side in sides]
    variance = sum(ratio / np.where(one > 4, one - 2, np.nan) for one in left)
    wanted = np.sqrt(np.nanmean(((fisherz[0] - fisherz[1]) ** 2 / variance)[counted]))
    assert found.row("PCC", "time").error == pytest.approx(wanted, rel=1e-3)


def test_equal_cleanings_do_not_differ_and_others_do(phantom, options, stored, tmp_path):
    other = store_of(
        Inputs(phantom.func[0], mask_img=phantom.masks[0]), tmp_path / "other_bold.zarr"
    )
    same = sm.seed_robustness(stored, PCC, number=2, centre=[4], strategies=[stored, stored.path])
    assert same.row("PCC", "cleaning").error == 0
    assert same.row("PCC", "cleaning").number == 3
    assert same.row("PCC", "cleaning").map_r == pytest.approx(1)
    found = sm.seed_robustness(stored, PCC, number=2, centre=[4], strategies=[other])
    maps = [sm.stored_maps(one, PCC) for one in (stored, other)]
    spread = np.std([one.fisherz[0] for one in maps], axis=0, ddof=1) / maps[0].values("PCC", "se")
    counted = np.isfinite(maps[0].values("PCC", "q"))
    counted[virtual_of(PCC, maps[0], centre=(4.0,))[1]] = False
    assert found.row("PCC", "cleaning").error == pytest.approx(np.median(spread[counted]), rel=1e-5)


def test_strategies_of_images_are_compared_too(tmp_path):
    made = sm.datasets.make_phantom(tmp_path, voxel_size=12, n_frames=100, layout="bids")
    found = sm.seed_robustness(
        made.func[0], PCC, number=2, centre=[4], strategy="6P", strategies=["6P", "6P"]
    )
    row = found.row("PCC", "cleaning")
    assert row.error == 0
    assert row.note == "6P, 6P, 6P"


def test_the_same_number_gives_the_same_bits_whoever_else_is_there(phantom, options):
    bold, other = phantom.func[0], sm.Sphere("motor", (-36, -25, 57), 14)
    one = sm.seed_robustness(bold, PCC, number=4, n_jobs=1, **options)
    same = sm.seed_robustness(bold, PCC, number=4, n_jobs=2, **options)
    two = sm.seed_robustness(bold, [other, PCC], number=4, **options)
    again = sm.seed_robustness(bold, PCC, number=4, rng=1, **options)
    np.testing.assert_array_equal(one.error, same.error)
    np.testing.assert_array_equal(one.survival, same.survival)
    assert repr(one.rows) == repr(same.rows)
    np.testing.assert_allclose(two.error[1], one.error[0], rtol=1e-4)
    for row in one.rows:
        assert two.row("PCC", row.kind).error == pytest.approx(row.error, rel=1e-5)
        assert two.row("PCC", row.kind).agreement == pytest.approx(
            row.agreement, abs=1e-12, nan_ok=True
        )
    assert again.row("PCC", "centre8").error != one.row("PCC", "centre8").error


def test_planted_regions_move_little_and_nothing_moves_much(tmp_path):
    """The phantom at 4 mm: seeds in planted regions, and one where nothing is planted."""
    made = sm.datasets.make_phantom(tmp_path, voxel_size=4)
    found = sm.seed_robustness(
        made.func[0],
        ["PCC=0,-52,18", "mPFC=1,55,-3", "LMotor=-36,-25,57", "nothing=20,10,10"],
        confounds=made.confounds[0],
        sample_mask=made.truth.sample_masks[0],
        mask_img=made.masks[0],
    )
    for seed in ("PCC", "mPFC", "LMotor"):
        assert found.row(seed, "centre4").error <= 0.10
        assert found.row(seed, "centre8").error <= 0.16
        assert found.row(seed, "centre8").error < found.row(seed, "centre8").random_low
        assert found.row(seed, "centre4").survival_95 > 0.8
    for kind in ("centre4", "centre8"):
        assert found.row("nothing", kind).error >= 0.40
        row = found.row("nothing", kind)
        assert row.random_low < row.predicted < row.random_high
    for row in found.rows:
        if row.kind in ("centre4", "centre8", "half"):
            assert 0.87 < row.error / row.predicted < 1.13
    words = found.reading("PCC")
    assert "does not matter here" in words
    assert f"{found.row('PCC', 'centre8').error:.2f}" in words


@pytest.fixture(scope="module")
def real(data_folder):
    folder = data_folder / "volume"
    stem = "sub-01_task-rest_space-MNI152_res-4_desc-"
    return folder / f"{stem}preproc_bold.nii.gz", {
        "mask_img": folder / f"{stem}brain_mask.nii.gz",
        "confounds": folder / "sub-01_task-rest_desc-confounds_timeseries.tsv",
        "confound_columns": ("a_comp_cor_*", "cosine*"),
    }


def test_of_a_real_run_errors_are_the_predicted_ones(real):
    bold, options = real
    seeds = ["PCC=0,-52,18", "mPFC=1,55,-3", "M1=-38,-22,56", "V1=0,-88,0", "WM=-26,-30,28"]
    found = sm.seed_robustness(bold, seeds, **options)
    rows = [row for row in found.rows if row.kind in ("centre4", "centre8", "half")]
    ratios = [row.error / row.predicted for row in rows]
    assert 0.9 < np.median(ratios) < 1.1
    times = [row.error for row in found.rows if row.kind == "time"]
    assert 0.7 < np.median(times) < 1.2


CLEANINGS = {
    "none": None,
    "white matter and CSF": ("csf", "white_matter"),
    "with the global signal": ("csf", "white_matter", "global_signal"),
    "aCompCor": ("a_comp_cor_*", "cosine*"),
}


@pytest.mark.slow
@pytest.mark.parametrize("cleaning", CLEANINGS)
@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_halves_of_a_real_run_differ_by_one_standard_error(real, cleaning):
    """Of 200 random seeds: the standard errors are right without a model of the noise."""
    bold, options = real
    columns = CLEANINGS[cleaning]
    kept = {"mask_img": options["mask_img"]}
    if columns:
        kept |= {"confounds": options["confounds"], "confound_columns": columns}
    mask = nib.load(options["mask_img"])
    places = np.argwhere(np.asarray(mask.dataobj))
    chosen = places[np.random.default_rng(0).permutation(len(places))[:200]]
    seeds = [
        sm.Sphere(f"s{k}", tuple(one))
        for k, one in enumerate(nib.affines.apply_affine(mask.affine, chosen))
    ]
    found = sm.seed_robustness(bold, seeds, number=2, centre=[4], **kept)
    errors = [row.error for row in found.rows if row.kind == "time"]
    assert len(errors) == 200
    assert 0.85 < np.median(errors) < 1.10


def test_a_time_course_has_halves_only(phantom, options):
    series = sm.SeriesSeed("beat", np.sin(np.arange(168) / 3.0))
    found = sm.seed_robustness(phantom.func[0], series, number=2, **options)
    assert [row.kind for row in found.rows] == ["time"]
    assert np.isnan(found.survival).all()
    assert found.reading("beat") == ""


@pytest.mark.parametrize("radius", [0, 1])
def test_a_seed_of_one_voxel_has_rows_that_say_what_is_missing(phantom, options, radius):
    seed = sm.Sphere("one", (0, -52, 18), radius)
    found = sm.seed_robustness(phantom.func[0], seed, number=3, **options)
    assert found.row("one", "centre8").number == 3
    half = found.row("one", "half")
    assert half.number == 0
    assert "no halves" in half.note
    assert np.isnan(half.error)


@pytest.mark.filterwarnings("ignore:seed 'edge'")
def test_a_mask_seed_and_a_seed_at_the_edge_have_rows(phantom, options):
    image = nib.load(phantom.atlas)
    region = sm.MaskSeed(
        "region", nib.Nifti1Image((image.get_fdata() == 1).astype(np.uint8), image.affine)
    )
    edge = sm.Sphere("edge", (0, -100, 0), 20)
    found = sm.seed_robustness(phantom.func[0], [region, edge], number=4, **options)
    for seed in ("region", "edge"):
        assert found.row(seed, "centre8").number == 4
        assert np.isfinite(found.row(seed, "centre8").error)
    with pytest.raises(OptionError, match="there is centre4, centre8, size, half, time"):
        found.row("edge", "cleaning")


@pytest.mark.parametrize("make", [make_surface_phantom, make_grayordinate_phantom])
def test_seeds_on_surfaces_and_grayordinates(make, tmp_path):
    made = make(tmp_path, n_frames=110, t_r=2.0)
    region = sm.Region("PCC", made.atlas, "PCC")
    seeds = [sm.Sphere("IPL", (46, -68, 32)), region]
    if make is make_grayordinate_phantom:
        deep = sm.Sphere("deep", (20, -56, -26))
        seeds = [sm.VertexPatch("IPL", "right", 12345), region, deep]
    found = sm.seed_robustness(
        made.func[0],
        seeds,
        number=4,
        confounds=made.confounds[0],
        surfaces=made.surfaces,
        smoothing_fwhm=4,
    )
    assert found.row("IPL", "centre8").number == 4
    assert 0 < found.row("IPL", "centre4").error < 1
    assert found.row("PCC", "centre8").number == 0
    assert "are not moved" in found.row("PCC", "centre8").note
    assert np.isfinite(found.row("PCC", "half").error)
    if len(seeds) == 3:
        assert found.row("deep", "centre8").number == 4


def test_without_a_mask_it_is_the_background_mask_of_the_run(phantom, options):
    confounds = options["confounds"]
    found = sm.seed_robustness(phantom.func[0], PCC, number=2, confounds=confounds)
    wanted = sm.seed_maps(phantom.func[0], PCC, confounds=confounds)
    np.testing.assert_array_equal(found.space.mask, wanted.space.mask)
    np.testing.assert_array_equal(found.r, wanted.r)


def test_what_is_written(found, tmp_path):
    paths = found.save(tmp_path / "out")
    names = sorted(path.name for path in paths if "seed-PCC" in path.name)
    stem = found.file_stem("PCC")
    assert {"r", "z", "survival", "seederror"} <= set(found.stats)
    assert names == sorted(
        [f"{stem}_stat-{stat}_statmap.{end}" for stat in found.stats for end in ("json", "nii.gz")]
        + [f"{stem}_robustness.{end}" for end in ("json", "tsv")]
        + [f"{stem}_timeseries.tsv"]
    )
    image = nib.load(tmp_path / "out" / f"{stem}_stat-survival_statmap.nii.gz")
    inside = np.asarray(image.dataobj)[found.space.mask]
    np.testing.assert_allclose(inside, found.survival[0], atol=1e-6)
    lines = (tmp_path / "out" / f"{stem}_robustness.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert len(lines) == 1 + len(found.rows)
    assert float(lines[1].split("\t")[4]) == pytest.approx(found.rows[0].error, rel=1e-5)
    assert list(found.table["kind"]) == [row.kind for row in found.rows]
    figure = found.plot("PCC", stat="survival")
    assert figure is not None


def test_readings_have_four_steps_and_no_verdict():
    words = [reading_of(error) for error in (0.1, 0.3, 0.7, 1.5)]
    assert len(set(words)) == 4
    assert reading_of(np.nan) == ""
    for word in words:
        assert "robust" not in word
        assert "specific" not in word
    assert reading_of(0.25) == words[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"centre": [0, 4]}, "distances above 0"),
        ({"centre": []}, "distances above 0"),
        ({"centre": [4, 4]}, "each once"),
        ({"number": 1}, "2 or more"),
        ({"rng": -1}, "0 or more"),
        ({"measure": "partial"}, "measure given"),
        ({"uncertainty": None}, "uncertainty given"),
        ({"low_pass": 0.1}, "Cleaning"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(phantom, options, words):
    with pytest.raises(SeedmapError, match=words) as caught:
        sm.seed_robustness(phantom.func[0], PCC, **options)
    assert "\n" not in str(caught.value)


def test_options_of_the_cleaning_are_too_late_for_a_store(stored):
    with pytest.raises(OptionError, match="confounds given, but the stored run"):
        sm.seed_robustness(stored, PCC, confounds="a.tsv")


def test_other_masks_of_other_cleanings_are_refused(phantom, stored, options, tmp_path):
    image = nib.load(phantom.masks[0])
    smaller = np.asarray(image.dataobj).copy()
    smaller[tuple(np.argwhere(smaller)[0])] = 0
    other = store_of(
        Inputs(phantom.func[0], mask_img=nib.Nifti1Image(smaller, image.affine)),
        tmp_path / "other_bold.zarr",
    )
    with pytest.raises(OptionError, match="give one mask for all"):
        sm.seed_robustness(stored, PCC, number=2, strategies=[other])


def test_a_hundred_seeds_from_a_store_cost_less_than_twenty_maps(real, tmp_path):
    pytest.importorskip("zarr")
    bold, options = real
    run = store_of(Inputs(bold, **options), tmp_path / "run_bold.zarr")

    def cost(work, rounds=5):
        took = []
        for _ in range(rounds):
            before = time.process_time()
            work()
            took.append(time.process_time() - before)
        return min(took)

    one = cost(lambda: sm.stored_maps(run, ALL).values("PCC", "q"))
    many = cost(lambda: sm.seed_robustness(run, ALL))
    assert many < 20 * one
