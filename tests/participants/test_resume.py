"""What the next call notices: the content of inputs, whatever their times say."""

import json
import os

import pytest

from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.participants.ledger import read_entry, state_of

LINE = ("--seed", "PCC=0,-52,18", "--strategy", "6P", "--nprocs", "1", "--no-figures")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 2, voxel_size=8)


def bids(study, out, capsys):
    """Run the study; return how the participants ended."""
    assert main(["bids", str(study.folder), str(out), "participant", *LINE]) == 0
    capsys.readouterr()
    return {label: read_entry(out, label) for label in ("01", "02")}


def confounds_of(study, label):
    (path,) = study.folder.glob(f"sub-{label}/func/*timeseries.tsv")
    return path


def map_of(out, label):
    (path,) = out.glob(f"sub-{label}/func/*stat-r*.nii.gz")
    return path.read_bytes()


def test_confounds_changed_behind_their_times_are_noticed(study, tmp_path, capsys):
    out, path = tmp_path / "out", confounds_of(study, "01")
    first = bids(study, out, capsys)
    maps = {label: map_of(out, label) for label in first}
    before, text = path.stat(), path.read_text()
    lines = text.splitlines()
    lines[5], lines[9] = lines[9], lines[5]
    path.write_text("\n".join(lines) + "\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = bids(study, out, capsys)
    assert second["01"].fingerprint != first["01"].fingerprint
    assert second["02"] == first["02"]
    assert map_of(out, "01") != maps["01"]
    assert map_of(out, "02") == maps["02"]


def test_what_was_only_touched_is_read_once_and_not_worked_on(study, tmp_path, capsys):
    out, path = tmp_path / "out", confounds_of(study, "02")
    first = bids(study, out, capsys)
    written = (out / first["02"].files[0].path).stat().st_mtime_ns
    os.utime(path)
    second = bids(study, out, capsys)
    assert second["02"].fingerprint == first["02"].fingerprint
    assert (out / first["02"].files[0].path).stat().st_mtime_ns == written
    # What is noted is the new time, so that a third call need not read it.
    (noted,) = [state for state in second["02"].inputs if state.path.endswith("timeseries.tsv")]
    assert noted.same_as(state_of(path, study.folder.resolve()))
    assert not (out / ".seedmap-work").exists()


def test_a_ledger_of_before_is_still_read(study, tmp_path, capsys):
    out = tmp_path / "out"
    first = bids(study, out, capsys)
    path = out / "logs" / "sub-01.json"
    content = json.loads(path.read_text())
    del content["check"]
    for state in (*content["inputs"], *content["files"]):
        del state["ctime_ns"], state["inode"]
    path.write_text(json.dumps(content))
    assert bids(study, out, capsys)["01"] == first["01"]
