"""What a run writes and prints: names, sidecars, headers, tables, the same bytes twice."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm

SEED = ("--seed", "PCC=0,-52,18")
STATS = ("r", "fisherz", "z", "p", "q", "dof", "se")
STEM = "sub-01_task-rest_space-MNI152NLin2009cAsym_res-12"


def names_of_maps(folder: Path) -> list[str]:
    """Names of maps, their sidecars and the series; other tables may lie beside them."""
    return [name for name in names(folder) if re.search(r"_(statmap|timeseries)\.", name)]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def maps_of(stem: str, seed: str, stats: tuple[str, ...]) -> list[str]:
    made = [
        f"{stem}_seed-{seed}_stat-{s}_statmap{end}" for s in stats for end in (".json", ".nii.gz")
    ]
    return [*made, f"{stem}_seed-{seed}_timeseries.tsv"]


@pytest.fixture
def results(call, phantom, tmp_path):
    """Results of a run with confounds and censoring, without figures."""
    keep = phantom.truth.sample_masks[0]
    (tmp_path / "keep.txt").write_text("".join(f"{int(stays)}\n" for stays in keep))
    done = call(
        "run", phantom.func[0], *SEED, "--confounds", phantom.confounds[0],
        "--sample-mask", tmp_path / "keep.txt", "--no-figures", "--out", tmp_path / "results",
    )  # fmt: skip
    assert done.code == 0
    return tmp_path / "results"


def test_names(results):
    assert names_of_maps(results) == sorted(maps_of(STEM, "PCC", STATS))
    assert "dataset_description.json" in names(results)
    assert not [name for name in names(results) if name.startswith(".")]


def test_name_that_is_not_bids_is_kept(call, save, tmp_path):
    run = save("my run.nii", save.data)
    seeds = ("--seed", "PCC=0,-52,18", "--seed", "left_IPL=-46,-68,32:14")
    words = ("--uncertainty", "none", "--no-figures", "--out", tmp_path / "r")
    assert call("run", run, *seeds, *words).code == 0
    expected = [name for seed in ("PCC", "leftIPL") for name in maps_of("my-run", seed, STATS[:2])]
    assert names_of_maps(tmp_path / "r") == sorted(expected)


def test_dataset_description(results):
    description = json.loads((results / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0] == {"Name": "seedmap", "Version": sm.__version__}
    assert {"Name", "BIDSVersion"} <= description.keys()


@pytest.mark.parametrize("stat", STATS)
def test_sidecar(results, phantom, stat):
    path = results / f"{STEM}_seed-PCC_stat-{stat}_statmap.json"
    sidecar = json.loads(path.read_text(), parse_constant=pytest.fail)
    values = nib.load(path.with_suffix(".nii.gz")).get_fdata()
    inside = values[np.asarray(nib.load(phantom.masks[0]).dataobj) > 0]
    bad = sorted(map(int, phantom.truth.bad_frames[0]))
    assert f"bids:{phantom.folder.name}:{phantom.func[0].name}" in sidecar["Sources"]
    assert f"bids:{phantom.folder.name}:{phantom.confounds[0].name}" in sidecar["Sources"]
    assert (sidecar["RepetitionTime"], sidecar["RepetitionTimeSource"]) == (2.0, "json")
    assert sidecar["Seed"] | {"voxels": 1, "coverage": 1.0} == sidecar["Seed"]
    assert sidecar["Seed"]["definition"] == "sphere of 8 mm radius at (0, -52, 18) mm"
    assert sidecar["Mask"].endswith("desc-brain_mask.nii.gz")
    assert sidecar["Samples"] == inside.size
    assert sidecar["Cleaning"]["high_pass"] == 0.01
    assert sidecar["Cleaning"]["fill"] == "linear"
    assert sidecar["SmoothingFWHM"] == 6.0
    assert sidecar["ConfoundColumns"] == list(phantom.truth.columns)
    assert sidecar["ConfoundRank"] == len(phantom.truth.columns)
    assert (sidecar["Frames"], sidecar["FramesKept"]) == (100, 100 - len(bad))
    assert sidecar["FramesCensored"] == bad
    assert sidecar["Uncertainty"] == "operator"
    assert 3 < sidecar["DofQuantiles"]["0.5"] < 100 - len(bad)
    assert {"seedmap", "numpy", "scipy", "nibabel", "python"} <= sidecar["SoftwareVersions"].keys()
    assert sidecar["Command"].startswith("seedmap ")
    assert sidecar["Minimum"] == pytest.approx(np.nanmin(inside), rel=1e-5)
    assert sidecar["Maximum"] == pytest.approx(np.nanmax(inside), rel=1e-5)


@pytest.mark.parametrize(
    ("stat", "intent"),
    [("r", 1001), ("fisherz", 1001), ("z", 5), ("p", 22), ("q", 22), ("dof", 1001), ("se", 1001)],
)
def test_header(results, phantom, stat, intent):
    image = nib.load(results / f"{STEM}_seed-PCC_stat-{stat}_statmap.nii.gz")
    run = nib.load(phantom.func[0])
    assert image.shape == run.shape[:3]
    assert image.get_data_dtype() == np.float32
    assert int(image.header["intent_code"]) == intent
    assert image.header["descrip"].item().startswith(b"seedmap")
    assert image.header.get_xyzt_units()[0] == "mm"
    for code in ("sform_code", "qform_code"):
        assert image.header[code] == run.header[code]
    np.testing.assert_array_equal(image.affine, run.affine)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (4, 1), (2, 4)])
def test_header_codes_are_the_runs(call, save, tmp_path, codes):
    image = nib.load(save("run.nii", save.data))
    image.set_sform(save.affine, code=codes[0])
    image.set_qform(save.affine, code=codes[1])
    nib.save(image, tmp_path / "coded.nii")
    words = ("--uncertainty", "none", "--no-figures", "--out", tmp_path / "r")
    assert call("run", tmp_path / "coded.nii", *SEED, *words).code == 0
    header = nib.load(tmp_path / "r" / "coded_seed-PCC_stat-r_statmap.nii.gz").header
    if codes[0]:
        assert (header["sform_code"], header["qform_code"]) == codes
    else:
        assert header["qform_code"] == codes[1]
        np.testing.assert_allclose(header.get_best_affine(), save.affine, atol=1e-4)


def test_time_series(results, phantom):
    lines = (results / f"{STEM}_seed-PCC_timeseries.tsv").read_text().splitlines()
    values = np.array(lines[1:], dtype=float)
    assert lines[0] == "PCC"
    assert values.size == phantom.truth.sample_masks[0].sum()
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert values.std(ddof=1) == pytest.approx(1, abs=1e-6)


def test_same_bytes_twice(call, bold, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for jobs, name in ((1, "a"), (3, "b")):
        words = ("--n-jobs", jobs, "--no-figures", "--out", name)
        assert call("run", bold, *SEED, *words).code == 0
    for name in names(tmp_path / "a"):
        if name.startswith("logs/"):  # times
            continue
        one, other = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        # The calls themselves differ, and each stands in its sidecars.
        assert one.replace(b"--n-jobs 1 --no-figures --out a", b"") == other.replace(
            b"--n-jobs 3 --no-figures --out b", b""
        ), name


def test_again_into_the_same_folder(results, call, bold):
    (results / "mine.txt").write_text("mine")
    before = names(results)
    assert call("run", bold, *SEED, "--no-figures", "--out", results).code == 0
    assert names(results) == before


# ---- what is printed -------------------------------------------------------------------------


def assert_only_bad_frames_are_noted(done):
    """The phantom's head jerks, and not all of that can be regressed out."""
    (note,) = done.err.splitlines()
    assert note.startswith("seedmap: note: the noise is uneven in time: frames ")
    assert "Noise         frames " in done.out


