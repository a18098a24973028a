"""What the disk refuses: exit code 2, one line, nothing left behind."""

import os
import shutil
import subprocess
import sys

import pytest

SEED = ("--seed", "PCC=0,-52,18")


def test_folder_is_a_file(call, bold, tmp_path):
    (tmp_path / "results").write_text("mine")
    done = call("run", bold, *SEED, "--out", tmp_path / "results")
    assert done.code == 2
    assert "results: cannot be written (File exists); choose another folder" in done.err
    assert done.out == "", "found out before the work is done"
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_folder_not_writable(call, bold, tmp_path):
    tmp_path.chmod(0o500)
    done = call("run", bold, *SEED, "--out", tmp_path / "results")
    tmp_path.chmod(0o700)
    assert done.code == 2
    assert "results: cannot be written (Permission denied); choose another" in done.err


def test_results_beside_others_stay(call, bold, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = call("run", bold, "--seed", "PCC=0,0", "--out", tmp_path)
    assert done.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def errors(said):
    """Return the lines that are no notes, such as that of frames that hold much of the noise."""
    return [line for line in said.splitlines() if not line.startswith("seedmap: note: ")]


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_disk_full_by_limit(process, save, tmp_path):
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = process(
        "run", save("run.nii", save.data), *SEED, "--out", tmp_path / "results",
        "--no-figures", "--strategy", "none", preexec_fn=limit,
    )  # fmt: skip
    assert done.code == 2
    assert "results" in done.err
    assert "cannot be written (File too large); free some space" in done.err
    assert len(errors(done.err)) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.full
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (Linux) is not here")
def test_disk_full_on_a_small_disk(process, save, tmp_path):
    disk, run = tmp_path / "disk", save("run.nii", save.data)
    disk.mkdir()
    script = f"mount -t tmpfs -o size=24k none {disk}"
    enter = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if os.geteuid() == 0:
        enter = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*enter, script], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    line = (
        f"{script} && {sys.executable} -m seedmap run {run} --seed PCC=0,-52,18 --no-figures --strategy none "
        f"--out {disk}/results; echo code $?; find {disk} -mindepth 1"
    )
    done = subprocess.run([*enter, line], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "code 2", "and nothing is on the disk"
    assert "cannot be written (No space left on device); free some space" in done.stderr
    assert len(errors(done.stderr)) == 1
