"""What a ledger may say, and what is believed of it."""

import json
from dataclasses import replace

import pytest

from seedmap.participants.ledger import (
    RESULTS,
    Entry,
    FileState,
    commit,
    read_entry,
    stage_of,
    work_folder,
    write_entry,
)


@pytest.fixture
def out(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    return out


def write(out, entry):
    with work_folder(out) as work, stage_of(work, "x") as stage:
        write_entry(out, entry, stage)


def test_an_entry_is_read_as_it_was_written(out):
    entry = Entry("01", "done", "f", files=(FileState("sub-01/a.nii.gz", 3),), facts={"runs": []})
    write(out, entry)
    assert read_entry(out, "01") == entry


@pytest.mark.parametrize(
    "path", ["../victim_error.txt", "a/../../victim_error.txt", "{folder}/victim_error.txt"]
)
def test_no_path_of_a_ledger_leads_out_of_the_folder(out, tmp_path, path):
    """An error that is overcome is removed; a ledger can name any file as one."""
    victim = tmp_path / "victim_error.txt"
    victim.write_text("keep")
    name = path.format(folder=tmp_path)
    write(out, Entry("01", "failed", "f", files=(FileState(name, 4),)))
    with work_folder(out) as work, stage_of(work, "01") as stage:
        (stage / RESULTS / "map.txt").write_text("1")
        commit(stage, out, Entry("01", "done", "f"))
    assert victim.read_text() == "keep"
    assert [(file.path, file.size) for file in read_entry(out, "01").files] == [("map.txt", 1)]


@pytest.mark.parametrize("name", ["C:/x", "..\\x", "\\\\server\\x", "/x", "a\\..\\..\\x"])
def test_names_that_lead_out_on_some_system_are_not_believed(out, name):
    write(out, Entry("01", "done", "f", files=(FileState(name, 1),)))
    assert read_entry(out, "01") is None


def test_an_entry_that_was_changed_is_not_believed(out):
    entry = Entry("01", "done", "f", facts={"runs": [{"run": "a", "kept": 3}]})
    write(out, entry)
    (path,) = (out / "logs").iterdir()
    text = path.read_text()
    for changed in (
        text.replace('kept": 3', 'kept": 4'),
        text[:-5],
        "[" * 100_000,
        "[]",
        "null",
        '{"check": 1}',
    ):
        path.write_text(changed)
        assert read_entry(out, "01") is None
    content = json.loads(text)
    path.write_text(json.dumps(content))  # the same, written otherwise
    assert read_entry(out, "01") == replace(entry)
    path.rename(path.with_name("sub-02.json"))
    assert read_entry(out, "02") is None