def test_printed(call, bold, tmp_path):
    words = ["--strategy", "none", "--no-figures", "--out", tmp_path / "r"]
    done = call("run", bold, *SEED, *words)
    r = nib.load(tmp_path / "r" / f"{STEM}_seed-PCC_stat-r_statmap.nii.gz").get_fdata()
    inside = r[r != 0]
    assert "100 of 100 frames, repetition time 2 s (json)" in done.out
    assert "Seed series   (100, 1)" in done.out
    assert f"Brain series  (100, {inside.size})" in done.out
    assert re.search(rf"r +min {inside.min():.3f}, max {inside.max():.3f}", done.out)
    assert re.search(r"Fisher z +min -0\.\d{3}, max \d\.\d{3}", done.out)
    assert "100% in the" in done.out
    assert re.search(r"Took +[\d.]+ s", done.out)
    assert str(tmp_path / "r")[:20] in done.out
    assert re.search(r"\|r\| above 0\.\d\d has p < \.001", done.out)
    assert_only_bad_frames_are_noted(done)


def test_nothing_stands_behind_the_facts_in_a_file(call, bold, tmp_path):
    done = call("run", bold, *SEED, "--no-figures", "--out", tmp_path / "r")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line != line.rstrip()] == []
    assert max(map(len, done.out.splitlines())) < 200


