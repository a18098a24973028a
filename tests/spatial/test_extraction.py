"""One walk through a run extracts what a direct computation gives."""

import threading
import warnings

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.masking import compute_background_mask
from scipy.ndimage import gaussian_filter

from seedmap.errors import ImageError, TruncatedImage
from seedmap.images import open_run
from seedmap.spatial import Reading, SeedWeights, Storage, extract, mean_volume

# Full widths of the smoothing [mm]; voxels are 4 mm wide where nothing else is said.
NONE, SOME = 0.0, (7.5, 5.7, 4.7)
KEEP = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0], dtype=bool)
ALL = np.ones(12, dtype=bool)
SHAPE = (7, 6, 5)


def seeds_of(shape=SHAPE):
    """One seed in the brain, one across its edge, one of a single voxel, one outside."""
    positions = np.arange(np.prod(shape)).reshape(shape)
    made = []
    for part in [
        positions[2:4, 2:4, 2:4],
        positions[1:4, 2, 2],
        positions[3, 3, 3],
        positions[0, 0],
    ]:
        voxels = np.atleast_1d(part).ravel()
        weights = np.linspace(1, 2, voxels.size)
        made.append(SeedWeights(voxels, weights / weights.sum()))
    return made


def data_of(path):
    return np.asarray(nib.load(path).dataobj, dtype=np.float64)


def directly(data, mask, fwhm, seeds, keep, voxel=4.0):
    """What extract is to return: all frames at once, in float64."""
    sigma = np.multiply(fwhm, np.ones(3)) / (np.sqrt(8 * np.log(2)) * voxel)
    finite = np.isfinite(data[..., keep])
    kept = np.where(finite, data[..., keep], 0)
    series = np.stack([gaussian_filter(frame, sigma) for frame in kept.transpose(3, 0, 1, 2)])
    flat, good = kept.reshape(-1, kept.shape[3]), finite.reshape(-1, kept.shape[3])
    sampled = []
    for seed in seeds:
        weights = seed.weights[:, None] * good[seed.voxels]
        with np.errstate(invalid="ignore"):
            sampled.append((weights * flat[seed.voxels]).sum(axis=0) / weights.sum(axis=0))
    return series[:, mask], np.transpose(sampled), ~finite.all(axis=3)[mask]


DTYPES = [
    ("u1", None), ("i2", None), ("i2", (0.37, 0.0)), ("i2", (-0.5, 900.0)), ("u2", (2.0, 3.0)),
    ("i4", None), ("f4", None), ("f4", (0.1, -20.0)), ("f8", None), ("i8", None),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "scaling"), DTYPES)
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("fwhm", [NONE, SOME], ids=["plain", "smooth"])
@pytest.mark.parametrize("wanted", [np.float32, np.float64])
def test_series_and_reference_are_the_data(tiny_run, dtype, scaling, name, endian, fwhm, wanted):
    slope, inter = scaling or (None, 0.0)
    path = tiny_run(name, dtype=dtype, slope=slope, inter=inter, endian=endian)
    data, seeds = data_of(path), seeds_of()
    mask = np.random.default_rng(1).random(SHAPE) < 0.5
    found = extract(
        Reading(open_run(path), KEEP, fwhm), mask=mask, seeds=seeds, storage=Storage(dtype=wanted)
    )
    series, sampled, _ = directly(data, mask, fwhm, seeds, KEEP)
    assert found.series.dtype == wanted
    assert found.series.shape == (KEEP.sum(), mask.sum())
    assert np.array_equal(found.grid.mask, mask)
    tolerance = (1e-5 if wanted == np.float32 else 1e-12) * np.abs(data).max()
    np.testing.assert_allclose(found.series + found.reference, series, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.seed_series, sampled, rtol=1e-12, atol=1e-10)
    assert not found.unusable.any()
    assert not found.seed_gaps.any()
    assert np.abs(found.series[0]).max() == 0  # the first kept frame is what was subtracted


@pytest.mark.parametrize("max_memory", [None, 1.0])
def test_a_buffer_of_more_rows_ends_with_the_series(tiny_run, max_memory):
    run, mask = open_run(tiny_run()), np.ones(SHAPE, bool)
    plain = extract(Reading(run, KEEP, SOME), mask=mask)
    longer = extract(
        Reading(run, KEEP, SOME), mask=mask, storage=Storage(rows=40, max_memory=max_memory)
    )
    assert plain.buffer is None
    assert longer.buffer.shape == (40, mask.sum())
    assert np.shares_memory(longer.buffer[-1], longer.series[-1])
    assert np.array_equal(longer.buffer[-KEEP.sum() :], plain.series)


