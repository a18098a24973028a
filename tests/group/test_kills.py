"""Killed at any moment and called again: the same bits, nothing half-written, replaced maps named."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked and killed")

TABLE = "group_task-rest_space-S_res-4_seed-PCC_desc-36P_participants.tsv"


def words(study, out, *options):
    line = ("group", study.folder, "--seed", "PCC", "--design", study.table, "--model", "group")
    line += ("--contrast", "patient - control", "--contrast", "mean", "--out", out, "-q", *options)
    return [str(word) for word in line]


def contents(out):
    """Digest every file; the name of the folder and the times in pages are left out."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name != "seedmap_log.txt":  # which has a line of every call
            data = path.read_bytes()
            if path.suffix in (".json", ".html"):
                text = re.sub(rf"--out {re.escape(out.name)}\b", "--out OUT", data.decode())
                data = re.sub(r"<time[^>]*>[^<]*</time>", "", text).encode()
            found[path.relative_to(out).as_posix()] = hashlib.md5(data).hexdigest()
    return found


def check_whole(out, whole):
    """What can be seen is whole; where the table of people is, all is there."""
    if not out.exists():
        return
    seen = {
        name: digest
        for name, digest in contents(out).items()
        if not any(part.startswith(".seedmap-") for part in Path(name).parts)
    }
    assert seen.items() <= whole.items()
    if TABLE in seen:
        assert set(whole) - set(seen) <= {TABLE.replace("participants.tsv", "report.html")}


def killed_before_rename(number, line):
    """Call in a process that is killed before its ``number``-th rename; return how it ended."""
    child = os.fork()
    if child == 0:
        replace, done = Path.replace, []

        def counted(path, target):
            done.append(path)
            if len(done) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return replace(path, target)

        Path.replace = counted
        os._exit(main(line))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("step", [24, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_before_any_rename_and_called_again_gives_the_same_bits(study, tmp_path, step):
    quick = ("--shuffles", "49", "--no-tfce", "--n-jobs", "1")
    assert main(words(study, tmp_path / "whole", *quick)) == 0
    whole = contents(tmp_path / "whole")
    out, number, code = tmp_path / "out", 1, -signal.SIGKILL
    while code:
        code = killed_before_rename(number, words(study, out, *quick))
        check_whole(out, whole)
        number += step
    assert number > 40
    assert contents(out) == whole
    assert not list(out.glob(".seedmap-*"))


@pytest.mark.slow
def test_killed_at_random_moments_and_called_again_gives_the_same_bits(study, tmp_path):
    options = ("--shuffles", "2000", "--n-jobs", "2")

    def start(out):
        line = [sys.executable, "-m", "seedmap", *words(study, out, *options)]
        return subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL)

    begin = time.monotonic()
    assert start(tmp_path / "whole").wait(timeout=300) == 0
    lasts, whole = time.monotonic() - begin, contents(tmp_path / "whole")
    out, chance, killed = tmp_path / "out", random.Random(0), 0
    while killed < 20:
        begin, process = time.monotonic(), start(out)
        try:
            process.wait(timeout=chance.uniform(0.1, lasts))
            lasts = time.monotonic() - begin  # the machine may be less busy by now
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        check_whole(out, whole)
    assert start(out).wait(timeout=300) == 0
    assert contents(out) == whole
    assert not list(out.glob(".seedmap-*"))


def test_a_map_that_was_replaced_is_named(own_study, tmp_path, capsys):
    line = ["group", str(own_study.folder), "--seed", "PCC", "--inference", "parametric"]
    line += ["--out", str(tmp_path / "out")]
    assert main(line) == 0
    assert "was replaced" not in capsys.readouterr().err
    for number, stat in ((5, "fisherz"), (6, "se"), (7, "q")):
        path = next(own_study.folder.glob(f"sub-{number:02d}/func/*stat-{stat}_*"))
        image = nib.load(path)
        nib.Nifti1Image(np.asarray(image.dataobj) * 0.9, image.affine).to_filename(path)
        assert main(line) == 0
        said = [one for one in capsys.readouterr().err.splitlines() if "was replaced" in one]
        assert len(said) == 1
        assert f"sub-{number:02d}: {path.name} was replaced" in said[0]
        page = next((tmp_path / "out").glob("*_report.html")).read_text()
        assert f"{path.name} was replaced" in page


def test_maps_of_an_earlier_call_do_not_stay_beside_others(study, tmp_path):
    options = ("--shuffles", "49", "--no-tfce")
    assert main(words(study, tmp_path, *options)) == 0
    assert list(tmp_path.glob("*contrast-mean_stat-pmass_*"))
    assert main(words(study, tmp_path, "--inference", "parametric")) == 0
    assert not list(tmp_path.glob("*stat-pmass_*"))
    assert not list(tmp_path.glob("*nullmaxima*"))
    assert len(list(tmp_path.glob("*stat-t_*.nii.gz"))) == 2
