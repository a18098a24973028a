"""What seeds are given is the cleaned mean of the voxels as the file has them."""

import tracemalloc
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from seedmap import Cleaning, Sphere, seed_maps
from seedmap.analysis.options import Inputs, Method
from seedmap.errors import SeedError
from seedmap.explorer.engine import open_source
from seedmap.explorer.engine.imaged import grown
from seedmap.explorer.engine.unsmoothed import Recorder, bytes_per_voxel
from seedmap.images import FlatFrame

SHAPE = (4, 5, 6)
STARTS = [0, 16, 32, 41]


def record(values, mask, scale=(1.0, 0.0), starts=STARTS, into=None, rounded=True):
    """Write a run (x, y, z, frames) down, as a walk does."""
    values = np.asfortranarray(values)
    values.setflags(write=False)
    recorder = Recorder(FlatFrame.of(0, values[..., 0]).values, mask, starts, rounded=rounded)
    for number, (start, stop) in enumerate(pairwise(starts)):
        for frame in range(start, stop):
            recorder.look(FlatFrame.of(frame, values[..., frame]))
        for part in (slice(0, 7), slice(7, recorder.voxels)):
            recorder.write(number, part)
    return recorder.written(scale, np.eye(starts[-1]) if into is None else into)


def runs(dtype, rng=0):
    """Make numbers that a file of some type might hold, and a mask."""
    random = np.random.default_rng(rng)
    values = 1000 + 30 * random.standard_normal((*SHAPE, STARTS[-1]))
    mask = random.random(SHAPE) < 0.6
    mask[1, 1, 1:3] = True
    return values.astype(dtype), mask


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "<u2"])
def test_whole_numbers_are_kept_as_they_are(dtype):
    values, mask = runs(dtype)
    voxels = record(values, mask, scale=(0.5, 7.0))
    rows = np.arange(0, int(mask.sum()), 3)
    mean, _ = voxels.mean(rows)
    np.testing.assert_allclose(mean, values[mask][rows].mean(axis=0) * 0.5 + 7, rtol=1e-13)
    assert {block.dtype.itemsize for block in voxels.stored} == {values.dtype.itemsize}
    assert voxels.nbytes == mask.sum() * bytes_per_voxel(values.dtype, STARTS[-1], 3, rounded=True)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<i4"])
def test_other_numbers_are_kept_in_float32_where_memory_allows(dtype):
    values, mask = runs(dtype)
    voxels = record(values, mask, scale=(0.5, 7.0), rounded=False)
    rows = np.arange(0, int(mask.sum()), 3)
    mean, _ = voxels.mean(rows)
    wanted = values[mask][rows].astype(float).mean(axis=0) * 0.5 + 7
    np.testing.assert_allclose(mean, wanted, rtol=1e-8)
    assert voxels.nbytes == mask.sum() * bytes_per_voxel(values.dtype, STARTS[-1], 3, rounded=False)


@given(
    st.sampled_from(["<f4", ">f4", "<f8", "<i4"]),
    st.integers(0, 1000),
    st.sampled_from([1e-6, 1.0, 1e4]),
)
@settings(max_examples=30)
def test_other_numbers_are_kept_to_a_hundred_thousandth(dtype, rng, size):
    values, mask = runs("f8", rng)
    values = (values * (1e5 if dtype == "<i4" else size)).astype(dtype)
    voxels = record(values, mask, scale=(2.0, 1.0))
    rows = np.array([3])
    series = values[mask][3].astype(float) * 2 + 1
    mean, rounding = voxels.mean(rows)
    assert np.abs(mean - series).max() <= 1e-5 * np.ptp(series)
    assert np.linalg.norm(mean - series) < rounding
    assert rounding < 1e-4 * np.linalg.norm(series - series[0])
    assert voxels.nbytes == mask.sum() * bytes_per_voxel(values.dtype, STARTS[-1], 3, rounded=True)


@pytest.mark.parametrize("dtype", ["<f4", "<i2"])
def test_what_does_not_move_is_nothing_but_rounding(dtype):
    values, mask = runs(dtype)
    values[1, 1, 1] = 517
    row = int(np.flatnonzero(np.flatnonzero(mask) == np.ravel_multi_index((1, 1, 1), SHAPE))[0])
    centre = np.eye(STARTS[-1]) - 1 / STARTS[-1]
    mean, rounding = record(values, mask, into=centre).mean(np.array([row]))
    assert np.linalg.norm(mean) <= rounding
    mean, rounding = record(values, mask, into=centre).mean(np.array([row, row + 1]))
    assert np.linalg.norm(mean) > 100 * rounding


def test_gaps_are_reported():
    values, mask = runs("<f4")
    values[1, 1, 1, 20], values[1, 1, 2, 0] = np.nan, np.inf
    voxels = record(values, mask)
    assert np.array_equal(voxels.finite, np.isfinite(values[mask]).all(axis=1))
    assert (~voxels.finite).sum() == 2


