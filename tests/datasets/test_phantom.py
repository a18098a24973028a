"""The phantom holds what it says, and a right map of it shows what it should."""

import gzip
import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from seedmap.datasets import PhantomOptions, make_phantom
from seedmap.datasets.timecourses import (
    cleaning_projector,
    confound_table,
    draw_motion,
    planted_signals,
)
from seedmap.datasets.truth import planted_correlation
from seedmap.errors import OptionError, OutputError, SeedError


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("run"), voxel_size=6)


@pytest.fixture(scope="module")
def bids(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids")
    return make_phantom(
        folder, layout="bids", voxel_size=12, n_frames=100, n_subjects=2, n_sessions=2, n_runs=2
    )


def read_confounds(path):
    header = path.read_text().split("\n", 1)[0].split("\t")
    return header, np.genfromtxt(path, skip_header=1, delimiter="\t")


def plainly_cleaned(series, confounds, keep, t_r, band=(0.01, 0.1)):
    """Fill, detrend, cut the band of the mirrored series by FFT, drop, regress."""
    frames = np.arange(len(series))
    both = np.column_stack([series, confounds])
    filled = np.stack([np.interp(frames, frames[keep], column[keep]) for column in both.T], axis=1)
    trend = np.column_stack([np.ones(frames.size), frames])
    filled -= trend @ np.linalg.lstsq(trend, filled)[0]
    spectrum = np.fft.rfft(np.concatenate([filled, filled[::-1]]), axis=0)
    frequency = np.fft.rfftfreq(2 * frames.size, t_r)
    spectrum[(frequency < band[0]) | (frequency > band[1])] = 0
    passed = np.fft.irfft(spectrum, axis=0)[: frames.size][keep]
    passed -= passed.mean(axis=0)
    data, nuisance = passed[:, : series.shape[1]], passed[:, series.shape[1] :]
    if nuisance.size:
        data = data - nuisance @ np.linalg.lstsq(nuisance, data)[0]
    return data


def seed_map(phantom, seed, *, with_confounds=True):
    """A seed map in a few lines that share nothing with the package."""
    truth = phantom.truth
    volumes = nib.load(phantom.func[0]).get_fdata()
    confounds = read_confounds(phantom.confounds[0])[1][:, : None if with_confounds else 0]
    centre = next(region.coordinates for region in truth.regions if region.name == seed)
    places = np.moveaxis(np.indices(truth.brain.shape), 0, -1) @ truth.affine[:3, :3].T
    sphere = np.linalg.norm(places + truth.affine[:3, 3] - centre, axis=-1) <= 8
    sigma = 6 / 2.3548 / truth.affine[0, 0]
    smooth = ndimage.gaussian_filter(volumes, (sigma, sigma, sigma, 0), mode="constant")
    series = np.column_stack([volumes[sphere].mean(axis=0), smooth[truth.brain].T])
    cleaned = plainly_cleaned(series, confounds, truth.sample_masks[0], phantom.t_r)
    cleaned /= np.linalg.norm(cleaned, axis=0)
    volume = np.zeros(truth.brain.shape)
    volume[truth.brain] = cleaned[:, 1:].T @ cleaned[:, 0]
    return volume


def test_the_map_shows_what_was_planted(phantom):
    truth = phantom.truth
    found = seed_map(phantom, "PCC")
    for region in truth.regions:
        expected = truth.expected_r("PCC", region.name)
        assert truth.region_mean(found, region.name) == pytest.approx(expected, abs=0.12)
        assert expected == pytest.approx(truth.planted_r("PCC", region.name), abs=0.1)
    outside = truth.brain.copy()
    outside[truth.brain] = truth.weights.max(axis=0) == 0
    assert abs(found[outside].mean()) < 0.04
    assert (np.abs(found[outside]) > 0.5).mean() < 0.02


def test_without_confounds_the_whole_brain_seems_to_move_together(phantom):
    truth = phantom.truth
    outside = truth.brain.copy()
    outside[truth.brain] = truth.weights.max(axis=0) == 0
    assert seed_map(phantom, "PCC", with_confounds=False)[outside].mean() > 0.15


@pytest.mark.parametrize("censored", [True, False])
@pytest.mark.parametrize("regressed", [True, False])
def test_planted_correlations_survive_nilearns_cleaning(phantom, censored, regressed):
    from nilearn.signal import clean

    truth = phantom.truth
    cleaned = clean(
        truth.signals[0],
        confounds=read_confounds(phantom.confounds[0])[1] if regressed else None,
        sample_mask=np.flatnonzero(truth.sample_masks[0]) if censored else None,
        t_r=phantom.t_r,
        high_pass=0.01,
        low_pass=0.1,
    )
    error = np.abs(np.corrcoef(cleaned.T) - truth.correlation).max()
    assert error < (0.002 if censored and regressed else 0.05)


def test_the_correlations_after_cleaning_are_the_planted_ones(phantom, bids):
    for data in (phantom, bids):
        for realised in data.truth.realised:
            np.testing.assert_allclose(realised, data.truth.correlation, atol=1e-10)


def test_noiseless_cores_show_the_planted_correlation(tmp_path):
    truth = make_phantom(tmp_path, voxel_size=6, noise=0).truth
    assert truth.expected_r("PCC", "mPFC", smoothing_fwhm=0) == pytest.approx(0.8, abs=1e-6)
    assert truth.expected_r("PCC", "LIPS", smoothing_fwhm=0) == pytest.approx(-0.4, abs=1e-6)


def test_noise_lowers_the_expected_correlation(phantom):
    truth = phantom.truth
    rough, smooth = (truth.expected_r("PCC", "LIPL", smoothing_fwhm=fwhm) for fwhm in (0.0, 6.0))
    assert rough < smooth < truth.planted_r("PCC", "LIPL")


def test_the_formula_for_the_noise_agrees_with_the_data(phantom):
    truth = phantom.truth
    series = nib.load(phantom.func[0]).get_fdata()[truth.brain].T
    silent = series[:, truth.weights.max(axis=0) == 0]
    projector = cleaning_projector(
        read_confounds(phantom.confounds[0])[1], truth.sample_masks[0], phantom.t_r
    )
    variance = (projector @ (silent - silent.mean(axis=0))).var(axis=0, ddof=1).mean()
    assert variance / 100**2 == pytest.approx(truth.noise[0], rel=0.05)


def test_equal_rng_gives_equal_bytes(tmp_path):
    one, same, other = (
        make_phantom(tmp_path / name, voxel_size=12, n_frames=60, rng=rng)
        for name, rng in (("a", 4), ("b", np.random.default_rng(4)), ("c", 5))
    )
    for first, second in zip(one.func + one.confounds, same.func + same.confounds, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert one.func[0].read_bytes() != other.func[0].read_bytes()


def test_runs_differ(bids):
    assert len({path.read_bytes() for path in bids.func}) == 8
    assert len({path.read_bytes() for path in bids.confounds}) == 8


def test_background_is_zero_and_nilearn_finds_the_brain(phantom):
    from nilearn.masking import compute_background_mask

    image = nib.load(phantom.func[0])
    volumes = np.asarray(image.dataobj)
    assert not volumes[~phantom.truth.brain].any()
    assert (volumes[phantom.truth.brain] > 0).all()
    found = compute_background_mask(image).get_fdata() > 0
    np.testing.assert_array_equal(found, phantom.truth.brain)
    np.testing.assert_array_equal(nib.load(phantom.masks[0]).get_fdata() > 0, found)


def test_header_says_where_and_when(phantom):
    image = nib.load(phantom.func[0])
    header = image.header
    assert image.shape == (33, 39, 33, 168)
    assert header.get_data_dtype() == np.float32
    assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 4)
    assert header.get_xyzt_units() == ("mm", "sec")
    assert header.get_zooms() == pytest.approx((6, 6, 6, 2))
    np.testing.assert_allclose(image.get_qform(), phantom.truth.affine)
    np.testing.assert_allclose(image.affine, phantom.truth.affine)
    assert phantom.t_r == 2.0
    sidecar = phantom.func[0].with_name(phantom.func[0].name.replace(".nii.gz", ".json"))
    assert json.loads(sidecar.read_text())["RepetitionTime"] == 2.0


def test_the_usual_grid_is_that_of_the_reference_data():
    from seedmap.datasets.anatomy import load_anatomy

    assert load_anatomy(4).brain.shape == (50, 59, 50)


def test_integers_are_the_rounded_numbers(tmp_path):
    exact, whole = (
        make_phantom(tmp_path / dtype, voxel_size=12, n_frames=60, dtype=dtype).func[0]
        for dtype in ("float32", "int16")
    )
    image = nib.load(whole)
    assert image.header.get_data_dtype() == np.int16
    assert image.dataobj.slope == 1
    assert np.abs(image.get_fdata() - nib.load(exact).get_fdata()).max() <= 0.57


def test_displacement_shows_the_bad_frames(phantom):
    header, values = read_confounds(phantom.confounds[0])
    displacement = values[:, header.index("framewise_displacement")]
    bad = phantom.truth.bad_frames[0]
    np.testing.assert_array_equal(np.flatnonzero(displacement > 0.5), bad)
    np.testing.assert_array_equal(np.flatnonzero(~phantom.truth.sample_masks[0]), bad)
    assert bad.size == 5
    assert displacement[0] == 0
    assert tuple(header) == phantom.truth.columns


def test_bad_frames_stand_out_in_the_data(phantom):
    volumes = nib.load(phantom.func[0]).get_fdata()[phantom.truth.brain]
    change = np.sqrt((np.diff(volumes, axis=1) ** 2).mean(axis=0))
    bad = phantom.truth.bad_frames[0]
    others = np.setdiff1d(np.arange(change.size), [bad - 1, bad])
    assert change[bad - 1].min() > 1.5 * change[others].max()


def test_planted_atlas_has_every_region(phantom, bids):
    for data in (phantom, bids):
        labels = nib.load(data.atlas).get_fdata()
        np.testing.assert_array_equal(labels, data.truth.labels)
        assert set(np.unique(labels)) == set(range(10))
        table = data.atlas.with_name("planted_dseg.tsv").read_text().split()
        assert table[:4] == ["index", "name", "1", "PCC"]
        for index, region in enumerate(data.truth.regions, 1):
            voxel = np.linalg.solve(data.truth.affine, [*region.coordinates, 1])[:3]
            assert labels[tuple(np.rint(voxel).astype(int))] == index


def test_derivative_folder_is_as_fmriprep_makes_it(bids):
    about = json.loads((bids.folder / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative"
    assert bids.func[7].relative_to(bids.folder).as_posix() == (
        "sub-02/ses-02/func/"
        "sub-02_ses-02_task-rest_run-2_space-MNI152NLin2009cAsym_res-12_desc-preproc_bold.nii.gz"
    )
    assert all(path.is_file() for path in bids.func + bids.confounds + bids.masks)
    assert len(list(bids.folder.glob("sub-*/anat/*desc-preproc_T1w.nii.gz"))) == 2
    first_row = bids.confounds[0].read_text().split("\n")[1].split("\t")
    assert first_row.count("n/a") == 9 * 2 + 3
    assert not list(bids.folder.rglob(".seedmap-*"))


@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor"])
def test_nilearn_reads_the_derivative_folder(bids, strategy):
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    confounds, _ = load_confounds_strategy(str(bids.func[0]), denoise_strategy=strategy)
    assert len(confounds) == 100
    assert confounds.notna().all(axis=None)


def test_a_temporary_folder_is_taken_when_none_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = make_phantom(voxel_size=12, n_frames=20).folder
    assert folder.parent == tmp_path
    assert folder.name.startswith("seedmap-phantom-")


@pytest.mark.parametrize(("n_frames", "t_r"), [(12, 2.0), (20, 0.8), (40, 6.0), (60, 2.0)])
def test_short_and_slow_runs_are_made_too(tmp_path, n_frames, t_r):
    phantom = make_phantom(tmp_path, voxel_size=12, n_frames=n_frames, t_r=t_r)
    volumes = nib.load(phantom.func[0]).get_fdata()
    assert volumes.shape[3] == n_frames
    assert np.isfinite(volumes).all()
    assert volumes.max() < 20_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_subjects": 0}, "n_subjects=0"),
        ({"n_frames": 5}, "n_frames=5"),
        ({"n_bad_frames": -1}, "n_bad_frames=-1"),
        ({"t_r": 0.0}, "t_r=0"),
        ({"voxel_size": float("nan")}, "voxel_size=nan"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"layout": "flat"}, "layout='flat'"),
        ({"dtype": "float16"}, "dtype='float16'"),
    ],
)
def test_nonsense_is_refused_in_one_line(options, said):
    with pytest.raises(OptionError) as caught:
        PhantomOptions(**options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_huge_voxels_are_refused(tmp_path):
    with pytest.raises(OptionError, match="voxel_size=60 mm"):
        make_phantom(tmp_path, voxel_size=60)


def test_unknown_region_is_named_with_the_known_ones(phantom):
    with pytest.raises(SeedError, match=r"'Cuneus'.*PCC"):
        phantom.truth.expected_r("PCC", "Cuneus")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken"):
        make_phantom(tmp_path / "taken", voxel_size=12, n_frames=20)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_images_are_whole_gzip_files(phantom):
    with gzip.open(phantom.func[0]) as file:
        assert len(file.read()) == 352 + 4 * 33 * 39 * 33 * 168


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n_frames=st.integers(110, 260))
def test_signals_are_exact_for_any_chance(seed, n_frames):
    rng = np.random.default_rng(seed)
    motion = draw_motion(rng, n_frames, 2.0, None)
    keep = np.ones(n_frames, dtype=bool)
    keep[motion.bad_frames] = False
    confounds = np.stack(list(confound_table(rng, motion, 2.0, 2).values()), axis=1)
    for array in (confounds, keep):
        array.setflags(write=False)
    wanted = planted_correlation()
    signals = planted_signals(rng, wanted, (confounds, np.zeros((n_frames, 0))), keep, 2.0)
    projector = cleaning_projector(confounds, keep, 2.0)
    np.testing.assert_allclose(np.cov((projector @ signals).T), wanted, atol=1e-9)
    assert not projector[:, ~keep].any()
    explained = projector @ (confounds - confounds.mean(axis=0))
    assert np.abs(explained).max() < 1e-8 * np.abs(confounds).max()


def test_planted_correlations_are_possible():
    assert np.linalg.eigvalsh(planted_correlation()).min() > 0.05


def test_importing_brings_nothing_heavy():
    code = (
        "import sys, seedmap.datasets;"
        "heavy = {'nilearn', 'nibabel', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
