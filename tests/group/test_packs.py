"""The pack of a study: the numbers of its runs, whole or not there, and made anew when they change."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from seedmap.cli import main
from seedmap.errors import ImageError, MissingFile, OptionError, OutputError, SpaceMismatch
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.store import open_pack, open_stored

ALL = Choice("")


@pytest.fixture(scope="module")
def packed(stored_study):
    return pack_study(stored_study.root, ALL)


def test_rows_are_those_of_the_runs(packed, stored_study):
    pack = packed.pack
    assert pack.smooth.shape[2] % 16 == 0
    assert [run.person for run in pack.runs] == ["01", "02", "02", *stored_study.labels[2:]]
    for number, path in enumerate(packed.paths):
        run = open_stored(path)
        wanted = run.packed("smooth").values(slice(None))
        own = run.space.mask[pack.space.mask]
        found = pack.smooth[:, number].astype(float) * pack.smooth_scale[:, number, None]
        assert not found[~own].any()
        assert not pack.has[~own, number].any()
        sound = np.isfinite(wanted).all(axis=1)
        np.testing.assert_allclose(
            found[own][sound][:, : wanted.shape[1]], wanted[sound], atol=3e-5
        )
        np.testing.assert_allclose(np.linalg.norm(found[own][sound], axis=1), 1, atol=2e-5)
        raw = run.packed("plain").values(slice(None))
        plain = pack.plain[:, number].astype(float) * pack.plain_scale[:, number, None]
        np.testing.assert_allclose(
            plain[own][:, : raw.shape[1]], raw, atol=2e-4 * np.abs(raw).max()
        )
        noise = run.group.whole("noise")
        np.testing.assert_array_equal(pack.noise[own, number, : noise.shape[1]], noise)


def test_what_is_there_is_opened_and_not_made_again(packed, stored_study):
    before = packed.pack.path.stat().st_mtime_ns
    again = pack_study(stored_study.root, ALL)
    assert again.why == ""
    assert again.pack.path.stat().st_mtime_ns == before
    assert again.pack.facts["strategy"] == "6P"


def test_zarr_opens_it(packed):
    zarr = pytest.importorskip("zarr")
    theirs = zarr.open_group(packed.pack.path, mode="r")
    np.testing.assert_array_equal(theirs["smooth"][:50], packed.pack.smooth[:50])
    assert theirs["smooth"].shape == packed.pack.smooth.shape


def test_every_flipped_bit_is_found(packed, tmp_path):
    copy = tmp_path / "copy.zarr"
    shutil.copytree(packed.pack.path, copy)
    open_pack(copy).check()
    chunk = copy / "plain" / "c" / "0" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    chunk.write_bytes(data)
    with pytest.raises(ImageError, match="array plain"):
        open_pack(copy).check()
    chunk.write_bytes(data[:-1])
    with pytest.raises(ImageError, match="array plain"):
        open_pack(copy)


def test_it_is_made_anew_when_runs_change_and_says_why(own_stored_study):
    study = own_stored_study
    away = study.root / "away.zarr"
    shutil.move(study.path("05"), away)
    first = pack_study(study.root, ALL)
    assert "no pack" in first.why
    shutil.move(away, study.path("05"))
    added = pack_study(study.root, ALL)
    assert added.why == f"since the last pack {study.path('05').name} is added"
    assert added.pack.path == first.pack.path
    shutil.rmtree(study.path("07"))
    shutil.copytree(study.path("08"), study.path("07"))
    again = pack_study(study.root, ALL)
    assert again.why == f"since the last pack {study.path('07').name} is written again"
    shutil.rmtree(study.path("07"))
    assert "is gone" in pack_study(study.root, ALL).why
    head = first.pack.path / "zarr.json"
    head.write_text(head.read_text().replace('"format": 1', '"format": 0'))
    assert "cannot be used" in pack_study(study.root, ALL).why
    assert sorted(path.name for path in study.store.glob(".*")) == []


SLOW = """
import sys, time
from pathlib import Path
import seedmap.store.pack as pack
pack.BUFFER = 1 << 16
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice

def slowly(done, total):
    print(done, flush=True)
    time.sleep(0.05)

pack_study(Path(sys.argv[1]), Choice(""), slowly)
"""


@pytest.mark.full
def test_a_pack_that_is_killed_leaves_none(own_stored_study):
    study = own_stored_study
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, str(study.root)], stdout=subprocess.PIPE, env=os.environ
        )
        for _ in range(3):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert not list(study.store.glob("group_*"))
    assert list(study.store.glob(".seedmap-pack-*"))
    time.sleep(0.01)
    found = pack_study(study.root, ALL)
    found.pack.check()
    assert not list(study.store.glob(".*"))


def test_runs_that_are_not_alike_are_named(own_stored_study, make_run):
    study = own_stored_study
    shutil.rmtree(study.path("03"))
    make_run(study.path("03"), 2, smoothing_fwhm=4.0)
    with pytest.raises(OptionError, match=r"sub-03.*another smoothing_fwhm than sub-01"):
        pack_study(study.root, ALL)
    shutil.rmtree(study.path("03"))
    make_run(study.path("03"), 2, size=12)
    with pytest.raises(SpaceMismatch, match=r"sub-03.*another grid than sub-01"):
        pack_study(study.root, ALL)


@pytest.mark.parametrize(
    ("choice", "wrong"),
    [
        (Choice("", "36P"), "no stored run fits"),
        (Choice("", "", {"task": "x"}), "no stored run fits"),
    ],
)
def test_what_is_not_there_is_said(stored_study, choice, wrong):
    with pytest.raises(MissingFile, match=wrong):
        pack_study(stored_study.root, choice)


def test_a_full_disk_is_one_line(own_stored_study, monkeypatch):
    study = own_stored_study
    usage = shutil.disk_usage(study.root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(OutputError, match="the pack takes"):
        pack_study(study.root, ALL)
    monkeypatch.undo()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seedmap.store.arrays.ArrayWriter.write", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left"):
        pack_study(study.root, ALL)
    assert not [path for path in study.store.iterdir() if not path.name.startswith("sub-")]


def test_the_command_says_what_it_made(own_stored_study, capsys):
    assert main(["pack", str(own_stored_study.root)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "11 runs of 10 participants" in said
    assert list(own_stored_study.store.glob("group_*.zarr"))
    assert main(["pack", str(own_stored_study.root)]) == 0
    assert "is up to date" in " ".join(capsys.readouterr().out.split())
    assert main(["pack", str(own_stored_study.root), "--strategy", "36P"]) == 2


def test_where_memory_is_short_numbers_have_8_bits(stored_study, packed):
    narrow = pack_study(stored_study.root, ALL, memory=1e5).pack
    wide = packed.pack
    assert narrow.path != wide.path
    assert (narrow.smooth.dtype, narrow.plain.dtype) == (np.int8, np.int16)
    assert np.abs(narrow.smooth.astype(int)).max() == 127
    rows = [
        one.smooth[::7].astype(float) * one.smooth_scale[::7, :, None] for one in (narrow, wide)
    ]
    seeds = rows[1][len(rows[1]) // 2]
    r = [np.einsum("vrk,rk->vr", one, seeds) for one in rows]
    assert 1e-5 < np.abs(r[0] - r[1]).max() < 0.01
    assert pack_study(stored_study.root, ALL, memory=1e5).why == ""
