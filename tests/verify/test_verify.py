"""`seedmap verify`: the nulls are what they claim to be, and what is written is right."""

import json
import re

import numpy as np
import pytest
from scipy.signal import lfilter

import seedmap as sm
from seedmap.analysis.options import Inputs, Method
from seedmap.cli import main
from seedmap.connectivity import noise_autocovariance, noise_tables
from seedmap.datasets import make_phantom
from seedmap.errors import OptionError, TooFewFrames
from seedmap.temporal import cleaning_operator
from seedmap.verify import verify_run, write_verification
from seedmap.verify.halves import compare_halves
from seedmap.verify.parity import compare_with_nilearn
from seedmap.verify.simulation import null_rates, planted

SEED = "PCC=0,-52,18"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=150)


@pytest.fixture(scope="module")
def found(phantom):
    inputs = Inputs(phantom.func[0], confounds=phantom.confounds[0])
    return verify_run(inputs, SEED, Method(smoothing_fwhm=12), pairs=4000)


def autoregressive(phi, lags, series=3):
    return (phi ** np.arange(lags))[:, None] * np.ones((1, series))


def whole_run(frames, **options):
    made = cleaning_operator(sm.Cleaning(filter=None, **options), np.ones(frames, bool))
    return made, noise_tables(made)


def test_rates_of_white_noise_are_nominal_and_of_coloured_noise_are_not():
    made, tables = whole_run(150)
    for phi, low, high in ((0.0, 0.035, 0.065), (0.8, 0.28, 0.42)):
        noise = autoregressive(phi, tables.lags)
        rates = null_rates(made, tables, (noise, noise), 4000, np.random.default_rng(1))
        naive, _, ours = rates
        assert low < naive.rates[0.05][0] < high
        assert 0.035 < ours.rates[0.05][0] < 0.07
        assert ours.rates[0.05][1] < ours.rates[0.05][0] < ours.rates[0.05][2]
        assert ours.unanswered < 0.003


UNEVEN = {
    "bursts": np.repeat([1.0, 4.0, 1.0, 4.0, 1.0], [60, 10, 70, 10, 50]),
    "half silent": np.repeat([1.0, 0.02], 100),
    "garbage": np.repeat([1.0, 60.0, 1.0], [90, 1, 109]),
}


@pytest.mark.parametrize("kind", UNEVEN)
def test_nulls_have_the_variance_of_the_run_and_a_test_that_ignores_it_fails(kind, monkeypatch):
    made, _ = whole_run(200)
    tables = noise_tables(made, UNEVEN[kind] ** 2)
    noise = autoregressive(0.3, tables.lags)

    def ours():
        rates = null_rates(made, tables, (noise, noise), 2000, np.random.default_rng(2))
        return rates[2].rates[0.05]

    assert ours()[0] < 0.07
    monkeypatch.setattr(
        "seedmap.verify.simulation.run_variance", lambda _, series: np.ones(len(series))
    )
    assert ours()[1] > 0.1


def test_planted_pairs_of_unequal_spectra_have_the_correlation_that_was_planted():
    made, tables = whole_run(300)
    noise = autoregressive(0.8, tables.lags), autoregressive(0.0, tables.lags)
    found = planted(made, tables, noise, 0.4, 600, np.random.default_rng(3))
    assert found.r == pytest.approx(0.4, abs=0.015)
    assert 0.92 < found.covered < 0.98


def noisy_run(rng, frames, samples, shared):
    """AR(1) noise, of which a part is shared by all."""
    white = rng.standard_normal((frames + 100, samples + 1))
    series = lfilter([1], [1, -0.5], white, axis=0)[100:]
    return np.sqrt(shared) * series[:, :1] + np.sqrt(1 - shared) * series[:, 1:]


@pytest.mark.parametrize("shared", [0.0, 0.4])
def test_the_halves_of_a_steady_run_differ_by_one_standard_error(shared):
    rng = np.random.default_rng(4)
    keep = np.ones(400, bool)
    keep[rng.choice(400, 40, replace=False)] = False
    made = cleaning_operator(sm.Cleaning(), keep, 2.0)
    halves = compare_halves(made, noisy_run(rng, 400, 900, shared)[keep], 2.0, rng)
    assert halves.error == pytest.approx(1, abs=0.12)
    assert halves.low < halves.error < halves.high


