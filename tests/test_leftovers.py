"""Folders of calls that last stay, whoever looks; those of killed calls go."""

import os
import subprocess
import sys
import time

import pytest

from seedmap import leftovers
from seedmap.leftovers import LOCK, claimed_folder, new_folder_name, sweep_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

DAY = 25 * 3600

HOLDER = """
import sys, time
from pathlib import Path
from seedmap.leftovers import claimed_folder, new_folder_name
with claimed_folder(Path(sys.argv[1]) / new_folder_name("x-")) as folder:
    (folder / "result").write_text("half")
    print("made", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"made\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_folder_goes_at_the_end(tmp_path):
    with claimed_folder(tmp_path / "deep" / new_folder_name("x-")) as folder:
        sweep_left(folder.parent, "x-")
        assert [path.name for path in folder.iterdir()] == [LOCK]
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_in_use_stays_until_its_process_is_killed(tmp_path, holder):
    sweep_left(tmp_path, "x-")
    (folder,) = tmp_path.iterdir()
    assert (folder / "result").read_text() == "half"
    holder.kill()
    holder.wait()
    sweep_left(tmp_path, "x-")
    assert list(tmp_path.iterdir()) == []


def test_neither_numbers_nor_names_of_processes_count(tmp_path, holder):
    """In two containers, processes have the same numbers, or none that the other knows."""
    (folder,) = tmp_path.iterdir()
    machine, _, rest = folder.name.partition(".")
    for number in (os.getpid(), 999_999_999):
        name = tmp_path / f"{machine}.{number}.{rest.rpartition('.')[2]}"
        folder = folder.rename(name)
        sweep_left(tmp_path, "x-")
        assert folder.is_dir()
    holder.kill()
    holder.wait()
    sweep_left(tmp_path, "x-")
    assert not folder.exists()


@pytest.mark.parametrize("name", ["x-othermachine.1.abc", "x-{}.1.abc", "x-{}.1.abc.new", "x-b"])
def test_of_others_and_without_a_lock_only_old_ones_go(tmp_path, name):
    folder = tmp_path / name.format(leftovers._machine())
    folder.mkdir()
    sweep_left(tmp_path, "x-")
    assert folder.is_dir()
    os.utime(folder, (time.time() - DAY,) * 2)
    sweep_left(tmp_path, "x-")
    assert not folder.exists()


def test_what_has_another_name_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    os.utime(tmp_path / "mine", (0, 0))
    sweep_left(tmp_path, "x-")
    assert (tmp_path / "mine").is_dir()
    sweep_left(tmp_path / "not there", "x-")