@pytest.mark.parametrize("scaling", [None, (0.37, 5.0)])
@pytest.mark.parametrize("fwhm", [NONE, SOME], ids=["plain", "smooth"])
def test_uncentred_values_are_as_they_are_stored(tiny_run, scaling, fwhm):
    slope, inter = scaling or (None, 0.0)
    path = tiny_run(dtype=np.int16, slope=slope, inter=inter)
    mask = np.ones(SHAPE, dtype=bool)
    found = extract(
        Reading(open_run(path), KEEP, fwhm, centred=False),
        mask=mask,
        storage=Storage(dtype=np.float64),
    )
    series, _, _ = directly(data_of(path), mask, fwhm, [], KEEP)
    np.testing.assert_allclose(found.series + found.reference, series, atol=1e-10)
    np.testing.assert_allclose(found.reference, inter, atol=1e-12)


@pytest.mark.parametrize("fwhm", [NONE, SOME], ids=["plain", "smooth"])
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_small_changes_of_a_large_signal_stay_exact(tmp_path, fwhm, name):
    """Less than float32 could hold beside the signal itself."""
    random = np.random.default_rng(0)
    values = (30_000_000 + random.integers(-3, 4, (*SHAPE, 12))).astype(np.int32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / name)
    mask = np.ones(SHAPE, dtype=bool)
    found = extract(Reading(open_run(tmp_path / name), ALL, fwhm), mask=mask)
    wanted, _, _ = directly((values - values[..., :1]).astype(float), mask, fwhm, [], ALL, 1.0)
    np.testing.assert_allclose(found.series, wanted, atol=1e-5)


def test_means_of_whole_numbers_are_not_cut(tiny_run):
    path = tiny_run(dtype=np.int16)
    seed = SeedWeights(np.array([0, 1, 2]) + 2 * 30 + 2 * 5, np.full(3, 1 / 3))
    found = extract(Reading(open_run(path), ALL, NONE), mask=np.ones(SHAPE, bool), seeds=[seed])
    wanted = data_of(path).reshape(-1, 12)[seed.voxels].mean(axis=0)
    assert not np.array_equal(wanted, wanted.round())
    np.testing.assert_allclose(found.seed_series[:, 0], wanted, rtol=1e-14)