def test_lines_of_progress_where_there_is_no_terminal(call, bold, tmp_path, monkeypatch):
    monkeypatch.setattr("seedmap.cli.console.EVERY", 0)
    done = call("run", bold, *SEED, "--no-figures", "--out", tmp_path / "r")
    lines = [line for line in done.err.splitlines() if not line.startswith("seedmap: note: ")]
    assert lines
    assert lines[-1] == "Reading and smoothing: 100 of 100 (100%)"
    assert all(re.search(r"\(\d+%\), about \d+ s left$", line) for line in lines[:-1]), lines
    assert call("run", bold, *SEED, "--no-figures", "-q", "--out", tmp_path / "r").err == ""


def test_log_keeps_call_and_facts_also_of_a_quiet_run(call, suspicious, tmp_path):
    words = ("run", suspicious, *SEED, "--no-figures", "--out", tmp_path / "r")
    done = call(*words)
    log = (tmp_path / "r" / "logs" / "seedmap_log.txt").read_text()
    assert f"seedmap {sm.__version__}" in log
    assert f"--out {tmp_path / 'r'}" in log
    assert all(line in log for line in done.out.splitlines())
    assert all(line in log for line in done.err.splitlines())
    call(*words, "--quiet")
    again = (tmp_path / "r" / "logs" / "seedmap_log.txt").read_text()
    assert again.startswith(log)
    assert "Brain series" in again[len(log) :]


def test_options_from_a_file(call, bold, tmp_path):
    config = tmp_path / "options.yaml"
    config.write_text("low_pass: 0.08\nsmoothing-fwhm: none\ndetrend: false\nhigh-pass: 0.02\n")
    words = (
        "--config-file",
        config,
        "--high-pass",
        "0.03",
        "--no-figures",
        "--out",
        tmp_path / "r",
    )
    assert call("run", bold, *SEED, *words).code == 0
    sidecar = json.loads((tmp_path / "r" / f"{STEM}_seed-PCC_stat-r_statmap.json").read_text())
    cleaning = sidecar["Cleaning"]
    assert (cleaning["low_pass"], cleaning["high_pass"], cleaning["detrend"]) == (0.08, 0.03, False)
    assert sidecar["SmoothingFWHM"] is None


def test_quiet(call, bold, tmp_path):
    done = call("run", bold, *SEED, "--no-figures", "--quiet", "--out", tmp_path / "r")
    assert done == (0, "", "")
    assert names(tmp_path / "r")


@pytest.fixture
def suspicious(bold, phantom, save):
    """Make a run whose repetition time looks like a default, which is worth a warning."""
    return save("suspicious_bold.nii.gz", np.asarray(nib.load(bold).dataobj), t_r=1.0)


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_quiet_holds_for_warnings(call, suspicious, tmp_path, verb):
    more = {"run": ["--no-figures"], "verify": ["--pairs", 100]}[verb]
    words = [verb, suspicious, *SEED, *more, "--out", tmp_path / "r"]
    loud = call(*words)
    assert loud.code == 0
    assert loud.err.startswith("seedmap: note: ")
    assert "repetition time of exactly 1 s" in loud.err
    assert call(*words, "--quiet") == (0, "", "")


def test_quiet_says_errors(call, tmp_path):
    done = call("run", "nope.nii", *SEED, "-q", "--out", tmp_path / "r")
    assert done == (2, "", "seedmap: nope.nii: this run is not there; check the path\n")


def test_verbose(call, bold, phantom, tmp_path):
    words = ("--confounds", phantom.confounds[0], "--no-figures", "--out", tmp_path / "r")
    short, long = call("run", bold, *SEED, *words), call("run", bold, *SEED, *words, "-v")
    assert (short.code, long.code) == (0, 0)
    assert "framewise_displacement" not in short.out
    assert "framewise_displacement" in long.out
    assert f"{STEM}_seed-PCC_stat-r_statmap.json" in long.out


