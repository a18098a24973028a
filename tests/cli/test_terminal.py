"""Screens that are closed or full, names that are long or in no coding, options as they were typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedmap.cli import main
from seedmap.cli.wording import FLAGS, as_typed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, and names of any bytes")
FAST = ["--no-figures", "--uncertainty", "none", "--strategy", "none"]
LONG = "a" * 300


def words_of(bold, out):
    return ["run", str(bold), "--seed", "PCC=0,-52,18", *FAST, "--out", str(out)]


def start(words, **streams):
    call = [sys.executable, "-m", "seedmap", *words]
    return subprocess.Popen(call, stderr=streams.pop("stderr", subprocess.PIPE), **streams)


def end(process):
    _, said = process.communicate(timeout=120)
    return process.returncode, (said or b"").decode()


def maps_in(out):
    return sorted(path.name for path in out.glob("*_statmap.nii.gz"))


@pytest.mark.full
def test_results_do_not_depend_on_standard_output(bold, tmp_path):
    with Path("/dev/full").open("w") as full:
        process = start(words_of(bold, tmp_path / "full"), stdout=full)
    code, said = end(process)
    assert code == 0
    assert said.count("\n") == 1
    assert "standard output cannot be written (No space left on device)" in said
    process = start(words_of(bold, tmp_path / "closed"), stdout=subprocess.PIPE)
    process.stdout.close()
    code, said = process.wait(timeout=120), process.stderr.read().decode()
    process.stderr.close()
    assert code == 0
    assert said.count("\n") == 1
    assert "Broken pipe" in said
    assert maps_in(tmp_path / "full") == maps_in(tmp_path / "closed") != []


@pytest.mark.full
@pytest.mark.parametrize("words", [["--version"], ["run", "--help"]])
def test_what_is_only_printed_must_be_printed(words):
    with Path("/dev/full").open("w") as full:
        code, said = end(start(words, stdout=full))
    assert code == 2
    assert said.count("\n") == 1
    assert "No space left on device" in said


@pytest.mark.full
@pytest.mark.parametrize("closed", [1, 2])
def test_a_call_without_a_screen(bold, tmp_path, closed):
    process = start(
        words_of(bold, tmp_path / "out"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lambda: os.close(closed),
    )  # fmt: skip
    assert process.wait(timeout=120) == 0
    assert maps_in(tmp_path / "out")
    with Path("/dev/full").open("w") as full:
        assert start(["run", "nope.nii", "--seed", "P=1,2,3"], stderr=full).wait(timeout=60) == 2


@pytest.mark.parametrize(
    "words",
    [["--seed", f"{LONG}=0,-52,18"], ["--seed", f"P={LONG}.nii"], ["--seed", f"P={LONG}.nii#1"],
     ["--seed", f"P=0,-52,18:{LONG}"], ["--out", f"{LONG}/x"], ["--mask", LONG], ["--atlas", LONG],
     ["--confounds", LONG], ["--sample-mask", LONG], ],
)  # fmt: skip
def test_a_name_of_300_letters_ends_in_one_line(bold, tmp_path, capsys, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = words_of(bold, "out")
    if words[0] in given:
        given[given.index(words[0]) + 1] = words[1]
        words = []
    assert main([*given, *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert len(lines) == 1
    assert "aaaa" in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [["run", "--from-store", LONG, "--seed", "P=1,2,3"], ["bids", LONG, "out", "participant", "--seed", "P=1,2,3"],
     ["bids", ".", LONG, "participant", "--seed", "P=1,2,3"], ["explore", LONG], [LONG],
     ["run", f"{LONG}.nii", "--seed", "P=1,2,3"], ["run", f"{LONG}.dtseries.nii", "--seed", "P=1,2,3"],
     ["run", "x.nii", "--config-file", LONG], ["group", LONG, "--seed", "P"], ["verify", LONG, "--seed", "P=1,2,3"]],
)  # fmt: skip
def test_every_verb_refuses_a_name_of_300_letters(tmp_path, capsys, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("seedmap: ")


@pytest.mark.parametrize("where", ["seed", "run", "out"])
def test_a_name_in_no_coding_ends_in_one_line(bold, tmp_path, capsys, where):
    odd = "b\udcff"
    words = words_of(bold, tmp_path / "out")
    number = {"run": 1, "seed": 3, "out": -1}[where]
    words[number] = f"{odd}=0,-52,18" if where == "seed" else str(tmp_path / odd)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "b\\udcff" in said
    assert "UTF-8" in said


@pytest.mark.full
def test_a_folder_in_no_coding_and_a_terminal_of_few_letters(bold, tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    run = os.fsencode(bold)
    os.link(run, folder + "/bóld.nii.gz".encode())
    words = [
        "run",
        "bóld.nii.gz",
        "--seed",
        "PCC=0,-52,18",
        "--t-r",
        "2",
        *FAST[1:],
        "--out",
        "out",
    ]
    settings = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    code, said = end(start(words, stdout=subprocess.DEVNULL, cwd=folder, env=settings))
    assert (code, said) == (0, "")
    assert maps_in(Path(os.fsdecode(folder)) / "out")


def test_a_config_file_cannot_bring_a_nul(tmp_path, capsys):
    path = tmp_path / "options.yaml"
    path.write_text('seed: "P=a\\0.nii"\n')
    assert main(["run", "x.nii", "--config-file", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--low-pass", "0.5"], "--low-pass 0.5 Hz"),
        (["--high-pass", "0.2"], "--high-pass 0.2 Hz is not below --low-pass 0.1 Hz"),
        (["--high-pass", "-1"], "--high-pass -1 Hz"),
        (["--order", "0"], "--order 0;"),
        (["--smoothing-fwhm", "-3"], "--smoothing-fwhm -3"),
        (["--n-jobs", "0"], "--n-jobs 0"),
        (["--t-r", "0"], "--t-r 0"),
        (["--max-memory", "much"], "--max-memory much"),
        (["--radius", "-3"], "--radius -3"),
        (["--max-lag", "-1", "--measure", "lagged"], "--max-lag -1"),
        (["--measure", "lagged", "--max-lag", "0.1"], "--max-lag 0.1"),
    ],
)  # fmt: skip
def test_options_bear_the_names_that_were_typed(bold, tmp_path, capsys, words, said):
    given = [word for word in words_of(bold, tmp_path / "out") if word not in words]
    assert main([*given, *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert said in line
    for name in FLAGS:
        assert f"{name}=" not in line


@pytest.mark.parametrize(
    ("text", "typed", "said"),
    [
        ("the seed 'P': radius=-3 mm", ["--seed"], "the seed 'P': radius=-3 mm"),
        ("own.yaml: fd_threshold=-1", [], "own.yaml: fd_threshold=-1"),
        ("fd_threshold=-1; give", ["--fd-thresh=-1"], "--fd-thresh -1; give"),
        ("give strategy='6P' (--strategy 6P)", [], "give --strategy 6P"),
        ("/a/order=3/low_pass=2.nii: is not there", ["--order"], "/a/order=3/low_pass=2.nii: is not there"),
        ("uncertainty=None", [], "--uncertainty none"),
        ("smoothing_fwhm=-3.0 mm", ["--smoothing"], "--smoothing -3 mm"),
        ("give it by name, {'left': path} or --left", [], "give it by name, --left"),
        ("give the surface (surfaces=, --surface-left, --surface-right)", [],
         "give the surface (--surface-left, --surface-right)"),
        ("as many frames are wanted (--min-time)", [], "as many frames are wanted (--min-time)"),
    ],
)  # fmt: skip
def test_only_options_are_written_as_flags(text, typed, said):
    assert as_typed(text, typed) == said
