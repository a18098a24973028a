"""The rows in memory: their maps are those of `seed_maps`, whatever the run and the settings."""

import threading

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedmap import Cleaning, Sphere, seed_maps
from seedmap.analysis.options import Inputs, Limits, Method
from seedmap.errors import OptionError, SeedError
from seedmap.explorer.engine import (
    NOT_A_NUMBER,
    Gathered,
    LiveRun,
    Settings,
    Superseded,
    confound_groups,
    find_peaks,
    open_source,
    sample_at,
)
from seedmap.explorer.engine.unsmoothed import Unsmoothed
from seedmap.images import Grid

CLOSE = 2e-4
AFFINE = np.array([[-4.0, 0, 0, 22], [0, 4, 0, -22], [0, 0, 4, -18], [0, 0, 0, 1]])
PLAIN = Cleaning(detrend=False, filter=None, standardize_confounds=False)


def make_run(dtype=np.float32, slope=None, frames=60, rng=0):
    """Make a small run with signal outside the brain, too, and its mask and confounds."""
    random = np.random.default_rng(rng)
    shape = (11, 12, 10)
    shared = random.standard_normal(frames)
    values = 500 + 20 * random.standard_normal((*shape, frames)) + 12 * shared
    image = nib.Nifti1Image(values.astype(dtype), AFFINE)
    if slope is not None:
        image.header.set_slope_inter(slope, 3.0)
    image.header.set_zooms((4, 4, 4, 2.0))
    image.header.set_xyzt_units("mm", "sec")
    mask = np.zeros(shape, dtype=np.uint8)
    mask[2:-2, 2:-2, 2:-2] = 1
    confounds = random.standard_normal((frames, 3))
    confounds.setflags(write=False)
    return image, nib.Nifti1Image(mask, AFFINE), confounds


def check(image, seeds, **options):
    """Compare the live run's maps and series with those of `seed_maps`."""
    way = {name: options[name] for name in ("cleaning", "smoothing_fwhm") if name in options}
    given = {n: value for n, value in options.items() if n not in ("n_jobs", *way)}
    limits = Limits(n_jobs=options.get("n_jobs"))
    source = open_source(Inputs(image, **given), Method(**way), limits)
    cleaned = source.clean(source.settings)
    maps = seed_maps(image, seeds, **options, uncertainty=None)
    assert np.array_equal(cleaned.live.grid.mask, maps.space.mask)
    for row, seed in enumerate(seeds):
        signal = cleaned.live.seed_signal(seed)
        r = cleaned.live.r(signal.unit)
        np.testing.assert_allclose(r, maps.r[row], rtol=0, atol=1e-5)
        steps = cleaned.live.payload(signal.unit)
        assert np.array_equal(steps == NOT_A_NUMBER, np.isnan(maps.r[row]))
        good = steps != NOT_A_NUMBER
        np.testing.assert_allclose(steps[good] / 32767, r[good], rtol=0, atol=0.52 / 32767)
        series = cleaned.live.series(signal.unit)
        np.testing.assert_allclose(series, maps.seed_series[:, row], rtol=0, atol=1e-4)
    return cleaned


SEEDS = [
    Sphere("in", (0, 0, 0), 8.0),
    Sphere("edge", (-12, 12, 8), 8.0),
    Sphere("one", (4, 0, 4), 0),
]


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"smoothing_fwhm": None},
        {"smoothing_fwhm": 9.0, "cleaning": Cleaning(low_pass=None)},
        {"cleaning": Cleaning(filter="cosine", low_pass=None)},
        {"cleaning": PLAIN},
        {"cleaning": PLAIN, "smoothing_fwhm": None},
        {"sample_mask": np.delete(np.arange(60), [0, 7, 8, 31, 59])},
        {"n_jobs": 1},
        {"confounds": None},
    ],
)
def test_maps_are_those_of_seed_maps(changed):
    image, mask, confounds = make_run()
    check(image, SEEDS, **({"mask_img": mask, "confounds": confounds} | changed))


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
@pytest.mark.parametrize(
    ("dtype", "slope"), [(np.int16, None), (np.int16, 0.5), (np.float64, None)]
)
def test_however_the_run_is_stored(dtype, slope, tmp_path):
    image, mask, confounds = make_run(dtype, slope)
    path = tmp_path / "run.nii.gz"
    nib.save(image, path)
    check(path, SEEDS, mask_img=mask, confounds=confounds)


def test_the_background_mask_is_found_on_the_way(tiny_run):
    seeds = [Sphere("s", (0, 0, 5), 4.0)]
    check(tiny_run(frames=40), seeds, cleaning=Cleaning(filter=None), smoothing_fwhm=None)


