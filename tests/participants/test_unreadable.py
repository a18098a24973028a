"""What the disk does not give is one participant's problem, and only for now."""

import codecs
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from seedmap.bids import Filters, find_participants
from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.errors import ConfoundsError, ImageError, OutputError
from seedmap.images import load_image
from seedmap.participants.ledger import read_entry
from seedmap.participants.participant import may_pass

LINE = ("--nprocs", "1", "--no-figures", "-q", "--seed", "PCC=0,-52,18", "--strategy", "6P")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")


@pytest.fixture
def study():
    """A data set that anybody may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield make_study(folder / "study", 2, voxel_size=10, n_frames=100).folder
    shutil.rmtree(folder)


@contextmanager
def not_root():
    """Be somebody whom rights bind."""
    if os.geteuid():
        yield
        return
    codecs.lookup("utf-8-sig")  # while Python's own files can be read
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
@pytest.mark.parametrize("which", ["sub-01", "sub-01/func"])
def test_an_unreadable_folder_is_the_problem_of_its_participant(study, which):
    (study / which).chmod(0)
    with not_root():
        one, two = find_participants(study, Filters())
    (study / which).chmod(0o755)
    assert one.runs == ()
    (problem,) = one.problems
    assert "sub-01" in problem
    assert "cannot be read (Permission denied); check your rights to it" in problem
    assert two.problems == ()
    assert len(two.runs) == 1
    assert [one.problems for one in find_participants(study, Filters())] == [(), ()]


@posix
def test_a_file_that_cannot_be_read_is_not_called_no_image(study):
    (bold,) = study.glob("sub-01/func/*preproc_bold.nii.gz")
    load_image(bold, role="run")  # what it imports can be read
    bold.chmod(0)
    wanted = r"this run cannot be read \(Permission denied\); .*try again"
    with not_root(), pytest.raises(ImageError, match=wanted):
        load_image(bold, role="run")


@posix
def test_a_read_error_is_not_remembered(study):
    out, (bold,) = study.parent / "out", study.glob("sub-01/func/*preproc_bold.nii.gz")
    assert main(["bids", str(study), str(study.parent / "first"), "participant", *LINE]) == 0
    out.mkdir()
    out.chmod(0o777)
    bold.chmod(0)
    with not_root():
        assert main(["bids", str(study), str(out), "participant", *LINE]) == 3
    entry = read_entry(out, "01")
    assert (entry.state, entry.lasting) == ("failed", False)
    assert "cannot be read (Permission denied)" in entry.reason
    assert read_entry(out, "02").state == "done"
    bold.chmod(0o644)
    assert main(["bids", str(study), str(out), "participant", *LINE]) == 0


def test_only_errors_of_the_system_may_pass():
    def raised(error, cause):
        error.__cause__ = cause
        return error

    assert may_pass(OSError(5, "Input/output error"))
    assert may_pass(raised(ImageError("no"), PermissionError(13, "denied")))
    assert may_pass(raised(ImageError("no"), raised(ValueError("no"), OSError(116, "stale"))))
    assert not may_pass(ImageError("no"))
    assert not may_pass(raised(ConfoundsError("no"), ValueError("no")))
    assert not may_pass(OutputError("ours has no number"))
