"""Wrong words on the command line: one line says what was found, what is wanted and what to do."""

import pytest

from seedmap.cli import main

SEED = ("--seed", "PCC=0,-52,18")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("run", "b.nii", *SEED, "--fwe", "7"),
            "'7' stands behind --fwe, which takes no value; leave it out",
        ),
        (
            ("run", "b.nii", *SEED, "m=1,2,3"),
            "which takes one value; write --seed before each: --seed m=1,2,3",
        ),
        (
            ("run", "b.nii", *SEED, "--strategy", "36P", "9P"),
            "'9P' stands behind --strategy, which takes one value",
        ),
        (
            ("run", "b.nii", "c.nii", *SEED),
            "'c.nii' is one word too many; seedmap run takes BOLD; leave it out",
        ),
        (
            ("run", "b.nii", *SEED, "--radius", "abc"),
            "--radius abc: a number is wanted, such as 0.5",
        ),
        (
            ("run", "b.nii", *SEED, "--order", "five"),
            "--order five: a whole number is wanted, such as 2",
        ),
        (
            ("run", "b.nii", *SEED, "--radius"),
            "--radius is given without a value; write the value behind it",
        ),
        (
            ("run", "b.nii", *SEED, "--quiet=maybe"),
            "--quiet maybe: leave the value out, or write yes or no",
        ),
        (
            ("run", "b.nii", *SEED, "--uncertainty", "foo"),
            "not known; choose one of operator, xdf, naive, none",
        ),
        (
            ("run", "b.nii", *SEED, "--measure", "spearmen"),
            "--measure spearmen is not known (near: spearman); choose",
        ),
        (
            ("run", "b.nii", *SEED, "--high-pas", "1"),
            "Unknown option: --high-pas. Did you mean --high-pass?",
        ),
        (("run", "b.nii"), "--seed is missing; seedmap run needs it, such as --seed PCC=0,-52,18"),
        (("run", "b.nii", "-seed", "PCC=0,-52,18"), "-seed is not known; did you mean --seed?"),
        (("bids", "in"), "OUTPUT_DIR is missing; seedmap bids needs it"),
        (
            ("bids", "in", "out", "particpant"),
            "particpant is not known (near: participant); choose one of participant",
        ),
        (
            ("bids", "in", "out", "participant", *SEED, "--degree", "3"),
            "'3' stands behind --degree, which takes no",
        ),
        (
            ("bids", "in", "out", "participant", *SEED, "--nprocs", "all"),
            "--nprocs all: a whole number is wanted",
        ),
        (("group", "out", "--seed", "PCC", "--model"), "--model is given without a value"),
        (("lesion", "out"), "--lesions is missing; seedmap lesion needs it"),
        (("explore", "b.nii", "--port", "http"), "--port http: a whole number is wanted"),
        (("verify", "b.nii", *SEED, "--pairs", "x"), "--pairs x: a whole number is wanted"),
        (
            ("pack", "out", "more"),
            "'more' is one word too many; seedmap pack takes RESULTS; leave it out",
        ),
        (("demo", "more"), "'more' is one word too many; seedmap demo takes options only"),
        (
            ("fetch", "devlopment"),
            "devlopment is not known (near: development); choose one of development",
        ),
        (("completion",), "SHELL is missing; seedmap completion needs it"),
        (("clean",), "'clean' is no verb of seedmap; choose one of run, explore, bids"),
        (("runn", "b.nii"), "'runn' is no verb of seedmap (near: run); choose one of run, explore"),
    ],
)
def test_wrong_words(words, said, capsys):
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert said in err
    assert "--help`" in err