def test_the_background_mask_is_found_by_a_second_walk():
    image, _, confounds = make_run()
    source = open_source(Inputs(image, confounds=confounds))  # no background: all voxels change
    assert source.clean(source.settings).live.grid.mask.sum() > 0


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_constants_and_gaps_are_nan():
    image, mask, confounds = make_run()
    values = image.get_fdata().astype(np.float32)
    values[5, 5, 5] = 500
    values[4, 6, 5, 9] = np.nan
    broken = nib.Nifti1Image(values, image.affine, image.header)
    cleaned = check(broken, SEEDS[2:], mask_img=mask, confounds=confounds, smoothing_fwhm=None)
    assert cleaned.live.unusable == 1
    assert cleaned.live.constant == 1


def test_a_seed_without_samples_is_refused():
    image, mask, _ = make_run()
    source = open_source(Inputs(image, mask_img=mask))
    live = source.clean(source.settings).live
    with pytest.raises(SeedError, match="lies in the mask"):
        live.seed_signal(Sphere("s", (20, 20, 16), 2.0))
    with pytest.raises(SeedError, match="outside the image"):
        live.seed_signal(Sphere("s", (400, 0, 0), 8.0))


def test_rows_need_little_memory(monkeypatch):
    monkeypatch.setattr("seedmap.explorer.engine.imaged.SMALL", 0)
    image, mask, confounds = make_run(frames=200)
    source = open_source(Inputs(image, mask_img=mask, confounds=confounds))
    for cleaning in (Cleaning(), Cleaning(filter=None)):
        settings = Settings(method=Method(cleaning=cleaning), groups=source.settings.groups)
        live = source.clean(settings).live
        assert live.nbytes <= 2.5 * 200 * live.grid.n_samples * 4


def test_far_voxels_are_left_out_and_said_so(monkeypatch):
    monkeypatch.setattr("seedmap.explorer.engine.imaged.SMALL", 0)
    image, mask, _ = make_run()
    source = open_source(Inputs(image, mask_img=mask), Method(cleaning=Cleaning(filter=None)))
    live = source.clean(source.settings).live
    signal = live.seed_signal(Sphere("wide", (0, 0, 0), 30.0))
    assert signal.left_out > 0
    assert signal.left_out + (live._row_of >= 0).sum() >= signal.voxels
    assert 0 < signal.coverage < 1


def as_stored(mask, rows):
    """Give seeds the same rows, which no cleaning changes."""
    zeros, finite = np.zeros(len(rows)), np.ones(len(rows), dtype=bool)
    return Unsmoothed(mask, finite, (rows,), None, None, zeros, (1.0, 0.0), np.eye(rows.shape[1]))


def live_of(rows, mask):
    one = np.ones(len(rows), dtype=np.float32)
    grid = Grid(AFFINE, mask)
    brain = Gathered(mask, rows.copy(), one, one.astype(bool))
    voxels = as_stored(mask, rows.copy())
    keep = np.ones(rows.shape[1], dtype=bool)
    return LiveRun.from_rows(grid, brain, voxels, np.eye(rows.shape[1]), keep, 2)


@given(st.integers(0, 10_000), st.integers(2, 9))
@settings(max_examples=20)
def test_a_map_is_the_correlation_of_rows(seed, coordinates):
    random = np.random.default_rng(seed)
    mask = random.random((5, 6, 4)) < 0.7
    mask[2, 2, 2] = True
    rows = random.standard_normal((int(mask.sum()), coordinates)).astype(np.float32)
    live = live_of(rows, mask)
    place = tuple(live.grid.to_mm([[2, 2, 2]])[0])
    r = live.r(live.seed_signal(Sphere("s", place, 0)).unit)
    row = rows[sample_at(live.grid, place)].astype(float)
    wanted = rows @ row / np.linalg.norm(rows, axis=1) / np.linalg.norm(row)
    np.testing.assert_allclose(r, wanted, atol=1e-5)
    assert r[sample_at(live.grid, place)] == pytest.approx(1)
    live.close()


def test_a_preview_is_the_map_of_every_second_voxel():
    mask = np.ones((6, 6, 6), dtype=bool)
    rows = np.random.default_rng(0).standard_normal((216, 7)).astype(np.float32)
    live = live_of(rows, mask)
    unit = live.seed_signal(Sphere("s", tuple(live.grid.to_mm([[3, 3, 3]])[0]), 0)).unit
    whole, coarse = (steps.reshape(6, 6, 6) for steps in (live.payload(unit), live.preview(unit)))
    assert np.array_equal(coarse, np.kron(whole[::2, ::2, ::2], np.ones((2, 2, 2), dtype=int)))


