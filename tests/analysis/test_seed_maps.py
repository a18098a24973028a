"""`seed_maps` and `SeedMaps` as a caller uses them."""

import threading

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.errors import ImageError, OptionError, SeedError, SeedmapWarning

R_ONLY = {"uncertainty": None}


class Counted:
    """A volume on a disk that counts how often it is read."""

    is_proxy = True

    def __init__(self, values):
        self.values, self.shape, self.ndim = values, values.shape, values.ndim
        self.dtype, self.reads = values.dtype, 0

    def __array__(self, dtype=None, copy=None):
        self.reads += 1
        return np.asarray(self.values, dtype=dtype)

    def __getitem__(self, part):
        return self.values[part]


@pytest.fixture
def image(stored, affine):
    return nib.Nifti1Image(stored, affine)


# ---- what a run may come as ------------------------------------------------------------------


def test_a_run_in_every_form_gives_the_same(bold, image, stored, affine, pcc, tmp_path):
    volumes = [nib.Nifti1Image(stored[..., frame], affine) for frame in range(100)]
    paths = [tmp_path / f"{frame:03}.nii" for frame in range(100)]
    for volume, path in zip(volumes, paths, strict=True):
        nib.save(volume, path)
    right = sm.seed_maps(bold, pcc, t_r=2.0, **R_ONLY)
    for form in (str(bold), image, nib.load(bold), volumes, paths, sm.open_run(bold)):
        found = sm.seed_maps(form, pcc, t_r=2.0, **R_ONLY)
        np.testing.assert_array_equal(found.space.mask, right.space.mask)
        np.testing.assert_array_equal(found.r, right.r)


@pytest.mark.parametrize("max_memory", [None, 1])
def test_more_seeds_than_frames_are_as_each_alone(bold, max_memory):
    rng = np.random.default_rng(0)
    seeds = [sm.SeriesSeed(f"s{number}", rng.standard_normal(100)) for number in range(103)]
    maps = sm.seed_maps(bold, seeds, max_memory=max_memory)
    assert isinstance(maps.r, np.memmap) == (max_memory is not None)
    for at in (0, 50, 102):
        alone = sm.seed_maps(bold, seeds[at])
        np.testing.assert_allclose(maps.r[at], alone.r[0], atol=1e-6)
        np.testing.assert_allclose(maps.dof[at], alone.dof[0], rtol=1e-5)
        np.testing.assert_allclose(maps.sample_series, alone.sample_series)


def test_several_seeds_cost_one_read(stored, affine):
    frames = [Counted(np.array(stored[..., frame])) for frame in range(100)]
    seeds = ["PCC=0,-52,18", "mPFC=1,55,-3", "LIPL=-46,-68,32"]
    maps = sm.seed_maps([nib.Nifti1Image(f, affine) for f in frames], seeds, t_r=2.0)
    assert [frame.reads for frame in frames] == [1] * 100
    assert maps.seeds == ("PCC", "mPFC", "LIPL")
    assert maps.r.shape == (3, maps.space.n_samples)


def test_seeds_do_not_know_each_other(bold):
    seeds = ["PCC=0,-52,18", "mPFC=1,55,-3:14", "LIPL=-46,-68,32"]
    together = sm.seed_maps(bold, seeds)
    for index, seed in enumerate(seeds):
        alone = sm.seed_maps(bold, seed)
        np.testing.assert_allclose(alone.r[0], together.r[index], rtol=0, atol=1e-6)
        np.testing.assert_allclose(alone.dof[0], together.dof[index], rtol=1e-5)


@pytest.mark.parametrize("n_jobs", [2, 3, -1])
def test_threads_do_not_change_a_number(bold, pcc, n_jobs):
    one, many = (sm.seed_maps(bold, pcc, n_jobs=jobs) for jobs in (1, n_jobs))
    np.testing.assert_array_equal(one.r, many.r)
    np.testing.assert_array_equal(one.dof, many.dof)