@given(st.integers(0, 1000), st.sampled_from([1.0, 0.6, 0.3]))
@settings(max_examples=30)
def test_a_mask_grows_by_what_is_nearest(rng, share):
    random = np.random.default_rng(rng)
    mask = random.random((9, 8, 7)) < 0.02
    mask[4, 0, 3] = True
    mask.setflags(write=False)
    sizes = random.choice([1.5, 2.0, 3.3, 4.0], 3)
    away = ndimage.distance_transform_edt(~mask, sampling=sizes)
    whole = grown(mask, sizes, 8.0, mask.size)
    assert np.array_equal(whole, away <= 8.0 + 1e-9)
    some = grown(mask, sizes, 8.0, share * whole.sum())
    farthest = away[some].max()
    assert mask.sum() <= some.sum() <= max(mask.sum(), share * whole.sum())
    assert (away[~some] > farthest - 1e-9).all()


def noise_run(dtype, frames, shape):
    """Make a run that fills its image about as brains do."""
    random = np.random.default_rng(0)
    values = random.standard_normal((*shape, frames), dtype=np.float32)
    values *= 40
    values += 900
    mask = np.zeros(shape, dtype=np.uint8)
    edge = max(3, shape[0] // 8)
    mask[edge:-edge, edge:-edge, edge:-edge] = 1
    image = nib.Nifti1Image(values.astype(dtype), np.diag([4.0, 4, 4, 1]))
    image.header.set_zooms((4, 4, 4, 2.0))
    image.header.set_xyzt_units("mm", "sec")
    return image, nib.Nifti1Image(mask, image.affine)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_walk_needs_two_and_a_half_times_the_series(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.engine.imaged.SMALL", 0)
    image, mask = noise_run(dtype, frames=168, shape=(44, 46, 44))
    nib.save(image, tmp_path / "run.nii")
    # without a low-pass there are nearly as many coordinates as frames: the worst case
    cleaning = Cleaning(low_pass=None)
    source = open_source(Inputs(tmp_path / "run.nii", mask_img=mask), Method(cleaning=cleaning))
    tracemalloc.start()
    cleaned = source.clean(source.settings)
    live, noise = cleaned.live, cleaned.noise
    noise.dof(live.seed_signal(Sphere("s", (80, 80, 80))).unit)  # nor does the first z need more
    _, most = tracemalloc.get_traced_memory()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    live.close()
    assert noise.nbytes == 2 * 56 * live.grid.n_samples
    assert held < live.nbytes + 1.1 * noise.nbytes + 8e6  # what it came from is let go
    assert live.seed_voxels.mask.sum() > 1.3 * live.grid.n_samples
    assert most <= 2.5 * 4 * 168 * live.grid.n_samples


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_rounding_changes_little(monkeypatch):
    image, mask = noise_run(np.float32, frames=60, shape=(12, 12, 12))
    seeds = [Sphere("voxel", (20, 20, 20), 0), Sphere("sphere", (20, 20, 20), 8.0)]
    maps = seed_maps(image, seeds, mask_img=mask, smoothing_fwhm=None, uncertainty=None)
    monkeypatch.setattr("seedmap.explorer.engine.imaged.SMALL", 0)
    # so that all the voxels around stay, rounded
    monkeypatch.setattr("seedmap.explorer.engine.imaged.MOST_MEMORY", 5.0)
    source = open_source(Inputs(image, mask_img=mask), Method(smoothing_fwhm=None))
    live = source.clean(source.settings).live
    assert {block.dtype.name for block in live.seed_voxels.stored} == {"int16"}
    assert np.array_equal(
        grown(live.grid.mask, live.grid.voxel_sizes, 8.0, 1e9), live.seed_voxels.mask
    )
    for row, seed in enumerate(seeds):
        r = live.r(live.seed_signal(seed).unit)
        np.testing.assert_allclose(r, maps.r[row], rtol=0, atol=5e-5)


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_a_seed_that_is_regressed_out_is_refused():
    image, mask = noise_run(np.float32, frames=60, shape=(12, 12, 12))
    values = image.get_fdata(dtype=np.float32)
    bend = np.sin(np.arange(60) / 9).astype(np.float32)
    values[5, 5, 5] = 900 + 40 * bend
    image = nib.Nifti1Image(values, image.affine, image.header)
    source = open_source(Inputs(image, mask_img=mask, confounds=bend[:, None].astype(float)))
    live = source.clean(source.settings).live
    with pytest.raises(SeedError, match="leaves nothing"):
        live.seed_signal(Sphere("s", (20, 20, 20), 0))
    assert live.seed_signal(Sphere("s", (20, 20, 20), 4.0)).voxels == 7


def test_the_real_run_sounds_the_same(data_folder):
    name = data_folder / "volume" / "sub-01_task-rest"
    run, mask = (
        f"{name}_space-MNI152_res-4_desc-{kind}.nii.gz" for kind in ("preproc_bold", "brain_mask")
    )
    seeds = [Sphere("PCC", (0, -52, 18)), Sphere("voxel", (-40, -20, 48), 0)]
    for cleaning in (Cleaning(), Cleaning(filter="cosine", low_pass=None)):
        source = open_source(Inputs(run, mask_img=mask), Method(cleaning=cleaning))
        live = source.clean(source.settings).live
        maps = seed_maps(run, seeds, mask_img=mask, cleaning=cleaning, uncertainty=None)
        for row, seed in enumerate(seeds):
            r = live.r(live.seed_signal(seed).unit)
            np.testing.assert_allclose(r, maps.r[row], rtol=0, atol=1e-5)
        live.close()