def test_the_halves_of_a_run_that_changes_differ_by_more():
    rng = np.random.default_rng(5)
    made, _ = whole_run(400)
    series = noisy_run(rng, 400, 900, 0.0)
    series[:200] = 0.5 * series[:200] + series[:200, :1]  # all alike in the first half only
    assert compare_halves(made, series[:, 1:], 2.0, rng).error > 1.5


def test_a_run_that_is_too_short_to_halve_says_so():
    rng = np.random.default_rng(6)
    made, _ = whole_run(14)
    assert np.isnan(compare_halves(made, rng.standard_normal((14, 30)), 2.0, rng).error)


def test_on_the_phantom_ours_is_honest_and_naive_is_not(found):
    rates = {one.method: one for one in found.rates}
    assert 0.035 < rates["operator"].rates[0.05][0] < 0.065
    assert rates["operator"].spread == pytest.approx(1, abs=0.06)
    assert rates["naive"].rates[0.05][0] > 0.2
    assert rates["xdf"].rates[0.05][0] > 0.08
    assert found.planted.r == pytest.approx(found.planted.rho, abs=0.03)
    assert 0.92 < found.planted.covered < 0.98


def test_smallest_r_is_at_the_edge_of_significance(found):
    from scipy import stats

    (seed,) = found.smallest
    assert seed.dof == pytest.approx(np.median(found.maps.dof), rel=1e-6)
    for level, r in seed.r.items():
        t = r * np.sqrt((seed.dof - 1) / (1 - r**2))
        assert 2 * stats.t.sf(t, seed.dof - 1) == pytest.approx(level, rel=1e-6)
        assert seed.naive[level] < r


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"smoothing_fwhm": 14, "cleaning": sm.Cleaning(high_pass=None)},
        {"cleaning": sm.Cleaning(filter="cosine")},
        {"cleaning": sm.Cleaning(filter=None, detrend=False), "confounds": None},
        {"sample_mask": np.arange(5, 150), "cleaning": sm.Cleaning(edges="even", order=3)},
    ],
    ids=["band", "low-pass, smooth", "cosine", "no filter", "censored, even edges"],
)
@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_r_is_that_of_nilearn(phantom, options):
    from seedmap.analysis import prepare

    given = {"confounds": phantom.confounds[0]} | options
    way = {name: given.pop(name) for name in ("cleaning", "smoothing_fwhm") if name in given}
    method = Method(**{"smoothing_fwhm": None} | way)
    prepared = prepare(Inputs(phantom.func[0], **given), SEED, method)
    parity = compare_with_nilearn(prepared)
    assert parity.samples > 20, parity.note
    assert parity.same, parity
    wanted = "censoring and the filter's edges and order" if "sample_mask" in options else ""
    assert wanted in parity.note


def test_r_of_a_time_course_and_of_a_region_is_that_of_nilearn(phantom):
    from seedmap.analysis import prepare

    heart = np.random.default_rng(0).standard_normal(150)
    labels = phantom.folder / "planted_dseg.nii.gz"
    for seed in (sm.SeriesSeed("heart", heart), sm.Region("mPFC", labels, "mPFC")):
        parity = compare_with_nilearn(
            prepare(Inputs(phantom.func[0]), seed, Method(smoothing_fwhm=None))
        )
        assert parity.same, parity


def test_confounds_that_repeat_each_other_are_compared_without_those_that_do(phantom):
    from seedmap.analysis import prepare

    values = np.random.default_rng(0).standard_normal((150, 3))
    prepared = prepare(Inputs(phantom.func[0], confounds=values[:, [0, 1, 2, 0]]), SEED)
    parity = compare_with_nilearn(prepared)
    assert parity.same
    assert "without 1 confound that is a linear combination of others" in parity.note


def test_page_and_numbers_are_written_together(found, tmp_path):
    page, numbers = write_verification(found, tmp_path)
    facts = json.loads(numbers.read_text())
    text = page.read_text()
    assert facts["FalsePositives"]["operator"]["Pairs"] == 4000
    rate = facts["FalsePositives"]["naive"]["p<0.05"]["Rate"]
    assert f"{100 * rate:.2f} %" in text
    assert facts["Nilearn"]["Same"] is True
    assert not re.search(r"(?:src|href)=", text)
    assert "<svg" in text
    assert text.count("<polyline") == 4
    assert not list(tmp_path.glob(".seedmap-*"))


