"""The README is true: its Python runs, its command lines can be typed."""

import re
import shlex
from pathlib import Path

import pytest

import seedmap
from seedmap.cli import build_app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [
    line
    for kind, text in BLOCKS
    for line in text.splitlines()
    if kind == "sh" and line.startswith("seedmap ")
]


def test_there_are_lines():
    assert {line.split()[1] for line in LINES} >= {"demo", "fetch", "run"}


@pytest.mark.parametrize("line", LINES)
def test_command_lines_can_be_typed(line):
    """Every line is understood to its last word; nothing is run."""
    tokens = shlex.split(line, comments=True)[1:]
    verb, *_ = build_app().parse_args(tokens, exit_on_error=False, print_error=False)
    if "--help" not in tokens:
        assert verb.__name__ == tokens[0]


def test_pieces_of_command_lines_are_options(call):
    helps = (
        "".join(call(verb, "--help").out for verb in ("run", "explore", "fetch"))
        + " --version --help"
    )
    for flag in set(re.findall(r"`[^`]*?(--[a-z][a-z-]+)", README)):
        assert re.search(rf"{flag}(?![\w-])", helps), flag


@pytest.mark.full
def test_python(tmp_path, monkeypatch, capsys):
    """The example runs with the phantom in place of the data that need the network."""
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    small = 'make_phantom("data", voxel_size=12, n_frames=120)'
    code, count = re.subn(r"fetch_development\(n_subjects=1\)", small, code)
    assert count == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert re.fullmatch(r"\(1, \d+\)\n", capsys.readouterr().out)
    assert list((tmp_path / "results").glob("*_seed-PCC_stat-r_statmap.nii.gz"))


def test_files_it_points_to_are_there():
    for path in re.findall(r"\]\((?!http|#)([^)#]+)", README):
        assert (ROOT / path).exists(), path


def test_python_it_asks_for():
    wanted = re.search(r"Python (3\.\d+) or newer", README)[1]
    assert f'requires-python = ">={wanted}"' in (ROOT / "pyproject.toml").read_text()


def test_names_it_uses():
    for name in re.findall(r"\bsm\.(\w+)", README):
        assert hasattr(seedmap, name), name