def test_no_thread_stays(bold, pcc, tmp_path):
    before = set(threading.enumerate())
    sm.seed_maps(bold, pcc, n_jobs=3, **R_ONLY)
    (tmp_path / "half.nii.gz").write_bytes(bold.read_bytes()[: bold.stat().st_size // 2])
    with pytest.raises(ImageError):
        sm.seed_maps(tmp_path / "half.nii.gz", pcc, t_r=2.0, n_jobs=3)
    assert set(threading.enumerate()) <= before


def test_progress(bold, pcc):
    calls = []
    sm.seed_maps(bold, pcc, sample_mask=np.arange(10, 90), progress=lambda *c: calls.append(c))
    assert sorted(calls) == [(done, 80) for done in range(1, 81)]


def test_progress_may_stop_the_work(bold, pcc):
    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sm.seed_maps(bold, pcc, progress=stop)


def test_sample_mask_as_bools_or_numbers(bold, pcc):
    keep = np.ones(100, dtype=bool)
    keep[[0, 4, 50]] = False
    as_bool = sm.seed_maps(bold, pcc, sample_mask=keep, **R_ONLY)
    as_numbers = sm.seed_maps(bold, pcc, sample_mask=np.flatnonzero(keep)[::-1], **R_ONLY)
    as_list = sm.seed_maps(bold, pcc, sample_mask=keep.tolist(), **R_ONLY)
    np.testing.assert_array_equal(as_bool.r, as_numbers.r)
    np.testing.assert_array_equal(as_bool.r, as_list.r)
    assert as_bool.seed_series.shape == (97, 1)
    np.testing.assert_array_equal(as_bool.provenance.keep, keep)


# ---- right numbers ---------------------------------------------------------------------------


def test_r_is_pearson_of_the_cleaned_series(image, stored, affine, pcc, table):
    """Written out with the matrix of the cleaning and NumPy's own correlation."""
    from seedmap.temporal import Cleaning, cleaning_operator

    keep = np.arange(100) % 9 != 4
    maps = sm.seed_maps(
        image, pcc, t_r=2.0, confounds=table, sample_mask=keep, smoothing_fwhm=None, **R_ONLY
    )
    L = cleaning_operator(Cleaning(), keep, 2.0, table).L
    weights = pcc.weights(maps.space)
    flat = stored.reshape(-1, 100).astype(np.float64)
    seed = L @ (weights.weights @ flat[weights.voxels])
    voxels = L @ stored[maps.space.mask].astype(np.float64).T
    right = np.corrcoef(seed, voxels.T)[0, 1:]
    np.testing.assert_allclose(maps.r[0], right, rtol=0, atol=2e-6)
    np.testing.assert_allclose(maps.fisherz[0], np.arctanh(right), rtol=1e-4, atol=1e-5)


def test_recovers_what_was_planted(phantom, pcc):
    """Beside a phantom of 12 mm the smoothing of 6 mm matters little."""
    truth = phantom.truth
    maps = sm.seed_maps(
        phantom.func[0],
        pcc,
        confounds=phantom.confounds[0],
        sample_mask=truth.sample_masks[0],
        mask_img=phantom.masks[0],
    )
    volume = maps.space.unmask(maps.r[0])
    for region in truth.regions[1:]:
        expected = truth.expected_r("PCC", region.name, radius=14)
        assert truth.region_mean(volume, region.name) == pytest.approx(expected, abs=0.2)


def test_constant_and_missing_voxels(stored, affine, pcc):
    values = stored.copy()
    values[6, 6, 6], values[7, 7, 7] = 5.0, 9.0
    values[8, 8, 8, 3], values[5, 5, 5, 4] = np.nan, -np.inf
    image = nib.Nifti1Image(values, affine)
    maps = sm.seed_maps(image, pcc, t_r=2.0, smoothing_fwhm=None)
    r = maps.to_img("PCC").get_fdata()
    assert (maps.provenance.constant, maps.provenance.unusable) == (2, 2)
    assert np.isnan(r[[5, 6, 7, 8], [5, 6, 7, 8], [5, 6, 7, 8]]).all()
    assert np.isnan(maps.r).sum() == 4
    for stat in ("fisherz", "z", "p", "q", "dof", "se"):
        assert np.isnan(maps.values("PCC", stat)[np.isnan(maps.r[0])]).all()
    sound = sm.seed_maps(nib.Nifti1Image(stored, affine), pcc, t_r=2.0, smoothing_fwhm=None)
    both = np.isfinite(maps.r[0])
    np.testing.assert_allclose(maps.r[0][both], sound.r[0][both], rtol=0, atol=1e-6)


def test_seed_with_missing_values_says_so(stored, affine, pcc):
    values = stored.copy()
    where = np.unravel_index(
        pcc.weights(sm.Grid.whole(affine, stored.shape[:3])).voxels, stored.shape[:3]
    )
    values[where[0][0], where[1][0], where[2][0], 5] = np.nan
    with pytest.warns(SeedmapWarning, match="'PCC': 1 values of its voxels are not finite"):
        sm.seed_maps(nib.Nifti1Image(values, affine), pcc, t_r=2.0, **R_ONLY)
    values[where[0], where[1], where[2], 5] = np.nan
    with pytest.raises(SeedError, match=r"'PCC': no finite value in 1 of 100 frames; censor"):
        sm.seed_maps(nib.Nifti1Image(values, affine), pcc, t_r=2.0, **R_ONLY)


# ---- seeds -----------------------------------------------------------------------------------


def test_time_course_is_cleaned_as_the_data_are(image, stored, pcc, table):
    """The raw mean of a sphere, given as a time course, is that sphere."""
    weights = pcc.weights(sm.open_run(image).space)
    raw = weights.weights @ stored.reshape(-1, 100)[weights.voxels].astype(np.float64)
    seeds = [pcc, sm.SeriesSeed("mine", raw)]
    maps = sm.seed_maps(image, seeds, confounds=table, sample_mask=np.arange(5, 99), t_r=2.0)
    np.testing.assert_allclose(maps.r[1], maps.r[0], rtol=0, atol=1e-6)
    assert maps.provenance.seeds[1].center is None
    assert maps.near[1].size == 0
    assert np.isfinite(maps.q[1]).all()


def test_time_course_of_another_length(image):
    with pytest.raises(
        SeedError, match=r"'mine': 99 values for the 100 frames of .* one raw value"
    ):
        sm.seed_maps(image, sm.SeriesSeed("mine", np.arange(99.0)), t_r=2.0)


def test_masks_and_regions(phantom, bold, tmp_path):
    """A region by number, by name, as a mask and as weights is one and the same seed."""
    atlas = nib.load(phantom.atlas)
    inside = np.asarray(atlas.dataobj) == 2
    binary = nib.Nifti1Image(inside.astype(np.uint8), atlas.affine)
    weighted = nib.Nifti1Image(np.where(inside, 0.37, 0).astype(np.float32), atlas.affine)
    nib.save(binary, tmp_path / "mask.nii.gz")
    seeds = [
        sm.Region("number", atlas, 2),
        sm.Region("name", phantom.atlas, "mPFC"),
        f"text={phantom.atlas}#mPFC",
        sm.MaskSeed("binary", binary),
        sm.MaskSeed("weighted", weighted),
        f"file={tmp_path / 'mask.nii.gz'}",
    ]
    maps = sm.seed_maps(bold, seeds, **R_ONLY)
    assert maps.provenance.seeds[0].voxels == np.count_nonzero(inside)
    for r in maps.r[1:]:
        np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=1e-6)


def test_weights_weigh(image, stored, affine):
    weights = np.zeros(stored.shape[:3], np.float32)
    weights[8, 8, 8], weights[8, 9, 8] = 0.25, 1.5
    maps = sm.seed_maps(
        image, sm.MaskSeed("w", nib.Nifti1Image(weights, affine)), t_r=2.0,
        cleaning=sm.Cleaning(filter=None, detrend=False), smoothing_fwhm=None, **R_ONLY,
    )  # fmt: skip
    mean = stored[8, 8, 8].astype(float) + 6 * stored[8, 9, 8]
    right = (mean - mean.mean()) / mean.std(ddof=1)
    np.testing.assert_allclose(maps.seed_series[:, 0], right, atol=1e-6)


def test_half_covered_seed_warns_with_percent(bold, affine, stored, pcc):
    voxels = pcc.weights(sm.Grid.whole(affine, stored.shape[:3])).voxels
    mask = np.ascontiguousarray(stored.std(axis=3) > 0)
    mask.ravel()[voxels[: voxels.size // 2]] = False
    share = 1 - (voxels.size // 2) / voxels.size
    with pytest.warns(SeedmapWarning, match=f"'PCC': only {share:.0%} of it lies in the mask"):
        maps = sm.seed_maps(
            bold, pcc, mask_img=nib.Nifti1Image(mask.astype(np.uint8), affine), **R_ONLY
        )
    assert maps.provenance.seeds[0].coverage == pytest.approx(share)


def test_many_low_seeds_are_one_warning(bold, affine, stored, pcc):
    voxels = pcc.weights(sm.Grid.whole(affine, stored.shape[:3])).voxels
    mask = np.ascontiguousarray(stored.std(axis=3) > 0)
    mask.ravel()[voxels[: voxels.size // 2]] = False
    seeds = [sm.Sphere(f"s{number}", pcc.center, pcc.radius) for number in range(7)]
    image = nib.Nifti1Image(mask.astype("u1"), affine)
    with pytest.warns(SeedmapWarning, match="7 of 7 seeds lie partly outside") as caught:
        sm.seed_maps(bold, seeds, mask_img=image, strategy="none", **R_ONLY)
    assert len(caught) == 1


def test_seed_in_another_space_warns(tmp_path, image, phantom):
    nib.save(image, tmp_path / "sub-1_task-rest_space-MNI152NLin6Asym_desc-preproc_bold.nii")
    atlas = tmp_path / "tpl-MNI152NLin2009cAsym_atlas-X_dseg.nii.gz"
    nib.save(nib.load(phantom.atlas), atlas)
    with pytest.warns(
        SeedmapWarning, match="in space MNI152NLin2009cAsym and the run in MNI152NLin6"
    ):
        sm.seed_maps(
            tmp_path / "sub-1_task-rest_space-MNI152NLin6Asym_desc-preproc_bold.nii",
            sm.Region("PCC", atlas, 1), t_r=2.0, **R_ONLY,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([], "no seed is given"),
        (["a=0,0,0", "A=1,1,1", "a=2,2,2"], "would both be called 'A'"),
        (["P C=0,0,0", "P-C=1,1,1"], "would both be called 'PC'"),
        ([(0, -52)], "a seed is a tuple; give a Sphere"),
        ("PCC", "cannot be read"),
        (sm.Sphere("far", (500, 0, 0)), "lies outside the image"),
        (sm.Sphere("corner", (90, 90, 108), radius=4), "nearest sample is"),
    ],
)
def test_bad_seeds(bold, seeds, words):
    with pytest.raises(SeedError, match=words):
        sm.seed_maps(bold, seeds)


def test_seed_that_is_a_confound(bold, table):
    with pytest.raises(sm.errors.TooFewFrames, match="leaves nothing to correlate with seed 'csf'"):
        sm.seed_maps(bold, sm.SeriesSeed("csf", table[:, 2]), confounds=table)


# ---- the result ------------------------------------------------------------------------------


def test_images(bold, pcc):
    maps = sm.seed_maps(bold, pcc)
    for stat in maps.stats:
        volume = maps.to_img("PCC", stat).get_fdata()
        assert not volume[~maps.space.mask].any()
        np.testing.assert_array_equal(
            volume[maps.space.mask].astype(np.float32), maps.values("PCC", stat)
        )


def test_unknown_names(bold, pcc):
    maps = sm.seed_maps(bold, pcc, **R_ONLY)
    assert maps.stats == ("r", "fisherz")
    for call in (
        lambda: maps.to_img("mPFC"),
        lambda: maps.values("PCC", "t"),
        lambda: maps.values("PCC", "z"),
        lambda: maps.dof,
    ):
        with pytest.raises(OptionError):
            call()


def test_samples_stand_in_c_order(bold, pcc):
    maps = sm.seed_maps(bold, pcc, mask_img="background", **R_ONLY)
    volume = maps.to_img("PCC").get_fdata().astype(np.float32)
    np.testing.assert_array_equal(volume[maps.space.mask], maps.r[0])


def test_save_gives_the_files_it_wrote(bold, pcc, tmp_path):
    maps = sm.seed_maps(bold, pcc, **R_ONLY)
    paths = maps.save(tmp_path / "new" / "results")
    assert set(paths) == {path for path in (tmp_path / "new").rglob("*") if path.is_file()}
    again = nib.load(
        next(path for path in paths if "stat-r_" in path.name and path.suffix == ".gz")
    )
    np.testing.assert_array_equal(again.get_fdata(), maps.to_img("PCC").get_fdata())


@pytest.mark.full
def test_plots(bold, pcc):
    maps = sm.seed_maps(bold, [pcc, "mPFC=1,55,-3"], **R_ONLY)
    for figure in (maps.plot("PCC", threshold=0.5), maps.plot("mPFC", stat="fisherz")):
        assert figure.axes
    assert maps.plot_series().axes


def test_series_are_standardised(bold, pcc):
    maps = sm.seed_maps(bold, [pcc, "mPFC=1,55,-3"], **R_ONLY)
    np.testing.assert_allclose(maps.seed_series.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(maps.seed_series.std(axis=0, ddof=1), 1)
