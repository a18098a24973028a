"""The command line's own words: help with examples, versions, a flag for every option."""

import re
from dataclasses import fields

import pytest

import seedmap as sm
from seedmap.cli import build_app
from seedmap.cli.options import OutputOptions, RunOptions, SeedOptions

VERBS = sorted(name for name in build_app() if not name.startswith("-"))
OPTIONS = (SeedOptions, RunOptions, sm.Cleaning, OutputOptions)


def test_verbs():
    assert {"demo", "fetch", "run"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(call, verb):
    done = call(verb, "--help")
    assert done.code == 0
    assert re.search(rf"^ *seedmap {verb} \S", done.out, re.MULTILINE)
    assert done.err == ""


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_every_option_is_a_flag_with_help(call, options):
    told = call("run", "--help").out
    for field in fields(options):
        flag = "--" + field.name.replace("_", "-")
        assert re.search(rf"{flag}(?![\w-])", told), flag


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
