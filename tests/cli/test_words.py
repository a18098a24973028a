"""The command line's own words: help with examples, versions, a flag for every option."""

import re
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


def test_version(call):
    assert call("--version") == (0, f"{sm.__version__}\n", "")


@pytest.mark.full
def test_version_of_the_module(process):
    assert process("--version") == (0, f"{sm.__version__}\n", "")


def test_without_arguments(call):
    done = call()
    assert done.code == 0
    assert "Usage: seedmap" in done.out
