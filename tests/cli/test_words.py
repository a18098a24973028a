"""The command line's own words: help with examples, versions, a flag for every option."""

import re
import shutil
import subprocess
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

import seedmap as sm
from seedmap.cli import build_app

APP = build_app()
VERBS = sorted(name for name in APP if not name.startswith("-"))
OPTIONS = [
    (verb, kind)
    for verb in VERBS
    for kind in get_type_hints(APP[verb].default_command).values()
    if is_dataclass(kind)
]


def test_verbs():
    assert {"demo", "fetch", "run"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(call, verb):
    done = call(verb, "--help")
    assert done.code == 0
    assert re.search(rf"^ *seedmap {verb} \S", done.out, re.MULTILINE)
    assert done.err == ""


def test_options_of_run():
    assert ("run", sm.Cleaning) in OPTIONS
    assert len([verb for verb, _ in OPTIONS if verb == "run"]) >= 4


@pytest.mark.parametrize(
    ("verb", "options"), OPTIONS, ids=[f"{verb}-{kind.__name__}" for verb, kind in OPTIONS]
)
def test_every_option_is_a_flag_with_help(call, verb, options):
    shown = call(verb, "--help").out
    for field in fields(options):
        flag = "--" + field.name.replace("_", "-")
        assert re.search(rf"{flag}(?![\w-])", shown), flag


def test_help_of_all(call):
    done = call("--help")
    assert done.code == 0
    assert all(verb in done.out for verb in VERBS)
    assert "seedmap demo" in done.out


@pytest.mark.parametrize("verb", ["run", "bids"])
def test_help_is_in_the_order_of_thought_and_without_python(call, verb):
    shown = call(verb, "--help").out
    places = [shown.index(f"\u2500 {name} \u2500") for name in ("Seeds", "Cleaning")]
    assert places == sorted(places)
    if verb == "run":
        titles = re.findall(r"\u256d\u2500 (\w+) \u2500", shown)
        assert titles == [
            "Arguments",
            "Seeds",
            "Run",
            "Cleaning",
            "Measure",
            "Checks",
            "Surfaces",
            "Output",
        ]
    for word in ("()", "('", "True", "False", "STR", "FLOAT", "INT", "None"):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", shown), word


def test_one_meaning_a_word(call):
    shown = {verb: " ".join(call(verb, "--help").out.split()) for verb in VERBS}
    assert "--seeds-atlas" in shown["bids"]
    assert not re.search(r" --atlas PATH +Label image of which", shown["bids"])
    assert "'r>0.5'" in shown["bids"]
    assert "'r>0.5'" in shown["run"]
    assert not re.search(r"--participants\b", " ".join(shown.values()))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_verbs_and_options(call, shell):
    done = call("completion", shell)
    assert done.code == 0
    assert all(word in done.out for word in (*VERBS, "confounds", "task-id", "seeds-atlas"))


def test_completion_is_valid_bash(call, tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (tmp_path / "seedmap").write_text(call("completion", "bash").out)
    script = f"source {tmp_path / 'seedmap'}; complete -p seedmap"
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert "seedmap" in done.stdout


def test_version(call):
    assert call("--version") == (0, f"{sm.__version__}\n", "")


@pytest.mark.full
def test_version_of_the_module(process):
    assert process("--version") == (0, f"{sm.__version__}\n", "")


def test_without_arguments(call):
    done = call()
    assert done.code == 0
    assert "Usage: seedmap" in done.out