@pytest.mark.parametrize("mask", [None, "given"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_any_number_of_threads_gives_the_same_bits(tiny_run, mask, dtype):
    path = tiny_run(shape=(12, 13, 11), frames=30, dtype=dtype, slope=0.7)
    mask = None if mask is None else np.random.default_rng(1).random((12, 13, 11)) < 0.5
    keep = np.arange(30) % 7 != 3
    one, *others = (
        extract(
            Reading(open_run(path), keep, SOME, n_jobs=n_jobs),
            mask=mask,
            seeds=seeds_of((12, 13, 11)),
        )
        for n_jobs in (1, 2, 3, 6)
    )
    for other in others:
        for name in ("series", "reference", "seed_series", "unusable", "seed_gaps"):
            assert np.array_equal(getattr(other, name), getattr(one, name), equal_nan=True), name
        assert np.array_equal(other.grid.mask, one.grid.mask)


def with_gaps(path, dtype=np.float32):
    """Write NaN and infinity into a copy of a run; give its path."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, dtype=dtype).copy()
    data[3, 3, 3, 6] = np.nan  # a voxel in one kept frame: the third seed's only one
    data[2, 2, 2, 1] = np.inf  # in the first kept frame
    data[4, 3, 2, :] = -np.inf  # throughout
    data[2, 3, 3, 0] = np.nan  # in a censored frame: of no account
    data[0, 0, :, 7] = np.nan  # outside
    other = path.with_name("gaps-" + path.name)
    nib.save(nib.Nifti1Image(data, image.affine, image.header), other)
    return other


@pytest.mark.parametrize("fwhm", [NONE, SOME], ids=["plain", "smooth"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_is_not_finite_is_counted_and_does_not_spread(tiny_run, fwhm, dtype, n_jobs):
    path = with_gaps(tiny_run(dtype=dtype), dtype)
    mask, seeds = np.ones(SHAPE, dtype=bool), seeds_of()
    found = extract(Reading(open_run(path), KEEP, fwhm, n_jobs=n_jobs), mask=mask, seeds=seeds)
    series, sampled, unusable = directly(data_of(path), mask, fwhm, seeds, KEEP)
    np.testing.assert_allclose(found.series + found.reference, series, atol=2e-3)
    np.testing.assert_allclose(found.seed_series, sampled, rtol=1e-6)
    assert np.array_equal(found.unusable, unusable)
    assert found.unusable.sum() == 3 + 5
    # the sixth frame is the fifth kept one: the only voxel of the third seed is NaN there
    row = int(np.cumsum(KEEP)[6] - 1)
    assert np.isnan(found.seed_series[row, 2])
    assert np.isnan(found.seed_series[:, 2]).sum() == 1
    assert found.seed_gaps.tolist() == [2, 1, 1, 5]


def test_censored_frames_are_never_looked_at(tiny_run):
    path = tiny_run()
    plain = extract(Reading(open_run(path), KEEP, SOME), seeds=seeds_of())
    image = nib.load(path)
    for spike in (1e9, np.nan, np.inf):
        data = np.asarray(image.dataobj).copy()
        data[..., ~KEEP] = spike
        nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
        spiked = extract(Reading(open_run(path), KEEP, SOME), seeds=seeds_of())
        assert np.array_equal(spiked.grid.mask, plain.grid.mask)
        assert np.array_equal(spiked.series, plain.series)
        assert np.array_equal(spiked.seed_series, plain.seed_series)
        assert not spiked.unusable.any()


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_every_kept_frame_is_announced_once(tiny_run, name):
    path, count, lock = tiny_run(name), [], threading.Lock()

    def on_frame():
        with lock:
            count.append(1)

    for n_jobs in (1, 3):
        count.clear()
        extract(
            Reading(open_run(path), KEEP, NONE, n_jobs=n_jobs, on_frame=on_frame),
            mask=np.ones(SHAPE, bool),
        )
        assert len(count) == KEEP.sum()


def test_an_image_in_memory_is_not_written_to():
    values = np.random.default_rng(0).random((*SHAPE, 12)).astype(np.float32)
    values[3, 3, 3, 3] = np.nan
    values.setflags(write=False)
    before = values.tobytes()
    keep = ALL.copy()
    keep.setflags(write=False)
    run = open_run(nib.Nifti1Image(values, np.eye(4)))
    found = extract(Reading(run, keep, SOME), mask=np.ones(SHAPE, bool))
    assert values.tobytes() == before
    assert found.unusable.sum() == 1


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_damage_in_mid_run_is_raised_and_leaves_no_thread(tmp_path, n_jobs):
    values = np.random.default_rng(0).standard_normal((*SHAPE, 12)).astype(np.float32)
    path = tmp_path / "run.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(TruncatedImage):
        extract(Reading(open_run(path), ALL, SOME, n_jobs=n_jobs), mask=np.ones(SHAPE, bool))
    assert not [one for one in threading.enumerate() if "read-ahead" in one.name]


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_an_interruption_in_mid_run_stops_every_thread(tiny_run, n_jobs):
    path = tiny_run(frames=200)
    frames = iter(range(20))

    def on_frame():
        if next(frames, None) is None:
            raise KeyboardInterrupt

    keep = np.ones(200, dtype=bool)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        extract(
            Reading(open_run(path), keep, SOME, n_jobs=n_jobs, on_frame=on_frame),
            mask=np.ones(SHAPE, bool),
        )
    assert threading.active_count() == before


@pytest.mark.parametrize("mask", [None, np.zeros(SHAPE, dtype=bool)])
def test_an_empty_mask_is_refused(tmp_path, mask):
    path = tmp_path / "zeros.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 12), np.int16), np.eye(4)), path)
    with pytest.raises(ImageError, match=r"zeros.nii.gz: the mask is empty.*all zero"):
        extract(Reading(open_run(path), ALL, NONE), mask=mask)


def test_a_run_of_which_nothing_is_kept_is_refused(tiny_run):
    with pytest.raises(ImageError, match="the run has no frames"):
        extract(Reading(open_run(tiny_run()), ~ALL, NONE), mask=np.ones(SHAPE, bool))


@pytest.mark.parametrize("scaling", [None, (0.5, 7.0)])
def test_the_mean_is_over_kept_frames(tiny_run, scaling):
    slope, inter = scaling or (None, 0.0)
    path = tiny_run(dtype=np.int16, slope=slope, inter=inter)
    found = mean_volume(open_run(path), KEEP)
    np.testing.assert_allclose(found, data_of(path)[..., KEEP].mean(axis=3), rtol=1e-12)


class TestBackground:
    """The mask found on the way is nilearn's of the mean, also where the first volume misleads."""

    def check(self, data, keep=ALL, n_jobs=1):
        image = nib.Nifti1Image(data, np.eye(4))
        found = extract(Reading(open_run(image, t_r=1), keep, NONE, n_jobs=n_jobs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = nib.Nifti1Image(np.array(data[..., keep]), np.eye(4))
            wanted = np.asarray(compute_background_mask(kept).dataobj, dtype=bool)
        assert np.array_equal(found.grid.mask, wanted)
        series, _, _ = directly(data.astype(float), wanted, NONE, [], keep)
        np.testing.assert_allclose(found.series + found.reference, series, rtol=1e-6, atol=1e-6)
        return wanted

    def run(self, background=0.0, dtype=np.float32):
        random = np.random.default_rng(0)
        data = np.full((9, 9, 8, 12), background)
        data[3:6, 3:6, 3:5] += 20 + 5 * random.random((3, 3, 2, 12))
        return data.astype(dtype)

    @pytest.mark.parametrize("background", [0.0, 5.0, -3.0, 1e4])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
    @pytest.mark.parametrize("n_jobs", [1, 3])
    def test_a_plain_background(self, background, dtype, n_jobs):
        assert self.check(self.run(background, dtype), n_jobs=n_jobs).sum() == 18

    def test_a_voxel_that_wakes_up_later(self):
        data = self.run()
        data[1, 4, 4, 7] = 3
        assert self.check(data)[1, 4, 4]

    def test_a_voxel_that_is_background_in_the_first_volume_only(self):
        data = self.run()
        data[4, 4, 4, 0] = 0
        assert self.check(data)[4, 4, 4]

    def test_a_background_that_is_another_later(self):
        data = self.run()
        data[data == 0] = np.resize([0, 1, 2], np.count_nonzero(data == 0))
        self.check(data)

    def test_a_background_that_moves_as_one(self):
        data = self.run() + np.arange(12, dtype=np.float32)
        assert self.check(data).sum() == 18

    def test_a_voxel_whose_mean_is_the_background(self):
        data = self.run()
        data[4, 4, 4] = np.resize([2, -2], 12)
        assert not self.check(data)[4, 4, 4]

    def test_a_brain_that_fills_most_of_the_border(self):
        data = self.run()
        data[1:, :, :] = 7 + np.random.default_rng(0).random((8, 9, 8, 12))
        self.check(data)

    def test_noise_everywhere(self):
        random = np.random.default_rng(0)
        self.check(self.run(dtype=np.int16) + random.integers(-9, 9, (9, 9, 8, 12), dtype=np.int16))

    def test_nan_as_background(self):
        data = self.run()
        data[data == 0] = np.nan
        assert self.check_nan(data).sum() == 18

    def test_nan_in_the_border_of_one_later_volume(self):
        data = self.run()
        data[0, 4, 4, 5] = np.nan
        self.check_nan(data)

    def test_nan_in_the_border_of_a_voxel_of_the_mask(self):
        data = self.run()
        data[0, 4, 4] = 5
        data[0, 4, 4, 5] = np.nan
        self.check_nan(data)

    def test_nan_in_the_middle_of_the_brain(self):
        data = self.run()
        data[4, 4, 4, 5] = np.nan
        assert self.check_nan(data)[4, 4, 4]

    def test_nan_in_the_first_volume(self):
        data = self.run()
        data[4, 4, 4, 0] = np.nan
        self.check_nan(data)

    def test_infinity_in_the_brain_and_outside(self):
        data = self.run()
        data[4, 4, 4, 5], data[1, 1, 4, 5] = np.inf, -np.inf
        self.check_nan(data)

    def test_censored_frames_do_not_count(self):
        data = self.run()
        data[1, 4, 4, 0] = data[2, 4, 4, 4] = 9
        data[4, 4, 4, 1] = 0
        assert self.check(data, KEEP).sum() == 18

    @pytest.mark.full
    @given(st.integers(0, 10_000))
    def test_any_run_of_few_values(self, seed):
        random = np.random.default_rng(seed)
        data = random.integers(-1, random.integers(1, 3), (5, 6, 5, 4)).astype(np.int16)
        data[random.random((5, 6, 5)) < random.random()] = random.integers(-1, 2)
        image = nib.Nifti1Image(data, np.eye(4))
        wanted = (
            np.asarray(compute_background_mask(image).dataobj, dtype=bool) if data.any() else None
        )
        try:
            found = extract(Reading(open_run(image, t_r=1), np.ones(4, bool), NONE))
        except ImageError:
            return
        assert np.array_equal(found.grid.mask, wanted)

    def check_nan(self, data):
        """nilearn on data with NaN: the mean as it is (its loader would write zeros)."""
        image = nib.Nifti1Image(data, np.eye(4))
        found = extract(Reading(open_run(image, t_r=1), ALL, NONE))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            wanted = np.asarray(compute_background_mask(image).dataobj, dtype=bool)
        assert np.array_equal(found.grid.mask, wanted)
        return wanted