def test_same_seed_of_chance_same_numbers(phantom, found):
    inputs = Inputs(phantom.func[0], confounds=phantom.confounds[0])
    again = verify_run(inputs, SEED, Method(smoothing_fwhm=12), pairs=4000)
    assert [one.rates for one in again.rates] == [one.rates for one in found.rates]


def test_what_cannot_be_verified_is_refused(phantom):
    with pytest.raises(OptionError, match="at least 100"):
        verify_run(Inputs(phantom.func[0]), SEED, pairs=10)
    narrow = sm.Cleaning(high_pass=0.05, low_pass=0.052)
    with pytest.raises(TooFewFrames, match="effective degrees of freedom") as caught:
        verify_run(Inputs(phantom.func[0]), SEED, Method(cleaning=narrow))
    assert "--force" not in str(caught.value)


def test_the_command_line_takes_the_options_of_run(phantom, tmp_path, capsys):
    arguments = ["verify", str(phantom.func[0]), "--seed", SEED, "--confounds"]
    arguments += [str(phantom.confounds[0]), "--pairs", "1000", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--smoothing-fwhm", "none"]) == 0
    printed = capsys.readouterr().out
    for word in ("naive", "xdf", "operator", "nilearn", "the same r", "p < .05"):
        assert word in printed
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name.rsplit("_", 1)[1] for name in names] == ["verification.html", "verification.json"]


@pytest.mark.full
def test_share_of_significant_voxels_for_white_noise_seeds_on_a_real_run(data_folder):
    """Noise that nobody's brain made finds 5 % of the voxels, whatever their autocorrelation."""
    run = data_folder / "volume" / "sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"
    mask = run.with_name(run.name.replace("preproc_bold", "brain_mask"))
    rng = np.random.default_rng(7)
    seeds = [sm.SeriesSeed(f"noise{k}", rng.standard_normal(260)) for k in range(40)]
    maps = sm.seed_maps(run, seeds, mask_img=mask)
    shares = np.array([np.mean(maps.values(name, "p") < 0.05) for name in maps.seeds])
    # Voxels of a map go together, so the seeds are the independent draws. Four standard errors.
    error = shares.std(ddof=1) / np.sqrt(shares.size)
    assert abs(shares.mean() - 0.05) < 4 * error
    assert 0.03 < shares.mean() < 0.07
    naive = np.array([np.mean(np.abs(maps.fisherz[k]) * np.sqrt(257) > 1.96) for k in range(40)])
    assert naive.mean() > 0.2


@pytest.mark.full
def test_dof_are_lower_where_noise_remembers_longer_on_a_real_run(data_folder):
    from seedmap.analysis import prepare, read

    run = data_folder / "volume" / "sub-01_task-rest_space-MNI152_res-4_desc-preproc_bold.nii.gz"
    mask = run.with_name(run.name.replace("preproc_bold", "brain_mask"))
    cleaning = sm.Cleaning(low_pass=None)
    maps = sm.seed_maps(run, SEED, mask_img=mask, cleaning=cleaning)
    prepared = prepare(Inputs(run, mask_img=mask), SEED, Method(cleaning=cleaning))
    made = prepared.operator
    tables = noise_tables(made)
    some = slice(None, None, 20)
    raw = read(prepared).series[:, some].astype(float)
    noise = noise_autocovariance(tables, made.residuals(raw))
    memory = np.sum((noise / noise[0]) ** 2, axis=0)
    order = np.argsort(memory)
    dof = maps.dof[0, some][order]
    low, high = np.nanmedian(dof[: len(dof) // 4]), np.nanmedian(dof[-len(dof) // 4 :])
    assert high < 0.7 * low


def test_what_does_not_hold_is_said_and_is_the_exit_code(phantom, tmp_path, capsys, monkeypatch):
    words = ["verify", phantom.func[0], "--confounds", phantom.confounds[0], "--seed", SEED]
    words = [*map(str, words), "--smoothing-fwhm", "12", "--pairs", "400", "--out", str(tmp_path)]
    assert main(words) == 0
    assert "Everything that was checked holds" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr("seedmap.verify.verification.MOST_FALSE", -0.1)
    assert main(words) == 4
    assert "Does NOT hold: false positives at most" in " ".join(capsys.readouterr().out.split())
    facts = json.loads(next(tmp_path.glob("*_verification.json")).read_text())
    assert facts["Passed"] is False
    assert set(facts["Checks"].values()) == {True, False}