@pytest.mark.parametrize(
    ("words", "high_pass", "low_pass"),
    [
        (("--high-pass", "none"), None, 0.1),
        (("--low-pass", "none"), 0.01, None),
        (("--filter", "none"), 0.01, 0.1),
    ],
)
def test_none_switches_off(call, bold, tmp_path, words, high_pass, low_pass):
    common = ("--uncertainty", "none", "--smoothing-fwhm", "none", "--no-figures")
    assert call("run", bold, *SEED, *words, *common, "--out", tmp_path).code == 0
    sidecar = json.loads((tmp_path / f"{STEM}_seed-PCC_stat-r_statmap.json").read_text())
    assert (sidecar["Cleaning"]["high_pass"], sidecar["Cleaning"]["low_pass"]) == (
        high_pass,
        low_pass,
    )
    assert (sidecar["Cleaning"]["filter"] is None) == ("--filter" in words)
    assert sidecar["SmoothingFWHM"] is None
    assert sidecar["Uncertainty"] is None


def test_columns_by_pattern(call, bold, phantom, tmp_path):
    words = ("--confound-columns", "trans_*", "csf", "--uncertainty", "none", "--no-figures")
    done = call(
        "run", bold, *SEED, "--confounds", phantom.confounds[0], *words, "--out", tmp_path
    )  # fmt: skip
    assert done.code == 0
    sidecar = json.loads((tmp_path / f"{STEM}_seed-PCC_stat-r_statmap.json").read_text())
    assert sidecar["ConfoundColumns"] == ["trans_x", "trans_y", "trans_z", "csf"]


# ---- with figures, as a process --------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(process, phantom, tmp_path_factory):
    """Standard output and the folder of a run with figures."""
    folder = tmp_path_factory.mktemp("drawn")
    words = ["--strategy", "none", "--out", folder / "r"]
    done = process("run", phantom.func[0], *SEED, *words)
    assert done.code == 0, done.err
    return done, folder / "r"


@pytest.mark.full
def test_figures_and_page(drawn):
    done, folder = drawn
    pictures = [
        f"figures/{STEM}_{what}{end}"
        for what in ("seed-PCC_stat-r_statmap", "timeseries", "voxels")
        for end in (".pdf", ".png")
    ]
    assert set(pictures) <= set(names(folder))
    assert f"{STEM}_report.html" in names(folder)
    assert set(maps_of(STEM, "PCC", STATS)) <= set(names(folder))
    assert "Look at" in done.out
    assert_only_bad_frames_are_noted(done)


@pytest.mark.full
def test_page_has_the_numbers(drawn):
    _, folder = drawn
    page = (folder / f"{STEM}_report.html").read_text().replace("\N{MINUS SIGN}", "-")
    sidecar = json.loads((folder / f"{STEM}_seed-PCC_stat-r_statmap.json").read_text())
    assert "(0, -52, 18)" in page
    assert f"{sidecar['Maximum']:.2f}" in page
    assert f"{sidecar['Minimum']:.2f}" in page
    assert sidecar["SoftwareVersions"]["numpy"] in page
    assert "--seed PCC=0,-52,18" in page
    assert "data:image/png;base64," in page
    assert not re.search(r'(?:src|href)="https?://', page), "it must work without a network"


def test_a_page_names_the_strategy_and_the_global_signal(call, tiny_run, tmp_path):
    run = tiny_run("sub-1_task-rest_desc-preproc_bold.nii.gz", frames=40)
    signals = np.random.default_rng(0).standard_normal((40, 9))
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    head = "\t".join([*motion, "csf", "white_matter", "global_signal"])
    table = tmp_path / "sub-1_task-rest_desc-confounds_timeseries.tsv"
    np.savetxt(table, signals, delimiter="\t", header=head, comments="")
    words = ["--seed", "s=3,-2,5:3", "--filter", "none", "--out", tmp_path / "r"]
    done = call("run", run, *words, "--strategy", "9P")
    page = (tmp_path / "r" / "sub-1_task-rest_report.html").read_text()
    assert (done.code, done.err) == (0, "")
    assert "9 columns, rank 9, strategy 9P, the global signal among them" in done.out
    assert "9 confounds (strategy 9P, the global signal among them)" in page
    assert 'class="trouble"' not in page
    done = call("run", run, *words)
    page = (tmp_path / "r" / "sub-1_task-rest_report.html").read_text()
    assert done.err.startswith("seedmap: note: ")
    assert f"{table} lies beside it" in done.err
    assert f"{table.name} lies beside it" in page
    assert str(table) not in page