@pytest.fixture(params=["one thread", "threads"])
def threads(request, monkeypatch):
    """Work in one thread, as on small runs, and in several."""
    least = 1 << 40 if request.param == "one thread" else 0
    monkeypatch.setattr("seedmap.explorer.engine.live.SINGLE_BYTES", least)


@pytest.mark.usefixtures("threads")
def test_a_superseded_map_is_given_up_at_once():
    mask = np.ones((40, 40, 40), dtype=bool)
    live = live_of(np.random.default_rng(0).standard_normal((64000, 40)).astype(np.float32), mask)
    calls = []

    def after_a_piece():
        calls.append(None)
        return len(calls) > 1

    with pytest.raises(Superseded):
        live.payload(live.targets[0], after_a_piece)
    assert np.isfinite(live.r(live.targets[0])).all()  # the lock was given back


@pytest.mark.usefixtures("threads")
def test_a_closed_run_still_answers_whoever_has_it():
    mask = np.ones((40, 40, 40), dtype=bool)
    live = live_of(np.random.default_rng(0).standard_normal((64000, 40)).astype(np.float32), mask)
    before = live.payload(live.targets[7])
    live.close()
    assert np.array_equal(live.payload(live.targets[7]), before)


def test_a_run_that_is_closed_meanwhile_answers(monkeypatch):
    monkeypatch.setattr("seedmap.explorer.engine.live.SINGLE_BYTES", 0)
    live = live_of(np.eye(8, dtype=np.float32), np.ones((2, 2, 2), dtype=bool))
    busy, found = threading.Event(), []
    live._pool.submit(busy.wait)  # so that nobody begins to help
    asking = threading.Thread(target=lambda: found.append(live.payload(live.targets[3])))
    asking.start()
    while not live._pool._work_queue.qsize():
        pass
    live.close()
    asking.join(timeout=30)
    busy.set()
    assert np.array_equal(np.flatnonzero(found[0]), [3])


@pytest.mark.usefixtures("threads")
def test_many_threads_ask_at_once():
    mask = np.ones((30, 30, 30), dtype=bool)
    rows = np.random.default_rng(0).standard_normal((27000, 50)).astype(np.float32)
    live = live_of(rows, mask)
    found = [None] * 8

    def ask(number):
        found[number] = live.r(live.targets[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, r in enumerate(found):
        np.testing.assert_allclose(r, live.targets @ live.targets[number], atol=1e-5)


def test_peaks_are_apart_and_sorted():
    mask = np.ones((12, 12, 12), dtype=bool)
    rows = np.random.default_rng(0).standard_normal((1728, 30)).astype(np.float32)
    live = live_of(rows, mask)
    volume = np.zeros(mask.shape, dtype=np.float32)
    volume[3, 3, 3], volume[3, 3, 4], volume[9, 9, 9], volume[6, 1, 1] = 0.9, 0.8, -0.7, 0.2
    peaks = find_peaks(live.grid, volume[mask], 0.3, 5)
    assert [round(value, 2) for _, value in peaks] == [0.9, -0.7]
    assert peaks[0][0] == tuple(live.grid.to_mm([[3, 3, 3]])[0])
    assert len(find_peaks(live.grid, volume[mask], 0.1, 2)) == 2
    assert find_peaks(live.grid, volume[mask], 0.95, 5) == []


def test_confounds_fall_into_groups():
    names = (
        "rot_x",
        "csf",
        "global_signal",
        "a_comp_cor_00",
        "cosine03",
        "motion_outlier01",
        "age",
    )
    groups = confound_groups(names)
    assert sorted(sum(groups.values(), ())) == sorted(names)
    assert groups["head motion"] == ("rot_x",)
    assert groups["other confounds"] == ("age",)


def test_switches_make_settings():
    begin = Settings(method=Method(cleaning=Cleaning(filter=None)))
    settings = begin.switched(smoothing_fwhm=0, high_pass=0.01, low_pass=None, groups=())
    assert settings.method.smoothing_fwhm is None
    assert settings.method.cleaning.filter == "butterworth"
    cosine = Settings(method=Method(cleaning=Cleaning(filter="cosine", low_pass=None)))
    with pytest.raises(OptionError, match="no upper edge"):
        cosine.switched(smoothing_fwhm=None, high_pass=0.01, low_pass=0.1, groups=())


def test_a_walk_can_be_given_up():
    image, mask, _ = make_run()
    source = open_source(Inputs(image, mask_img=mask))

    def stop(done, total):
        if done > 5:
            raise Superseded

    with pytest.raises(Superseded):
        source.clean(source.settings, stop)
